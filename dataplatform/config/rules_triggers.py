"""Who starts runs: rules of `gcp.triggers`, and of what definitions say of schedules and triggers.

A schedule is kept by exactly one engine. Airflow keeps it wherever the pipeline has a DAG (the stack has Composer or
`airflow_bucket`, or the pipeline's domain has a bucket of its own); else Cloud Scheduler does, where the stack has
Cloud Workflows. Files and messages start workflows only.

Sources: "Cron job format and time zone" and the reference of jobs (deadline, retries) of Cloud Scheduler; "Pub/Sub
notifications for Cloud Storage" (ten for one event of a bucket); the CloudEvents of Cloud Storage, Pub/Sub and Cloud
Audit Logs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Final, Literal

from dataplatform.config.document import Path
from dataplatform.config.domains import domain_of
from dataplatform.config.loader import load_document
from dataplatform.config.options import Parameter, Trigger
from dataplatform.config.pipeline import Definition
from dataplatform.config.platform import Gcp, Platform
from dataplatform.config.regions import REGIONS
from dataplatform.config.text import dotted, shown
from dataplatform.diagnostics import Diagnostics, Position, nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

FILE_FIELDS: Final = ("bucket", "content_type", "date", "generation", "name", "size", "time", "uri")
"""Fields of the event of a file, all of them text."""
MESSAGE_FIELDS: Final = ("data", "date", "id", "time")
"""Fields of a message; besides these `attributes.<name>`, and `data.<key>` of a message that is a JSON object."""
AUDIT_FIELDS: Final = ("caller", "date", "id", "method", "resource", "service", "time")
"""Fields of an entry of the audit log, all of them text."""
MAX_NOTIFICATIONS: Final = 10
"""Notifications about one event that a bucket may have."""

_INNER = re.compile(r"(attributes|data)\.[A-Za-z_][A-Za-z0-9_-]{0,100}")
Keeper = Literal["airflow", "scheduler"]


def keeper_of(platform: Platform, definition: Definition) -> Keeper | None:
    """What starts the scheduled runs of a pipeline; None where nothing does."""
    gcp, pipelines = platform.gcp, platform.pipelines
    if gcp is None:
        return None
    domain = domain_of(platform, definition.file)
    elsewhere = pipelines is not None and domain is not None and pipelines.domains[domain].airflow_bucket is not None
    if elsewhere or gcp.composer is not None or gcp.airflow_bucket is not None:
        return "airflow"
    return "scheduler" if gcp.workflows is not None and domain is None else None


def started_by(platform: Platform) -> tuple[object, ...]:
    """What of a stack decides on the mistakes that `check_triggers` finds."""
    gcp = platform.gcp
    if gcp is None:
        return ()
    zones = gcp.lake.zones if gcp.lake is not None else {}
    return (
        gcp.workflows is not None,
        gcp.composer is not None or gcp.airflow_bucket is not None,
        tuple((zone, len(found.notifications)) for zone, found in sorted(zones.items())),
        tuple(gcp.triggers.paused_pipelines),
        tuple(sorted(platform.pipelines.domains)) if platform.pipelines is not None else (),
    )


def trigger_rules(gcp: Gcp, findings: Findings) -> None:
    """What a stack may say of how schedules and triggers are kept."""
    config, at = gcp.triggers, ("gcp", "triggers")
    if config.region is not None and config.region not in REGIONS:
        message = f"there is no region {shown(config.region)}"
        findings.tell("DP210", (*at, "region"), message, nearest(config.region, REGIONS))
    if not timedelta(seconds=15) <= config.attempt_deadline <= timedelta(minutes=30):
        message = "Cloud Scheduler waits 15 seconds to 30 minutes for an answer"
        findings.tell("DP272", (*at, "attempt_deadline"), message, "write PT15S to PT30M")
    retry, below = config.retry, (*at, "retry")
    if retry.min_backoff > retry.max_backoff:
        message = "the first pause is longer than the longest"
        remedy = "lower it, or raise max_backoff"
        findings.tell("DP272", (*below, "min_backoff"), message, remedy, needs=((*below, "max_backoff"),))
    for key, pause in (("min_backoff", retry.min_backoff), ("max_backoff", retry.max_backoff)):
        if pause < timedelta(seconds=1) or pause > timedelta(days=1):
            findings.tell("DP272", (*below, key), "a pause is 1 second to 1 day", "write PT1S to P1D")
    if config.model_fields_set and gcp.workflows is None:
        message = "only Cloud Workflows is started by Cloud Scheduler and Eventarc, and the stack has none"
        remedy = "add gcp.workflows, or take triggers out"
        findings.tell("DP218", at, message, remedy, needs=(("gcp", "workflows"),), key=True)


def check_triggers(platform: Platform, definitions: Sequence[Definition], asked: Position) -> Diagnostics:
    """Schedules and triggers that nothing keeps, and triggers that name what is not there.

    Args:
        platform: The stack.
        definitions: All of its definitions.
        asked: Where the stack names the pipelines' folder.
    """
    diagnostics = Diagnostics()
    gcp = platform.gcp
    if gcp is None:
        return diagnostics
    names = {definition.name for definition in definitions}
    for index, paused in enumerate(gcp.triggers.paused_pipelines):
        if paused not in names:
            message = f"gcp.triggers.paused_pipelines.{index} names no pipeline: {shown(paused)}"
            diagnostics.add("DP272", asked, message, nearest(paused, names))
    taken: dict[str, int] = {}
    for zone, found in gcp.lake.zones.items() if gcp.lake is not None else ():
        taken[zone] = sum("finalize" in told.events for told in found.notifications.values())
    for definition in sorted(definitions, key=lambda d: d.name):
        tell = _Teller(definition, diagnostics)
        if definition.options.schedule is not None:
            _schedule(platform, gcp, definition, names, tell)
        for trigger in definition.options.triggers:
            _trigger(platform, gcp, definition, trigger, names, taken, tell)
    return diagnostics


class _Teller:
    """Records what is wrong with a definition at a place in it."""

    def __init__(self, definition: Definition, diagnostics: Diagnostics) -> None:
        self.definition, self.diagnostics = definition, diagnostics

    def __call__(self, code: str, path: Path, message: str, remedy: str, *, key: bool = False) -> None:
        node, _ = load_document(FilePath(self.definition.file))
        place = self.definition.positions.get(str(path[0]), Position(self.definition.file))
        if node is not None and node.at(path) is not None:
            place = node.position_of(path, key=key) if key else node.position_of(path)
        source = node.line_text(place.line) if node is not None else ""
        self.diagnostics.add(code, place, message, remedy, path=dotted(path), source=source)


def _domain(platform: Platform, definition: Definition) -> str:
    domain = domain_of(platform, definition.file)
    return f"the workflows of the domain {shown(domain)} are in another project, which nothing here starts"


def _schedule(platform: Platform, gcp: Gcp, definition: Definition, names: set[str], tell: _Teller) -> None:
    keeper = keeper_of(platform, definition)
    if keeper is None and gcp.workflows is not None:
        remedy = "give the domain an airflow_bucket, or take the schedule out and start runs from elsewhere"
        tell("DP328", ("schedule",), _domain(platform, definition), remedy)
    if keeper == "scheduler" and f"{definition.name}-on-schedule" in names:
        message = f"the workflow that starts it would have the name of the pipeline {definition.name}-on-schedule"
        tell("DP306", ("schedule",), message, "give one of the two files another name")


def _trigger(
    platform: Platform,
    gcp: Gcp,
    definition: Definition,
    trigger: Trigger,
    names: set[str],
    taken: dict[str, int],
    tell: _Teller,
) -> None:
    at: Path = ("triggers", trigger.name)
    if gcp.workflows is None:
        message = "files, messages and calls start workflows, and the stack runs its pipelines on Airflow only"
        tell("DP328", at, message, "add gcp.workflows to the stack, or take the trigger out", key=True)
    elif domain_of(platform, definition.file) is not None:
        remedy = "let the pipeline be the stack's own, or take the trigger out and start runs from elsewhere"
        tell("DP328", at, _domain(platform, definition), remedy, key=True)
    if f"{definition.name}-on-{trigger.name}" in names or (
        trigger.name == "schedule" and definition.options.schedule is not None
    ):
        message = f"the workflow that starts it would have the name {definition.name}-on-{trigger.name}, which is taken"
        tell("DP306", at, message, "give the trigger another name", key=True)
    if trigger.zone is not None:
        zones = gcp.lake.zones if gcp.lake is not None else {}
        if trigger.zone not in zones:
            remedy = nearest(trigger.zone, zones) if zones else "add gcp.lake with that zone to the stack"
            tell("DP331", (*at, "file", "zone"), f"the lake has no zone {shown(trigger.zone)}", remedy)
        taken[trigger.zone] = taken.get(trigger.zone, 0) + 1
        if taken[trigger.zone] == MAX_NOTIFICATIONS + 1:
            message = (
                f"a bucket tells at most {MAX_NOTIFICATIONS} listeners of a new file, with the lake's notifications"
            )
            tell("DP331", (*at, "file", "zone"), message, "let fewer pipelines listen to this zone")
    _fields(definition, trigger, at, tell)


def _fields(definition: Definition, trigger: Trigger, at: Path, tell: _Teller) -> None:
    known = {parameter.name: parameter for parameter in definition.options.parameters}
    kind = "file" if trigger.zone is not None else "message" if trigger.service is None else "call"
    names = {"file": FILE_FIELDS, "message": MESSAGE_FIELDS, "call": AUDIT_FIELDS}[kind]
    for section, pairs in (("parameters", trigger.parameters), ("query_variables", trigger.query_variables)):
        for name, event_field in pairs:
            here = (*at, section, name)
            parameter = known.get(name) if section == "parameters" else None
            if section == "parameters" and parameter is None:
                remedy = nearest(name, known) if known else "declare it in parameters of the definition"
                tell("DP331", here, f"the pipeline has no parameter {shown(name)}", remedy, key=True)
            if event_field not in names and (kind != "message" or not _INNER.fullmatch(event_field)):
                more = "; others are attributes.<name> and data.<key>" if kind == "message" else ""
                remedy = f"{nearest(event_field, names)}{more}"
                tell("DP331", here, f"the event of a {kind} has no field {shown(event_field)}", remedy)
            elif parameter is not None and not _fits(parameter, event_field):
                message = (
                    f"the field {event_field} is text, and the parameter {shown(name)} is of type {parameter.type}"
                )
                tell("DP331", here, message, "let the parameter be of type string")


def _fits(parameter: Parameter, event_field: str) -> bool:
    """Whether a field may be a parameter's value; what is inside of a message only the run knows."""
    return parameter.type == "string" or event_field.startswith("data.")
