"""Who may make a call of a REST API or of a function: the permissions it asks for, and the words of a refusal.

The embedded cloud's running workflows come through here with every request they send, as stand-in executors do that
are called for a service account. A caller is judged where the world knows it: a service account that the world does not
have, and calls that are about a project it does not have, are let through, so that the doors can be used on their own.

Words. Those of Workflows, Cloud Run's API and Data Fusion are IAM's own form, BigQuery's are its own; a function's are
the page that stands before it, which names no permission, so the embedded cloud adds a comment that does. All are from
general knowledge of the services.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from localcloud import iam, store
from localcloud.sql_names import datasets_of

_FUNCTION_HOST = re.compile(r"(?P<region>[a-z]+-[a-z]+\d+)-(?P<project>[a-z][a-z0-9-]*[a-z0-9])\.cloudfunctions\.net")
_FUNCTION = "gcp:cloudfunctionsv2/function:Function"
_SERVICE = "gcp:cloudrunv2/service:Service"
_INSTANCE = "gcp:datafusion/instance:Instance"
_DEFAULT_COMPUTE = "{n}-compute@developer.gserviceaccount.com"


class WorldLike(Protocol):
    """The part of `localcloud.world.World` that is asked."""

    def connect(self) -> Any:
        """A connection to its database."""
        ...


@dataclass(frozen=True)
class Refusal:
    """What a service answers to a call it does not admit."""

    status: int
    text: str
    content_type: str
    permission: str


@dataclass(frozen=True)
class Asked:
    """A permission that a call needs, and how its lack is told: by the permission and the resource."""

    permission: str
    resource: str
    words: Callable[[str, str, str], tuple[str, str]]
    """(permission, resource, caller) → content type and text."""
    instead: tuple[str, str] | None = None
    """A permission and a resource that would do as well."""


def refusal(world: WorldLike, caller: str, method: str, url: str, body: bytes | None = None) -> Refusal | None:
    """What the call is refused with; None where the caller has what it takes, or cannot be judged.

    Args:
        world: The world whose grants count.
        caller: Address of the service account.
        method: Of HTTP.
        url: As the caller wrote it, before any route.
        body: Of the request.
    """
    tx = world.connect()
    member = f"serviceAccount:{caller}"
    if not store.principal_exists(tx, caller):
        return None
    for asked in _asked(tx, caller, method, url, body):
        project = iam.above(tx, asked.resource)[-1].removeprefix("projects/")
        if not asked.resource.startswith("b/") and store.project_number(tx, project) is None:
            continue
        if iam.allowed(tx, member, asked.permission, asked.resource):
            continue
        if asked.instead is not None and iam.allowed(tx, member, *asked.instead):
            continue
        kind, text = asked.words(asked.permission, asked.resource, caller)
        return Refusal(403, text, kind, asked.permission)
    return None


def caller_of(authorization: str) -> str | None:
    """The address in a bearer token of the embedded cloud; None where there is none."""
    token = authorization.removeprefix("Bearer ").strip()
    if token.startswith("ya29.embedded-cloud."):
        return token.removeprefix("ya29.embedded-cloud.") or None
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return None
    email = claims.get("email") if isinstance(claims, dict) else None
    return email if isinstance(email, str) and email else None


def _asked(tx: Any, caller: str, method: str, url: str, body: bytes | None) -> Iterator[Asked]:
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
    function = _FUNCTION_HOST.fullmatch(host)
    if function is not None:
        yield from _call(tx, function["project"], function["region"], path.split("/")[0])
    elif host.endswith(".run.app"):
        yield from _run_app(tx, host)
    elif host.endswith(".datafusion.googleusercontent.com"):
        yield from _cdap(tx, method, host, path)
    elif host.endswith(".googleapis.com"):
        for pattern, make in _METHODS.get(host.removesuffix(".googleapis.com"), ()):
            match = re.fullmatch(pattern, f"{method} {path}")
            if match is not None:
                yield from make(tx, match, _json(body))
                return


def _json(body: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# Words


def _iam_words(permission: str, resource: str, caller: str) -> tuple[str, str]:
    message = f"Permission '{permission}' denied on resource '{resource}' (or it may not exist)."
    return _google_error(message, "PERMISSION_DENIED")


def _google_error(message: str, status: str, **more: Any) -> tuple[str, str]:
    return "application/json; charset=UTF-8", json.dumps(
        {"error": {"code": 403, "message": message, "status": status, **more}}
    )


def _bigquery_words(permission: str, resource: str, caller: str) -> tuple[str, str]:
    parts = resource.split("/")
    if permission == "bigquery.jobs.create":
        message = (
            f"Access Denied: Project {parts[1]}: User does not have bigquery.jobs.create permission in project"
            f" {parts[1]}."
        )
    else:
        message = (
            f"Access Denied: Dataset {parts[1]}:{parts[3]}: Permission {permission} denied on dataset"
            f" {parts[1]}:{parts[3]} (or it may not exist)."
        )
    errors = [{"message": message, "domain": "global", "reason": "accessDenied"}]
    return _google_error(message, "PERMISSION_DENIED", errors=errors)


def _storage_words(permission: str, resource: str, caller: str) -> tuple[str, str]:
    message = (
        f"{caller} does not have {permission} access to the Google Cloud Storage object. Permission '{permission}'"
        " denied on resource (or it may not exist)."
    )
    errors = [{"message": message, "domain": "global", "reason": "forbidden"}]
    return _google_error(message, "PERMISSION_DENIED", errors=errors)


def _front_words(permission: str, resource: str, caller: str) -> tuple[str, str]:
    name = resource.rpartition("/")[2]
    return "text/html; charset=UTF-8", (
        "<html><head><title>403 Forbidden</title></head><body><h1>Error: Forbidden</h1>"
        f"<h2>Your client does not have permission to get URL <code>/{name}</code> from this server.</h2>"
        f"<!-- embedded cloud: {caller} lacks {permission} on {resource} --></body></html>"
    )


# Functions


def _call(tx: Any, project: str, region: str, name: str) -> Iterator[Asked]:
    """A function by its URL, of either generation: one that the world does not have may be of both."""
    home = f"projects/{project}/locations/{region}"
    service = ("run.routes.invoke", f"{home}/services/{name.lower().replace('_', '-')}")
    function = ("cloudfunctions.functions.invoke", f"{home}/functions/{name}")
    second = store.find(tx, _FUNCTION, function[1]) or store.find(tx, _SERVICE, service[1])
    yield Asked(*service, _front_words, instead=None if second else function)


def _run_app(tx: Any, host: str) -> Iterator[Asked]:
    for row in store.everything(tx):
        uri = row.outputs.get("uri") or (row.outputs.get("serviceConfig") or {}).get("uri")
        if row.token in (_SERVICE, _FUNCTION) and uri and urlsplit(str(uri)).hostname == host:
            yield Asked("run.routes.invoke", row.id.replace("/functions/", "/services/"), _front_words)
            return


# APIs


def _cdap(tx: Any, method: str, host: str, path: str) -> Iterator[Asked]:
    """Without role-based access who may see an instance may use all of it."""
    for row in store.everything(tx):
        endpoint = str(row.outputs.get("apiEndpoint") or "") if row.token == _INSTANCE else ""
        if urlsplit(endpoint).hostname == host:
            permission = "datafusion.instances.get"
            if row.outputs.get("enableRbac"):
                permission = "datafusion.pipelines.get" if method == "GET" else "datafusion.pipelines.execute"
            yield Asked(permission, row.id, _iam_words)
            return


def _one(permission: str, resource: str) -> Callable[[Any, re.Match[str], dict[str, Any]], Iterator[Asked]]:
    def make(tx: Any, match: re.Match[str], body: dict[str, Any]) -> Iterator[Asked]:
        yield Asked(permission, match.expand(resource), _iam_words)

    return make


def _run_job(tx: Any, match: re.Match[str], body: dict[str, Any]) -> Iterator[Asked]:
    yield Asked("run.jobs.run", match[1], _iam_words)
    if body.get("overrides"):
        yield Asked("run.jobs.runWithOverrides", match[1], _iam_words)


def _query(tx: Any, match: re.Match[str], body: dict[str, Any]) -> Iterator[Asked]:
    project = match[1].removeprefix("projects/")
    yield Asked("bigquery.jobs.create", f"projects/{project}", _bigquery_words)
    query = (body.get("configuration") or {}).get("query") or {}
    read, written = datasets_of(str(query.get("query") or ""), project)
    destination = query.get("destinationTable") or {}
    if destination.get("datasetId"):
        written.add((str(destination.get("projectId") or project), str(destination["datasetId"])))
    for permission, names in (("bigquery.tables.getData", read), ("bigquery.tables.updateData", written)):
        for owner, dataset in sorted(names):
            yield Asked(permission, f"projects/{owner}/datasets/{dataset}", _bigquery_words)


def _workers(tx: Any, project: str, email: str) -> Iterator[Asked]:
    """The right to run workers as their account, the default one where none is named."""
    email = email or _DEFAULT_COMPUTE.format(n=store.project_number(tx, project) or 0)
    yield Asked("iam.serviceAccounts.actAs", f"projects/{project}/serviceAccounts/{email}", _iam_words)


def _flex_template(tx: Any, match: re.Match[str], body: dict[str, Any]) -> Iterator[Asked]:
    yield Asked("dataflow.jobs.create", f"projects/{match[1]}", _iam_words)
    environment = (body.get("launchParameter") or {}).get("environment") or {}
    yield from _workers(tx, match[1], str(environment.get("serviceAccountEmail") or ""))
    bucket = re.match(r"gs://([^/]+)", str(environment.get("tempLocation") or ""))
    if bucket is not None:
        yield Asked("storage.objects.create", f"b/{bucket[1]}", _iam_words)


def _batch(tx: Any, match: re.Match[str], body: dict[str, Any]) -> Iterator[Asked]:
    yield Asked("dataproc.batches.create", f"projects/{match[1]}", _iam_words)
    config = (body.get("environmentConfig") or {}).get("executionConfig") or {}
    yield from _workers(tx, match[1], str(config.get("serviceAccount") or "").rpartition("/")[2])


def _object(tx: Any, match: re.Match[str], body: dict[str, Any]) -> Iterator[Asked]:
    yield Asked("storage.objects.get", match[1], _storage_words)


_HOME = r"projects/[^/]+/locations/[^/]+"
_WORKFLOW = rf"{_HOME}/workflows/[^/:]+"
_REPOSITORY = rf"{_HOME}/repositories/[^/:]+"
_METHODS: dict[str, tuple[tuple[str, Callable[[Any, re.Match[str], dict[str, Any]], Iterator[Asked]]], ...]] = {
    "workflowexecutions": (
        (rf"POST v1(?:beta)?/({_WORKFLOW})/executions", _one("workflows.executions.create", r"\1")),
        (rf"GET v1(?:beta)?/({_WORKFLOW})/executions/[^/:]+", _one("workflows.executions.get", r"\1")),
        (rf"POST v1(?:beta)?/({_WORKFLOW})/executions/[^/:]+:cancel", _one("workflows.executions.cancel", r"\1")),
    ),
    "bigquery": ((r"POST bigquery/v2/(projects/[^/]+)/jobs", _query),),
    "run": (
        (rf"POST v2/({_HOME}/jobs/[^/:]+):run", _run_job),
        (r"GET v2/(projects/[^/]+)/locations/[^/]+/operations/[^/:]+", _one("run.operations.get", r"\1")),
        (rf"GET v2/({_HOME}/jobs/[^/:]+)", _one("run.jobs.get", r"\1")),
    ),
    "datafusion": ((rf"GET v1(?:beta1)?/({_HOME}/instances/[^/:]+)", _one("datafusion.instances.get", r"\1")),),
    "secretmanager": (
        (
            r"GET v1/(projects/[^/]+/secrets/[^/]+)/versions/[^/:]+:access",
            _one("secretmanager.versions.access", r"\1"),
        ),
    ),
    "dataflow": (
        (r"POST v1b3/projects/([^/]+)/locations/[^/]+/flexTemplates:launch", _flex_template),
        (r"GET v1b3/(projects/[^/]+)/locations/[^/]+/jobs/[^/:]+", _one("dataflow.jobs.get", r"\1")),
    ),
    "dataform": (
        (rf"POST v1(?:beta1)?/({_REPOSITORY})/compilationResults", _one("dataform.compilationResults.create", r"\1")),
        (rf"POST v1(?:beta1)?/({_REPOSITORY})/workflowInvocations", _one("dataform.workflowInvocations.create", r"\1")),
        (
            rf"GET v1(?:beta1)?/({_REPOSITORY})/workflowInvocations/[^/:]+",
            _one("dataform.workflowInvocations.get", r"\1"),
        ),
        (rf"GET v1(?:beta1)?/({_REPOSITORY}):readFile", _one("dataform.repositories.readFile", r"\1")),
    ),
    "dataproc": (
        (r"POST v1/projects/([^/]+)/locations/[^/]+/batches", _batch),
        (r"GET v1/(projects/[^/]+)/locations/[^/]+/batches/[^/:]+", _one("dataproc.batches.get", r"\1")),
    ),
    "storage": ((r"GET (?:download/)?storage/v1/(b/[^/]+)/o/.+", _object),),
}
"""Service → its methods: verb and path, and what they ask for. Methods that are not here ask for nothing."""
