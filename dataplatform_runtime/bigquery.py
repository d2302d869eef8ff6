"""The operator of a step that BigQuery runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator

from dataplatform_runtime.services import ServiceStep, status_of


class BigQueryStep(ServiceStep, BigQueryInsertJobOperator):  # type: ignore[misc]
    """A job of BigQuery that is named by the step, so that a second try finds it."""

    names_its_jobs = True

    def run_job(self, context: Mapping[str, Any], job: str | None, *, adopted: bool) -> Any:
        """Insert the job, or wait for the one of that name; one that has ended is judged."""
        # The provider appends a digest of the configuration to the name.
        self.job_id = job
        self.force_rerun = False
        self.reattach_states = {"PENDING", "RUNNING"}
        try:
            return super().run_job(context, job, adopted=adopted)
        except Exception:
            found = self._found() if adopted else None
            if found is None or found.state != "DONE" or found.error_result:
                raise
            return self.job_id

    def has_ended(self, error: Exception) -> bool:
        """Whether BigQuery has the job no longer, or never had it."""
        if self.hook is None:
            return super().has_ended(error)
        try:
            found = self._found()
        except Exception:
            return False
        return found is None or found.state == "DONE"

    def was_cancelled(self) -> bool:
        """The provider's `on_kill` has asked for it."""
        return bool(self.job_id and self.hook is not None)

    def _found(self) -> Any:
        try:
            return self.hook.get_job(job_id=self.job_id, project_id=self.project_id, location=self.location)
        except Exception as error:
            if status_of(error) == 404:
                return None
            raise
