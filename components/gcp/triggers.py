"""What starts workflows by itself: jobs of Cloud Scheduler and triggers of Eventarc, and the one identity of both.

A file is told of by a notification of its bucket to a topic, which an Eventarc trigger listens to: a notification
selects by the name's prefix, which Eventarc's own events of Cloud Storage cannot, and the agent of Cloud Storage needs
to publish to that topic only, instead of everywhere in the project.

Deliberately absent: who may publish to a topic that the stack makes for messages. That is granted by its owner.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import cloudscheduler, eventarc, projects, serviceaccount, storage, workflows

from components.gcp.generated import Generated
from components.gcp.iam import grant_on_project
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from components.gcp.schedules import cron_of, seconds
from components.gcp.topics import TopicSpec, publishing_topic
from dataplatform.config.gcp.triggers import Triggers as TriggersConfig
from dataplatform.config.gcp.workflows import Workflows as WorkflowsConfig
from dataplatform.config.options import Schedule

INVOKER = "roles/workflows.invoker"
RECEIVER = "roles/eventarc.eventReceiver"
PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
WRITTEN = "google.cloud.audit.log.v1.written"
_EXECUTIONS = "https://workflowexecutions.googleapis.com/v1"


@dataclass(frozen=True, kw_only=True)
class Starter:
    """The workflow between an event and a pipeline."""

    text: Generated
    workflow_id: str
    """Physical name, from infra.naming."""


@dataclass(frozen=True, kw_only=True)
class ScheduledStart:
    """A pipeline that is started when it is due."""

    pipeline: str
    schedule: Schedule
    job_name: str
    """Physical name, from infra.naming."""
    paused: bool
    starter: Starter | None


@dataclass(frozen=True, kw_only=True)
class EventStart:
    """A pipeline that is started by a file, a message or a call in the audit log."""

    pipeline: str
    key: str
    trigger_name: str
    """Physical name, from infra.naming."""
    topic_name: str | None
    """Of the topic that the stack makes; None for one that is there."""
    topic: str | None
    """`projects/…/topics/…` of one that is there."""
    bucket: pulumi.Input[str] | None
    """Bucket whose files start it; None for the others."""
    prefix: str
    """What the files' names begin with."""
    call: tuple[str, str] | None = None
    """Service and method of the calls that start it; None for the others."""
    starter: Starter


@dataclass(frozen=True, kw_only=True)
class TriggersArgs:
    """Who starts what."""

    config: TriggersConfig
    workflows: WorkflowsConfig
    project: str
    region: str
    account_id: str
    """Of the account that starts workflows, from infra.naming."""
    schedules: Sequence[ScheduledStart]
    events: Sequence[EventStart]
    workflow_ids: Mapping[str, pulumi.Input[str]]
    """`projects/…/workflows/…` of each pipeline's workflow."""
    storage_agent: pulumi.Input[str] | None
    """IAM member of Cloud Storage's agent; only for files."""
    key: EncryptionKey
    """Of workflows."""
    topic_key: EncryptionKey | None
    """Of the topics to make."""
    labels: Labels
    depends_on: Sequence[pulumi.Resource]


class Triggers(pulumi.ComponentResource):
    """Jobs, triggers, and the workflows between them and the pipelines."""

    member: pulumi.Output[str]
    """IAM member of the account that starts workflows."""
    jobs: Mapping[str, pulumi.Output[str]]
    """Name of each scheduler job, by pipeline."""
    topics: Mapping[str, pulumi.Output[str]]
    """`projects/…/topics/…` that each trigger of files or messages listens to, by `<pipeline>/<trigger>`."""

    def __init__(self, name: str, args: TriggersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Triggers", name, {}, opts)
        self._account = serviceaccount.Account(
            f"{name}-starter",
            project=args.project,
            account_id=args.account_id,
            display_name="Starts workflows when they are due, or when something arrives",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        # A workflow has no policy of its own: the project is the narrowest there is.
        self._grant = projects.IAMMember(
            f"{name}-starter-workflows-invoker",
            project=args.project,
            role=INVOKER,
            member=self._account.member,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        # A workflow logs its calls as its own account.
        self._may_log: Sequence[pulumi.Resource] = (
            grant_on_project(
                f"{name}-starter",
                parent=self,
                project=args.project,
                member=self._account.member,
                roles=("roles/logging.logWriter",),
                depends_on=args.depends_on,
            )
            if args.events or any(start.starter is not None for start in args.schedules)
            else ()
        )
        self._may_receive: Sequence[pulumi.Resource] = (
            grant_on_project(
                f"{name}-starter-events",
                parent=self,
                project=args.project,
                member=self._account.member,
                roles=(RECEIVER,),
                depends_on=args.depends_on,
            )
            if any(start.call is not None for start in args.events)
            else ()
        )
        self.jobs = {start.pipeline: self._job(name, args, start) for start in args.schedules}
        listened = {f"{start.pipeline}/{start.key}": self._trigger(name, args, start) for start in args.events}
        self.topics = {place: topic for place, topic in listened.items() if topic is not None}
        self.member = self._account.member
        self.register_outputs({"member": self.member, "jobs": dict(self.jobs), "topics": dict(self.topics)})

    def _starter(self, name: str, args: TriggersArgs, starter: Starter) -> pulumi.Output[str]:
        made = workflows.Workflow(
            f"{name}-{starter.text.name}",
            project=args.project,
            region=args.region,
            name=starter.workflow_id,
            description=f"Starts a pipeline; from {starter.text.provenance()['definition']}",
            source_contents=starter.text.text,
            service_account=self._account.email,
            crypto_key_name=args.key.id,
            call_log_level=args.workflows.call_log_level,
            # The provider's default is true, which no destroy gets past.
            deletion_protection=False,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.key.grants, self._grant, *self._may_log]),
        )
        return made.id

    def _job(self, name: str, args: TriggersArgs, start: ScheduledStart) -> pulumi.Output[str]:
        target: pulumi.Input[str] = args.workflow_ids[start.pipeline]
        waits: list[pulumi.Resource] = [*args.depends_on, self._grant]
        ids = [target]
        if start.starter is not None:
            ids.append(self._starter(name, args, start.starter))
        retry = args.config.retry
        job = cloudscheduler.Job(
            f"{name}-{start.pipeline}",
            project=args.project,
            region=args.config.region or args.region,
            name=start.job_name,
            description=f"Starts the pipeline {start.pipeline}",
            schedule=cron_of(start.schedule.cron),
            time_zone=start.schedule.timezone,
            paused=start.paused,
            attempt_deadline=seconds(args.config.attempt_deadline),
            retry_config=cloudscheduler.JobRetryConfigArgs(
                retry_count=retry.count,
                min_backoff_duration=seconds(retry.min_backoff),
                max_backoff_duration=seconds(retry.max_backoff),
                max_doublings=retry.max_doublings,
            ),
            http_target=cloudscheduler.JobHttpTargetArgs(
                # The last is what is started; the pipeline's own is there too, so that the job waits for it.
                uri=pulumi.Output.all(*ids).apply(lambda found: f"{_EXECUTIONS}/{found[-1]}/executions"),
                http_method="POST",
                headers={"Content-Type": "application/json"},
                body=base64.b64encode(json.dumps({"argument": "{}"}).encode()).decode(),
                oauth_token=cloudscheduler.JobHttpTargetOauthTokenArgs(
                    service_account_email=self._account.email,
                    scope="https://www.googleapis.com/auth/cloud-platform",
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=waits),
        )
        return job.name

    def _trigger(self, name: str, args: TriggersArgs, start: EventStart) -> pulumi.Output[str] | None:
        logical = f"{name}-{start.pipeline}-{start.key}"
        # For calls Eventarc makes a topic itself, and takes it away with the trigger.
        topic, ready = (None, self._may_receive) if start.call is not None else self._topic(logical, args, start)
        if start.bucket is not None and topic is not None:
            notification = storage.Notification(
                logical,
                bucket=start.bucket,
                topic=topic,
                payload_format="JSON_API_V1",
                event_types=["OBJECT_FINALIZE"],
                object_name_prefix=start.prefix or None,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.depends_on, *ready]),
            )
            ready = [*ready, notification]
        # The starter waits for the pipeline it starts.
        pipeline = args.workflow_ids[start.pipeline]
        starter = pulumi.Output.all(self._starter(name, args, start.starter), pipeline).apply(
            lambda found: str(found[0])
        )
        eventarc.Trigger(
            logical,
            project=args.project,
            location=args.region,
            name=start.trigger_name,
            matching_criterias=[
                eventarc.TriggerMatchingCriteriaArgs(attribute=attribute, value=value)
                for attribute, value in _criteria(start)
            ],
            transport=eventarc.TriggerTransportArgs(pubsub=eventarc.TriggerTransportPubsubArgs(topic=topic))
            if topic is not None
            else None,
            destination=eventarc.TriggerDestinationArgs(workflow=starter),
            service_account=self._account.email,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.depends_on, self._grant, *ready]),
        )
        return topic

    def _topic(
        self, logical: str, args: TriggersArgs, start: EventStart
    ) -> tuple[pulumi.Output[str], Sequence[pulumi.Resource]]:
        """What the trigger listens to, and what must be there before."""
        if start.topic is not None:
            return pulumi.Output.from_input(start.topic), ()
        spec = TopicSpec(
            project=args.project,
            region=args.region,
            name=start.topic_name,
            existing=None,
            publisher=args.storage_agent if start.bucket is not None else None,
            key=args.topic_key,
            labels=args.labels,
            depends_on=args.depends_on,
        )
        made = publishing_topic(logical, spec, parent=self)
        return made.id, made.ready


def _criteria(start: EventStart) -> Sequence[tuple[str, str]]:
    """Attribute and value of what the trigger listens for."""
    if start.call is None:
        return (("type", PUBLISHED),)
    service, method = start.call
    return (("type", WRITTEN), ("serviceName", service), ("methodName", method))
