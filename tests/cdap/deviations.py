"""Where the embedded CDAP answers otherwise than the real one, and why. docs/cdap.md shows this list."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = Any
Comparable = tuple[int, str, Json]


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One kind of difference; `alter` takes it out of an answer."""

    key: str
    what: str
    why: str
    alter: Callable[[int, str, Json], Comparable]


def _walk(value: Json, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Json:
    if isinstance(value, dict):
        return {k: _walk(v, change) for k, v in change(value).items()}
    return [_walk(v, change) for v in value] if isinstance(value, list) else value


def _without(*keys: str) -> Callable[[int, str, Json], Comparable]:
    def alter(status: int, kind: str, body: Json) -> Comparable:
        return status, kind, _walk(body, lambda found: {k: v for k, v in found.items() if k not in keys})

    return alter


def _sorted(status: int, kind: str, body: Json) -> Comparable:
    if isinstance(body, list):
        return status, kind, sorted(body, key=lambda item: json.dumps(item, sort_keys=True))
    return status, kind, body


def _plugin_texts(status: int, kind: str, body: Json) -> Comparable:
    def change(found: dict[str, Json]) -> dict[str, Json]:
        if "className" not in found and "macroSupported" not in found:
            return found
        return {k: v for k, v in found.items() if k not in ("description", "configSchema")}

    return status, kind, _sort_plugins(_walk(body, change))


def _sort_plugins(body: Json) -> Json:
    """Plugins of an artifact, and of a type, come in the order of a hash table."""
    if isinstance(body, dict) and "classes" in body:
        classes = body["classes"]
        plugins = sorted(classes["plugins"], key=lambda p: (p["type"], p["name"]))
        return {**body, "classes": {**classes, "plugins": plugins}}
    return _sorted(200, "", body)[2]


def _no_phases(status: int, kind: str, body: Json) -> Comparable:
    return status, kind, body.replace("phase-1,", "").replace(",phase-1", "") if isinstance(body, str) else body


def _status_alone(status: int, kind: str, body: Json) -> Comparable:
    return status, "", None


DEVIATIONS = (
    Deviation(
        key="order",
        what="order of plugin types, plugins, and schedules that wait for a program",
        why="the real one gives them as a hash table holds them",
        alter=_sorted,
    ),
    Deviation(
        key="plugin-texts",
        what="descriptions of plugins and of their properties are empty, an app class has no configuration schema",
        why="they are the plugins' own prose; nothing is checked by them",
        alter=_plugin_texts,
    ),
    Deviation(
        key="draft-hash",
        what="`configHash` of a draft",
        why="it is the hash of a Java object; here it is that of the configuration's text",
        alter=_without("configHash"),
    ),
    Deviation(
        key="cluster",
        what="`cluster` of a run that has ended",
        why="the real one goes on with taking a cluster down that was none; the embedded one is done with it at once",
        alter=_without("cluster"),
    ),
    Deviation(
        key="phases",
        what="runs of a workflow's phases",
        why="the real one also keeps a run of each MapReduce or Spark program that a workflow starts",
        alter=_no_phases,
    ),
    Deviation(
        key="logs",
        what="the lines of a log",
        why="nothing runs: there are the first lines and the last one of a run",
        alter=_status_alone,
    ),
)

BY_KEY = {deviation.key: deviation for deviation in DEVIATIONS}
