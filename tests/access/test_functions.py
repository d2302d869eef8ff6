"""The functions that a stack deploys, and what starts its workflows: no right of theirs is one too many.

The functions' own code runs, as the accounts that the stack gives them, against a world that has their grants: each
request is judged before it is answered, the calls between functions too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from dataplatform.compile.access import Right
from dataplatform.show.access import grant_of
from executors import http, intermediate, main
from infra.executor_plan import identity_of
from localcloud import admission, store
from localcloud.services.google import DEFAULT_APIS
from localcloud.workflows.server import Server, serve
from localcloud.world import World
from tests.access.stack import HOME, PROJECT, REGION, Made, made, plan_texts, stack_file
from tests.localcloud.client import Client

pytestmark = pytest.mark.slow

FUNCTIONS = f"https://{REGION}-{PROJECT}.cloudfunctions.net"
MODELS = {"dataform_project_id": PROJECT, "dataform_location": REGION, "repository_name": "models"}
STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "query": ("bq-saved-query-executor", {"query": "insert into mart.t select * from sales.orders", "location": "EU"}),
    "saved": ("bq-saved-query-executor", {**MODELS, "location": "EU"}),
    "tagged": ("dataform-tag-executor", {**MODELS, "tags": ["daily"]}),
    "stream": (
        "dataflow-flextemplate-job-executor",
        {
            "dataflow_location": REGION,
            "dataflow_template_name": "x",
            "dataflow_template_version": "latest",
            "dataflow_job_params": {},
            "dataflow_temp_bucket": "acme-temp",
        },
    ),
    "crunch": (
        "dataproc-serverless-job-executor",
        {
            "dataproc_serverless_project_id": PROJECT,
            "dataproc_serverless_region": REGION,
            "jar_file_location": "gs://acme-jars/x.jar",
            "spark_app_main_class": "x.Main",
            "dataproc_serverless_runtime_version": "2.2",
            "dataproc_service_account": f"spark-workers@{PROJECT}.iam.gserviceaccount.com",
        },
    ),
}
"""A pipeline of one step each: its executor and what it is told."""
STARTED = {
    "schedule": {"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin"},
    "triggers": {"told": {"message": {}}},
}
ANSWERS = (
    ("GET storage/", "{}"),
    ("GET v1beta1/*:readFile", json.dumps({"contents": base64.b64encode(b"select 1").decode()})),
    ("POST v1beta1/*/compilationResults", json.dumps({"name": "c"})),
    ("POST v1beta1/*", json.dumps({"name": f"{HOME}/repositories/models/workflowInvocations/1"})),
    ("GET v1beta1/", json.dumps({"state": "SUCCEEDED"})),
    ("GET bigquery/", json.dumps({"status": {"state": "DONE"}})),
    ("POST v1b3/", json.dumps({"job": {"id": "1"}})),
    ("GET v1b3/", json.dumps({"currentState": "JOB_STATE_DONE"})),
    ("GET v1/", json.dumps({"state": "SUCCEEDED"})),
)
"""What the services answer to what they admit, by how it begins; an empty object to the rest."""


@dataclass
class Answer:
    """As much of a response as the functions read."""

    status: int
    data: bytes


@dataclass
class Tokens:
    """The tokens of the function that runs."""

    email: str

    def access(self) -> str:
        return f"ya29.embedded-cloud.{self.email}"

    def identity(self, audience: str) -> str:
        del audience
        return self.access()


@dataclass
class Cloud:
    """The world, and the functions in it; the pool of connections that they have."""

    stack: Made
    world: World
    emails: dict[str, str]
    running: list[str] = field(default_factory=list)
    """The functions that run, the called one last."""

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.emails[self.running[-1]])

    def request(self, method: str, url: str, body: bytes | None = None, headers: Any = None, **more: Any) -> Answer:
        """Judge a request by the grants of its caller, and answer it."""
        del more
        caller = admission.caller_of(headers["Authorization"])
        assert caller is not None
        refused = admission.refusal(self.world, caller, method, url, body)
        if refused is not None:
            return Answer(refused.status, refused.text.encode())
        parts = urlsplit(url)
        if parts.netloc == urlsplit(FUNCTIONS).netloc:
            return self.called(parts.path.strip("/"), json.loads(body or b"{}"))
        asked = f"{method} {unquote(parts.path).lstrip('/')}"
        for pattern, text in ANSWERS:
            begin, _, inside = pattern.partition("*")
            if asked.startswith(begin) and inside in asked:
                return Answer(200, text.encode())
        return Answer(200, b"{}")

    def called(self, function: str, body: Any) -> Answer:
        """What a function answers."""
        self.running.append(function)
        try:
            handle = main.intermediate if "intermediate" in function else getattr(main, function.replace("-", "_"))
            text, status, _ = handle(Request(body))
        finally:
            self.running.pop()
        return Answer(status, text.encode())

    def run(self, name: str) -> str:
        """How the step of a pipeline ends: empty where it succeeds, else what it says."""
        executor, properties = STEPS[name]
        body: dict[str, Any] = {
            "call_type": "get_id",
            "workflow_name": name,
            "job_name": name,
            "function_url_to_call": f"{FUNCTIONS}/{executor}",
            "query_variables": {},
            "workflow_properties": {"jobs_definitions_bucket": f"{PROJECT}-jobs"},
            "step_properties": properties,
        }
        answer = self.called("intermediate", body)
        if answer.status == 200:
            body |= {"call_type": "get_status", "async_job_id": answer.data.decode()}
            answer = self.called("intermediate", body)
        return "" if answer.data == b"success" else answer.data.decode()


@dataclass
class Request:
    """As much of a request as the functions read."""

    body: Any

    def get_json(self, force: bool = False, silent: bool = False) -> Any:
        del force, silent
        return self.body


def definitions() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (executor, properties) in STEPS.items():
        step: dict[str, Any] = {"JOB_ID": name, "JOB_NAME": name, "TYPE": "async", "FUNCTION_ID_NAME": executor}
        step |= {"STEP_PROPERTIES": properties, "WAIT_TIME_SECONDS": 1}
        found[name] = {"definition": [{"LEVEL_ID": 1, "THREADS": [{"THREAD_ID": 1, "STEPS": [step]}]}]}
    found["query"] |= STARTED
    return found


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("functions")
    text = stack_file(executors={"deploy": {"ingress": "all"}}, lake={"zones": {"temp": {}}})
    stack = made(folder / "project", definitions(), text)
    world = World(folder / "cloud")
    found = Cloud(stack, world, {})
    _fill(found)
    patch = pytest.MonkeyPatch()
    for module in (http, intermediate):
        patch.setattr(module, "pool", lambda: found)
        patch.setattr(module, "own_tokens", lambda: found.tokens)
    patch.setenv("PLATFORM_PROJECT", PROJECT)
    patch.setenv("PLATFORM_REGION", REGION)
    patch.setenv("FUNCTIONS_URL", FUNCTIONS)
    yield found
    patch.undo()
    world.close()


def _fill(cloud: Cloud) -> None:
    """What the jobs use, the stack's accounts, and every grant that its program registers to them."""
    names = cloud.stack.decided.names
    assert names is not None
    assert names.executors is not None
    accounts = names.executors.accounts
    cloud.emails |= {key: f"{account}@{PROJECT}.iam.gserviceaccount.com" for key, account in accounts.items()}
    cloud.emails |= {key: f"dev-{key}@{PROJECT}.iam.gserviceaccount.com" for key in ("triggers", "workflows")}
    with cloud.world.transaction() as tx:
        store.create_project(tx, PROJECT, DEFAULT_APIS)
    gcp = Client("gcp", cloud.world, {"project": PROJECT, "region": REGION})
    gcp.enable("cloudresourcemanager", "iam", "run", "cloudfunctions", "workflows", "workflowexecutions", "compute")
    gcp.enable("dataform")
    for email in (*cloud.emails.values(), "spark-workers@"):
        name = email.partition("@")[0]
        gcp.create("gcp:serviceaccount/account:Account", {"accountId": name}, name)
    for name in ("sales", "mart"):
        gcp.create("gcp:bigquery/dataset:Dataset", {"datasetId": name, "location": "EU"}, name)
    for name in ("acme-temp", f"{PROJECT}-jobs"):
        gcp.create("gcp:storage/bucket:Bucket", {"name": name, "location": "EU"}, name)
    gcp.create("gcp:dataform/repository:Repository", {"name": "models", "region": REGION}, "models")
    for name in (names.executors.intermediate, *names.executors.functions.values()):
        service = {"name": name, "location": REGION, "deletionProtection": False}
        gcp.create("gcp:cloudrunv2/service:Service", {**service, "template": {"containers": [{"image": "x"}]}}, name)
    by_urn = {resource.urn: resource for resource in cloud.stack.resources}
    granted = set(cloud.emails.values()) - {cloud.emails["build"]}
    for resource in by_urn.values():
        grant = grant_of(resource, by_urn)
        if grant is None or grant.identity not in granted:
            continue
        inputs = dict(resource.inputs) | {"member": f"serviceAccount:{grant.identity}"}
        with cloud.world.transaction() as tx:
            number = str(store.project_number(tx, PROJECT))
        if "serviceAccountId" in inputs:
            inputs["serviceAccountId"] = grant.on.replace("{number}", number)
        if "bucketIAM" in resource.type:
            inputs["bucket"] = grant.on.removeprefix("b/")
        if "serviceIam" in resource.type:
            inputs["name"] = grant.on.rpartition("/")[2]
        gcp.create(resource.type, inputs, resource.name)


def without(cloud: Cloud, on: str, role: str, email: str) -> Iterator[None]:
    """The world without a grant, while the caller iterates."""
    member = f"serviceAccount:{email}"
    with cloud.world.transaction() as tx:
        on = on.removeprefix("b/").replace("{number}", str(store.project_number(tx, PROJECT)))
        assert store.granted(tx, on, role, member), (on, role)
        store.unbind(tx, on, role, member)
    try:
        yield
    finally:
        with cloud.world.transaction() as tx:
            store.bind(tx, on, role, member)


def rights(cloud: Cloud) -> list[tuple[str, Right]]:
    """Each function with each right that is derived for it."""
    executors = sorted({executor for executor, _ in STEPS.values()})
    return [(name, right) for name in executors for right in cloud.stack.access.rights(identity_of(name))]


def test_with_all_derived_rights_every_job_is_started_and_ends(cloud: Cloud) -> None:
    assert {name: cloud.run(name) for name in STEPS} == dict.fromkeys(STEPS, "")
    roles = {(executor, right.role.removeprefix("roles/")) for executor, right in rights(cloud)}
    assert roles >= {
        ("bq-saved-query-executor", "bigquery.jobUser"),
        ("bq-saved-query-executor", "dataform.viewer"),
        ("dataflow-flextemplate-job-executor", "iam.serviceAccountUser"),
        ("dataform-tag-executor", "dataform.editor"),
        ("dataproc-serverless-job-executor", "dataproc.editor"),
    }
    assert {executor for executor, role in roles if role == "storage.objectViewer"} == {e for e, _ in STEPS.values()}


def test_without_any_one_of_them_the_jobs_it_is_for_fail_and_no_others(cloud: Cloud) -> None:
    for executor, right in rights(cloud):
        who = identity_of(executor)
        because = {n.because[0] for n in cloud.stack.access.needed if n.identity == who and n.right == right}
        for _ in without(cloud, right.on.path, right.role, cloud.emails[executor]):
            ended = {name: cloud.run(name) for name in STEPS}
        assert {name for name, said in ended.items() if said} == because, (right, ended)
        assert all("403" in ended[name] for name in because), (right, ended)


def test_the_intermediate_function_calls_each_executor_by_a_grant_of_its_own(cloud: Cloud) -> None:
    for executor in sorted({executor for executor, _ in STEPS.values()}):
        of_it = {name for name, (called, _) in STEPS.items() if called == executor}
        service = f"{HOME}/services/{executor}"
        for _ in without(cloud, service, "roles/run.invoker", cloud.emails["intermediate"]):
            ended = {name: cloud.run(name) for name in STEPS}
        assert {name for name, said in ended.items() if said} == of_it, ended


@pytest.fixture
def workflows(cloud: Cloud) -> Iterator[Server]:
    """The pipelines' workflows, and those between what starts them and them."""
    # Nothing is there: only what starts the pipelines is looked at here.
    routes = {FUNCTIONS: "http://127.0.0.1:9"}
    with serve(cloud.world, routes=routes, time_scale=0.0005) as server:
        ids = dict(cloud.stack.decided.pipelines.workflow_ids)
        for name, text in plan_texts(cloud.stack).items():
            account = cloud.emails["workflows"]
            server.workflows.create(HOME, ids[name], {"sourceContents": text, "serviceAccount": account})
        for start in cloud.stack.decided.starts:
            assert start.starter is not None
            inputs = {"sourceContents": start.starter.text, "serviceAccount": cloud.emails["triggers"]}
            server.workflows.create(HOME, start.starter.name, inputs)
        yield server


def _start(server: Server, starter: str) -> str:
    """How the workflow between an event and a pipeline ends."""
    message = {"messageId": "1", "data": "e30=", "publishTime": "2026-03-01T00:00:01Z", "attributes": {}}
    event = {"id": "1", "type": "google.cloud.pubsub.topic.v1.messagePublished", "data": {"message": message}}
    started = server.executions.create(f"{HOME}/workflows/{starter}", {"argument": json.dumps(event)})
    ended = server.executions.wait(started["name"], 60)
    return "" if ended["state"] == "SUCCEEDED" else json.dumps(ended["error"])


def test_without_its_right_nothing_starts_a_workflow(cloud: Cloud, workflows: Server) -> None:
    """The scheduler's job and the trigger start as the account `triggers`, and so does what is between."""
    assert {start.place for start in cloud.stack.decided.starts} == {"query/schedule", "query/told"}
    (right,) = cloud.stack.access.rights("triggers")
    email = cloud.emails["triggers"]
    starters = [start.starter.name for start in cloud.stack.decided.starts if start.starter is not None]
    (job,) = [r for r in cloud.stack.resources if r.type == "gcp:cloudscheduler/job:Job"]
    target: Any = job.inputs["httpTarget"]
    ids = [f"https://workflowexecutions.googleapis.com/v1/{HOME}/workflows/{name}/executions" for name in starters]
    assert target["httpMethod"] == "POST"
    assert [_start(workflows, name) for name in starters] == ["", ""]
    assert all(admission.refusal(cloud.world, email, "POST", url) is None for url in ids)
    for _ in without(cloud, right.on.path, right.role, email):
        said = [_start(workflows, name) for name in starters]
        refused = [admission.refusal(cloud.world, email, "POST", url) for url in ids]
    assert all("workflows.executions.create" in text and "403" in text for text in said), said
    assert [one.status for one in refused if one is not None] == [403, 403]
