"""Compute profiles, and where they are assigned."""

from __future__ import annotations

import re

from localcloud.cdap import gsonlike
from localcloud.cdap.http import OK, CdapError, Json, Reply, Request, json_reply, not_found
from localcloud.cdap.instance import Instance

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
PROVISIONERS: tuple[Json, ...] = (
    {
        "name": "native",
        "label": "Native",
        "description": "Runs programs on the CDAP master cluster. Does not provision any resources.",
        "configuration-groups": [],
        "beta": False,
    },
    {
        "name": "gcp-dataproc",
        "label": "Dataproc",
        "description": "Stands for Dataproc. Makes no cluster.",
        "configuration-groups": [],
        "beta": False,
    },
)


def _where(namespace: str) -> str:
    return namespace or "system"


def still_enabled(name: str, namespace: str) -> str:
    """Why a profile cannot be deleted yet."""
    return (
        f"Profile {name} in namespace {_where(namespace)} is currently enabled. A profile can only be deleted if it is"
        " disabled"
    )


def provisioners(api: Instance, request: Request) -> Reply:
    """What makes clusters."""
    return json_reply(PROVISIONERS)


def provisioner(api: Instance, request: Request, name: str) -> Reply:
    """One of them."""
    found = next((p for p in PROVISIONERS if p["name"] == name), None)
    if found is None:
        raise CdapError(404, f"Provisioner '{name}' not found")
    return json_reply(found)


def _admit(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise CdapError(400, f"Invalid profile ID: {name}. Should only contain alphanumeric characters and _ or -.")


def _find(api: Instance, namespace: str, name: str) -> Json:
    _admit(name)
    found: Json | None = api.shelf.get("profile", _where(namespace), name)
    if found is None:
        raise not_found(f"profile:{_where(namespace)}.{name}")
    return found


def list_all(api: Instance, request: Request, namespace: str = "") -> Reply:
    """Those of a namespace (it need not be there), with `includeSystem=true` the instance's too; or the instance's."""
    found = [body for _, body in api.shelf.by_key("profile", _where(namespace))]
    if namespace and request.query.get("includeSystem") == "true":
        found += [body for _, body in api.shelf.by_key("profile", "system")]
    return json_reply(found)


def get(api: Instance, request: Request, profile: str, namespace: str = "") -> Reply:
    """One profile."""
    return json_reply(_find(api, namespace, profile))


def status(api: Instance, request: Request, profile: str, namespace: str = "") -> Reply:
    """Whether it is enabled."""
    return json_reply(_find(api, namespace, profile)["status"])


def put(api: Instance, request: Request, profile: str, namespace: str = "") -> Reply:
    """Create or replace; its status and the time it was made stay."""
    _admit(profile)
    if not namespace and profile == "native":
        raise CdapError(405, "Profile Native SYSTEM:native already exists. It cannot be updated")
    try:
        body = gsonlike.plain(gsonlike.parse(request.text))
    except gsonlike.GsonError:
        raise CdapError(400, "Unable to parse request body. Please make sure it is valid JSON") from None
    if not isinstance(body, dict):
        raise CdapError(400, "Unable to parse request body. Please make sure it is valid JSON")
    wanted = body.get("provisioner")
    if not isinstance(wanted, dict):
        raise CdapError(400, "Profile provisioner must be specified.")
    name = wanted.get("name")
    if name not in {p["name"] for p in PROVISIONERS}:
        raise CdapError(
            400, f"The specified provisioner {name} does not exist, thus cannot be associated with a profile"
        )
    if wanted.get("properties") is None:
        raise CdapError(
            500,
            'Cannot invoke "java.util.Set.forEach(java.util.function.Consumer)" because "this.properties" is null',
        )
    old: Json | None = api.shelf.get("profile", _where(namespace), profile)
    made: Json = {"name": profile}
    for key in ("label", "description"):
        if body.get(key) is not None:
            made[key] = body[key]
    made |= {
        "scope": "USER" if namespace else "SYSTEM",
        "status": old["status"] if old else "ENABLED",
        "provisioner": {
            "name": name,
            "properties": wanted["properties"],
            "totalProcessingCpusLabel": "Custom",
        },
        "created": old["created"] if old else int(api.clock()),
    }
    api.shelf.put("profile", _where(namespace), profile, made)
    return OK


def _switch(api: Instance, namespace: str, name: str, to: str) -> Reply:
    found = _find(api, namespace, name)
    if not namespace and name == "native":
        raise CdapError(405, "Cannot change status for Profile Native SYSTEM:native, it should always be ENABLED")
    if found["status"] == to:
        raise CdapError(409, f"Profile {name} already {to}")
    api.shelf.put("profile", _where(namespace), name, {**found, "status": to})
    return OK


def enable(api: Instance, request: Request, profile: str, namespace: str = "") -> Reply:
    """Let it be used."""
    return _switch(api, namespace, profile, "ENABLED")


def disable(api: Instance, request: Request, profile: str, namespace: str = "") -> Reply:
    """Let it be used no more; assignments stay."""
    return _switch(api, namespace, profile, "DISABLED")


def delete(api: Instance, request: Request, profile: str, namespace: str = "") -> Reply:
    """Delete it: not while enabled, not while assigned."""
    if not namespace and profile == "native":
        raise CdapError(405, "Profile Native SYSTEM:native cannot be deleted.")
    if _find(api, namespace, profile)["status"] == "ENABLED":
        raise CdapError(409, still_enabled(profile, namespace))
    user = _assigned(api, namespace, profile)
    if user:
        raise CdapError(
            409,
            f"Profile '{profile}' is still assigned to {user}. Please delete all assignments before deleting the"
            " profile.",
        )
    api.shelf.delete("profile", _where(namespace), profile)
    return OK


def _assigned(api: Instance, namespace: str, profile: str) -> str:
    """What the profile is assigned to, in CDAP's words; empty where to nothing."""
    wanted = f"{'USER' if namespace else 'SYSTEM'}:{profile}"
    scopes = [("", api.shelf.get("preferences", "", "") or {})] if not namespace else []
    for name, _ in api.shelf.items("namespace", ""):
        if namespace in ("", name):
            scopes += [(scope, body) for scope, _, body in api.shelf.below("preferences", name)]
    for scope, found in scopes:
        if found.get("system.profile.name") == wanted:
            return _described(scope)
    for name, _ in api.shelf.items("namespace", ""):
        for scope, schedule, body in api.shelf.below("schedule", name):
            if namespace in ("", name) and body["properties"].get("system.profile.name") == wanted:
                return f"schedule:{scope.replace('/', '.')}.{schedule}"
    return ""


def _described(scope: str) -> str:
    parts = scope.split("/") if scope else []
    if not parts:
        return "the system instance"
    if len(parts) == 1:
        return f"namespace '{parts[0]}'"
    if len(parts) == 2:
        return f"application '{parts[1]}' in namespace '{parts[0]}'"
    return f"program '{parts[3]}' in application '{parts[1]}' in namespace '{parts[0]}'"


def named(api: Instance, namespace: str, text: str) -> tuple[str, Json]:
    """The namespace (`system`) and body of `USER:name` or `SYSTEM:name`; 404 where it is not there."""
    scope, _, name = text.partition(":")
    where = namespace
    if not name:
        scope, name = "SYSTEM", scope
    if scope.upper() == "SYSTEM":
        where = ""
    elif scope.upper() != "USER":
        raise CdapError(400, f"Invalid profile scope {scope}")
    return _where(where), _find(api, where, name)


def assignable(api: Instance, namespace: str, text: str) -> None:
    """Raise where a preference or a schedule cannot name that profile."""
    where, found = named(api, namespace, text)
    if found["status"] != "ENABLED":
        raise CdapError(
            409,
            f"Profile {found['name']} in namespace {where} is disabled. It cannot be assigned to any programs or"
            " schedules",
        )
