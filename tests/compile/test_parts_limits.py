"""Pipelines in parts against the service's other limits: executed steps, memory, looks, a year; and lost parts."""

from __future__ import annotations

import collections
import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from dataplatform.compile import workflows, workflows_parent
from dataplatform.compile.plan import Plan
from dataplatform.compile.reference import Answer, Outcome, job_of, never
from dataplatform.compile.workflows_parts import Limits, render_all
from dataplatform.diagnostics import InputError
from localcloud.workflows import clock
from localcloud.workflows.check import check_source
from localcloud.workflows.events import StepEvent
from localcloud.workflows.local import run as run_workflow
from localcloud.workflows.web import Request
from tests.compile.engines import BEGIN, LOCAL, SERVICE
from tests.compile.observed import Executors

pytestmark = pytest.mark.slow

TELL = "http://127.0.0.1/tell"


@dataclass
class Ran:
    """One run in virtual time."""

    execution: dict[str, Any]
    told: list[dict[str, Any]] = field(default_factory=list)
    """Bodies the function for failures got."""
    executed: collections.Counter[str] = field(default_factory=collections.Counter)
    """Steps that were executed, by workflow."""

    @property
    def document(self) -> dict[str, Any]:
        """The result, or what was raised."""
        text = self.execution.get("result") or self.execution["error"]["payload"]
        found: dict[str, Any] = json.loads(text)
        return found


def played(plan: Plan, outcomes: dict[str, Outcome], limits: Limits = SERVICE, without: Collection[str] = ()) -> Ran:
    """Run a plan's workflows; those of `without` are not there."""
    executors = Executors(outcomes)
    whole, *parts = render_all(plan, limits)
    ran = Ran({})

    def respond(request: Request) -> clock.Answer:
        body = json.loads(request.body or b"")
        if request.url == TELL:
            ran.told.append(body)
            return clock.Answer(text="told")
        answer = executors.answer(body, request.at)
        return clock.Answer(status=answer.status, text=answer.text, seconds=answer.seconds)

    def count(event: StepEvent) -> None:
        if event.state == "running":
            ran.executed[event.execution.split("/")[-3]] += 1

    ran.execution = run_workflow(
        None,
        whole.text,
        None,
        children={part.workflow_id: part.text for part in parts if part.workflow_id not in without}
        or {"x": whole.text},
        clock=clock.VirtualClock(BEGIN),
        responder=respond,
        on_event=count,
        routes={plan.target.intermediate_url: LOCAL, plan.target.intermediate_url.rpartition("/")[0] + "/tell": TELL},
        workflow=whole.workflow_id,
    )
    return ran


def plan_of(make: Any, levels: int, threads: int, steps: int, **options: Any) -> Plan:
    """With AEF's default waits."""
    options = {"poll_interval": 30, "timeout": 3600, **options}
    found: Plan = make.plan(
        [
            [[make.step(f"load_orders_{lv}_{th}_{n}", **options) for n in range(steps)] for th in range(threads)]
            for lv in range(levels)
        ]
    )
    return found


def outcomes_of(plan: Plan, polls: int = 1, last: Answer | None = None) -> dict[str, Outcome]:
    return {step.id: job_of(step.id, polls, last=last) for step in plan.steps()}


@pytest.mark.parametrize(("levels", "threads", "steps"), [(8, 5, 5), (40, 5, 5), (1, 4, 250), (1, 200, 5)])
def test_any_shape_of_many_steps_runs(make: Any, levels: int, threads: int, steps: int) -> None:
    plan = plan_of(make, levels, threads, steps)
    rendered = render_all(plan)
    assert len(rendered) > 1
    for text in rendered:
        assert check_source(text.text) == []
        assert len(text.text) <= workflows.MAX_SOURCE_BYTES
    ran = played(plan, outcomes_of(plan))
    assert ran.document["state"] == "success"
    assert [state["step"] for state in ran.document["steps"]] == [step.id for step in plan.steps()]
    total = sum(len(text.text) for text in rendered)
    print(
        f"{len(plan.steps())} steps: {len(rendered)} workflows, {total:,} bytes, {total / len(plan.steps()):.0f} a step"
    )
    assert total / len(plan.steps()) <= 600


@pytest.mark.parametrize(("levels", "threads", "steps"), [(60, 5, 5), (1, 300, 1), (1, 4, 150), (1, 1, 300)])
@pytest.mark.parametrize("may_fail", [True, False])
def test_errors_of_many_steps_fit_into_the_memory(
    make: Any, levels: int, threads: int, steps: int, may_fail: bool
) -> None:
    plan = plan_of(make, levels, threads, steps, continue_if_fail=may_fail)
    ran = played(plan, outcomes_of(plan, last=Answer(status=500, text="x" * 3000)))
    assert ran.document["state"] == ("success" if may_fail else "failed")
    failed = [state for state in ran.document["steps"] if state["state"] == "failed"]
    assert len(failed) == (levels * threads * steps if may_fail else threads)
    told = [state["error"] for state in failed if "error" in state]
    assert told == ran.document["failures"]
    assert len(told) >= min(len(failed), workflows_parent.MAX_FAILURES)
    assert all("the status call failed: HTTP status 500: xxx" in words for words in told)


def test_more_steps_than_can_be_kept_in_mind_are_refused_with_both_figures(make: Any) -> None:
    with pytest.raises(InputError, match=r"2,500 steps may take 6\d\d,\d{3} bytes, and Cloud Workflows keeps 512,000"):
        render_all(plan_of(make, 100, 5, 5))


@pytest.mark.parametrize(("levels", "threads", "steps"), [(3, 2, 2), (1, 25, 2)])
def test_executed_steps_are_not_more_than_are_reckoned_with(make: Any, levels: int, threads: int, steps: int) -> None:
    plan = plan_of(make, levels, threads, steps, continue_if_fail=True)
    ran = played(plan, {step.id: never(step.id) for step in plan.steps()})
    (executed,) = ran.executed.values()
    assert 0.5 * workflows.executed_steps(plan) < executed <= workflows.executed_steps(plan)


@pytest.mark.parametrize("limits", [Limits(executed_steps=4000), Limits(source_bytes=14_000)])
def test_neither_are_those_of_parts(make: Any, limits: Limits) -> None:
    plan = plan_of(make, 3, 12, 2, continue_if_fail=True)
    rendered = render_all(plan, limits)
    ran = played(plan, {step.id: never(step.id) for step in plan.steps()}, limits)
    assert len(ran.executed) == len(rendered) > 3
    assert max(ran.executed[part.workflow_id] for part in rendered[1:]) <= limits.executed_steps
    # Looks of a connector are no events, and are added.
    looks = sum(10 + workflows.longest(plan) // workflows_parent.MAX_LOOK for _ in rendered)
    assert ran.executed[rendered[0].workflow_id] + looks < workflows.MAX_EXECUTED_STEPS


def test_a_wide_level_takes_no_more_parts_than_its_polls_want(make: Any) -> None:
    plan = plan_of(make, 1, 250, 1)
    assert len(render_all(plan)) - 1 == -(-workflows.executed_steps(plan) // workflows.MAX_EXECUTED_STEPS)


@pytest.mark.parametrize("lost", [2, 3])
def test_a_part_that_cannot_be_run_fails_the_pipeline_and_is_told_once(make: Any, lost: int) -> None:
    plan = replace(plan_of(make, 3, 2, 1), on_failure="tell")
    limits = Limits(executed_steps=1600)
    rendered = render_all(plan, limits)
    ran = played(plan, outcomes_of(plan), limits, without=[rendered[lost].workflow_id])
    error = ran.document
    assert error["message"].startswith(
        f"pipeline orders_daily failed; pipeline orders_daily: its part {rendered[lost].workflow_id} could not be run:"
        " the execution call failed: HTTP status 404: "
    )
    assert error["failures"] == [error["message"].removeprefix("pipeline orders_daily failed; ")]
    assert [state["step"] for state in error["steps"]] == [
        step.id for level in plan.levels[: lost - 1] for thread in level.threads for step in thread.steps
    ]
    assert [(told["state"], told["message"]) for told in ran.told] == [("failed", error["message"])]


def test_lost_parts_of_a_level_are_told_once_and_the_others_run_to_their_end(make: Any) -> None:
    plan = replace(plan_of(make, 1, 4, 3), on_failure="tell")
    limits = Limits(executed_steps=1600)
    whole, *parts = render_all(plan, limits)
    assert "run_lanes" in whole.text
    lost = [part for part in parts if {"load_orders_0_1_0", "load_orders_0_3_0"} & set(part.steps)]
    assert len(lost) == 2
    ran = played(plan, outcomes_of(plan), limits, without=[part.workflow_id for part in lost])
    states = {state["step"]: state["state"] for state in ran.document["steps"]}
    for thread in (0, 2):
        assert {states[f"load_orders_0_{thread}_{n}"] for n in range(3)} == {"success"}
    # What would have come after the lost part in its thread is skipped.
    assert states["load_orders_0_1_2"] == "skipped"
    assert "load_orders_0_1_0" not in states
    assert [states[part.workflow_id] for part in lost] == ["failed", "failed"]
    assert len(ran.told) == 1
    assert all(f"the part {part.workflow_id} could not be run" in ran.told[0]["message"] for part in lost)


def test_a_part_that_breaks_says_why(make: Any) -> None:
    """A failure that is not a step's, such as a limit that is met in the middle of a part."""
    plan = plan_of(make, 2, 1, 1)
    limits = Limits(executed_steps=800)
    whole, first, _ = render_all(plan, limits)
    run = run_workflow(
        None,
        whole.text,
        None,
        children={first.workflow_id: "main:\n  steps:\n  - a:\n      raise: the disk is full\n"},
        clock=clock.VirtualClock(BEGIN),
        workflow=whole.workflow_id,
    )
    message = json.loads(run["error"]["payload"])["message"]
    assert "its part orders_daily-part-1 could not be run: the execution call failed: " in message
    assert "the disk is full" in message


def test_a_part_is_looked_at_more_seldom_the_longer_it_may_run() -> None:
    short = workflows_parent.Part(workflow="x", longest=3600)
    long = workflows_parent.Part(workflow="x", longest=30_000_000)
    assert (short.look, long.look) == (60, 30_000)
    assert long.looks < 1100


def test_a_pipeline_that_may_take_longer_than_a_year_is_refused_with_both_figures(make: Any) -> None:
    plan = plan_of(make, 1, 1, 50, poll_interval=1000, timeout=700_000)
    with pytest.raises(InputError, match="add up to 405 days, and Cloud Workflows ends an execution after 365"):
        render_all(plan)
    assert len(render_all(plan_of(make, 1, 4, 10, poll_interval=10_000, timeout=700_000))) == 1


@pytest.mark.parametrize("name", ["${" * 60, "a" * 80 + "${b}" * 30, "!#%&'()*+,-./0123456789${" * 8, "~^|${x}" * 28])
def test_a_name_full_of_expressions_is_data_and_no_longer_than_the_limit(make: Any, name: str) -> None:
    assert len(name) <= 200
    assert len(workflows.literal(name)) <= workflows.MAX_EXPRESSION
    plan = make.plan([[[name]]])
    ran = played(plan, {name: job_of("x")})
    assert [state["step"] for state in ran.document["steps"]] == [name]
