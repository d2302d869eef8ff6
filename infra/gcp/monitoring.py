"""Monitoring of a stack."""

from __future__ import annotations

from components.gcp.monitoring import Monitoring, MonitoringArgs
from dataplatform.config.rules_monitoring import alert_kinds
from infra.gcp.composition import Composition


def monitoring(c: Composition) -> None:
    """Channels, alerts and the dashboard of the parts that the stack has."""
    config = c.gcp.monitoring
    if config is None:
        return
    made = Monitoring(
        "monitoring",
        MonitoringArgs(
            config=config,
            project=c.gcp.project,
            environment=c.args.platform.environment,
            kinds=[kind for kind, lacks in alert_kinds(c.gcp).items() if not lacks],
            tokens={
                name: c.args.secret_values[channel.webhook.token_from]
                for name, channel in config.channels.items()
                if channel.webhook is not None
            },
            labels=c.labels,
            depends_on=c.needs("cloudresourcemanager", "logging", "monitoring"),
        ),
        c.opts,
    )
    if made.channels:
        c.outputs["notification_channels"] = dict(made.channels)
    c.outputs["alerts"] = dict(made.policies)
