"""Paths of the API, and what answers them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import unquote

from localcloud.cdap import (
    apps,
    artifacts,
    batches,
    logs,
    namespaces,
    preferences,
    profiles,
    programs,
    scenario,
    schedules,
    securestore,
    studio,
)
from localcloud.cdap.http import CdapError, Reply, Request, json_reply
from localcloud.cdap.instance import Instance


class Handler(Protocol):
    """What answers a request; the parts of the path come by name."""

    def __call__(self, api: Instance, request: Request, **parts: str) -> Reply:
        """Answer, or raise CdapError."""
        ...


def _version(api: Instance, request: Request) -> Reply:
    return json_reply({"version": api.settings.version})


_NS = "/v3/namespaces/{namespace}"
_APP = f"{_NS}/apps/{{app}}"
_VERSION = f"{_APP}/versions/{{version}}"
_PROGRAM = f"{_APP}/{{type_}}/{{program}}"
_ARTIFACT = f"{_NS}/artifacts/{{artifact}}"
_ARTIFACT_VERSION = f"{_ARTIFACT}/versions/{{version}}"
_STUDIO = "/v3/namespaces/system/apps/pipeline/services/studio/methods/v1/contexts/{namespace}"
_UNRECOVERABLE = "/v3/unrecoverable/namespaces/{namespace}"

_TABLE: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("GET", "/v3/version", _version),
    # Ours, for tests: what runs come to.
    ("GET", "/sandbox/outcomes", scenario.list_all),
    ("POST", "/sandbox/outcomes", scenario.post),
    ("DELETE", "/sandbox/outcomes", scenario.clear),
    # Namespaces
    ("GET", "/v3/namespaces", namespaces.list_all),
    ("GET", _NS, namespaces.get),
    ("PUT", _NS, namespaces.create),
    ("PUT", f"{_NS}/properties", namespaces.update),
    ("DELETE", _UNRECOVERABLE, namespaces.delete),
    ("DELETE", f"{_UNRECOVERABLE}/datasets", namespaces.delete_datasets),
    # Preferences
    *(
        (method, f"{where}/preferences", handler)
        for where in ("/v3", _NS, _APP, _PROGRAM)
        for method, handler in (("GET", preferences.get), ("PUT", preferences.put), ("DELETE", preferences.delete))
    ),
    # Secure keys
    ("GET", f"{_NS}/securekeys", securestore.list_all),
    ("GET", f"{_NS}/securekeys/{{key}}", securestore.get),
    ("PUT", f"{_NS}/securekeys/{{key}}", securestore.put),
    ("DELETE", f"{_NS}/securekeys/{{key}}", securestore.delete),
    ("GET", f"{_NS}/securekeys/{{key}}/metadata", securestore.metadata),
    # Artifacts
    ("POST", "/v3/namespaces/system/artifacts", artifacts.reload),
    ("GET", f"{_NS}/artifacts", artifacts.list_all),
    ("GET", _ARTIFACT, artifacts.list_versions),
    ("POST", _ARTIFACT, artifacts.add),
    ("GET", _ARTIFACT_VERSION, artifacts.get),
    ("DELETE", _ARTIFACT_VERSION, artifacts.delete),
    ("GET", f"{_ARTIFACT_VERSION}/properties", artifacts.properties),
    ("PUT", f"{_ARTIFACT_VERSION}/properties", artifacts.put_properties),
    ("DELETE", f"{_ARTIFACT_VERSION}/properties", artifacts.delete_properties),
    ("GET", f"{_ARTIFACT_VERSION}/properties/{{key}}", artifacts.get_property),
    ("PUT", f"{_ARTIFACT_VERSION}/properties/{{key}}", artifacts.put_property),
    ("DELETE", f"{_ARTIFACT_VERSION}/properties/{{key}}", artifacts.delete_property),
    ("GET", f"{_ARTIFACT_VERSION}/extensions", artifacts.extensions),
    ("GET", f"{_ARTIFACT_VERSION}/extensions/{{type_}}", artifacts.extension_type),
    ("GET", f"{_ARTIFACT_VERSION}/extensions/{{type_}}/plugins/{{plugin}}", artifacts.extension_plugin),
    # Profiles
    ("GET", "/v3/provisioners", profiles.provisioners),
    ("GET", "/v3/provisioners/{name}", profiles.provisioner),
    *(
        (method, f"{where}/profiles{path}", handler)
        for where in ("/v3", _NS)
        for method, path, handler in (
            ("GET", "", profiles.list_all),
            ("GET", "/{profile}", profiles.get),
            ("PUT", "/{profile}", profiles.put),
            ("DELETE", "/{profile}", profiles.delete),
            ("POST", "/{profile}/enable", profiles.enable),
            ("POST", "/{profile}/disable", profiles.disable),
        )
    ),
    # Of the instance's own profiles only the whole can be asked for.
    ("GET", f"{_NS}/profiles/{{profile}}/status", profiles.status),
    # Drafts and connections
    ("GET", f"{_STUDIO}/drafts", studio.list_drafts),
    ("GET", f"{_STUDIO}/drafts/{{draft}}", studio.get_draft),
    ("PUT", f"{_STUDIO}/drafts/{{draft}}", studio.put_draft),
    ("DELETE", f"{_STUDIO}/drafts/{{draft}}", studio.delete_draft),
    ("GET", f"{_STUDIO}/connections", studio.list_connections),
    ("GET", f"{_STUDIO}/connections/{{connection}}", studio.get_connection),
    ("PUT", f"{_STUDIO}/connections/{{connection}}", studio.put_connection),
    ("DELETE", f"{_STUDIO}/connections/{{connection}}", studio.delete_connection),
    # Apps
    ("GET", f"{_NS}/apps", apps.list_all),
    ("DELETE", f"{_NS}/apps", apps.delete_all),
    ("POST", f"{_NS}/appdetail", apps.details),
    ("GET", _APP, apps.get),
    ("PUT", _APP, apps.deploy),
    ("DELETE", _APP, apps.delete),
    ("POST", f"{_APP}/update", apps.update),
    ("GET", f"{_APP}/versions", apps.list_versions),
    ("GET", _VERSION, apps.get_version),
    ("DELETE", _VERSION, apps.delete_version),
    ("POST", f"{_VERSION}/create", apps.create_version),
    # Schedules
    ("GET", f"{_NS}/schedules/trigger-type/program-status", schedules.triggered),
    ("GET", f"{_APP}/schedules", schedules.list_all),
    ("GET", f"{_VERSION}/schedules", schedules.list_all),
    ("GET", f"{_PROGRAM}/schedules", schedules.list_all),
    ("GET", f"{_APP}/schedules/{{schedule}}", schedules.get),
    ("PUT", f"{_APP}/schedules/{{schedule}}", schedules.put),
    ("DELETE", f"{_APP}/schedules/{{schedule}}", schedules.delete),
    ("GET", f"{_APP}/schedules/{{schedule}}/status", schedules.status),
    ("POST", f"{_APP}/schedules/{{schedule}}/update", schedules.update),
    ("POST", f"{_APP}/schedules/{{schedule}}/{{action}}", schedules.act),
    # Programs
    ("POST", f"{_NS}/start", batches.start),
    *(
        (
            "POST",
            f"{_NS}/{what}",
            lambda api, request, namespace, what=what: batches.several(api, request, namespace, what),
        )
        for what in ("stop", "status", "runs", "runcount")
    ),
    ("GET", f"{_PROGRAM}/status", programs.status),
    ("GET", f"{_PROGRAM}/runtimeargs", programs.get_arguments),
    ("PUT", f"{_PROGRAM}/runtimeargs", programs.put_arguments),
    ("GET", f"{_PROGRAM}/runs", programs.list_runs),
    ("GET", f"{_PROGRAM}/logs", logs.get),
    ("GET", f"{_PROGRAM}/runs/{{run}}", programs.get_run),
    ("GET", f"{_PROGRAM}/runs/{{run}}/logs", logs.get),
    ("POST", f"{_PROGRAM}/runs/{{run}}/stop", programs.stop_run),
    ("POST", f"{_PROGRAM}/{{action}}", programs.act),
)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))


_ROUTES = tuple((method, _compiled(pattern), handler) for method, pattern, handler in _TABLE)


def answer(api: Instance, request: Request) -> Reply:
    """Answer a request. What it changed is undone when it is refused, unless CDAP keeps it as well."""
    path = re.sub("//+", "/", request.path).rstrip("/") or "/"
    matched = False
    for method, pattern, handler in _ROUTES:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        matched = True
        if method != request.method:
            continue
        parts = {name: unquote(part) for name, part in match.groupdict().items()}
        taken = inspect.signature(handler).parameters
        try:
            return _run(api, handler, request, {k: v for k, v in parts.items() if k in taken})
        except CdapError as error:
            return error.reply()
    if matched:
        return Reply(status=405, body=path.encode())
    return Reply(status=404, body=f"Problem accessing: {path}. Reason: Not Found".encode())


def _run(api: Instance, handler: Callable[..., Reply], request: Request, parts: dict[str, Any]) -> Reply:
    if request.method == "GET":
        return handler(api, request, **parts)
    kept: CdapError | None = None
    with api.world.transaction():
        try:
            return handler(api, request, **parts)
        except namespaces.KeptError as error:
            kept = error
    raise kept
