"""The plan: what a definition means, independent of the engine that runs it.

Definition → plan → text. The plan is frozen dataclasses, deterministic, in the order things start. Times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dataplatform.config.datafusion_definition import FusionRuns
from dataplatform.config.options import Parameter, Schedule

__all__ = [
    "Engine",
    "FusionRuns",
    "Level",
    "Operation",
    "Parameter",
    "Plan",
    "Retry",
    "Schedule",
    "Source",
    "Step",
    "Target",
    "Thread",
]

Engine = Literal["airflow", "workflows"]


Kind = Literal["async", "sync", "workflows"]
"""How a step is run: a job that is started and polled, one call, or another pipeline."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a plan came from: the file's name as given, and the SHA-256 of its bytes in hex."""

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often something is repeated, and the delays between (exponential)."""

    max_retries: int = 5
    initial_delay: int = 2
    max_delay: int = 60
    multiplier: int = 2


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A job that Airflow's operators run, or that a workflow has a service run by calls of its API."""

    executor: str
    arguments: tuple[tuple[str, object], ...]
    """What the job is told, sorted by key; values are JSON data."""
    values: tuple[tuple[tuple[str | int, ...], str], ...] = ()
    """Where in the arguments a value of the run belongs, and which: a parameter's name, or `run:` and a name."""
    function: bool = False
    """Whether a function does the same, which Cloud Workflows then calls."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: a job that an executor starts and then reports on, one call of an executor, or another pipeline."""

    id: str
    """Unique in the pipeline; made of the JOB_NAME."""
    job_id: str
    job_name: str
    executor: str
    """Function that starts the job; of the kind `workflows` the name of the pipeline."""
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
    """Repetitions of one call on transient answers."""
    kind: Kind = "async"
    job_retry: Retry | None = None
    """Repetitions of the whole job, from its start, when it has ended badly or was surely not started."""
    pool: str | None = None
    """Airflow pool."""
    parameters: tuple[tuple[tuple[str | int, ...], str], ...] = ()
    """Where in the properties the value of a parameter of the run belongs, and which."""
    operation: Operation | None = None
    """The job where it is not run by functions, or not on Airflow."""


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
    references: tuple[tuple[str, str], ...] = ()
    """What `$kind:name` stands for: `kind:name` and its value, sorted."""
    external_workflows: tuple[str, ...] = ()
    """Workflows that are not compiled from definitions of the project."""
    run: Literal["http", "operators"] = "http"
    """How Airflow runs jobs where neither step nor definition says it."""
    deferrable: bool = False
    """Whether Airflow has a triggerer, which tasks can wait in without a worker."""


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
    description: str = ""
    owner: str = "data-platform"
    tags: tuple[str, ...] = ()
    schedule: Schedule | None = None
    parameters: tuple[Parameter, ...] = ()
    on_failure: str | None = None
    """Function that is told of a failed run."""
    fusion: FusionRuns | None = None
    """What is run for each row of a configuration table, references resolved; there are no levels then."""

    def steps(self) -> tuple[Step, ...]:
        """All steps in the order of the definition."""
        return tuple(step for level in self.levels for thread in level.threads for step in thread.steps)
