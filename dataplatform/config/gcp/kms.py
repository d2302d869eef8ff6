"""Cloud KMS."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Duration, Name


class Kms(Model):
    """Cloud KMS: one key ring, and a key for each service that encrypts with it."""

    key_ring: Name = "data-platform"
    rotation_period: Duration = timedelta(days=90)
    destroy_scheduled_duration: Duration = timedelta(days=30)
    generation: Annotated[int, Field(ge=1, le=9999)] = 1
    """Part of the key ring's name. Rings and keys can never be deleted: raise it to start anew after a destroy."""
    existing: bool = False
    """Adopt the ring and the keys that are there instead of creating them; they are protected then, never deleted."""
