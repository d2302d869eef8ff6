"""The lake on Cloud Storage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Duration, Name


class LifecycleRule(Model):
    """What happens to an object of a certain age (days since its creation)."""

    age_days: Annotated[int, Field(ge=1, le=36525)]
    action: Literal["delete", "nearline", "coldline", "archive"]


class Zone(Model):
    """One zone of the lake: a Cloud Storage bucket."""

    storage_class: Literal["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"] = "STANDARD"
    versioning: bool = True
    retention: Duration | None = None
    lifecycle: dict[Name, LifecycleRule] = {}
    force_destroy: bool = False
    """Let `pulumi destroy` delete the bucket with its objects. Only for stacks that hold no data anyone needs."""


class Lake(Model):
    """Cloud Storage by zone. The location is the stack's region unless a multi-region is named."""

    location: Annotated[str, Field(pattern=r"^[A-Za-z]+(-[a-z]+[0-9]{1,2})?$")] | None = None
    zones: dict[Name, Zone] = {"landing": Zone(), "curated": Zone(), "consumption": Zone()}
