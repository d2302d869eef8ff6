"""Steps that services run, without Airflow: what is compiled for either engine, and the workflow's runs."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile import airflow, workflows
from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan
from dataplatform.compile.reference import Outcome, job_of, trace
from dataplatform.config.check import load_definition
from dataplatform.config.executors import FUNCTIONS, REGISTRY
from dataplatform.diagnostics import InputError
from localcloud.workflows import clock
from localcloud.workflows.local import run as run_workflow
from localcloud.workflows.web import Request
from tests.compile import service_apis
from tests.compile.conftest import TARGET

HERE = "http://127.0.0.1/"
GOOGLE = ("https://bigquery.googleapis.com/", "https://run.googleapis.com/", "https://datafusion.googleapis.com/")
EVERY_LEVEL: list[list[list[tuple[str, str]]]] = [
    [
        [("bigquery-query", "one_ok"), ("cloud-run-job", "two-ok")],
        [("data-fusion-pipeline", "three_late")],
    ],
    [[("cloud-run-job", "four-fails"), ("bigquery-query", "five_skipped")], [("bigquery-query", "six_ok")]],
]


def told(executor: str, name: str) -> dict[str, Any]:
    """What a step tells its service."""
    found: dict[str, dict[str, Any]] = {
        "bigquery-query": {"query": f"-- {name}\nselect '${{x}}' where day = @start_date", "location": "EU"},
        "cloud-run-job": {"cloud_run_job": name, "env": {"DAY": "$run:end_date", "LIMIT": "$parameter:limit"}},
        "data-fusion-pipeline": {
            "instance_name": "core",
            "pipeline_name": name,
            "runtime_args": {"limit": "$parameter:limit", "region": "$parameter:region"},
        },
    }
    return found.get(executor, {})


def compiled(
    folder: Path,
    levels: list[list[list[dict[str, Any]]]],
    *,
    engine: str = "cloud_workflows",
    run: str | None = None,
    stack: Any = "http",
) -> Plan:
    """The plan of a definition."""
    text: dict[str, Any] = {
        "engine": engine,
        "parameters": {
            "limit": {"type": "integer", "default": 5},
            "region": {"type": "string", "default": "EU"},
        },
        "definition": [
            {"LEVEL_ID": i, "THREADS": [{"THREAD_ID": j, "STEPS": steps} for j, steps in enumerate(level, start=1)]}
            for i, level in enumerate(levels, start=1)
        ],
    }
    if run is not None:
        text["run"] = run
    file = folder / "services.json"
    file.write_text(json.dumps(text))
    definition, problems = load_definition(file, root=folder)
    if definition is None:
        raise InputError(problems)
    return build_plan(definition, dataclasses.replace(TARGET, run=stack))


def a_step(executor: str, name: str, **more: Any) -> dict[str, Any]:
    found = {"JOB_ID": name, "JOB_NAME": name, "FUNCTION_ID_NAME": executor, "WAIT_TIME_SECONDS": 10}
    return {**found, "STEP_PROPERTIES": told(executor, name), **more}


def play(plan: Plan, argument: Any = None) -> tuple[Any, service_apis.Services]:
    """Run the plan's workflow in the embedded engine."""
    services = service_apis.Services(url=HERE.rstrip("/"))

    def respond(request: Request) -> clock.Answer:
        body = json.loads(request.body) if request.body else None
        path = "/" + request.url.removeprefix(HERE)
        services.calls.append((request.method, path, body))
        if body and "configuration" in body:
            # The service names the job where its caller does not.
            body["jobReference"].setdefault("jobId", f"job_{len(services.jobs)}")
        status, answer = services.answer(request.method, path, body)
        return clock.Answer(status=status, text=json.dumps(answer), content_type="application/json")

    execution = run_workflow(
        None,
        workflows.render(plan),
        argument,
        clock=clock.VirtualClock(1_750_000_000),
        responder=respond,
        routes=dict.fromkeys(GOOGLE, HERE),
        workflow=workflows.workflow_id(plan),
    )
    state = execution["state"]
    return json.loads(execution["result"] if state == "SUCCEEDED" else execution["error"]["payload"]), services


def test_a_workflow_runs_services_with_the_meaning_of_the_plan(tmp_path: Path) -> None:
    plan = compiled(tmp_path, [[[a_step(*job) for job in thread] for thread in level] for level in EVERY_LEVEL])
    result, services = play(plan, {"parameters": {"limit": 7}, "query_variables": {"end_date": "2025-03-02"}})
    failed = job_of("x", 2).statuses[:1]
    outcomes = {
        step.id: Outcome(
            starts=job_of(step.id).starts,
            statuses=(*failed, dataclasses.replace(failed[0], text="no" if "fails" in step.id else "success")),
        )
        for step in plan.steps()
    }
    wanted = trace(plan, outcomes)
    assert {step["step"]: (step["state"], step["polls"]) for step in result["steps"]} == {
        name: (found.state, found.polls) for name, found in wanted.steps.items()
    }
    assert result["state"] == wanted.state
    assert result["failures"] == [
        "pipeline services, level 2, thread 1, step four-fails: the execution failed: the task failed"
    ]
    order = [job.name for job in services.jobs.values()]
    assert set(order[:3]) == {"one_ok", "two-ok", "three_late"}
    asked = {job.name: job.asked for job in services.jobs.values()}
    env = asked["two-ok"]["overrides"]["containerOverrides"][0]["env"]
    assert env == [{"name": "DAY", "value": "2025-03-02"}, {"name": "LIMIT", "value": "7"}]
    assert asked["three_late"]["runtimeargs"] == {"limit": "7", "region": "EU"}
    query = asked["one_ok"]["configuration"]["query"]
    assert query["query"] == "-- one_ok\nselect '${x}' where day = @start_date"
    assert query["queryParameters"][0]["parameterValue"] == {"value": "2025-06-14"}


def test_a_job_of_a_service_times_out_and_is_run_again_where_it_has_ended(tmp_path: Path) -> None:
    again = {"RETRIES": {"count": 1, "delay_seconds": 5}}
    steps = [
        [a_step(name, f"{name}-never", TIMEOUT_SECONDS=25, **again)]
        for name in ("bigquery-query", "cloud-run-job", "data-fusion-pipeline")
    ]
    once = [
        [a_step(name, f"{name}-fails_once", **again)]
        for name in ("bigquery-query", "cloud-run-job", "data-fusion-pipeline")
    ]
    result, services = play(compiled(tmp_path, [[*steps, *once]]))
    states = {step["step"]: step for step in result["steps"]}
    for name in ("bigquery-query", "cloud-run-job", "data-fusion-pipeline"):
        late = states[f"{name}-never"]
        assert (late["state"], late["polls"], late["tries"]) == ("failed", 3, 1)
        assert "no success within 25 seconds: job " in late["error"]
        once_more = states[f"{name}-fails_once"]
        assert (once_more["state"], once_more["tries"]) == ("success", 2)
        assert [len(services.of(f"{name}-{how}")) for how in ("never", "fails_once")] == [1, 2]


def test_a_wide_level_of_services_runs_too(tmp_path: Path) -> None:
    steps = [[a_step("bigquery-query", f"job_{n}")] for n in range(12)]
    result, services = play(compiled(tmp_path, [steps]))
    assert result["state"] == "success"
    assert len(services.jobs) == 12


def test_what_takes_no_identity_of_google_is_refused_on_workflows(tmp_path: Path) -> None:
    properties = {"databricks_job_id": 7}
    step = a_step("databricks-run-now", "x", STEP_PROPERTIES=properties)
    with pytest.raises(InputError, match="Cloud Workflows cannot run 'databricks-run-now'"):
        compiled(tmp_path, [[[step]]])
    assert compiled(tmp_path, [[[step]]], engine="composer").steps()[0].operation is not None


def operators(plan: Plan) -> list[str]:
    """The classes of the plan's tasks."""
    calls = [node for node in ast.walk(ast.parse(airflow.render(plan))) if isinstance(node, ast.Call)]
    names = [call.func.id for call in calls if isinstance(call.func, ast.Name)]
    return [name for name in names if name.endswith(("Step", "StepOperator"))]


def test_step_definition_and_stack_choose_how_a_job_is_run(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs" / "dataform-tag-executor"
    jobs.mkdir(parents=True)
    keys = {"dataform_location": "e", "dataform_project_id": "p", "repository_name": "r", "tags": ["t"]}
    for name in ("a", "b"):
        (jobs / f"{name}.json").write_text(json.dumps(keys))
    steps = [
        {"JOB_ID": "a", "JOB_NAME": "a", "COMPOSER_STEP": "dataform-tag-executor"},
        {"JOB_ID": "b", "JOB_NAME": "b", "COMPOSER_STEP": "dataform-tag-executor", "RUN": "http"},
    ]
    for run, stack in ((None, "operators"), ("operators", "http")):
        plan = compiled(tmp_path, [[steps]], engine="composer", run=run, stack=stack)
        assert operators(plan) == ["DataformStep", "ExecutorStepOperator"]
        # Cloud Workflows calls the function all the same.
        assert "dataform.googleapis.com" not in workflows.render(plan)
        assert "'dataform-tag-executor'" in workflows.render(plan)
    plan = compiled(tmp_path, [[steps]], engine="composer", run="http", stack="operators")
    assert operators(plan) == ["ExecutorStepOperator"] * 2


def test_nothing_is_called_at_module_level_and_providers_are_imported_there(tmp_path: Path) -> None:
    plan = compiled(tmp_path, [[[a_step(*job) for job in thread] for thread in EVERY_LEVEL[0]]], engine="composer")
    module = ast.parse(airflow.render(plan))
    kinds = {type(node) for node in module.body}
    assert kinds == {ast.ImportFrom, ast.Try, ast.Import, ast.With}
    imported = [alias.name for node in module.body if isinstance(node, ast.Import) for alias in node.names]
    assert imported == [
        "airflow.providers.google.cloud.operators.bigquery",
        "airflow.providers.google.cloud.operators.cloud_run",
        "airflow.providers.google.cloud.operators.datafusion",
    ]
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    assert all(isinstance(call.func, ast.Name) for call in calls)


def test_hostile_text_stays_data(tmp_path: Path) -> None:
    query = "-- x\nselect \"'); import os #\" -- {{ ds }} ${sys.get_env('X')} $$run:id"
    step = a_step("bigquery-query", "x", STEP_PROPERTIES={"query": query, "labels": {"a": "{{ x }}"}})
    plan = compiled(tmp_path, [[[step]]], engine="composer")
    (call,) = [
        node
        for node in ast.walk(ast.parse(airflow.render(plan)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "BigQueryStep"
    ]
    (configuration,) = (word.value for word in call.keywords if word.arg == "configuration")
    assert ast.literal_eval(configuration)["query"]["query"] == query.replace("$$", "$")
    result, services = play(plan)
    assert result["state"] == "success"
    (job,) = services.jobs.values()
    assert job.asked["configuration"]["query"]["query"] == query.replace("$$", "$")


def test_timeouts_are_ordered_and_retries_are_airflows(tmp_path: Path) -> None:
    again = {"RETRIES": {"count": 2, "delay_seconds": 30, "max_delay_seconds": 50}, "TIMEOUT_SECONDS": 600}
    text = airflow.render(compiled(tmp_path, [[[a_step("bigquery-query", "x", **again)]]], engine="composer"))
    assert "execution_timeout=timedelta(seconds=600)," in text
    assert "retries=2," in text
    assert "retry_delay=timedelta(seconds=30)," in text
    assert "max_retry_delay=timedelta(seconds=50)," in text
    assert f"dagrun_timeout=timedelta(seconds={3 * 660 + 2 * (30 + 50) + 3600})" in text


def test_the_example_of_the_documentation_runs_on_both_engines(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "executors.md").read_text("utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "orders.yaml"
    file.write_text(block, "utf-8")
    definition, problems = load_definition(file)
    assert definition is not None, problems.render()
    plan = build_plan(definition, TARGET)
    assert operators(plan) == ["DataFusionStep", "BigQueryStep"]
    assert "datafusion.googleapis.com" in workflows.render(plan)


def test_every_executor_says_what_its_runs_need() -> None:
    for executor in REGISTRY.values():
        runners = {runner for ways in executor.runs_on.values() for runner in ways}
        assert set(executor.roles) == runners, executor.name
        for grants in executor.roles.values():
            assert grants
            assert all(grant.source.startswith("https://") and grant.role and grant.why for grant in grants)
        assert executor.apis or not executor.rest
    assert {"bigquery-query", "databricks-run-now"} & FUNCTIONS == set()
