"""The operator of a step that a job of Cloud Run does."""

from __future__ import annotations

from airflow.providers.google.cloud.operators.cloud_run import CloudRunExecuteJobOperator

from dataplatform_runtime.services import ServiceStep


class CloudRunStep(ServiceStep, CloudRunExecuteJobOperator):  # type: ignore[misc]
    """An execution of a job. The service names it, and the operator tells nobody before the end: none is adopted."""
