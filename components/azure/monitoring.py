"""Logs and alerts: one Log Analytics workspace, one action group, and what a resource needs to send its logs there."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import monitor, operationalinsights

from components.azure.tags import Tags
from dataplatform.config.azure.monitoring import AzureMonitoring


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """Names and receivers."""

    config: AzureMonitoring
    resource_group: pulumi.Input[str]
    location: str
    workspace_name: str
    action_group_name: str
    short_name: str
    """Of the action group, at most 12 characters: it stands in e-mails and text messages."""
    tags: Tags
    protect: bool


class Monitoring(pulumi.ComponentResource):
    """Where logs go and who is told."""

    workspace_id: pulumi.Output[str]
    action_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:Monitoring", name, {}, opts)
        workspace = operationalinsights.Workspace(
            f"{name}-logs",
            resource_group_name=args.resource_group,
            workspace_name=args.workspace_name,
            location=args.location,
            sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
            retention_in_days=args.config.retention_days,
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        group = monitor.ActionGroup(
            f"{name}-alerts",
            resource_group_name=args.resource_group,
            action_group_name=args.action_group_name,
            group_short_name=args.short_name,
            # An action group is in no region. The provider would write the resource group's, which Azure refuses.
            location="global",
            enabled=True,
            email_receivers=[
                monitor.MicrosoftCommonEmailReceiverArgs(name=key, email_address=address, use_common_alert_schema=True)
                for key, address in sorted(args.config.alert_emails.items())
            ],
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.workspace_id = workspace.id
        self.action_group_id = group.id
        self.register_outputs({"workspace_id": self.workspace_id, "action_group_id": self.action_group_id})


def send_logs(
    name: str,
    *,
    parent: pulumi.Resource,
    resource_id: pulumi.Input[str],
    workspace_id: pulumi.Input[str],
    metrics: bool = True,
    logs: bool = True,
    own_tables: bool = False,
) -> monitor.DiagnosticSetting:
    """Send a resource's logs and metrics to the workspace.

    Args:
        name: Logical name, and the setting's own.
        parent: The component that owns the resource.
        resource_id: Of what sends.
        workspace_id: Of the Log Analytics workspace.
        metrics: Whether it has metrics.
        logs: Whether it has logs: a storage account has none, its blob service has.
        own_tables: Into tables of the service's own, with columns that have types, instead of the one that all share.
    """
    return monitor.DiagnosticSetting(
        name,
        name="to-log-analytics",
        resource_uri=resource_id,
        workspace_id=workspace_id,
        logs=[monitor.DiagnosticsLogSettingsArgs(category_group="allLogs", enabled=True)] if logs else None,
        log_analytics_destination_type="Dedicated" if own_tables else None,
        metrics=[monitor.DiagnosticsMetricSettingsArgs(category="AllMetrics", enabled=True)] if metrics else None,
        opts=pulumi.ResourceOptions(parent=parent),
    )
