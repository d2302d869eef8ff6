"""`dp check` and loading: a stack's file and its definitions, or every mistake in them.

Offline and total: nothing here asks a cloud, the environment or the clock. This module imports neither pulumi nor the
compiler, so that a check is over before a provider's SDK would be imported.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataplatform.config.airflow_files import load_airflow_files
from dataplatform.config.base_stack import check_base
from dataplatform.config.bigquery_schema import load_schemas
from dataplatform.config.definitions import load_definition
from dataplatform.config.domains import check_domains
from dataplatform.config.findings import AT
from dataplatform.config.folder import directory_problem, load_folder
from dataplatform.config.gcp.bigquery import Column
from dataplatform.config.loader import load_document, shown_path
from dataplatform.config.pipeline import Definition
from dataplatform.config.platform import Platform
from dataplatform.config.references import context_for
from dataplatform.config.rules_fusion import check_fusion, stack_of
from dataplatform.config.rules_network import network_identity
from dataplatform.config.rules_on_demand import upgrade_order
from dataplatform.config.rules_secrets import fixed_names
from dataplatform.config.rules_triggers import check_triggers, started_by
from dataplatform.config.stackfile import NAMESPACE, StackFile, read_stack_file
from dataplatform.config.text import dotted, shown
from dataplatform.config.together import Given
from dataplatform.diagnostics import Diagnostics, InputError, Position, nearest

__all__ = ["LoadedStack", "check_stacks", "load_definition", "load_stack", "load_stack_config", "stack_names"]

_FILE = re.compile(r"Pulumi\.(?P<stack>[A-Za-z0-9_.-]+)\.(?P<ending>yaml|yml)")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class LoadedStack:
    """One stack, checked."""

    name: str
    platform: Platform
    definitions: tuple[Definition, ...]
    """By name; empty where the stack has no pipelines or they were not asked for."""
    secrets: frozenset[str]
    """Names of the declared secrets; each has an encrypted value in the file."""
    file: Path
    schemas: Mapping[tuple[str, str], tuple[Column, ...]] = field(default_factory=dict)
    """Columns of the BigQuery tables, by dataset and table."""


def stack_names(root: Path) -> list[str]:
    """The stacks of a project: the names of its `Pulumi.<stack>.yaml` files, sorted."""
    return sorted(_stack_files(root))


def _stack_files(root: Path) -> dict[str, Path]:
    try:
        names = sorted(entry.name for entry in root.iterdir())
    except OSError:
        return {}
    found = {}
    for name in names:
        match = _FILE.fullmatch(name)
        if match and match["ending"] == "yaml":
            found[match["stack"]] = root / name
    return found


def load_stack(root: Path, stack: str) -> LoadedStack:
    """Read a stack with its definitions. Raises InputError with every mistake in either."""
    return _load(root, stack, pipelines=True)


def load_stack_config(root: Path, stack: str) -> LoadedStack:
    """Read a stack without its definitions. Raises InputError with every mistake in its file."""
    return _load(root, stack, pipelines=False)


def _load(root: Path, stack: str, *, pipelines: bool) -> LoadedStack:
    diagnostics = Diagnostics()
    files = _stack_files(root)
    read = _read(root, files, [stack], diagnostics)
    definitions: tuple[Definition, ...] = ()
    schemas: Mapping[tuple[str, str], tuple[Column, ...]] = {}
    if stack in read:
        schemas, found = load_schemas(root, read[stack])
        diagnostics.extend(found.items)
        _across(root, files, read, diagnostics)
        if pipelines:
            definitions, found = _pipelines(root, read[stack])
            diagnostics.extend(found.items)
    if diagnostics:
        raise InputError(diagnostics)
    platform = read[stack].platform
    assert platform is not None, "a stack file without mistakes has a platform"
    return LoadedStack(
        name=stack,
        platform=platform,
        definitions=definitions,
        secrets=read[stack].secrets,
        file=read[stack].file,
        schemas=schemas,
    )


def check_stacks(root: Path, stacks: Sequence[str] = ()) -> Diagnostics:
    """Every mistake in the named stacks and their definitions, or in all stacks where none is named."""
    diagnostics = Diagnostics()
    files = _stack_files(root)
    _misnamed(root, diagnostics)
    if not files and not stacks:
        if not diagnostics:
            remedy = "run this in the project's root, or create a stack: Pulumi.dev.yaml"
            where = Position(shown_path(root / "Pulumi.yaml"))
            diagnostics.add("DP202", where, "the project has no stack (no file Pulumi.<stack>.yaml)", remedy)
        return diagnostics
    read = _read(root, files, list(dict.fromkeys(stacks)) or sorted(files), diagnostics)
    _across(root, files, read, diagnostics)
    seen: set[tuple[object, ...]] = set()
    for file in read.values():
        diagnostics.extend(load_schemas(root, file)[1].items)
        asked = _asked(file)
        if asked is not None and asked in seen:
            continue  # the same folder with the same executors has the same mistakes
        if asked is not None:
            seen.add(asked)
        _, found = _pipelines(root, file)
        diagnostics.extend(found.items)
    return diagnostics


def _asked(file: StackFile) -> tuple[object, ...] | None:
    platform = file.partial
    if platform is None or platform.pipelines is None:
        return None
    return platform.pipelines.directory, _given(platform), started_by(platform), stack_of(platform)


def _given(platform: Platform) -> Given:
    """What a stack gives its definitions."""
    gcp = platform.gcp
    return Given(
        functions=frozenset(gcp.executors.functions if gcp else ()),
        workflows=frozenset(platform.pipelines.external_workflows if platform.pipelines else ()),
        references=frozenset(context_for(platform).items()),
        run=gcp.executors.run if gcp else "http",
    )


def _misnamed(root: Path, diagnostics: Diagnostics) -> None:
    """Stack files that nothing would read, and a project that is not this one."""
    try:
        names = sorted(entry.name for entry in root.iterdir())
    except OSError:
        return
    for name in names:
        match = _FILE.fullmatch(name)
        if match and match["ending"] == "yml":
            remedy = f"name it Pulumi.{match['stack']}.yaml"
            diagnostics.add("DP201", Position(shown_path(root / name)), "a stack file's ending is .yaml", remedy)
    project = root / "Pulumi.yaml"
    if "Pulumi.yaml" not in names:
        return
    node, found = load_document(project)
    diagnostics.extend(found.items)
    entry = node.entries.get("name") if node is not None and node.kind == "mapping" else None
    if node is not None and (entry is None or entry[1].scalar != NAMESPACE):
        position = node.position_of(("name",) if entry else ())
        diagnostics.add(
            "DP220",
            position,
            f"the project's name is not '{NAMESPACE}'",
            f"write name: {NAMESPACE}, the namespace of the stacks' configuration",
            source=node.line_text(position.line),
        )


def _read(root: Path, files: dict[str, Path], stacks: Sequence[str], diagnostics: Diagnostics) -> dict[str, StackFile]:
    read: dict[str, StackFile] = {}
    for stack in stacks:
        file = files.get(stack)
        if file is None:
            name = stack if _NAME.fullmatch(stack) else "<stack>"
            where = Position(shown_path(root / f"Pulumi.{name}.yaml"))
            remedy = nearest(stack[:100], files) if files else "create the file Pulumi.<stack>.yaml"
            diagnostics.add("DP201", where, f"there is no stack {shown(stack)}", remedy)
            continue
        read[stack] = read_stack_file(stack, file)
        diagnostics.extend(read[stack].diagnostics.items)
    return read


def _pipelines(root: Path, file: StackFile) -> tuple[tuple[Definition, ...], Diagnostics]:
    """The definitions of a stack, even of one whose file has other mistakes."""
    platform = file.partial
    if platform is None or platform.pipelines is None:
        return (), Diagnostics()
    directory = platform.pipelines.directory
    written = file.node.at((*AT, "pipelines", "directory")) if file.node is not None else None
    if written is not None and written.flawed:
        return (), Diagnostics()
    position, source = file.place(("pipelines", "directory"))
    problem = directory_problem(directory)
    if problem is not None:
        diagnostics = Diagnostics()
        diagnostics.add(problem[0], position, problem[1], problem[2], source=source)
        return (), diagnostics
    definitions, found = load_folder(root, directory, given=_given(platform), asked=position, source=source)
    found.extend(load_airflow_files(root, directory)[1].items)
    found.extend(check_domains(platform, definitions, position).items)
    found.extend(check_triggers(platform, definitions, position).items)
    found.extend(check_fusion(platform, definitions).items)
    return definitions, found


def _across(root: Path, files: dict[str, Path], read: dict[str, StackFile], diagnostics: Diagnostics) -> None:
    """What stacks may not have in common. Other stacks are read for it, and their own mistakes are not told."""
    everything = {name: read[name] if name in read else read_stack_file(name, file) for name, file in files.items()}
    for file in read.values():
        check_base(file, everything, diagnostics)
    names = sorted(everything)
    for index, name in enumerate(names):
        for other in names[:index]:
            if name in read or other in read:
                mine, theirs = (name, other) if name in read else (other, name)
                _collide(everything[mine], everything[theirs], diagnostics)


def _collide(mine: StackFile, theirs: StackFile, diagnostics: Diagnostics) -> None:
    a, b = mine.partial, theirs.partial
    if a is None or b is None or a.gcp is None or b.gcp is None:
        return
    sure = not {("environment",), ("gcp", "project")} & (mine.unsure | theirs.unsure)
    if sure and a.gcp.project == b.gcp.project and a.environment == b.environment:
        position, source = mine.place(("environment",))
        diagnostics.add(
            "DP217",
            position,
            f"stack {shown(theirs.name)} is the environment {shown(a.environment)} of {shown(a.gcp.project)} too",
            "give each stack of a project its own environment: names are made of it",
            source=source,
            path="platform.environment",
        )
    if not {("gcp", "project")} & (mine.unsure | theirs.unsure) and a.gcp.project == b.gcp.project:
        taken = fixed_names(b.gcp)
        for path, name in fixed_names(a.gcp).items():
            if name in taken.values():
                position, source = mine.place(path, key=True)
                diagnostics.add(
                    "DP217",
                    position,
                    f"{shown(name)} is in stack {shown(theirs.name)} of this project too: nothing tells them apart",
                    "give each stack its own project or its own name for it",
                    source=source,
                    path=dotted(("platform", *path)),
                )
    if a.gcp.airflow_bucket is not None and a.gcp.airflow_bucket == b.gcp.airflow_bucket:
        position, source = mine.place(("gcp", "airflow_bucket"))
        diagnostics.add(
            "DP242",
            position,
            f"stack {shown(theirs.name)} puts its DAGs into this bucket too, and each its own copy of what they import",
            "give each stack its own environment",
            source=source,
            path="platform.gcp.airflow_bucket",
        )
    _upgrade(mine, theirs, diagnostics)
    one, two = (p.gcp.data_fusion.network if p.gcp and p.gcp.data_fusion else None for p in (a, b))
    if one is None or two is None or not one.ip_allocation or not two.ip_allocation:
        return
    if network_identity(a, one.network) != network_identity(b, two.network):
        return
    if ipaddress.IPv4Network(one.ip_allocation).overlaps(ipaddress.IPv4Network(two.ip_allocation)):
        position, source = mine.place(("gcp", "data_fusion", "network", "ip_allocation"))
        diagnostics.add(
            "DP214",
            position,
            f"{one.ip_allocation} overlaps {two.ip_allocation} of stack {shown(theirs.name)} in the same network",
            "give each instance its own range",
            source=source,
            path="platform.gcp.data_fusion.network.ip_allocation",
        )


def _upgrade(mine: StackFile, theirs: StackFile, diagnostics: Diagnostics) -> None:
    """An environment that would be upgraded before the one that comes before it."""
    version = ("gcp", "data_fusion", "version")
    assert mine.partial is not None
    assert theirs.partial is not None
    found = upgrade_order(mine.partial, theirs.partial)
    if found is None or {("environment",), version} & (mine.unsure | theirs.unsure):
        return
    late, message, remedy = found
    position, source = (mine if late is mine.partial else theirs).place(version)
    path = dotted(("platform", *version))
    diagnostics.add("DP274", position, message, remedy, source=source, path=path)
