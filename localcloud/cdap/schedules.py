"""Schedules and triggers of apps. They are kept and switched; nothing here starts a run when their time comes."""

from __future__ import annotations

from typing import Any

from localcloud.cdap import gsonlike
from localcloud.cdap.http import OK, CdapError, Json, Reply, Request, json_reply, not_found
from localcloud.cdap.instance import Instance

_TIMEOUT_MILLIS = 86_400_000
_TRIGGERS = ("TIME", "PROGRAM_STATUS", "PARTITION", "AND", "OR")
_CONSTRAINTS = ("CONCURRENCY", "DELAY", "TIME_RANGE", "LAST_RUN")
_CATEGORIES = {
    "partition": "PARTITION",
    "or": "OR",
    "and": "AND",
    "time": "TIME",
    "program-status": "PROGRAM_STATUS",
}


def _scope(namespace: str, app: str) -> str:
    return f"{namespace}/{app}"


def _find(api: Instance, namespace: str, app: str, schedule: str) -> Json:
    found: Json | None = api.shelf.get("schedule", _scope(namespace, app), schedule)
    if found is None:
        raise not_found(f"schedule:{namespace}.{app}.{schedule}")
    return found


def _keep(api: Instance, namespace: str, app: str, schedule: Json) -> None:
    api.shelf.put("schedule", _scope(namespace, app), schedule["name"], schedule)


def deployed(api: Instance, namespace: str, app: str, schedule: Json | None) -> None:
    """What a deployment does to the app's schedules: all go, and its own comes back, suspended."""
    api.shelf.delete_below("schedule", _scope(namespace, app))
    if schedule is not None:
        check_cron(schedule["trigger"].get("cronExpression"))
        _keep(api, namespace, app, _made(api, namespace, app, schedule))


def _made(api: Instance, namespace: str, app: str, schedule: Json) -> Json:
    return {
        "namespace": namespace,
        "application": app,
        **schedule,
        "status": "SUSPENDED",
        "lastUpdateTime": api.millis(),
    }


def list_all(
    api: Instance, request: Request, namespace: str, app: str, type_: str = "", program: str = "", version: str = ""
) -> Reply:
    """The schedules of an app, or of one of its programs."""
    from localcloud.cdap import apps, programs

    latest = apps.latest(api, namespace, app)
    if latest is None:
        raise not_found(f"application:{namespace}.{app}.{apps.SNAPSHOT}")
    status = request.query.get("schedule-status")
    if status not in (None, "SCHEDULED", "SUSPENDED"):
        raise CdapError(400, f"Invalid schedule status '{status}'. Must be one of SCHEDULED,SUSPENDED.")
    category = request.query.get("trigger-type")
    if category is not None and category not in _CATEGORIES:
        raise CdapError(400, f"Unknown category name '{category}'. Must be one of {','.join(_CATEGORIES)}")
    if type_:
        programs.require(api, namespace, app, type_, program, latest, version=apps.SNAPSHOT)
    found = [body for _, body in api.shelf.by_key("schedule", _scope(namespace, app))]
    return json_reply(
        [
            s
            for s in found
            if (status is None or s["status"] == status)
            and (category is None or s["trigger"]["type"] == _CATEGORIES[category])
            and (not program or s["program"]["programName"] == program)
        ]
    )


def get(api: Instance, request: Request, namespace: str, app: str, schedule: str) -> Reply:
    """One schedule."""
    return json_reply(_find(api, namespace, app, schedule))


def status(api: Instance, request: Request, namespace: str, app: str, schedule: str) -> Reply:
    """SCHEDULED or SUSPENDED."""
    from localcloud.cdap import apps

    apps.require(api, namespace, app)
    return json_reply({"status": _find(api, namespace, app, schedule)["status"]})


def _body(request: Request, schedule: str) -> Json:
    try:
        raw = gsonlike.parse(request.text)
    except gsonlike.GsonError as error:
        raise CdapError(400, f"Request body is invalid json: {error.chained}") from None
    if not isinstance(raw, dict):
        raise CdapError(400, f"Expected a json object in the request body but received {gsonlike.dumps(raw)}")
    body: Json = gsonlike.plain(raw)
    if "trigger" in body:
        _check_trigger(body["trigger"])
    for constraint in body.get("constraints") or []:
        if constraint.get("type") not in _CONSTRAINTS:
            raise CdapError(500, "Unable to map constraint type null to a run constraint class")
    if body.get("name") is not None and body["name"] != schedule:
        raise CdapError(
            400,
            f"Schedule name in the body of the request ({body['name']}) does not match the schedule name in the path"
            f" parameter ({schedule})",
        )
    return body


def _check_trigger(trigger: Any) -> None:
    if not isinstance(trigger, dict):
        return
    kind = trigger.get("type")
    if kind not in _TRIGGERS:
        raise CdapError(500, "Unable to map trigger type null to a trigger class")
    for inner in trigger.get("triggers") or []:
        _check_trigger(inner)


def check_cron(cron: Any, status: int = 500) -> None:
    """Raise where a schedule's expression is none."""
    if cron is None:
        raise CdapError(status, 'Cannot invoke "String.split(String)" because "cronEntry" is null')
    fields = str(cron).split()
    if len(fields) not in (5, 6):
        raise CdapError(status, f"Invalid cron entry format in '{cron}'. Cron entry must contain 5 or 6 fields.")
    minute = fields[-5]
    if minute.isdigit() and int(minute) > 59:
        raise CdapError(status, "Minute and Second values must be between 0 and 59")


def _check_times(trigger: Json) -> None:
    if trigger.get("type") == "TIME":
        check_cron(trigger.get("cronExpression"))
    for inner in trigger.get("triggers") or []:
        _check_times(inner)


def _shown_trigger(trigger: Json) -> Json:
    """A trigger in the order its class gives the fields."""
    kind = trigger["type"]
    if kind == "TIME":
        return {"cronExpression": trigger.get("cronExpression"), "type": kind}
    if kind in ("AND", "OR"):
        return {"triggers": [_shown_trigger(t) for t in trigger.get("triggers") or []], "type": kind}
    if kind == "PROGRAM_STATUS":
        program = trigger.get("programId") or {}
        order = ("application", "version", "type", "program", "namespace", "entity")
        return {
            "programId": {key: program[key] for key in order if key in program},
            "programStatuses": trigger.get("programStatuses"),
            "type": kind,
        }
    return trigger


def _shown_constraint(constraint: Json) -> Json:
    kind = constraint["type"]
    wait = bool(constraint.get("waitUntilMet", False))
    if kind == "CONCURRENCY":
        most = int(constraint.get("maxConcurrency") or 0)
        if most < 1:
            raise CdapError(500, f"maxConcurrency must be greater than or equal to1 but is {most}")
        return {"maxConcurrency": most, "type": kind, "waitUntilMet": wait}
    rest = {k: v for k, v in constraint.items() if k not in ("type", "waitUntilMet")}
    return {**rest, "type": kind, "waitUntilMet": wait}


def _program(body: Json) -> Json:
    program = body.get("program")
    if not isinstance(program, dict):
        raise CdapError(400, "No program was specified for the schedule")
    if program.get("programType") not in ("WORKFLOW", "SPARK", "MAPREDUCE", "CUSTOM_ACTION"):
        raise CdapError(400, "No program type was specified for the schedule")
    if program.get("programName") is None:
        raise CdapError(400, "No program name was specified for the schedule")
    return {"programName": program["programName"], "programType": program["programType"]}


def _check_profile(api: Instance, namespace: str, properties: Json) -> None:
    from localcloud.cdap import profiles

    name = properties.get("system.profile.name")
    if name is not None:
        profiles.assignable(api, namespace, str(name))


def put(api: Instance, request: Request, namespace: str, app: str, schedule: str) -> Reply:
    """Add a schedule, suspended; one of that name is refused."""
    from localcloud.cdap import apps, programs

    body = _body(request, schedule)
    program = _program(body)
    if body.get("trigger") is None:
        raise CdapError(400, "No trigger was specified for the schedule")
    latest = apps.require(api, namespace, app)
    programs.require(api, namespace, app, "workflows", program["programName"], latest)
    trigger = _shown_trigger(body["trigger"])
    constraints = [_shown_constraint(c) for c in body.get("constraints") or []]
    if api.shelf.get("schedule", _scope(namespace, app), schedule) is not None:
        raise CdapError(409, f"'schedule:{namespace}.{app}.{schedule}' already exists")
    properties = {k: str(v) for k, v in (body.get("properties") or {}).items()}
    _check_profile(api, namespace, properties)
    _check_times(trigger)
    made: Json = {
        "name": schedule,
        "description": body.get("description") or "",
        "program": program,
        "properties": properties,
        "trigger": trigger,
        "constraints": constraints,
        "timeoutMillis": body.get("timeoutMillis") or _TIMEOUT_MILLIS,
    }
    _keep(api, namespace, app, _made(api, namespace, app, made))
    return OK


def update(api: Instance, request: Request, namespace: str, app: str, schedule: str) -> Reply:
    """Change what is given; whether it is on stays."""
    body = _body(request, schedule)
    found = _find(api, namespace, app, schedule)
    for key in ("description", "timeoutMillis"):
        if body.get(key) is not None:
            found[key] = body[key]
    if body.get("properties") is not None:
        found["properties"] = {k: str(v) for k, v in body["properties"].items()}
        _check_profile(api, namespace, found["properties"])
    if body.get("constraints") is not None:
        found["constraints"] = [_shown_constraint(c) for c in body["constraints"]]
    if body.get("trigger") is not None:
        found["trigger"] = _shown_trigger(body["trigger"])
        _check_times(found["trigger"])
    found["lastUpdateTime"] = api.millis()
    _keep(api, namespace, app, found)
    return OK


def delete(api: Instance, request: Request, namespace: str, app: str, schedule: str) -> Reply:
    """Delete it."""
    _find(api, namespace, app, schedule)
    api.shelf.delete("schedule", _scope(namespace, app), schedule)
    return OK


def act(api: Instance, request: Request, namespace: str, app: str, schedule: str, action: str) -> Reply:
    """Enable (`resume`) or disable (`suspend`)."""
    to = {"enable": "SCHEDULED", "resume": "SCHEDULED", "disable": "SUSPENDED", "suspend": "SUSPENDED"}.get(action)
    if to is None:
        raise CdapError(
            400,
            f"Action for schedules may only be 'enable', 'disable', 'suspend', or 'resume' but is'{action}'",
        )
    found = _find(api, namespace, app, schedule)
    if found["status"] == to:
        word = "enabled" if to == "SCHEDULED" else "disabled"
        raise CdapError(409, f"Schedule 'schedule:{namespace}.{app}.{schedule}' is already {word}")
    _keep(api, namespace, app, {**found, "status": to})
    return json_reply_text("OK")


def json_reply_text(text: str) -> Reply:
    """A bare word sent as JSON, which it is not."""
    from localcloud.cdap.http import JSON

    return Reply(body=text.encode(), content_type=JSON)


def triggered(api: Instance, request: Request, namespace: str) -> Reply:
    """Schedules of any namespace that a program's end triggers."""
    wanted = {}
    for key in ("trigger-namespace-id", "trigger-app-name", "trigger-program-type", "trigger-program-name"):
        if key not in request.query:
            raise CdapError(400, f"Must specify {key} as a query param")
        wanted[key] = request.query[key]
    status = request.query.get("schedule-status")
    found = []
    for space, _ in api.shelf.items("namespace", ""):
        for _, _, schedule in api.shelf.below("schedule", space):
            if (status is None or schedule["status"] == status) and _waits_for(schedule["trigger"], wanted):
                found.append(schedule)
    return json_reply(found)


def _waits_for(trigger: Json, wanted: Json) -> bool:
    if trigger["type"] in ("AND", "OR"):
        return any(_waits_for(inner, wanted) for inner in trigger["triggers"])
    if trigger["type"] != "PROGRAM_STATUS":
        return False
    program = trigger["programId"]
    return (program.get("namespace"), program.get("application"), program.get("program")) == (
        wanted["trigger-namespace-id"],
        wanted["trigger-app-name"],
        wanted["trigger-program-name"],
    )
