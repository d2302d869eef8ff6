"""Rules of monitoring: channels, alerts on parts that the stack has, and the label that costs are told by.

Sources: "Behavior of metric-based alerting policies" (windows, closing of incidents) of Google's documentation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from dataplatform.config.document import Path
from dataplatform.config.gcp.monitoring import AlertKind
from dataplatform.config.platform import Gcp, Platform
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

COST_CENTER = "cost_center"


def alert_kinds(gcp: Gcp) -> dict[AlertKind, str]:
    """Every kind of alert, and the part of the stack it needs; "" for what every stack has, or has already."""
    airflow = gcp.composer is not None or gcp.previous_composer is not None
    only_workflows = gcp.workflows is not None and gcp.composer is None and gcp.airflow_bucket is None
    return {
        "dag_failure": "" if airflow else "composer",
        "data_fusion_failure": "" if gcp.data_fusion is not None else "data_fusion",
        "workflow_failure": "" if gcp.workflows is not None else "workflows",
        "executor_error": "" if gcp.executors.deploy is not None else "executors.deploy",
        "schedule_failure": "" if only_workflows else "workflows, and no composer: Airflow keeps the schedules",
        "cloud_sql_disk": "" if gcp.cloud_sql else "cloud_sql",
        "quota": "",
    }


def monitoring_rules(platform: Platform, findings: Findings) -> None:
    """What `gcp.monitoring` may say."""
    gcp = platform.gcp
    if gcp is None or gcp.monitoring is None:
        return
    config, at = gcp.monitoring, ("gcp", "monitoring")
    for name, channel in config.channels.items():
        here: Path = (*at, "channels", name)
        said = [key for key in ("email", "topic", "webhook") if getattr(channel, key) is not None]
        if len(said) != 1:
            message = f"it names {' and '.join(said)}" if said else "it names nobody"
            below = ("email",), ("topic",), ("webhook",), ("webhook", "url"), ("webhook", "token_from")
            needs = tuple((*here, *path) for path in below)
            findings.tell("DP271", here, message, "write one of email, topic and webhook", needs=needs, key=True)
        if channel.webhook is not None and channel.webhook.token_from not in gcp.secrets:
            token = channel.webhook.token_from
            remedy = nearest(token, gcp.secrets) if gcp.secrets else "declare it in gcp.secrets"
            message = f"there is no secret {shown(token)}"
            findings.tell("DP271", (*here, "webhook", "token_from"), message, remedy, needs=(("gcp", "secrets"),))
    for kind, part in alert_kinds(gcp).items():
        alert = config.alerts.get(kind)
        if alert is None:
            continue
        here = (*at, "alerts", kind)
        if part and alert.enabled:
            key = part.partition(",")[0]
            message = f"there is nothing that it could be about: the stack lacks gcp.{part}"
            findings.tell("DP218", here, message, "take it out", needs=(("gcp", key.partition(".")[0]),), key=True)
        if not _whole_minutes(alert.window, timedelta(minutes=1), timedelta(days=1)):
            message = "a window is whole minutes, from 1 minute to 1 day"
            findings.tell("DP271", (*here, "window"), message, "write such as PT5M")
        if kind == "cloud_sql_disk" and alert.threshold is not None and alert.threshold > 1:
            message = "the part of the disk that is in use is 1 at most"
            findings.tell("DP271", (*here, "threshold"), message, "write such as 0.85")
        for index, name in enumerate(alert.channels or ()):
            if name not in config.channels:
                remedy = nearest(name, config.channels) if config.channels else "declare it in gcp.monitoring.channels"
                message = f"there is no channel {shown(name)}"
                findings.tell("DP271", (*here, "channels", index), message, remedy, needs=((*at, "channels"),))
    if not timedelta(minutes=30) <= config.auto_close <= timedelta(days=7):
        message = "an incident is closed after 30 minutes to 7 days"
        findings.tell("DP271", (*at, "auto_close"), message, "write PT30M to P7D")
    if config.require_cost_center and COST_CENTER not in platform.labels:
        message = f"the stack has no label {COST_CENTER}, and require_cost_center asks for one"
        remedy = f'add labels: {{{COST_CENTER}: "…"}} to the platform'
        findings.tell("DP271", (*at, "require_cost_center"), message, remedy, needs=(("labels",),))


def _whole_minutes(value: timedelta, least: timedelta, most: timedelta) -> bool:
    return least <= value <= most and not value.total_seconds() % 60
