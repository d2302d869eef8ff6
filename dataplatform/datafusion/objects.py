"""One object at a time: where it is on an instance, what it is there, and whether a change may be made to it.

What the resources of a stack need besides `plan` and `apply`, which work on whole exports. The form is that of
`normalise`, so that a push and a stack mean the same by the same file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataplatform.datafusion import normalise
from dataplatform.datafusion.compare import MISSING, Path, describe, flatten
from dataplatform.datafusion.errors import DataFusionError, NotFoundError
from dataplatform.datafusion.model import DEFAULT_SCHEDULE, STUDIO, SYSTEM, Json, Key, Kind
from dataplatform.datafusion.read import program_path

if TYPE_CHECKING:
    from dataplatform.datafusion.client import Client


@dataclass(frozen=True, kw_only=True)
class Found:
    """An object as the instance has it."""

    body: Json
    version: str = ""
    """Of a pipeline: the version CDAP gave it."""
    change: str = ""
    """Of a pipeline: what whoever deployed that version said of it."""


_NAMES = {
    Kind.PIPELINE: (re.compile(r"[A-Za-z0-9_-]+"), "letters, digits, '_' and '-'"),
    Kind.PROFILE: (re.compile(r"[A-Za-z0-9_-]+"), "letters, digits, '_' and '-'"),
    Kind.ARTIFACT: (re.compile(r"[A-Za-z0-9_.-]+"), "letters, digits, '.', '_' and '-'"),
}
_STATUS = {
    Kind.PROFILE: ("ENABLED", "DISABLED"),
    Kind.SCHEDULE: ("SCHEDULED", "SUSPENDED"),
    Kind.TRIGGER: ("SCHEDULED", "SUSPENDED"),
}


def problems(key: Key, body: Json) -> Iterator[tuple[str, str, str]]:
    """What CDAP would refuse, often with an internal error, and can be told without asking it.

    Yields:
        The field it is in, what is wrong, and what would be right.
    """
    if key.namespace != SYSTEM and not re.fullmatch(r"[A-Za-z0-9_]+", key.namespace):
        yield "namespace", f"'{key.namespace}' is no name of a namespace", "use letters, digits and '_' only"
    pattern, words = _NAMES.get(key.kind, (None, ""))
    if pattern is not None and not pattern.fullmatch(key.name):
        yield "name", f"'{key.name}' is no name of a {key.kind}", f"use {words} only"
    allowed = _STATUS.get(key.kind)
    if allowed is not None and body.get("status") not in allowed:
        yield "status", f"'{body.get('status')}' is no status of a {key.kind}", f"write {' or '.join(allowed)}"
    config = body.get("config")
    if key.kind == Kind.PIPELINE and isinstance(config, dict) and config.get("schedule"):
        yield from _times("config", {"type": "TIME", "cronExpression": config["schedule"]})
    if key.kind in (Kind.SCHEDULE, Kind.TRIGGER):
        yield from _times("schedule", body.get("trigger"))


def _times(field: str, trigger: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(trigger, dict):
        return
    cron = trigger.get("cronExpression")
    if trigger.get("type") == "TIME" and "${" not in str(cron) and len(str(cron or "").split()) not in (5, 6):
        yield field, f"'{cron}' is no time of a schedule", "write five fields, such as 0 3 * * * for every day at three"
    for one in trigger.get("triggers") or []:
        yield from _times(field, one)


def place(key: Key, body: Json | None = None) -> tuple[str, ...]:
    """The path of an object below `/v3`, as segments. `body` is the pipeline's where `key` is its runtime arguments."""
    scope = () if key.namespace == SYSTEM else ("namespaces", key.namespace)
    app = (*scope, "apps", key.name)
    match key.kind:
        case Kind.NAMESPACE:
            return scope
        case Kind.PREFERENCES:
            return (*scope, "preferences")
        case Kind.PROFILE:
            return (*scope, "profiles", key.name)
        case Kind.CONNECTION:
            return (*STUDIO, key.namespace, "connections", key.name)
        case Kind.ARTIFACT:
            return (*scope, "artifacts", key.name, "versions", key.part)
        case Kind.PIPELINE:
            return app
        case Kind.PIPELINE_PREFERENCES:
            return (*app, "preferences")
        case Kind.RUNTIME_ARGUMENTS:
            return (*app, *program_path(body or {}), "runtimeargs")
        case Kind.SCHEDULE | Kind.TRIGGER:
            return (*app, "schedules", key.part)
        case _:
            raise ValueError(f"{key.kind} has no place of its own")


def find(client: Client, key: Key, body: Json | None = None) -> Found | None:
    """The object, None where it is not there."""
    query = {"scope": "USER"} if key.kind == Kind.ARTIFACT else {}
    try:
        told = client.get(*place(key, body), **query)
    except NotFoundError:
        return None
    try:
        change = told.get("change")
        return Found(
            body=_normal(key, told),
            version=str(told.get("appVersion", "")),
            change=str(change.get("description", "")) if isinstance(change, dict) else "",
        )
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise DataFusionError(f"{key} can no longer be read; deploy it again or delete it") from problem


def _normal(key: Key, told: Json) -> Json:
    match key.kind:
        case Kind.NAMESPACE:
            return normalise.namespace(told)
        case Kind.PROFILE:
            return normalise.profile(told)
        case Kind.CONNECTION:
            return normalise.connection({"name": key.name, **told})
        case Kind.ARTIFACT:
            return normalise.artifact({"version": key.part, **told})
        case Kind.PIPELINE:
            return normalise.pipeline(told)
        case Kind.RUNTIME_ARGUMENTS:
            return {"pipeline": key.name, "arguments": normalise.texts(told)}
        case Kind.PIPELINE_PREFERENCES:
            return {"pipeline": key.name, "preferences": normalise.texts(told)}
        case Kind.PREFERENCES:
            return {"preferences": normalise.texts(told)}
        case _:
            return normalise.schedule(told)


def beginning(key: Key, wanted: Json) -> Json | None:
    """What may be there before an object is made, besides nothing and the object itself; None where anything may.

    An earlier try that was cut off leaves the first of two calls done. A namespace has nothing of its own that could be
    lost, and the schedule that comes with a pipeline is the pipeline's.
    """
    match key.kind:
        case Kind.NAMESPACE:
            return None
        case Kind.SCHEDULE | Kind.TRIGGER:
            return None if key.part == DEFAULT_SCHEDULE else {**wanted, "status": "SUSPENDED"}
        case Kind.PROFILE:
            return {**wanted, "status": "ENABLED"}
        case Kind.ARTIFACT:
            return {**wanted, "properties": {}}
        case Kind.PREFERENCES | Kind.PIPELINE_PREFERENCES:
            return {**wanted, "preferences": {}}
        case Kind.RUNTIME_ARGUMENTS:
            return {**wanted, "arguments": {}}
        case _:
            return wanted


def strange(live: Json, *known: Json) -> list[str]:
    """In words, the places where an object is as none of the known states has it: somebody else's changes.

    A change that was cut off half-way leaves some values as they were and others as they shall be; those are known.
    """
    states = [flatten(state) for state in known]
    now = flatten(live)
    paths: set[Path] = {path for state in (now, *states) for path in state}
    wrong = (path for path in sorted(paths) if now.get(path, MISSING) not in [s.get(path, MISSING) for s in states])
    return list(dict.fromkeys(describe(path) for path in wrong))


def by_name(config: Json) -> Json:
    """A pipeline's configuration with stages and connections as mappings of their names.

    A difference then says which of them differs, and one that is inserted moves no other. What has no names of its own
    stays a list.
    """
    made = dict(config)
    stages = config.get("stages")
    if isinstance(stages, list) and _distinct([_name(stage) for stage in stages]):
        made["stages"] = {stage["name"]: {k: v for k, v in stage.items() if k != "name"} for stage in stages}
    connections = config.get("connections")
    if isinstance(connections, list) and _distinct([_ends(one) for one in connections]):
        made["connections"] = {str(_ends(one)): one for one in connections}
    return made


def in_lists(config: Json) -> Json:
    """The configuration as CDAP takes it, from the form of `by_name`."""
    made = dict(config)
    if isinstance(config.get("stages"), dict):
        made["stages"] = [{"name": name, **stage} for name, stage in config["stages"].items()]
    if isinstance(config.get("connections"), dict):
        made["connections"] = list(config["connections"].values())
    return normalise.configuration(made)


def _distinct(names: list[str | None]) -> bool:
    return None not in names and len(set(names)) == len(names)


def _name(stage: Any) -> str | None:
    name = stage.get("name") if isinstance(stage, dict) else None
    return name if isinstance(name, str) else None


def _ends(connection: Any) -> str | None:
    if not isinstance(connection, dict) or not all(isinstance(connection.get(end), str) for end in ("from", "to")):
        return None
    port = connection.get("port", connection.get("condition"))
    return f"{connection['from']} → {connection['to']}" + ("" if port is None else f" ({port})")
