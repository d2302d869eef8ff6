"""Private services access: ranges reserved for Google's services in a network, and the connection by peering.

The connection is left behind when the stack goes, and goes with the network: the service answers its deletion with an
error for as long as it holds on to what Cloud SQL had there, hours after the last instance
(terraform-provider-google#16275).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute, servicenetworking

from components.gcp.labels import Labels

SERVICE = "servicenetworking.googleapis.com"


@dataclass(frozen=True, kw_only=True)
class PrivateServicesArgs:
    """The ranges of one network."""

    project: str
    network: pulumi.Input[str]
    connected: Mapping[str, str]
    """Ranges that Google's services take addresses from through the connection, by name."""
    reserved: Mapping[str, str]
    """Ranges that a service peers with by itself, by name: reserved so that nothing else takes them."""
    names: Mapping[str, str]
    """Physical name of each range, from infra.naming."""
    labels: Labels
    depends_on: Sequence[pulumi.Resource]


class PrivateServices(pulumi.ComponentResource):
    """Reserved ranges, and the connection that uses them."""

    range_names: Mapping[str, pulumi.Output[str]]
    """Physical name of each range, by name."""
    connection: servicenetworking.Connection | None
    """What an instance with a private address waits for; None where no range is connected."""
    made: Sequence[pulumi.Resource]
    """All of it."""

    def __init__(self, name: str, args: PrivateServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:PrivateServices", name, {}, opts)
        ranges = {
            key: self._range(f"{name}-{key}", args, key, cidr)
            for key, cidr in sorted({**args.connected, **args.reserved}.items())
        }
        self.connection = None
        if args.connected:
            self.connection = servicenetworking.Connection(
                name,
                network=args.network,
                service=SERVICE,
                reserved_peering_ranges=[ranges[key].name for key in sorted(args.connected)],
                # A connection that an earlier stack left behind is taken over.
                update_on_creation_fail=True,
                deletion_policy="ABANDON",
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
            )
        self.range_names = {key: address.name for key, address in ranges.items()}
        self.made = (*ranges.values(), *([self.connection] if self.connection else []))
        self.register_outputs({"range_names": dict(self.range_names)})

    def _range(self, logical: str, args: PrivateServicesArgs, key: str, cidr: str) -> compute.GlobalAddress:
        address, _, prefix = cidr.partition("/")
        return compute.GlobalAddress(
            f"{logical}-range",
            project=args.project,
            name=args.names[key],
            network=args.network,
            purpose="VPC_PEERING",
            address_type="INTERNAL",
            address=address,
            prefix_length=int(prefix),
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
