"""Drafts and connections: what the studio, a service of CDAP's own app `pipeline`, keeps for each namespace.

A draft's configuration is read into a class and written again, unlike a pipeline's: a field the class has not is lost,
and an `engine` in lower case with it.
"""

from __future__ import annotations

import re
from typing import Any

from localcloud.cdap import catalog, gsonlike
from localcloud.cdap.http import JSON, CdapError, Json, Reply, Request, json_reply
from localcloud.cdap.instance import Instance

_TEXT = "text/plain; charset=UTF-8"
_DONE = Reply(content_type="text/plain")
_STREAMS = "cdap-data-streams"

_RESOURCES = {"virtualCores": None, "memoryMB": None}
_ARTIFACT = {"scope": None, "name": None, "version": None}
_PLUGIN = {"name": None, "type": None, "properties": None, "artifact": _ARTIFACT, "label": None}
_COMMENTS = {"comments": {"list": [{"content": None, "createDate": None, "user": None}]}}
_STAGE = {
    "name": None,
    "plugin": _PLUGIN,
    "errorDatasetName": None,
    "information": _COMMENTS,
    "inputSchema": None,
    "outputSchema": None,
    "label": None,
    "id": None,
}
_CONFIG: dict[str, Any] = {
    "engine": None,
    "schedule": None,
    "maxConcurrentRuns": None,
    "postActions": [_STAGE],
    "actions": [_STAGE],
    "pushdownEnabled": None,
    "transformationPushdown": {"plugin": _PLUGIN},
    "service": None,
    "description": None,
    "stages": [_STAGE],
    "connections": [{"from": None, "to": None, "port": None, "condition": None}],
    "resources": _RESOURCES,
    "driverResources": _RESOURCES,
    "clientResources": _RESOURCES,
    "stageLoggingEnabled": None,
    "processTimingEnabled": None,
    "numOfRecordsPreview": None,
    "properties": None,
    "comments": None,
}
"""The fields of the class, in its order; None: whatever is there."""


def _admit(api: Instance, namespace: str) -> None:
    if not api.has_namespace(namespace):
        body = gsonlike.dumps(f"Namespace '{namespace}' does not exist")
        raise CdapError(404, body, JSON)


def _body(request: Request) -> Any:
    try:
        return gsonlike.parse(request.text)
    except gsonlike.GsonError as error:
        raise CdapError(400, f"Unable to decode request body: {error.chained}", _TEXT) from None


def _object(raw: Any) -> Json:
    if not isinstance(raw, dict):
        raise CdapError(400, f"Unable to decode request body: {gsonlike.expected_object(raw)}", _TEXT)
    return raw


# Drafts


def list_drafts(api: Instance, request: Request, namespace: str) -> Reply:
    """The drafts, without their configurations unless `includeConfig=true`."""
    _admit(api, namespace)
    found = [body for _, body in api.shelf.by_key("draft", namespace)]
    field = request.query.get("sortBy", "name")
    if field not in ("name", "id", "createdTimeMillis", "updatedTimeMillis", "artifact"):
        raise CdapError(
            400, f"Invalid value '{field}' for sortBy. This field does not exist in the Drafts table.", _TEXT
        )
    if field != "artifact":
        found.sort(key=lambda d: d.get(field) or "", reverse=request.query.get("sortOrder") == "DESC")
    wanted = request.query.get("filter", "").lower()
    found = [d for d in found if wanted in (d.get("name") or "").lower()]
    if request.query.get("includeConfig") != "true":
        found = [{**{k: v for k, v in d.items() if k != "config"}, "configHash": 0} for d in found]
    return json_reply(found)


def _missing_draft(namespace: str, draft: str) -> CdapError:
    return CdapError(404, f"Draft '{draft}' in namespace '{namespace}' not found.", _TEXT)


def get_draft(api: Instance, request: Request, namespace: str, draft: str) -> Reply:
    """One draft."""
    _admit(api, namespace)
    found = api.shelf.get("draft", namespace, draft)
    if found is None:
        raise _missing_draft(namespace, draft)
    return json_reply(found)


def put_draft(api: Instance, request: Request, namespace: str, draft: str) -> Reply:
    """Create or replace one. Its revision counts nothing."""
    _admit(api, namespace)
    raw = _body(request)
    if raw is None:
        raise CdapError(
            500,
            'Cannot invoke "io.cdap.cdap.datapipeline.draft.DraftStoreRequest.getArtifact()" because "request" is null',
            _TEXT,
        )
    body = _object(raw)
    artifact = gsonlike.plain(body.get("artifact"))
    if not isinstance(artifact, dict):
        raise CdapError(400, "artifact is null", _TEXT)
    name = artifact.get("name")
    if name not in (catalog.PIPELINE, _STREAMS):
        raise CdapError(
            400,
            f"Invalid config: artifact '{name}' is not supported, valid options are: '{catalog.PIPELINE}' or"
            f" '{_STREAMS}'",
            _TEXT,
        )
    old: Json | None = api.shelf.get("draft", namespace, draft)
    now = api.millis()
    config = body.get("config")
    kept = None if config is None else known_fields(config) if name == catalog.PIPELINE else gsonlike.plain(config)
    made: Json = {
        "id": draft,
        "createdTimeMillis": old["createdTimeMillis"] if old else now,
        "updatedTimeMillis": now,
        "configHash": 0 if kept is None else _hash(gsonlike.dumps(kept)),
        "previousHash": "",
    }
    for key in ("name", "description"):
        if body.get(key) is not None:
            made[key] = gsonlike.scalar(body[key])
    made |= {"revision": 0, "artifact": {key: artifact.get(key) for key in ("name", "version", "scope")}}
    if kept is not None:
        made["config"] = kept
    api.shelf.put("draft", namespace, draft, made)
    return _DONE


def delete_draft(api: Instance, request: Request, namespace: str, draft: str) -> Reply:
    """Delete one."""
    _admit(api, namespace)
    if not api.shelf.delete("draft", namespace, draft):
        raise _missing_draft(namespace, draft)
    return _DONE


def known_fields(config: Any) -> Any:
    """A configuration as the draft's class keeps it."""
    kept = _typed(config, _CONFIG)
    if isinstance(kept, dict):
        if kept.get("engine") not in ("SPARK", "MAPREDUCE"):
            kept.pop("engine", None)
        for key in ("properties",):
            if isinstance(kept.get(key), dict):
                kept[key] = {k: gsonlike.scalar(v) for k, v in kept[key].items() if not isinstance(v, dict | list)}
    return kept


def _typed(value: Any, shape: Any) -> Any:
    if isinstance(shape, dict) and isinstance(value, dict):
        return {key: _typed(value[key], inner) for key, inner in shape.items() if value.get(key) is not None}
    if isinstance(shape, list) and isinstance(value, list):
        return [_typed(item, shape[0]) for item in value]
    if isinstance(value, gsonlike.Number):
        return gsonlike.plain(value)
    if shape is None and isinstance(value, list) and any(isinstance(v, dict) for v in value):
        # A list of objects of no class of its own: comments.
        return [_untyped(v) for v in value]
    return gsonlike.plain(value)


def _untyped(value: Any) -> Any:
    return gsonlike.doubles(value)


def _hash(text: str) -> int:
    """Java's String.hashCode: CDAP's own hash is another one, of the object."""
    found = 0
    for c in text:
        found = (31 * found + ord(c)) & 0xFFFFFFFF
    return found - 0x100000000 if found >= 0x80000000 else found


# Connections


def connection_id(name: str) -> str:
    """The id of a connection, by its name: `My DB` is `My_DB`."""
    return re.sub(r"[^\w\d-]", "_", name.strip(), flags=re.ASCII)


def _missing_connection(namespace: str, connection: str) -> CdapError:
    return CdapError(404, f"Connection '{connection}' in namespace '{namespace}' not found.", _TEXT)


def list_connections(api: Instance, request: Request, namespace: str) -> Reply:
    """The connections of a namespace."""
    _admit(api, namespace)
    return json_reply([body for _, body in api.shelf.by_key("connection", namespace)])


def get_connection(api: Instance, request: Request, namespace: str, connection: str) -> Reply:
    """One connection, by its name or its id."""
    _admit(api, namespace)
    found = api.shelf.get("connection", namespace, connection_id(connection))
    if found is None:
        raise _missing_connection(namespace, connection)
    return json_reply(found)


def put_connection(api: Instance, request: Request, namespace: str, connection: str) -> Reply:
    """Create or replace one. Whether its plugin is there is not asked."""
    _admit(api, namespace)
    raw = _body(request)
    body = gsonlike.plain(_object(raw))
    plugin = body.get("plugin")
    if not isinstance(plugin, dict):
        raise CdapError(
            500,
            'Cannot invoke "io.cdap.cdap.etl.proto.connection.PluginInfo.getName()" because the return value of'
            ' "io.cdap.cdap.etl.proto.connection.ConnectionCreationRequest.getPlugin()" is null',
            _TEXT,
        )
    identity = connection_id(connection)
    old: Json | None = api.shelf.get("connection", namespace, identity)
    now = api.millis()
    made: Json = {"name": connection, "connectionId": identity, "connectionType": plugin.get("name")}
    if body.get("description") is not None:
        made["description"] = body["description"]
    made |= {
        "preConfigured": False,
        "isDefault": False,
        "createdTimeMillis": old["createdTimeMillis"] if old else now,
        "updatedTimeMillis": now,
        "plugin": {
            **{key: plugin[key] for key in ("category", "name", "type", "properties") if plugin.get(key) is not None},
            **({"artifact": _typed(plugin["artifact"], _ARTIFACT)} if plugin.get("artifact") else {}),
        },
    }
    api.shelf.put("connection", namespace, identity, made)
    return _DONE


def delete_connection(api: Instance, request: Request, namespace: str, connection: str) -> Reply:
    """Delete one."""
    _admit(api, namespace)
    if not api.shelf.delete("connection", namespace, connection_id(connection)):
        raise _missing_connection(namespace, connection)
    return _DONE
