"""A stack on Google Cloud: which components it has and how they are wired.

Straight down, in the order things depend on each other: APIs, keys, lake, Composer, Data Fusion, secrets, pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import Provider

from components.gcp.composer import Composer, ComposerArgs
from components.gcp.dag_assets import DagAssets, DagAssetsArgs
from components.gcp.data_fusion import DataFusion, DataFusionArgs
from components.gcp.kms import EncryptionKey, Kms, KmsArgs
from components.gcp.labels import Labels
from components.gcp.lake import Lake, LakeArgs
from components.gcp.secrets import Secrets, SecretsArgs, SecretSpec
from components.gcp.services import ProjectServices, ProjectServicesArgs
from components.gcp.workflow_assets import WorkflowAssets, WorkflowAssetsArgs
from dataplatform.compile.runtime import runtime_files
from dataplatform.config.platform import Gcp, Platform
from infra.layout import composer_apis, key_rings, key_users, required_apis
from infra.naming import GcpNames
from infra.pipelines import CompiledPipelines

INVOKER_ROLES = ("roles/cloudfunctions.invoker", "roles/run.invoker")
"""To call a step executor: of the first generation of Cloud Functions, and of the second, which are Cloud Run's."""


@dataclass(frozen=True, kw_only=True)
class GcpArgs:
    """Everything the composition needs, decided before the first resource."""

    platform: Platform
    gcp: Gcp
    stack: str
    names: GcpNames
    pipelines: CompiledPipelines
    secret_values: Mapping[str, pulumi.Output[str]]
    """Secret outputs by the names of `gcp.secrets`."""


def compose(args: GcpArgs) -> dict[str, pulumi.Input[object]]:
    """Register the stack's resources; returns its outputs."""
    platform, gcp, names = args.platform, args.gcp, args.names
    provider = Provider("gcp", project=gcp.project, region=gcp.region)
    opts = pulumi.ResourceOptions(providers={"gcp": provider})
    labels = Labels.of(platform.labels, environment=platform.environment, stack=args.stack)
    users = key_users(gcp)
    executors_project = gcp.executors.project or gcp.project
    outputs: dict[str, pulumi.Input[object]] = {
        "environment": platform.environment,
        "project": gcp.project,
        "region": gcp.region,
    }
    services = ProjectServices(
        "services",
        ProjectServicesArgs(
            project=gcp.project,
            apis=required_apis(gcp),
            agents=frozenset(agent for agents in users.values() for agent in agents),
        ),
        opts,
    )
    keys = _keys(args, services, labels, opts)

    lake_buckets: Mapping[str, pulumi.Output[str]] = {}
    if gcp.lake is not None:
        lake = Lake(
            "lake",
            LakeArgs(
                config=gcp.lake,
                project=gcp.project,
                location=(gcp.lake.location or gcp.region).upper(),
                bucket_names=names.buckets,
                key=keys["storage"],
                labels=labels,
                protect=platform.protect,
                depends_on=services.needs("storage"),
            ),
            opts,
        )
        lake_buckets = lake.buckets
        outputs["buckets"] = dict(lake_buckets)

    identities: dict[str, pulumi.Output[str]] = {}
    composer: Composer | None = None
    if gcp.composer is not None:
        assert names.composer is not None
        composer = Composer(
            "composer",
            ComposerArgs(
                config=gcp.composer,
                project=gcp.project,
                region=gcp.region,
                environment_name=names.composer,
                account_id=names.accounts["composer"],
                agent=services.agents["composer"],
                key=keys["composer"],
                buckets=lake_buckets,
                executors_project=executors_project,
                invoker_roles=INVOKER_ROLES,
                labels=labels,
                protect=platform.protect,
                depends_on=services.needs(
                    "cloudresourcemanager", "composer", "iam", "storage", *composer_apis(gcp.composer)
                ),
            ),
            opts,
        )
        identities["composer"] = composer.member
        outputs |= {
            "composer_environment": composer.environment_name,
            "airflow_uri": composer.airflow_uri,
            "dag_gcs_prefix": composer.dag_gcs_prefix,
        }

    if gcp.data_fusion is not None:
        assert names.data_fusion is not None
        data_fusion = DataFusion(
            "data-fusion",
            DataFusionArgs(
                config=gcp.data_fusion,
                project=gcp.project,
                region=gcp.region,
                instance_name=names.data_fusion,
                account_id=names.accounts["datafusion"],
                agent=services.agents["datafusion"],
                key=keys["datafusion"],
                buckets=lake_buckets,
                operators=dict(identities),
                labels=labels,
                protect=platform.protect,
                depends_on=services.needs(
                    "cloudresourcemanager", "compute", "datafusion", "dataproc", "iam", "storage"
                ),
            ),
            opts,
        )
        identities["data_fusion"] = data_fusion.runner
        outputs |= {
            "data_fusion_instance": data_fusion.instance_name,
            "data_fusion_endpoint": data_fusion.api_endpoint,
        }

    if gcp.workflows is not None:
        workflows = WorkflowAssets(
            "workflows",
            WorkflowAssetsArgs(
                config=gcp.workflows,
                project=gcp.project,
                region=gcp.region,
                account_id=names.accounts["workflows"],
                workflows=args.pipelines.workflows,
                workflow_ids=dict(args.pipelines.workflow_ids),
                executors_project=executors_project,
                invoker_roles=INVOKER_ROLES,
                calls_workflows=args.pipelines.workflows_call_workflows,
                key=keys["workflows"],
                labels=labels,
                depends_on=services.needs("cloudresourcemanager", "iam", "workflows"),
            ),
            opts,
        )
        identities["workflows"] = workflows.member
        outputs["workflows"] = dict(workflows.workflow_ids)

    if gcp.secrets:
        secrets = Secrets(
            "secrets",
            SecretsArgs(
                project=gcp.project,
                region=gcp.region,
                secrets=_secrets(args, identities),
                key=keys["secretmanager"],
                labels=labels,
                protect=platform.protect,
                depends_on=services.needs("secretmanager"),
            ),
            opts,
        )
        outputs["secrets"] = dict(secrets.secret_ids)

    if composer is not None and args.pipelines.dags:
        DagAssets(
            "dags",
            DagAssetsArgs(
                bucket=composer.dag_bucket,
                prefix=composer.dag_prefix,
                dags=args.pipelines.dags,
                runtime=runtime_files(),
                depends_on=services.needs("storage"),
            ),
            opts,
        )
        outputs["dags"] = dict(args.pipelines.dag_ids)
    return outputs


def _keys(
    args: GcpArgs, services: ProjectServices, labels: Labels, opts: pulumi.ResourceOptions
) -> dict[str, EncryptionKey]:
    """The keys of all services, by service."""
    gcp = args.gcp
    agents = key_users(gcp)
    keys: dict[str, EncryptionKey] = {}
    for ring in key_rings(gcp):
        kms = Kms(
            ring.component,
            KmsArgs(
                config=gcp.kms,
                project=gcp.project,
                location=ring.location,
                key_ring_name=args.names.key_ring,
                users={
                    service: {agent: services.agents[agent] for agent in agents[service]} for service in ring.services
                },
                labels=labels,
                protect=args.platform.protect,
                depends_on=services.needs("cloudkms"),
            ),
            opts,
        )
        keys |= kms.keys
    return keys


def _secrets(args: GcpArgs, identities: Mapping[str, pulumi.Output[str]]) -> dict[str, SecretSpec]:
    """The secrets with their readers: members as written, and `$composer`, `$data_fusion`, `$workflows`."""
    return {
        name: SecretSpec(
            secret_id=args.names.secrets[name],
            value=args.secret_values[name],
            accessors={
                accessor.removeprefix("$"): identities[accessor[1:]] if accessor.startswith("$") else accessor
                for accessor in secret.accessors
            },
        )
        for name, secret in sorted(args.gcp.secrets.items())
    }
