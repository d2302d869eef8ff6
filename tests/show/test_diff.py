"""Differences in meaning, and what is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile.plan import Plan, Retry
from dataplatform.show.diff import Change, as_dicts, diff, render
from tests.show import plans
from tests.show.plans import aef, aef_step, plan, step


def brief(old: Plan, new: Plan) -> list[tuple[str, str, str, str]]:
    return [(c.kind, c.action, c.subject, c.field or " ".join(c.after)) for c in diff(old, new)]


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "numbers in strings": ({"TIMEOUT_SECONDS": "600"}, {"TIMEOUT_SECONDS": 600}),
    "minutes and seconds": ({"ASYNC_TIMEOUT_LOOP_IN_MINUTES": "10"}, {"TIMEOUT_SECONDS": "600"}),
    "defaults written out": (
        {},
        {
            "WAIT_TIME_SECONDS": "30",
            "TIMEOUT_SECONDS": "3600",
            "CONTINUE_IF_FAIL": "False",
            "FUNCTION_STATUS_NAME": "dataform-tag-executor",
            "STEP_PROPERTIES": "{}",
        },
    ),
    "properties as text": (
        {"STEP_PROPERTIES": {"a": 1, "b": [1, {"c": None}]}},
        {"STEP_PROPERTIES": '{ "b":[1,{"c":null}],\n "a":1}'},
    ),
    "the other executor key": ({}, {"FUNCTION_ID_NAME": None, "COMPOSER_STEP": "dataform-tag-executor"}),
    "a job id": ({}, {"JOB_ID": "another"}),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_another_way_to_write_it_is_no_change(tmp_path: Path, one: dict[str, Any], other: dict[str, Any]) -> None:
    old = plans.load_plan(tmp_path, json.dumps(aef([[aef_step("a", **one)]])))
    new = plans.load_plan(tmp_path, json.dumps(aef([[aef_step("a", **other)]])), "elsewhere.json")
    assert diff(old, new) == ()
    assert render(diff(old, new)) == "no change in meaning\n"


def test_text_is_no_meaning(tmp_path: Path) -> None:
    for path in plans.AEF:
        data = json.loads(path.read_text())
        old = plans.load_plan(tmp_path, path.read_text())
        backwards = json.dumps(data, indent=7, sort_keys=True)
        assert diff(old, plans.load_plan(tmp_path, backwards)) == ()


def test_other_numbers_of_levels_and_threads_are_no_change() -> None:
    old = plan([["a"], ["b"]], [["c"]])
    levels = tuple(
        replace(level, id=f"{n + 7}", threads=tuple(replace(t, id=f"t{t.id}") for t in level.threads))
        for n, level in enumerate(old.levels)
    )
    assert diff(old, replace(old, levels=levels)) == ()
    swapped = replace(old.levels[0], threads=old.levels[0].threads[::-1])
    assert diff(old, replace(old, levels=(swapped, old.levels[1]))) == ()


def test_a_level_put_in_moves_nothing() -> None:
    assert brief(plan([["a"]], [["b"]]), plan([["x"]], [["a"]], [["b"]])) == [("step", "added", "x", "")]
    (found,) = diff(plan([["a"]], [["b"]]), plan([["a"]], [["x"]], [["b"]]))
    assert (found.new, found.after) == ("level 2, thread 1", ("a",))


def test_removed() -> None:
    changes = diff(plan([["a", "b", "c"]]), plan([["a", "c"]]))
    assert [(c.action, c.subject, c.old, c.after) for c in changes] == [
        ("removed", "b", "level 1, thread 1", ("a",)),
    ]
    assert "- step b: removed (level 1, thread 1, after a)\n1 change\n" in render(changes)


@pytest.mark.parametrize(
    ("values", "field", "line"),
    [
        ({"timeout": 900}, "timeout", "~ step a: timeout 12 min → 15 min"),
        ({"poll_interval": 60}, "poll_interval", "~ step a: pause before each status call 30 s → 1 min"),
        ({"continue_if_fail": True}, "continue_if_fail", "~ step a: thread goes on when it fails no → yes"),
        ({"executor": "other"}, "executor", "~ step a: executor dataform-tag-executor → other"),
        ({"status_executor": "x"}, "status_executor", "executor of the status calls dataform-tag-executor → x"),
        ({"retry": Retry(max_retries=9)}, "retry.max_retries", "~ step a: most retries of a call 5 → 9"),
        ({"properties": (("n", 1),)}, "properties.n", "~ step a: properties.n 30 → 1"),
        ({"properties": (("n", "30"),)}, "properties.n", '~ step a: properties.n 30 → "30"'),
        ({"properties": (("n", {"m": 1}),)}, "properties.n", '~ step a: properties.n 30 → {"m": 1}'),
        ({"properties": ()}, "properties.n", "- step a: properties.n removed, was 30"),
        ({"properties": (("m", True), ("n", 30))}, "properties.m", "+ step a: properties.m added: true"),
    ],
)
def test_a_field_of_a_step(values: dict[str, Any], field: str, line: str) -> None:
    old = step("a", properties=(("n", 30),))
    changes = diff(plan([[old]]), plan([[replace(old, **values)]]))
    assert [(c.kind, c.subject, c.field) for c in changes] == [("step", "a", field)]
    assert line in render(changes)


def test_true_is_not_one() -> None:
    one, true = step("a", properties=(("n", [1]),)), step("a", properties=(("n", [True]),))
    assert len(diff(plan([[one]]), plan([[true]]))) == 1


def test_engines() -> None:
    old, new = plan([["a"]]), plan([["a"]], engines=("workflows", "airflow"))
    assert brief(old, new) == [("pipeline", "changed", "", "engines")]
    assert "~ pipeline: engines workflows → airflow and workflows" in render(diff(old, new))
    assert diff(new, plan([["a"]], engines=("airflow", "workflows"))) == ()


def test_secrets_are_masked_and_still_told() -> None:
    old = step("a", properties=(("db", {"password": "hunter2"}), ("url", "amqp://u:old@h")))
    new = step("a", properties=(("db", {"password": "tr0ub4"}), ("url", "amqp://u:new@h")))
    changes = diff(plan([[old]]), plan([[new]]))
    assert [c.field for c in changes] == ["properties.db.password", "properties.url"]
    for said in (render(changes), repr(changes), json.dumps(as_dicts(changes))):
        assert not any(word in said for word in ("hunter2", "tr0ub4", "old@", "new@"))
    assert '"[secret]" → "[secret]" (another value)' in render(changes)


def test_renamed_keeps_its_edges() -> None:
    old, new = plan([["a", "b", "c"]], [["d"]]), plan([["a", "z", "c"]], [["d"]])
    assert brief(old, new) == [("step", "renamed", "z", "name")]
    assert "~ step z: renamed, was b" in render(diff(old, new))


def test_two_renamed_are_told_apart_by_their_job_ids() -> None:
    old = plan([[step("a", job_id="1"), step("b", job_id="2")]])
    new = plan([[step("y", job_id="2"), step("x", job_id="1")]])
    found = [(c.old, c.new) for c in diff(old, new) if c.action == "renamed"]
    assert found == [("a", "x"), ("b", "y")]


def test_not_renamed_where_anything_else_differs() -> None:
    new = plan([[step("z", timeout=5)]])
    assert [c.action for c in diff(plan([["a"]]), new)] == ["removed", "added"]


def test_reordered() -> None:
    assert brief(plan([["a", "b"]]), plan([["b", "a"]])) == [("edge", "removed", "b", "a"), ("edge", "added", "a", "b")]


def test_moved_between_threads() -> None:
    changes = diff(plan([["a", "b", "c"]]), plan([["a", "b"], ["c"]]))
    assert [(c.kind, c.action, c.subject, c.after) for c in changes] == [
        ("step", "moved", "c", ()),
        ("edge", "removed", "c", ("b",)),
    ]
    assert "~ step c: moved from level 1, thread 1 to level 1, thread 2" in render(changes)
    assert "- step c: no longer waits for b" in render(changes)


def test_moved_to_another_level() -> None:
    found = brief(plan([["a"], ["b"], ["c"]], [["d"]]), plan([["a"], ["c"]], [["b"], ["d"]]))
    assert found == [
        ("step", "moved", "b", "place"),
        ("edge", "removed", "d", "b"),
        ("edge", "added", "b", "a"),
        ("edge", "added", "b", "c"),
    ]


def test_edges_are_exactly_the_orders_that_changed() -> None:
    """Against a second way to say it: all pairs of a level's, thread's and step's places."""

    def orders(of: Plan) -> set[tuple[str, str]]:
        places = {
            s.id: (i, j, k)
            for i, level in enumerate(of.levels)
            for j, thread in enumerate(level.threads)
            for k, s in enumerate(thread.steps)
        }
        return {
            (one, two)
            for one, (a, b, c) in places.items()
            for two, (d, e, f) in places.items()
            if a < d or (a == d and b == e and c < f)
        }

    shapes = [
        plan([["a", "b"], ["c"]], [["d", "e"]]),
        plan([["a"], ["b", "c"]], [["d"], ["e"]]),
        plan([["e", "d", "c", "b", "a"]]),
        plan([["a"], ["b"], ["c"], ["d"], ["e"]]),
        plan([["c"]], [["a", "d"], ["b"]], [["e"]]),
    ]
    for old in shapes:
        for new in shapes:
            told = {(c.action, c.after[0], c.subject) for c in diff(old, new) if c.kind == "edge"}
            gone, come = orders(old) - orders(new), orders(new) - orders(old)
            assert {(a, b) for action, a, b in told if action == "removed"} <= gone
            assert {(a, b) for action, a, b in told if action == "added"} <= come
            assert bool(told) == bool(gone or come)


def test_there_and_back_are_each_others_mirror() -> None:
    old = plan([["a", "b"], ["c"]], [["d"]])
    new = plan([["a"], ["x"]], [["b", "d"]], [["c"]])
    mirror = {"added": "removed", "removed": "added"}
    there = sorted((mirror.get(c.action, c.action), c.kind, c.subject, c.after) for c in diff(old, new))
    back = sorted((c.action, c.kind, c.subject, c.after) for c in diff(new, old))
    assert there == back


def test_no_plan_differs_from_itself_and_a_large_one_is_quick() -> None:
    for one in (plans.wide(), plans.odd()):
        assert diff(one, one) == ()
    text = render(diff(plans.wide(), plans.plan(*([[s.id]] for s in plans.wide().steps()))))
    assert text.endswith(" changes\n")


def test_values_as_data() -> None:
    (found,) = as_dicts(diff(plan([["a"]]), plan([[step("a", timeout=900)]])))
    assert found == {
        "kind": "step",
        "action": "changed",
        "subject": "a",
        "field": "timeout",
        "old": 720,
        "new": 900,
        "after": [],
    }
    assert isinstance(diff(plan([["a"]]), plan([["b"]]))[0], Change)
