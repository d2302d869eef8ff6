"""A Data Fusion instance that DAGs make when it is needed and delete afterwards."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dataplatform.config.model import Model


class OnDemand(Model):
    """The stack makes no instance: one DAG makes it, another deletes it, with everything in it."""

    create_schedule: str | None = None
    """Cron expression of the DAG that makes it; started by hand where left out."""
    delete_schedule: str | None = None
    """Cron expression of the DAG that deletes it; started by hand where left out."""
    timezone: str = "UTC"
    """In which the schedules are read."""
    timeout_minutes: Annotated[int, Field(ge=30, le=600)] = 90
    """How long it may take to be made, or to be gone."""
