"""How the jobs of a definition are run, and what is wrong with what they are told.

A function reads its job parameter file when the step starts. An operator of Airflow's providers, and a service that a
workflow calls itself, are told everything when the pipeline is compiled: the keys of the job parameter file with those
of STEP_PROPERTIES laid over them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dataplatform.config.executors import REGISTRY, Executor, Key
from dataplatform.config.jobfiles import holds, words_for
from dataplatform.config.pipeline import ChosenRunner, Definition, StepDef
from dataplatform.config.references import Problem, is_service, resolve
from dataplatform.config.text import kind_of, shown
from dataplatform.diagnostics import Position, nearest

_REFERENCE = re.compile(r"\$[a-z_]+:[A-Za-z0-9_-]+")
_FAILURE_WORDS = ("error", "exception")
_HTTP_ONLY = frozenset({"jobs_definitions_bucket"})
"""Properties that only a function reads."""

Found = tuple[Position, Problem]


def runner_of(step: StepDef, definition: Definition, run: ChosenRunner) -> ChosenRunner:
    """How Airflow runs a step's job. `run` is the stack's word, for who does not say it."""
    executor = REGISTRY.get(step.executor) if step.type == "async" else None
    if executor is None or not executor.operator:
        return "http"
    if not executor.function:
        return "operators"
    return step.run or definition.run or run


def parameters_of(step: StepDef) -> dict[str, Any]:
    """What an operator or a service is told, references unresolved."""
    given = {key: value for key, value in step.step_properties.items() if key not in _HTTP_ONLY}
    return {**(step.job_file.values if step.job_file else {}), **given}


def problems_of_runs(definition: Definition, run: ChosenRunner, context: Mapping[str, str]) -> list[Found]:
    """What of a definition could not be run as it is to be. `context` is what references stand for."""
    found: list[Found] = []
    for step in definition.steps():
        operators = runner_of(step, definition, run) == "operators"
        if operators or is_service(step):
            found.extend(_told(step, definition, context))
        if not operators or (not is_service(step) and "workflows" in definition.engines):
            found.extend(_words(step, definition))
    return found


def problems_of_engines(definition: Definition) -> Iterator[Found]:
    """The steps that the engine of their own definition cannot run."""
    for step in definition.steps():
        if "workflows" in definition.engines and is_service(step) and not REGISTRY[step.executor].rest:
            message = f"Cloud Workflows cannot run {step.executor}: the service takes no identity of Google"
            yield _executor_place(step), Problem("", message, "write engine: composer", "DP329")


def _told(step: StepDef, definition: Definition, context: Mapping[str, str]) -> Iterator[Found]:
    executor = REGISTRY[step.executor]
    file, keys = step.job_file, executor.keys or {}
    names = [parameter.name for parameter in definition.options.parameters]
    if file is not None and file.broken:
        message = "the job parameter file cannot be read, and what it says is needed to compile the step"
        yield Position(file.file), Problem("", message, "correct the file: `dp check` says what is wrong", "DP327")
        return
    given = parameters_of(step)
    for key, value in given.items():
        place = _place(step, key)
        if key not in keys:
            message = f"{step.executor} reads no key {shown(key)}"
            yield place, Problem(key, message, nearest(key[:100], keys), "DP327")
        else:
            yield from _value(place, key, value, keys[key], names)
    yield from _missing(step, executor, given)
    if file is not None:
        for key, value in file.values.items():
            if key not in step.step_properties:
                for problem in resolve({key: value}, context, names, run=True).problems:
                    yield file.positions.get(key, Position(file.file)), problem


def _place(step: StepDef, key: str) -> Position:
    if key in step.step_properties or step.job_file is None:
        return step.position_of("STEP_PROPERTIES")
    return step.job_file.positions.get(key, Position(step.job_file.file))


def _value(place: Position, key: str, value: object, rule: Key, names: Collection[str]) -> Iterator[Found]:
    if isinstance(value, str) and _REFERENCE.fullmatch(value) and rule.type not in ("list", "object"):
        kind, _, name = value[1:].partition(":")
        if (rule.fixed or rule.type == "value") and (kind == "run" or (kind == "parameter" and name in names)):
            message = "a value of the run stands where a name is made when the pipeline is compiled"
            yield place, Problem(key, message, "write the name itself, or a reference to a part of the stack", "DP326")
        return
    if not holds(value, rule.type):
        wanted, remedy = words_for(rule.type)
        yield place, Problem(key, f"expected {wanted}, found {kind_of(value)}", remedy, "DP327")
    elif rule.choices and value not in rule.choices:
        message = f"{shown(str(value)[:100])} is not one of its words"
        yield place, Problem(key, message, "write " + " or ".join(rule.choices), "DP327")
    elif rule.pattern and isinstance(value, str) and "$" not in value and not re.fullmatch(rule.pattern, value):
        yield place, Problem(key, f"{shown(value[:100])} is not of the form it has", f"write {rule.about}", "DP327")
    elif key == "query_parameters":
        for name, item in dict(value).items():  # type: ignore[call-overload]
            if isinstance(item, list) or (isinstance(item, dict) and set(item) != {"type", "value"}):
                message = f"the query parameter {shown(name)} has neither one value nor a type and a value"
                remedy = f'write "{name}": {{"type": "DATE", "value": …}}, or the value alone'
                yield place, Problem(f"{key}.{name}", message, remedy, "DP327")
    elif key == "spark_app_properties" and not _is_object(value):
        message = "it is neither an object nor the text of one"
        yield place, Problem(key, message, 'write {"spark.executor.cores": "4"}', "DP327")


def _is_object(value: object) -> bool:
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return False
    return isinstance(value, dict) or (isinstance(value, str) and not value.strip())


def _missing(step: StepDef, executor: Executor, given: Mapping[str, Any]) -> Iterator[Found]:
    place = _executor_place(step)
    wanted = [key for key, rule in (executor.keys or {}).items() if rule.required and key not in given]
    if executor.name == "bq-saved-query-executor" and "query" not in given:
        wanted.append("query")
    file = f"jobs/{executor.name}/{step.job_name}.json"
    for key in wanted:
        if step.job_file is None and executor.function:
            message = f"there is no job parameter file {shown(file)}, which an operator is told its parameters by"
            yield place, Problem("", message, "put the file there, or write RUN: http", "DP327")
            return
        message = f"the key {shown(key)} is missing: {executor.name} reads it"
        yield place, Problem("", message, f"write it in STEP_PROPERTIES or in {file}", "DP327")
    for group in executor.one_of:
        has = [key for key in group if key in given]
        if len(has) != 1:
            message = "none of them is given" if not has else f"{' and '.join(has)} are given together"
            yield place, Problem("", message, f"write one of {', '.join(group)}", "DP327")


def _executor_place(step: StepDef) -> Position:
    for key in ("FUNCTION_ID_NAME", "COMPOSER_STEP"):
        if key in step.positions:
            return step.positions[key]
    return step.position


def _words(step: StepDef, definition: Definition) -> Iterator[Found]:
    """Names that would be taken for the report of a failure.

    AEF's intermediate function judges an answer by such words, and the id of a saved query's job holds the names of the
    workflow and of the job: it would be started, and then lost.
    """
    if step.executor != "bq-saved-query-executor" or step.type != "async":
        return
    for what, name in (("JOB_NAME", step.job_name), ("the pipeline's name", definition.name)):
        for word in _FAILURE_WORDS:
            if word in name.lower():
                message = f"{what} holds {word!r}: {step.executor} puts it into the job's id, and an id with that word"
                message += " is taken for a failure"
                remedy = "give it another name, or run it with RUN: operators"
                yield step.position_of("JOB_NAME"), Problem("", message, remedy, "DP330")
                break
