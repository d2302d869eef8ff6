"""The plan: what a definition means, independent of the engine that runs it.

Definition → plan → text. The plan is frozen dataclasses, deterministic, in the order things start. Times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Engine = Literal["airflow", "workflows"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a plan came from: the file's name as given, and the SHA-256 of its bytes in hex."""

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Retries of one call on transient HTTP statuses: how often, and the delays between (exponential)."""

    max_retries: int = 5
    initial_delay: int = 2
    max_delay: int = 60
    multiplier: int = 2


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: a job that an executor starts and then reports on."""

    id: str
    """Unique in the pipeline; made of the JOB_NAME."""
    job_id: str
    job_name: str
    executor: str
    """Function that starts the job."""
    status_executor: str
    """Function that reports on it."""
    poll_interval: int
    """Seconds before each status call."""
    timeout: int
    """Seconds from the start of the step after which it has failed."""
    continue_if_fail: bool = False
    properties: tuple[tuple[str, object], ...] = ()
    """Step properties, sorted by key; values are JSON data."""
    retry: Retry = Retry()


@dataclass(frozen=True, kw_only=True)
class Thread:
    """Steps that run one after the other."""

    id: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Level:
    """Threads that run at the same time. The next level starts when all of them have ended."""

    id: str
    threads: tuple[Thread, ...]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The environment's values that the compiled text needs. `intermediate_url` is an https URL."""

    project: str
    region: str
    intermediate_url: str
    jobs_definitions_bucket: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One pipeline, ready to be rendered for an engine."""

    name: str
    """The definition's file name without its ending; DAG id and workflow name derive from it."""
    engines: tuple[Engine, ...]
    """The engines it is deployed to."""
    levels: tuple[Level, ...]
    target: Target
    source: Source

    def steps(self) -> tuple[Step, ...]:
        """All steps in the order of the definition."""
        return tuple(step for level in self.levels for thread in level.threads for step in thread.steps)
