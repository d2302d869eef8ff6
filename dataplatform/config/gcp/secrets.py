"""Secret Manager."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.gcp.lake import TopicPath
from dataplatform.config.model import Model
from dataplatform.config.types import Duration, GcpRegion

AirflowId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,220}$")]
"""Id of an Airflow connection or variable, of what a secret's id may have."""
Moment = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
"""RFC 3339 in UTC, `2030-01-31T06:00:00Z`."""


class Rotation(Model):
    """A message each time the secret is to be renewed. Secret Manager tells; whoever listens makes the new value."""

    period: Duration
    first: Moment
    """When the first message is sent; it must lie ahead when the rotation is switched on."""
    topic: TopicPath | None = None
    """A topic that is there; left out, the stack makes one for all its secrets."""


class Secret(Model):
    """A Secret Manager secret; its value is the stack's secure configuration key of the same name."""

    accessors: list[str] = []
    """Additional members, such as `serviceAccount:x@y.iam.gserviceaccount.com`, that may read it."""
    locations: list[GcpRegion] = []
    """Where it is kept, each copy encrypted with a key there; the stack's region where left out."""
    airflow_connection: AirflowId | None = None
    """The Airflow connection it is: its id becomes `airflow-connections-<name>`, which Airflow's backend looks for."""
    airflow_variable: AirflowId | None = None
    """The Airflow variable it is: its id becomes `airflow-variables-<name>`."""
    rotation: Rotation | None = None
    ttl: Duration | None = None
    """How long it lives from when it is made or changed; Secret Manager deletes it then."""
    expire_time: Moment | None = None
    """When Secret Manager deletes it."""
    version_deletion: Literal["delete", "disable", "abandon"] = "delete"
    """What becomes of the old version when the value changes."""
    version_destroy_delay: Duration | None = None
    """How long a destroyed version is only disabled, and can be brought back."""
    annotations: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")], str] = {}
