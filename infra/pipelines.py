"""From definitions to the texts a stack deploys. Pure: the same definitions give the same texts.

Every definition goes to every engine the stack has, Airflow by way of Composer and Cloud Workflows.
"""

from __future__ import annotations

from dataclasses import dataclass

from components.gcp.generated import Generated
from dataplatform.compile import airflow, workflows
from dataplatform.compile.build import build_plan, target_for
from dataplatform.config.check import LoadedStack
from dataplatform.diagnostics import Diagnostics, InputError
from infra.version import COMPILER


@dataclass(frozen=True, kw_only=True)
class CompiledPipelines:
    """The texts of a stack by engine; an engine the stack does not have gets none."""

    dags: tuple[Generated, ...] = ()
    dag_ids: tuple[tuple[str, str], ...] = ()
    """Definition and DAG id."""
    workflows: tuple[Generated, ...] = ()
    workflow_ids: tuple[tuple[str, str], ...] = ()
    """Definition and workflow id."""
    workflows_call_workflows: bool = False
    """Whether any workflow runs another one, for which its identity needs a right."""


def compile_pipelines(loaded: LoadedStack) -> CompiledPipelines:
    """Compile all definitions; raises InputError with what is wrong in any of them."""
    gcp = loaded.platform.gcp
    if gcp is None or not loaded.definitions:
        return CompiledPipelines()
    target = target_for(loaded.platform)
    diagnostics = Diagnostics()
    dags, dag_ids, texts, ids = [], [], [], []
    calls = False
    for definition in sorted(loaded.definitions, key=lambda d: d.name):
        try:
            plan = build_plan(definition, target)
            if gcp.composer is not None:
                dags.append(_generated(definition.name, airflow.render(plan), plan.source.file, plan.source.sha256))
                dag_ids.append((definition.name, airflow.dag_id(plan)))
            if gcp.workflows is not None:
                texts.append(_generated(definition.name, workflows.render(plan), plan.source.file, plan.source.sha256))
                ids.append((definition.name, workflows.workflow_id(plan)))
                calls = calls or any(step.kind == "workflows" for step in plan.steps())
        except InputError as error:
            diagnostics.extend(error.diagnostics.items)
    if diagnostics:
        raise InputError(diagnostics)
    return CompiledPipelines(
        dags=tuple(dags),
        dag_ids=tuple(dag_ids),
        workflows=tuple(texts),
        workflow_ids=tuple(ids),
        workflows_call_workflows=calls,
    )


def _generated(name: str, text: str, source: str, sha256: str) -> Generated:
    return Generated(name=name, text=text, source=source, sha256=sha256, compiler=COMPILER)
