"""The operator of a step that runs the actions of some tags in a repository of Dataform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.google.cloud.hooks.dataform import DataformHook
from airflow.providers.google.cloud.operators.dataform import (
    DataformCreateCompilationResultOperator,
    DataformCreateWorkflowInvocationOperator,
)

from dataplatform_runtime.compat import execute_of
from dataplatform_runtime.services import ServiceStep


class DataformStep(ServiceStep, DataformCreateWorkflowInvocationOperator):  # type: ignore[misc]
    """Compiles a branch with the run's dates, has the tags' actions run, and waits for them.

    Args:
        compilation_result: What is compiled: `CompilationResult` of Dataform's API.
        included_tags: The tags.
        kwargs: What the provider's operator takes.
    """

    def __init__(self, *, compilation_result: Mapping[str, Any], included_tags: Sequence[str], **kwargs: Any) -> None:
        super().__init__(workflow_invocation={}, asynchronous=True, **kwargs)
        self.compilation_result = dict(compilation_result)
        self.included_tags = list(included_tags)

    def run_job(self, context: Mapping[str, Any], job: str | None, *, adopted: bool) -> str:
        """Compile and invoke, or adopt the invocation; then wait. Returns the invocation's name."""
        if job is None:
            compiled = execute_of(DataformCreateCompilationResultOperator, self)(context)
            self.workflow_invocation = {
                "compilation_result": compiled["name"],
                "invocation_config": {"included_tags": self.included_tags},
            }
            job = str(super().run_job(context, job, adopted=adopted)["name"])
            self.remember(job)
        self._job = job
        self._hook().wait_for_workflow_invocation(
            workflow_invocation_id=job.rsplit("/", 1)[-1],
            repository_id=self.repository_id,
            project_id=self.project_id,
            region=self.region,
            wait_time=self.wait_time,
        )
        return job

    def on_kill(self) -> None:
        """Ask for the end of the invocation."""
        job = getattr(self, "_job", None)
        if job is not None:
            self._hook().cancel_workflow_invocation(
                project_id=self.project_id,
                region=self.region,
                repository_id=self.repository_id,
                workflow_invocation_id=job.rsplit("/", 1)[-1],
            )

    def was_cancelled(self) -> bool:
        """`on_kill` has asked for it."""
        return getattr(self, "_job", None) is not None

    def _hook(self) -> Any:
        return DataformHook(gcp_conn_id=self.gcp_conn_id, impersonation_chain=self.impersonation_chain)
