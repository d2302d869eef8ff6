"""A pipeline's configuration: what CDAP checks when one is deployed, in its order and words, and what comes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from localcloud.cdap import artifacts, gsonlike, schedules, versions
from localcloud.cdap.http import CdapError, Json
from localcloud.cdap.instance import Instance

SCHEDULE = "dataPipelineSchedule"
WORKFLOW = "DataPipelineWorkflow"
DESCRIPTION = "Data Pipeline Application"
_TIMEOUT_MILLIS = 86_400_000
_BAD_JSON = "Invalid JSON configuration was provided. Please check the syntax."
_KINDS = {
    "resources": "object",
    "driverResources": "object",
    "clientResources": "object",
    "properties": "strings",
    "maxConcurrentRuns": "whole",
    "numOfRecordsPreview": "whole",
    "schedule": "text",
    "engine": "text",
    "description": "text",
}
_SOURCES = ("batchsource",)
_CONTROL = ("action", "condition")
_ENGINES = ("mapreduce", "spark")
_DATASET = re.compile(r"[A-Za-z0-9_.-]+")
_DATASETS = {"KVTable": "io.cdap.cdap.api.dataset.lib.KeyValueTable", "Table": "io.cdap.cdap.api.dataset.table.Table"}


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What a deployed pipeline has, by its configuration."""

    description: str
    engine: str
    programs: list[Json]
    plugins: list[Json]
    datasets: list[Json]
    schedule: Json | None
    """The schedule its deployment makes, without what says where it belongs."""


def read(api: Instance, namespace: str, parent: Json, text: str) -> Pipeline:
    """Check a configuration and say what it makes. Raises CdapError 400."""
    if not text:
        raise CdapError(400, "io.cdap.cdap.etl.proto.v2.ETLBatchConfig")
    config = _parsed(text)
    if config.get("service") is True:
        return _service()
    stages, connections = _stages(config), _connections(config)
    if not stages:
        raise CdapError(400, "A pipeline must contain at least one stage.")
    _check_stages(stages)
    _check_graph(stages, connections)
    plugins = []
    offered = artifacts.extending(api, namespace, parent, "system")
    for stage in stages:
        _check_plugin(stage, offered)
        plugin = stage["plugin"]
        plugins.append({"id": stage["name"], "name": plugin.get("name"), "type": plugin.get("type")})
    engine = str(config.get("engine")).lower()
    engine = engine if engine in _ENGINES else _ENGINES[0]
    if config.get("schedule"):
        schedules.check_cron(gsonlike.scalar(config["schedule"]), status=400)
    return Pipeline(
        description=config.get("description") or DESCRIPTION,
        engine=engine,
        programs=_programs(stages, connections, engine),
        plugins=sorted(plugins, key=lambda p: str(p["id"])),
        datasets=_datasets(stages),
        schedule=_schedule(config),
    )


def _service() -> Pipeline:
    """The app that serves drafts and connections is the same artifact, asked for by `service`."""
    return Pipeline(
        description="Data Pipeline System Services.",
        engine="",
        programs=[{"type": "Service", "name": "studio", "description": "Handles pipeline studio operations."}],
        plugins=[],
        datasets=[],
        schedule=None,
    )


def _parsed(text: str) -> Json:
    try:
        config = gsonlike.plain(gsonlike.parse(text))
    except gsonlike.GsonError:
        raise CdapError(400, _BAD_JSON) from None
    if config is None:
        return {}
    if not isinstance(config, dict) or not all(_fits(config.get(key), kind) for key, kind in _KINDS.items()):
        raise CdapError(400, _BAD_JSON)
    return config


def _fits(value: Any, kind: str) -> bool:
    """Whether Gson would read the value into a field of that kind."""
    if value is None:
        return True
    if kind == "object":
        return isinstance(value, dict)
    if kind == "strings":
        return isinstance(value, dict) and not any(isinstance(v, dict | list) for v in value.values())
    if kind == "whole":
        try:
            return not isinstance(value, bool) and float(value) == int(float(value))
        except (TypeError, ValueError):
            return False
    return not isinstance(value, dict | list)


def _list(config: Json, key: str) -> list[Json]:
    found = config.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise CdapError(400, _BAD_JSON)
    return found


def _stages(config: Json) -> list[Json]:
    """The stages; several that are the same in every field are one."""
    stages: list[Json] = []
    for stage in _list(config, "stages"):
        plugin = stage.get("plugin", {})
        if not isinstance(plugin, dict) or not isinstance(plugin.get("properties") or {}, dict):
            raise CdapError(400, _BAD_JSON)
        if stage not in stages:
            stages.append(stage)
    return stages


def _check_stages(stages: list[Json]) -> None:
    for stage in stages:
        if stage.get("name") is None:
            raise CdapError(400, f"Invalid stage '{_shown_stage(stage)}': name must be specified.")
        if stage.get("plugin") is None:
            raise CdapError(400, f"Invalid stage '{stage['name']}': plugin must be specified.")


def _shown_stage(stage: Json) -> str:
    plugin: Json = stage.get("plugin") or {}
    fields = ", ".join(
        f"{key}={_quoted(plugin.get(key)) if key in ('name', 'type') else plugin.get(key, 'null')}"
        for key in ("name", "type", "properties", "artifact")
    )
    return f"ETLStage{{name='null', plugin=Plugin{{{fields}}}}}"


def _quoted(value: Any) -> str:
    return f"'{'null' if value is None else value}'"


def _connections(config: Json) -> list[Json]:
    return _list(config, "connections")


def _check_graph(stages: list[Json], connections: list[Json]) -> None:
    seen: set[str] = set()
    for stage in stages:
        name = stage.get("name")
        if name in seen:
            raise CdapError(
                400, f"Invalid pipeline. Multiple stages are named {name}. Please ensure all stage names are unique"
            )
        seen.add(str(name))
    if not connections and not (len(stages) == 1 and stages[0].get("plugin", {}).get("type") == "action"):
        raise CdapError(
            400,
            "Invalid pipeline. There are no connections between stages. This is only allowed if the pipeline consists"
            " of a single action plugin.",
        )
    for connection in connections:
        for end in ("from", "to"):
            if connection.get(end) not in seen:
                raise CdapError(
                    400, f"Invalid connection {_shown(connection)}. {connection.get(end, 'null')} is not a stage."
                )
    _check_shape(stages, connections)


def _check_shape(stages: list[Json], connections: list[Json]) -> None:
    """Sources have nothing before them, all others have; and nothing goes round."""
    kinds = {stage["name"]: str(stage["plugin"].get("type")) for stage in stages}
    before: dict[str, list[str]] = {name: [] for name in kinds}
    for connection in connections:
        if connection["from"] not in before[connection["to"]]:
            before[connection["to"]].append(connection["from"])
    if connections and all(before.values()):
        raise CdapError(400, "DAG does not have any sources. Please remove cycles from the graph.")
    for name, kind in kinds.items():
        # An action may run before a source: what leads from it is order, not data.
        if kind in _SOURCES and any(kinds[other] not in _CONTROL for other in before[name]):
            raise CdapError(
                400,
                f"{kind} {name} has incoming connections from {','.join(before[name])}. {kind} stages cannot have any"
                " incoming connections.",
            )
        if kind not in _SOURCES and not before[name] and kind not in _CONTROL:
            raise CdapError(400, f"Stage {name} is unreachable, it has no incoming connections.")


def _shown(connection: Json) -> str:
    def text(key: str) -> str:
        value = connection.get(key)
        return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    ends = f"from='{text('from')}', to='{text('to')}'"
    return f"Connection{{{ends}, port='{text('port')}', condition='{text('condition')}'}}"


def _check_plugin(stage: Json, offered: list[tuple[str, Json]]) -> None:
    plugin: dict[str, Any] = stage.get("plugin") or {}
    name, kind = plugin.get("name"), plugin.get("type")
    wanted: dict[str, Any] = plugin.get("artifact") or {}
    found = [
        p
        for scope, artifact in offered
        for p in artifact["plugins"]
        if (p["name"], p["type"]) == (name, kind)
        and wanted.get("name") in (None, artifact["name"])
        and str(wanted.get("scope") or scope).upper() == scope
        and _version_fits(wanted.get("version"), artifact["version"])
    ]
    where = f"Failed to configure pipeline: Stage '{stage.get('name')}' encountered : "
    if not found:
        raise CdapError(
            400,
            f"{where}Plugin named '{name}' of type '{kind}' not found. Please make sure plugin is deployed in the"
            " namespace and try again",
        )
    given: dict[str, Any] = plugin.get("properties") or {}
    _check_dataset(str(name), given, where)
    missing = [
        key for key, (_, required, *_rest) in found[-1]["properties"].items() if required and given.get(key) is None
    ]
    if missing:
        raise CdapError(400, f"{where}Required property '{missing[0]}' has no value.")


def _check_dataset(plugin: str, given: dict[str, Any], where: str) -> None:
    """The one thing the plugins of tables check themselves."""
    name = given.get("name")
    if plugin not in _DATASETS or name is None or "${" in name:
        return
    if not name:
        raise CdapError(400, f"{where}Error encountered while configuring the stage: 'Dataset name must be given.'")
    if not _DATASET.fullmatch(name):
        raise CdapError(
            400, f"'{name}' name is not an ID. ID should be non empty and can contain only characters A-Za-z0-9_-"
        )


def _version_fits(wanted: object, version: str) -> bool:
    if not wanted:
        return True
    text = gsonlike.scalar(wanted)
    if text[0] in "[(":
        try:
            return versions.read_range(text).holds(version)
        except versions.BadRangeError:
            return False
    if versions.read(text) is None:
        raise CdapError(
            400,
            f"{text} is an invalid artifact version.Must be an exact version or a version range with a lower and upper"
            " bound.",
        )
    return text == version


def _programs(stages: list[Json], connections: list[Json], engine: str) -> list[Json]:
    """The workflow and its one phase. CDAP makes more phases of some pipelines, which is not imitated."""
    names = [stage["name"] for stage in stages if stage["plugin"].get("type") != "action"]
    ends = {c.get("from") for c in connections if c.get("to") in names}
    begins = {c.get("to") for c in connections if c.get("from") in names}
    workflow = {"type": "Workflow", "name": WORKFLOW, "description": "Data Pipeline Workflow"}
    if not names:
        return [workflow]
    sources = ", ".join(f"'{n}'" for n in names if n not in begins)
    sinks = ", ".join(f"'{n}'" for n in names if n not in ends)
    described = f"Sources {sources} to sinks {sinks}."
    phase = {"type": "Spark", "name": f"phase-{1 + _actions_first(stages, connections)}", "description": described}
    if engine != "spark":
        phase |= {"type": "Mapreduce", "description": f"MapReduce phase executor. {described}"}
    return [phase, workflow]


def _actions_first(stages: list[Json], connections: list[Json]) -> int:
    """How many actions run before the data is read; each is counted as a phase."""
    kinds = {stage["name"]: str(stage["plugin"].get("type")) for stage in stages}
    first = {name for name, kind in kinds.items() if kind in _SOURCES}
    while more := {c["from"] for c in connections if c["to"] in first} - first:
        first |= more
    return sum(kinds[name] == "action" for name in first)


def _datasets(stages: list[Json]) -> list[Json]:
    found = {
        properties["name"]: _DATASETS[str(stage["plugin"]["name"])]
        for stage in stages
        if stage["plugin"].get("name") in _DATASETS
        and (properties := stage["plugin"].get("properties") or {}).get("name")
        and "${" not in properties["name"]
    }
    return [{"name": name, "classname": classname} for name, classname in found.items()]


def _schedule(config: Json) -> Json | None:
    cron = config.get("schedule")
    if not cron:
        return None
    concurrency = config.get("maxConcurrentRuns")
    constraints = []
    if concurrency is not None:
        constraints.append({"maxConcurrency": int(concurrency), "type": "CONCURRENCY", "waitUntilMet": False})
    return {
        "name": SCHEDULE,
        "description": "Data pipeline schedule",
        "program": {"programName": WORKFLOW, "programType": "WORKFLOW"},
        "properties": {},
        "trigger": {"cronExpression": cron, "type": "TIME"},
        "constraints": constraints,
        "timeoutMillis": _TIMEOUT_MILLIS,
    }
