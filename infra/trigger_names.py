"""Physical names of what starts workflows, by the rules in `infra.naming`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

JOB = "gcp:cloudscheduler/job:Job"
TRIGGER = "gcp:eventarc/trigger:Trigger"
_TOPIC = "gcp:pubsub/topic:Topic"
_WORKFLOW = "gcp:workflows/workflow:Workflow"
_ACCOUNT = "gcp:serviceaccount/account:Account"


class Make(Protocol):
    """Makes a checked name, as `infra.naming` does."""

    def __call__(self, token: str, name: str, *path: str) -> str:
        """The name, noted where it does not fit."""


@dataclass(frozen=True, kw_only=True)
class StartNames:
    """The names of what one start of a pipeline is made of; None for what it has not."""

    starter: str | None = None
    job: str | None = None
    trigger: str | None = None
    topic: str | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What names are wanted for one start."""

    pipeline: str
    key: str
    """`schedule`, or the trigger's name."""
    starter: bool
    event: bool
    own_topic: bool


def start_names(wanted: Iterable[Wanted], environment: str, make: Make) -> dict[str, StartNames]:
    """All names, by `<pipeline>/<key>`."""
    found: dict[str, StartNames] = {}
    for one in wanted:
        text = f"{environment}-{one.pipeline}" + (f"-{one.key}" if one.event else "")
        found[f"{one.pipeline}/{one.key}"] = StartNames(
            starter=make(_WORKFLOW, starter_id(one.pipeline, one.key), "triggers") if one.starter else None,
            job=None if one.event else make(JOB, text, "triggers"),
            trigger=make(TRIGGER, lower(text), "triggers") if one.event else None,
            topic=make(_TOPIC, f"{environment}-trigger-{one.pipeline}-{one.key}", "triggers")
            if one.own_topic
            else None,
        )
    return found


def account_names(wanted: Iterable[Wanted], environment: str, make: Make) -> Mapping[str, str]:
    """The account that starts workflows, where anything does."""
    return {"triggers": make(_ACCOUNT, f"{environment}-triggers", "triggers")} if list(wanted) else {}


def starter_id(pipeline: str, key: str) -> str:
    """Id of the workflow between an event and a pipeline; `dataplatform.config.rules_triggers` keeps it free."""
    return f"{pipeline}-on-{key}"


def lower(text: str) -> str:
    """The text with small letters, digits and hyphens only, and a digest where that makes it another one."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
