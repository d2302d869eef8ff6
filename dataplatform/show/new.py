"""`dp new`: a pipeline or a stack to begin with, and the editor told of the schemas.

The schemas are written into the project, because an editor reads files: `schemas/definition.schema.json` and
`schemas/stack.schema.json`. A new YAML file names its schema in a first comment, which most editors' YAML servers heed;
VS Code is told of the others in `.vscode/settings.json`, where nothing else is touched.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataplatform.config.check import load_definition
from dataplatform.config.definitions import check_name
from dataplatform.config.explain import explain
from dataplatform.config.types import EnvironmentName, GcpProjectId, GcpRegion
from dataplatform.diagnostics import InputError
from dataplatform.local.errors import RefusedError, UsageError
from dataplatform.show import schema as schemas

SCHEMAS = "schemas"
SETTINGS = Path(".vscode/settings.json")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was written, and what a person has to do by hand."""

    files: tuple[Path, ...]
    """Relative to the project."""
    by_hand: tuple[str, ...] = ()


def pipeline(root: Path, name: str, *, folder: str, engine: str, kind: str = "steps") -> Made:
    """A definition to begin with, in the pipelines' folder, and the editor's schemas.

    Args:
        root: The project.
        name: The pipeline's.
        folder: Of the definitions.
        engine: `cloud_workflows` or `composer`, for steps.
        kind: `steps` for levels, threads and steps, or `datafusion`.

    Raises:
        UsageError: the name cannot be a pipeline's.
        RefusedError: there is a definition of that name already.
    """
    file = root / folder / f"{name}.yaml"
    problem = check_name(file)
    if problem is not None or Path(name).name != name:
        remedy = problem[1] if problem is not None else "name the pipeline alone, without a folder"
        raise UsageError(f"'{name}' cannot be the name of a pipeline; {remedy}")
    there = [ending for ending in (".yaml", ".yml", ".json") if file.with_suffix(ending).exists()]
    if there:
        raise RefusedError(f"there is {folder}/{name}{there[0]} already; choose another name")
    made = editor(root, folder=folder)
    up = os.path.relpath(root / SCHEMAS, file.parent)
    skeleton = _FUSION if kind == "datafusion" else _PIPELINE
    text = skeleton.format(schema=f"{Path(up).as_posix()}/definition.schema.json", engine=engine, name=name)
    _write(file, text)
    definition, problems = load_definition(file, root=root)
    if definition is None or problems:  # the skeleton must be right, whatever the name is
        file.unlink()
        raise InputError(problems)
    return Made(files=(file.relative_to(root), *made.files), by_hand=made.by_hand)


def stack(root: Path, name: str, *, project: str, region: str) -> Made:
    """A stack file to begin with, and the editor's schemas.

    Raises:
        UsageError: the name, project or region has not the form it must have.
        RefusedError: there is such a stack already.
    """
    from pydantic import TypeAdapter, ValidationError

    file = root / f"Pulumi.{name}.yaml"
    if Path(name).name == name and file.exists():
        raise RefusedError(f"there is {file.name} already; choose another name, or edit it")
    for what, kind, value in (
        ("a stack of an environment", EnvironmentName, name),
        ("a Google Cloud project", GcpProjectId, project),
        ("a region", GcpRegion, region),
    ):
        try:
            TypeAdapter(kind).validate_python(value)
        except ValidationError as error:
            _, _, right = explain(error.errors()[0], value, (), json=False)
            raise UsageError(f"'{value[:100]}' cannot be the name of {what}; {right}") from None
    made = editor(root, folder="pipelines")
    _write(file, _STACK.format(schema=f"{SCHEMAS}/stack.schema.json", name=name, project=project, region=region))
    return Made(files=(file.relative_to(root), *made.files), by_hand=made.by_hand)


def editor(root: Path, *, folder: str) -> Made:
    """Write the schemas, and tell VS Code which files they are for. Run it again after an upgrade of `dp`."""
    files: list[Path] = []
    for kind in schemas.KINDS:
        file = root / SCHEMAS / f"{kind}.schema.json"
        text = schemas.text(kind)
        if not file.exists() or file.read_text("utf-8") != text:
            _write(file, text)
            files.append(file.relative_to(root))
    wanted = {
        "json.schemas": [
            {"fileMatch": [f"/{folder}/**/*.json"], "url": f"./{SCHEMAS}/definition.schema.json"},
        ],
        "yaml.schemas": {
            f"./{SCHEMAS}/definition.schema.json": [f"/{folder}/**/*.yaml", f"/{folder}/**/*.yml"],
            f"./{SCHEMAS}/stack.schema.json": ["/Pulumi.*.yaml"],
        },
    }
    file = root / SETTINGS
    try:
        settings = json.loads(file.read_text("utf-8")) if file.exists() else {}
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        # Comments are allowed there and would be lost: what a person wrote is theirs.
        return Made(files=tuple(files), by_hand=(f"add to {SETTINGS}: {json.dumps(wanted)}",))
    merged = _merged(settings, wanted)
    if merged != settings:
        _write(file, json.dumps(merged, indent=2) + "\n")
        files.append(SETTINGS)
    return Made(files=tuple(files))


def _merged(settings: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    held = merged.get("json.schemas")
    ours = wanted["json.schemas"]
    others = [entry for entry in held if entry not in ours] if isinstance(held, list) else []
    merged["json.schemas"] = [*others, *ours]
    known = merged.get("yaml.schemas")
    merged["yaml.schemas"] = {**(known if isinstance(known, dict) else {}), **wanted["yaml.schemas"]}
    return merged


def _write(file: Path, text: str) -> None:
    """Write a whole file or none."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8")
        temporary.replace(file)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None


_PIPELINE = """\
# yaml-language-server: $schema={schema}
# {name}: say here what it is for. Levels run one after the other, the threads of a level at the same time, and the
# steps of a thread one after the other.
# dp check: what is wrong; dp graph {name}: a picture; dp run {name} --local: a run on this machine.
engine: {engine}
definition:
  - LEVEL_ID: 1
    THREADS:
      - THREAD_ID: 1
        STEPS:
          - JOB_ID: J01
            JOB_NAME: first_job
            TYPE: async
            FUNCTION_ID_NAME: dataform-tag-executor
            WAIT_TIME_SECONDS: 30
            TIMEOUT_SECONDS: 3600
"""

_FUSION = """\
# yaml-language-server: $schema={schema}
# {name}: a run of a Data Fusion pipeline for each active row of a BigQuery table.
# dp check: what is wrong; dp graph {name}: a picture; docs/orchestrating_data_fusion.md: all that can stand here.
kind: datafusion
parameters:
  cdf_instance: $datafusion:core
  cdf_location: $stack:region
  cdf_pipeline_name: {name}
  bq_dataset_id: cdf_output
  bq_location: EU
  bq_config_table: configuration
  bq_config_max_results: 100
rows:
  active_column: is_active
  argument_columns: [business_unit, data_source]
runs:
  concurrency: 5
  retries: 3
"""

_STACK = """\
# yaml-language-server: $schema={schema}
# Secrets are declared under gcp.secrets and set with: pulumi config set --secret data-platform:<name> --stack {name}
config:
  data-platform:platform:
    environment: {name}
    protect: true
    labels:
      owner: data-platform
    gcp:
      project: {project}
      region: {region}
      lake: {{}}
      workflows: {{}}
    pipelines:
      directory: pipelines
"""
