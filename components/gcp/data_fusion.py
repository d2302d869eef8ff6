"""Cloud Data Fusion: an instance, the identity its Dataproc clusters run as, and the grants both need.

Deliberately absent: pipelines, namespaces, profiles and preferences. They are data, deployed as their own resources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import datafusion, projects, serviceaccount, storage

from components.gcp.fusion_peering import return_peering
from components.gcp.iam import grant_on_project
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from components.gcp.topics import TopicSpec, publishing_topic
from components.gcp.windows import weekly
from dataplatform.config.gcp.data_fusion import DataFusion as DataFusionConfig
from dataplatform.config.gcp.data_fusion import DataFusionNetwork, FusionRole, FusionWindow

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
    """Of the clusters' service account, from infra.naming; not used where the configuration names an account."""
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
    members: Mapping[FusionRole, Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)
    """IAM members that have a role on the instance, by role and a name that is stable."""
    topic_name: str | None = None
    """Physical name of the topic of its events, from infra.naming; None where there is none to make."""
    topic_key: EncryptionKey | None = None
    """Of that topic."""
    peering_name: str | None = None
    """Physical name of the peering of the network with the instance's, from infra.naming; None to make none."""


@dataclass(frozen=True, kw_only=True)
class _Runner:
    """The clusters' account."""

    id: pulumi.Input[str]
    """`projects/…/serviceAccounts/…`."""
    email: pulumi.Input[str]
    member: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class _Events:
    """What the instance takes of the topic of its events."""

    config: datafusion.InstanceEventPublishConfigArgs | None = None
    topic: pulumi.Output[str] | None = None
    ready: tuple[pulumi.Resource, ...] = ()


class DataFusion(pulumi.ComponentResource):
    """One Data Fusion instance, encrypted with our key."""

    instance: datafusion.Instance | None
    """What everything in it goes with; None where DAGs make it."""
    instance_name: pulumi.Output[str]
    """Name of the instance."""
    api_endpoint: pulumi.Output[str]
    """CDAP REST endpoint of the instance; empty where DAGs make it."""
    runner: pulumi.Output[str]
    """IAM member of the identity its Dataproc clusters run as."""
    runner_id: pulumi.Output[str]
    """`projects/…/serviceAccounts/…` of that identity."""
    runner_email: pulumi.Output[str]
    """Its address."""
    ready: tuple[pulumi.Resource, ...]
    """What must be there before an instance is made."""
    events_topic: pulumi.Output[str] | None
    """`projects/…/topics/…` of its events, where it sends any."""

    def __init__(self, name: str, args: DataFusionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:DataFusion", name, {}, opts)
        runner = self._runner(name, args)
        before = self._grants(name, args, runner)
        events = self._events(name, args)
        self.runner = pulumi.Output.from_input(runner.member)
        self.runner_id = pulumi.Output.from_input(runner.id)
        self.runner_email = pulumi.Output.from_input(runner.email)
        self.events_topic = events.topic
        self.ready = (*args.key.grants, *before, *events.ready)
        if args.config.on_demand is not None:
            self.instance = None
            self.instance_name = pulumi.Output.from_input(args.instance_name)
            self.api_endpoint = pulumi.Output.from_input("")
        else:
            self.instance = self._instance(name, args, runner, events)
            self.instance_name = self.instance.name
            self.api_endpoint = self.instance.api_endpoint
        self.register_outputs(
            {"instance_name": self.instance_name, "api_endpoint": self.api_endpoint, "runner": self.runner}
        )

    def _instance(self, name: str, args: DataFusionArgs, runner: _Runner, events: _Events) -> datafusion.Instance:
        instance = datafusion.Instance(
            name,
            project=args.project,
            region=args.region,
            name=args.instance_name,
            type=args.config.edition.upper(),
            version=args.config.version,
            patch_revision=args.config.patch_revision,
            display_name=args.config.display_name,
            description=args.config.description,
            zone=args.config.zone,
            private_instance=args.config.private,
            network_config=_network(args.config.network),
            crypto_key_config=datafusion.InstanceCryptoKeyConfigArgs(key_reference=args.key.id),
            dataproc_service_account=runner.email,
            enable_rbac=args.config.rbac,
            enable_stackdriver_logging=args.config.logging,
            enable_stackdriver_monitoring=args.config.monitoring,
            event_publish_config=events.config,
            maintenance_policy=_maintenance(args.config.maintenance),
            accelerators=[
                datafusion.InstanceAcceleratorArgs(
                    accelerator_type=kind.upper(), state="ENABLED" if enabled else "DISABLED"
                )
                for kind, enabled in sorted(args.config.accelerators.items())
            ]
            or None,
            options=dict(args.config.options) or None,
            tags=dict(args.config.tags) or None,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, depends_on=list(self.ready)),
        )
        if args.config.rbac:
            self._operators(name, args, instance)
        network = args.config.network.network if args.config.network is not None else None
        if args.peering_name is not None and network is not None:
            return_peering(
                f"{name}-peering",
                parent=self,
                # The instance takes a bare name too, which is one of its own project.
                network=network if "/" in network else f"projects/{args.project}/global/networks/{network}",
                peering_name=args.peering_name,
                instance=instance,
            )
        return instance

    def _runner(self, name: str, args: DataFusionArgs) -> _Runner:
        """The clusters' account: one of the stack's own, or the one that the stack file names."""
        email = args.config.service_account
        if email is not None:
            project = email.partition("@")[2].partition(".")[0]
            return _Runner(
                id=f"projects/{project}/serviceAccounts/{email}", email=email, member=f"serviceAccount:{email}"
            )
        account = serviceaccount.Account(
            f"{name}-runner",
            project=args.project,
            account_id=args.account_id,
            display_name="Data Fusion: Dataproc clusters",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        return _Runner(id=account.name, email=account.email, member=account.member)

    def _events(self, name: str, args: DataFusionArgs) -> _Events:
        """The topic of its events; the agent may publish to it before the instance is there."""
        config = args.config.events
        if config is None:
            return _Events()
        topic = publishing_topic(
            f"{name}-events",
            TopicSpec(
                project=args.project,
                region=args.region,
                name=args.topic_name,
                existing=config.topic,
                publisher=args.agent,
                key=args.topic_key,
                labels=args.labels,
                depends_on=args.depends_on,
            ),
            parent=self,
        )
        return _Events(
            config=datafusion.InstanceEventPublishConfigArgs(enabled=config.enabled, topic=topic.id),
            topic=topic.id,
            ready=topic.ready,
        )

    def _grants(self, name: str, args: DataFusionArgs, runner: _Runner) -> list[pulumi.Resource]:
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
            service_account_id=runner.id,
            role="roles/iam.serviceAccountUser",
            member=args.agent,
            # An account of the stack's own waits for all of this itself.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=list(args.depends_on) if args.config.service_account else None
            ),
        )
        roles = grant_on_project(
            f"{name}-runner",
            parent=self,
            project=args.project,
            member=runner.member,
            roles=(*RUNNER_ROLES, *sorted(set(args.config.roles) - set(RUNNER_ROLES))),
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
        for role, members in sorted(args.members.items()):
            for key, member in sorted(members.items()):
                securitycenter.InstanceIamMember(
                    f"{name}-{role}-{key}",
                    project=args.project,
                    region=args.region,
                    name=instance.name,
                    role=f"roles/datafusion.{role}",
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
            network_attachment=config.network_attachment, unreachable_cidr_block=config.unreachable_range
        ),
    )


def _maintenance(window: FusionWindow | None) -> datafusion.InstanceMaintenancePolicyArgs | None:
    if window is None:
        return None
    found = weekly(window.days, window.hour, window.hours)
    return datafusion.InstanceMaintenancePolicyArgs(
        maintenance_window=datafusion.InstanceMaintenancePolicyMaintenanceWindowArgs(
            recurring_time_window=datafusion.InstanceMaintenancePolicyMaintenanceWindowRecurringTimeWindowArgs(
                recurrence=found.recurrence,
                window=datafusion.InstanceMaintenancePolicyMaintenanceWindowRecurringTimeWindowWindowArgs(
                    start_time=found.start, end_time=found.end
                ),
            )
        )
    )
