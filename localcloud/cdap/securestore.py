"""Secure keys. Their values are in the world's database, as a cloud keeps them, and in no log and no message."""

from __future__ import annotations

import re

from localcloud.cdap import gsonlike
from localcloud.cdap.http import OK, CdapError, Json, Reply, Request, json_reply, not_found
from localcloud.cdap.instance import Instance

_NAME = re.compile(r"[a-z0-9_-]+")


def _metadata(key: Json) -> Json:
    return {k: v for k, v in key.items() if k != "data"}


def _find(api: Instance, namespace: str, key: str) -> Json:
    api.namespace(namespace)
    found: Json | None = api.shelf.get("securekey", namespace, key)
    if found is None:
        raise CdapError(404, f"{key} not found in the secure store.")
    return found


def list_all(api: Instance, request: Request, namespace: str) -> Reply:
    """Names and descriptions."""
    api.namespace(namespace)
    return json_reply([_metadata(key) for _, key in api.shelf.items("securekey", namespace)])


def get(api: Instance, request: Request, namespace: str, key: str) -> Reply:
    """The value, as it was given."""
    value = str(_find(api, namespace, key)["data"])
    return Reply(body=value.encode(), content_type="text/plain;charset=utf-8")


def metadata(api: Instance, request: Request, namespace: str, key: str) -> Reply:
    """All but the value."""
    return json_reply(_metadata(_find(api, namespace, key)))


def put(api: Instance, request: Request, namespace: str, key: str) -> Reply:
    """Create or replace."""
    if not _NAME.fullmatch(key):
        raise CdapError(
            500,
            f"Improperly formatted secure key name '{key}'. The name can contain lower case english or latin"
            " alphabets, numbers, _, and -",
        )
    try:
        body = gsonlike.plain(gsonlike.parse(request.text))
    except gsonlike.GsonError as error:
        raise CdapError(500, error.message) from None
    if body is None:
        raise CdapError(
            400,
            "Unable to parse the request. The request body should be of the following format. \n"
            '{"description":"\\u003cdescription\\u003e","data":"\\u003cdata\\u003e","properties":{"key":"value"}}',
        )
    if not isinstance(body, dict) or not body.get("data"):
        raise CdapError(
            400, "The data field must not be null or empty. The data will be stored securely under provided key name."
        )
    api.namespace(namespace)
    stored: Json = {"name": key}
    if body.get("description") is not None:
        stored["description"] = str(body["description"])
    stored |= {"createdEpochMs": api.millis(), "properties": body.get("properties") or {}, "data": str(body["data"])}
    api.shelf.put("securekey", namespace, key, stored)
    return OK


def delete(api: Instance, request: Request, namespace: str, key: str) -> Reply:
    """Delete it."""
    api.namespace(namespace)
    if not api.shelf.delete("securekey", namespace, key):
        raise not_found(f"securekey:{namespace}.{key}")
    return OK
