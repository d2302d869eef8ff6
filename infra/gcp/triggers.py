"""What starts the workflows of a stack."""

from __future__ import annotations

from components.gcp.triggers import EventStart, ScheduledStart, Starter, Triggers, TriggersArgs
from infra.gcp.composition import Composition
from infra.starts import Start


def triggers(c: Composition) -> None:
    """Jobs of Cloud Scheduler and triggers of Eventarc, where definitions ask for them."""
    starts = c.args.starts
    if not starts or c.gcp.workflows is None:
        return
    files = any(start.trigger is not None and start.trigger.zone is not None for start in starts)
    events = any(start.trigger is not None for start in starts)
    schedules = any(start.schedule is not None for start in starts)
    used = {"cloudscheduler": schedules, "eventarc": events, "pubsub": events, "storage": files}
    apis = [api for api, there in used.items() if there]
    made = Triggers(
        "triggers",
        TriggersArgs(
            config=c.gcp.triggers,
            workflows=c.gcp.workflows,
            project=c.gcp.project,
            region=c.gcp.region,
            account_id=c.names.accounts["triggers"],
            schedules=[_scheduled(c, start) for start in starts if start.schedule is not None],
            events=[_event(c, start) for start in starts if start.trigger is not None],
            workflow_ids=c.workflow_ids,
            storage_agent=c.services.agents["storage"] if files else None,
            key=c.keys["workflows"],
            topic_key=c.keys.get("pubsub"),
            labels=c.labels,
            depends_on=c.needs("cloudresourcemanager", "iam", "workflowexecutions", "workflows", *apis),
        ),
        c.opts,
    )
    c.identities["triggers"] = made.member
    if made.jobs:
        c.outputs["schedules"] = dict(made.jobs)
    if made.topics:
        c.outputs["trigger_topics"] = dict(made.topics)


def _starter(c: Composition, start: Start) -> Starter | None:
    workflow_id = c.names.starts[start.place].starter
    if start.starter is None or workflow_id is None:
        return None
    return Starter(text=start.starter, workflow_id=workflow_id)


def _scheduled(c: Composition, start: Start) -> ScheduledStart:
    job = c.names.starts[start.place].job
    assert start.schedule is not None
    assert job is not None, "a schedule has a job"
    return ScheduledStart(
        pipeline=start.pipeline,
        schedule=start.schedule,
        job_name=job,
        paused=start.paused,
        starter=_starter(c, start),
    )


def _event(c: Composition, start: Start) -> EventStart:
    names, trigger, starter = c.names.starts[start.place], start.trigger, _starter(c, start)
    assert trigger is not None
    assert starter is not None, "an event has a starter"
    assert names.trigger is not None, "an event has a trigger"
    return EventStart(
        pipeline=start.pipeline,
        key=start.key,
        trigger_name=names.trigger,
        topic_name=names.topic,
        topic=trigger.topic,
        bucket=c.buckets[trigger.zone] if trigger.zone is not None else None,
        prefix=trigger.prefix,
        call=(trigger.service, trigger.method) if trigger.service is not None else None,
        starter=starter,
    )
