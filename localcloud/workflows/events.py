"""What an execution reports while it runs: step entries and log lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["STATE_IN_PROGRESS", "STATE_SUCCEEDED", "STATE_FAILED", "STATE_CANCELLED"]


@dataclass(eq=False)
class StepEntry:
    """One run of one step; the fields are those of the API's StepEntry."""

    id: int
    routine: str
    step: str
    kind: str
    created: float
    updated: float
    state: State = "STATE_IN_PROGRESS"
    exception: str | None = None
    parent: int | None = None
    fiber: int = 0


@dataclass(frozen=True, kw_only=True)
class StepEvent:
    """A step began or ended. `state` is one of running, succeeded, failed, cancelled; times are seconds since 1970.

    `error` is the message of a failed step. `branch` numbers the line of control, 0 for the execution's own.
    """

    execution: str
    entry: int
    routine: str
    step: str
    kind: str
    state: Literal["running", "succeeded", "failed", "cancelled"]
    time: float
    duration: float
    error: str | None = None
    branch: int = 0


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One `sys.log` call."""

    severity: str
    text: str | None
    json: object
    time: float
    step: str
