"""Namespaces."""

from __future__ import annotations

import hashlib
from typing import Any

from localcloud.cdap import gsonlike
from localcloud.cdap.http import OK, CdapError, Json, Reply, Request, json_reply, not_found, text_reply
from localcloud.cdap.instance import DEFAULT, NAMESPACE, Instance

_RESERVED = ("system", DEFAULT, "cdap")
_FIXED = ("root.directory", "hbase.namespace", "hive.database", "principal", "groupName")
"""What a namespace is mapped to, which only its creation can say."""


def _body(request: Request) -> Json:
    try:
        value = gsonlike.plain(gsonlike.parse(request.text))
    except gsonlike.GsonError:
        raise CdapError(400, "Invalid json object provided in request body.") from None
    if value is None:
        return {}
    if not isinstance(value, dict) or not isinstance(value.get("config") or {}, dict):
        raise CdapError(400, "Invalid json object provided in request body.")
    return value


def identity(name: str) -> str:
    """The name under which other systems know the namespace: made of its name, so the same again after a deletion."""
    if name == DEFAULT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:15]
    return f"{name.lower().replace('_', '-')}-{digest}"


def list_all(api: Instance, request: Request) -> Reply:
    """All namespaces."""
    return json_reply([body for _, body in api.shelf.by_key("namespace", "")])


def get(api: Instance, request: Request, namespace: str) -> Reply:
    """One namespace."""
    return json_reply(api.namespace(namespace))


def create(api: Instance, request: Request, namespace: str) -> Reply:
    """Create it; one that is there stays as it is, which is no error."""
    if not NAMESPACE.fullmatch(namespace):
        raise CdapError(400, "Namespace id can contain only alphanumeric characters or '_'.")
    body = _body(request)
    if namespace in _RESERVED[:2]:
        raise CdapError(400, f"Cannot create the namespace '{namespace}'. '{namespace}' is a reserved namespace.")
    if api.has_namespace(namespace):
        return text_reply(f"Namespace '{namespace}' already exists.")
    if api.settings.edition == "BASIC":
        raise CdapError(
            403, f"Namespace '{namespace}' cannot be created: an instance of the Basic edition has only '{DEFAULT}'."
        )
    config = body.get("config") or {}
    api.shelf.put(
        "namespace",
        "",
        namespace,
        {
            "name": namespace,
            "identity": identity(namespace),
            "description": body.get("description") or "",
            "generation": api.millis(),
            "config": {"scheduler.queue.name": config.get("scheduler.queue.name") or ""},
        },
    )
    return text_reply(f"Namespace '{namespace}' created successfully.")


def update(api: Instance, request: Request, namespace: str) -> Reply:
    """Change what is given; what CDAP does not know is dropped."""
    body = _body(request)
    found = api.namespace(namespace)
    config: dict[str, Any] = body.get("config") or {}
    fixed = [key for key in _FIXED if config.get(key) is not None]
    if fixed:
        raise CdapError(
            400,
            f"Mappings [{', '.join(fixed)}] for namespace namespace:{namespace} cannot be updated once the namespace"
            " is created.",
        )
    if body.get("description") is not None:
        found["description"] = body["description"]
    if config.get("scheduler.queue.name") is not None:
        found["config"]["scheduler.queue.name"] = config["scheduler.queue.name"]
    api.shelf.put("namespace", "", namespace, found)
    return text_reply(f"Updated properties for namespace '{namespace}'.")


def delete_datasets(api: Instance, request: Request, namespace: str) -> Reply:
    """Delete the data: the embedded cloud has none."""
    _admit_reset(api, namespace)
    api.namespace(namespace)
    return OK


def delete(api: Instance, request: Request, namespace: str) -> Reply:
    """Delete it with its apps, artifacts and preferences. Secure keys stay.

    Profiles go last: one that is enabled stops the deletion, when all else is already gone.
    """
    from localcloud.cdap import apps, profiles, programs

    _admit_reset(api, namespace)
    api.namespace(namespace)
    if programs.active_in(api, namespace):
        raise CdapError(
            409,
            f"'namespace:{namespace}' could not be deleted. Reason: Some programs are currently running in namespace"
            f" 'namespace:{namespace}', please stop them before deleting namespace",
        )
    apps.forget_all(api, namespace)
    for kind in ("artifact", "preferences"):
        api.shelf.delete_below(kind, namespace)
    enabled = next((p for _, p in api.shelf.items("profile", namespace) if p["status"] == "ENABLED"), None)
    if enabled is not None:
        reason = profiles.still_enabled(enabled["name"], namespace)
        # A refusal undoes what a request did; this one does not, in CDAP either.
        raise KeptError(409, f"'namespace:{namespace}' could not be deleted. Reason: {reason}")
    api.shelf.delete_below("profile", namespace)
    if namespace != DEFAULT:
        api.shelf.delete("namespace", "", namespace)
    return OK


class KeptError(CdapError):
    """A refusal that comes after changes, which stay."""


def _admit_reset(api: Instance, namespace: str) -> None:
    if not api.settings.unrecoverable:
        raise CdapError(
            403,
            f"Namespace '{namespace}' cannot be deleted because 'enable.unrecoverable.reset' is not enabled. Please"
            " enable it and restart CDAP Master.",
        )
    if namespace == "system":
        raise not_found("namespace:system")
