"""Monitoring of a stack: notification channels, alerts on the parts it has, and a dashboard of them.

Deliberately absent: uptime checks and service level objectives. What runs here is not asked from outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import logging, monitoring, organizations, pubsub

from components.gcp.alerts import SIGNALS, dashboard_json, filter_of, own_metric
from components.gcp.labels import Labels
from components.gcp.schedules import seconds
from components.gcp.topics import PUBLISHER
from dataplatform.config.gcp.monitoring import Alert, AlertKind, Channel
from dataplatform.config.gcp.monitoring import Monitoring as MonitoringConfig

NOTIFIER = "serviceAccount:service-{number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
"""Who publishes to the topics of channels. The service makes it with the project's first channel of that kind."""
_COUNTED = "ALIGN_DELTA"


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is watched, and who is told."""

    config: MonitoringConfig
    project: str
    environment: str
    kinds: Sequence[AlertKind]
    """Of alerts that the stack's parts can have."""
    tokens: Mapping[str, pulumi.Input[str]]
    """Password of each webhook's channel, by the channel's name; secret."""
    labels: Labels
    depends_on: Sequence[pulumi.Resource]


class Monitoring(pulumi.ComponentResource):
    """Channels, alerts and a dashboard."""

    channels: Mapping[str, pulumi.Output[str]]
    """`projects/…/notificationChannels/…` of each channel, by name."""
    policies: Mapping[str, pulumi.Output[str]]
    """`projects/…/alertPolicies/…` of each alert, by kind."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Monitoring", name, {}, opts)
        made = {key: self._channel(name, args, key, channel) for key, channel in sorted(args.config.channels.items())}
        self._publishers(name, args, made)
        self.channels = {key: channel.id for key, channel in made.items()}
        metrics = {kind: self._metric(name, args, kind) for kind in args.kinds if SIGNALS[kind].log_filter is not None}
        self.policies = {
            kind: self._policy(name, args, kind, [metrics[kind]] if kind in metrics else []) for kind in args.kinds
        }
        if args.config.dashboard:
            monitoring.Dashboard(
                f"{name}-dashboard",
                project=args.project,
                dashboard_json=dashboard_json(
                    f"Data platform {args.environment}", args.kinds, args.environment, args.labels.as_dict()
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.depends_on, *metrics.values()]),
            )
        self.register_outputs({"channels": dict(self.channels), "policies": dict(self.policies)})

    def _channel(self, name: str, args: MonitoringArgs, key: str, config: Channel) -> monitoring.NotificationChannel:
        kind, labels, sensitive = "email", {"email_address": config.email or ""}, None
        if config.topic is not None:
            kind, labels = "pubsub", {"topic": config.topic}
        elif config.webhook is not None:
            kind, labels = "webhook_basicauth", {"url": config.webhook.url, "username": config.webhook.username}
            sensitive = monitoring.NotificationChannelSensitiveLabelsArgs(
                password=pulumi.Output.secret(pulumi.Output.from_input(args.tokens[key]))
            )
        return monitoring.NotificationChannel(
            f"{name}-{key}",
            project=args.project,
            display_name=f"{args.environment}: {key}",
            description="Made with the data platform's stack",
            type=kind,
            labels=labels,
            sensitive_labels=sensitive,
            # Alerts let go of a channel before it is deleted; one that others added it to does not keep it.
            force_delete=True,
            user_labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )

    def _publishers(
        self, name: str, args: MonitoringArgs, channels: Mapping[str, monitoring.NotificationChannel]
    ) -> None:
        """Let the service publish to the channels' topics; each topic once, whoever listens."""
        topics: dict[str, str] = {}
        for key, channel in sorted(args.config.channels.items()):
            if channel.topic is not None:
                topics.setdefault(channel.topic, key)
        if not topics:
            return
        known = organizations.get_project_output(
            project_id=args.project,
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=list(args.depends_on)),
        )
        member = known.apply(lambda found: NOTIFIER.format(number=found.number))
        for topic, key in topics.items():
            _, project, _, short = topic.split("/")
            pubsub.TopicIAMMember(
                f"{name}-{key}-publisher",
                project=project,
                topic=short,
                role=PUBLISHER,
                member=member,
                # The account is there with the channel, not before.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[channels[key]]),
            )

    def _metric(self, name: str, args: MonitoringArgs, kind: AlertKind) -> logging.Metric:
        return logging.Metric(
            f"{name}-{kind}",
            project=args.project,
            name=own_metric(kind, args.environment),
            description=SIGNALS[kind].title,
            filter=SIGNALS[kind].log_filter or "",
            metric_descriptor=logging.MetricMetricDescriptorArgs(metric_kind="DELTA", value_type="INT64", unit="1"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )

    def _policy(
        self, name: str, args: MonitoringArgs, kind: AlertKind, waits: Sequence[pulumi.Resource]
    ) -> pulumi.Output[str]:
        signal, alert = SIGNALS[kind], args.config.alerts.get(kind, Alert())
        told = sorted(args.config.channels if alert.channels is None else set(alert.channels))
        aligner = _COUNTED if signal.counts else "ALIGN_MAX"
        if kind == "quota":
            aligner = "ALIGN_COUNT_TRUE"
        policy = monitoring.AlertPolicy(
            f"{name}-{kind}",
            project=args.project,
            display_name=f"{args.environment}: {signal.title}",
            combiner="OR",
            enabled=alert.enabled,
            severity=(alert.severity or signal.severity).upper(),
            conditions=[
                monitoring.AlertPolicyConditionArgs(
                    display_name=signal.title,
                    condition_threshold=monitoring.AlertPolicyConditionConditionThresholdArgs(
                        filter=filter_of(signal, args.environment),
                        comparison="COMPARISON_GT",
                        threshold_value=signal.threshold if alert.threshold is None else alert.threshold,
                        duration="0s",
                        aggregations=[
                            monitoring.AlertPolicyConditionConditionThresholdAggregationArgs(
                                alignment_period=seconds(alert.window),
                                per_series_aligner=aligner,
                                cross_series_reducer="REDUCE_SUM" if signal.counts else "REDUCE_MAX",
                                group_by_fields=list(signal.group_by),
                            )
                        ],
                        trigger=monitoring.AlertPolicyConditionConditionThresholdTriggerArgs(count=1),
                    ),
                )
            ],
            alert_strategy=monitoring.AlertPolicyAlertStrategyArgs(auto_close=seconds(args.config.auto_close)),
            notification_channels=[self.channels[key] for key in told],
            documentation=monitoring.AlertPolicyDocumentationArgs(content=signal.advice, mime_type="text/markdown"),
            user_labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.depends_on, *waits]),
        )
        return policy.id
