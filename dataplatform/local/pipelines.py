"""Which pipeline a person means, and its plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.plan import Engine, Plan
from dataplatform.config.check import load_definition, load_stack, load_stack_config
from dataplatform.config.pipeline import Definition
from dataplatform.diagnostics import InputError, nearest
from dataplatform.local.errors import UsageError
from dataplatform.local.trace import RunTrace


def plans(root: Path, stack: str, pipeline: str, engine: Engine | None) -> list[Plan]:
    """The plan of a pipeline, named by a file or by its name in the stack's folder.

    Raises:
        UsageError: when there is none of that name.
        InputError: when the stack or the definition is wrong.
    """
    platform = load_stack_config(root, stack).platform
    definition = _definition(root, stack, pipeline, platform.gcp.executors.functions if platform.gcp else ())
    if definition.fusion is not None and engine not in (None, "airflow"):
        raise UsageError(f"'{pipeline}' is of kind datafusion, which Workflows does not run; use --engine airflow")
    if engine is not None:
        definition = replace(definition, engines=(engine,))
    return [build_plan(definition, target_for(platform, definition.file))]


def exports(root: Path, stack: str) -> Path:
    """The folder of a stack's Data Fusion exports."""
    pipelines = load_stack_config(root, stack).platform.pipelines
    return root / (pipelines.directory if pipelines is not None else "pipelines") / "data_fusion"


def related(root: Path, stack: str, plan: Plan) -> tuple[Plan, ...]:
    """The plans of the pipelines that a plan's steps run, and that theirs run, as far as the stack has them."""
    wanted = [step.executor for step in plan.steps() if step.kind == "workflows"]
    if not wanted:
        return ()
    loaded = load_stack(root, stack)
    known = {definition.name: definition for definition in loaded.definitions}
    found: dict[str, Plan] = {}
    while wanted:
        name = wanted.pop()
        if name in found or name == plan.name or name not in known:
            continue
        found[name] = build_plan(known[name], target_for(loaded.platform, known[name].file))
        wanted += [step.executor for step in found[name].steps() if step.kind == "workflows"]
    return tuple(found.values())


def _definition(root: Path, stack: str, pipeline: str, functions: Sequence[str]) -> Definition:
    file = Path(pipeline)
    if file.suffix in (".json", ".yaml", ".yml") or file.is_file():
        if not file.is_file():
            raise UsageError(f"no file {pipeline}")
        definition, problems = load_definition(file, root=root, functions=functions)
        if definition is None or problems:
            raise InputError(problems)
        return definition
    known = {definition.name: definition for definition in load_stack(root, stack).definitions}
    if pipeline not in known:
        raise UsageError(f"no pipeline '{pipeline}' in stack {stack}; {nearest(pipeline, known)}")
    return known[pipeline]


def as_dict(trace: RunTrace, file: Path) -> dict[str, Any]:
    """A run for `--json`."""
    return {**asdict(trace), "record": str(file)}
