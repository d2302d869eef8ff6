"""A Databricks workspace and the identity it reaches the lake with. Everything in the workspace is of other components.

Nothing is done by hand and no token is made: the provider of what is in the workspace signs in with Entra, as the
deployment does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import databricks

from components.azure.monitoring import send_logs
from components.azure.roles import assign
from components.azure.tags import Tags
from dataplatform.config.azure.databricks import Databricks as DatabricksConfig


@dataclass(frozen=True, kw_only=True)
class Injected:
    """The network that clusters are in."""

    network_id: pulumi.Input[str]
    public_subnet: pulumi.Input[str]
    """Names of the subnets; known once they exist, so that the workspace waits for them."""
    private_subnet: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class DatabricksArgs:
    """The workspace and the lake it works on."""

    config: DatabricksConfig
    subscription: str
    resource_group: pulumi.Input[str]
    group_name: str
    """The resource group's physical name, for that of the managed one beside it."""
    location: str
    workspace_name: str
    connector_name: str
    lake_id: pulumi.Input[str] | None
    """Account that the access connector may read and write; None where the stack has no lake."""
    lake_name: str
    workspace_id: pulumi.Input[str] | None
    """Log Analytics workspace."""
    injected: Injected | None
    tags: Tags
    protect: bool


class Databricks(pulumi.ComponentResource):
    """One workspace."""

    workspace: databricks.Workspace
    host: pulumi.Output[str]
    """`https://adb-….azuredatabricks.net`; unknown until the workspace exists."""
    number: pulumi.Output[str]
    """The workspace's own id, which Unity Catalog knows it by."""
    connector_id: pulumi.Output[str]
    reaches_lake: Sequence[pulumi.Resource]
    """What storage credentials wait for."""

    def __init__(self, name: str, args: DatabricksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:Databricks", name, {}, opts)
        self.workspace = databricks.Workspace(
            f"{name}-workspace",
            resource_group_name=args.resource_group,
            workspace_name=args.workspace_name,
            location=args.location,
            # Premium has role-based access, which secretless work needs.
            sku=databricks.SkuArgs(name="premium"),
            compute_mode=databricks.ComputeMode.HYBRID,
            managed_resource_group_id=(
                f"/subscriptions/{args.subscription}/resourceGroups/{args.group_name}-databricks"
            ),
            parameters=_parameters(args),
            # Without a public address no rule for Databricks' own can be there: Azure refuses AllRules then.
            public_network_access=None if args.config.public_network else "Disabled",
            required_nsg_rules=None if args.config.public_network else "NoAzureDatabricksRules",
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        connector = databricks.AccessConnector(
            f"{name}-connector",
            resource_group_name=args.resource_group,
            connector_name=args.connector_name,
            location=args.location,
            identity=databricks.ManagedServiceIdentityArgs(type=databricks.ManagedServiceIdentityType.SYSTEM_ASSIGNED),
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.reaches_lake = []
        if args.lake_id is not None:
            self.reaches_lake = [
                assign(
                    f"{name}-connector-lake",
                    parent=self,
                    scope=args.lake_id,
                    scope_name=args.lake_name,
                    role="Storage Blob Data Contributor",
                    principal_id=connector.identity.apply(lambda identity: identity.principal_id if identity else ""),
                    principal=args.connector_name,
                    subscription=args.subscription,
                )
            ]
        if args.workspace_id is not None:
            send_logs(
                f"{name}-logs",
                parent=self,
                resource_id=self.workspace.id,
                workspace_id=args.workspace_id,
                metrics=False,
            )
        self.host = pulumi.Output.concat("https://", self.workspace.workspace_url)
        self.number = self.workspace.workspace_id
        self.connector_id = connector.id
        self.register_outputs({"host": self.host})


def _parameters(args: DatabricksArgs) -> databricks.WorkspaceCustomParametersArgs:
    text = databricks.WorkspaceCustomStringParameterArgs
    injected = args.injected
    return databricks.WorkspaceCustomParametersArgs(
        enable_no_public_ip=databricks.WorkspaceNoPublicIPBooleanParameterArgs(value=args.config.no_public_ip),
        custom_virtual_network_id=text(value=injected.network_id) if injected is not None else None,
        custom_public_subnet_name=text(value=injected.public_subnet) if injected is not None else None,
        custom_private_subnet_name=text(value=injected.private_subnet) if injected is not None else None,
    )
