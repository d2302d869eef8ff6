"""Cloud Data Fusion: an instance, the identity its Dataproc clusters run as, and the grants both need.

Deliberately absent: pipelines, namespaces and profiles. They are data, deployed as their own resources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import datafusion, projects, serviceaccount, storage

from components.gcp.iam import grant_on_project
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from dataplatform.config.gcp.data_fusion import DataFusion as DataFusionConfig
from dataplatform.config.gcp.data_fusion import DataFusionNetwork

RUNNER_ROLES = ("roles/dataproc.worker", "roles/datafusion.runner")
"""What a cluster needs on its project: to be one, and to report to the instance. Neither can be granted narrower."""


@dataclass(frozen=True, kw_only=True)
class DataFusionArgs:
    """The instance and what it is wired to."""

    config: DataFusionConfig
    project: str
    region: str
    instance_name: str
    """Physical name, from infra.naming."""
    account_id: str
    """Of the clusters' service account, from infra.naming."""
    agent: pulumi.Input[str]
    """IAM member of the Data Fusion service agent."""
    key: EncryptionKey
    buckets: Mapping[str, pulumi.Input[str]]
    """Buckets its pipelines read and write, by zone."""
    operators: Mapping[str, pulumi.Input[str]]
    """IAM members that may run pipelines; they are granted on the instance where it has role-based access."""
    labels: Labels
    protect: bool
    depends_on: Sequence[pulumi.Resource]


class DataFusion(pulumi.ComponentResource):
    """One Data Fusion instance, encrypted with our key."""

    instance_name: pulumi.Output[str]
    """Name of the instance."""
    api_endpoint: pulumi.Output[str]
    """CDAP REST endpoint of the instance."""
    runner: pulumi.Output[str]
    """IAM member of the identity its Dataproc clusters run as."""

    def __init__(self, name: str, args: DataFusionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:DataFusion", name, {}, opts)
        runner = serviceaccount.Account(
            f"{name}-runner",
            project=args.project,
            account_id=args.account_id,
            display_name="Data Fusion: Dataproc clusters",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        before = self._grants(name, args, runner)
        instance = datafusion.Instance(
            name,
            project=args.project,
            region=args.region,
            name=args.instance_name,
            type=args.config.edition.upper(),
            version=args.config.version,
            private_instance=args.config.private,
            network_config=_network(args.config.network),
            crypto_key_config=datafusion.InstanceCryptoKeyConfigArgs(key_reference=args.key.id),
            dataproc_service_account=runner.email,
            enable_rbac=args.config.rbac,
            enable_stackdriver_logging=args.config.logging,
            enable_stackdriver_monitoring=args.config.monitoring,
            options=dict(args.config.options) or None,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, depends_on=[*args.key.grants, *before]),
        )
        if args.config.rbac:
            self._operators(name, args, instance)
        self.instance_name = instance.name
        self.api_endpoint = instance.api_endpoint
        self.runner = runner.member
        self.register_outputs(
            {"instance_name": self.instance_name, "api_endpoint": self.api_endpoint, "runner": self.runner}
        )

    def _grants(self, name: str, args: DataFusionArgs, runner: serviceaccount.Account) -> list[pulumi.Resource]:
        """Grants that must exist before the instance: without them its first pipeline run fails, not its creation."""
        agent = projects.IAMMember(
            f"{name}-agent",
            project=args.project,
            role="roles/datafusion.serviceAgent",
            member=args.agent,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        # The agent starts the clusters as the runner, so it must be allowed to use it, and only it.
        acts_as = serviceaccount.IAMMember(
            f"{name}-agent-uses-runner",
            service_account_id=runner.name,
            role="roles/iam.serviceAccountUser",
            member=args.agent,
            opts=pulumi.ResourceOptions(parent=self),
        )
        roles = grant_on_project(
            f"{name}-runner",
            parent=self,
            project=args.project,
            member=runner.member,
            roles=RUNNER_ROLES,
            depends_on=args.depends_on,
        )
        lake: list[pulumi.Resource] = [
            storage.BucketIAMMember(
                f"{name}-runner-{zone}",
                bucket=bucket,
                role="roles/storage.objectUser",
                member=runner.member,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for zone, bucket in sorted(args.buckets.items())
        ]
        return [agent, acts_as, *roles, *lake]

    def _operators(self, name: str, args: DataFusionArgs, instance: datafusion.Instance) -> None:
        # The provider files the instance's IAM under securitycenter. It is imported here because it is large and
        # only instances with role-based access need it.
        from pulumi_gcp import securitycenter

        for operator, member in sorted(args.operators.items()):
            securitycenter.InstanceIamMember(
                f"{name}-operator-{operator}",
                project=args.project,
                region=args.region,
                name=instance.name,
                role="roles/datafusion.operator",
                member=member,
                opts=pulumi.ResourceOptions(parent=self),
            )


def _network(config: DataFusionNetwork | None) -> datafusion.InstanceNetworkConfigArgs | None:
    if config is None:
        return None
    if config.connection == "vpc_peering":
        return datafusion.InstanceNetworkConfigArgs(
            connection_type="VPC_PEERING", network=config.network, ip_allocation=config.ip_allocation
        )
    return datafusion.InstanceNetworkConfigArgs(
        connection_type="PRIVATE_SERVICE_CONNECT_INTERFACES",
        private_service_connect_config=datafusion.InstanceNetworkConfigPrivateServiceConnectConfigArgs(
            network_attachment=config.network_attachment
        ),
    )
