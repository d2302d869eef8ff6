"""Monitoring: who is told of what, and a dashboard of the parts that the stack has."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.gcp.lake import TopicPath
from dataplatform.config.model import Model
from dataplatform.config.types import Duration, Name, SecretName

AlertKind = Literal[
    "dag_failure",
    "data_fusion_failure",
    "workflow_failure",
    "executor_error",
    "schedule_failure",
    "cloud_sql_disk",
    "quota",
]
"""What an alert is about."""


class Webhook(Model):
    """An HTTPS address that incidents are posted to, with a password that is a secret of the stack."""

    url: Annotated[str, Field(pattern=r"^https://[^\s?#@]+$", max_length=2000)]
    """Address, without query and without user."""
    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "google-cloud-monitoring"
    """User name of the basic authentication."""
    token_from: SecretName
    """Name under `gcp.secrets` whose value is the password."""


class Channel(Model):
    """Where alerts go: one of the three."""

    email: Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+\.[^\s@]+$", max_length=254)] | None = None
    """Address of a person or a list."""
    topic: TopicPath | None = None
    """A Pub/Sub topic, as projects/<project>/topics/<name>."""
    webhook: Webhook | None = None
    """An address of another system."""


class Alert(Model):
    """One alert; what is left out is as the alert's kind has it."""

    enabled: bool = True
    """Whether it tells anybody."""
    threshold: Annotated[float, Field(ge=0)] | None = None
    """Above which it goes off: failures in `window`, or the part of the disk in use."""
    window: Duration = timedelta(minutes=5)
    """Over how long it counts, whole minutes from 1 minute to 1 day."""
    severity: Literal["critical", "error", "warning"] | None = None
    """How it is marked."""
    channels: list[Name] | None = None
    """Channels it goes to; all where left out."""


class Monitoring(Model):
    """Channels, alerts and a dashboard. Every part that the stack has is alerted on, unless `alerts` turns it off."""

    channels: dict[Name, Channel] = {}
    """Who is told, by name."""
    alerts: dict[AlertKind, Alert] = {}
    """What differs from the kinds' defaults."""
    auto_close: Duration = timedelta(days=1)
    """After how long without new data an incident is closed, 30 minutes to 7 days."""
    dashboard: bool = True
    """Whether there is a dashboard of the parts that the stack has."""
    require_cost_center: bool = False
    """Whether a stack without the label `cost_center` is an error."""
