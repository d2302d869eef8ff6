"""Pipelines of several workflows, run through the service's own REST API: large ones, and ones that run others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile.plan import Plan
from dataplatform.compile.workflows_parts import render_all
from dataplatform.local import executors
from dataplatform.local.run import run

pytestmark = pytest.mark.slow

TIME_SCALE = 0.003
"""An hour's timeout is 11 s, which a busy machine does not take for a call."""


def steps(make: Any, count: int, **options: Any) -> list[Any]:
    return [make.step(f"job_{n}", poll_interval=30, timeout=3600, **options) for n in range(count)]


def played(root: Path, plan: Plan, script: dict[str, executors.JobScript], *others: Plan) -> tuple[Any, list[str]]:
    said: list[str] = []
    trace, file = run(root, plan, "workflows", said.append, script=script, time_scale=TIME_SCALE, others=others)
    assert json.loads(file.read_text())["state"] == trace.state
    return trace, said


@pytest.fixture
def large(make: Any) -> Plan:
    """200 steps with AEF's default waits, five threads of eight steps in five levels."""
    made = steps(make, 200)
    levels = [[made[level * 40 + thread * 8 :][:8] for thread in range(5)] for level in range(5)]
    found: Plan = make.plan(levels, name="large")
    return found


def test_two_hundred_steps_run_to_their_end(large: Plan, tmp_path: Path) -> None:
    assert len(render_all(large)) > 1
    trace, _ = played(tmp_path, large, {})
    assert trace.state == "succeeded", trace.error
    assert {step.state for step in trace.steps} == {"succeeded"}


def test_a_failure_in_a_part_is_the_pipeline_s(large: Plan, tmp_path: Path) -> None:
    script = {"job_199": executors.JobScript(outcome="failed"), "job_3": executors.JobScript(polls=1)}
    trace, _ = played(tmp_path, large, script)
    assert trace.state == "failed"
    assert (
        "pipeline large failed; pipeline large, level 5, thread 5, step job_199: the status call failed" in trace.error
    )
    assert [step.id for step in trace.steps if step.state != "succeeded"] == ["job_199"]


def test_the_function_for_failures_is_told_once(large: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers: list[executors.ExecutorServer] = []
    serve = executors.serve

    def watched(*args: Any, **more: Any) -> executors.ExecutorServer:
        servers.append(serve(*args, **more))
        return servers[-1]

    monkeypatch.setattr(executors, "serve", watched)
    script = {"job_10": executors.JobScript(outcome="failed")}
    trace, _ = played(tmp_path, replace(large, on_failure="tell"), script)
    assert trace.state == "failed"
    (told,) = [call for call in servers[0].calls if call.path == "/tell"]
    assert (told.status, told.body["pipeline"], told.body["state"]) == (200, "large", "failed")
    assert "step job_10: " in told.body["message"]


def test_a_pipeline_runs_another(make: Any, tmp_path: Path) -> None:
    child: Plan = make.plan([[["a", "b"]]], name="child")
    parent: Plan = make.plan(
        [
            [["first"]],
            [[make.step("other", kind="workflows", executor="child", poll_interval=30, timeout=3600)]],
            [["last"]],
        ],
        name="parent",
    )
    trace, said = played(tmp_path, parent, {}, child)
    assert trace.state == "succeeded", trace.error
    assert [step.state for step in trace.steps] == ["succeeded"] * 3
    assert "  + other  succeeded" in said
    trace, _ = played(tmp_path, parent, {"b": executors.JobScript(outcome="failed")}, child)
    assert trace.state == "failed"
    assert "step other: the pipeline ended as failed" in trace.error


def test_a_pipeline_that_is_not_there_is_a_failure_that_says_so(make: Any, tmp_path: Path) -> None:
    parent: Plan = make.plan(
        [[[make.step("other", kind="workflows", executor="child", poll_interval=30, timeout=3600)]]], name="parent"
    )
    trace, _ = played(tmp_path, parent, {})
    assert trace.state == "failed"
    assert "HTTP status 404" in trace.error
