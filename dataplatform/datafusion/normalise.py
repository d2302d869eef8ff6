"""One form for everything an instance answers: what has a meaning is kept, the rest is left out.

CDAP keeps a pipeline's configuration as text in which every number is a double (1024 comes back as 1024.0) and nulls
are gone; its user interface adds the places of boxes on the canvas and copies of what stands elsewhere. Files and
instance are both brought to this form before they are compared, so a save in the user interface is a small difference,
and what was pushed comes back byte by byte.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from dataplatform.datafusion.model import BATCH_PROGRAM, DEFAULT_SCHEDULE, Json

_EXACT = 2**53
"""Beyond it a double no longer holds every whole number."""
_STAGE_NOISE = frozenset(
    {"icon", "isPluginAvailable", "errorCount", "warning", "selected", "isError", "isSource", "isSink", "isTransform"}
)
_PLUGIN_NOISE = frozenset({"icon", "warning", "errorCount"})
_DRAFT_FIELDS = frozenset(
    {
        *("stages", "connections", "resources", "driverResources", "clientResources", "properties", "description"),
        *("numOfRecordsPreview", "stageLoggingEnabled", "processTimingEnabled", "postActions", "engine", "schedule"),
        *(
            "maxConcurrentRuns",
            "service",
            "comments",
            "batchInterval",
            "clientResources",
            "isUnitTest",
            "stopGracefully",
        ),
        *("disableCheckpoints", "checkpointDir", "extraJavaOpts"),
    }
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DEFAULT_TIMEOUT = 86_400_000
_DEFAULT_DESCRIPTION = "Data Pipeline Application"


def values(value: Any) -> Any:
    """Numbers as CDAP keeps them and members that are null left out, at any depth."""
    if isinstance(value, dict):
        return {str(k): values(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [values(v) for v in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    number = float(value)  # an integer too large for a double raises OverflowError: the reader of files refuses those
    return int(number) if math.isfinite(number) and number.is_integer() and abs(number) <= _EXACT else number


def dumps(body: Any) -> str:
    """The text of a file: sorted keys, two spaces, one newline at the end, letters as they are."""
    text = json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        text = json.dumps(body, indent=2, sort_keys=True)
    return text + "\n"


def _artifact(artifact: Any) -> Any:
    return (
        {k: artifact[k] for k in ("name", "version", "scope") if k in artifact}
        if isinstance(artifact, dict)
        else artifact
    )


def _stage(stage: Any) -> Any:
    if not isinstance(stage, dict):
        return stage
    kept = {k: v for k, v in stage.items() if not k.startswith("_") and k not in _STAGE_NOISE}
    plugin = kept.get("plugin")
    if isinstance(plugin, dict):
        kept["plugin"] = plugin = {k: v for k, v in plugin.items() if not k.startswith("_") and k not in _PLUGIN_NOISE}
        if plugin.get("label") == kept.get("name"):
            plugin.pop("label", None)
        # The user interface repeats at the stage what the plugin or the name says.
        for repeated in ("type", "label"):
            if repeated in kept and kept[repeated] in (plugin.get(repeated), kept.get("name")):
                del kept[repeated]
    if kept.get("id") == kept.get("name"):
        kept.pop("id", None)
    return kept


def configuration(config: Json) -> Json:
    """A pipeline's configuration. Stages and connections form a graph: their order has no meaning, so it is by name."""
    kept: Json = values({k: v for k, v in config.items() if not k.startswith("_")})
    stages = kept.get("stages")
    if isinstance(stages, list):
        kept["stages"] = sorted((_stage(s) for s in stages), key=_sort_text("name"))
    connections = kept.get("connections")
    if isinstance(connections, list):
        kept["connections"] = sorted(connections, key=_sort_text("from", "to", "port", "condition"))
    return kept


def _sort_text(*fields: str) -> Any:
    def text(item: Any) -> tuple[str, ...]:
        if not isinstance(item, dict):
            return (json.dumps(item, sort_keys=True),)
        return (*(str(item.get(field, "")) for field in fields), json.dumps(item, sort_keys=True))

    return text


def pipeline(body: Json) -> Json:
    """A pipeline: of the instance (`configuration` is text), of the user interface's export, or of a file of ours.

    Raises:
        ValueError: where the configuration is no JSON object.
    """
    config = body.get("config", body.get("configuration"))
    if isinstance(config, str):
        config = json.loads(config)
    if not isinstance(config, dict):
        raise ValueError("the configuration is not an object")
    config = dict(config)
    told = body.get("description")
    # A description beside the configuration is ignored by CDAP: it is the configuration's that counts.
    if told and told != _DEFAULT_DESCRIPTION and "description" not in config:
        config["description"] = told
    return {"name": body["name"], "artifact": _artifact(body.get("artifact")), "config": configuration(config)}


def namespace(body: Json) -> Json:
    """A namespace: what a person sets of it."""
    config = {k: v for k, v in (body.get("config") or {}).items() if v not in ("", None)}
    return {"name": body["name"], "description": body.get("description") or "", "config": values(config)}


def profile(body: Json) -> Json:
    """A compute profile. Properties are a set of names with values."""
    provisioner = body.get("provisioner") or {}
    properties = sorted(values(provisioner.get("properties") or []), key=_sort_text("name"))
    return {
        "name": body["name"],
        "label": body.get("label") or body["name"],
        "description": body.get("description") or "",
        "provisioner": {"name": provisioner.get("name", ""), "properties": properties},
        "status": body.get("status") or "ENABLED",
    }


def connection(body: Json) -> Json:
    """A connection."""
    plugin = dict(body.get("plugin") or {})
    plugin["artifact"] = _artifact(plugin.get("artifact"))
    return {
        "name": body["name"],
        "description": body.get("description") or "",
        "plugin": {
            k: v for k, v in values(plugin).items() if k in ("name", "type", "category", "properties", "artifact")
        },
    }


def draft(body: Json) -> Json:
    """A draft. Its id is kept: without it every environment would have another.

    Unlike that of a pipeline, its configuration is kept by CDAP as CDAP understands it: what is unknown is gone, and
    a size that is not given is 1.
    """
    config = body.get("config")
    kept = configuration(config) if isinstance(config, dict) else {}
    kept = {k: v for k, v in kept.items() if k in _DRAFT_FIELDS}
    if kept.get("engine") not in ("MAPREDUCE", "SPARK"):  # in small letters, as pipelines have it, it is lost
        kept.pop("engine", None)
    for size in ("resources", "driverResources", "clientResources"):
        if isinstance(kept.get(size), dict):
            kept[size] = {"virtualCores": 1, **kept[size]}
    return {
        "id": body["id"],
        "name": body["name"],
        "description": body.get("description") or "",
        "artifact": _artifact(body.get("artifact")),
        "config": kept,
    }


def artifact(body: Json) -> Json:
    """An artifact with its plugins and their properties; the jar itself cannot be had from the instance."""
    plugins = [_plugin(p) for p in (body.get("classes") or {}).get("plugins", body.get("plugins")) or []]
    return {
        "name": body["name"],
        "version": body["version"],
        "scope": body.get("scope", "USER"),
        "parents": sorted(_range(parent) for parent in body.get("parents") or []),
        "properties": {k: str(v) for k, v in (body.get("properties") or {}).items()},
        "plugins": sorted(plugins, key=_sort_text("type", "name")),
    }


def _plugin(plugin: Json) -> Json:
    properties = plugin.get("properties") or {}
    return {
        **{k: plugin[k] for k in ("type", "name", "className", "description") if plugin.get(k) is not None},
        "properties": {
            name: {k: p[k] for k in ("type", "required", "macroSupported") if k in p} for name, p in properties.items()
        },
    }


def _range(parent: Any) -> str:
    """`system:cdap-data-pipeline[6.0.0,7.0.0)`, as the header Artifact-Extends has it."""
    if isinstance(parent, str):
        return parent
    lower, upper = parent["lower"], parent["upper"]
    lower = lower["version"] if isinstance(lower, dict) else lower
    upper = upper["version"] if isinstance(upper, dict) else upper
    opening = "[" if parent.get("isLowerInclusive", True) else "("
    closing = "]" if parent.get("isUpperInclusive", False) else ")"
    return f"{parent['namespace']}:{parent['name']}{opening}{lower},{upper}{closing}"


def schedule(body: Json, config: Json | None = None) -> Json:
    """A schedule or a trigger. Of the schedule that comes with a pipeline, what `config` says already is left out."""
    kept = {k: v for k, v in values(body).items() if k not in ("namespace", "application", "lastUpdateTime")}
    kept.pop("pipeline", None)
    kept["trigger"] = _without_versions(kept["trigger"]) if "trigger" in kept else None
    kept = {k: v for k, v in kept.items() if v is not None}
    if config is not None and kept.get("name") == DEFAULT_SCHEDULE:
        derived = derived_schedule(config)
        # Of an instance the field is there and equal; in a file it may be left out already.
        kept = {k: v for k, v in kept.items() if k == "name" or derived.get(k) != v}
    kept.setdefault("status", "SUSPENDED")
    return {"pipeline": body.get("pipeline") or body.get("application"), **kept}


def derived_schedule(config: Json) -> Json:
    """The schedule that CDAP makes of a pipeline's configuration, without its status."""
    made: Json = {
        "name": DEFAULT_SCHEDULE,
        "description": "Data pipeline schedule",
        "program": {"programName": BATCH_PROGRAM, "programType": "WORKFLOW"},
        "properties": {},
        "constraints": [],
        "timeoutMillis": _DEFAULT_TIMEOUT,
    }
    if config.get("schedule"):
        made["trigger"] = {"type": "TIME", "cronExpression": config["schedule"]}
    if config.get("maxConcurrentRuns") is not None:
        made["constraints"] = [
            {"type": "CONCURRENCY", "maxConcurrency": values(config["maxConcurrentRuns"]), "waitUntilMet": False}
        ]
    return made


def whole_schedule(body: Json, config: Json | None) -> Json:
    """The schedule as the REST API wants it: with what `schedule` left out."""
    derived = derived_schedule(config) if config is not None and body["name"] == DEFAULT_SCHEDULE else {}
    given = {k: v for k, v in body.items() if k not in ("pipeline", "status")}
    return {**derived, **given}


def _without_versions(trigger: Any) -> Any:
    """Triggers name the version of the pipeline they wait for, which every deployment changes."""
    if isinstance(trigger, dict):
        return {
            k: "-SNAPSHOT" if k == "version" and isinstance(v, str) and _UUID.fullmatch(v) else _without_versions(v)
            for k, v in trigger.items()
        }
    return [_without_versions(t) for t in trigger] if isinstance(trigger, list) else trigger


def texts(body: Json) -> dict[str, str]:
    """Preferences and runtime arguments: every value is text."""
    return {str(k): v if isinstance(v, str) else json.dumps(v) for k, v in body.items() if v is not None}
