"""A private endpoint: an address of the stack's network that leads to one service, and its name in private DNS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import network

from components.azure.tags import Tags


@dataclass(frozen=True, kw_only=True)
class PrivateEndpointArgs:
    """What is reached, and from where."""

    target_id: pulumi.Input[str]
    """Resource id of the service."""
    group: str
    """Sub-resource of the service: `blob`, `vault`, `databricks_ui_api`, `dataFactory`."""
    subnet_id: pulumi.Input[str]
    zone_id: pulumi.Input[str] | None
    """Private DNS zone that its name goes into; None where the company's policy writes it."""
    endpoint_name: str
    """Physical name, also of its connection."""
    resource_group: pulumi.Input[str]
    location: str
    tags: Tags
    depends_on: Sequence[pulumi.Resource] = ()
    """Links of the zones, and endpoints of the same service: some services take one at a time."""


class PrivateEndpoint(pulumi.ComponentResource):
    """One endpoint."""

    made: Sequence[pulumi.Resource]
    """What is to be waited for before the service is called."""

    def __init__(self, name: str, args: PrivateEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:PrivateEndpoint", name, {}, opts)
        endpoint = network.PrivateEndpoint(
            f"{name}-endpoint",
            resource_group_name=args.resource_group,
            private_endpoint_name=args.endpoint_name,
            location=args.location,
            subnet=network.SubnetArgs(id=args.subnet_id),
            private_link_service_connections=[
                network.PrivateLinkServiceConnectionArgs(
                    name=args.endpoint_name, private_link_service_id=args.target_id, group_ids=[args.group]
                )
            ],
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        self.made = [endpoint]
        if args.zone_id is not None:
            self.made = [
                endpoint,
                network.PrivateDnsZoneGroup(
                    f"{name}-zone",
                    resource_group_name=args.resource_group,
                    private_endpoint_name=endpoint.name,
                    private_dns_zone_group_name="default",
                    private_dns_zone_configs=[
                        network.PrivateDnsZoneConfigArgs(name=args.group, private_dns_zone_id=args.zone_id)
                    ],
                    opts=pulumi.ResourceOptions(parent=self),
                ),
            ]
        self.register_outputs({"endpoint_id": endpoint.id})
