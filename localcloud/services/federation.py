"""Workload identity federation: what a provider of identities must say about them."""

from __future__ import annotations

from typing import Any

from localcloud.errors import ApiError
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row


class PoolProvider(GoogleResource):
    """A provider of a pool. A token's subject must come from somewhere; for AWS the service has a mapping itself."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The subject."""
        self._admit(values)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit(values)

    def _admit(self, values: dict[str, Any]) -> None:
        mapping = values.get("attributeMapping") or {}
        if "google.subject" not in mapping and (mapping or not values.get("aws")):
            raise ApiError(
                400, "INVALID_ARGUMENT", "The attribute mapping must map google.subject to an attribute of the token."
            )
