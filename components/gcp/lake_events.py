"""Messages about objects of the lake: a topic for each notification, or one that is there.

The agent of Cloud Storage is granted to publish first: without that the service refuses the notification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import storage

from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from components.gcp.topics import TopicSpec, publishing_topic
from dataplatform.config.gcp.lake import Notification


@dataclass(frozen=True, kw_only=True)
class LakeEventsArgs:
    """The notifications of all zones."""

    project: str
    region: str
    notifications: Mapping[str, Mapping[str, Notification]]
    """By zone and key."""
    buckets: Mapping[str, pulumi.Input[str]]
    """By zone."""
    topic_names: Mapping[str, str]
    """Physical name of each topic to make, by `<zone>/<key>`, from infra.naming."""
    agent: pulumi.Input[str]
    """IAM member of Cloud Storage's agent."""
    key: EncryptionKey | None
    """Of the topics to make."""
    labels: Labels
    depends_on: Sequence[pulumi.Resource]


class LakeEvents(pulumi.ComponentResource):
    """Notifications with their topics."""

    topics: Mapping[str, pulumi.Output[str]]
    """`projects/…/topics/…` of each notification, by `<zone>/<key>`."""

    def __init__(self, name: str, args: LakeEventsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:LakeEvents", name, {}, opts)
        topics: dict[str, pulumi.Output[str]] = {}
        for zone, notifications in sorted(args.notifications.items()):
            for key, config in sorted(notifications.items()):
                logical, place = f"{name}-{zone}-{key}", f"{zone}/{key}"
                topic = publishing_topic(
                    logical,
                    TopicSpec(
                        project=args.project,
                        region=args.region,
                        name=args.topic_names.get(place),
                        existing=config.topic,
                        publisher=args.agent,
                        key=args.key,
                        labels=args.labels,
                        depends_on=args.depends_on,
                    ),
                    parent=self,
                )
                storage.Notification(
                    logical,
                    bucket=args.buckets[zone],
                    topic=topic.id,
                    payload_format="JSON_API_V1",
                    event_types=sorted(f"OBJECT_{event.upper()}" for event in config.events),
                    object_name_prefix=config.prefix,
                    custom_attributes=dict(config.attributes) or None,
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.depends_on, *topic.ready]),
                )
                topics[place] = topic.id
        self.topics = topics
        self.register_outputs({"topics": dict(topics)})
