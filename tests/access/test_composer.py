"""The same of Composer's account: its calls of functions over the wire, and those that operators make of services."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile.access import Right
from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.operators import Task, task_for
from dataplatform.compile.plan import Plan
from dataplatform.local import executors
from dataplatform.local.callers import CALLER_HEADER, admission, dag_account
from dataplatform_runtime import protocol
from localcloud import store
from localcloud.admission import refusal
from localcloud.world import World
from tests.access.stack import (
    COMPOSER,
    EMAILS,
    HOME,
    OPERATORS,
    PIPELINES,
    PROJECT,
    REGION,
    Made,
    made,
    stack_file,
    world_for,
)

pytestmark = pytest.mark.slow

MEMBER = f"serviceAccount:{EMAILS['composer']}"
Call = tuple[str, str, Any]
GOOGLE = "https://{}.googleapis.com/"


@dataclass
class Airflow:
    """The stack's plans, and the world that judges their calls."""

    root: Path
    stack: Made
    world: World
    plans: Mapping[str, Plan]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("composer")
    pipelines = {name: {**body, "engine": "composer"} for name, body in {**PIPELINES, **OPERATORS}.items()}
    text = stack_file(composer=COMPOSER, workflows=None)
    stack = made(folder / "project", pipelines, text)
    target = target_for(stack.decided.loaded.platform)
    plans = {found.name: build_plan(found, target) for found in stack.decided.loaded.definitions}
    world = world_for(folder / "project" / ".dp" / "cloud", stack)
    yield Airflow(folder / "project", stack, world, plans)
    world.close()


def calls_of(task: Task) -> list[Call]:
    """What the provider's operator asks of its service: the calls that its hook's client makes."""
    told: Any = task.arguments
    project = told.get("project_id", PROJECT)
    match task.operator:
        case "BigQueryStep":
            body = {"configuration": told["configuration"], "jobReference": {"projectId": project, "jobId": "dp"}}
            return [("POST", f"{GOOGLE.format('bigquery')}bigquery/v2/projects/{project}/jobs", body)]
        case "CloudRunStep":
            job = f"{GOOGLE.format('run')}v2/{HOME}/jobs/{told['job_name']}"
            body = {"overrides": told["overrides"]} if "overrides" in told else {}
            operation = f"{GOOGLE.format('run')}v2/{HOME}/operations/o"
            return [("POST", f"{job}:run", body), ("GET", operation, None), ("GET", job, None)]
        case "DataFusionStep":
            cdap = f"https://dev-core-{PROJECT}-dot-ew1.datafusion.googleusercontent.com/api/v3/namespaces/default"
            run = f"{cdap}/apps/{told['pipeline_name']}/workflows/DataPipelineWorkflow/runs/r"
            instance = f"{GOOGLE.format('datafusion')}v1beta1/{HOME}/instances/{told['instance_name']}"
            return [("GET", instance, None), ("POST", f"{cdap}/start", []), ("GET", run, None)]
        case "DataflowStep":
            home = f"{GOOGLE.format('dataflow')}v1b3/projects/{project}/locations/{REGION}"
            return [("POST", f"{home}/flexTemplates:launch", told["body"]), ("GET", f"{home}/jobs/j", None)]
        case "DataformStep":
            home = f"{GOOGLE.format('dataform')}v1beta1/{HOME}/repositories/{told['repository_id']}"
            made_of: list[Call] = [("POST", f"{home}/{name}", {}) for name in ("compilationResults", _INVOKED)]
            return [*made_of, ("GET", f"{home}/{_INVOKED}/i", None)]
        case "DataprocStep":
            home = f"{GOOGLE.format('dataproc')}v1/{HOME}/batches"
            return [("POST", home, _camel(told["batch"])), ("GET", f"{home}/b", None)]
        case _:
            return []


_INVOKED = "workflowInvocations"


def _camel(value: Any) -> Any:
    """As the client writes a message in REST."""
    if isinstance(value, dict):
        return {first + "".join(w.title() for w in rest): _camel(item) for key, item in value.items()
                for first, *rest in [key.split("_")]}  # fmt: skip
    return value


def run(airflow: Airflow, name: str) -> str:
    """How a run of a pipeline ends: empty where every step passes, else what it says."""
    plan, said = airflow.plans[name], []
    with executors.serve(admit=admission(airflow.root, plan)) as server:
        for step in plan.steps():
            if step.operation is not None:
                for method, url, body in calls_of(task_for(step, step.operation, plan.target)):
                    sent = json.dumps(body).encode() if body is not None else None
                    found = refusal(airflow.world, EMAILS["composer"], method, url, sent)
                    said += [f"HTTP status {found.status}: {found.text}"] if found else []
            elif step.kind != "workflows":
                said += _function(plan, step, server.url)
        if plan.on_failure:
            reply = _reply(server.url, plan.on_failure)
            said += [f"HTTP status {reply.status}: {reply.text}"] if not reply.answered and reply.status == 403 else []
    return "\n".join(said)


def _function(plan: Plan, step: Any, url: str) -> list[str]:
    """A step over the executors' contract, as the runtime runs it, against stand-ins."""
    spec = protocol.StepSpec(
        pipeline=plan.name,
        level="1",
        thread="1",
        job_name=step.job_name,
        executor=step.executor,
        status_executor=step.status_executor,
        intermediate_url=plan.target.intermediate_url,
        poll_interval=step.poll_interval,
        timeout=step.timeout,
    )
    about = protocol.RunSpec(
        workflow_name=plan.name,
        execution_id="1",
        query_variables={"start_date": "2025-01-01", "end_date": "2025-01-02"},
        workflow_properties={},
    )
    with _environment(url):
        one = protocol.Step(spec, about, protocol.World(post=protocol.http_post(), sleep=lambda _: None))
        try:
            if step.kind == "sync":
                one.call_once()
            else:
                one.wait(one.start())
        except protocol.StepFailedError as error:
            return [str(error)]
    return []


def _reply(url: str, function: str) -> protocol.Reply:
    with _environment(url):
        return protocol.http_post()(f"{url}/{function}", {}, 5)


def _environment(url: str) -> Any:
    patch = pytest.MonkeyPatch()
    context = patch.context()
    inside = context.__enter__()
    inside.setenv(protocol.EMULATOR_VARIABLE, url)
    inside.setenv(protocol.CALLER_VARIABLE, EMAILS["composer"])
    return _Closing(context)


class _Closing:
    def __init__(self, context: Any) -> None:
        self.context = context

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        self.context.__exit__(None, None, None)


def test_with_all_derived_rights_every_step_passes(airflow: Airflow) -> None:
    assert {name: run(airflow, name) for name in airflow.plans} == dict.fromkeys(airflow.plans, "")
    assert len(airflow.stack.access.rights("composer")) >= 16


def test_without_any_one_of_them_the_steps_it_is_for_fail(airflow: Airflow) -> None:
    needed = [n for n in airflow.stack.access.needed if n.identity == "composer"]
    for right in airflow.stack.access.rights("composer"):
        because = {n.because[0] for n in needed if n.right == right}
        for _ in _without(airflow.world, right):
            ended = {name: run(airflow, name) for name in airflow.plans}
        failed = {name for name, said in ended.items() if said}
        assert failed == because, (right, failed)
        for name in failed:
            assert "403" in ended[name], right
            assert any(word in ended[name] for word in ("ermission", "embedded cloud: ")), right


def _without(world: World, right: Right) -> Iterator[None]:
    with world.transaction() as tx:
        number = store.project_number(tx, PROJECT)
        on = right.on.path.removeprefix("b/").replace("{number}", str(number))
        assert store.granted(tx, on, right.role, MEMBER), right
        store.unbind(tx, on, right.role, MEMBER)
    yield
    with world.transaction() as tx:
        store.bind(tx, on, right.role, MEMBER)


def test_databricks_is_granted_elsewhere(airflow: Airflow) -> None:
    (found,) = [n for n in airflow.stack.access.needed if n.because[0] == "elsewhere"]
    assert (found.identity, found.right.role, found.elsewhere) == (
        "connection:databricks_default",
        "CAN_MANAGE_RUN",
        True,
    )


def test_only_a_run_of_the_very_dag_of_an_environment_has_its_account(airflow: Airflow, tmp_path: Path) -> None:
    plan = airflow.plans["functions"]
    assert dag_account(tmp_path, plan) is None
    assert dag_account(airflow.root, plan) is None
    admit = admission(tmp_path, plan)
    assert admit({CALLER_HEADER: EMAILS["composer"]}, "/orch-framework-intermediate") is None


def test_callers_that_name_no_account_are_not_judged(airflow: Airflow) -> None:
    admit = admission(airflow.root, airflow.plans["functions"])
    assert admit({}, "/anything") is None
    refused = admit({CALLER_HEADER: EMAILS["composer"]}, "/anything")
    assert refused is not None
    assert refused[0] == 403
    assert "run.routes.invoke" in refused[1]


def test_stand_ins_are_told_the_caller_and_the_cloud_is_not(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    google = pytest.importorskip("google.oauth2.id_token")
    assert protocol.CALLER_HEADER.lower() == CALLER_HEADER
    with executors.serve() as server:
        assert _reply(server.url, "x").status
        assert server.calls[0].headers[CALLER_HEADER] == EMAILS["composer"]
        monkeypatch.delenv(protocol.EMULATOR_VARIABLE, raising=False)
        monkeypatch.setenv(protocol.CALLER_VARIABLE, EMAILS["composer"])
        monkeypatch.setattr(google, "fetch_id_token", lambda request, audience: "token")
        protocol.http_post()(f"{server.url}/x", {}, 5)
        assert CALLER_HEADER not in server.calls[1].headers
        assert server.calls[1].headers["authorization"] == "Bearer token"
    assert threading.active_count() < 50
