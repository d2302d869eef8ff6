"""Artifacts: jars with apps and plugins. Of an uploaded jar only what its headers and its manifest say is kept."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from localcloud.cdap import catalog, gsonlike, versions
from localcloud.cdap.http import OK, CdapError, Json, Reply, Request, json_reply, not_found, text_reply
from localcloud.cdap.instance import Instance

_NAME = re.compile(r"[a-zA-Z0-9_.-]+")


def _summary(artifact: Json, scope: str) -> Json:
    return {"name": artifact["name"], "version": artifact["version"], "scope": scope}


def _scope(request: Request, default: str = "USER") -> str:
    scope = request.query.get("scope")
    if scope is None:
        return default
    if scope.upper() not in ("SYSTEM", "USER"):
        raise CdapError(400, f"Invalid scope {scope}")
    return scope.upper()


def _where(api: Instance, namespace: str, scope: str) -> str:
    """The namespace artifacts of that scope are kept in."""
    if namespace != "system":
        api.namespace(namespace)
    return "system" if scope == "SYSTEM" or namespace == "system" else namespace


def _scope_of(where: str) -> str:
    return "SYSTEM" if where == "system" else "USER"


def find(api: Instance, where: str, name: str, version: str) -> Json | None:
    """An artifact of the namespace (`system`)."""
    found: Json | None = api.shelf.get("artifact", where, f"{name} {version}")
    return found


def all_of(api: Instance, where: str) -> list[Json]:
    """The artifacts of a namespace (`system`)."""
    found = [body for _, body in api.shelf.items("artifact", where)]
    return sorted(found, key=lambda a: (len(a["name"]), a["name"], len(a["version"]), a["version"]))


def list_all(api: Instance, request: Request, namespace: str) -> Reply:
    """Artifacts of the namespace and, without a scope, of the system."""
    scope = _scope(request, "")
    where = _where(api, namespace, scope)
    found: list[Json] = []
    if scope != "USER" or where == "system":
        found += [_summary(a, "SYSTEM") for a in all_of(api, "system")]
    if scope != "SYSTEM" and where != "system":
        found += [_summary(a, "USER") for a in all_of(api, where)]
    return json_reply(found)


def list_versions(api: Instance, request: Request, namespace: str, artifact: str) -> Reply:
    """The versions of one artifact."""
    where = _where(api, namespace, _scope(request))
    found = [a for a in all_of(api, where) if a["name"] == artifact]
    if not found:
        raise CdapError(404, f"'{where}:{artifact}' was not found.")
    return json_reply([_summary(a, _scope_of(where)) for a in found])


def _one(api: Instance, request: Request, namespace: str, artifact: str, version: str) -> tuple[str, Json]:
    where = _where(api, namespace, _scope(request))
    found = find(api, where, artifact, version)
    if found is None:
        raise not_found(f"artifact:{where}.{artifact}.{version}")
    return where, found


def get(api: Instance, request: Request, namespace: str, artifact: str, version: str) -> Reply:
    """One artifact with its classes."""
    where, found = _one(api, request, namespace, artifact, version)
    return json_reply(
        {
            "classes": {
                "apps": [{**app, "requirements": {"datasetTypes": [], "capabilities": []}} for app in found["apps"]],
                "plugins": [catalog.shown_plugin(p) for p in found["plugins"]],
            },
            "properties": found.get("properties", {}),
            "parents": found["parents"],
            **_summary(found, _scope_of(where)),
        }
    )


def properties(api: Instance, request: Request, namespace: str, artifact: str, version: str) -> Reply:
    """Its properties."""
    return json_reply(_one(api, request, namespace, artifact, version)[1].get("properties", {}))


def put_properties(api: Instance, request: Request, namespace: str, artifact: str, version: str) -> Reply:
    """Replace its properties."""
    where = "system" if namespace == "system" else _where(api, namespace, "USER")
    try:
        values = gsonlike.string_map(gsonlike.parse(request.text)) or {}
    except (gsonlike.GsonError, gsonlike.NullValueError):
        raise CdapError(
            400,
            "Json Syntax Error while parsing properties from request. Please check that the properties are a json map"
            " from string to string.",
        ) from None
    found = _own(api, where, artifact, version)
    _keep(api, where, {**found, "properties": values})
    return OK


def delete_properties(api: Instance, request: Request, namespace: str, artifact: str, version: str) -> Reply:
    """Delete all its properties."""
    where = _where(api, namespace, "USER")
    _keep(api, where, {**_own(api, where, artifact, version), "properties": {}})
    return OK


def get_property(api: Instance, request: Request, namespace: str, artifact: str, version: str, key: str) -> Reply:
    """One property; an empty answer where it is not there."""
    found = _one(api, request, namespace, artifact, version)[1].get("properties", {})
    return text_reply(found[key]) if key in found else OK


def put_property(api: Instance, request: Request, namespace: str, artifact: str, version: str, key: str) -> Reply:
    """Set one property to the body as it is."""
    where = _where(api, namespace, "USER")
    found = _own(api, where, artifact, version)
    _keep(api, where, {**found, "properties": {**found.get("properties", {}), key: request.text}})
    return OK


def delete_property(api: Instance, request: Request, namespace: str, artifact: str, version: str, key: str) -> Reply:
    """Delete one property."""
    where = _where(api, namespace, "USER")
    found = _own(api, where, artifact, version)
    _keep(api, where, {**found, "properties": {k: v for k, v in found.get("properties", {}).items() if k != key}})
    return OK


def _own(api: Instance, where: str, artifact: str, version: str) -> Json:
    found = find(api, where, artifact, version)
    if found is None:
        raise not_found(f"artifact:{where}.{artifact}.{version}")
    return found


def _keep(api: Instance, where: str, artifact: Json) -> None:
    api.shelf.put("artifact", where, f"{artifact['name']} {artifact['version']}", artifact)


def add(api: Instance, request: Request, namespace: str, artifact: str) -> Reply:
    """Upload a jar. A version that is there is refused, unless it is a SNAPSHOT."""
    where = _where(api, namespace, "USER")
    if not _NAME.fullmatch(artifact):
        raise CdapError(
            400, f"Invalid artifact ID: {artifact}. Should only contain alphanumeric characters and _ or - or ."
        )
    given = request.headers.get("artifact-version")
    if not given:
        given = (_manifest(request.body) or {}).get("Bundle-Version")
        if not given:
            raise CdapError(400, "Could not find Bundle-Version in the manifest: Bundle-Version must not be null")
    version = versions.read(given)
    if version is None:
        raise CdapError(400, f"Invalid artifact version {given}")
    parents = _parents(request.headers.get("artifact-extends"))
    plugins = _plugins(request.headers.get("artifact-plugins"))
    if where == "system":
        raise CdapError(403, "System artifacts cannot be added by a request.")
    classes = _classes_in(request.body)
    if classes is None:
        raise CdapError(
            400, f"Couldn't unzip artifact artifact:{where}.{artifact}.{given}, please check it is a valid jar file."
        )
    if find(api, where, artifact, given) is not None and not version.snapshot:
        raise CdapError(409, f"Artifact artifact:{where}.{artifact}.{given} already exists.")
    if parents and not any(_there(api, where, parent) for parent in parents):
        wanted = "/".join(parent.text for parent in parents)
        raise CdapError(
            404, f"Artifact artifact:{where}.{artifact}.{given} extends artifacts '{wanted}' that do not exist"
        )
    missing = [p["className"] for p in plugins if p.get("className") not in classes]
    if missing:
        raise CdapError(
            400, f"Artifact {artifact} with version {given} and scope USER does not have class {missing[0]}."
        )
    _keep(
        api,
        where,
        {
            "name": artifact,
            "version": given,
            "parents": [parent.shown() for parent in parents],
            "apps": [],
            "plugins": plugins,
            "properties": {},
            "size": len(request.body),
        },
    )
    return text_reply("Artifact added successfully")


def _there(api: Instance, where: str, parent: versions.Range) -> bool:
    return any(
        a["name"] == parent.name and parent.holds(a["version"])
        for a in all_of(api, "system" if parent.namespace == "system" else where)
    )


def _manifest(jar: bytes) -> dict[str, str] | None:
    """The main attributes of a jar's manifest; None where the bytes are no jar."""
    try:
        with zipfile.ZipFile(io.BytesIO(jar)) as archive:
            if "META-INF/MANIFEST.MF" not in archive.namelist():
                return {}
            text = archive.read("META-INF/MANIFEST.MF").decode("utf-8", "replace")
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return None
    lines = text.replace("\r\n", "\n").replace("\n ", "").split("\n\n")[0].split("\n")
    return {key: value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}


def _classes_in(jar: bytes) -> set[str] | None:
    """The names of a jar's classes; None where the bytes are no jar."""
    try:
        with zipfile.ZipFile(io.BytesIO(jar)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return None
    return {name.removesuffix(".class").replace("/", ".") for name in names if name.endswith(".class")}


def _parents(header: str | None) -> list[versions.Range]:
    if not header:
        return []
    found = []
    for text in header.split("/"):
        try:
            found.append(versions.read_range(text))
        except versions.BadRangeError as error:
            # With a namespace before it CDAP tries once more as if there were none, and tells what came of that.
            head = text.partition("[")[0].partition("(")[0]
            again = ":" in head and head != text
            said = f"Invalid artifact range {text}. Artifact name '{head}' is invalid." if again else str(error)
            raise CdapError(400, f"Invalid artifact range {header}: {said}") from None
    return found


def _plugins(header: str | None) -> list[Json]:
    if not header:
        return []
    try:
        found = gsonlike.plain(gsonlike.parse(header))
    except gsonlike.GsonError:
        found = None
    if not isinstance(found, list) or not all(isinstance(p, dict) for p in found):
        raise CdapError(400, f"Artifact-Plugins header '{header}' is invalid.")
    return [_plugin(p) for p in found]


def _plugin(given: Json) -> Json:
    kept: Json = {key: given[key] for key in ("type", "name", "className", "configFieldName") if key in given}
    kept["description"] = given.get("description") or ""
    kept["properties"] = {
        name: [p.get("type", "string"), bool(p.get("required")), bool(p.get("macroSupported")), False]
        for name, p in (given.get("properties") or {}).items()
    }
    return kept


def delete(api: Instance, request: Request, namespace: str, artifact: str, version: str) -> Reply:
    """Delete one version, in use or not."""
    where = "system" if namespace == "system" else _where(api, namespace, "USER")
    if not api.shelf.delete("artifact", where, f"{artifact} {version}"):
        raise not_found(f"artifact:{where}.{artifact}.{version}")
    return OK


def reload(api: Instance, request: Request) -> Reply:
    """Put the system artifacts back that were deleted."""
    api.load_system_artifacts()
    return OK


def extending(api: Instance, namespace: str, parent: Json, where: str) -> list[tuple[str, Json]]:
    """Artifacts of the system and of the namespace that extend that one, with their scopes."""
    found: list[tuple[str, Json]] = []
    places = [("SYSTEM", "system")] + ([("USER", namespace)] if namespace != "system" else [])
    for scope, place in places:
        for artifact in all_of(api, place):
            ranges = [versions.from_shown(p) for p in artifact["parents"]]
            itself = artifact["name"] == parent["name"] and place == where
            if itself or any(
                r.namespace == where and r.name == parent["name"] and r.holds(parent["version"]) for r in ranges
            ):
                found.append((scope, artifact))
    return found


def _classes(
    api: Instance, request: Request, namespace: str, artifact: str, version: str
) -> list[tuple[Json, dict[str, Any]]]:
    where, found = _one(api, request, namespace, artifact, version)
    return [
        (_summary(a, scope), plugin) for scope, a in extending(api, namespace, found, where) for plugin in a["plugins"]
    ]


def extensions(api: Instance, request: Request, namespace: str, artifact: str, version: str) -> Reply:
    """The types of plugins an app of that artifact can use."""
    return json_reply(list(dict.fromkeys(p["type"] for _, p in _classes(api, request, namespace, artifact, version))))


def extension_type(api: Instance, request: Request, namespace: str, artifact: str, version: str, type_: str) -> Reply:
    """The plugins of one type."""
    found = _classes(api, request, namespace, artifact, version)
    return json_reply([_plugin_summary(summary, p) for summary, p in found if p["type"] == type_])


def _plugin_summary(summary: Json, plugin: Json) -> Json:
    shown = {key: plugin[key] for key in ("name", "type", "category") if key in plugin}
    return shown | {
        "description": plugin.get("description", ""),
        "className": plugin["className"],
        "artifact": summary,
    }


def extension_plugin(
    api: Instance, request: Request, namespace: str, artifact: str, version: str, type_: str, plugin: str
) -> Reply:
    """One plugin, in every artifact that has it."""
    found = [
        (summary, p)
        for summary, p in _classes(api, request, namespace, artifact, version)
        if (p["type"], p["name"]) == (type_, plugin)
    ]
    if not found:
        where = "system" if _scope(request) == "SYSTEM" else namespace
        raise CdapError(404, f"'{where}:{type_}:{plugin}' was not found.")
    return json_reply(
        [
            ({"configFieldName": p["configFieldName"]} if "configFieldName" in p else {})
            | {"properties": catalog.properties(p)}
            | _plugin_summary(summary, p)
            for summary, p in found
        ]
    )
