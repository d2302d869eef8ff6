"""Logs and alerts on Azure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from dataplatform.config.model import Model
from dataplatform.config.types import Name

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class AzureMonitoring(Model):
    """A Log Analytics workspace that every resource's logs go to, and an action group that alerts go to."""

    retention_days: Annotated[int, Field(ge=30, le=730)] = 30
    alert_emails: dict[Name, Email] = {}
    """Receivers of alerts, by name."""
    dashboard: bool = True
    """A workbook with what went well and what did not: runs, reads and writes, refusals."""
