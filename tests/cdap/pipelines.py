"""Pipelines that a CDAP of published parts can deploy, and run: they copy one key-value table to another."""

from __future__ import annotations

from typing import Any

ARTIFACT = {"name": "cdap-data-pipeline", "version": "6.11.0", "scope": "SYSTEM"}
CORE = {"name": "core-plugins", "version": "2.13.0", "scope": "SYSTEM"}
Json = dict[str, Any]


def stage(name: str, plugin: str, kind: str, properties: Json) -> Json:
    return {
        "name": name,
        "plugin": {"name": plugin, "type": kind, "label": name, "artifact": CORE, "properties": properties},
    }


def source(stage_name: str = "Src", /, **more: Any) -> Json:
    return stage(stage_name, "KVTable", "batchsource", {"name": "kvin", **more})


def sink(stage_name: str = "Snk", /, **more: Any) -> Json:
    return stage(
        stage_name, "KVTable", "batchsink", {"name": "kvout", "key.field": "key", "value.field": "value", **more}
    )


def link(before: str, after: str, **more: Any) -> Json:
    return {"from": before, "to": after, **more}


def config(**changes: Any) -> Json:
    """A configuration; a change to `...` leaves a field out."""
    whole: Json = {
        "resources": {"memoryMB": 1024, "virtualCores": 1},
        "driverResources": {"memoryMB": 1024, "virtualCores": 1},
        "connections": [link("Src", "Snk")],
        "comments": [],
        "postActions": [],
        "properties": {},
        "processTimingEnabled": True,
        "stageLoggingEnabled": False,
        "stages": [source(), sink()],
        "schedule": "0 1 */1 * *",
        "engine": "mapreduce",
        "numOfRecordsPreview": 100,
        "maxConcurrentRuns": 1,
    } | changes
    return {key: value for key, value in whole.items() if value is not ...}


def app(given: Any = None, **more: Any) -> Json:
    """The body of a deployment."""
    return {"artifact": ARTIFACT, "config": config() if given is None else given, **more}
