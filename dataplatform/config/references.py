"""`$kind:name` in STEP_PROPERTIES: names that stand for what a stack calls something.

The same definition thereby serves every environment. A reference stands alone (`$stack:project`) or inside of a text
(`gs://$bucket:landing/orders`); `$$bucket:landing` is the text `$bucket:landing`. A parameter of the pipeline is known
only when a run begins, so its reference stands alone and its value keeps its type.

Physical names follow the rules of `infra.naming`, which a test holds this module to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dataplatform.config.executors import REGISTRY
from dataplatform.config.options import read_as
from dataplatform.config.pipeline import Definition, StepDef
from dataplatform.config.platform import Platform
from dataplatform.config.text import dotted, shown
from dataplatform.diagnostics import Position, nearest

KINDS = ("bucket", "composer", "datafusion", "parameter", "run", "secret", "stack")
"""What a reference may be to."""

RUN_VALUES = ("end_date", "id", "start_date")
"""What `$run:` may name, for jobs that a service runs. An executor gets these with its call."""

Path = tuple[str | int, ...]

_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_ALONE = re.compile(rf"(\$?)\$([a-z_]+):({_NAME})")
_INSIDE = re.compile(rf"(\$?)\$({'|'.join(KINDS)}):({_NAME})")


def context_for(platform: Platform) -> dict[str, str]:
    """`kind:name` → what it stands for in a stack, of all that a definition may refer to."""
    environment = platform.environment
    known = {"stack:environment": environment}
    if platform.pipelines is not None:
        known |= {f"parameter:{name}": value for name, value in platform.pipelines.parameters.items()}
    gcp = platform.gcp
    if gcp is not None:
        known |= {"stack:project": gcp.project, "stack:region": gcp.region}
        known["bucket:jobs"] = gcp.executors.jobs_definitions_bucket or f"{gcp.project}-jobs"
        for zone in gcp.lake.zones if gcp.lake else ():
            known[f"bucket:{zone}"] = f"{gcp.project}-{environment}-{zone}"
        known |= {f"secret:{name}": f"projects/{gcp.project}/secrets/{environment}-{name}" for name in gcp.secrets}
        if gcp.data_fusion is not None:
            known[f"datafusion:{gcp.data_fusion.name}"] = f"{environment}-{gcp.data_fusion.name}"
        if gcp.composer is not None:
            known[f"composer:{gcp.composer.name}"] = f"{environment}-{gcp.composer.name}"
    return known


@dataclass(frozen=True)
class Problem:
    """A reference that cannot be resolved."""

    path: str
    message: str
    remedy: str
    code: str = "DP326"


@dataclass
class Resolved:
    """JSON data without references, those to parameters of the run aside."""

    value: Any = None
    parameters: list[tuple[Path, str]] = field(default_factory=list)
    """Where a value of the run belongs, and which: a parameter's name, or `run:` and one of RUN_VALUES. The data has
    the reference there."""
    problems: list[Problem] = field(default_factory=list)


def resolve(value: Any, context: Mapping[str, str], parameters: Collection[str] = (), *, run: bool = False) -> Resolved:
    """Put what they stand for in place of all references in JSON data; keys are left alone.

    Args:
        value: The data.
        context: `kind:name` → what it stands for.
        parameters: Names of the pipeline's own parameters, which go before the stack's.
        run: Whether `$run:` may stand in the data.
    """
    found = Resolved()
    context = {**context, **{f"run:{name}": "" for name in RUN_VALUES}} if run else context
    found.value = _resolve(value, (), context, parameters, found)
    return found


def is_service(step: StepDef) -> bool:
    """Whether a service runs the step's job itself: there is no function that could be called."""
    executor = REGISTRY.get(step.executor) if step.type == "async" else None
    return executor is not None and not executor.function


def problems_of(definition: Definition, context: Mapping[str, str]) -> list[tuple[Position, Problem]]:
    """What of a definition a stack cannot resolve: its references, and the stack's values for its parameters."""
    parameters = definition.options.parameters
    names = [parameter.name for parameter in parameters]
    found = [
        (step.position_of("STEP_PROPERTIES"), replace(problem, path=f"STEP_PROPERTIES.{problem.path}"))
        for step in definition.steps()
        for problem in resolve(step.step_properties, context, names, run=is_service(step)).problems
    ]
    for parameter in parameters:
        text = context.get(f"parameter:{parameter.name}")
        if text is not None and read_as(parameter.type, text) is None:
            place = definition.positions.get("parameters", Position(definition.file))
            message = (
                f"the stack's value for the parameter {shown(parameter.name)} is not of its type, {parameter.type}"
            )
            remedy = "correct it in pipelines.parameters of the stack, or change the type"
            found.append((place, Problem(f"parameters.{parameter.name}", message, remedy, "DP325")))
    return found


def _resolve(value: Any, path: Path, context: Mapping[str, str], parameters: Collection[str], found: Resolved) -> Any:
    if isinstance(value, dict):
        return {key: _resolve(item, (*path, key), context, parameters, found) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, (*path, index), context, parameters, found) for index, item in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value
    alone = _ALONE.fullmatch(value)
    if alone is not None and not alone[1] and alone[2] == "parameter" and alone[3] in parameters:
        found.parameters.append((path, alone[3]))
        return value
    if alone is not None and not alone[1] and alone[2] == "run" and f"run:{alone[3]}" in context:
        found.parameters.append((path, f"run:{alone[3]}"))
        return value

    def put(match: re.Match[str]) -> str:
        escaped, kind, name = match.groups()
        if escaped:
            return match[0][1:]
        known = context.get(f"{kind}:{name}")
        if (kind == "parameter" and name in parameters) or (kind == "run" and known is not None):
            what = f"the parameter {shown(name)}" if kind == "parameter" else f"the run's {name}"
            message = f"{what} stands inside of a longer text"
            remedy = f'let "${kind}:{name}" be the whole value: it is known only when a run begins'
            found.problems.append(Problem(dotted(path), message, remedy))
        elif known is None:
            found.problems.append(_unknown(kind, name, path, context, parameters))
        return known or match[0]

    return put(alone) if alone is not None else _INSIDE.sub(put, value)


def _unknown(kind: str, name: str, path: Path, context: Mapping[str, str], parameters: Collection[str]) -> Problem:
    where = dotted(path)
    if kind not in KINDS:
        remedy = f"{nearest(kind[:100], KINDS)} For the text itself write $${kind}:{name}"
        return Problem(where, f"there is no reference of the kind {shown(kind)}", remedy)
    if kind == "run" and not any(key.startswith("run:") for key in context):
        message = f"$run:{name} stands in what a function gets, which has no place for it"
        remedy = "take it out: the function gets the run's dates as query_variables and its id as execution_id"
        return Problem(where, message, remedy)
    known = {key.partition(":")[2] for key in context if key.startswith(f"{kind}:")}
    known |= set(parameters) if kind == "parameter" else set()
    remedy = nearest(name[:100], known) if known else f"the stack has nothing of the kind {kind}"
    return Problem(where, f"the reference ${kind}:{name} names nothing", remedy)
