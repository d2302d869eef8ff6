"""What starts workflows by itself: Cloud Scheduler for schedules, Eventarc for files and messages.

Which pipeline is started when stands in its definition (`schedule`, `triggers`); here is how the stack keeps it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Duration, GcpRegion

PipelineName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
"""Name of a pipeline: of its definition's file without the ending."""


class TriggerRetry(Model):
    """Repetitions of a start that was refused or not answered. A start whose answer was lost may be one run twice."""

    count: Annotated[int, Field(ge=0, le=5)] = 3
    """How often a start is tried again."""
    min_backoff: Duration = timedelta(seconds=5)
    """Pause before it is tried again the first time."""
    max_backoff: Duration = timedelta(hours=1)
    """The longest pause."""
    max_doublings: Annotated[int, Field(ge=0, le=16)] = 5
    """How often the pause doubles before it grows evenly."""


class Triggers(Model):
    """How the starts of workflows are kept, where Cloud Workflows keeps them (see docs/components/triggers.md)."""

    region: GcpRegion | None = None
    """Region of Cloud Scheduler's jobs; the stack's where left out."""
    paused: bool = False
    """Whether no schedule starts a run: the jobs are there, and paused."""
    paused_pipelines: list[PipelineName] = []
    """Pipelines whose schedules alone are paused."""
    attempt_deadline: Duration = timedelta(minutes=3)
    """How long a start may take to be answered, 15 seconds to 30 minutes."""
    retry: TriggerRetry = TriggerRetry()
    """Repetitions of a start."""
