"""Query jobs of BigQuery over plain HTTP, without Airflow.

A job has the name its caller gives it, so that a call that was repeated finds the job of the first one, and it has the
location of its datasets: BigQuery looks for either nowhere else.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dataplatform_runtime.google_rest import Rest, RestError, bigquery_url, time_scale

__all__ = ["Jobs", "QueryError", "table_name"]

WAIT_SECONDS = 3600
"""How long a statement may take."""
_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
_DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}")
_TABLE = re.compile(r"[\w\- ]{1,1024}")
_LOCATION = re.compile(r"[A-Za-z]+(?:-[a-z]+\d{1,2})?")


class QueryError(Exception):
    """Raised when BigQuery has refused a statement, in its own words."""


def table_name(project: str, dataset: str, table: str) -> str:
    """A table as SQL names it.

    Raises:
        ValueError: a part cannot be a name; it says which.
    """
    for what, text, form in (("project", project, _PROJECT), ("dataset", dataset, _DATASET), ("table", table, _TABLE)):
        if not form.fullmatch(text):
            raise ValueError(f"{text[:100]!r} cannot be the name of a BigQuery {what}")
    return f"`{project}.{dataset}.{table}`"


class Jobs:
    """Statements in one project and location."""

    def __init__(
        self,
        project: str,
        location: str,
        *,
        rest: Rest | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not _LOCATION.fullmatch(location):
            raise ValueError(f"{location[:100]!r} cannot be a location of BigQuery")
        self.project = project
        self.location = location
        self._rest = rest or Rest(sleep)
        self._clock = clock
        self._sleep = sleep

    def run(self, sql: str, job_id: str, labels: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Run a statement and wait for its end; its rows by column, as text and None as the API has them.

        Raises:
            QueryError: it was refused, or has failed.
            RestError: there was no answer.
        """
        url = f"{bigquery_url()}/projects/{self.project}"
        body = {
            "jobReference": {"projectId": self.project, "jobId": job_id, "location": self.location},
            "configuration": {"query": {"query": sql, "useLegacySql": False}, "labels": dict(labels or {})},
        }
        try:
            # The name makes it safe to be sent twice: the second time the answer is 409.
            self._rest.call("POST", f"{url}/jobs", body, safe=True)
        except RestError as error:
            if error.status != 409:
                raise self._refused(error) from None
        return self._rows(f"{url}/queries/{job_id}")

    def _rows(self, url: str) -> Iterator[dict[str, Any]]:
        until = self._clock() + WAIT_SECONDS
        token = ""
        while True:
            query = {"location": self.location, "timeoutMs": "10000", "maxResults": "1000"}
            try:
                page = self._rest.call("GET", url, query=query | ({"pageToken": token} if token else {}))
            except RestError as error:
                raise self._refused(error) from None
            if not page.get("jobComplete"):
                if self._clock() >= until:
                    raise QueryError(f"the job had not ended after {WAIT_SECONDS} seconds")
                self._sleep(1 * time_scale())
                continue
            names = [field["name"] for field in (page.get("schema") or {}).get("fields", ())]
            for row in page.get("rows", ()):
                yield dict(zip(names, (cell.get("v") for cell in row["f"]), strict=True))
            token = page.get("pageToken") or ""
            if not token:
                return

    def _refused(self, error: RestError) -> Exception:
        if error.status in (400, 403, 404, 409):
            return QueryError(f"BigQuery ({self.location}): {error}")
        return error
