"""Directories of Data Lake Storage Gen2: what an account's own API answers about them.

Source: https://learn.microsoft.com/rest/api/storageservices/data-lake-storage-gen2 (Path: create, get properties,
delete). Deliberately absent: files, access control lists and listing; nobody here writes data into a lake.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Mapping
from typing import Any, Final

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services.base import Call, State, state_of
from localcloud.store import Row

DIRECTORY: Final = "dp-azure:storage:Directory"
"""What a directory is kept as: the resource of the provider that makes them."""
PREFIX: Final = "/dfs/"
_ACCOUNT: Final = "azure-native:storage:StorageAccount"
_PATH: Final = re.compile(r"/dfs/(?P<account>[^/]+)/(?P<filesystem>[^/]+)/(?P<path>.+)")
_ENDPOINT: Final = "azure-native:network:PrivateEndpoint"


class LakeDirectory:
    """The directory as a resource of the world: what lists it and takes it out asks for that. No plugin serves it."""

    client_only: tuple[str, ...] = ()

    def __init__(self, token: str) -> None:
        self.token = token

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """What was asked for."""
        return inputs

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """As over the API."""
        container = str(inputs["filesystemId"])
        return state_of(_make(call.tx, container, str(inputs["path"]), inputs))

    def read(self, call: Call, resource_id: str) -> State | None:
        """By id."""
        row = store.find(call.tx, self.token, resource_id)
        return state_of(row) if row is not None else None

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Nothing of it can change."""
        raise ApiError(400, "UnsupportedOperation", f"The directory {resource_id} cannot be changed.")

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """With what is below it, as somebody with a browser would."""
        row = store.find(call.tx, self.token, resource_id)
        if row is not None:
            for inside in [*store.below(call.tx, row.id), row]:
                store.remove(call.tx, inside)


def answer(
    tx: sqlite3.Connection, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[int, Mapping[str, str]]:
    """Status and headers of a call.

    Raises:
        ApiError: the account's refusal.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise ApiError(400, "InvalidUri", "The request URI is invalid.")
    account = store.find_key(tx, f"arm-global|storage:StorageAccount|{match['account'].lower()}")
    if account is None:
        raise ApiError(404, "ResourceNotFound", f"The host {match['account']}.dfs.core.windows.net could not be found.")
    _require_reachable(tx, account)
    container = f"{account.id}/blobServices/default/containers/{match['filesystem']}"
    if not store.find_id(tx, container):
        raise ApiError(404, "FilesystemNotFound", "The specified filesystem does not exist.")
    named = match["path"].strip("/")
    row = store.find_key(tx, _key(container, named))
    if method == "PUT":
        if query.get("resource") != "directory":
            raise ApiError(400, "InvalidQueryParameterValue", "The embedded cloud's lake holds directories only.")
        if row is not None and headers.get("if-none-match") == "*":
            raise ApiError(409, "PathAlreadyExists", "The specified path already exists.")
        _make(tx, container, named, {"filesystemId": container, "path": named})
        return 201, {}
    if method not in ("HEAD", "DELETE"):
        raise ApiError(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")
    if row is None:
        raise ApiError(404, "PathNotFound", "The specified path does not exist.")
    if method == "HEAD":
        store.adopt(tx, row)
        return 200, {"x-ms-resource-type": "directory"}
    inside = store.below(tx, row.id)
    if inside and query.get("recursive") != "true":
        raise ApiError(
            409,
            "DirectoryNotEmpty",
            "The recursive query parameter value must be true to delete a non-empty directory.",
        )
    for one in [*inside, row]:
        store.remove(tx, one)
    return 200, {}


def _require_reachable(tx: sqlite3.Connection, account: Row) -> None:
    """An account without a public address answers through a private endpoint of its own, or nobody."""
    if account.outputs.get("publicNetworkAccess") != "Disabled":
        return
    for row in store.everything(tx):
        for link in row.outputs.get("privateLinkServiceConnections") or [] if row.token == _ENDPOINT else []:
            named = str(link.get("privateLinkServiceId") or "").lower()
            if named == account.id.lower() and "dfs" in (link.get("groupIds") or []):
                return
    raise ApiError(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")


def _make(tx: sqlite3.Connection, container: str, path: str, inputs: dict[str, Any]) -> Row:
    """The directory, and those above it that are not there."""
    now = time.time()
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        name = "/".join(parts[:depth])
        key = _key(container, name)
        held = store.find_key(tx, key)
        own = depth == len(parts)
        if held is not None:
            if own:
                store.adopt(tx, held)
            continue
        told = inputs if own else {"filesystemId": container, "path": name}
        row = Row(f"{container}/directories/{name}", DIRECTORY, None, key, told, told, (), "user", now, now)
        store.insert(tx, row if own else _by_the_service(row))
    found = store.find_key(tx, _key(container, path))
    assert found is not None
    return found


def _by_the_service(row: Row) -> Row:
    """One that nobody asked for by its name."""
    return Row(
        row.id,
        row.token,
        row.project,
        row.key,
        row.inputs,
        row.outputs,
        row.secrets,
        "storage",
        row.created,
        row.updated,
    )


def _key(container: str, path: str) -> str:
    # A container's name knows no case and is written small; a path does.
    return f"dfs|{container.lower()}|{path}"
