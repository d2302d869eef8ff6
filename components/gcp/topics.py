"""Pub/Sub topics a service publishes to: encrypted with our key, kept in the region, granted to its agent first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import pubsub

from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels

PUBLISHER = "roles/pubsub.publisher"


@dataclass(frozen=True, kw_only=True)
class TopicSpec:
    """A topic to make, or one that is there."""

    project: str
    region: str
    name: str | None
    """Physical name, from infra.naming; None for one that is there."""
    existing: str | None
    """`projects/…/topics/…` of one that is there."""
    publisher: pulumi.Input[str] | None
    """IAM member of the service agent that publishes; None where its owner grants who does."""
    key: EncryptionKey | None
    """Of a topic to make."""
    labels: Labels
    depends_on: Sequence[pulumi.Resource]


@dataclass(frozen=True, kw_only=True)
class PublishingTopic:
    """A topic as the resource takes it whose service publishes to it."""

    id: pulumi.Output[str]
    """`projects/…/topics/…`."""
    ready: tuple[pulumi.Resource, ...]
    """What must exist before the service accepts the topic: depend on them."""


def publishing_topic(logical: str, spec: TopicSpec, *, parent: pulumi.Resource) -> PublishingTopic:
    """Make the topic, or take the one that is there, and let the agent publish to it."""
    if spec.existing is not None:
        _, project, _, short = spec.existing.split("/")
        topic_id, topic_name = pulumi.Output.from_input(spec.existing), pulumi.Output.from_input(short)
    else:
        assert spec.name is not None, "a topic that is not there needs a name"
        assert spec.key is not None, "a topic that is not there needs a key"
        project = spec.project
        topic = pubsub.Topic(
            f"{logical}-topic",
            project=project,
            name=spec.name,
            kms_key_name=spec.key.id,
            message_storage_policy=pubsub.TopicMessageStoragePolicyArgs(allowed_persistence_regions=[spec.region]),
            labels=spec.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=parent, depends_on=[*spec.depends_on, *spec.key.grants]),
        )
        topic_id, topic_name = topic.id, topic.name
    if spec.publisher is None:
        return PublishingTopic(id=topic_id, ready=())
    grant = pubsub.TopicIAMMember(
        f"{logical}-publisher",
        project=project,
        topic=topic_name,
        role=PUBLISHER,
        member=spec.publisher,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(spec.depends_on)),
    )
    return PublishingTopic(id=topic_id, ready=(grant,))
