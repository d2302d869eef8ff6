"""Private DNS zones that resolve the names of private endpoints, linked to the network that asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import privatedns

from components.azure.tags import Tags


@dataclass(frozen=True, kw_only=True)
class PrivateDnsArgs:
    """The zones."""

    zones: Sequence[str]
    """Names, `privatelink.…`; a network can have one zone of a name."""
    network_id: pulumi.Input[str]
    resource_group: pulumi.Input[str]
    link_name: str
    tags: Tags


class PrivateDns(pulumi.ComponentResource):
    """Zones with their links."""

    zone_ids: Mapping[str, pulumi.Output[str]]
    """By name of the zone."""
    links: Sequence[pulumi.Resource]
    """A name is resolved to the private address once its zone is linked."""

    def __init__(self, name: str, args: PrivateDnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:PrivateDns", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        zones = {
            zone: privatedns.PrivateZone(
                f"{name}-{zone}",
                resource_group_name=args.resource_group,
                private_zone_name=zone,
                # A zone is in no region. The provider would write the resource group's, which Azure refuses.
                location="global",
                tags=args.tags.as_dict(),
                opts=child,
            )
            for zone in sorted(set(args.zones))
        }
        self.links = [
            privatedns.VirtualNetworkLink(
                f"{name}-{key}-link",
                resource_group_name=args.resource_group,
                private_zone_name=zone.name,
                virtual_network_link_name=args.link_name,
                location="global",
                registration_enabled=False,
                virtual_network=privatedns.SubResourceArgs(id=args.network_id),
                tags=args.tags.as_dict(),
                opts=child,
            )
            for key, zone in zones.items()
        ]
        self.zone_ids = {key: zone.id for key, zone in zones.items()}
        self.register_outputs({"zone_ids": dict(self.zone_ids)})
