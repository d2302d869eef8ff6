"""Jobs of a workspace: each task a notebook or a wheel of the release, in an order, on a cluster or serverless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_databricks as databricks

from components.azure.quartz import quartz_of
from dataplatform.config.azure.databricks import Databricks as DatabricksConfig
from dataplatform.config.azure.databricks_jobs import DatabricksJob, JobTask

_NOT_OF_A_JOB = ("autotermination_minutes", "cluster_name")
"""Settings of a cluster's file that a cluster made for a run cannot have: it ends with the run."""


@dataclass(frozen=True, kw_only=True)
class DatabricksJobsArgs:
    """The jobs and what their tasks run on."""

    config: DatabricksConfig
    clusters: Mapping[str, pulumi.Input[str]]
    """Id of each cluster of the workspace, by name."""
    policies: Mapping[str, pulumi.Input[str]]
    """Id of each cluster policy, by name."""
    job_clusters: Mapping[str, Mapping[str, Any]]
    """Settings of clusters that are made for a run, read from their files already."""
    notebooks: Mapping[str, pulumi.Input[str]]
    """Path of each notebook in the workspace, by its path in the folder."""
    libraries: Mapping[str, pulumi.Input[str]]
    """The same of wheels and JARs, with `/Workspace`."""
    tags: Mapping[str, str]


class DatabricksJobs(pulumi.ComponentResource):
    """The jobs of one workspace."""

    jobs: Mapping[str, pulumi.Output[str]]
    """Id of each job, by name."""

    def __init__(self, name: str, args: DatabricksJobsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:DatabricksJobs", name, {}, opts)
        self._args = args
        # The release goes with every run: which code a record comes from is told by its run.
        tags = {**args.tags, "release": args.config.release}
        self.jobs = {key: self._job(name, key, job, tags) for key, job in sorted(args.config.jobs.items())}
        self.register_outputs({"jobs": dict(self.jobs)})

    def _job(self, name: str, key: str, job: DatabricksJob, tags: Mapping[str, str]) -> pulumi.Output[str]:
        used = sorted({task.job_cluster for task in job.tasks.values() if task.job_cluster is not None})
        made = databricks.Job(
            f"{name}-{key}",
            name=key,
            tags=dict(tags),
            job_clusters=[
                databricks.JobJobClusterArgs(
                    job_cluster_key=cluster,
                    new_cluster=databricks.JobJobClusterNewClusterArgs(**self._settings(cluster)),
                )
                for cluster in used
            ],
            # In the order of their keys, as the service gives them back.
            tasks=[self._task(task_key, task) for task_key, task in sorted(job.tasks.items())],
            parameters=[
                databricks.JobParameterArgs(name=parameter, default=value)
                for parameter, value in sorted(job.parameters.items())
            ],
            schedule=databricks.JobScheduleArgs(
                quartz_cron_expression=quartz_of(job.schedule.cron),
                timezone_id=job.schedule.timezone,
                pause_status="PAUSED" if job.schedule.paused else "UNPAUSED",
            )
            if job.schedule is not None
            else None,
            max_concurrent_runs=job.max_concurrent_runs,
            queue=databricks.JobQueueArgs(enabled=True),
            timeout_seconds=job.timeout_seconds,
            email_notifications=databricks.JobEmailNotificationsArgs(on_failures=sorted(set(job.alert_emails)))
            if job.alert_emails
            else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return made.id

    def _settings(self, cluster: str) -> dict[str, Any]:
        settings = {k: v for k, v in self._args.job_clusters[cluster].items() if k not in _NOT_OF_A_JOB}
        settings["custom_tags"] = {**self._args.tags, **settings.get("custom_tags", {})}
        policy = self._args.config.job_clusters[cluster].policy
        if policy is not None:
            settings["policy_id"] = self._args.policies[policy]
        return settings

    def _task(self, key: str, task: JobTask) -> databricks.JobTaskArgs:
        wheel = task.wheel
        return databricks.JobTaskArgs(
            task_key=key,
            depends_ons=[databricks.JobTaskDependsOnArgs(task_key=need) for need in sorted(set(task.needs))],
            notebook_task=databricks.JobTaskNotebookTaskArgs(
                notebook_path=self._args.notebooks[task.notebook], base_parameters=dict(task.parameters)
            )
            if task.notebook is not None
            else None,
            python_wheel_task=databricks.JobTaskPythonWheelTaskArgs(
                package_name=wheel.package, entry_point=wheel.entry_point, named_parameters=dict(wheel.parameters)
            )
            if wheel is not None
            else None,
            libraries=[
                databricks.JobTaskLibraryArgs(jar=self._args.libraries[file])
                if file.lower().endswith(".jar")
                else databricks.JobTaskLibraryArgs(whl=self._args.libraries[file])
                for file in sorted(set(task.libraries))
            ],
            existing_cluster_id=self._args.clusters[task.cluster] if task.cluster is not None else None,
            job_cluster_key=task.job_cluster,
            max_retries=task.retries,
            min_retry_interval_millis=task.retry_interval_seconds * 1000,
            timeout_seconds=task.timeout_seconds,
        )
