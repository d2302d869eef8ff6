"""The operator of a step that Databricks runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator

from dataplatform_runtime.services import ServiceStep

_OVER = re.compile(r"terminal state|Status Code: 4(?!08|09|29)\d\d|can not be found")


class DatabricksStep(ServiceStep, DatabricksRunNowOperator):  # type: ignore[misc]
    """A run of a job. Its idempotency token is the step's, so that a second try is answered with the same run."""

    names_its_jobs = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(forward_dag_params=False, **kwargs)

    def run_job(self, context: Mapping[str, Any], job: str | None, *, adopted: bool) -> Any:
        """Run the job, or wait for its run of that token."""
        self.idempotency_token = job
        return super().run_job(context, job, adopted=adopted)

    def has_ended(self, error: Exception) -> bool:
        """The provider raises one exception for all: its words tell a run that has ended from a call that failed."""
        return super().has_ended(error) and _OVER.search(str(error)) is not None

    def was_cancelled(self) -> bool:
        """The provider's `on_kill` has asked for it."""
        return self.run_id is not None
