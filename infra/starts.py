"""What starts the workflows of a stack besides people: the schedules that no Airflow keeps, and the triggers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from components.gcp.generated import Generated
from dataplatform.compile.access import Access, Needed, On, Right
from dataplatform.compile.starters import event_starter, needs_starter, schedule_starter
from dataplatform.config.check import LoadedStack
from dataplatform.config.domains import domain_of
from dataplatform.config.options import Schedule, Trigger
from dataplatform.config.pipeline import Definition
from dataplatform.config.rules_triggers import keeper_of
from infra.trigger_names import Wanted
from infra.version import COMPILER


@dataclass(frozen=True, kw_only=True)
class Start:
    """One way a pipeline's workflow is started."""

    pipeline: str
    key: str
    """`schedule`, or the trigger's name."""
    schedule: Schedule | None = None
    trigger: Trigger | None = None
    paused: bool = False
    starter: Generated | None = None
    """The workflow in between, where there must be one."""

    @property
    def place(self) -> str:
        """`<pipeline>/<key>`."""
        return f"{self.pipeline}/{self.key}"

    @property
    def wanted(self) -> Wanted:
        """What names it needs."""
        event = self.trigger is not None
        return Wanted(
            pipeline=self.pipeline,
            key=self.key,
            starter=self.starter is not None,
            event=event,
            own_topic=self.trigger is not None and self.trigger.topic is None and self.trigger.service is None,
        )


@dataclass(frozen=True, kw_only=True)
class Started:
    """Which services the starts of a stack use."""

    schedules: bool = False
    events: bool = False
    topics: bool = False
    """Whether the stack makes topics for them."""

    @classmethod
    def of(cls, starts: tuple[Start, ...]) -> Started:
        """Of a stack's starts."""
        return cls(
            schedules=any(start.schedule is not None for start in starts),
            events=any(start.trigger is not None for start in starts),
            topics=any(start.wanted.own_topic for start in starts),
        )


NOTHING_STARTED = Started()
"""Of a stack whose workflows only people start."""


def started_agents(starts: tuple[Start, ...]) -> frozenset[str]:
    """Service agents that are granted something for the starts: Cloud Storage's, to tell of files."""
    files = any(start.trigger is not None and start.trigger.zone is not None for start in starts)
    return frozenset({"storage"}) if files else frozenset()


def start_access(loaded: LoadedStack, starts: tuple[Start, ...]) -> Access:
    """What the account that starts workflows needs for files and messages; the need for schedules is their plans'."""
    gcp = loaded.platform.gcp
    if gcp is None:
        return Access()
    # A workflow has no policy of its own, and neither have the events of a project.
    project = On(kind="project", project=gcp.project)
    invoker = Right(role="roles/workflows.invoker", on=project)
    receiver = Right(role="roles/eventarc.eventReceiver", on=project)
    return Access(
        needed=frozenset(
            Needed(
                identity="triggers",
                right=right,
                because=(start.pipeline, start.key),
                why=why,
                source="https://cloud.google.com/eventarc/standard/docs/workflows/roles-permissions",
            )
            for start in starts
            if start.trigger is not None
            for right, why in (
                (invoker, "start the workflow when something arrives"),
                *([(receiver, "receive what the audit log has")] if start.trigger.service is not None else []),
            )
        )
    )


def starts_of(loaded: LoadedStack) -> tuple[Start, ...]:
    """Every start of a workflow of the stack's own, by pipeline and key."""
    gcp = loaded.platform.gcp
    if gcp is None or gcp.workflows is None:
        return ()
    found: list[Start] = []
    for definition in sorted(loaded.definitions, key=lambda d: d.name):
        schedule = definition.options.schedule
        if schedule is not None and keeper_of(loaded.platform, definition) == "scheduler":
            paused = gcp.triggers.paused or definition.name in gcp.triggers.paused_pipelines
            text = (
                schedule_starter(definition.name, schedule.timezone, definition.file)
                if needs_starter(schedule.timezone)
                else None
            )
            found.append(
                Start(
                    pipeline=definition.name,
                    key="schedule",
                    schedule=schedule,
                    paused=paused,
                    starter=_generated(definition, "schedule", text) if text is not None else None,
                )
            )
        if domain_of(loaded.platform, definition.file) is None:
            for trigger in definition.options.triggers:
                text = event_starter(definition.name, trigger, definition.file)
                found.append(
                    Start(
                        pipeline=definition.name,
                        key=trigger.name,
                        trigger=trigger,
                        starter=_generated(definition, trigger.name, text),
                    )
                )
    return tuple(found)


def _generated(definition: Definition, key: str, text: str) -> Generated:
    return Generated(
        name=f"{definition.name}-on-{key}",
        text=text,
        source=definition.file,
        sha256=definition.sha256,
        compiler=COMPILER,
    )
