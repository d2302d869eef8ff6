"""Logs and alerts of a stack."""

from __future__ import annotations

from components.azure.monitoring import Monitoring, MonitoringArgs
from infra.azure.composition import Composition


def monitoring(c: Composition) -> None:
    """The workspace and the action group."""
    config = c.azure.monitoring
    if config is None:
        return
    made = Monitoring(
        "azure-monitoring",
        MonitoringArgs(
            config=config,
            resource_group=c.group,
            location=c.azure.location,
            workspace_name=c.names.logs,
            action_group_name=c.names.alerts,
            short_name=c.args.platform.environment,
            tags=c.tags,
            protect=c.protect,
        ),
        c.opts,
    )
    c.monitoring = made
    c.outputs["log_analytics_workspace"] = made.workspace_id
