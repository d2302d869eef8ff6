"""`dp compile`: definition files anywhere, texts in one folder, all or nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dataplatform.compile import airflow, airflow_fusion
from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.plan import Engine, Plan
from dataplatform.compile.workflows_parts import render_all
from dataplatform.config.check import load_definition, load_stack_config
from dataplatform.diagnostics import Diagnostics, InputError, Position, relative
from dataplatform.local.errors import UsageError


def compile_files(root: Path, files: Sequence[Path], out: Path, engine: Engine | None, stack: str) -> list[Path]:
    """Compile every file and then write every text; returns what was written.

    Raises:
        InputError: when anything is wrong in any file; nothing was written then.
    """
    platform = load_stack_config(root, stack).platform
    functions = platform.gcp.executors.functions if platform.gcp else ()
    problems = Diagnostics()
    texts: dict[Path, str] = {}
    origin: dict[Path, Path] = {}
    for file in dict.fromkeys(files):
        definition, found = load_definition(file, root=root, functions=functions)
        problems.extend(found.items)
        if definition is None or found:
            continue
        try:
            target = target_for(platform, definition.file)
            plan = build_plan(replace(definition, engines=(engine,)) if engine else definition, target)
        except InputError as refused:
            problems.extend(refused.diagnostics.items)
            continue
        for name in plan.engines:
            airflows = name == "airflow"
            path = out / ("dags" if airflows else "workflows") / f"{plan.name}.{'py' if airflows else 'yaml'}"
            made = {path: airflow.render(plan)} if airflows else _workflows(plan, path)
            if plan.fusion is not None and plan.fusion.variables:
                made[out / "variables" / f"{plan.name}.json"] = airflow_fusion.variables_text(plan)
            taken = next((one for one in made if one in origin), None)
            if not path.resolve().is_relative_to(out.resolve()):
                _report(problems, file, "the definition's name leads out of the folder", "rename the file")
            elif taken is not None:
                _report(problems, file, _twice(taken, path, origin[taken]), "rename one of the two")
            else:
                origin |= dict.fromkeys(made, file)
                texts |= made
    if problems:
        raise InputError(problems)
    for path, text in texts.items():
        _write(path, text)
    return list(texts)


def _workflows(plan: Plan, path: Path) -> dict[Path, str]:
    """The texts of a pipeline by their files: its workflow's, and those of its parts beside it."""
    whole, *parts = render_all(plan)
    return {path: whole.text} | {path.with_name(f"{part.workflow_id}.yaml"): part.text for part in parts}


def _twice(taken: Path, path: Path, other: Path) -> str:
    if taken != path:
        return f"a part of it becomes {taken.name}, as {relative(other)} does"
    same = other.stem == taken.stem
    return f"{relative(other)} has the same name" if same else f"a part of {relative(other)} becomes {taken.name}"


def _report(problems: Diagnostics, file: Path, message: str, remedy: str) -> None:
    problems.add("DP451", Position(relative(file)), message, remedy)


def _write(path: Path, text: str) -> None:
    """Write a whole file or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; name another folder with --out") from None
