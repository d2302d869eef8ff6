"""What alerts watch, and the charts of the dashboard: metrics of Google's services by kind.

Names of metrics, resources and labels are those of the lists "Google Cloud metrics" and "Monitored resource types", and
of the metrics overview of Cloud Data Fusion. Where there is no metric, a log-based one of the stack's own is counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dataplatform.config.gcp.monitoring import AlertKind

Severity = Literal["critical", "error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What one kind of alert watches."""

    title: str
    metric: str
    """Type of the metric; `{environment}` is the stack's."""
    resource: str
    """Type of the monitored resource."""
    labels: tuple[str, ...] = ()
    """Conditions on labels, as a filter has them."""
    group_by: tuple[str, ...] = ()
    """Labels that are told apart in charts and incidents."""
    counts: bool = True
    """Whether it counts failures; else it is a level, such as a disk's."""
    threshold: float = 0.0
    severity: Severity = "error"
    advice: str = ""
    """What whoever is told looks at first."""
    log_filter: str | None = None
    """Entries that are counted, where the metric is the stack's own."""


_EXECUTORS = "dp-{environment}-executor-errors"
_SCHEDULES = "dp-{environment}-schedule-failures"

SIGNALS: Mapping[AlertKind, Signal] = {
    "dag_failure": Signal(
        title="Airflow: DAG runs failed",
        metric="composer.googleapis.com/workflow/run_count",
        resource="cloud_composer_workflow",
        labels=('metric.labels.state = "failed"',),
        group_by=("resource.label.workflow_name",),
        advice="Open the run in Airflow: the task that failed has the reason in its log.",
    ),
    "data_fusion_failure": Signal(
        title="Data Fusion: pipeline runs failed",
        metric="datafusion.googleapis.com/pipeline/v2/runs_completed_count",
        resource="datafusion.googleapis.com/PipelineV2",
        labels=('metric.labels.complete_state = monitoring.regex.full_match("(?i)failed")',),
        group_by=("resource.label.pipeline_id", "resource.label.namespace"),
        advice="Open the pipeline's run in Data Fusion: its log begins with what failed.",
    ),
    "workflow_failure": Signal(
        title="Workflows: executions failed",
        metric="workflows.googleapis.com/finished_execution_count",
        resource="workflows.googleapis.com/Workflow",
        labels=('metric.labels.status = "FAILED"',),
        group_by=("resource.label.workflow_id",),
        advice="The execution's error names the step and the executor's answer.",
    ),
    "executor_error": Signal(
        title="Step executors: errors",
        metric=f"logging.googleapis.com/user/{_EXECUTORS}",
        resource="cloud_run_revision",
        group_by=("resource.label.service_name",),
        advice="The entry with event executor_error in the function's log says why the job was not started.",
        # Executors answer failures with status 200, so the service's own count of errors does not show them.
        log_filter='resource.type="cloud_run_revision" AND jsonPayload.event="executor_error"',
    ),
    "schedule_failure": Signal(
        title="Cloud Scheduler: pipelines not started",
        metric=f"logging.googleapis.com/user/{_SCHEDULES}",
        resource="cloud_scheduler_job",
        group_by=("resource.label.job_id",),
        advice="The job's log has the answer of Workflows: an account without the right, or a workflow that is gone.",
        log_filter='resource.type="cloud_scheduler_job" AND severity>=ERROR',
    ),
    "cloud_sql_disk": Signal(
        title="Cloud SQL: disk nearly full",
        metric="cloudsql.googleapis.com/database/disk/utilization",
        resource="cloudsql_database",
        group_by=("resource.label.database_id",),
        counts=False,
        threshold=0.85,
        severity="warning",
        advice="Delete what is not needed, or raise disk_limit_gb: a full disk stops the instance.",
    ),
    "quota": Signal(
        title="Quota exceeded",
        metric="serviceruntime.googleapis.com/quota/exceeded",
        resource="consumer_quota",
        group_by=("metric.label.quota_metric",),
        severity="warning",
        advice="Ask for more of the quota that the incident names, or spread the runs.",
    ),
}


def metric_of(signal: Signal, environment: str) -> str:
    """The metric's type in a stack."""
    return signal.metric.format(environment=environment)


def own_metric(kind: AlertKind, environment: str) -> str:
    """Name of the log-based metric of a kind."""
    return metric_of(SIGNALS[kind], environment).removeprefix("logging.googleapis.com/user/")


def filter_of(signal: Signal, environment: str) -> str:
    """The filter of the time series."""
    parts = [f'metric.type = "{metric_of(signal, environment)}"', f'resource.type = "{signal.resource}"']
    return " AND ".join([*parts, *signal.labels])


def dashboard_json(title: str, kinds: Sequence[AlertKind], environment: str, labels: Mapping[str, str]) -> str:
    """The dashboard as JSON: a chart for each kind, two in a row; the same bytes for the same stack."""
    tiles = [
        {
            "xPos": 24 * (index % 2),
            "yPos": 16 * (index // 2),
            "width": 24,
            "height": 16,
            "widget": _chart(SIGNALS[kind], environment),
        }
        for index, kind in enumerate(kinds)
    ]
    found = {
        "displayName": title,
        # Values of a dashboard's labels are not read; the keys are what it is found by.
        "labels": {f"{key}_{value}" if value else key: "" for key, value in sorted(labels.items())},
        "mosaicLayout": {"columns": 48, "tiles": tiles},
    }
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


def _chart(signal: Signal, environment: str) -> dict[str, Any]:
    aligner = "ALIGN_DELTA" if signal.counts else "ALIGN_MAX"
    if signal.metric.startswith("serviceruntime"):
        aligner = "ALIGN_COUNT_TRUE"
    return {
        "title": signal.title,
        "xyChart": {
            "dataSets": [
                {
                    "plotType": "STACKED_BAR" if signal.counts else "LINE",
                    "targetAxis": "Y1",
                    "timeSeriesQuery": {
                        "timeSeriesFilter": {
                            "filter": filter_of(signal, environment),
                            "aggregation": {
                                "alignmentPeriod": "300s",
                                "perSeriesAligner": aligner,
                                "crossSeriesReducer": "REDUCE_SUM" if signal.counts else "REDUCE_MAX",
                                "groupByFields": list(signal.group_by),
                            },
                        }
                    },
                }
            ],
            "yAxis": {"label": "failures" if signal.counts else "part in use", "scale": "LINEAR"},
        },
    }
