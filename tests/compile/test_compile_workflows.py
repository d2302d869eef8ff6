"""The text of compiled workflows: shape, limits, and that data stays data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dataplatform.compile import workflows
from dataplatform.compile.plan import Plan, Retry, Step
from dataplatform.compile.workflows_parts import render_all
from dataplatform.diagnostics import InputError
from localcloud.workflows.check import check_source

HOSTILE = [
    "load orders",
    "load-orders",
    "1st",
    "class",
    "end",
    "yes",
    "größe",
    "ジョブ",
    "😀",
    "a: b #c",
    'it\'s "so"',
    "back\\slash",
    "tab\tand\nline",
    "${sys.get_env('X')}",
    "a${b}c${d",
    "}${",
    "{{ ti }}",
    "%{x}",
    "'); import os #",
    '"""',
    "- a",
    "~",
    "0o17",
    "1e3",
    "\u2028",
]


def steps_of(node: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of a (sub)workflow at any depth, with its name."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("steps", "branches"):
                for step in value:
                    ((name, body),) = step.items()
                    yield name, body
            if key not in ("args", "assign", "raise", "return"):
                yield from steps_of(value)
    elif isinstance(node, list):
        for item in node:
            yield from steps_of(item)


def calls_of(plan: Plan) -> list[dict[str, Any]]:
    document = yaml.safe_load(workflows.render(plan))
    return [body["args"] for _, body in steps_of(document["main"]) if body.get("call", "").startswith("run_step")]


def evaluate(text: str) -> str:
    """What a value of the workflow is: itself, or the strings of the expression it is, joined."""
    if not text.startswith("${"):
        return text
    return "".join(json.loads(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"', text[2:-1]))


def test_golden(sample: Plan, golden: Any) -> None:
    golden(f"{sample.name}.workflow.yaml", workflows.render(sample))


def test_the_embedded_cloud_accepts_every_sample(sample: Plan) -> None:
    assert check_source(workflows.render(sample)) == []


def test_same_plan_same_bytes_in_ascii(sample: Plan) -> None:
    text = workflows.render(sample)
    assert text == workflows.render(sample)
    assert text.isascii()
    assert sample.source.sha256 in text
    assert sample.source.file in text


@pytest.mark.parametrize("name", HOSTILE)
def test_any_job_name_is_data(make: Any, name: str) -> None:
    plan = make.plan([[[name, "other"]]])
    text = workflows.render(plan)
    assert check_source(text) == []
    (first, second) = calls_of(plan)
    assert evaluate(first["job"]) == name
    assert second["job"] == "other"


@pytest.mark.parametrize("name", HOSTILE)
def test_any_property_is_data(make: Any, name: str) -> None:
    properties = (("list", [name, 1, 1.5, None, True]), (name, {name: name}))
    plan = make.plan([[[make.step("a", properties=properties)]]])
    (call,) = calls_of(plan)
    assert "${" not in call["properties"]
    expected = {"jobs_definitions_bucket": "acme-data-dev-jobs", **dict(properties)}
    assert json.loads(call["properties"]) == expected


@pytest.mark.parametrize("name", ["x\ny: 1", "a\u2028b", "${x}", "größe"])
def test_the_header_is_a_comment_whatever_the_file_is_called(make: Any, name: str) -> None:
    text = workflows.render(make.plan([[["a"]]], name=name))
    assert set(yaml.safe_load(text)) == {"main", "run_step", "end_level", "explain", "shown"}
    assert text.isascii()


def test_the_steps_own_bucket_wins_and_else_the_stacks_is_kept(make: Any) -> None:
    own = make.step("a", properties=(("jobs_definitions_bucket", "mine"),))
    other = make.step("b", properties=(("k", 1),))
    first, second = calls_of(make.plan([[[own, other]]]))
    assert json.loads(first["properties"]) == {"jobs_definitions_bucket": "mine"}
    assert json.loads(second["properties"]) == {"jobs_definitions_bucket": "acme-data-dev-jobs", "k": 1}


def test_step_names_are_unique_and_valid(make: Any) -> None:
    names = ["a b", "a_b", "a-b", "end", "continue", "init", "finish", "A_B", "level_1", "1", "ü", ""]
    plan = make.plan([[names, ["x"]], [["y"]]])
    document = yaml.safe_load(workflows.render(plan))
    for workflow in document.values():
        found = [name for name, _ in steps_of(workflow)]
        assert len({name.lower() for name in found}) == len(found)
        assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", name) for name in found)
        assert not {"end", "continue", "break"} & set(found)


def test_no_jump_leaves_its_list_of_steps_or_continues(make: Any) -> None:
    document = yaml.safe_load(workflows.render(make.plan([[[f"a{n}", f"b{n}"] for n in range(11)], [["c"]]])))

    def visit(node: object) -> None:
        if isinstance(node, dict):
            for key in ("steps", "branches"):
                if isinstance(node.get(key), list):
                    here = {name for step in node[key] for name in step}
                    for step in node[key]:
                        for body in step.values():
                            jumps = [body.get("next"), *(c.get("next") for c in body.get("switch", []))]
                            assert {jump for jump in jumps if jump} <= here
            for key, value in node.items():
                if key not in ("args", "assign", "raise", "return"):
                    visit(value)
        elif isinstance(node, list):
            for item in node:
                visit(item)

    visit(document)


def test_levels_in_sequence_threads_in_parallel(make: Any) -> None:
    document = yaml.safe_load(workflows.render(make.plan([[["a", "b"], ["c"]], [["d"]]])))
    names = [next(iter(step)) for step in document["main"]["steps"]]
    assert names == ["init", "level_1", "level_1_end", "d", "level_2_end", "finish"]
    parallel = document["main"]["steps"][1]["level_1"]["parallel"]
    assert parallel["shared"] == ["t1", "t2"]
    first, second = (next(iter(branch.values()))["steps"] for branch in parallel["branches"])
    assert [next(iter(step)) for step in first] == ["a", "b"]
    assert [next(iter(step)) for step in second] == ["c"]
    assert [next(iter(step.values()))["args"]["before"] for step in first] == ["${fresh}", "${t1}"]


@pytest.mark.parametrize("threads", [10, 11, 25, 120])
def test_threads_beyond_the_branch_limit_become_a_parallel_loop(make: Any, threads: int) -> None:
    plan = make.plan([[[f"s{n}", f"z{n}"] for n in range(threads)], [["last"]]])
    text = workflows.render(plan)
    assert check_source(text) == []
    parallel = next(step["level_1"]["parallel"] for step in yaml.safe_load(text)["main"]["steps"] if "level_1" in step)
    if threads <= 10:
        assert len(parallel["branches"]) == threads
    else:
        assert parallel["concurrency_limit"] == 20
        data = next(
            step["level_1_threads"]["assign"][1]["threads"]
            for step in yaml.safe_load(text)["main"]["steps"]
            if "level_1_threads" in step
        )
        assert [[step["job"] for step in thread["steps"]] for thread in data] == [
            [f"s{n}", f"z{n}"] for n in range(threads)
        ]


def test_two_hundred_steps_fit_and_a_step_costs_a_few_hundred_bytes(make: Any) -> None:
    def plan(steps: int) -> Plan:
        found: Plan = make.plan(
            [[[f"sample_job_{lv}_{th}_{st}" for st in range(steps)] for th in range(5)] for lv in range(10)]
        )
        return found

    small, large = (workflows.render(plan(steps)) for steps in (2, 4))
    assert check_source(large) == []
    assert len(large) < 128 * 1000
    assert (len(large) - len(small)) / 100 <= 400


@pytest.mark.parametrize("count", [200, 1000])
def test_many_steps_become_a_few_workflows_within_the_limits(make: Any, count: int) -> None:
    """With AEF's default waits 200 steps would poll more often than one execution may."""

    def plan(steps: int) -> Plan:
        def step(name: str) -> Step:
            found: Step = make.step(name, poll_interval=30, timeout=3600)
            return found

        found: Plan = make.plan(
            [[[step(f"job_{lv}_{th}_{st}") for st in range(5)] for th in range(5)] for lv in range(steps // 25)]
        )
        return found

    rendered = render_all(plan(count))
    assert workflows.executed_steps(plan(count)) > workflows.MAX_EXECUTED_STEPS
    assert [text.workflow_id for text in rendered] == [
        rendered[0].workflow_id,
        *(f"{rendered[0].workflow_id}-part-{n}" for n in range(1, len(rendered))),
    ]
    assert len(rendered) - 2 <= workflows.executed_steps(plan(count)) // workflows.MAX_EXECUTED_STEPS
    for text in rendered:
        assert check_source(text.text) == []
        assert len(text.text.encode()) <= workflows.MAX_SOURCE_BYTES
    assert [step for text in rendered for step in text.steps] == [step.id for step in plan(count).steps()]
    larger = render_all(plan(count + 100))
    added = sum(len(text.text) for text in larger) - sum(len(text.text) for text in rendered)
    assert added / 100 <= 600
    assert render_all(plan(count)) == rendered


def test_a_thread_too_long_for_a_workflow_goes_on_in_the_next(make: Any) -> None:
    plan = make.plan([[[f"job_{n}" for n in range(900)], ["beside"]]])
    whole, *parts = render_all(plan)
    assert sum(len(part.steps) for part in parts) == 901
    assert len([part for part in parts if "job_0" in part.steps or "job_899" in part.steps]) == 2
    assert "run_piece" in whole.text


def test_a_part_s_name_fits_however_long_the_pipeline_s_is(make: Any) -> None:
    plan = make.plan([[[f"job_{n}" for n in range(300)]], [[f"more_{n}" for n in range(300)]]], name="x" * 64)
    ids = [text.workflow_id for text in render_all(plan)]
    assert len(ids) > 2
    assert all(len(one) <= workflows.MAX_ID for one in ids)
    assert len(set(ids)) == len(ids)


def test_a_step_that_is_too_large_alone_is_refused_with_both_figures(make: Any) -> None:
    plan = make.plan([[["a", make.step("b", properties=(("text", "x" * 130_000),))]]])
    with pytest.raises(InputError) as caught:
        render_all(plan)
    (problem,) = caught.value.diagnostics.items
    assert re.search(r"this step alone has 1\d\d,\d{3} bytes, and Cloud Workflows takes 128,000", problem.message)


def test_polls_of_one_step_over_the_limit_of_executed_steps_are_refused(make: Any) -> None:
    plan = make.plan([[[make.step("a", poll_interval=1, timeout=20_000)]]])
    with pytest.raises(InputError, match=r"(?s)would execute 120,050 steps, .* after 100,000; raise WAIT_TIME_SECONDS"):
        workflows.render(plan)


def test_an_expression_over_the_limit_is_refused(make: Any) -> None:
    with pytest.raises(InputError, match=r"an expression of 4\d\d characters, and Cloud Workflows takes 400"):
        workflows.render(make.plan([[["${" + "x" * 390]]]))
    assert workflows.render(make.plan([[["x" * 190]]]))


def test_each_retry_policy_has_its_run_step(make: Any) -> None:
    slow = Retry(max_retries=9)
    plan = make.plan([[["a", make.step("b", retry=slow)]], [[make.step(f"s{n}", retry=slow)] for n in range(11)]])
    text = workflows.render(plan)
    assert check_source(text) == []
    document = yaml.safe_load(text)
    retries = [
        body["retry"]["max_retries"]
        for name in ("run_step", "run_step_2")
        for _, body in steps_of(document[name])
        if "retry" in body
    ]
    assert retries == [5, 5, 9, 9]
    assert document["main"]["steps"][2]["b"]["call"] == "run_step_2"


def test_start_is_repeated_only_where_it_was_not_carried_out(make: Any) -> None:
    document = yaml.safe_load(workflows.render(make.plan([[["a"]]])))
    predicates = {name: body["retry"]["predicate"] for name, body in steps_of(document["run_step"]) if "retry" in body}
    assert predicates == {
        "start_job": "${http.default_retry_predicate_non_idempotent}",
        "poll": "${http.default_retry_predicate}",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [("orders", "orders"), ("orders-daily_2", "orders-daily_2"), ("1st", "p_1st"), ("x y", None), ("größe", None)],
)
def test_workflow_id(make: Any, name: str, expected: str | None) -> None:
    found = workflows.workflow_id(make.plan([[["a"]]], name=name))
    assert re.fullmatch(r"[a-zA-Z]([a-zA-Z0-9_-]{0,62}[a-zA-Z0-9])?", found)
    assert expected is None or found == expected


def test_a_name_too_long_is_refused_not_cut(make: Any) -> None:
    with pytest.raises(InputError, match="would have 65 characters, and Cloud Workflows takes 64"):
        workflows.render(make.plan([[["a"]]], name="x" * 65))
