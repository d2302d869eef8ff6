"""The operator of a step that is a run of a Data Fusion pipeline.

The provider's operator starts the run and is then asked for no more: its own waiting takes RUNNING for success where
nobody says otherwise, gives a run that is not visible yet for failed, and cannot be given an interval.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from airflow.providers.google.cloud.hooks.datafusion import DataFusionHook
from airflow.providers.google.cloud.operators.datafusion import CloudDataFusionStartPipelineOperator

from dataplatform_runtime.services import ServiceStep

_REFUSED = re.compile(r" failed with code 4(?!08|09|29)\d\d$")
"""How the hook tells of an answer of CDAP: it has no status but in its words."""
_FAILED = frozenset({"FAILED", "KILLED", "REJECTED"})


class DataFusionStep(ServiceStep, CloudDataFusionStartPipelineOperator):  # type: ignore[misc]
    """Starts a pipeline, or adopts the run of an earlier try, and waits until it is COMPLETED.

    The run goes on where the step times out: CDAP stops a pipeline, not a run.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(asynchronous=True, deferrable=False, **kwargs)
        self._state = ""

    def run_job(self, context: Mapping[str, Any], job: str | None, *, adopted: bool) -> str:
        """Start the pipeline or adopt a run of it, then wait. Returns the run's id."""
        if job is None:
            job = str(super().run_job(context, job, adopted=adopted))
            self.remember(job)
        hook = DataFusionHook(
            gcp_conn_id=self.gcp_conn_id, api_version=self.api_version, impersonation_chain=self.impersonation_chain
        )
        instance = hook.get_instance(
            instance_name=self.instance_name, location=self.location, project_id=self.project_id
        )
        while True:
            time.sleep(self.poll_interval)
            self._state = self._ask(hook, instance["apiEndpoint"], job)
            if self._state == "COMPLETED":
                return job
            if self._state in _FAILED:
                raise ValueError(f"run {job} of the pipeline {self.pipeline_name} ended as {self._state}")

    def has_ended(self, error: Exception) -> bool:
        """Whether CDAP has said so, or has refused the start."""
        if self._state in _FAILED:
            return True
        refused = super().has_ended(error) or _REFUSED.search(str(error)) is not None
        return self.pipeline_id is None and refused

    def _ask(self, hook: Any, api: str, job: str) -> str:
        """The state of a run. That CDAP does not know it is one of a run that was just started."""
        try:
            found = hook.get_pipeline_workflow(
                pipeline_name=self.pipeline_name,
                pipeline_id=job,
                pipeline_type=self.pipeline_type,
                instance_url=api,
                namespace=self.namespace,
            )
        except Exception as error:
            if _REFUSED.search(str(error)) is not None and "404" in str(error):
                return "PENDING"
            raise
        return str(found["status"])
