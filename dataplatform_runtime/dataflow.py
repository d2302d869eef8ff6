"""The operator of a step that is a job of Dataflow from a flex template."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from airflow.providers.google.cloud.operators.dataflow import DataflowStartFlexTemplateOperator

from dataplatform_runtime.services import ServiceStep


class DataflowStep(ServiceStep, DataflowStartFlexTemplateOperator):  # type: ignore[misc]
    """A job with a name of its own. The service gives it its id, which is not known before the end: none is adopted."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(append_job_name=False, **kwargs)

    def run_job(self, context: Mapping[str, Any], job: str | None, *, adopted: bool) -> Any:
        """Launch the job."""
        words = "".join(char for char in self.step_name.lower() if char in "abcdefghijklmnopqrstuvwxyz0123456789")
        self.body["launchParameter"]["jobName"] = f"dp-{words[:20] or 'job'}-{uuid.uuid4().hex[:12]}"
        return super().run_job(context, job, adopted=adopted)

    def was_cancelled(self) -> bool:
        """The provider's `on_kill` waits until it is."""
        return self.job is not None
