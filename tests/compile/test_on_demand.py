"""Instances of Data Fusion on demand: their API client, and their two DAGs in real Airflow, on the embedded cloud."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile.on_demand import OnDemandPlan, dag_ids, render_create, render_delete
from dataplatform_runtime.cdap_instances import InstanceFailedError, Instances
from dataplatform_runtime.google_rest import Rest, RestError
from localcloud import faults, store
from localcloud.cdap import google, scenario
from localcloud.cdap.instance import Instance
from localcloud.services.google import DEFAULT_APIS
from localcloud.workflows.server import Server, serve
from localcloud.world import World
from tests.cdap.calls import play, post, put
from tests.cdap.pipelines import app
from tests.compile import real_airflow

PROJECT, REGION = "acme-data-dev", "europe-west1"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
LABELS = {"environment": "dev", "managed-by": "pulumi", "stack": "dev", "team": "sales"}
OPERATOR = "roles/datafusion.operator"
AIRFLOW = f"serviceAccount:dev-composer@{PROJECT}.iam.gserviceaccount.com"
TOKEN = {"Authorization": "Bearer x"}


def body(**more: Any) -> dict[str, Any]:
    return {"type": "ENTERPRISE", "version": "6.11.1", "labels": dict(LABELS), **more}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return new_world(tmp_path)


def new_world(home: Path) -> World:
    made = World(home)
    with made.transaction() as tx:
        store.create_project(tx, PROJECT, [*DEFAULT_APIS, google.API])
    return made


@pytest.fixture
def server(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serve(world, time_scale=0.05) as running:
        monkeypatch.setenv("DATA_FUSION_EMULATOR_HOST", f"{running.url}/datafusion")
        monkeypatch.setenv("DATAPLATFORM_TIME_SCALE", "0.01")
        yield running


def instances(name: str = "dev-core", **more: Any) -> Instances:
    return Instances(PROJECT, REGION, name, **more)


def wait(found: Instances) -> None:
    while not found.ready():
        threading.Event().wait(0.02)


def make(server: Server, name: str = "dev-core", **more: Any) -> Instances:
    """An instance as somebody else would make it."""
    answer = play(
        server.url, [post(f"/datafusion/v1/{PARENT}/instances?instanceId={name}", body(**more), headers=TOKEN)]
    )
    assert answer[0].status == 200, answer
    found = instances(name)
    wait(found)
    return found


def test_it_is_made_once_and_adopted_afterwards(server: Server, world: World) -> None:
    said: list[str] = []
    found = instances(say=said.append)
    assert found.create(body(), gone_seconds=60, poll=0.1) is True
    assert found.create(body(), gone_seconds=60, poll=0.1) is False
    assert said == ["dev-core is there already; it is adopted"]
    wait(found)
    there = found.get()
    assert there is not None
    assert {key: there[key] for key in ("type", "version", "labels")} == body()
    assert len([row for row in store.everything(world.connect()) if row.token == google.TYPE]) == 1


def test_a_creation_whose_answer_is_lost_is_found_again(server: Server) -> None:
    class Lossy(Rest):
        def call(self, method: str, url: str, body: Any = None, **options: Any) -> Any:
            answer = super().call(method, url, body, **options)
            if method == "POST":
                raise RestError("no answer", 0, unsure=True)
            return answer

    said: list[str] = []
    assert instances(rest=Lossy(), say=said.append).create(body(), gone_seconds=60, poll=0.1) is False
    assert "looking whether it is there" in said[0]
    wait(instances())


def test_two_at_once_make_one(server: Server, world: World) -> None:
    """Both have seen that there is none: the second is told 409."""

    class Late(Instances):
        looked = 0

        def get(self) -> dict[str, Any] | None:
            self.looked += 1
            return None if self.looked == 1 else super().get()

    make(server)
    assert Late(PROJECT, REGION, "dev-core").create(body(), gone_seconds=60, poll=0.1) is False


def test_a_failed_creation_is_an_error_and_so_is_adopting_it(server: Server, world: World) -> None:
    faults.add(world, faults.make("create", google.TYPE, 1, "partial"))
    found = instances()
    found.create(body(), gone_seconds=60, poll=0.1)
    with pytest.raises(InstanceFailedError, match=r"^dev-core is FAILED"):
        wait(found)
    with pytest.raises(InstanceFailedError, match=r"dev-core is there as FAILED.*: delete it, then make it again"):
        found.create(body(), gone_seconds=60, poll=0.1)
    assert found.delete({"stack": "dev"}) is True
    found.gone(10, 0.1)
    assert found.create(body(), gone_seconds=60, poll=0.1) is True


def test_what_is_something_else_is_not_adopted(server: Server) -> None:
    make(server, type="BASIC")
    with pytest.raises(InstanceFailedError, match="is there with type BASIC, and the stack says ENTERPRISE"):
        instances().create(body(), gone_seconds=60, poll=0.1)


@pytest.mark.parametrize(
    ("refused", "words"),
    [({"type": "BASIC", "enableRbac": True}, "ENTERPRISE edition"), ({"typ": "x"}, "Unknown name")],
)
def test_a_refused_creation_says_why(server: Server, refused: dict[str, Any], words: str) -> None:
    with pytest.raises(RestError, match=words):
        instances().create({**body(), **refused}, gone_seconds=60, poll=0.1)


def test_one_that_is_gone_does_not_become_ready(server: Server) -> None:
    with pytest.raises(InstanceFailedError, match="dev-core is not there any more"):
        instances().ready()


def test_grants_are_added_beside_those_of_others(server: Server) -> None:
    found = make(server)
    url = f"/datafusion/v1/{PARENT}/instances/dev-core:setIamPolicy"
    condition = {"title": "today", "expression": "true"}
    theirs = [
        {"role": OPERATOR, "members": ["group:night@acme.example"]},
        {"role": OPERATOR, "members": [AIRFLOW], "condition": condition},
        {"role": "roles/datafusion.viewer", "members": ["user:a@acme.example"]},
    ]
    assert play(server.url, [post(url, {"policy": {"bindings": theirs}}, headers=TOKEN)])[0].status == 200
    wanted = {OPERATOR: [AIRFLOW, AIRFLOW], "roles/datafusion.admin": ["group:platform@acme.example"]}
    assert found.grant(wanted) == [
        "roles/datafusion.admin for group:platform@acme.example",
        f"{OPERATOR} for {AIRFLOW}",
    ]
    assert found.grant(wanted) == []
    held = {
        (b["role"], m, bool(b.get("condition")))
        for b in Rest().call("GET", f"{server.url}/datafusion/v1/{PARENT}/instances/dev-core:getIamPolicy")["bindings"]
        for m in b["members"]
    }
    assert held == {
        ("roles/datafusion.admin", "group:platform@acme.example", False),
        (OPERATOR, AIRFLOW, False),
        (OPERATOR, AIRFLOW, True),
        (OPERATOR, "group:night@acme.example", False),
        ("roles/datafusion.viewer", "user:a@acme.example", False),
    }


def test_a_policy_that_somebody_changes_meanwhile_is_read_again(server: Server) -> None:
    found = make(server)
    theirs = {"role": "roles/datafusion.viewer", "members": ["user:a@acme.example"]}
    url = f"{server.url}/datafusion/v1/{PARENT}/instances/dev-core"

    class Busy(Rest):
        done = False

        def call(self, method: str, url: str, body: Any = None, **options: Any) -> Any:
            answer = super().call(method, url, body, **options)
            if url.endswith(":getIamPolicy") and not self.done:
                self.done = True
                Rest().call("POST", url.replace(":get", ":set"), {"policy": {"bindings": [theirs]}})
            return answer

    assert instances(rest=Busy()).grant({OPERATOR: [AIRFLOW]}) == [f"{OPERATOR} for {AIRFLOW}"]
    roles = [b["role"] for b in Rest().call("GET", f"{url}:getIamPolicy")["bindings"]]
    assert sorted(roles) == [OPERATOR, "roles/datafusion.viewer"]
    assert found.grant({OPERATOR: [AIRFLOW]}) == []


def running(server: Server, world: World) -> None:
    """A pipeline that runs until it is stopped."""
    (host,) = google.hosts(world)
    (name,) = google.hosts(world).values()
    base = f"/datafusion/{host}/api/v3/namespaces/default"
    pipeline = app(artifact={"name": "cdap-data-pipeline", "version": "6.11.1", "scope": "SYSTEM"})
    assert play(server.url, [put(f"{base}/apps/orders", pipeline, headers=TOKEN)])[0].status == 200
    # The first request has made what is behind the API.
    scenario.add(Instance(world, google.shelf_name(world, name)), scenario.Outcome(seconds=None))
    start = post(f"{base}/apps/orders/workflows/DataPipelineWorkflow/start", {}, headers=TOKEN)
    assert play(server.url, [start])[0].status == 200


def stop(server: Server, world: World) -> None:
    (host,) = google.hosts(world)
    path = f"/datafusion/{host}/api/v3/namespaces/default/apps/orders/workflows/DataPipelineWorkflow/stop"
    assert play(server.url, [post(path, headers=TOKEN)])[0].status == 200


def test_only_ones_own_is_deleted_and_not_while_a_pipeline_runs(server: Server, world: World) -> None:
    found = make(server)
    owner = {key: LABELS[key] for key in ("environment", "managed-by", "stack")}
    with pytest.raises(InstanceFailedError, match=r"not this stack's \(stack=dev\): it stays"):
        found.delete({**owner, "stack": "qa"})
    with pytest.raises(InstanceFailedError, match=r"\(other=\(none\)\)"):
        found.delete({"other": "x"})
    running(server, world)
    with pytest.raises(RestError, match="1 pipelines run on dev-core: default/orders"):
        found.delete(owner)
    assert found.get() is not None
    stop(server, world)
    while found.running(found.get() or {}):
        threading.Event().wait(0.02)
    assert found.delete(owner) is True
    found.gone(10, 0.1)
    assert found.delete(owner) is False


def test_one_that_is_being_made_is_not_deleted_yet(server: Server) -> None:
    found = instances()
    found.create(body(), gone_seconds=60, poll=0.1)
    with pytest.raises(RestError, match="is CREATING, and cannot be deleted yet"):
        found.delete({"stack": "dev"})
    wait(found)


# In real Airflow


def plan(name: str, **more: Any) -> OnDemandPlan:
    given: dict[str, Any] = {"grants": {OPERATOR: [AIRFLOW]}, "timeout_seconds": 60, "poll_seconds": 1, **more}
    return OnDemandPlan(name=name, project=PROJECT, region=REGION, body=given.pop("body", body()), **given)


PLANS = {
    "new": plan("new", create_schedule="0 5 * * MON-FRI", delete_schedule="0 20 * * *", timezone="Europe/Berlin"),
    "there": plan("there"),
    "broken": plan("broken"),
    "other": plan("other"),
    "deferred": plan("deferred", deferrable=True, grants={}),
    "busy": plan("busy"),
    "strange": plan("strange", body=body(labels={**LABELS, "stack": "qa"})),
}
ASKED = [
    *(dag_ids(name)[0] for name in ("new", "there", "broken", "other", "deferred")),
    *(dag_ids(name)[1] for name in ("new", "busy", "strange")),
]

ON_3 = ("new", "broken", "deferred")


class Ran:
    def __init__(self, major: int, document: dict[str, Any], there: set[str], policy: dict[str, Any]) -> None:
        self.major, self.document, self.there, self.policy = major, document, there, policy

    def run(self, verb: int, name: str) -> dict[str, Any]:
        if self.major == 3 and name not in ON_3:
            pytest.skip("3.x gets the runs that are about Airflow")
        found: dict[str, Any] = self.document["runs"][dag_ids(name)[verb]]
        return found


@pytest.fixture(scope="module", params=[2, 3])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    major = request.param
    home = tmp_path_factory.mktemp(f"on_demand{major}")
    world = new_world(tmp_path_factory.mktemp("world"))
    files = {f"{dag_ids(p.name)[0]}.py": render_create(p) for p in PLANS.values()}
    files |= {f"{dag_ids(p.name)[1]}.py": render_delete(p) for p in PLANS.values()}
    # A second try would come after ten minutes: what is asked here ends with the first.
    files = {
        name: text.replace('"retries": 2', '"retries": 0').replace('"retries": 5', '"retries": 0')
        for name, text in files.items()
    }
    with serve(world, time_scale=0.3) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATA_FUSION_EMULATOR_HOST", f"{server.url}/datafusion")
            patch.setenv("DATAPLATFORM_TIME_SCALE", "0.05")
            make(server, "busy")
            running(server, world)
            make(server, "there")
            make(server, "strange")
            make(server, "other", type="BASIC")
        faults.add(world, faults.make("create", f"{PARENT}/instances/broken", 1, "partial"))
        more = {"DATA_FUSION_EMULATOR_HOST": f"{server.url}/datafusion", "DATAPLATFORM_TIME_SCALE": "0.1"}
        asked = [name for name in ASKED if major == 2 or name.rpartition("_")[2] in ON_3]
        document = real_airflow.run(
            major, home, files, [{"dag_id": name, "conf": {}} for name in asked], server.url, more=more
        )
        there = {row.id.rpartition("/")[2] for row in store.everything(world.connect()) if row.token == google.TYPE}
        request_ = urllib.request.Request(
            f"{server.url}/datafusion/v1/{PARENT}/instances/there:getIamPolicy", headers=TOKEN
        )
        with urllib.request.urlopen(request_, timeout=30) as answer:
            policy = json.loads(answer.read())
        yield Ran(major, document, there, policy)


@pytest.mark.airflow
@pytest.mark.timeout(600)
class TestInAirflow:
    """One process for each version."""

    def test_the_dags_load_without_a_complaint(self, ran: Ran) -> None:
        assert ran.document["import_errors"] == {}
        assert ran.document["warnings"] == []
        assert set(ran.document["dags"]) == {dag for name in PLANS for dag in dag_ids(name)}

    def test_an_instance_is_made_waited_for_and_granted(self, ran: Ran) -> None:
        run = ran.run(0, "new")
        assert run["tasks"] == dict.fromkeys(("create_instance", "wait_for_instance", "grant_access"), "success"), run[
            "log"
        ]
        assert "new is ready" in run["log"]
        assert f"granted {OPERATOR} for {AIRFLOW}" in run["log"]

    def test_one_that_is_there_is_adopted(self, ran: Ran) -> None:
        run = ran.run(0, "there")
        assert run["state"] == "success", run["log"]
        assert "there is there already; it is adopted" in run["log"]
        assert ran.policy["bindings"] == [{"role": OPERATOR, "members": [AIRFLOW]}]

    def test_a_failed_one_fails_the_run(self, ran: Ran) -> None:
        run = ran.run(0, "broken")
        assert run["state"] == "failed"
        assert run["tasks"] == {
            "create_instance": "success",
            "wait_for_instance": "failed",
            "grant_access": "upstream_failed",
        }
        assert "broken is FAILED" in run["log"]

    def test_another_edition_is_not_adopted(self, ran: Ran) -> None:
        assert ran.run(0, "other")["tasks"]["create_instance"] == "failed"
        assert "is there with type BASIC, and the stack says ENTERPRISE" in ran.run(0, "other")["log"]

    def test_the_wait_may_be_the_triggerers(self, ran: Ran) -> None:
        run = ran.run(0, "deferred")
        assert run["tasks"] == {"create_instance": "success", "wait_for_instance": "success"}, run["log"]

    def test_the_other_dag_deletes_it_and_nothing_else(self, ran: Ran) -> None:
        assert ran.run(1, "new")["state"] == "success", ran.run(1, "new")["log"]
        assert ran.run(1, "busy")["state"] == "failed"
        assert "1 pipelines run on busy: default/orders" in ran.run(1, "busy")["log"]
        assert "strange is not this stack's (stack=dev): it stays" in ran.run(1, "strange")["log"]
        assert ran.there == {"there", "broken", "other", "deferred", "busy", "strange"}


def test_the_texts_are_stable_and_say_what_the_stack_says() -> None:
    text = render_create(PLANS["new"])
    assert text == render_create(PLANS["new"])
    assert "CronTriggerTimetable('0 5 * * MON-FRI'" in text.replace('"', "'")
    assert text.isascii()
    assert "GrantOnInstance" not in render_create(PLANS["deferred"])
    hostile = plan("x", body=body(description='"""\n); import os #', labels={"a": "ü"}))
    compiled = compile(render_create(hostile), "dag.py", "exec")
    assert compiled.co_names.count("os") == 0
