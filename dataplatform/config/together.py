"""What definitions ask of each other and of their stack: the pipelines they run, and what they refer to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataplatform.config.loader import load_document
from dataplatform.config.pipeline import ChosenRunner, Definition, StepDef
from dataplatform.config.references import problems_of
from dataplatform.config.runners import problems_of_engines, problems_of_runs
from dataplatform.config.text import shown
from dataplatform.diagnostics import Diagnostics, Position, nearest


@dataclass(frozen=True)
class Given:
    """What a stack gives its definitions."""

    functions: frozenset[str] = frozenset()
    """Executor functions besides the framework's own."""
    workflows: frozenset[str] = frozenset()
    """Workflows that are not compiled from definitions of the project."""
    references: frozenset[tuple[str, str]] = frozenset()
    """`kind:name` and what it stands for."""
    run: ChosenRunner = "http"
    """How Airflow runs jobs where neither step nor definition says it."""


def check_across(definitions: Sequence[Definition], names: Collection[str], given: Given) -> Diagnostics:
    """What is wrong with definitions that are each right.

    Args:
        definitions: Those that could be read.
        names: The pipelines of the project, those included whose definitions could not be read.
        given: What the stack gives its definitions.
    """
    diagnostics = Diagnostics()
    external, context = given.workflows, dict(given.references)
    runs = {definition.name: _runs(definition) for definition in definitions}
    for definition in definitions:
        for step in runs[definition.name]:
            place = step.position_of("workflows_name")
            if step.executor not in names and step.executor not in external:
                remedy = f"{nearest(step.executor[:100], sorted({*names, *external}))}"
                remedy += " A workflow from elsewhere is declared in pipelines.external_workflows of the stack"
                _add(diagnostics, "DP323", definition, place, f"there is no pipeline {shown(step.executor)}", remedy)
            elif _reaches(step.executor, definition.name, runs):
                message = f"running {shown(step.executor)} runs {shown(definition.name)} again, without end"
                _add(diagnostics, "DP323", definition, place, message, "break the circle: take one of its steps out")
        found = [*problems_of(definition, context), *problems_of_runs(definition, given.run, context)]
        for place, problem in [*found, *problems_of_engines(definition)]:
            _add(diagnostics, problem.code, definition, place, problem.message, problem.remedy, problem.path)
    return diagnostics


def _runs(definition: Definition) -> list[StepDef]:
    return [step for step in definition.steps() if step.type == "workflows"]


def _reaches(start: str, goal: str, runs: dict[str, list[StepDef]]) -> bool:
    """Whether a pipeline is, or runs, another."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            waiting.extend(step.executor for step in runs.get(name, ()))
    return False


def _add(
    diagnostics: Diagnostics,
    code: str,
    definition: Definition,
    place: Position,
    message: str,
    remedy: str,
    path: str = "",
) -> None:
    node, _ = load_document(Path(place.file))
    source = node.line_text(place.line) if node is not None else ""
    diagnostics.add(code, place, message, remedy, path=path, source=source)
