"""AEF's JSON ↔ our YAML: the same keys and the same meaning, each in its own style.

In AEF every value is a string and STEP_PROPERTIES is JSON in a string; in YAML numbers are numbers, flags are booleans
and the properties are a mapping. Nothing else differs, so either can be made of the other.

Lost on the way: comments, and the blanks inside of a STEP_PROPERTIES string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dataplatform.config.options import DEFAULT_OWNER, Options, Trigger
from dataplatform.config.pipeline import ENGINES, WHOLE, Definition, StepDef
from dataplatform.show.yaml_text import dump

_NUMBERS = frozenset({"LEVEL_ID", "THREAD_ID", "WAIT_TIME_SECONDS", "TIMEOUT_SECONDS", "ASYNC_TIMEOUT_LOOP_IN_MINUTES"})
_FLAGS = frozenset({"CONTINUE_IF_FAIL", "LAST_STEP"})
_PROPERTIES = "STEP_PROPERTIES"
_DEEPEST = 80
"""Nesting of properties that still fits below a step: readers take a hundred levels in all."""
_LONGEST_KEY = 100
"""YAML wants keys of at most 1024 characters on one line, escapes of ten included; a longer one stays JSON text."""

Data = Mapping[str, Any]


def to_yaml(definition: Definition | Data, *, origin: str = "") -> str:
    """A definition as YAML that `load_definition` accepts, with the same levels and steps.

    Args:
        definition: What was loaded; or the plain data of a file that was checked, whose keys keep their order.
        origin: The file it was made from, named in the one comment.
    """
    data = data_of(definition) if isinstance(definition, Definition) else definition
    head = f"# Converted from {json.dumps(origin, ensure_ascii=True)}\n" if origin else ""
    return head + dump(_each(data, _yaml_value))


def to_json(definition: Definition | Data) -> str:
    """A definition as AEF's JSON: strings for numbers and flags, properties as JSON in a string."""
    data = data_of(definition) if isinstance(definition, Definition) else definition
    return json.dumps(_each(data, _json_value), indent=2, ensure_ascii=False) + "\n"


def data_of(definition: Definition) -> dict[str, Any]:
    """The keys and values of a definition: those its file has, with what the definition knows of them."""
    names = {ours: theirs for theirs, ours in ENGINES.items()}
    engine = definition.engines[0]
    levels = [
        {
            "LEVEL_ID": level.level_id,
            "THREADS": [
                {"THREAD_ID": thread.thread_id, "STEPS": [_step(step, engine) for step in thread.steps]}
                for thread in level.threads
            ],
        }
        for level in definition.levels
    ]
    run = {"run": definition.run} if definition.run else {}
    return {"engine": names[engine], **_options(definition.options), **run, "definition": levels}


def _options(options: Options) -> dict[str, Any]:
    """What the definition says of the pipeline as a whole, defaults left out."""
    schedule = options.schedule
    found: dict[str, Any] = {
        "description": options.description,
        "owner": options.owner if options.owner != DEFAULT_OWNER else "",
        "tags": list(options.tags),
        "schedule": {"cron": schedule.cron, "timezone": schedule.timezone} if schedule else None,
        "parameters": {
            p.name: {
                "type": p.type,
                "default": p.default,
                **({"description": p.description} if p.description else {}),
            }
            for p in options.parameters
        },
        "on_failure": {"function": options.on_failure} if options.on_failure else None,
        "triggers": {trigger.name: _trigger(trigger) for trigger in options.triggers},
    }
    return {key: value for key, value in found.items() if value}


def _trigger(trigger: Trigger) -> dict[str, Any]:
    """What starts a run, as it is written."""
    what: dict[str, Any] = (
        {"file": {"zone": trigger.zone, **({"prefix": trigger.prefix} if trigger.prefix else {})}}
        if trigger.zone is not None
        else {"audit": {"service": trigger.service, "method": trigger.method}}
        if trigger.service is not None
        else {"message": {"topic": trigger.topic} if trigger.topic is not None else {}}
    )
    given = {"parameters": dict(trigger.parameters), "query_variables": dict(trigger.query_variables)}
    return {**what, **{key: value for key, value in given.items() if value}}


def _step(step: StepDef, engine: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "JOB_ID": step.job_id,
        "JOB_NAME": step.job_name,
        "TYPE": step.type,
        "FUNCTION_ID_NAME": step.executor,
        "FUNCTION_NAME": step.executor,
        "COMPOSER_STEP": step.executor,
        "workflows_name": step.executor if step.type == "workflows" else None,
        "FUNCTION_STATUS_NAME": step.status_executor,
        "WAIT_TIME_SECONDS": step.wait_time_seconds,
        "TIMEOUT_SECONDS": step.timeout_seconds,
        "ASYNC_TIMEOUT_LOOP_IN_MINUTES": step.async_timeout_loop_in_minutes,
        "CONTINUE_IF_FAIL": step.continue_if_fail,
        "STEP_PROPERTIES": step.step_properties,
        "RETRIES": asdict(step.retries) if step.retries else None,
        "CALL_RETRY": asdict(step.call_retry) if step.call_retry else None,
        "POOL": step.pool,
        "RUN": step.run,
    }
    has = set(step.positions) or _needed(step, engine)
    return {key: value for key, value in values.items() if key in has and value is not None}


def _needed(step: StepDef, engine: str) -> set[str]:
    """The keys to write for a step that was not read from a file."""
    start = "COMPOSER_STEP" if engine == "airflow" else "FUNCTION_ID_NAME"
    has = {"JOB_ID", "JOB_NAME", "TYPE", "workflows_name" if step.type == "workflows" else start}
    has |= {"TIMEOUT_SECONDS", "ASYNC_TIMEOUT_LOOP_IN_MINUTES", "RETRIES", "CALL_RETRY", "POOL", "RUN"}
    if step.type != "sync":
        has.add("WAIT_TIME_SECONDS")
    if step.status_executor != step.executor:
        has.add("FUNCTION_STATUS_NAME")
    if step.continue_if_fail:
        has.add("CONTINUE_IF_FAIL")
    if step.step_properties:
        has.add("STEP_PROPERTIES")
    return has


def _each(data: Data, convert: Any) -> dict[str, Any]:
    """The definition with every value converted: keys are told apart by their names, wherever they stand."""
    result: dict[str, Any] = {}
    for key, value in data.items():
        if key in ("definition", "THREADS", "STEPS") and isinstance(value, list):
            result[key] = [_each(item, convert) for item in value]
        else:
            converted = convert(key, value)
            if converted is not None:
                result[key] = converted
    return result


def _yaml_value(key: str, value: Any) -> Any:
    if isinstance(value, str):
        if key in _NUMBERS and WHOLE.fullmatch(value):
            return int(value)
        if key in _FLAGS and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if key == _PROPERTIES:
            properties = json.loads(value)
            return properties if _fits(properties) else value
    return value


def _json_value(key: str, value: Any) -> Any:
    if key == _PROPERTIES and isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "True" if value else "False"
    return str(value) if isinstance(value, int) else value


def _fits(value: Any, depth: int = 0) -> bool:
    """Whether JSON data can be written as YAML that a reader takes for the same data."""
    if isinstance(value, Mapping):
        return depth < _DEEPEST and all(
            len(key) <= _LONGEST_KEY and _fits(item, depth + 1) for key, item in value.items()
        )
    if isinstance(value, list):
        return depth < _DEEPEST and all(_fits(item, depth + 1) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return -(2**63) <= value < 2**63
    return True
