"""Data Factory in the embedded cloud: the generic resource, typed ones and REST meet the same rules."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud import faults, inventory
from localcloud.arm import ArmDoor
from localcloud.arm_server import Server
from localcloud.services.azure import SUBSCRIPTION
from localcloud.workflows.server import serve
from localcloud.world import World
from tests.localcloud.client import Client, Made, RefusedError

GENERIC = "azure-native:resources:Resource"
FACTORY_TYPE = "azure-native:datafactory:Factory"
FACTORY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DataFactory/factories/acme-adf"
LAKE = {"type": "AzureBlobFS", "typeProperties": {"url": "https://lake.dfs.core.windows.net/"}, "annotations": []}
TRIGGER = {
    "type": "ScheduleTrigger",
    "pipelines": [{"pipelineReference": {"referenceName": "P", "type": "PipelineReference"}}],
    "typeProperties": {"recurrence": {"frequency": "Hour", "interval": 1}},
}


def linked(name: str) -> dict[str, str]:
    return {"referenceName": name, "type": "LinkedServiceReference"}


@pytest.fixture
def azure(world: World) -> Client:
    client = Client("azure-native", world, {"location": "westeurope"})
    client.create("azure-native:resources:ResourceGroup", {"resourceGroupName": "rg"})
    client.create(FACTORY_TYPE, {"resourceGroupName": "rg", "factoryName": "acme-adf"})
    return client


@pytest.fixture
def rest(world: World, azure: Client) -> Iterator[Server]:
    with Server(ArmDoor(world)) as server:
        yield server


def generic(kind: str, name: str, properties: Any, **more: Any) -> dict[str, Any]:
    return {
        "resourceGroupName": "rg",
        "resourceProviderNamespace": "Microsoft.DataFactory",
        "parentResourcePath": "factories/acme-adf",
        "resourceType": kind,
        "resourceName": name,
        "apiVersion": "2018-06-01",
        "properties": properties,
        **more,
    }


def put(azure: Client, kind: str, name: str, properties: Any, **more: Any) -> Made:
    return azure.create(GENERIC, generic(kind, name, properties, **more))


def ask(
    server: Server, method: str, path: str, body: Any = None, *, version: str = "2018-06-01", **headers: str
) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"{server.url}{path}?api-version={version}", data=data, method=method, headers=names
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else {}
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["error"]


def test_a_body_is_kept_as_it_is_whatever_is_in_it(azure: Client, rest: Server) -> None:
    odd = {
        "activities": [
            {"name": "A b", "type": "Unheard", "typeProperties": {"snake_case": 1, "Pascal": {"x": [None]}}}
        ],
        "parameters": {"n": {"type": "int", "defaultValue": 1.5}, "e": {}, "l": [], "t": True, "q": 'ü " \\ \n'},
    }
    made = put(azure, "pipelines", "P", odd)
    assert made.id == f"{FACTORY}/pipelines/P"
    assert made.outputs["type"] == "Microsoft.DataFactory/factories/pipelines"
    assert made.outputs["properties"] == odd
    read = azure.read(GENERIC, made.id)
    assert read is not None
    status, shown = ask(rest, "GET", made.id)
    assert status == 200
    assert json.dumps(shown["properties"], sort_keys=True) == json.dumps(odd, sort_keys=True)
    assert shown["name"] == "P"
    # What the provider leaves out is left out here too.
    other = put(azure, "pipelines", "Q", {"activities": [], "description": None, "folder": {"name": None}})
    assert other.outputs["properties"] == {"activities": [], "folder": {}}


def test_ids_know_no_case_and_are_written_in_one_way(azure: Client) -> None:
    inputs = generic("LinkedServices", "Ls", LAKE, parentResourcePath="Factories/acme-adf")
    made = azure.create(GENERIC, inputs)
    assert made.id == f"{FACTORY}/linkedservices/Ls"
    with pytest.raises(RefusedError, match="cannot create already existing resource"):
        put(azure, "linkedservices", "LS", LAKE)


@pytest.mark.parametrize(
    ("kind", "name", "properties", "more", "words"),
    [
        ("pipelines", "P", {"activities": []}, {"parentResourcePath": "factories/none"}, "ParentResourceNotFound"),
        (
            "pipelines",
            "P",
            {"activities": []},
            {"resourceGroupName": "none"},
            "Resource group 'none' could not be found",
        ),
        ("pipelines", "P.q", {"activities": []}, {}, "must match"),
        ("pipelines", "P", {"activities": []}, {"apiVersion": "2024-01-01"}, "api-version '2024-01-01' is invalid"),
        ("datasets", "D", {"type": "X", "linkedServiceName": linked("Ls")}, {}, "invalid reference 'Ls'"),
        ("datasets", "D", {"linkedServiceName": linked("Ls")}, {}, "have no type"),
        ("datasets", "D", "text", {}, "no object 'properties'"),
        ("globalParameters", "mine", {}, {}, "Please use default as resource name"),
        ("servers", "s", {}, {"resourceProviderNamespace": "Microsoft.Sql"}, "not for"),
        (
            "managedPrivateEndpoints",
            "lake",
            {"privateLinkResourceId": "x"},
            {"parentResourcePath": "factories/acme-adf/managedVirtualNetworks/default"},
            "managedVirtualNetworks/default' not found",
        ),
    ],
)
def test_what_is_refused(
    azure: Client, kind: str, name: str, properties: Any, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        put(azure, kind, name, properties, **more)


def test_references_must_lead_somewhere_and_hold_what_they_lead_to(azure: Client) -> None:
    lake = put(azure, "linkedservices", "Ls", LAKE)
    dataset = put(azure, "datasets", "D", {"type": "X", "linkedServiceName": linked("ls")})
    put(azure, "linkedservices", "Auto", {**LAKE, "connectVia": {
        "referenceName": "AutoResolveIntegrationRuntime", "type": "IntegrationRuntimeReference"}})  # fmt: skip
    with pytest.raises(RefusedError, match="cannot be deleted since it is referenced by D"):
        azure.delete(GENERIC, lake)
    with pytest.raises(RefusedError, match="invalid reference 'gone'"):
        azure.update(GENERIC, dataset, generic("datasets", "D", {"type": "X", "linkedServiceName": linked("gone")}))
    azure.delete(GENERIC, dataset)
    azure.delete(GENERIC, lake)


def test_typed_artefacts_meet_the_same_rules(azure: Client) -> None:
    token = "azure-native:datafactory:Dataset"
    inputs = {
        "resourceGroupName": "rg",
        "factoryName": "acme-adf",
        "datasetName": "D",
        "properties": {"type": "RestResource", "linkedServiceName": linked("Ls")},
    }
    with pytest.raises(RefusedError, match="invalid reference 'Ls'"):
        azure.create(token, inputs)
    lake = put(azure, "linkedservices", "Ls", LAKE)
    azure.create(token, inputs)
    with pytest.raises(RefusedError, match="referenced by D"):
        azure.delete(GENERIC, lake)


def test_a_factory_takes_all_it_holds_with_it_and_a_network_cannot_be_deleted(azure: Client) -> None:
    network = put(azure, "managedVirtualNetworks", "default", {})
    put(azure, "managedPrivateEndpoints", "lake", {"groupId": "dfs"},
        parentResourcePath="factories/acme-adf/managedVirtualNetworks/default")  # fmt: skip
    with pytest.raises(RefusedError, match="has no DELETE"):
        azure.delete(GENERIC, network)
    factory = azure.read(FACTORY_TYPE, FACTORY)
    assert factory is not None
    azure.delete(FACTORY_TYPE, factory)
    assert azure.read(GENERIC, network.id) is None


def test_a_trigger_over_rest(azure: Client, rest: Server, world: World) -> None:
    path = f"{FACTORY}/triggers/T"
    assert ask(rest, "PUT", path, {"properties": TRIGGER})[1]["message"].endswith("invalid reference 'P'.")
    pipeline = put(azure, "pipelines", "P", {"activities": []})
    status, made = ask(rest, "PUT", path, {"properties": {**TRIGGER, "runtimeState": "Started"}})
    assert (status, made["properties"]["runtimeState"]) == (200, "Stopped"), "what it says of its state is no wish"
    assert ask(rest, "POST", f"{path}/start") == (200, {})
    enabled = "Cannot update enabled Trigger; the trigger needs to be disabled first. "
    for method, body in (("PUT", {"properties": TRIGGER}), ("DELETE", None)):
        assert ask(rest, method, path, body) == (400, {"code": "TriggerEnabledCannotUpdate", "message": enabled})
    with pytest.raises(RefusedError, match="referenced by T"):
        azure.delete(GENERIC, pipeline)
    assert ask(rest, "GET", path)[1]["properties"] == {**TRIGGER, "runtimeState": "Started"}
    assert ask(rest, "POST", f"{path}/stop")[0] == 200
    etag = ask(rest, "GET", path)[1]["etag"]
    assert ask(rest, "PUT", path, {"properties": TRIGGER}, If_Match="other")[0] == 412
    assert ask(rest, "PUT", path, {"properties": TRIGGER}, If_Match=etag)[0] == 200
    assert [t["name"] for t in ask(rest, "GET", f"{FACTORY}/triggers")[1]["value"]] == ["T"]
    assert ("dp-azure:datafactory:Trigger", path) in {(e.type, e.id) for e in inventory.entries(world)}
    assert inventory.remove(world, path) == "dp-azure:datafactory:Trigger"
    assert ask(rest, "PUT", path, {"properties": TRIGGER})[0] == 200
    assert ask(rest, "DELETE", path)[0] == 200
    assert ask(rest, "DELETE", path)[0] == 204
    assert ask(rest, "GET", path) == (404, {"code": "EntityNotFound", "message": "The trigger T is not found."})
    assert ask(rest, "POST", f"{path}/start")[0] == 404
    log = world.log.read_text()
    assert '"type": "arm"' in log
    assert "recurrence" not in log.split('"type": "arm"', 1)[1], "bodies may hold secrets"


def test_a_tumbling_window_keeps_its_start_and_an_empty_trigger_cannot_run(azure: Client, rest: Server) -> None:
    put(azure, "pipelines", "P", {"activities": []})
    reference = {"pipelineReference": {"referenceName": "P", "type": "PipelineReference"}}

    def window(start: str) -> dict[str, Any]:
        return {"type": "TumblingWindowTrigger", "pipeline": reference, "typeProperties": {"startTime": start}}

    path = f"{FACTORY}/triggers/W"
    assert ask(rest, "PUT", path, {"properties": window("2026-01-01T00:00:00Z")})[0] == 200
    status, told = ask(rest, "PUT", path, {"properties": window("2026-02-01T00:00:00Z")})
    assert (status, told["code"]) == (400, "TumblingWindowTriggerStartTimeUpdateNotAllowed")
    empty = f"{FACTORY}/triggers/E"
    assert ask(rest, "PUT", empty, {"properties": {**TRIGGER, "pipelines": []}})[0] == 200
    assert "has no pipeline" in ask(rest, "POST", f"{empty}/start")[1]["message"]


def test_a_trigger_of_the_generic_resource_that_somebody_started_refuses_every_change(
    azure: Client, rest: Server
) -> None:
    put(azure, "pipelines", "P", {"activities": []})
    made = put(azure, "triggers", "T", TRIGGER)
    assert made.outputs["properties"]["runtimeState"] == "Stopped"
    assert ask(rest, "POST", f"{made.id}/start")[0] == 200
    with pytest.raises(RefusedError, match="TriggerEnabledCannotUpdate"):
        azure.update(GENERIC, made, generic("triggers", "T", {**TRIGGER, "description": "new"}))
    with pytest.raises(RefusedError, match="TriggerEnabledCannotUpdate"):
        azure.delete(GENERIC, made)


def test_the_door_shows_where_things_are(azure: Client, rest: Server) -> None:
    assert ask(rest, "GET", "/subscriptions")[1]["value"][0]["subscriptionId"] == SUBSCRIPTION
    assert ask(rest, "GET", f"/subscriptions/{SUBSCRIPTION}")[1]["state"] == "Enabled"
    groups = f"/subscriptions/{SUBSCRIPTION}/resourcegroups"
    assert [g["name"] for g in ask(rest, "GET", groups)[1]["value"]] == ["rg"]
    assert ask(rest, "GET", f"{groups}/RG")[1]["location"] == "westeurope"
    assert ask(rest, "GET", f"{groups}/none")[0] == 404
    assert ask(rest, "GET", FACTORY)[1]["name"] == "acme-adf"
    assert [f["id"] for f in ask(rest, "GET", FACTORY.rpartition("/")[0])[1]["value"]] == [FACTORY]
    assert ask(rest, "GET", FACTORY, version="")[1]["code"] == "MissingApiVersionParameter"
    assert ask(rest, "GET", "/subscriptions/s/providers/Microsoft.Sql/servers")[0] == 404
    assert ask(rest, "GET", f"{FACTORY}/odd")[0] == 404
    assert ask(rest, "PUT", FACTORY, {})[0] == 405
    assert ask(rest, "PUT", f"{FACTORY}/pipelines/P", [])[1]["code"] == "InvalidRequestContent"
    assert ask(rest, "PUT", f"{FACTORY}x/pipelines/P", {"properties": {}})[0] == 404


def test_what_is_written_over_rest_is_shown_and_secure_texts_are_not(azure: Client, rest: Server) -> None:
    secret = {"type": "SecureString", "value": "CANARY"}
    service = {"type": "SqlServer", "typeProperties": {"password": secret}}
    path = f"{FACTORY}/linkedservices/Sql"
    status, made = ask(rest, "PUT", path, {"properties": service})
    assert status == 200
    assert made["properties"]["typeProperties"]["password"]["value"] == "**********"
    read = azure.read(GENERIC, path)
    assert read is not None
    assert read.outputs["type"] == "Microsoft.DataFactory/factories/linkedservices"


def test_faults_reach_the_door_and_serve_has_it(azure: Client, world: World, rest: Server) -> None:
    faults.add(world, faults.make("read", "arm:GET", 1, "fail=503", 1))
    assert ask(rest, "GET", f"{FACTORY}/pipelines/P")[0] == 503
    assert ask(rest, "GET", f"{FACTORY}/pipelines/P")[0] == 404
    faults.add(world, faults.make("update", "arm:PUT", 1, "drop", 1))
    with pytest.raises(OSError, match=r"closed|reset"):
        ask(rest, "PUT", f"{FACTORY}/pipelines/P", {"properties": {"activities": []}})
    assert ask(rest, "GET", f"{FACTORY}/pipelines/P")[0] == 200, "done, and not answered"
    with serve(world) as whole, urllib.request.urlopen(f"{whole.url}/subscriptions", timeout=30) as answer:
        assert json.loads(answer.read())["value"]


def test_what_somebody_changes_over_rest_is_drift(azure: Client, rest: Server) -> None:
    put(azure, "linkedservices", "Ls", LAKE)
    inputs = generic("linkedservices", "Ls", LAKE)
    path = f"{FACTORY}/linkedservices/Ls"
    read = azure.read(GENERIC, path, inputs)
    assert read is not None
    assert read.inputs == inputs
    changed = {**LAKE, "typeProperties": {"url": "https://other.dfs.core.windows.net/"}}
    assert ask(rest, "PUT", path, {"properties": changed})[0] == 200
    read = azure.read(GENERIC, path, inputs)
    assert read is not None
    assert read.inputs["properties"] == changed
    assert dict(azure.diff(GENERIC, read, inputs).detailedDiff).keys() == {"properties.typeProperties.url"}
    assert ask(rest, "DELETE", path)[0] == 200
    assert azure.read(GENERIC, path, inputs) is None


def test_a_change_of_what_the_id_is_made_of_replaces(azure: Client) -> None:
    made = put(azure, "linkedservices", "Ls", LAKE)
    assert list(azure.diff(GENERIC, made, generic("linkedservices", "Ls2", LAKE)).replaces) == ["resourceName"]
    newer = generic("linkedservices", "Ls", LAKE, apiVersion="2017-09-01-preview")
    assert not azure.diff(GENERIC, made, newer).replaces


@pytest.mark.parametrize(
    ("method", "path", "raw", "status"),
    [
        ("PUT", f"{FACTORY}/pipelines/P", b"[" * 100_000, 400),
        ("PUT", f"{FACTORY}/pipelines/P", b'{"properties": ' + b'{"a":' * 50_000, 400),
        ("PUT", f"{FACTORY}/pipelines/P", b"\xff\xfe", 400),
        ("PUT", f"{FACTORY}/pipelines/P", b"", 400),
        ("PUT", f"{FACTORY}/pipelines/..", b'{"properties": {}}', 400),
        ("PUT", f"{FACTORY}/pipelines/{'p' * 300}", b'{"properties": {}}', 400),
        ("PUT", f"{FACTORY}/managedVirtualNetworks/default/pipelines/P", b'{"properties": {}}', 404),
        ("PUT", f"{FACTORY}/pipelines/P/managedPrivateEndpoints/x", b'{"properties": {}}', 404),
        ("GET", f"{FACTORY}/managedVirtualNetworks/default/managedPrivateEndpoints/x", b"", 400),
        ("PATCH", f"{FACTORY}/pipelines/P", b"{}", 404),
        ("POST", f"{FACTORY}/triggers/T/restart", b"", 404),
        ("GET", f"{FACTORY}/triggers/T/start", b"", 405),
        ("GET", "/", b"", 404),
        ("GET", "/subscriptions/x/../../etc", b"", 404),
        ("DELETE", FACTORY, b"", 405),
    ],
)
def test_odd_calls_get_an_answer(azure: Client, world: World, method: str, path: str, raw: bytes, status: int) -> None:
    answer = ArmDoor(world).answer(method, path, {"api-version": "2018-06-01"}, {}, raw)
    assert answer.status == status
    assert answer.body is not None
    assert answer.body["error"]["message"]
    assert ArmDoor(world).answer("GET", f"{FACTORY}/pipelines", {"api-version": "2018-06-01"}, {}, b"").body == {
        "value": []
    }
