"""Several programs in one request: each has a status code of its own."""

from __future__ import annotations

from typing import Any

from localcloud.cdap import apps, gsonlike, programs
from localcloud.cdap.http import CdapError, Json, Reply, Request, json_reply, not_found
from localcloud.cdap.instance import Instance
from localcloud.cdap.namespaces import KeptError

_SINGULAR = {"mapreduce": "mapreduce", "spark": "spark", "workflow": "workflows", "service": "services"}


def _batch(request: Request) -> list[Json]:
    try:
        # What is no list is refused at its first character, before it can be seen that it is broken as well.
        raw = {} if request.text.lstrip().startswith("{") else gsonlike.parse(request.text)
    except gsonlike.GsonError as error:
        raise CdapError(400, f"Request body is invalid json: {error.chained}") from None
    if raw is None:
        raise CdapError(400, "Request body is invalid json, please check that it is a json array.")
    if not isinstance(raw, list):
        raise CdapError(
            400,
            "Request body is invalid json: java.lang.IllegalStateException: Expected BEGIN_ARRAY but was BEGIN_OBJECT"
            " at line 1 column 2 path $",
        )
    wrong = "Must provide valid appId, programType, and programId for each object: "
    for item in raw:
        if not isinstance(item, dict) or item.get("appId") is None:
            raise CdapError(400, f"{wrong}'appId' must be specified.")
        kind = str(item.get("programType")).lower()
        if item.get("programType") is None or kind not in _SINGULAR:
            raise CdapError(
                400, f"{wrong}'programType' must be one of [MapReduce, Workflow, Service, Spark, Worker, Custom]"
            )
        if item.get("programId") is None:
            raise CdapError(400, f"{wrong}'programId' must be specified.")
    return raw


def _named(item: Json) -> tuple[str, str, str, Json]:
    type_ = _SINGULAR[str(item["programType"]).lower()]
    tail = {"appId": item["appId"], "programType": programs.TYPES[type_], "programId": item["programId"]}
    return str(item["appId"]), type_, str(item["programId"]), tail


def several(api: Instance, request: Request, namespace: str, what: str) -> Reply:
    """`start`, `stop`, `status`, `runs` or `runcount` of several programs; each has a status code of its own."""
    answers: list[Json] = []
    for item in _batch(request):
        app, type_, program, tail = _named(item)
        try:
            answers.append({**_BATCH[what](api, namespace, app, type_, program, item), **tail})
        except CdapError as error:
            answers.append({"statusCode": error.status, "error": error.text, **tail})
    return json_reply(answers)


def start(api: Instance, request: Request, namespace: str) -> Reply:
    """Start several programs. An app that is not there is a 404 of the whole request, after others have started."""
    answers: list[Json] = []
    for item in _batch(request):
        app, type_, program, tail = _named(item)
        if apps.latest(api, namespace, app) is None:
            missing = not_found(f"applicationreference:{namespace}.{app}")
            raise KeptError(missing.status, missing.text)
        try:
            given = gsonlike.string_map(item.get("runtimeargs")) or {}
            run_id = programs.launch(api, namespace, app, type_, program, given)
            answers.append({"statusCode": 200, "runId": run_id, **tail})
        except CdapError as error:
            answers.append({"statusCode": error.status, "error": error.text, **tail})
    return json_reply(answers)


def _batch_stop(api: Instance, namespace: str, app: str, type_: str, program: str, item: Json) -> Json:
    stopped = programs.stop_all(api, namespace, app, type_, program)
    return {"statusCode": 200, "runId": stopped[0]}


def _batch_status(api: Instance, namespace: str, app: str, type_: str, program: str, item: Json) -> Json:
    programs.referenced(api, namespace, app, type_, program)
    return {"status": programs.said(api, programs.scope_of(namespace, app, type_, program)), "statusCode": 200}


def _batch_runs(api: Instance, namespace: str, app: str, type_: str, program: str, item: Json) -> Json:
    latest = apps.latest(api, namespace, app)
    if latest is None or not programs.has(latest, type_, program):
        missing = f"program:{namespace}.{app}.{apps.SNAPSHOT}.{programs.word(type_)}.{program}"
        return {"runs": [], "statusCode": 404, "error": f"'{missing}' was not found."}
    return {"runs": programs.records(api, programs.scope_of(namespace, app, type_, program))[:1], "statusCode": 200}


def _batch_count(api: Instance, namespace: str, app: str, type_: str, program: str, item: Json) -> Json:
    programs.referenced(api, namespace, app, type_, program)
    return {
        "runCount": len(api.shelf.items("run", programs.scope_of(namespace, app, type_, program))),
        "statusCode": 200,
    }


_BATCH: dict[str, Any] = {
    "stop": _batch_stop,
    "status": _batch_status,
    "runs": _batch_runs,
    "runcount": _batch_count,
}
