"""The operator of a step that Azure Data Factory runs."""

from __future__ import annotations

from typing import Any

from airflow.providers.microsoft.azure.operators.data_factory import AzureDataFactoryRunPipelineOperator

from dataplatform_runtime.services import ServiceStep


class DataFactoryStep(ServiceStep, AzureDataFactoryRunPipelineOperator):  # type: ignore[misc]
    """A run of a pipeline. The service names it, and the operator tells nobody before the end: none is adopted."""

    run_id: str | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Airflow keeps the time. The operator's own would be told as a failure of the pipeline.
        self.timeout = 2 * max(int(self.execution_timeout.total_seconds()), 3600)

    def was_cancelled(self) -> bool:
        """The provider's `on_kill` waits until it is."""
        return self.run_id is not None
