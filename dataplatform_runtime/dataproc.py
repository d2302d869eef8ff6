"""The operator of a step that is a batch of Dataproc Serverless."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.google.cloud.operators.dataproc import DataprocCreateBatchOperator

from dataplatform_runtime.services import ServiceStep


class DataprocStep(ServiceStep, DataprocCreateBatchOperator):  # type: ignore[misc]
    """A batch that is named by the step: where there is one of that name, the provider's operator waits for it."""

    names_its_jobs = True

    def run_job(self, context: Mapping[str, Any], job: str | None, *, adopted: bool) -> Any:
        """Create the batch, or wait for the one of that name."""
        self.batch_id = job
        return super().run_job(context, job, adopted=adopted)

    def was_cancelled(self) -> bool:
        """The provider's `on_kill` has asked for it, unless the batch was adopted."""
        return self.operation is not None
