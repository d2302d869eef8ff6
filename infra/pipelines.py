"""From definitions to the texts a stack deploys. Pure: the same definitions give the same texts.

Every definition goes to every engine the stack has, Airflow by way of Composer and Cloud Workflows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from components.gcp.generated import Generated
from dataplatform.compile import airflow
from dataplatform.compile.access import Access, derive
from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.workflows_parts import render_all
from dataplatform.config.check import LoadedStack
from dataplatform.diagnostics import Diagnostics, InputError, Position
from infra.access import surroundings
from infra.version import COMPILER


@dataclass(frozen=True, kw_only=True)
class CompiledPipelines:
    """The texts of a stack by engine; an engine the stack does not have gets none."""

    dags: tuple[Generated, ...] = ()
    dag_ids: tuple[tuple[str, str], ...] = ()
    """Definition and DAG id."""
    workflows: tuple[Generated, ...] = ()
    workflow_ids: tuple[tuple[str, str], ...] = ()
    """Definition and workflow id; a part of a large pipeline is `<definition>/part-<n>`."""
    access: Access = field(default_factory=Access)
    """The rights that the pipelines need."""


def compile_pipelines(loaded: LoadedStack) -> CompiledPipelines:
    """Compile all definitions; raises InputError with what is wrong in any of them."""
    gcp = loaded.platform.gcp
    if gcp is None or not loaded.definitions:
        return CompiledPipelines()
    target = target_for(loaded.platform)
    diagnostics = Diagnostics()
    dags, dag_ids, texts, ids = [], [], [], []
    plans, split = [], []
    for definition in sorted(loaded.definitions, key=lambda d: d.name):
        try:
            plan = build_plan(definition, target)
            if gcp.composer is not None:
                dags.append(_generated(definition.name, airflow.render(plan), plan.source.file, plan.source.sha256))
                dag_ids.append((definition.name, airflow.dag_id(plan)))
            if gcp.workflows is not None:
                rendered = render_all(plan)
                for number, text in enumerate(rendered):
                    name = f"{definition.name}/part-{number}" if number else definition.name
                    texts.append(_generated(name, text.text, plan.source.file, plan.source.sha256))
                    ids.append((name, text.workflow_id))
                split += [plan.name] if len(rendered) > 1 else []
            plans.append(plan)
        except InputError as error:
            diagnostics.extend(error.diagnostics.items)
    diagnostics.extend(_one_id_twice(loaded, ids).items)
    if diagnostics:
        raise InputError(diagnostics)
    return CompiledPipelines(
        dags=tuple(dags),
        dag_ids=tuple(dag_ids),
        workflows=tuple(texts),
        workflow_ids=tuple(ids),
        access=derive(plans, surroundings(loaded.platform, gcp), split=split),
    )


def _one_id_twice(loaded: LoadedStack, ids: list[tuple[str, str]]) -> Diagnostics:
    """Two workflows of one id: of a pipeline that is called like a part of another."""
    found, files = Diagnostics(), {definition.name: definition.file for definition in loaded.definitions}
    owners: dict[str, str] = {}
    for name, workflow_id in ids:
        other = owners.setdefault(workflow_id, name)
        if other != name:
            pipeline = next(one for one in (name, other) if one in files)
            found.add(
                "DP306",
                Position(files[pipeline]),
                f"the workflow '{workflow_id}' would be both '{other}' and '{name}'",
                "give the file another name",
            )
    return found


def _generated(name: str, text: str, source: str, sha256: str) -> Generated:
    return Generated(name=name, text=text, source=source, sha256=sha256, compiler=COMPILER)
