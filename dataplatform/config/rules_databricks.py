"""What can be wrong with a Databricks workspace's jobs in one stack file alone."""

from __future__ import annotations

import graphlib
from collections.abc import Mapping

from dataplatform.config.azure.databricks import Databricks
from dataplatform.config.azure.databricks_jobs import DatabricksJob, JobTask
from dataplatform.config.document import Path
from dataplatform.config.findings import Findings
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

AT: Path = ("azure", "databricks")


def job_rules(config: Databricks, findings: Findings) -> None:
    """Every reference of a job, and what excludes what."""
    for name, cluster in config.job_clusters.items():
        if cluster.policy is not None:
            _known(
                findings, (*AT, "job_clusters", name, "policy"), cluster.policy, config.policies, "policy", "policies"
            )
    for name, job in config.jobs.items():
        at = (*AT, "jobs", name)
        for key, task in job.tasks.items():
            _task(config, job, task, (*at, "tasks", key), findings)
        _order(job, at, findings)
        schedule = job.schedule
        if schedule is not None and "*" not in (schedule.cron.split()[2], schedule.cron.split()[4]):
            message = "Databricks cannot begin runs on days of the month and on days of the week"
            findings.tell("DP250", (*at, "schedule", "cron"), message, "write * for one of the two")


def _task(config: Databricks, job: DatabricksJob, task: JobTask, at: Path, findings: Findings) -> None:
    if (task.notebook is None) == (task.wheel is None):
        message = "a task is a notebook or a wheel, and this is " + ("neither" if task.wheel is None else "both")
        findings.tell("DP250", at, message, "write one of notebook and wheel", key=True)
    if task.parameters and task.wheel is not None:
        message = "parameters are a notebook's widgets"
        findings.tell("DP250", (*at, "parameters"), message, "write them under wheel", key=True)
    if task.cluster is not None and task.job_cluster is not None:
        findings.tell("DP250", (*at, "job_cluster"), "the task has a cluster already", "take one of them out", key=True)
    if task.cluster is not None:
        _known(findings, (*at, "cluster"), task.cluster, config.clusters, "cluster", "clusters")
    if task.job_cluster is not None:
        _known(findings, (*at, "job_cluster"), task.job_cluster, config.job_clusters, "job cluster", "job_clusters")
    if task.libraries and task.cluster is None and task.job_cluster is None:
        message = "libraries are installed on a cluster, and a task without one is serverless"
        findings.tell("DP250", (*at, "libraries"), message, "name cluster or job_cluster", key=True)
    if task.wheel is not None and not task.libraries:
        findings.tell("DP250", (*at, "wheel"), "no wheel is installed for it", "name its file in libraries", key=True)
    for index, need in enumerate(task.needs):
        _known(findings, (*at, "needs", index), need, job.tasks, "task", "tasks")


def _order(job: DatabricksJob, at: Path, findings: Findings) -> None:
    graph = {key: [need for need in task.needs if need in job.tasks] for key, task in job.tasks.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        way = " needs ".join(shown(key) for key in reversed(error.args[1]))
        findings.tell("DP250", (*at, "tasks", error.args[1][0], "needs"), way, "take one of them out", key=True)


def _known(findings: Findings, at: Path, name: str, known: Mapping[str, object], what: str, part: str) -> None:
    if name not in known:
        hint = nearest(name, known) if known else f"declare it under {part}"
        findings.tell("DP218", at, f"there is no {what} {shown(name)}", hint)
