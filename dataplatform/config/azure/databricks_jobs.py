"""Jobs of a Databricks workspace: tasks on a release's notebooks and wheels."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from dataplatform.config.azure.monitoring import Email
from dataplatform.config.model import Model
from dataplatform.config.options import Cron, TimeZone
from dataplatform.config.types import Name

TaskKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
"""Key of a task in a job: letters, digits, `_` and `-`."""

NotebookPath = Annotated[str, Field(min_length=1, max_length=300)]
"""A notebook's path below `notebooks`, without its ending."""


class JobSchedule(Model):
    """When runs begin."""

    cron: Cron
    """Five fields (minute, hour, day of the month, month, day of the week), or a preset such as @daily."""
    timezone: TimeZone = "UTC"
    """Time zone that the fields are read in, such as Europe/Berlin."""
    paused: bool = False
    """Keep the schedule and begin no run."""


class WheelTask(Model):
    """An entry point of a Python package."""

    package: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    """The package's name, as its wheel has it."""
    entry_point: Annotated[str, Field(min_length=1, max_length=200)]
    """A console script or function of the package."""
    parameters: dict[Annotated[str, Field(min_length=1, max_length=200)], str] = {}
    """Handed over as `--<name>=<value>`."""


class JobTask(Model):
    """One task: a notebook or a wheel of the release."""

    notebook: NotebookPath | None = None
    """A notebook of `notebooks`, by its path below the folder and without its ending."""
    parameters: dict[Annotated[str, Field(min_length=1, max_length=200)], str] = {}
    """The notebook's widgets."""
    wheel: WheelTask | None = None
    """Instead of a notebook."""
    libraries: list[Annotated[str, Field(min_length=1, max_length=300)]] = []
    """Files of `libraries` that are installed before the task runs, by their path below the folder."""
    cluster: Name | None = None
    """A key of `clusters`, whose cluster it runs on; serverless where neither this nor `job_cluster` is given."""
    job_cluster: Name | None = None
    """A key of `job_clusters`: a cluster of the run's own, which tasks of the job share."""
    needs: list[TaskKey] = []
    """Tasks of the job that must have succeeded."""
    retries: Annotated[int, Field(ge=0, le=20)] = 0
    """How often it is run again after a failure."""
    retry_interval_seconds: Annotated[int, Field(ge=0, le=86400)] = 60
    """Pause before it is run again."""
    timeout_seconds: Annotated[int, Field(ge=0, le=604800)] = 0
    """How long one try may take; 0 for as long as it likes."""


class DatabricksJob(Model):
    """A job."""

    tasks: Annotated[dict[TaskKey, JobTask], Field(min_length=1, max_length=1000)]
    """Its tasks by key."""
    schedule: JobSchedule | None = None
    """When runs begin; on request only where left out."""
    parameters: dict[Annotated[str, Field(min_length=1, max_length=200)], str] = {}
    """Parameters of a run with their defaults; every task sees them."""
    max_concurrent_runs: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many runs go on at the same time; one more waits in the queue."""
    timeout_seconds: Annotated[int, Field(ge=0, le=604800)] = 0
    """How long a run may take; 0 for as long as it likes."""
    alert_emails: list[Email] = []
    """Who is told of a failed run."""
