"""What the functions that a stack deploys need: their rights, and the job parameter files they read. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dataplatform.compile.access import Access, Needed, On, Right, Untold, rights_of
from dataplatform.compile.build import target_for
from dataplatform.compile.plan import Target
from dataplatform.config.check import LoadedStack
from dataplatform.config.domains import domain_of, executors_of
from dataplatform.config.executors import REGISTRY
from dataplatform.config.pipeline import Definition, StepDef
from dataplatform.config.platform import Gcp
from dataplatform.config.references import context_for, resolve
from dataplatform.config.runners import parameters_of, runner_of
from infra.access import surroundings

_STORAGE = "https://cloud.google.com/storage/docs/access-control/iam-roles"
_DATAFORM = "https://cloud.google.com/dataform/docs/access-control"


@dataclass(frozen=True, kw_only=True)
class ExecutorPlan:
    """What follows from a stack's definitions for its functions."""

    access: Access
    """Rights of the identities `function:<name>`."""
    job_files: tuple[tuple[str, str], ...] = ()
    """`<executor>/<JOB_NAME>.json` and its text, of every step that a deployed function runs."""


def identity_of(function: str) -> str:
    """What the identity of an executor's function is called."""
    return f"function:{function}"


def jobs_bucket(gcp: Gcp) -> str:
    """Bucket of the job parameter files, as compiled texts name it."""
    return gcp.executors.jobs_definitions_bucket or f"{gcp.project}-jobs"


def executor_plan(loaded: LoadedStack) -> ExecutorPlan:
    """Rights and job parameter files of all steps that the stack's own functions run."""
    platform, gcp = loaded.platform, loaded.platform.gcp
    if gcp is None or gcp.executors.deploy is None:
        return ExecutorPlan(access=Access())
    found: list[Needed | Untold] = []
    files: dict[str, str] = {}
    context = context_for(platform)
    for definition in sorted(loaded.definitions, key=lambda d: d.name):
        executors, _ = executors_of(gcp, platform, domain_of(platform, definition.file))
        if executors is not gcp.executors:
            continue
        target = target_for(platform, definition.file)
        for step in definition.steps():
            if not _runs(step, definition, gcp):
                continue
            names = [parameter.name for parameter in definition.options.parameters]
            resolved = resolve(parameters_of(step), context, names, run=True)
            unknown = {path[0] for path, _ in resolved.parameters if path}
            given = {key: value for key, value in resolved.value.items() if key not in unknown}
            found += _rights(definition, step, given, target, loaded, gcp)
            if step.job_file is not None and not step.job_file.broken:
                values = resolve(dict(step.job_file.values), context, names).value
                files[f"{step.executor}/{step.job_name}.json"] = json.dumps(values, indent=2, sort_keys=True) + "\n"
    return ExecutorPlan(
        access=Access(
            needed=frozenset(item for item in found if isinstance(item, Needed)),
            untold=frozenset(item for item in found if isinstance(item, Untold)),
        ),
        job_files=tuple(sorted(files.items())),
    )


def _runs(step: StepDef, definition: Definition, gcp: Gcp) -> bool:
    """Whether a deployed function runs a step on any engine of the stack."""
    assert gcp.executors.deploy is not None
    if step.type != "async" or step.executor not in gcp.executors.deploy.functions:
        return False
    return gcp.workflows is not None or runner_of(step, definition, gcp.executors.run) == "http"


def _rights(
    definition: Definition,
    step: StepDef,
    given: Mapping[str, Any],
    target: Target,
    loaded: LoadedStack,
    gcp: Gcp,
) -> Iterator[Needed | Untold]:
    executor = REGISTRY[step.executor]
    who, because = identity_of(step.executor), (definition.name, step.job_name)
    bucket = str(given.get("jobs_definitions_bucket") or target.jobs_definitions_bucket)
    yield Needed(
        identity=who,
        right=Right(role="roles/storage.objectViewer", on=On(kind="bucket", project=gcp.project, name=bucket)),
        because=because,
        why="read the job parameter file",
        source=_STORAGE,
    )
    missing = sorted(key for key, rule in (executor.keys or {}).items() if rule.required and key not in given)
    if missing:
        yield Untold(identity=who, because=because, what=f"what the job works on: {missing[0]} is told by the run only")
        return
    yield from rights_of(who, because, executor, given, target, surroundings(loaded.platform, gcp))
    repository = [given.get(key) for key in ("dataform_project_id", "dataform_location", "repository_name")]
    if step.executor == "bq-saved-query-executor" and all(isinstance(part, str) and part for part in repository):
        project, location, name = map(str, repository)
        on = On(kind="repository", project=project, location=location, name=name)
        right = Right(role="roles/dataform.viewer", on=on)
        yield Needed(identity=who, right=right, because=because, why="read the saved query", source=_DATAFORM)
