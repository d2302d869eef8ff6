"""A stack on Azure: which components it has and how they are wired, straight down, as on Google Cloud."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import Provider

from components.azure.resource_group import ResourceGroup, ResourceGroupArgs
from components.azure.tags import Tags
from infra.azure.base import base
from infra.azure.composition import AzureArgs, Composition
from infra.azure.dashboard import dashboard
from infra.azure.data_factory import data_factory
from infra.azure.databricks import databricks
from infra.azure.identities import identities
from infra.azure.key_vault import key_vault
from infra.azure.lake import lake
from infra.azure.monitoring import monitoring
from infra.azure.network import factory_endpoints, network

__all__ = ["AzureArgs", "compose"]

PARTS = (monitoring, identities, base, network, lake, key_vault, databricks, data_factory, factory_endpoints, dashboard)
"""In the order they depend on each other. A part that the stack does not have adds nothing."""


def compose(args: AzureArgs) -> dict[str, pulumi.Input[object]]:
    """Register the stack's resources; returns its outputs, each of them with `azure_` before its name."""
    platform, azure = args.platform, args.azure
    provider = Provider(
        "azure-native", subscription_id=azure.subscription, tenant_id=azure.tenant, location=azure.location
    )
    tags = Tags.of(platform.labels, environment=platform.environment, stack=args.stack)
    group = ResourceGroup(
        "group",
        ResourceGroupArgs(group_name=args.names.group, location=azure.location, tags=tags, protect=platform.protect),
        pulumi.ResourceOptions(providers={"azure-native": provider}),
    )
    composition = Composition(
        args=args,
        provider=provider,
        tags=tags,
        group=group.name,
        group_component=group,
        outputs={"resource_group": group.name, "location": azure.location},
    )
    for part in PARTS:
        part(composition)
    return {f"azure_{name}": value for name, value in composition.outputs.items()}
