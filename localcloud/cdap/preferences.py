"""Preferences: of the instance, a namespace, an app, a program; each level overrides those above it."""

from __future__ import annotations

from localcloud.cdap import gsonlike
from localcloud.cdap.http import OK, CdapError, Reply, Request, json_reply
from localcloud.cdap.instance import Instance

PROFILE = "system.profile.name"


def of(api: Instance, scope: str) -> dict[str, str]:
    """What was set at that level: ``, `ns1`, `ns1/p1` or `ns1/p1/workflows/X`."""
    found: dict[str, str] | None = api.shelf.get("preferences", scope, "")
    return found or {}


def resolved(api: Instance, scope: str) -> dict[str, str]:
    """What holds at that level; the keys in the order CDAP's hash map gives them are sorted here."""
    found: dict[str, str] = {}
    parts = scope.split("/") if scope else []
    levels = ["", *("/".join(parts[:count]) for count in (1, 2, 4) if len(parts) >= count)]
    for level in levels:
        found |= of(api, level)
    return dict(sorted(found.items()))


def _scope(api: Instance, namespace: str, app: str, type_: str, program: str) -> str:
    from localcloud.cdap import apps, programs

    if not namespace:
        return ""
    if not app:
        if not api.has_namespace(namespace):
            raise CdapError(404, f"Namespace {namespace} not present")
        return namespace
    latest = apps.latest(api, namespace, app)
    if latest is None:
        raise CdapError(404, f"'application:{namespace}.{app}.-SNAPSHOT' was not found.")
    if not type_:
        return f"{namespace}/{app}"
    programs.require(api, namespace, app, type_, program, latest)
    return f"{namespace}/{app}/{type_}/{program}"


def get(
    api: Instance, request: Request, namespace: str = "", app: str = "", type_: str = "", program: str = ""
) -> Reply:
    """One level, or with `resolved=true` what holds there."""
    scope = _scope(api, namespace, app, type_, program)
    return json_reply(resolved(api, scope) if request.query.get("resolved") == "true" else of(api, scope))


def put(
    api: Instance, request: Request, namespace: str = "", app: str = "", type_: str = "", program: str = ""
) -> Reply:
    """Replace a level."""
    from localcloud.cdap import profiles

    scope = _scope(api, namespace, app, type_, program)
    try:
        found = gsonlike.string_map(gsonlike.parse(request.text)) or {}
    except gsonlike.GsonError:
        raise CdapError(400, "Invalid JSON in body") from None
    except gsonlike.NullValueError as error:
        raise CdapError(500, str(error)) from None
    if PROFILE in found:
        if not scope and not found[PROFILE].upper().startswith("SYSTEM:"):
            raise CdapError(
                400,
                f"Cannot set profile {found[PROFILE]} at the instance level. Only system profiles can be set at the"
                " instance level. The profile property must look like SYSTEM:[profile-name]",
            )
        profiles.assignable(api, namespace, found[PROFILE])
    api.shelf.put("preferences", scope, "", found)
    return OK


def delete(
    api: Instance, request: Request, namespace: str = "", app: str = "", type_: str = "", program: str = ""
) -> Reply:
    """Empty a level; doing it again is no error."""
    api.shelf.delete("preferences", _scope(api, namespace, app, type_, program), "")
    return OK
