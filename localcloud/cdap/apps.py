"""Apps (pipelines are apps of the artifact cdap-data-pipeline) and their versions."""

from __future__ import annotations

import re
from typing import Any

from localcloud.cdap import artifacts, catalog, gsonlike, pipelines, schedules, versions
from localcloud.cdap.http import OK, CdapError, Json, Reply, Request, json_reply, not_found, text_reply
from localcloud.cdap.instance import Instance, time_uuid

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_STREAM = "application/octet-stream"
"""What lists of apps are sent as, being JSON all the same."""
SNAPSHOT = "-SNAPSHOT"


def _admit(api: Instance, namespace: str, app: str) -> None:
    api.namespace(namespace) if namespace != "system" else None
    if not _NAME.fullmatch(app):
        raise CdapError(400, f"Invalid app name '{app}'")


def latest(api: Instance, namespace: str, app: str) -> Json | None:
    """The latest version of an app."""
    found: Json | None = api.shelf.get("app", namespace, app)
    return None if found is None else api.shelf.get("version", f"{namespace}/{app}", found["latest"])


def require(api: Instance, namespace: str, app: str) -> Json:
    """The latest version; 404 where there is none."""
    found = latest(api, namespace, app)
    if found is None:
        raise not_found(f"applicationreference:{namespace}.{app}")
    return found


def all_latest(api: Instance, namespace: str) -> list[Json]:
    """The latest version of every app of a namespace, in the order of its table."""
    names = [name for name, _ in api.shelf.by_key("app", namespace)]
    return [version for name in names if (version := latest(api, namespace, name)) is not None]


def _change(version: Json, is_latest: bool | None = None) -> Json:
    change: Json = {"author": version["author"], "creationTimeMillis": version["created"]}
    if is_latest is not None:
        change["latest"] = is_latest
    if version.get("change"):
        change["description"] = version["change"]
    if is_latest is None and version.get("parent"):
        change["parentVersion"] = version["parent"]
    return change


def record(version: Json, is_latest: bool | None = None) -> Json:
    """An app as lists and deployments show it."""
    return {
        "type": "App",
        "name": version["name"],
        "version": version["version"],
        "description": version["description"],
        "artifact": version["artifact"],
        "change": _change(version, is_latest),
    }


def detail(version: Json, is_latest: bool) -> Json:
    """An app as itself."""
    return {
        "name": version["name"],
        "appVersion": version["version"],
        "description": version["description"],
        "change": _change(version, is_latest),
        "configuration": version["configuration"],
        "datasets": version["datasets"],
        "programs": [
            {"type": p["type"], "app": version["name"], "name": p["name"], "description": p["description"]}
            for p in version["programs"]
        ],
        "plugins": version["plugins"],
        "artifact": version["artifact"],
    }


def list_all(api: Instance, request: Request, namespace: str) -> Reply:
    """The latest versions; a page of them with `pageSize`."""
    api.namespace(namespace) if namespace != "system" else None
    wanted = [name for name in request.query.get("artifactName", "").split(",") if name]
    found = [
        v
        for v in all_latest(api, namespace)
        if (not wanted or v["artifact"]["name"] in wanted)
        and request.query.get("artifactVersion", v["artifact"]["version"]) == v["artifact"]["version"]
        and request.query.get("nameFilter", "").lower() in v["name"].lower()
    ]
    if request.query.get("orderBy") == "DESC":
        found.reverse()
    token = request.query.get("pageToken", "").partition(".")[0]
    if token:
        names = [v["name"] for v in found]
        found = found[names.index(token) + 1 :] if token in names else []
    size = request.query.get("pageSize", "")
    if not size.isdigit() or not int(size):
        return json_reply([record(v, True) for v in found], _STREAM)
    page = found[: int(size)]
    answer: Json = {"applications": [record(v, True) for v in page]}
    if len(page) == int(size) and page:
        answer["nextPageToken"] = f"{page[-1]['name']}.{page[-1]['version']}"
    return json_reply(answer, _STREAM)


def get(api: Instance, request: Request, namespace: str, app: str) -> Reply:
    """The latest version of one app."""
    _admit(api, namespace, app)
    return json_reply(detail(require(api, namespace, app), True))


def list_versions(api: Instance, request: Request, namespace: str, app: str) -> Reply:
    """The versions of an app, the newest first."""
    _admit(api, namespace, app)
    found = [name for name, _ in api.shelf.items("version", f"{namespace}/{app}")]
    if not found:
        raise not_found(f"application:{namespace}.{app}.{SNAPSHOT}")
    return json_reply(found[::-1])


def get_version(api: Instance, request: Request, namespace: str, app: str, version: str) -> Reply:
    """One version."""
    _admit(api, namespace, app)
    newest = latest(api, namespace, app)
    found = newest if version == SNAPSHOT else api.shelf.get("version", f"{namespace}/{app}", version)
    if found is None:
        raise not_found(f"application:{namespace}.{app}.{version}")
    return json_reply(detail(found, newest is not None and found["version"] == newest["version"]))


def deploy(api: Instance, request: Request, namespace: str, app: str) -> Reply:
    """Deploy: every request makes a new version, an identical one too."""
    _admit(api, namespace, app)
    try:
        wanted = gsonlike.parse(request.text)
    except gsonlike.GsonError as error:
        raise CdapError(400, error.chained) from None
    if wanted is None:
        raise CdapError(
            400, 'Cannot invoke "io.cdap.cdap.proto.artifact.AppRequest.getArtifact()" because "appRequest" is null'
        )
    if not isinstance(wanted, dict):
        raise CdapError(400, gsonlike.expected_object(wanted))
    version = make(api, namespace, app, wanted)
    return json_reply(record(version))


def create_version(api: Instance, request: Request, namespace: str, app: str, version: str) -> Reply:
    """Deploy as a version of that name: the name is ignored."""
    return deploy(api, request, namespace, app)


def update(api: Instance, request: Request, namespace: str, app: str) -> Reply:
    """Deploy with the artifact or the configuration changed; what is left out stays."""
    _admit(api, namespace, app)
    try:
        wanted = gsonlike.parse(request.text)
    except gsonlike.GsonError as error:
        raise CdapError(400, f"Request body is invalid json: {error.chained}") from None
    old = latest(api, namespace, app)
    if old is None:
        raise not_found(f"application:{namespace}.{app}.{SNAPSHOT}")
    body = wanted if isinstance(wanted, dict) else {}
    make(api, namespace, app, {"artifact": old["artifact"], "config": old["configuration"], **body})
    return text_reply("Update complete.")


def make(api: Instance, namespace: str, app: str, wanted: Json) -> Json:
    """The new version. Raises CdapError where CDAP would refuse it."""
    newest = latest(api, namespace, app)
    parent = ((wanted.get("change") or {}) if isinstance(wanted.get("change"), dict) else {}).get("parentVersion")
    if newest is not None and parent is not None and parent != newest["version"]:
        raise CdapError(
            409,
            f"Cannot deploy the application because parent version '{parent}' does not match the latest version"
            f" '{newest['version']}'.",
        )
    where, artifact = _artifact(api, namespace, wanted.get("artifact"))
    text = _configuration(wanted)
    if artifact["name"] != catalog.PIPELINE:
        raise CdapError(400, f"No application class found in artifact {artifact['name']} {artifact['version']}")
    pipeline = pipelines.read(api, namespace, artifact, text)
    change = wanted.get("change") if isinstance(wanted.get("change"), dict) else {}
    assert isinstance(change, dict)
    now = api.clock()
    version: Json = {
        "name": app,
        "version": time_uuid(now),
        "description": pipeline.description,
        "author": api.settings.user,
        "created": int(now * 1000),
        "change": change.get("description"),
        "parent": parent,
        "configuration": text,
        "artifact": {
            "name": artifact["name"],
            "version": artifact["version"],
            "scope": "SYSTEM" if where == "system" else "USER",
        },
        "engine": pipeline.engine,
        "programs": pipeline.programs,
        "plugins": pipeline.plugins,
        "datasets": pipeline.datasets,
    }
    api.shelf.put("version", f"{namespace}/{app}", version["version"], version)
    api.shelf.put("app", namespace, app, {"latest": version["version"]})
    if wanted.get("app.deploy.update.schedules") is not False or newest is None:
        schedules.deployed(api, namespace, app, pipeline.schedule)
    return version


def _configuration(wanted: Json) -> str:
    """The configuration as it is kept and given back: JSON text, every number a double."""
    given: Any = wanted.get("config", wanted.get("configuration"))
    if given is None:
        return ""
    return given if isinstance(given, str) else gsonlike.dumps(gsonlike.doubles(given))


def _artifact(api: Instance, namespace: str, summary: Any) -> tuple[str, Json]:
    if summary is None:
        raise CdapError(
            400, 'Cannot invoke "io.cdap.cdap.api.artifact.ArtifactSummary.getScope()" because "summary" is null'
        )
    scope = str(summary.get("scope") or "USER").upper()
    where = "system" if scope == "SYSTEM" else namespace
    name = summary.get("name")
    version = gsonlike.scalar(summary.get("version") or "")
    wanted: versions.Range | None = None
    if version[:1] in ("[", "("):
        try:
            wanted = versions.read_range(version)
        except versions.BadRangeError as error:
            raise CdapError(400, str(error)) from None
    elif versions.read(version) is None:
        raise CdapError(400, "Could not parse 'null' as an artifact version.")
    found = [
        a
        for a in artifacts.all_of(api, where)
        if a["name"] == name and (wanted.holds(a["version"]) if wanted else a["version"] == version)
    ]
    if not found:
        raise CdapError(404, f"'{where}:{name} {version}' was not found.")
    return where, max(found, key=lambda a: key.key if (key := versions.read(a["version"])) else ((0, 0, 0), 0, ""))


def delete(api: Instance, request: Request, namespace: str, app: str) -> Reply:
    """Delete an app with its versions, schedules, preferences and runs; not while it runs."""
    from localcloud.cdap import programs

    _admit(api, namespace, app)
    require(api, namespace, app)
    running = programs.active_of(api, namespace, app)
    if running:
        raise CdapError(
            409,
            f"'applicationreference:{namespace}.{app}' could not be deleted. Reason: The following programs are still"
            f" running: {', '.join(running)}",
        )
    forget(api, namespace, app)
    return OK


def delete_version(api: Instance, request: Request, namespace: str, app: str, version: str) -> Reply:
    """Versions are not deleted one by one."""
    raise CdapError(403, "Deletion of specific app version is not allowed.")


def delete_all(api: Instance, request: Request, namespace: str) -> Reply:
    """Delete all apps of a namespace; not while one runs."""
    from localcloud.cdap import programs

    api.namespace(namespace)
    running = programs.active_in(api, namespace)
    if running:
        raise CdapError(
            409,
            f"'namespace:{namespace}' could not be deleted. Reason: The following programs are still running:"
            f" {', '.join(running)}",
        )
    forget_all(api, namespace)
    return OK


def forget(api: Instance, namespace: str, app: str) -> None:
    """Remove all that belongs to an app."""
    scope = f"{namespace}/{app}"
    for kind in ("version", "schedule", "run", "preferences"):
        api.shelf.delete_below(kind, scope)
    api.shelf.delete("app", namespace, app)


def forget_all(api: Instance, namespace: str) -> None:
    """Remove all apps of a namespace."""
    for name, _ in api.shelf.items("app", namespace):
        forget(api, namespace, name)


def details(api: Instance, request: Request, namespace: str) -> Reply:
    """Several apps in one request: `[{"appId": …, "version": …}]`. Without its version an app is not found."""
    api.namespace(namespace)
    try:
        wanted = gsonlike.plain(gsonlike.parse(request.text))
    except gsonlike.GsonError as error:
        raise CdapError(400, f"Request body is invalid json: {error.chained}") from None
    if wanted is None:
        raise CdapError(400, "Request body is invalid json, please check that it is a json array.")
    if not isinstance(wanted, list):
        kind = "JsonObject" if isinstance(wanted, dict) else "JsonPrimitive"
        raise CdapError(500, f"Cannot cast com.google.gson.{kind} to com.google.gson.JsonArray")
    answers: list[Json] = []
    for item in wanted:
        if not isinstance(item, dict) or item.get("appId") is None:
            raise CdapError(400, "Missing 'appId' in the request element.")
        app, version = str(item["appId"]), str(item.get("version") or SNAPSHOT)
        found = api.shelf.get("version", f"{namespace}/{app}", version)
        if found is None:
            answers.append({"statusCode": 404, "error": f"'application:{namespace}.{app}.{version}' was not found."})
            continue
        newest = latest(api, namespace, app)
        answers.append(
            {"statusCode": 200, "detail": detail(found, newest is not None and newest["version"] == version)}
        )
    return json_reply(answers)
