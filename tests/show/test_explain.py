"""A plan in words."""

from __future__ import annotations

import pytest

from dataplatform.compile.plan import Retry
from dataplatform.show.explain import as_dict, best_case, explain, worst_case
from dataplatform.show.words import duration, iso, masked
from dataplatform_runtime import protocol
from tests.show import plans


@pytest.mark.parametrize(
    ("seconds", "words", "machine"),
    [
        (0, "0 s", "PT0S"),
        (45, "45 s", "PT45S"),
        (720, "12 min", "PT12M"),
        (5400, "1 h 30 min", "PT1H30M"),
        (90061, "1 d 1 h 1 min 1 s", "P1DT1H1M1S"),
    ],
)
def test_durations(seconds: int, words: str, machine: str) -> None:
    assert (duration(seconds), iso(seconds)) == (words, machine)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_all_of_a_small_plan() -> None:
    plan = plans.plan(
        [[plans.step("a", timeout=60), plans.step("b", poll_interval=50, timeout=120)], ["c"]],
        [[plans.step("d", status_executor="other", continue_if_fail=True)]],
    )
    text = flat(explain(plan))
    assert "4 steps in 2 levels and 3 threads; at most 2 steps at the same time." in text
    assert "at most 24 min (PT24M)" in text
    assert "at least 1 min 50 s" in text
    assert "Level 1 starts at once; its 2 threads start together." in text
    assert "Level 2 starts when every thread of level 1 has ended and none has failed; it has one thread." in text
    assert "1. a Started through dataform-tag-executor; asked about every 30 s, at most 2 times; fails when" in text
    assert "2. b Started through dataform-tag-executor; asked about every 50 s, at most 3 times; fails when" in text
    assert "has not succeeded after 12 min. When it fails, its thread goes on." in text
    assert "asked about through other" in text
    assert "The run goes on and may succeed when d fails (CONTINUE_IF_FAIL)." in text
    assert "repeated at most 5 times, after 2 s, 4 s, 8 s, 16 s and 32 s." in text
    assert (worst_case(plan), best_case(plan)) == (1440, 110)


def test_worst_case_is_the_longest_thread_of_each_level() -> None:
    level = [[plans.step("a", timeout=100), plans.step("b", timeout=200)], [plans.step("c", timeout=250)]]
    assert worst_case(plans.plan(level, [[plans.step("d", timeout=5)]])) == 305


def test_own_retries_are_told_at_their_steps() -> None:
    never = plans.step("b", retry=Retry(max_retries=0))
    text = flat(explain(plans.plan([["a", never]])))
    assert text.count("No call is repeated.") == 1
    assert text.count("A call is repeated at most 5 times") == 1


def test_the_statuses_named_are_those_the_runtime_repeats() -> None:
    text = flat(explain(plans.wide()))
    both = [str(status) for status in sorted(protocol.START_TRANSIENT)]
    more = [str(status) for status in sorted(protocol.STATUS_TRANSIENT - protocol.START_TRANSIENT)]
    assert f"(HTTP {both[0]} and {both[1]}), a status call also after HTTP {more[0]} and {more[1]}" in text


def test_lines_are_short_and_printable_for_any_name() -> None:
    for plan in (plans.wide(), plans.odd()):
        for line in explain(plan).splitlines():
            assert line.isprintable()
            assert len(line) <= 100 or line.split(". ", 1)[0].strip().isdigit()


def test_secrets_are_masked() -> None:
    properties = (("db_password", "hunter2"), ("url", "postgres://u:pw@h/d"), ("table", "orders"))
    plan = plans.plan([[plans.step("a", properties=properties)]])
    for said in (explain(plan), str(as_dict(plan))):
        assert "hunter2" not in said
        assert "pw@" not in said
        assert "orders" in said


def test_masking_goes_below_a_secret_key_and_lets_references_be() -> None:
    data = {"credentials": {"user": "u", "ref": "$secret:x", "n": 7, "on": True}, "list": [{"token": "t"}], "n": 1}
    assert masked(data) == {
        "credentials": {"user": "[secret]", "ref": "$secret:x", "n": "[secret]", "on": True},
        "list": [{"token": "[secret]"}],
        "n": 1,
    }


def test_the_document_counts() -> None:
    found = as_dict(plans.wide())
    assert found["steps"] == len(plans.wide().steps())
    assert found["worst_case"] == iso(worst_case(plans.wide()))
    assert len(found["levels"]) == 12
