"""Which type each part of an export's file has: what CDAP would answer with a stack trace, or not see at all.

A part that is not there, or null, is no mistake here: what must be there is said in `layout`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dataplatform.datafusion.model import Kind
from dataplatform.diagnostics import nearest

At = tuple[str | int, ...]
Problem = tuple[str, At, str, str]

_TYPES: dict[str, tuple[tuple[type, ...], str, str]] = {
    "text": ((str,), "a text", '"…"'),
    "single value": ((str, int, float, bool), "a single value", '"…"'),
    "number": ((int, float), "a number", "1"),
    "object": ((dict,), "an object", "{ … }"),
    "list": ((list,), "a list", "[ … ]"),
}
_ARTIFACT = {"artifact": "object", "artifact.name": "text", "artifact.version": "text", "artifact.scope": "text"}
_PLUGIN = {"name": "text", "type": "text", "properties": "object", "properties.*": "single value", **_ARTIFACT}


def _below(path: str, parts: Mapping[str, str]) -> dict[str, str]:
    return {path: "object", **{f"{path}.{part}": kind for part, kind in parts.items()}}


_STAGES = {
    "stages": "list",
    **_below("stages.*", {"name": "text", **_below("plugin", _PLUGIN)}),
    "connections": "list",
    **_below("connections.*", {"from": "text", "to": "text", "port": "text"}),
    "properties": "object",
    "resources": "object",
    "driverResources": "object",
    "clientResources": "object",
    "postActions": "list",
    "comments": "list",
    "description": "text",
    "engine": "text",
    "schedule": "text",
    "maxConcurrentRuns": "number",
}
_SCHEDULE = {
    "description": "text",
    "status": "text",
    "program": "object",
    "properties": "object",
    "constraints": "list",
    "constraints.*": "object",
    "timeoutMillis": "number",
    "trigger": "object",
    "trigger.type": "text",
    "trigger.cronExpression": "text",
    "trigger.programId": "object",
    "trigger.programStatuses": "list",
    "trigger.triggers": "list",
    "trigger.triggers.*": "object",
}
_SHAPES: dict[Kind, dict[str, str]] = {
    Kind.NAMESPACE: {"description": "text", "config": "object", "config.*": "single value"},
    Kind.PROFILE: {
        "label": "text",
        "description": "text",
        "status": "text",
        "provisioner.name": "text",
        "provisioner.properties": "list",
        **_below("provisioner.properties.*", {"name": "text"}),
    },
    Kind.PREFERENCES: {"preferences.*": "single value"},
    Kind.PIPELINE_PREFERENCES: {"preferences.*": "single value"},
    Kind.RUNTIME_ARGUMENTS: {"arguments.*": "single value"},
    Kind.SECURE_KEYS: _below("keys.*", {"name": "text", "description": "text"}),
    Kind.CONNECTION: {"description": "text", **_below("plugin", {**_PLUGIN, "category": "text"})},
    Kind.DRAFT: {"description": "text", **_ARTIFACT, **_below("config", _STAGES)},
    Kind.ARTIFACT: {
        "scope": "text",
        "parents": "list",
        "parents.*": "text",
        "properties": "object",
        "properties.*": "single value",
        "plugins": "list",
        **_below("plugins.*", {"name": "text", "type": "text", "className": "text", "properties": "object"}),
        "plugins.*.properties.*": "object",
    },
    Kind.SCHEDULE: _SCHEDULE,
    Kind.TRIGGER: _SCHEDULE,
}


def misshapen(kind: Kind, body: Mapping[str, object]) -> list[Problem]:
    """The parts of a file's object that have another type than they must have."""
    return _wrong(_SHAPES.get(kind, {}), body, ())


def misshapen_pipeline(config: Mapping[str, object], at: At) -> list[Problem]:
    """The same of a pipeline's configuration, which lies at `at`; connections must lead from stage to stage too."""
    found = _wrong(_STAGES, config, at)
    return found or [*_loose_ends(config, at)]


def _wrong(shape: Mapping[str, str], body: object, at: At) -> list[Problem]:
    found: list[Problem] = []
    for path, name in shape.items():
        types, words, example = _TYPES[name]
        for place, value in _values(body, path.split(".")):
            wrong = not isinstance(value, types) or (name == "number" and isinstance(value, bool))
            # A member that is null counts as not there; an item of a list cannot.
            if wrong and (value is not None or isinstance(place[-1], int)):
                found.append(("DP602", (*at, *place), f"this must be {words}", f"write {example}"))
    return found


def _values(body: object, path: list[str], at: At = ()) -> Iterator[tuple[At, object]]:
    """The values at a path that are there; `*` is every member of an object, or every item of a list."""
    if not path:
        yield at, body
        return
    head, *rest = path
    if head != "*":
        if isinstance(body, dict) and head in body:
            yield from _values(body[head], rest, (*at, head))
        return
    members = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in members:
        yield from _values(value, rest, (*at, name))


def _loose_ends(config: Mapping[str, object], at: At) -> Iterator[Problem]:
    stages, connections = config.get("stages"), config.get("connections")
    if not isinstance(stages, list) or not isinstance(connections, list):
        return
    names = {stage["name"] for stage in stages if isinstance(stage, dict) and isinstance(stage.get("name"), str)}
    for i, one in enumerate(connections):
        for end in ("from", "to"):
            if one.get(end) is None:
                yield "DP602", (*at, "connections", i), f"the connection has no '{end}'", f'add "{end}": "…"'
            elif one[end] not in names:
                what = f"the connection leads {end} '{one[end]}', which is no stage of the pipeline"
                yield "DP602", (*at, "connections", i, end), what, nearest(one[end], names)
