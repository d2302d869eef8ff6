"""Compiled workflows run in the embedded cloud's engine and do what the definition means.

The scenarios are those that real Airflow runs in test_airflow_runs, and both are held to one table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dataplatform.compile import workflows
from dataplatform.compile.plan import Plan
from dataplatform.local.executors import Call, JobScript, serve
from localcloud.workflows.local import run as run_workflow

pytestmark = pytest.mark.slow

HOSTILE = ["größe", "1st", "class", "'); import os #", "{{ ti }}", "${x}", "a${b}c${", '"""', "back\\slash", "ジョブ"]


def run(
    plan: Plan, script: Mapping[str, JobScript], argument: dict[str, Any] | None = None
) -> tuple[dict[str, Any], list[Call]]:
    """The execution as the service's JSON with its result decoded, and the calls it made."""
    with serve(script) as executors:
        execution = run_workflow(
            None,
            workflows.render(plan),
            argument,
            routes={plan.target.intermediate_url: f"{executors.url}/intermediate"},
            time_scale=0.001,
            workflow=workflows.workflow_id(plan),
        )
        calls = executors.calls
    if "result" in execution:
        execution["result"] = json.loads(execution["result"])
    return execution, calls


def states(execution: dict[str, Any]) -> dict[str, str]:
    """Job name → state, of the steps the execution's result or error lists."""
    found = execution.get("result") or json.loads(execution["error"]["payload"])
    return {state["step"]: state["state"] for state in found["steps"]}


@pytest.fixture
def scenario_names(make: Any) -> list[str]:
    return sorted(make.scenarios)


def test_scenarios_do_what_the_definition_means(make: Any, scenario_names: list[str]) -> None:
    for name in scenario_names:
        scenario = make.scenarios[name]
        execution, calls = run(make.scenario(name), make.script([name]))
        assert execution["state"] == {"success": "SUCCEEDED", "failed": "FAILED"}[scenario.state], (name, execution)
        make.check_calls(name, calls)
        found = states(execution)
        for job, state in scenario.steps.items():
            assert found.get(f"{name}_{job}", "not run").replace("skipped", "not run") == state, (name, job)


def test_a_failure_names_the_step_and_lists_what_ran(make: Any) -> None:
    execution, _ = run(make.scenario("fail"), make.script(["fail"]))
    error = json.loads(execution["error"]["payload"])
    message = (
        "pipeline fail, level 1, thread 1, step fail_a: the status call failed: HTTP status 500:"
        ' Exception : Exception("job aef_fail-a_1 ended as FAILED")'
    )
    assert error["message"] == f"pipeline fail failed; {message}"
    assert error["failures"] == [message]
    assert [(state["level"], state["thread"], state["step"], state["state"]) for state in error["steps"]] == [
        ("1", "1", "fail_a", "failed"),
        ("1", "1", "fail_b", "skipped"),
        ("1", "2", "fail_c", "success"),
        ("1", "2", "fail_d", "success"),
    ]


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ("never", "no success within 100 seconds: job aef_a_1 was still running"),
        ("bad_id", "the start call answered 42, which is no job id"),
        ("odd_status", "the status call answered cancelled"),
        ("start_fails", 'the start call failed: HTTP status 500: Exception : Exception("job a could not be started")'),
        ("lost_start", "the start call failed: "),
    ],
)
def test_messages_are_those_of_the_runtime(make: Any, outcome: Any, message: str) -> None:
    execution, _ = run(make.plan([[["a"]]]), {"a": JobScript(outcome=outcome)})
    (failure,) = json.loads(execution["error"]["payload"])["failures"]
    assert failure.startswith(f"pipeline orders_daily, level 1, thread 1, step a: {message}")


def test_a_failure_that_may_be_is_reported_in_the_result(make: Any) -> None:
    execution, _ = run(make.scenario("continue"), make.script(["continue"]))
    result = execution["result"]
    assert result["state"] == "success"
    assert result["pipeline"] == "continue"
    assert len(result["failures"]) == 1
    assert "step continue_a: the status call failed" in result["failures"][0]
    assert [state["polls"] for state in result["steps"]] == [2, 2, 2, 2]


def test_samples_run_in_the_order_of_the_file(sample: Plan) -> None:
    execution, calls = run(sample, {})
    assert execution["state"] == "SUCCEEDED", execution
    assert list(states(execution)) == [step.job_name for step in sample.steps()]
    for earlier, later in zip(sample.levels, sample.levels[1:], strict=False):
        names = {step.job_name for thread in earlier.threads for step in thread.steps}
        following = {step.job_name for thread in later.threads for step in thread.steps}
        last = max(call.time for call in calls if call.job_name in names)
        assert all(call.time > last for call in calls if call.job_name in following)


def test_what_executors_get(make: Any) -> None:
    step = make.step("a", status_executor="reporter", properties=(("k", ["${x}", 1, 1.5, None, {"ü": True}]),))
    argument = {
        "workflow_name": "other",
        "query_variables": {"start_date": "2025-03-01", "extra": 1},
        "workflow_properties": {"p": "q"},
    }
    _, calls = run(make.plan([[[step]]]), {}, argument)
    body = calls[0].body
    today = datetime.now(UTC)
    assert body["query_variables"].pop("end_date") in {f"{day:%Y-%m-%d}" for day in (today, today - timedelta(days=1))}
    assert body["query_variables"] == {"start_date": "2025-03-01", "extra": 1}
    assert body["workflow_name"] == "other"
    assert body["workflow_properties"] == {"p": "q"}
    assert body["step_properties"] == {
        "jobs_definitions_bucket": "acme-data-dev-jobs",
        "k": ["${x}", 1, 1.5, None, {"ü": True}],
    }
    assert body["execution_id"]
    assert [call.function for call in calls] == ["dataform-tag-executor", "reporter", "reporter"]


@pytest.mark.parametrize("argument", [None, {}, {"query_variables": None, "workflow_properties": None}])
def test_every_part_of_the_argument_may_be_left_out(make: Any, argument: dict[str, Any] | None) -> None:
    execution, calls = run(make.plan([[["a"]]]), {}, argument)
    assert execution["state"] == "SUCCEEDED", execution
    body = calls[0].body
    assert body["workflow_name"] == "orders_daily"
    assert body["workflow_properties"] == {}
    start, end = (datetime.fromisoformat(body["query_variables"][key]) for key in ("start_date", "end_date"))
    assert end - start == timedelta(days=1)


def test_any_job_name_runs(make: Any) -> None:
    execution, calls = run(make.plan([[HOSTILE]]), {})
    assert execution["state"] == "SUCCEEDED", execution
    assert [call.job_name for call in calls if call.call_type == "get_id"] == HOSTILE
    assert list(states(execution)) == HOSTILE


@pytest.mark.parametrize("threads", [11, 25])
def test_all_threads_of_a_wide_level_run_and_keep_their_order_in_the_result(make: Any, threads: int) -> None:
    firsts = [make.step(f"a{n}", timeout=1000) for n in range(threads)]
    plan = make.plan([[[first, f"b{n}"] for n, first in enumerate(firsts)]])
    execution, calls = run(plan, {f"a{n}": JobScript(polls=12 + n % 3) for n in range(threads)})
    assert execution["state"] == "SUCCEEDED", execution
    assert list(states(execution)) == [step.job_name for step in plan.steps()]
    first_end = min(index for index, call in enumerate(calls) if call.answer == "success")
    started = sum(call.call_type == "get_id" for call in calls[:first_end])
    assert 11 <= started <= 20


def test_two_hundred_steps_run(make: Any) -> None:
    plan = make.plan([[[f"job_{lv}_{th}_{st}" for st in range(4)] for th in range(5)] for lv in range(10)])
    execution, _ = run(plan, {step.job_name: JobScript(polls=1) for step in plan.steps()})
    assert execution["state"] == "SUCCEEDED", execution
    assert set(states(execution).values()) == {"success"}
    assert len(states(execution)) == 200
