"""Google's layer: instances over REST, and their CDAP below `localcloud serve`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import faults, store
from localcloud.cdap import google
from localcloud.services.google import DEFAULT_APIS
from localcloud.workflows.server import Server, serve
from localcloud.world import World
from tests.cdap.calls import Answer, Call, delete, get, play, post, put
from tests.cdap.pipelines import app

_PARENT = "projects/acme-dev-1/locations/europe-west1"
_CORE = f"{_PARENT}/instances/core"
_V1 = "/datafusion/v1"
_TOKEN = {"Authorization": "Bearer x"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    with made.transaction() as tx:
        store.create_project(tx, "acme-dev-1", [*DEFAULT_APIS, google.API])
        store.create_project(tx, "acme-bare-1", DEFAULT_APIS)
    return made


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    with serve(world, time_scale=0.05) as running:
        yield running


def ask(server: Server, call: Call) -> Answer:
    named = Call(method=call.method, path=call.path, body=call.body, headers={**_TOKEN, **call.headers})
    return play(server.url, [named])[0]


def create(server: Server, name: str = "core", **body: Any) -> dict[str, Any]:
    answer = ask(server, post(f"{_V1}/{_PARENT}/instances?instanceId={name}", body))
    assert answer.status == 200, answer
    found: dict[str, Any] = json.loads(answer.body)
    return found


def finished(server: Server, operation: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while not operation["done"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        operation = json.loads(ask(server, get(f"{_V1}/{operation['name']}")).body)
    return operation


def test_an_instance_is_created_and_its_cdap_is_there(server: Server, world: World) -> None:
    operation = create(server, type="ENTERPRISE", labels={"env": "dev"})
    assert operation["done"] is False
    creating = json.loads(ask(server, get(f"{_V1}/{_CORE}")).body)
    assert creating["state"] == "CREATING"
    assert "apiEndpoint" not in creating
    done = finished(server, operation)
    assert done["response"]["state"] == "ACTIVE"
    instance = json.loads(ask(server, get(f"{_V1}/{_CORE}")).body)
    assert instance["labels"] == {"env": "dev"}
    assert instance["type"] == "ENTERPRISE"
    beta = json.loads(ask(server, get(f"/datafusion/v1beta1/{_CORE}")).body)
    assert beta["state"] == "RUNNING"
    host = "core-acme-dev-1-dot-ew1.datafusion.googleusercontent.com"
    assert instance["apiEndpoint"] == f"https://{host}/api"
    mapped = google.routes(world, server.url)
    assert mapped == {
        "https://datafusion.googleapis.com": f"{server.url}/datafusion",
        f"https://{host}": f"{server.url}/datafusion/{host}",
    }
    base = mapped[f"https://{host}"].removeprefix(server.url)
    assert json.loads(ask(server, get(f"{base}/api/v3/version")).body) == {"version": instance["version"]}
    assert ask(server, put(f"{base}/api/v3/namespaces/team", {})).status == 200
    deployed = app(artifact={"name": "cdap-data-pipeline", "version": instance["version"], "scope": "SYSTEM"})
    assert ask(server, put(f"{base}/api/v3/namespaces/team/apps/a", deployed)).status == 200


def test_a_basic_instance_refuses_another_namespace(server: Server, world: World) -> None:
    finished(server, create(server))
    (host,) = google.hosts(world)
    assert ask(server, put(f"/datafusion/{host}/api/v3/namespaces/team", {})).status == 403


def test_without_a_token_nothing_is_told(server: Server, world: World) -> None:
    finished(server, create(server))
    (host,) = google.hosts(world)
    for path in (f"{_V1}/{_CORE}", f"/datafusion/{host}/api/v3/namespaces"):
        assert play(server.url, [get(path)])[0].status == 401


def test_a_creation_that_fails_ends_failed(server: Server, world: World) -> None:
    faults.add(world, faults.make("create", google.TYPE, 1, "partial"))
    done = finished(server, create(server))
    assert done["error"]["code"] == 13
    assert json.loads(ask(server, get(f"{_V1}/{_CORE}")).body)["state"] == "FAILED"


def test_an_instance_made_again_begins_empty(server: Server, world: World) -> None:
    finished(server, create(server, type="ENTERPRISE"))
    (host,) = google.hosts(world)
    ask(server, put(f"/datafusion/{host}/api/v3/namespaces/team", {}))
    assert finished(server, json.loads(ask(server, delete(f"{_V1}/{_CORE}")).body))["done"] is True
    assert ask(server, get(f"{_V1}/{_CORE}")).status == 404
    assert ask(server, get(f"/datafusion/{host}/api/v3/namespaces")).status == 404
    finished(server, create(server, type="ENTERPRISE"))
    assert ask(server, get(f"/datafusion/{host}/api/v3/namespaces/team")).status == 404


def test_instances_are_listed(server: Server) -> None:
    for name in ("core", "more"):
        finished(server, create(server, name))
    listed = json.loads(ask(server, get(f"{_V1}/projects/acme-dev-1/locations/-/instances?pageSize=1")).body)
    assert [i["name"] for i in listed["instances"]] == [_CORE]
    token = listed["nextPageToken"]
    rest = json.loads(ask(server, get(f"{_V1}/{_PARENT}/instances?pageSize=1&pageToken={token}")).body)
    assert [i["name"] for i in rest["instances"]] == [f"{_PARENT}/instances/more"]
    assert "nextPageToken" not in rest


def test_policies_are_set_under_their_etag(server: Server) -> None:
    finished(server, create(server))
    before = json.loads(ask(server, get(f"{_V1}/{_CORE}:getIamPolicy")).body)
    binding = {"role": "roles/datafusion.accessor", "members": ["user:a@acme.example"]}
    policy = {"policy": {"etag": before["etag"], "bindings": [binding]}}
    after = json.loads(ask(server, post(f"{_V1}/{_CORE}:setIamPolicy", policy)).body)
    assert after["bindings"] == [binding]
    assert ask(server, post(f"{_V1}/{_CORE}:setIamPolicy", policy)).status == 409
    assert json.loads(ask(server, get(f"{_V1}/{_CORE}:getIamPolicy")).body) == after


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        (get(f"{_V1}/{_PARENT}/instances/none"), 404, "Requested entity was not found"),
        (get(f"{_V1}/projects/acme-bare-1/locations/europe-west1/instances/x"), 403, "has not been used in project"),
        (post(f"{_V1}/{_PARENT}/instances?instanceId=Bad_Name", {}), 400, "Invalid instance ID 'Bad_Name'"),
        (post(f"{_V1}/{_PARENT}/instances?instanceId=ok", {"typ": "BASIC"}), 400, "Unknown name"),
        (post(f"{_V1}/{_PARENT}/instances?instanceId=ok", "{"), 400, "Invalid JSON payload"),
        (get("/datafusion/v1/nothing"), 404, "was not found on this server"),
        (get("/datafusion/nobody.example/api/v3/namespaces"), 404, "no Data Fusion instance at nobody.example"),
    ],
)
def test_what_is_refused(server: Server, call: Call, status: int, words: str) -> None:
    answer = ask(server, call)
    assert (answer.status, words in answer.body) == (status, True), answer


def test_a_taken_name_is_refused(server: Server) -> None:
    create(server)
    answer = ask(server, post(f"{_V1}/{_PARENT}/instances?instanceId=core", {}))
    assert json.loads(answer.body)["error"]["status"] == "ALREADY_EXISTS"


def test_googles_own_client_works(server: Server) -> None:
    from google.auth.credentials import Credentials
    from googleapiclient import discovery

    class Token(Credentials):
        """A token that is there already."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.token = "x"

        def refresh(self, request: object) -> None:
            """Nothing."""

    service = discovery.build(
        "datafusion",
        "v1",
        credentials=Token(),
        static_discovery=True,
        client_options={"api_endpoint": f"{server.url}/datafusion"},
    )
    with service:
        instances = service.projects().locations().instances()
        operation = instances.create(parent=_PARENT, instanceId="core", body={"type": "BASIC"}).execute()
        finished(server, operation)
        assert instances.get(name=_CORE).execute()["state"] == "ACTIVE"
