"""From definitions to the texts a stack deploys. Pure: the same definitions give the same texts.

Every definition goes to every engine the stack has, Airflow by way of Composer and Cloud Workflows. One of a domain
goes to the domain's: its workflows to the domain's project, its DAG to the domain's environment where it names one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from components.gcp.generated import Generated
from dataplatform.compile import airflow
from dataplatform.compile.access import Access, derive
from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.plan import Plan
from dataplatform.compile.workflows_parts import render_all
from dataplatform.config.check import LoadedStack
from dataplatform.config.domains import domain_of
from dataplatform.config.platform import Gcp
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
    domains: Mapping[str, CompiledPipelines] = field(default_factory=dict)
    """What belongs to domains, by their names: the rights are those of the domain's own identities."""


@dataclass
class _Texts:
    """What is compiled for one place."""

    dags: list[Generated] = field(default_factory=list)
    dag_ids: list[tuple[str, str]] = field(default_factory=list)
    workflows: list[Generated] = field(default_factory=list)
    ids: list[tuple[str, str]] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    def compiled(self, access: Access) -> CompiledPipelines:
        """The same as a value."""
        return CompiledPipelines(
            dags=tuple(self.dags),
            dag_ids=tuple(self.dag_ids),
            workflows=tuple(self.workflows),
            workflow_ids=tuple(self.ids),
            access=access,
        )


def compile_pipelines(loaded: LoadedStack) -> CompiledPipelines:
    """Compile all definitions; raises InputError with what is wrong in any of them."""
    gcp = loaded.platform.gcp
    if gcp is None or not loaded.definitions:
        return CompiledPipelines()
    platform = loaded.platform
    domains = platform.pipelines.domains if platform.pipelines is not None else {}
    diagnostics = Diagnostics()
    places: dict[str | None, _Texts] = {name: _Texts() for name in (None, *domains)}
    split: list[str] = []
    on_airflow = gcp.composer is not None or gcp.airflow_bucket is not None
    for definition in sorted(loaded.definitions, key=lambda d: d.name):
        domain = domain_of(platform, definition.file)
        elsewhere = domain is not None and domains[domain].airflow_bucket is not None
        try:
            plan = build_plan(definition, target_for(platform, definition.file))
            if on_airflow or elsewhere:
                into = places[domain if elsewhere else None]
                into.dags.append(
                    _generated(definition.name, airflow.render(plan), plan.source.file, plan.source.sha256)
                )
                into.dag_ids.append((definition.name, airflow.dag_id(plan)))
            if gcp.workflows is not None and plan.fusion is None:
                rendered = render_all(plan)
                for number, text in enumerate(rendered):
                    name = f"{definition.name}/part-{number}" if number else definition.name
                    generated = _generated(name, text.text, plan.source.file, plan.source.sha256)
                    places[domain].workflows.append(generated)
                    places[domain].ids.append((name, text.workflow_id))
                split += [plan.name] if len(rendered) > 1 else []
            places[domain].plans.append(plan)
        except InputError as error:
            diagnostics.extend(error.diagnostics.items)
    diagnostics.extend(_one_id_twice(loaded, [one for place in places.values() for one in place.ids]).items)
    if diagnostics:
        raise InputError(diagnostics)
    return _compiled(loaded, gcp, places, split)


def _compiled(
    loaded: LoadedStack, gcp: Gcp, places: Mapping[str | None, _Texts], split: Iterable[str]
) -> CompiledPipelines:
    """The texts with the rights of who runs them."""
    platform, about = loaded.platform, surroundings(loaded.platform, gcp)
    large = list(split)
    access = derive(places[None].plans, about, split=large)
    domains: dict[str, CompiledPipelines] = {}
    for name, domain in sorted(platform.pipelines.domains.items() if platform.pipelines is not None else ()):
        plans = places[name].plans
        if gcp.composer is not None and domain.airflow_bucket is None:
            # The stack's own environment runs the DAGs of the domain too.
            access |= derive(plans, replace(about, engines=("airflow",)))
        own = replace(
            about, engines=("workflows",) if gcp.workflows is not None else (), project=domain.project, triggers=False
        )
        domains[name] = places[name].compiled(derive(plans, own, split=large))
    return replace(places[None].compiled(access), domains=domains)


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
