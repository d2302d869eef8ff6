"""IAM of the embedded cloud: who is allowed what, and how a refusal reads."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from localcloud import iam, store
from localcloud.admission import Refusal, caller_of, refusal
from localcloud.iam_roles import ALL, BASIC, ROLES
from localcloud.world import World
from tests.localcloud.client import Client

RUNNER = "runner@acme-dev.iam.gserviceaccount.com"
MEMBER = f"serviceAccount:{RUNNER}"
HOME = "projects/acme-dev/locations/europe-west1"


@pytest.fixture
def runner(world: World, gcp: Client) -> str:
    gcp.enable("iam")
    gcp.create("gcp:serviceaccount/account:Account", {"accountId": "runner"})
    return RUNNER


def bind(world: World, resource: str, role: str, member: str = MEMBER, **condition: str) -> None:
    with world.transaction() as tx:
        store.bind(tx, resource, role, member, condition=json.dumps(condition) if condition else "")


def test_a_role_holds_on_the_resource_and_below_it(world: World) -> None:
    tx = world.connect()
    service = f"{HOME}/services/one"
    assert not iam.allowed(tx, MEMBER, "run.routes.invoke", service)
    bind(world, service, "roles/run.invoker")
    assert iam.allowed(tx, MEMBER.upper().replace("SERVICEACCOUNT", "serviceAccount"), "run.routes.invoke", service)
    assert not iam.allowed(tx, MEMBER, "run.routes.invoke", f"{HOME}/services/two")
    assert not iam.allowed(tx, MEMBER, "run.jobs.runWithOverrides", service)
    bind(world, "projects/acme-dev", "roles/run.invoker")
    assert iam.allowed(tx, MEMBER, "run.routes.invoke", f"{HOME}/services/two")
    number = store.project_number(tx, "acme-dev")
    assert iam.allowed(tx, MEMBER, "run.routes.invoke", f"projects/{number}/locations/europe-west1/services/two")
    bind(world, "projects/acme-dev/datasets/d", "roles/bigquery.dataViewer")
    assert iam.allowed(tx, MEMBER, "bigquery.tables.getData", "projects/acme-dev/datasets/d/tables/t")


def test_objects_are_below_their_bucket_and_its_project(world: World, gcp: Client) -> None:
    gcp.create("gcp:storage/bucket:Bucket", {"name": "acme-data", "location": "EU"})
    tx = world.connect()
    assert not iam.allowed(tx, MEMBER, "storage.objects.get", "b/acme-data/o/x")
    bind(world, "acme-data", "roles/storage.objectViewer")
    assert iam.allowed(tx, MEMBER, "storage.objects.get", "b/acme-data/o/x")
    assert not iam.allowed(tx, MEMBER, "storage.objects.create", "b/acme-data/o/x")
    bind(world, "projects/acme-dev", "roles/storage.objectAdmin")
    assert iam.allowed(tx, MEMBER, "storage.objects.create", "b/acme-data/o/x")
    assert not iam.allowed(tx, MEMBER, "storage.objects.get", "b/other/o/x")


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ('resource.name == "projects/_/buckets/acme-data/objects/in/a"', True),
        ("resource.name.startsWith('projects/_/buckets/acme-data/objects/in/')", True),
        ('resource.name.startsWith("projects/_/buckets/acme-data/objects/out/")', False),
        ('resource.type == "storage.googleapis.com/Object" && resource.name.endsWith("/a")', True),
        ('resource.type == "storage.googleapis.com/Bucket" || resource.name.endsWith("/a")', True),
        ('resource.type == "storage.googleapis.com/Bucket"', False),
        ('request.time < timestamp("2099-01-01T00:00:00Z")', False),
    ],
)
def test_a_condition_holds_or_not(world: World, gcp: Client, expression: str, holds: bool) -> None:
    gcp.create("gcp:storage/bucket:Bucket", {"name": "acme-data", "location": "EU"})
    bind(world, "acme-data", "roles/storage.objectViewer", title="one", expression=expression)
    assert iam.allowed(world.connect(), MEMBER, "storage.objects.get", "b/acme-data/o/in/a") is holds


def test_everybody_is_everybody(world: World) -> None:
    tx, service = world.connect(), f"{HOME}/services/one"
    bind(world, service, "roles/run.invoker", "allAuthenticatedUsers")
    assert iam.allowed(tx, MEMBER, "run.routes.invoke", service)
    assert not iam.allowed(tx, None, "run.routes.invoke", service)
    bind(world, service, "roles/run.invoker", "allUsers")
    assert iam.allowed(tx, None, "run.routes.invoke", service)


def test_a_custom_role_permits_what_it_lists(world: World, gcp: Client) -> None:
    gcp.enable("iam")
    role = {"roleId": "caller", "title": "Caller", "permissions": ["run.routes.invoke"]}
    made = gcp.create("gcp:projects/iAMCustomRole:IAMCustomRole", role)
    bind(world, "projects/acme-dev", made.id)
    assert iam.allowed(world.connect(), MEMBER, "run.routes.invoke", f"{HOME}/services/one")
    assert not iam.allowed(world.connect(), MEMBER, "run.jobs.run", f"{HOME}/jobs/one")
    assert iam.permissions_of(world.connect(), "projects/acme-dev/roles/none") == frozenset()


def test_the_table_of_roles_is_one() -> None:
    for role, permissions in {**ROLES, **BASIC}.items():
        assert role.startswith("roles/")
        assert permissions
        assert permissions <= ALL
    assert "run.routes.invoke" not in BASIC["roles/editor"]
    assert "bigquery.jobs.create" not in BASIC["roles/viewer"]


CALLS: list[tuple[str, str, Any, str, str]] = [
    ("POST", f"https://workflowexecutions.googleapis.com/v1/{HOME}/workflows/w/executions", {},
     "workflows.executions.create", f"{HOME}/workflows/w"),
    ("GET", f"https://run.googleapis.com/v2/{HOME}/operations/o", None, "run.operations.get", "projects/acme-dev"),
    ("POST", f"https://run.googleapis.com/v2/{HOME}/jobs/j:run", {}, "run.jobs.run", f"{HOME}/jobs/j"),
    ("POST", "https://bigquery.googleapis.com/bigquery/v2/projects/acme-dev/jobs", {}, "bigquery.jobs.create",
     "projects/acme-dev"),
    ("GET", "https://secretmanager.googleapis.com/v1/projects/acme-dev/secrets/s/versions/latest:access", None,
     "secretmanager.versions.access", "projects/acme-dev/secrets/s"),
    ("GET", f"https://datafusion.googleapis.com/v1/{HOME}/instances/core", None, "datafusion.instances.get",
     f"{HOME}/instances/core"),
]  # fmt: skip


def ask(world: World, method: str, url: str, body: Any = None, caller: str = RUNNER) -> Refusal | None:
    return refusal(world, caller, method, url, None if body is None else json.dumps(body).encode())


@pytest.mark.parametrize(("method", "url", "body", "permission", "resource"), CALLS)
def test_a_call_is_refused_in_the_words_of_its_service(
    world: World, runner: str, method: str, url: str, body: Any, permission: str, resource: str
) -> None:
    refused = ask(world, method, url, body)
    assert refused is not None
    assert (refused.status, refused.permission) == (403, permission)
    error = json.loads(refused.text)["error"]
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    assert permission in error["message"]
    role = next(role for role, permissions in sorted(ROLES.items()) if permission in permissions)
    bind(world, resource, role)
    assert ask(world, method, url, body) is None


def test_a_function_is_called_by_the_right_of_its_generation(world: World, gcp: Client, runner: str) -> None:
    url = "https://europe-west1-acme-dev.cloudfunctions.net/one"
    refused = ask(world, "POST", url, {})
    assert refused is not None
    assert "Your client does not have permission to get URL <code>/one</code>" in refused.text
    assert f"{RUNNER} lacks run.routes.invoke on {HOME}/services/one" in refused.text
    # Of a function that the world does not have either generation's right will do.
    bind(world, "projects/acme-dev", "roles/cloudfunctions.invoker")
    assert ask(world, "POST", url, {}) is None
    gcp.enable("run")
    service = {"name": "one", "location": "europe-west1", "deletionProtection": False}
    made = gcp.create(
        "gcp:cloudrunv2/service:Service", {**service, "template": {"containers": [{"image": "x"}]}}, "one"
    )
    assert ask(world, "POST", url, {}) is not None
    grant = {"name": "one", "location": "europe-west1", "role": "roles/run.invoker", "member": MEMBER}
    gcp.create("gcp:cloudrunv2/serviceIamMember:ServiceIamMember", grant, "grant")
    assert made.id == f"{HOME}/services/one"
    assert ask(world, "POST", url, {}) is None


def test_who_is_not_of_the_world_is_not_judged(world: World, runner: str) -> None:
    url = "https://europe-west1-acme-dev.cloudfunctions.net/one"
    assert ask(world, "POST", url, {}, caller="other@elsewhere.iam.gserviceaccount.com") is None
    assert ask(world, "POST", url.replace("acme-dev", "elsewhere"), {}) is None
    assert ask(world, "GET", "https://example.com/x") is None
    assert ask(world, "GET", "https://run.googleapis.com/v2/unknown") is None


def test_a_query_asks_for_its_datasets(world: World, runner: str) -> None:
    url = "https://bigquery.googleapis.com/bigquery/v2/projects/acme-dev/jobs"
    query = {"query": "select 1 from s.t", "destinationTable": {"projectId": "acme-dev", "datasetId": "d"}}
    body = {"configuration": {"query": query}}
    bind(world, "projects/acme-dev", "roles/bigquery.jobUser")
    for dataset, role, permission in (
        ("s", "roles/bigquery.dataViewer", "bigquery.tables.getData"),
        ("d", "roles/bigquery.dataEditor", "bigquery.tables.updateData"),
    ):
        refused = ask(world, "POST", url, body)
        assert refused is not None
        message = json.loads(refused.text)["error"]["message"]
        assert message.startswith(f"Access Denied: Dataset acme-dev:{dataset}: Permission {permission} denied")
        bind(world, f"projects/acme-dev/datasets/{dataset}", role)
    assert ask(world, "POST", url, body) is None


def test_a_job_with_other_arguments_needs_more(world: World, runner: str) -> None:
    url = f"https://run.googleapis.com/v2/{HOME}/jobs/j:run"
    bind(world, f"{HOME}/jobs/j", "roles/run.jobsExecutor")
    assert ask(world, "POST", url, {}) is None
    refused = ask(world, "POST", url, {"overrides": {"taskCount": 2}})
    assert refused is not None
    assert refused.permission == "run.jobs.runWithOverrides"


@pytest.mark.parametrize("rbac", [False, True])
def test_pipelines_of_data_fusion_need_what_the_instance_asks_for(
    world: World, gcp: Client, runner: str, rbac: bool
) -> None:
    gcp.enable("datafusion", "dataproc")
    instance = {"name": "core", "type": "ENTERPRISE", "version": "6.11.1", "enableRbac": rbac}
    made = gcp.create("gcp:datafusion/instance:Instance", instance)
    start = f"{made.outputs['apiEndpoint']}/v3/namespaces/default/start"
    bind(world, "projects/acme-dev", "roles/datafusion.viewer")
    refused = ask(world, "POST", start, [])
    assert (refused is not None) is rbac
    bind(world, made.id, "roles/datafusion.operator")
    assert ask(world, "POST", start, []) is None


def test_a_token_names_its_caller() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"email": RUNNER}).encode()).decode().rstrip("=")
    assert caller_of(f"Bearer x.{claims}.y") == RUNNER
    assert caller_of(f"Bearer ya29.embedded-cloud.{RUNNER}") == RUNNER
    assert [caller_of(text) for text in ("", "Bearer x", "Bearer a.b.c", "Bearer a.e30.c")] == [None] * 4


def test_a_function_of_the_second_generation_is_granted_as_a_service(world: World, gcp: Client, runner: str) -> None:
    gcp.enable("run", "cloudfunctions")
    grant = {"name": "one", "location": "europe-west1", "role": "roles/run.invoker", "member": MEMBER}
    token = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"
    with pytest.raises(Exception, match="was not found"):
        gcp.create(token, grant)
    with world.transaction() as tx:
        function = "gcp:cloudfunctionsv2/function:Function"
        store.insert(
            tx,
            store.Row(f"{HOME}/functions/one", function, "acme-dev", "key", {}, {}, (), "user", 0.0, 0.0),
        )
    gcp.create(token, grant)
    assert ask(world, "POST", "https://europe-west1-acme-dev.cloudfunctions.net/one", {}) is None
