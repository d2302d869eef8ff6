"""The trigger's steps against a small Resource Manager, and the client's and the login's own rules."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from providers.arm import Arm, ArmError
from providers.azure.trigger import Trigger
from providers.azure_login import Login
from providers.base import UNKNOWN, PartialError, ProviderError, State
from tests.providers.arm_server import ArmServer

FACTORY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/f"
ID = f"{FACTORY}/triggers/T"
INPUTS: dict[str, Any] = {
    "factoryId": FACTORY,
    "triggerName": "T",
    "active": True,
    "properties": {"type": "BlobEventsTrigger", "pipelines": [{}], "typeProperties": {"events": ["x"]}},
}


@pytest.fixture
def server() -> Iterator[ArmServer]:
    with ArmServer() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def trigger(server: ArmServer, pauses: list[float]) -> Trigger:
    arm = Arm({"DP_ARM_ENDPOINT": server.url}, sleep=pauses.append)
    return Trigger(arm, sleep=pauses.append, patience=30)


def test_an_event_trigger_is_waited_for(trigger: Trigger, server: ArmServer, pauses: list[float]) -> None:
    """Its start and stop go on after they are answered, and it cannot be started just after it was written."""
    world = server.world
    world.settling = 3
    world.fail += [("start", 400, "BadRequest", "Resource cannot be updated during provisioning")] * 2
    assert trigger.create(INPUTS, preview=False) == (ID, {**INPUTS, "runtimeState": "Started"})
    assert world.verbs() == ["PUT", "start", "start", "start"]
    assert len(pauses) == 5
    trigger.delete(ID, {})
    assert world.verbs()[4:] == ["stop", "DELETE"]
    trigger.delete(ID, {})
    assert world.verbs()[6:] == [], "one that is gone is removed already"


def test_a_trigger_that_never_starts_is_told_and_kept(server: ArmServer) -> None:
    server.world.settling = 10_000
    arm = Arm({"DP_ARM_ENDPOINT": server.url})
    with pytest.raises(PartialError, match="written but not started: it is still Stopped and not Started") as told:
        Trigger(arm, sleep=lambda _: None, patience=0.3).create(INPUTS, preview=False)
    assert told.value.id == ID
    assert told.value.outputs["runtimeState"] == "Stopped"


def test_a_refusal_that_is_not_passing_is_not_tried_again(trigger: Trigger, server: ArmServer) -> None:
    server.world.fail.append(("PUT", 400, "BadRequest", "invalid reference 'P'."))
    with pytest.raises(ArmError, match=r"invalid reference 'P'\. \(400 BadRequest\)"):
        trigger.create(INPUTS, preview=False)
    assert server.world.verbs() == ["PUT"]


def test_throttling_and_outages_are_waited_out(trigger: Trigger, server: ArmServer, pauses: list[float]) -> None:
    server.world.fail += [("PUT", 429, "TooManyRequests", "x"), ("PUT", 503, "", "")]
    trigger.create({**INPUTS, "active": False}, preview=False)
    assert server.world.verbs() == ["PUT"] * 3
    assert pauses == [1.0, 2.0]


def test_import_and_refresh(trigger: Trigger, server: ArmServer) -> None:
    assert trigger.read(ID, {}, {}) is None
    trigger.create(INPUTS, preview=False)
    found = trigger.read(ID, {}, {})
    assert found is not None
    assert found.inputs == INPUTS
    with server.world.triggers.edited(ID) as body:
        body["description"] = "changed"
        body["annotations"] = []
        body["typeProperties"]["ofTheService"] = 1
    found = trigger.read(ID, INPUTS, {})
    assert found is not None
    assert found.inputs == {**INPUTS, "properties": {**INPUTS["properties"], "description": "changed"}}
    with pytest.raises(ProviderError, match="is not the id of a trigger"):
        trigger.read("T", {}, {})


def test_previews_ask_nothing(trigger: Trigger, server: ArmServer) -> None:
    unknown = {**INPUTS, "factoryId": UNKNOWN, "active": UNKNOWN}
    assert trigger.check(unknown, {}) == (unknown, [])
    assert trigger.create(unknown, preview=True)[1]["runtimeState"] is UNKNOWN
    state = State(id=ID, inputs=INPUTS, outputs={**INPUTS, "runtimeState": "Started"})
    assert trigger.update(ID, state, {**INPUTS, "active": False}, preview=True)["runtimeState"] == "Stopped"
    assert dict(trigger.diff(ID, state, INPUTS).changed) == {}
    stopped = State(id=ID, inputs=INPUTS, outputs={**INPUTS, "runtimeState": "Stopped"})
    assert dict(trigger.diff(ID, stopped, INPUTS).changed) == {("runtimeState",): "update"}
    assert server.world.calls == []


def test_a_trigger_without_a_pipeline_cannot_be_active(trigger: Trigger) -> None:
    _, failures = trigger.check({**INPUTS, "properties": {"type": "ScheduleTrigger", "pipelines": []}, "odd": 1}, {})
    assert [failure.property for failure in failures] == ["odd", "active"]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DP_ARM_ENDPOINT": "http://arm.example.org"}, "without https"),
        ({"DP_ARM_ENDPOINT": "ftp://localhost"}, "not an address"),
        ({"ARM_ENVIRONMENT": "moon"}, "known are: china, public, usgovernment"),
    ],
)
def test_addresses_that_are_refused(environment: dict[str, str], words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        Arm(environment)


def test_nobody_there() -> None:
    arm = Arm({"DP_ARM_ENDPOINT": "http://127.0.0.1:9"}, sleep=lambda _: None)
    with pytest.raises(ProviderError, match="does not answer"):
        arm.call("GET", ID, version="v")


@pytest.fixture
def entra() -> Iterator[tuple[str, list[str]]]:
    """A token endpoint; what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization', '')}")
            answer = {"access_token": "t1", "expires_in": "3600", "value": "outside"}
            status = 401 if "refused" in self.path else 200
            data = json.dumps(answer if status == 200 else {"error_description": "AADSTS1: no.\r\nTrace"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_a_managed_identity_gives_a_token_that_is_kept(entra: tuple[str, list[str]]) -> None:
    url, asked = entra
    login = Login({"ARM_USE_MSI": "true", "ARM_MSI_ENDPOINT": f"{url}/msi", "ARM_CLIENT_ID": "c"})
    assert [login.token(), login.token()] == ["t1", "t1"]
    assert len(asked) == 1
    assert "client_id=c" in asked[0]


def test_a_refused_token_says_why_in_entras_words(entra: tuple[str, list[str]]) -> None:
    login = Login({"ARM_USE_MSI": "true", "ARM_MSI_ENDPOINT": f"{entra[0]}/refused"})
    with pytest.raises(ProviderError, match=r"refused to give a token \(401\): AADSTS1: no\.$"):
        login.token()


def test_a_federated_login_without_a_token_says_what_to_set() -> None:
    login = Login({"ARM_USE_OIDC": "true", "ARM_CLIENT_ID": "c", "ARM_TENANT_ID": "t"})
    with pytest.raises(ProviderError, match="set ARM_OIDC_TOKEN"):
        login.token()
    with pytest.raises(ProviderError, match="ARM_CLIENT_ID or ARM_TENANT_ID is not"):
        Login({"ARM_USE_OIDC": "true"}).token()


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProviderError, match="no credentials for Azure"):
        Login({}).token()
