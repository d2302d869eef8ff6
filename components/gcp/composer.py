"""A Composer environment (Managed Service for Apache Airflow), generation 3 or 2, and the identity its tasks run as.

The two generations share one resource and differ in which fields they take; all of that is in `_private` and
`_workloads` here. Deliberately absent: DAGs. `components.gcp.dag_assets` puts them under the prefix this exports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import composer, serviceaccount

from components.gcp import composer_settings as settings
from components.gcp.composer_workloads import user_workloads
from components.gcp.iam import grant_on_project, grant_rights
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from dataplatform.compile.access import Right
from dataplatform.config.gcp.composer import Composer as ComposerConfig
from dataplatform.config.gcp.composer import Workloads


@dataclass(frozen=True, kw_only=True)
class ComposerArgs:
    """The environment and what it is wired to."""

    config: ComposerConfig
    project: str
    region: str
    environment_name: str
    """Physical name, from infra.naming."""
    account_id: str
    """Of the environment's service account, from infra.naming."""
    agent: pulumi.Input[str]
    """IAM member of the Composer service agent."""
    key: EncryptionKey
    rights: Sequence[Right]
    """What its pipelines' steps need."""
    rights_need: Sequence[pulumi.Resource]
    """What the grants of these wait for beside `depends_on`."""
    made: Mapping[str, pulumi.Resource]
    """What the stack makes of that which rights are on, by its path."""
    labels: Labels
    protect: bool
    depends_on: Sequence[pulumi.Resource]
    buckets: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """Buckets of the lake by zone, for snapshots."""
    secret_values: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """Secret outputs by the names of `gcp.secrets`, for the secrets of workloads."""


class Composer(pulumi.ComponentResource):
    """One Composer environment, encrypted with our key."""

    environment_name: pulumi.Output[str]
    """Name of the environment."""
    airflow_uri: pulumi.Output[str]
    """Address of the Airflow web server."""
    dag_gcs_prefix: pulumi.Output[str]
    """`gs://<bucket>/<prefix>` of the DAGs."""
    dag_bucket: pulumi.Output[str]
    """Bucket of the DAGs."""
    dag_prefix: pulumi.Output[str]
    """Prefix of the DAGs in their bucket, without slashes at its ends."""
    member: pulumi.Output[str]
    """IAM member of the identity that tasks run as."""
    access: Sequence[pulumi.Resource]
    """The grants that its pipelines' steps need."""

    def __init__(self, name: str, args: ComposerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Composer", name, {}, opts)
        account = serviceaccount.Account(
            f"{name}-tasks",
            project=args.project,
            account_id=args.account_id,
            display_name="Composer: tasks",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        before = self._grants(name, args, account)
        # What its pipelines need the environment does not wait for; its DAGs do.
        self.access = grant_rights(
            name,
            parent=self,
            project=args.project,
            member=account.member,
            rights=args.rights,
            depends_on=[*args.depends_on, *args.rights_need],
            made=args.made,
        )
        environment = composer.Environment(
            name,
            project=args.project,
            region=args.region,
            name=args.environment_name,
            config=_config(args, account),
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, depends_on=[*args.key.grants, *before]),
        )
        user_workloads(
            name,
            parent=self,
            config=args.config,
            project=args.project,
            region=args.region,
            environment=environment,
            values=args.secret_values,
            protect=args.protect,
        )
        self.environment_name = environment.name
        self.airflow_uri = environment.config.airflow_uri
        self.dag_gcs_prefix = environment.config.dag_gcs_prefix
        self.dag_bucket = self.dag_gcs_prefix.apply(lambda prefix: split_prefix(prefix)[0])
        self.dag_prefix = self.dag_gcs_prefix.apply(lambda prefix: split_prefix(prefix)[1])
        self.member = account.member
        self.register_outputs(
            {
                "environment_name": self.environment_name,
                "airflow_uri": self.airflow_uri,
                "dag_gcs_prefix": self.dag_gcs_prefix,
                "member": self.member,
            }
        )

    def _grants(self, name: str, args: ComposerArgs, account: serviceaccount.Account) -> list[pulumi.Resource]:
        """Grants that must exist before the environment: without them its creation fails after half an hour."""
        grants: list[pulumi.Resource] = grant_on_project(
            f"{name}-tasks",
            parent=self,
            project=args.project,
            member=account.member,
            roles=("roles/composer.worker",),
            depends_on=args.depends_on,
        )
        if args.config.generation == 2:
            # Generation 2 runs in our project: the agent binds its Kubernetes accounts to this identity.
            grants.append(
                serviceaccount.IAMMember(
                    f"{name}-agent-extends-tasks",
                    service_account_id=account.name,
                    role="roles/composer.ServiceAgentV2Ext",
                    member=args.agent,
                    opts=pulumi.ResourceOptions(parent=self),
                )
            )
        return grants


def split_prefix(dag_gcs_prefix: str) -> tuple[str, str]:
    """Bucket and prefix of `gs://bucket/dags`; raises ValueError for anything else."""
    scheme, _, rest = dag_gcs_prefix.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "gs" or not bucket or not prefix.strip("/"):
        raise ValueError(f"expected gs://<bucket>/<prefix>, got '{dag_gcs_prefix}'")
    return bucket, prefix.strip("/")


def _config(args: ComposerArgs, account: serviceaccount.Account) -> composer.EnvironmentConfigArgs:
    config = args.config
    modern = config.generation == 3
    return composer.EnvironmentConfigArgs(
        environment_size=f"ENVIRONMENT_SIZE_{config.size.upper()}",
        node_config=settings.node(config, account.email),
        software_config=settings.software(config),
        encryption_config=composer.EnvironmentConfigEncryptionConfigArgs(kms_key_name=args.key.id),
        workloads_config=_workloads(config.workloads) if config.workloads else None,
        resilience_mode="HIGH_RESILIENCE" if config.resilience else None,
        maintenance_window=settings.maintenance(config),
        recovery_config=settings.recovery(config, args.buckets),
        data_retention_config=settings.retention(config),
        web_server_network_access_control=settings.web_server_access(config),
        enable_private_builds_only=True if modern and config.private_builds else None,
        # Generation 3 wants one switch, and refuses the block of generation 2 as generation 2 refuses the switch.
        enable_private_environment=True if modern and config.private else None,
        private_environment_config=_private(config) if not modern and config.private else None,
    )


def _private(config: ComposerConfig) -> composer.EnvironmentConfigPrivateEnvironmentConfigArgs:
    return composer.EnvironmentConfigPrivateEnvironmentConfigArgs(
        connection_type="PRIVATE_SERVICE_CONNECT" if config.network else "VPC_PEERING",
        cloud_composer_connection_subnetwork=config.network.subnetwork if config.network else None,
        enable_private_endpoint=True,
        master_ipv4_cidr_block=config.network.master if config.network else None,
    )


def _workloads(config: Workloads) -> composer.EnvironmentConfigWorkloadsConfigArgs:
    """Sizing. What is None is left out, and the service takes its default for the environment's size."""
    sized = composer.EnvironmentConfigWorkloadsConfigArgs()
    if (scheduler := config.scheduler) is not None:
        sized.scheduler = composer.EnvironmentConfigWorkloadsConfigSchedulerArgs(
            cpu=scheduler.cpu, memory_gb=scheduler.memory_gb, storage_gb=scheduler.storage_gb, count=scheduler.count
        )
    if (server := config.web_server) is not None:
        sized.web_server = composer.EnvironmentConfigWorkloadsConfigWebServerArgs(
            cpu=server.cpu, memory_gb=server.memory_gb, storage_gb=server.storage_gb
        )
    if (worker := config.worker) is not None:
        sized.worker = composer.EnvironmentConfigWorkloadsConfigWorkerArgs(
            cpu=worker.cpu,
            memory_gb=worker.memory_gb,
            storage_gb=worker.storage_gb,
            min_count=worker.min_count,
            max_count=worker.max_count,
        )
    if (triggerer := config.triggerer) is not None:
        # The only workload of which the service wants all three figures: one that is left out is its default here.
        sized.triggerer = composer.EnvironmentConfigWorkloadsConfigTriggererArgs(
            count=1 if triggerer.count is None else triggerer.count,
            cpu=0.5 if triggerer.cpu is None else triggerer.cpu,
            memory_gb=1.0 if triggerer.memory_gb is None else triggerer.memory_gb,
        )
    if (processor := config.dag_processor) is not None:
        sized.dag_processor = composer.EnvironmentConfigWorkloadsConfigDagProcessorArgs(
            cpu=processor.cpu, memory_gb=processor.memory_gb, storage_gb=processor.storage_gb, count=processor.count
        )
    return sized
