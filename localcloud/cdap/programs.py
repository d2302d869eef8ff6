"""Programs and their runs: start, stop, status, records, arguments."""

from __future__ import annotations

import uuid

from localcloud.cdap import apps, catalog, gsonlike, preferences, profiles, runs, scenario
from localcloud.cdap.http import JSON, OK, CdapError, Json, Reply, Request, json_reply, not_found
from localcloud.cdap.instance import Instance, time_uuid

TYPES = {
    "mapreduce": "Mapreduce",
    "spark": "Spark",
    "custom": "Custom",
    "workflows": "Workflow",
    "services": "Service",
    "workers": "Worker",
}
_STATUSES = (
    "ALL",
    "PENDING",
    "STARTING",
    "RUNNING",
    "STOPPING",
    "SUSPENDED",
    "RESUMING",
    "COMPLETED",
    "FAILED",
    "KILLED",
    "REJECTED",
)


def word(type_: str) -> str:
    """`workflow` of `workflows`, as ids have it."""
    return {"workflows": "workflow", "services": "service", "workers": "worker"}.get(type_, type_)


def category(type_: str) -> str:
    """The type of a path, checked."""
    if type_ not in TYPES:
        raise CdapError(400, f"Unknown category name '{type_}'. Must be one of {','.join(TYPES)}")
    return type_


def has(version: Json, type_: str, program: str) -> bool:
    """Whether an app has that program."""
    return any((p["type"], p["name"]) == (TYPES.get(type_), program) for p in version["programs"])


def require(api: Instance, namespace: str, app: str, type_: str, program: str, latest: Json, version: str = "") -> None:
    """Raise 404 where the app has no such program."""
    if type_ not in TYPES:
        raise CdapError(400, f"Invalid program type '{type_}'")
    if not has(latest, type_, program):
        raise not_found(f"program:{namespace}.{app}.{version or latest['version']}.{word(type_)}.{program}")


def _reference(namespace: str, app: str, type_: str, program: str) -> str:
    return f"programreference:{namespace}.{app}.{word(type_)}.{program}"


def scope_of(namespace: str, app: str, type_: str, program: str) -> str:
    """Where what belongs to a program is kept."""
    return f"{namespace}/{app}/{type_}/{program}"


def referenced(api: Instance, namespace: str, app: str, type_: str, program: str) -> None:
    """Raise 404 where there is no such program, in the words of requests that ask for no version."""
    latest = apps.latest(api, namespace, app)
    if latest is None or not has(latest, type_, program):
        raise not_found(_reference(namespace, app, type_, program))


def _latest(api: Instance, namespace: str, app: str, type_: str, program: str) -> Json:
    latest = apps.require(api, namespace, app)
    require(api, namespace, app, category(type_), program, latest)
    return latest


# Runs


def _active(api: Instance, scope: str) -> list[tuple[str, Json]]:
    now = api.clock()
    return [
        (where, body) for where, _, body in api.shelf.below("run", scope) if runs.state(body, now).status in runs.ACTIVE
    ]


def active_in(api: Instance, namespace: str) -> list[str]:
    """Programs of a namespace that run."""
    return list(dict.fromkeys(where.rpartition("/")[2] for where, _ in _active(api, namespace)))


def active_of(api: Instance, namespace: str, app: str) -> list[str]:
    """Programs of an app that run."""
    return list(dict.fromkeys(where.rpartition("/")[2] for where, _ in _active(api, f"{namespace}/{app}")))


def launch(api: Instance, namespace: str, app: str, type_: str, program: str, given: dict[str, str]) -> str:
    """Start a run; its id. Preferences are under the arguments that are given."""
    latest = _latest(api, namespace, app, type_, program)
    scope = scope_of(namespace, app, type_, program)
    arguments = preferences.resolved(api, scope) | given
    profile, provisioner = _profile(api, namespace, arguments, f"program:{namespace}.{app}.{latest['version']}")
    now = api.clock()
    arguments = {"logical.start.time": str(int(now * 1000)), **arguments}
    outcome = scenario.take(api, namespace, app, arguments) or scenario.Outcome()
    # Nothing provisions a cluster in a sandbox; an instance of Google's does.
    provisions = provisioner == "native" or api.settings.offer == catalog.DATA_FUSION
    run_id = time_uuid(now)
    run: Json = {
        "runid": run_id,
        "starting": now,
        "arguments": gsonlike.dumps(arguments),
        "profile": profile,
        "version": latest["version"],
        "scale": api.settings.time_scale,
        "hidden": outcome.hidden,
        "message": outcome.message,
        "plan": {
            "pending": outcome.pending,
            "starting": outcome.starting,
            "running": outcome.seconds,
            "end": outcome.end if provisions else "FAILED",
            "provisions": provisions,
        },
        "phase": next((str(uuid.uuid4()) for p in latest["programs"] if p["name"] == "phase-1"), None)
        if type_ == "workflows"
        else None,
    }
    api.shelf.put("run", scope, run_id, run)
    return run_id


def _profile(api: Instance, namespace: str, arguments: dict[str, str], what: str) -> tuple[Json, str]:
    where, found = profiles.named(api, namespace, arguments.get(preferences.PROFILE, "SYSTEM:native"))
    if found["status"] != "ENABLED":
        raise CdapError(
            409,
            f"Profile {found['name']} in namespace {where} is disabled. It cannot be used to start the program"
            f" {what}.workflow.DataPipelineWorkflow",
        )
    return {"profileName": found["name"], "namespace": where, "entity": "PROFILE"}, found["provisioner"]["name"]


def _arguments(request: Request) -> dict[str, str]:
    try:
        return gsonlike.string_map(gsonlike.parse(request.text)) or {}
    except (gsonlike.GsonError, gsonlike.NullValueError) as error:
        raise CdapError(500, str(error)) from None


def act(api: Instance, request: Request, namespace: str, app: str, type_: str, program: str, action: str) -> Reply:
    """Start or stop a program."""
    apps.require(api, namespace, app)
    category(type_)
    arguments = _arguments(request)
    if action == "start":
        launch(api, namespace, app, type_, program, arguments)
    elif action == "stop":
        stop_all(api, namespace, app, type_, program)
    else:
        raise CdapError(404, f"{action} action was not found")
    return OK


def stop_all(api: Instance, namespace: str, app: str, type_: str, program: str) -> list[str]:
    """Stop all runs of a program; their ids. Raises CdapError 400 where none runs."""
    latest = _latest(api, namespace, app, type_, program)
    found = _active(api, scope_of(namespace, app, type_, program))
    if not found:
        raise CdapError(
            400,
            f"Program 'program:{namespace}.{app}.{latest['version']}.{word(type_)}.{program}' is not running.",
        )
    for scope, run in found:
        _stop(api, scope, run)
    return [run["runid"] for _, run in found]


def _stop(api: Instance, scope: str, run: Json) -> None:
    if run.get("stopped") is None:
        api.shelf.put("run", scope, run["runid"], {**run, "stopped": api.clock()})


def stop_run(api: Instance, request: Request, namespace: str, app: str, type_: str, program: str, run: str) -> Reply:
    """Stop one run."""
    category(type_)
    if not _is_uuid(run):
        return Reply(status=400, body=f"Invalid UUID string: {run}".encode(), content_type=JSON)
    scope = scope_of(namespace, app, type_, program)
    found: Json | None = api.shelf.get("run", scope, run)
    if found is None or runs.state(found, api.clock()).status not in runs.ACTIVE:
        raise CdapError(400, f"Program '{_reference(namespace, app, type_, program)}' is not running.")
    _stop(api, scope, found)
    return OK


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return text.count("-") == 4


def records(api: Instance, scope: str) -> list[Json]:
    """The runs, those that are active first, the newest first."""
    now = api.clock()
    found = [runs.record(body, now) for _, body in reversed(api.shelf.items("run", scope))]
    return [r for r in found if r["status"] in runs.ACTIVE] + [r for r in found if r["status"] not in runs.ACTIVE]


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise CdapError(400, f"Invalid vaule {text} for {name}") from None


def list_runs(api: Instance, request: Request, namespace: str, app: str, type_: str, program: str) -> Reply:
    """Records of runs: `status`, `limit`, `start`, `end`."""
    category(type_)
    text = request.query.get("limit", "100")
    if not text.isdigit():
        raise CdapError(500, f"Error in executing request: GET {request.path}?limit={text}", None)
    start, end = _number(request, "start", 0), _number(request, "end", 2**62)
    status = request.query.get("status", "all").upper()
    if status not in _STATUSES:
        raise CdapError(500, f"No enum constant io.cdap.cdap.proto.ProgramRunStatus.{status}")
    referenced(api, namespace, app, type_, program)
    found = [
        r
        for r in records(api, scope_of(namespace, app, type_, program))
        if status in ("ALL", r["status"]) and start <= r["starting"] < end
    ]
    return json_reply(found[: int(text)])


def run_of(api: Instance, namespace: str, app: str, type_: str, program: str, run: str) -> Json:
    """A run by its id, unless it is still hidden."""
    category(type_)
    if not _is_uuid(run):
        raise CdapError(500, f"Invalid UUID string: {run}")
    scope = scope_of(namespace, app, type_, program)
    missing = CdapError(
        404, f"No run record found for program {_reference(namespace, app, type_, program)} and runID: {run}"
    )
    with api.world.transaction():
        found: Json | None = api.shelf.get("run", scope, run)
        if found is None:
            raise missing
        if found["hidden"] > 0:
            api.shelf.put("run", scope, run, {**found, "hidden": found["hidden"] - 1})
    if found["hidden"] > 0:
        raise missing
    return found


def get_run(api: Instance, request: Request, namespace: str, app: str, type_: str, program: str, run: str) -> Reply:
    """One run."""
    return json_reply(runs.record(run_of(api, namespace, app, type_, program, run), api.clock()))


def status(api: Instance, request: Request, namespace: str, app: str, type_: str, program: str) -> Reply:
    """RUNNING, STARTING or STOPPED."""
    apps.require(api, namespace, app)
    category(type_)
    return json_reply({"status": _status(api, namespace, app, type_, program)})


def _status(api: Instance, namespace: str, app: str, type_: str, program: str) -> str:
    _latest(api, namespace, app, type_, program)
    return said(api, scope_of(namespace, app, type_, program))


def said(api: Instance, scope: str) -> str:
    """What a program is said to be, by its runs."""
    now = api.clock()
    found = {runs.program_status(runs.state(run, now)) for _, run in _active(api, scope)}
    return next((text for text in ("RUNNING", "STARTING") if text in found), "STOPPED")


def get_arguments(api: Instance, request: Request, namespace: str, app: str, type_: str, program: str) -> Reply:
    """The runtime arguments that are kept for a program, which are its preferences by another name."""
    _latest(api, namespace, app, category(type_), program)
    return json_reply(preferences.of(api, scope_of(namespace, app, type_, program)))


def put_arguments(api: Instance, request: Request, namespace: str, app: str, type_: str, program: str) -> Reply:
    """Replace them."""
    arguments = _arguments(request)
    _latest(api, namespace, app, category(type_), program)
    api.shelf.put("preferences", scope_of(namespace, app, type_, program), "", arguments)
    return OK
