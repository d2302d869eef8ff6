"""Cloud Logging sinks: who writes what they export, which a program grants on the destination."""

from __future__ import annotations

import re
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

_DESTINATIONS = (
    r"storage\.googleapis\.com/[^/]+",
    r"bigquery\.googleapis\.com/projects/[^/]+/datasets/[^/]+",
    r"pubsub\.googleapis\.com/projects/[^/]+/topics/[^/]+",
    r"logging\.googleapis\.com/(projects|organizations|folders|billingAccounts)/[^/]+(/locations/[^/]+/buckets/[^/]+)?",
)
_SHARED = "serviceAccount:cloud-logs@system.gserviceaccount.com"
"""Who writes for sinks that want no identity of their own."""


class ProjectSink(GoogleResource):
    """A sink of a project. A log bucket of the same project needs no writer."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Where to."""
        self._admit(values)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit(values)

    def _admit(self, values: dict[str, Any]) -> None:
        destination = str(values.get("destination") or "")
        if not any(re.fullmatch(pattern, destination) for pattern in _DESTINATIONS):
            raise ApiError(
                400,
                "badRequest",
                f"Invalid sink destination: '{destination}'. It is storage.googleapis.com/BUCKET,"
                " bigquery.googleapis.com/projects/…/datasets/…, pubsub.googleapis.com/projects/…/topics/… or"
                " logging.googleapis.com/projects/….",
            )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The writer."""
        project = resource_id.split("/")[1]
        number = store.project_number(call.tx, project)
        own = values.get("customWriterIdentity")
        writer = str(own) if own else _SHARED
        if not own and values.get("uniqueWriterIdentity") is not False:
            email = f"service-{number}@gcp-sa-logging.iam.gserviceaccount.com"
            checks.add_agent(call, project, "logging", email, "logging.serviceAgent")
            writer = f"serviceAccount:{email}"
        if str(values.get("destination") or "").startswith(f"logging.googleapis.com/projects/{project}/"):
            writer = ""
        made: dict[str, Any] = {"writerIdentity": writer}
        if str(values.get("destination") or "").startswith("bigquery.googleapis.com/"):
            made["bigqueryOptions"] = values.get("bigqueryOptions") or {"usePartitionedTables": False}
        return made
