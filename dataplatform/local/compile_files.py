"""`dp compile`: definition files anywhere, texts in one folder, all or nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dataplatform.compile import airflow
from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.plan import Engine
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
    target = target_for(platform)
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
            plan = build_plan(replace(definition, engines=(engine,)) if engine else definition, target)
        except InputError as refused:
            problems.extend(refused.diagnostics.items)
            continue
        for name in plan.engines:
            airflows = name == "airflow"
            path = out / ("dags" if airflows else "workflows") / f"{plan.name}.{'py' if airflows else 'yaml'}"
            parts = () if airflows else render_all(plan)
            if not path.resolve().is_relative_to(out.resolve()):
                _report(problems, file, "the definition's name leads out of the folder", "rename the file")
            elif path in origin:
                _report(problems, file, f"{relative(origin[path])} has the same name", "rename one of the two")
            else:
                origin[path] = file
                texts[path] = airflow.render(plan) if airflows else parts[0].text
                texts |= {path.with_name(f"{part.workflow_id}.yaml"): part.text for part in parts[1:]}
    if problems:
        raise InputError(problems)
    for path, text in texts.items():
        _write(path, text)
    return list(texts)


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
