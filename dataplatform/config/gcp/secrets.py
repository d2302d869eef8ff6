"""Secret Manager."""

from __future__ import annotations

from dataplatform.config.model import Model


class Secret(Model):
    """A Secret Manager secret; its value is the stack's secure configuration key of the same name."""

    accessors: list[str] = []
    """Additional members, such as `serviceAccount:x@y.iam.gserviceaccount.com`, that may read it."""
