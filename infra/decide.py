"""All of a stack that can be decided without a cloud: its configuration, its names, the compiled pipelines.

`dp check` stops here; the program goes on and registers. Neither the engine nor a provider is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataplatform.config import check
from dataplatform.config.airflow_files import AirflowFile, load_airflow_files
from dataplatform.config.check import LoadedStack, load_stack
from dataplatform.config.data_factory.check import CheckedFactory
from dataplatform.config.folder import DATA_FUSION
from dataplatform.config.platform import Gcp
from dataplatform.diagnostics import Diagnostic, Diagnostics, InputError, nearest
from infra.azure_names import AzureNames, azure_names
from infra.data_factory_files import read_factory_files
from infra.databricks_files import DatabricksFiles, read_files
from infra.databricks_mounts import mount_warnings
from infra.executor_plan import executor_plan
from infra.fusion_objects import FusionObjects, read_objects
from infra.naming import GcpNames, gcp_names
from infra.pipelines import CompiledPipelines, compile_pipelines
from infra.stack_file import StackFile
from infra.starts import Start, start_access, starts_of


@dataclass(frozen=True, kw_only=True)
class Decided:
    """All of a stack that can be known without a cloud."""

    loaded: LoadedStack
    names: GcpNames | None
    azure_names: AzureNames | None
    databricks: DatabricksFiles
    pipelines: CompiledPipelines
    data_factory: CheckedFactory | None = None
    """The exported factory with what the stack changes in it."""
    warnings: tuple[Diagnostic, ...] = ()
    """What was found that keeps nothing from being deployed."""
    job_files: tuple[tuple[str, str], ...] = ()
    """Job parameter files that the stack's own functions read, by name."""
    starts: tuple[Start, ...] = ()
    """What starts the workflows besides people."""
    airflow_files: tuple[AirflowFile, ...] = ()
    """Plugins and data files that go to Airflow with the DAGs."""
    fusion_objects: FusionObjects = field(default_factory=FusionObjects)
    """What the stack brings to its Data Fusion instance."""


def decide(root: Path, stack: str) -> Decided:
    """Load, name and compile a stack; raises InputError with every diagnostic, and registers nothing."""
    loaded = load_stack(root, stack)
    diagnostics = Diagnostics()
    names: GcpNames | None = None
    pipelines = CompiledPipelines()
    gcp = loaded.platform.gcp
    try:
        names = gcp_names(loaded) if gcp is not None else None
    except InputError as error:
        diagnostics.extend(error.diagnostics.items)
    azure_found: AzureNames | None = None
    try:
        azure_found = azure_names(loaded) if loaded.platform.azure is not None else None
    except InputError as error:
        diagnostics.extend(error.diagnostics.items)
    if gcp is not None:
        diagnostics.extend(_unknown_references(loaded, gcp).items)
    diagnostics.extend(_exports(root, loaded).items)
    fusion_objects = FusionObjects()
    try:
        fusion_objects = read_objects(root, loaded)
    except InputError as error:
        diagnostics.extend(error.diagnostics.items)
    databricks = DatabricksFiles()
    try:
        databricks = read_files(root, loaded)
    except InputError as error:
        diagnostics.extend(error.diagnostics.items)
    factory = read_factory_files(root, loaded, databricks.notebooks, databricks.libraries)
    warnings = [*(factory.found.warnings.items if factory is not None else ()), *mount_warnings(loaded)]
    diagnostics.extend([*warnings, *(factory.errors.items if factory is not None else ())])
    try:
        pipelines = compile_pipelines(loaded)
    except InputError as error:
        diagnostics.extend(error.diagnostics.items)
    if diagnostics:
        raise InputError(diagnostics)
    # What is wrong with any of them was told when the stack was loaded.
    directory = loaded.platform.pipelines.directory if loaded.platform.pipelines is not None else None
    files = load_airflow_files(root, directory)[0] if directory is not None else ()
    own = executor_plan(loaded)
    starts = starts_of(loaded)
    pipelines = replace(pipelines, access=pipelines.access | own.access | start_access(loaded, starts))
    return Decided(
        loaded=loaded,
        names=names,
        azure_names=azure_found,
        databricks=databricks,
        pipelines=pipelines,
        data_factory=factory,
        warnings=tuple(warnings),
        job_files=own.job_files,
        starts=starts,
        airflow_files=files,
        fusion_objects=fusion_objects,
    )


def _exports(root: Path, loaded: LoadedStack) -> Diagnostics:
    """Every mistake in what was pulled from Data Fusion; none where nothing was."""
    pipelines = loaded.platform.pipelines
    folder = root / pipelines.directory / DATA_FUSION if pipelines is not None else root / DATA_FUSION
    if pipelines is None or not any(path.is_file() for path in folder.rglob("*")):
        return Diagnostics()
    from dataplatform.datafusion import files

    try:
        files.load(folder)
    except InputError as error:
        return error.diagnostics
    return Diagnostics()


def check_stacks(root: Path, stacks: Sequence[str]) -> Diagnostics:
    """Everything that is wrong with these stacks and can be told without a cloud."""
    found = check.check_stacks(root, stacks)
    for stack in stacks:
        try:
            found.extend(decide(root, stack).warnings)
        except InputError as error:
            # What the models refuse is found by both; a diagnostic is shown once.
            found.extend(error.diagnostics.items)
    return found


def _unknown_references(loaded: LoadedStack, gcp: Gcp) -> Diagnostics:
    """Accessors such as `$composer` that name an identity the stack does not have."""
    parts = {"composer": gcp.composer, "data_fusion": gcp.data_fusion, "workflows": gcp.workflows}
    known = sorted(f"${name}" for name, part in parts.items() if part is not None)
    wrong = [
        (name, index, accessor)
        for name, secret in gcp.secrets.items()
        for index, accessor in enumerate(secret.accessors)
        if accessor.startswith("$") and accessor not in known
    ]
    diagnostics = Diagnostics()
    if wrong:
        places = StackFile(loaded.file)
        for name, index, accessor in wrong:
            places.add(
                diagnostics,
                "DP218",
                ("gcp", "secrets", name, "accessors", index),
                f"'{accessor}' names no identity of this stack",
                nearest(accessor, known),
            )
    return diagnostics
