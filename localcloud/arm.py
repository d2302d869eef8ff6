"""The REST door of Azure Resource Manager: subscriptions, groups, deleted vaults, and what a Data Factory holds.

Beside it, below `/dfs/<account>`, that of the lakes' own API: directories.

For clients that are not Pulumi's provider: they see the same world and meet the same rules. Deliberately absent:
writing anything but a factory's artefacts.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from localcloud import store
from localcloud.errors import ApiError
from localcloud.faults import Faults
from localcloud.rules.wire import Path
from localcloud.services import data_factory as adf
from localcloud.services import deleted_vaults, lake_paths, synthesis
from localcloud.services.azure import SUBSCRIPTION, TENANT
from localcloud.services.base import Call, Settings
from localcloud.store import Row
from localcloud.world import World

_METHODS: Final = {"PUT": "update", "DELETE": "delete", "GET": "read", "HEAD": "read", "POST": "invoke"}
_SUBSCRIPTION: Final = re.compile(r"/subscriptions(?:/(?P<id>[^/]+))?", re.IGNORECASE)
_GROUP: Final = re.compile(r"(?P<at>/subscriptions/[^/]+)/resourceGroups(?:/(?P<name>[^/]+))?", re.IGNORECASE)
_FACTORY: Final = re.compile(
    r"(?P<group>/subscriptions/[^/]+/resourceGroups/[^/]+)/providers/Microsoft\.DataFactory/factories"
    r"(?:/(?P<name>[^/]+)(?:/(?P<collection>[^/]+))?)?",
    re.IGNORECASE,
)
_ACTION: Final = re.compile(r"(?P<id>.+/triggers/[^/]+)/(?P<action>start|stop)", re.IGNORECASE)
_DELETED_VAULT: Final = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/providers/Microsoft\.KeyVault/locations/(?P<location>[^/]+)"
    r"/deletedVaults/(?P<name>[^/]+)(?P<purge>/purge)?",
    re.IGNORECASE,
)
_OF_RESOURCES: Final = "2024-03-01"


class LostReplyError(Exception):
    """Raised when the operation was done and its answer is to be lost (a fault on request)."""


@dataclass(frozen=True)
class Answer:
    """What a call returns."""

    status: int
    body: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class ArmDoor:
    """Resource Manager over one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults(world)

    def answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes
    ) -> Answer:
        """Answer one call; a refusal is an answer too.

        Args:
            method: GET, PUT, DELETE or POST.
            path: Of the resource, perhaps with an action behind it; with its first slash, not encoded.
            query: `api-version`.
            headers: Names in lower case; `if-match` is looked at.
            raw: The body.

        Raises:
            LostReplyError: on request.
        """
        path = path.rstrip("/")
        entry: dict[str, Any] = {"method": method, "type": "arm", "id": path}
        fault = self.faults.due(_METHODS.get(method, "invoke"), f"arm:{method}", f"arm:{method} {path}")
        try:
            self.faults.before(fault)
            with self.world.transaction() as tx:
                found = self._route(tx, method, path, query, headers, raw)
        except ApiError as error:
            body = {"error": {"code": error.code, "message": error.message}}
            # The answer to a HEAD has no body, so that its code stands in a header.
            found = Answer(error.status, None if method == "HEAD" else body, {"x-ms-error-code": error.code})
            entry["message"] = error.message
        outcome = "ok" if found.status < 400 else "error"
        # Bodies are left out: a linked service may hold a secret.
        self.world.record({**entry, "status": found.status, "outcome": outcome})
        self.faults.after(fault)
        if fault is not None and fault.action == "drop":
            raise LostReplyError
        return found

    def _route(
        self,
        tx: sqlite3.Connection,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        raw: bytes,
    ) -> Answer:
        version = query.get("api-version")
        if path.startswith(lake_paths.PREFIX):
            status, told = lake_paths.answer(tx, method, path, query, headers)
            return Answer(status, None, told)
        if match := _SUBSCRIPTION.fullmatch(path):
            _only(method, "GET", path)
            return Answer(200, _subscription(match["id"]) if match["id"] else {"value": [_subscription(SUBSCRIPTION)]})
        if match := _GROUP.fullmatch(path):
            _only(method, "GET", path)
            return _groups(tx, match["at"], match["name"])
        if match := _DELETED_VAULT.fullmatch(path):
            adf.check_api_version(version, deleted_vaults.API_VERSIONS)
            place = (match["subscription"], match["location"], match["name"])
            _only(method, "POST" if match["purge"] else "GET", path)
            if match["purge"]:
                deleted_vaults.purge(tx, *place)
                return Answer(202)
            return Answer(200, deleted_vaults.shown(tx, *place))
        adf.check_api_version(version)
        call = Call(self.world, tx, Settings("azure-native", {}), adf.OURS)
        if match := _ACTION.fullmatch(path):
            _only(method, "POST", path)
            return self._act(call, match["id"], match["action"].lower())
        entity = adf.entity_of(path)
        if entity is not None:
            return self._artefact(call, entity, method, headers, raw)
        if match := _FACTORY.fullmatch(path):
            _only(method, "GET", path)
            return _factories(tx, match["group"], match["name"], match["collection"])
        raise ApiError(404, "InvalidResourceType", f"The embedded cloud's Resource Manager does not serve {path}.")

    def _artefact(self, call: Call, entity: adf.Entity, method: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        row = store.find_key(call.tx, entity.key)
        if method == "PUT":
            return self._put(call, entity, row, headers, raw)
        if method == "DELETE" and row is None:
            return Answer(204)
        if row is None:
            _require_factory(call.tx, entity.factory)
            # As seen of the service: it answers for a managed private endpoint otherwise than for all else.
            status = 400 if entity.collection == "managedprivateendpoints" else 404
            kind = adf.COLLECTIONS[entity.collection][0].removesuffix("s")
            raise ApiError(status, "EntityNotFound", f"The {kind} {entity.name} is not found.")
        if method == "DELETE":
            adf.check_delete(call, entity, row)
            store.remove(call.tx, row)
            return Answer(200)
        _only(method, "GET", entity.id)
        shown = _shown(row)
        return Answer(200, shown, {"ETag": shown["etag"]})

    def _put(self, call: Call, entity: adf.Entity, row: Row | None, headers: Mapping[str, str], raw: bytes) -> Answer:
        body = _json(raw)
        properties = body.get("properties")
        adf.check_shape(entity, properties)
        assert isinstance(properties, dict)
        _require_factory(call.tx, entity.factory)
        wanted = headers.get("if-match")
        if wanted is not None and (row is None or wanted not in ("*", _shown(row)["etag"])):
            raise ApiError(412, "PreconditionFailed", "The precondition given in If-Match does not hold.")
        adf.check_put(call, entity, properties, row)
        sent = {key: value for key, value in properties.items() if key != "runtimeState"}
        now = time.time()
        if row is None:
            made = _new_row(entity, sent, now)
            store.insert(call.tx, made)
        elif row.token == adf.OURS:
            inputs = {**row.inputs, "properties": sent, "active": False}
            store.replace(call.tx, row, inputs, {**inputs, "runtimeState": adf.STOPPED}, row.secrets)
        else:
            kept = {"runtimeState": adf.STOPPED} if entity.collection == "triggers" else {}
            store.replace(call.tx, row, row.inputs, {**row.outputs, "properties": {**sent, **kept}}, row.secrets)
        found = store.find_key(call.tx, entity.key)
        assert found is not None
        shown = _shown(found)
        return Answer(200, shown, {"ETag": shown["etag"]})

    def _act(self, call: Call, path: str, action: str) -> Answer:
        entity = adf.entity_of(path)
        row = store.find_key(call.tx, entity.key) if entity is not None else None
        if row is None:
            raise ApiError(404, "EntityNotFound", f"The trigger {path.rpartition('/')[2]} is not found.")
        if action == "start":
            adf.check_start(call, row)
        adf.set_state(call, row, adf.STARTED if action == "start" else adf.STOPPED)
        return Answer(200)


def _new_row(entity: adf.Entity, sent: dict[str, Any], now: float) -> Row:
    """What is written is told from what is not ours by the type: recovery looks for what no program knows."""
    secrets: tuple[Path, ...] = ()
    if entity.collection == "triggers":
        inputs = {"factoryId": entity.factory, "triggerName": entity.name, "properties": sent, "active": False}
        outputs = {**inputs, "runtimeState": adf.STOPPED}
        return Row(entity.id, adf.OURS, None, entity.key, inputs, outputs, secrets, "user", now, now)
    head, _, path = entity.id.partition(f"/providers/{adf.NAMESPACE}/")
    parent, kind, name = path.rsplit("/", 2)
    inputs = {
        "apiVersion": adf.API_VERSIONS[-1],
        "parentResourcePath": parent,
        "properties": sent,
        "resourceGroupName": head.rpartition("/")[2],
        "resourceName": name,
        "resourceProviderNamespace": adf.NAMESPACE,
        "resourceType": kind,
    }
    outputs = {**inputs, "azureApiVersion": _OF_RESOURCES, "name": name, "type": _type(entity.id), "id": entity.id}
    return Row(entity.id, adf.GENERIC, None, entity.key, inputs, outputs, secrets, "user", now, now)


def _type(resource_id: str) -> str:
    provider = resource_id.rpartition("/providers/")[2].split("/")
    return "/".join([provider[0], *provider[1::2]])


def _shown(row: Row) -> dict[str, Any]:
    """An artefact as the service shows it: secure texts masked, and whether a trigger runs."""
    body = adf.body_of(row)
    state = adf.state_of_trigger(row)
    return {
        "id": row.id,
        "name": row.id.rpartition("/")[2],
        "type": _type(row.id),
        "etag": synthesis.etag(row.id, body),
        "properties": {**_masked(body), **({"runtimeState": state} if state is not None else {})},
    }


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("type") == "SecureString" and isinstance(value.get("value"), str):
            return {**value, "value": "**********"}
        return {key: _masked(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_masked(part) for part in value]
    return value


def _require_factory(tx: sqlite3.Connection, factory: str) -> None:
    group, _, rest = factory.partition("/providers/")
    if store.find_key(tx, f"arm|{group.lower()}") is None:
        name = group.rpartition("/")[2]
        raise ApiError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    if _row_of(tx, factory) is None:
        text = f"The Resource '{rest}' under resource group '{group.rpartition('/')[2]}' was not found."
        raise ApiError(404, "ResourceNotFound", text)


def _row_of(tx: sqlite3.Connection, resource_id: str) -> Row | None:
    found = tx.execute("SELECT key FROM resources WHERE lower(id) = lower(?)", (resource_id,)).fetchone()
    return store.find_key(tx, found["key"]) if found else None


def _groups(tx: sqlite3.Connection, at: str, name: str | None) -> Answer:
    token = "azure-native:resources:ResourceGroup"  # noqa: S105 - a resource type
    rows = [row for row in store.everything(tx) if row.token == token and row.id.lower().startswith(f"{at.lower()}/")]
    if name is None:
        return Answer(200, {"value": [_plain(row) for row in rows]})
    for row in rows:
        if row.id.rpartition("/")[2].lower() == name.lower():
            return Answer(200, _plain(row))
    raise ApiError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def _factories(tx: sqlite3.Connection, group: str, name: str | None, collection: str | None) -> Answer:
    if name is None:
        token = "azure-native:datafactory:Factory"  # noqa: S105 - a resource type
        rows = [row for row in store.everything(tx) if row.token == token]
        return Answer(200, {"value": [_plain(row) for row in rows if row.id.lower().startswith(f"{group.lower()}/")]})
    factory = f"{group}/providers/{adf.NAMESPACE}/factories/{name}"
    _require_factory(tx, factory)
    row = _row_of(tx, factory)
    assert row is not None
    if collection is None:
        return Answer(200, _plain(row))
    if collection.lower() not in adf.COLLECTIONS:
        raise ApiError(404, "InvalidResourceType", f"The resource type '{collection}' could not be found.")
    held = [(adf.entity_of(child.id), child) for child in store.below(tx, row.id)]
    return Answer(
        200,
        {"value": [_shown(child) for entity, child in held if entity and entity.collection == collection.lower()]},
    )


def _plain(row: Row) -> dict[str, Any]:
    """A group or a factory: the properties that Resource Manager shows beside `properties`."""
    names = ("location", "tags", "identity", "eTag")
    shown = {name: row.outputs[name] for name in names if name in row.outputs}
    return {"id": row.id, "name": row.id.rpartition("/")[2], "type": row.outputs.get("type"), **shown}


def _subscription(identifier: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{identifier}",
        "subscriptionId": identifier,
        "tenantId": TENANT,
        "displayName": "embedded cloud",
        "state": "Enabled",
    }


def _only(method: str, wanted: str, path: str) -> None:
    if method != wanted:
        raise ApiError(405, "MethodNotAllowed", f"{method} is not served for {path}.")


def _json(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ApiError(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.")
    return found
