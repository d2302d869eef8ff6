"""Composer (Managed Service for Apache Airflow), generation 3 or 2: its environment and the identity of its tasks.

The two generations share one resource and differ in which fields they take; all of that is in `composer_settings`.
While one environment takes over from another both are here, and run as the same identity. What an environment is
called in the state follows its name in the stack file, not its part in the change: the one that becomes the previous
one is the same resource as before. Deliberately absent: DAGs. `components.gcp.dag_assets` puts them under the prefix
this exports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import composer, serviceaccount

from components.gcp import composer_settings as settings
from components.gcp.composer_sizes import workloads
from components.gcp.composer_workloads import user_workloads
from components.gcp.iam import grant_on_project, grant_rights
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from dataplatform.compile.access import Right
from dataplatform.config.gcp.composer import Composer as ComposerConfig

_USUAL_NAME = "core"
"""Name of an environment whose resource has no name but the component's."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    """One environment."""

    config: ComposerConfig
    environment_name: str
    """Physical name, from infra.naming."""


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
    secret_backend: bool = False
    """Whether Airflow looks for connections and variables in Secret Manager."""
    previous: EnvironmentSpec | None = None
    """The environment that this one takes over from."""


@dataclass(frozen=True, kw_only=True)
class DagPlace:
    """Where an environment looks for its DAGs."""

    bucket: pulumi.Output[str]
    prefix: pulumi.Output[str]
    """Without slashes at its ends."""


class Composer(pulumi.ComponentResource):
    """The Composer environment of a stack, encrypted with our key."""

    environment_name: pulumi.Output[str]
    """Name of the environment."""
    airflow_uri: pulumi.Output[str]
    """Address of the Airflow web server."""
    dag_gcs_prefix: pulumi.Output[str]
    """`gs://<bucket>/<prefix>` of the DAGs."""
    dags: DagPlace
    """The same in its parts."""
    previous: composer.Environment | None
    """The environment it takes over from."""
    previous_dags: DagPlace | None
    """Where that one looks for its DAGs."""
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
        main = EnvironmentSpec(config=args.config, environment_name=args.environment_name)
        environment = self._environment(name, args, main, account, before)
        self.previous, self.previous_dags = None, None
        if args.previous is not None:
            self.previous = self._environment(name, args, args.previous, account, before)
            self.previous_dags = _dags(self.previous)
        self.environment_name = environment.name
        self.airflow_uri = environment.config.airflow_uri
        self.dag_gcs_prefix = environment.config.dag_gcs_prefix
        self.dags = _dags(environment)
        self.member = account.member
        self.register_outputs(
            {
                "environment_name": self.environment_name,
                "airflow_uri": self.airflow_uri,
                "dag_gcs_prefix": self.dag_gcs_prefix,
                "member": self.member,
            }
        )

    def _environment(
        self,
        name: str,
        args: ComposerArgs,
        spec: EnvironmentSpec,
        account: serviceaccount.Account,
        before: Sequence[pulumi.Resource],
    ) -> composer.Environment:
        logical = name if spec.config.name == _USUAL_NAME else f"{name}-{spec.config.name}"
        alone = args.previous is None and logical != name
        environment = composer.Environment(
            logical,
            project=args.project,
            region=args.region,
            name=spec.environment_name,
            config=_config(args, spec.config, account),
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                depends_on=[*args.key.grants, *before],
                # Up to 0.1 the only environment of a stack had the component's name, whatever its own. The alias may
                # go with 0.4.
                aliases=[pulumi.Alias(name=name)] if alone else None,
            ),
        )
        user_workloads(
            logical,
            parent=self,
            config=spec.config,
            project=args.project,
            region=args.region,
            environment=environment,
            values=args.secret_values,
            protect=args.protect,
        )
        return environment

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
        configs = [args.config, *([args.previous.config] if args.previous is not None else [])]
        if any(config.generation == 2 for config in configs):
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


def _dags(environment: composer.Environment) -> DagPlace:
    prefix = environment.config.dag_gcs_prefix
    return DagPlace(
        bucket=prefix.apply(lambda text: split_prefix(text)[0]),
        prefix=prefix.apply(lambda text: split_prefix(text)[1]),
    )


def split_prefix(dag_gcs_prefix: str) -> tuple[str, str]:
    """Bucket and prefix of `gs://bucket/dags`; raises ValueError for anything else."""
    scheme, _, rest = dag_gcs_prefix.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "gs" or not bucket or not prefix.strip("/"):
        raise ValueError(f"expected gs://<bucket>/<prefix>, got '{dag_gcs_prefix}'")
    return bucket, prefix.strip("/")


def _config(
    args: ComposerArgs, config: ComposerConfig, account: serviceaccount.Account
) -> composer.EnvironmentConfigArgs:
    modern = config.generation == 3
    return composer.EnvironmentConfigArgs(
        environment_size=f"ENVIRONMENT_SIZE_{config.size.upper()}",
        node_config=settings.node(config, account.email),
        software_config=settings.software(config, secret_backend=args.secret_backend),
        encryption_config=composer.EnvironmentConfigEncryptionConfigArgs(kms_key_name=args.key.id),
        workloads_config=workloads(config.workloads) if config.workloads else None,
        resilience_mode="HIGH_RESILIENCE" if config.resilience else None,
        maintenance_window=settings.maintenance(config),
        recovery_config=settings.recovery(config, args.buckets),
        data_retention_config=settings.retention(config),
        web_server_network_access_control=settings.web_server_access(config),
        enable_private_builds_only=True if modern and config.private_builds else None,
        # Generation 3 wants one switch, and refuses the block of generation 2 as generation 2 refuses the switch.
        enable_private_environment=True if modern and config.private else None,
        private_environment_config=settings.private(config) if not modern and config.private else None,
        master_authorized_networks_config=settings.control_plane_access(config) if not modern else None,
    )
