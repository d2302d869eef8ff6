"""The resource group that holds all of a stack."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import resources

from components.azure.tags import Tags


@dataclass(frozen=True, kw_only=True)
class ResourceGroupArgs:
    """Name and place."""

    group_name: str
    """Physical name, from infra.azure_names."""
    location: str
    tags: Tags
    protect: bool


class ResourceGroup(pulumi.ComponentResource):
    """One resource group."""

    name: pulumi.Output[str]
    """Its name, known once it exists: what is made from it comes after it."""
    id: pulumi.Output[str]

    def __init__(self, name: str, args: ResourceGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:ResourceGroup", name, {}, opts)
        group = resources.ResourceGroup(
            name,
            resource_group_name=args.group_name,
            location=args.location,
            tags=args.tags.as_dict(),
            # Deleting the group deletes all that is in it, whatever the state says of the parts.
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.name = group.name
        self.id = group.id
        self.register_outputs({"name": self.name, "id": self.id})
