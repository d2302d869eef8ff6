"""Pipelines that belong to other projects: their workflows there, their DAGs in the environments of those domains."""

from __future__ import annotations

from components.gcp.dag_assets import DagAssets, DagAssetsArgs
from components.gcp.key_access import KeyAccess, KeyAccessArgs
from components.gcp.kms import EncryptionKey
from components.gcp.services import ProjectServices, ProjectServicesArgs
from components.gcp.workflow_assets import WorkflowAssets, WorkflowAssetsArgs
from dataplatform.compile.runtime import runtime_files
from dataplatform.config.platform import Domain
from infra.gcp.composition import Composition
from infra.gcp.dags import bucket_of_others
from infra.pipelines import CompiledPipelines

_APIS = ("cloudresourcemanager", "iam", "workflowexecutions", "workflows")


def domains(c: Composition) -> None:
    """Each domain's texts; nothing where the stack has none."""
    pipelines = c.args.platform.pipelines
    for name, domain in sorted(pipelines.domains.items() if pipelines is not None else ()):
        compiled = c.args.pipelines.domains.get(name)
        if compiled is None:
            continue
        if domain.airflow_bucket is not None and compiled.dags:
            place = bucket_of_others(domain.airflow_bucket)
            DagAssets(
                f"dags-{name}",
                DagAssetsArgs(
                    bucket=place.bucket,
                    prefix=place.prefix,
                    dags=compiled.dags,
                    runtime=runtime_files(),
                    depends_on=c.needs("storage"),
                ),
                c.opts,
            )
        if c.gcp.workflows is not None and compiled.workflows:
            _workflows(c, name, domain, compiled)


def _workflows(c: Composition, name: str, domain: Domain, compiled: CompiledPipelines) -> None:
    config = c.gcp.workflows
    assert config is not None
    services = ProjectServices(
        f"services-{name}",
        ProjectServicesArgs(project=domain.project, apis=frozenset(_APIS), agents=frozenset({"workflows"})),
        c.opts,
    )
    key = c.keys["workflows"]
    # The key is the stack's; the agent that uses it is of the domain's project.
    access = KeyAccess(
        f"key-access-{name}",
        KeyAccessArgs(
            keys={"workflows": key},
            grants={"workflows": {"encrypt_decrypt": {name: services.agents["workflows"]}}},
            depends_on=c.needs("cloudkms"),
        ),
        c.opts,
    )
    rights = compiled.access.rights("workflows")
    made = WorkflowAssets(
        f"workflows-{name}",
        WorkflowAssetsArgs(
            config=config,
            project=domain.project,
            region=c.gcp.region,
            account_id=c.names.accounts["workflows"],
            workflows=compiled.workflows,
            workflow_ids=dict(compiled.workflow_ids),
            rights=rights,
            made=c.grantable,
            key=EncryptionKey(id=key.id, grants=(access,)),
            labels=c.labels,
            depends_on=[*services.needs(*_APIS), *c.needs("cloudresourcemanager", "iam", also=c.enabled(rights))],
        ),
        c.opts,
    )
    c.outputs[f"workflows_{name.replace('-', '_')}"] = dict(made.workflow_ids)
