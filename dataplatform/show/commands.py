"""What the commands `graph`, `explain`, `diff`, `import` and `schema` do, for a command line to call.

Each returns text and, where a file was asked for, writes it whole or not at all. What a person wrote wrong is an
`InputError`; what a command line names that does not exist is a `UsageError`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.plan import Plan
from dataplatform.config.check import load_stack, load_stack_config, stack_names
from dataplatform.config.definitions import check_name, load_definition
from dataplatform.config.loader import load_document
from dataplatform.config.pipeline import Definition
from dataplatform.diagnostics import InputError, nearest
from dataplatform.local import flow, page_flows
from dataplatform.local.errors import RefusedError, UsageError
from dataplatform.show import convert
from dataplatform.show import schema as schemas
from dataplatform.show.diff import Change, render
from dataplatform.show.diff import diff as diff_plans
from dataplatform.show.explain import explain as explain_plan
from dataplatform.show.graph import flow_svg, mermaid, svg

Format = Literal["svg", "mermaid"]
_BY_ENDING: dict[str, Format] = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A text, and the file it was written to where one was asked for."""

    text: str
    path: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A difference in meaning, as values and as text."""

    changes: tuple[Change, ...]
    text: str


def plan_of(root: Path, stack: str, pipeline: str) -> Plan:
    """The plan of a pipeline, named by its definition's file or by its name in the stack's folder.

    Raises:
        UsageError: there is no such stack, file or pipeline.
        InputError: the stack or the definition is wrong, or an engine could not run it.
    """
    _known(root, stack)
    file = Path(pipeline)
    if file.is_file() or file.suffix in (".json", ".yaml", ".yml"):
        platform = load_stack_config(root, stack).platform
        functions = platform.gcp.executors.functions if platform.gcp else ()
        definition = _definition(file, root, functions)
        return build_plan(definition, target_for(platform, definition.file), to_look=True)
    loaded = load_stack(root, stack)
    known = {definition.name: definition for definition in loaded.definitions}
    if pipeline not in known:
        for one in page_flows.flows(root, loaded.platform):
            if pipeline in (one.name, f"{_space(one)}/{one.name}"):
                raise UsageError(f"'{pipeline}' is a pipeline of {one.service} and no definition; dp graph draws it")
        raise UsageError(f"no pipeline '{pipeline}' in stack {stack}; {nearest(pipeline[:100], known)}")
    return build_plan(known[pipeline], target_for(loaded.platform, known[pipeline].file), to_look=True)


def graph(root: Path, stack: str, pipeline: str, fmt: Format | None = None, out: Path | None = None) -> Shown:
    """A pipeline as a picture: a definition, an exported Data Fusion pipeline or one of Data Factory.

    It is SVG, or Mermaid where that is asked for or is what the file's ending means.
    """
    meant = _BY_ENDING.get(out.suffix.lower()) if out is not None else None
    if fmt is None and out is not None and meant is None:
        raise UsageError(f"the ending of {out} tells no format; end it in .svg or .mmd, or name one with --format")
    if fmt is not None and meant is not None and fmt != meant:
        raise UsageError(f"{out} is no {fmt} file by its ending; give another ending or another --format")
    drawn = _flow(root, stack, pipeline)
    if drawn is not None:
        text = flow.mermaid(drawn) if (fmt or meant) == "mermaid" else flow_svg(drawn)
        return Shown(text=text, path=_written(out, text))
    plan = plan_of(root, stack, pipeline)
    text = mermaid(plan) if (fmt or meant) == "mermaid" else svg(plan)
    return Shown(text=text, path=_written(out, text))


def _flow(root: Path, stack: str, pipeline: str) -> flow.Flow | None:
    """What a Data Fusion export or a Data Factory pipeline of that file or name looks like; None: it is neither.

    A definition of the same name is meant first.
    """
    _known(root, stack)
    file = Path(pipeline)
    if file.suffix == ".json" and file.is_file():
        node, _ = load_document(file)
        found = flow.of_file(node.value(), str(file)) if node is not None and node.kind == "mapping" else None
        return _drawable(found)
    if file.suffix:
        return None
    platform = load_stack_config(root, stack).platform
    if any(definition.name == pipeline for definition in load_stack(root, stack).definitions):
        return None
    named = [one for one in page_flows.flows(root, platform) if pipeline in (one.name, f"{_space(one)}/{one.name}")]
    if len(named) > 1:
        files = " or ".join(one.source for one in named)
        raise UsageError(f"'{pipeline}' is the name of {len(named)} pipelines; name the file: {files}")
    return _drawable(named[0] if named else None)


def _space(one: flow.Flow) -> str:
    """The namespace of an export, by its folder."""
    parts = Path(one.source).parts
    return parts[-3] if one.service == "Data Fusion" and len(parts) > 2 else ""


def _drawable(found: flow.Flow | None) -> flow.Flow | None:
    if found is not None and not 0 < len(found.boxes) <= flow.MAX_BOXES:
        raise RefusedError(f"{found.source} has {len(found.boxes)} boxes; 1 to {flow.MAX_BOXES} can be drawn")
    return found


def explain(root: Path, stack: str, pipeline: str) -> str:
    """A pipeline in words."""
    return explain_plan(plan_of(root, stack, pipeline))


def diff(root: Path, stack: str, a: str, b: str) -> Compared:
    """What changes in meaning from one pipeline to another, each a definition's file or a name in the stack."""
    changes = diff_plans(plan_of(root, stack, a), plan_of(root, stack, b))
    return Compared(changes=changes, text=render(changes))


def import_(file: Path, out: Path | None = None, *, functions: Collection[str] = (), force: bool = False) -> Shown:
    """AEF's JSON as our YAML, or our YAML as AEF's JSON, by the ending of the file.

    Args:
        file: The definition.
        out: A file, or a folder for one of the same name; nothing is written where it is left out.
        functions: Executors that are known besides the framework's own.
        force: Write over a file that is there.

    Raises:
        UsageError: `file` does not exist, or `out` cannot be written.
        InputError: the definition is wrong, or has what this program does not run.
        RefusedError: the other notation has no way to say it, or `out` is there already.
    """
    definition = _definition(file, None, functions)
    if definition.fusion is not None:
        raise RefusedError(f"{file} is of kind datafusion, which AEF's format does not have; keep it as it is")
    node, found = load_document(file)
    if node is None or found:
        raise InputError(found)
    ending = ".yaml" if file.suffix == ".json" else ".json"
    text = convert.to_yaml(node.value(), origin=file.name) if ending == ".yaml" else convert.to_json(node.value())
    _assert_same(definition, text, ending, functions)
    if out is None:
        return Shown(text=text)
    target = out / f"{file.stem}{ending}" if out.is_dir() else out
    problem = check_name(target)
    if problem is not None or (target.suffix == ".json") != (ending == ".json"):
        said = problem or (f"the text is {ending[1:].upper()}", f"end it in {ending}")
        raise UsageError(f"{target} cannot be written: {said[0]}; {said[1]}")
    if target.exists() and not force:
        raise RefusedError(f"{target} is there already; name another file, or write over it with --force")
    return Shown(text=text, path=_written(target, text))


def schema(kind: str, out: Path | None = None) -> Shown:
    """The JSON Schema of a kind of file, `stack` or `definition`."""
    for known in schemas.KINDS:
        if kind == known:
            text = schemas.text(known)
            return Shown(text=text, path=_written(out, text))
    raise UsageError(f"no schema of '{kind}'; {nearest(kind[:100], schemas.KINDS)}")


def functions_of(root: Path, stack: str) -> list[str]:
    """The executor functions that a stack registers."""
    _known(root, stack)
    gcp = load_stack_config(root, stack).platform.gcp
    return list(gcp.executors.functions) if gcp else []


def _known(root: Path, stack: str) -> None:
    known = stack_names(root)
    if stack not in known:
        raise UsageError(f"no stack '{stack}'; {nearest(stack[:100], known)}")


def _definition(file: Path, root: Path | None, functions: Collection[str]) -> Definition:
    if not file.is_file():
        raise UsageError(f"no file {file}")
    definition, problems = load_definition(file, root=root, functions=functions)
    if definition is None or problems:
        raise InputError(problems)
    return definition


def _assert_same(definition: Definition, text: str, ending: str, functions: Collection[str]) -> None:
    """Read the text back: what is handed out means what the file means, or nothing is handed out."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{definition.name}{ending}"
        file.write_text(text, "utf-8")
        again, problems = load_definition(file, functions=functions)
    if again is None or _meaning(again) != _meaning(definition):
        reason = problems.sorted()[0].message if problems else "it would mean something else"
        raise RefusedError(f"{definition.file} cannot be converted to {ending[1:].upper()}: {reason}; keep it as it is")


def _meaning(definition: Definition) -> tuple[object, ...]:
    return definition.engines, definition.options, definition.levels


def _written(out: Path | None, text: str) -> Path | None:
    """Write a whole file or none."""
    if out is None:
        return None
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8")
        temporary.replace(out)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise UsageError(f"cannot write {out}: {error.strerror}; name another file with --out") from None
    return out
