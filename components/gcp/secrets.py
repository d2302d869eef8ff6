"""Secret Manager: the stack's secrets, kept where the stack says and encrypted with our keys there.

The value comes from the stack's secure configuration and is a secret output from there on. Replication names each
region: automatic replication would want a key in `global`, and would keep the data anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import secretmanager

from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from components.gcp.topics import PublishingTopic, TopicSpec, publishing_topic
from dataplatform.config.gcp.secrets import Secret as SecretConfig


@dataclass(frozen=True, kw_only=True)
class SecretSpec:
    """One secret."""

    secret_id: str
    """Physical name, from infra.naming."""
    value: pulumi.Output[str]
    """Secret output."""
    accessors: Mapping[str, pulumi.Input[str]]
    """IAM members that may read it, by a name that is stable."""
    config: SecretConfig = field(default_factory=SecretConfig)


@dataclass(frozen=True, kw_only=True)
class SecretsArgs:
    """The secrets of the stack, by name."""

    project: str
    region: str
    secrets: Mapping[str, SecretSpec]
    keys: Mapping[str, EncryptionKey]
    """The key in each location that a secret is kept in."""
    labels: Labels
    protect: bool
    depends_on: Sequence[pulumi.Resource]
    topic_name: str | None = None
    """Physical name of the topic for rotation, from infra.naming; None where no secret wants one."""
    topic_key: EncryptionKey | None = None
    agent: pulumi.Input[str] | None = None
    """IAM member of Secret Manager's agent, which tells of rotation."""


class Secrets(pulumi.ComponentResource):
    """The secrets, each with its current value and the grants to read it."""

    secret_ids: Mapping[str, pulumi.Output[str]]
    """Physical id of each secret, by name."""
    rotation_topic: pulumi.Output[str] | None
    """`projects/…/topics/…` that says which secret is to be renewed; None where the stack makes none."""

    def __init__(self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Secrets", name, {}, opts)
        topics = self._topics(name, args)
        self.rotation_topic = topics[None].id if None in topics else None
        self.secret_ids = {
            key: self._secret(f"{name}-{key}", args, spec, topics).secret_id
            for key, spec in sorted(args.secrets.items())
        }
        self.register_outputs({"secret_ids": dict(self.secret_ids)})

    def _topics(self, name: str, args: SecretsArgs) -> dict[str | None, PublishingTopic]:
        """The topics that rotation is told to: ours under None, one that is there under its full name."""
        wanted = {spec.config.rotation.topic for spec in args.secrets.values() if spec.config.rotation is not None}
        found: dict[str | None, PublishingTopic] = {}
        for existing in sorted(wanted, key=lambda topic: topic or ""):
            assert args.agent is not None, "rotation needs the agent that tells of it"
            found[existing] = publishing_topic(
                f"{name}-rotation" if existing is None else f"{name}-rotation-{existing.replace('/', '.')}",
                TopicSpec(
                    project=args.project,
                    region=args.region,
                    name=args.topic_name if existing is None else None,
                    existing=existing,
                    publisher=args.agent,
                    key=args.topic_key if existing is None else None,
                    labels=args.labels,
                    depends_on=args.depends_on,
                ),
                parent=self,
            )
        return found

    def _secret(
        self, logical: str, args: SecretsArgs, spec: SecretSpec, topics: Mapping[str | None, PublishingTopic]
    ) -> secretmanager.Secret:
        config = spec.config
        locations = sorted(config.locations) or [args.region]
        topic = topics[config.rotation.topic] if config.rotation is not None else None
        secret = secretmanager.Secret(
            logical,
            project=args.project,
            secret_id=spec.secret_id,
            replication=secretmanager.SecretReplicationArgs(
                user_managed=secretmanager.SecretReplicationUserManagedArgs(
                    replicas=[_replica(location, args.keys[location]) for location in locations]
                )
            ),
            annotations=dict(config.annotations) or None,
            topics=[secretmanager.SecretTopicArgs(name=topic.id)] if topic is not None else None,
            rotation=secretmanager.SecretRotationArgs(
                rotation_period=f"{int(config.rotation.period.total_seconds())}s",
                next_rotation_time=config.rotation.first,
            )
            if config.rotation is not None
            else None,
            ttl=f"{int(config.ttl.total_seconds())}s" if config.ttl is not None else None,
            expire_time=config.expire_time,
            version_destroy_ttl=f"{int(config.version_destroy_delay.total_seconds())}s"
            if config.version_destroy_delay is not None
            else None,
            deletion_protection=args.protect,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                # The service moves the next time on after each rotation; putting the first one back would be refused.
                ignore_changes=["rotation.nextRotationTime"] if config.rotation is not None else None,
                depends_on=[
                    *args.depends_on,
                    *(grant for location in locations for grant in args.keys[location].grants),
                    *(topic.ready if topic is not None else ()),
                ],
            ),
        )
        secretmanager.SecretVersion(
            f"{logical}-version",
            secret=secret.id,
            secret_data=spec.value,
            deletion_policy=config.version_deletion.upper() if config.version_deletion != "delete" else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        for accessor, member in sorted(spec.accessors.items()):
            secretmanager.SecretIamMember(
                f"{logical}-{accessor}",
                project=args.project,
                secret_id=secret.secret_id,
                role="roles/secretmanager.secretAccessor",
                member=member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        return secret


def _replica(location: str, key: EncryptionKey) -> secretmanager.SecretReplicationUserManagedReplicaArgs:
    return secretmanager.SecretReplicationUserManagedReplicaArgs(
        location=location,
        customer_managed_encryption=secretmanager.SecretReplicationUserManagedReplicaCustomerManagedEncryptionArgs(
            kms_key_name=key.id
        ),
    )
