"""Each right that is derived for the workflows' account is one that some step cannot do without, and all are enough."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dataplatform.compile.access import ON_FAILURE, Right
from dataplatform.local import executors
from localcloud import store
from localcloud.workflows.server import Server, serve
from localcloud.world import World
from tests.access.stack import EMAILS, HOME, PIPELINES, PROJECT, REGION, Made, made, plan_texts, stack_file, world_for
from tests.compile import service_apis

pytestmark = pytest.mark.slow

MEMBER = f"serviceAccount:{EMAILS['workflows']}"
CDAP = f"https://dev-core-{PROJECT}-dot-ew1.datafusion.googleusercontent.com/api"
FUNCTIONS = f"https://{REGION}-{PROJECT}.cloudfunctions.net"
PERMISSIONS = {
    "roles/bigquery.dataEditor": {"bigquery.tables.updateData"},
    "roles/bigquery.dataViewer": {"bigquery.tables.getData"},
    "roles/bigquery.jobUser": {"bigquery.jobs.create"},
    "roles/datafusion.operator": {"datafusion.instances.get"},
    "roles/run.invoker": {"run.routes.invoke"},
    "roles/run.jobsExecutor": {"run.jobs.run"},
    "roles/run.jobsExecutorWithOverrides": {"run.jobs.run"},
    "roles/run.viewer": {"run.operations.get"},
    "roles/workflows.invoker": {"workflows.executions.create"},
}


class NamingServices(service_apis.Services):
    """Services that name a query's job where its caller does not, as BigQuery does."""

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if isinstance(body, dict) and "configuration" in body:
            body["jobReference"].setdefault("jobId", f"job_{len(self.jobs)}")
        status, answer = super().answer(method, path, body)
        if isinstance(answer, dict) and "apiEndpoint" in answer:
            answer["apiEndpoint"] = f"{CDAP}"
        return status, answer


@dataclass
class Cloud:
    """The embedded cloud with the stack's workflows in it."""

    stack: Made
    world: World
    server: Server
    executors: executors.ExecutorServer

    def run(self, name: str) -> str:
        """How a run of a pipeline ends: empty where it succeeds, else what it says."""
        started = self.server.executions.create(f"{HOME}/workflows/{name}", {})
        ended = self.server.executions.wait(started["name"], 30)
        assert ended["state"] in ("SUCCEEDED", "FAILED"), ended
        return "" if ended["state"] == "SUCCEEDED" else json.dumps(ended["error"])

    def logs(self, name: str) -> str:
        """What the last run of a pipeline logged."""
        listed = self.server.executions.list(f"{HOME}/workflows/{name}")["executions"]
        return json.dumps(list(self.server.executions.logs(listed[0]["name"])))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("workflows")
    stack = made(folder / "project", PIPELINES, stack_file())
    world = world_for(folder / "cloud", stack)
    patch = pytest.MonkeyPatch()
    patch.setattr(service_apis, "Services", NamingServices)
    script = {"breaks": executors.JobScript(outcome="failed")}
    with service_apis.serve() as services, executors.serve(script) as stand_ins:
        routes = {
            **dict.fromkeys(
                (f"https://{name}.googleapis.com" for name in ("bigquery", "run", "datafusion")), services.url
            ),
            CDAP: f"{services.url}/cdap",
            FUNCTIONS: stand_ins.url,
        }
        with serve(world, routes=routes, time_scale=0.0005) as server:
            ids = dict(stack.decided.pipelines.workflow_ids)
            for name, text in plan_texts(stack).items():
                server.workflows.create(
                    HOME, ids[name], {"sourceContents": text, "serviceAccount": EMAILS["workflows"]}
                )
            yield Cloud(stack, world, server, stand_ins)
    patch.undo()
    world.close()


def without(cloud: Cloud, right: Right) -> Iterator[None]:
    """The world without a grant, while the caller iterates."""
    on = right.on.path.removeprefix("b/")
    with cloud.world.transaction() as tx:
        assert store.granted(tx, on, right.role, MEMBER), right
        store.unbind(tx, on, right.role, MEMBER)
    try:
        yield
    finally:
        with cloud.world.transaction() as tx:
            store.bind(tx, on, right.role, MEMBER)


def test_with_all_derived_rights_every_step_passes(cloud: Cloud) -> None:
    ended = {name: cloud.run(name) for name in PIPELINES}
    assert "step breaks: the status call failed: HTTP status 500" in ended.pop("told")
    assert ended == dict.fromkeys(ended, "")
    assert any(call.path == "/tell-somebody" for call in cloud.executors.calls)
    assert len(cloud.stack.access.rights("workflows")) == 11
    assert {right.role for right in cloud.stack.access.rights("workflows")} == set(PERMISSIONS)


def test_without_any_one_of_them_the_steps_it_is_for_fail(cloud: Cloud) -> None:
    needed = [n for n in cloud.stack.access.needed if n.identity == "workflows"]
    for right in cloud.stack.access.rights("workflows"):
        because = {n.because for n in needed if n.right == right}
        for _ in without(cloud, right):
            ended = {name: cloud.run(name) for name in PIPELINES}
            told = cloud.logs("told")
        (permission,) = PERMISSIONS[right.role]
        for pipeline, step in because:
            said = told if step == ON_FAILURE else ended[pipeline]
            assert "403" in said, (right, pipeline, step, said)
            assert permission in said, (right, pipeline, step, said)
        # The child of `parent` is one of them, so `parent` fails with it; nobody else does.
        allowed = {pipeline for pipeline, _ in because} | {"told"}
        allowed |= {"parent"} if "queries" in allowed else set()
        assert {name for name, said in ended.items() if said} <= allowed, right
    assert cloud.run("queries") == ""


def test_a_function_of_a_project_may_be_called_by_a_right_on_the_project(cloud: Cloud) -> None:
    (right,) = (r for r in cloud.stack.access.rights("workflows") if r.on.name == "orch-framework-intermediate")
    for _ in without(cloud, right):
        with cloud.world.transaction() as tx:
            store.bind(tx, f"projects/{PROJECT}", "roles/run.invoker", MEMBER)
        assert cloud.run("functions") == ""
        with cloud.world.transaction() as tx:
            store.unbind(tx, f"projects/{PROJECT}", "roles/run.invoker", MEMBER)
        assert "run.routes.invoke" in cloud.run("functions")


def test_a_grant_with_a_condition_holds_where_the_condition_does(cloud: Cloud) -> None:
    (right,) = (r for r in cloud.stack.access.rights("workflows") if r.role == "roles/bigquery.dataEditor")
    project = f"projects/{PROJECT}"
    for dataset, said in (("mart", ""), ("sales", "bigquery.tables.updateData")):
        condition = json.dumps({"title": "one", "expression": f'resource.name == "{project}/datasets/{dataset}"'})
        for _ in without(cloud, right):
            with cloud.world.transaction() as tx:
                store.bind(tx, project, right.role, MEMBER, condition=condition)
            ended = cloud.run("queries")
            with cloud.world.transaction() as tx:
                store.unbind(tx, project, right.role, MEMBER, condition)
        assert (said in ended) if said else ended == ""
