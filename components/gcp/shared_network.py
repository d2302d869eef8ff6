"""What a stack needs of a network that others keep: the right to put machines and endpoints into its subnets.

Deliberately absent: the network. It belongs to the host project and to those who look after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

NETWORK_USER = "roles/compute.networkUser"


@dataclass(frozen=True, kw_only=True)
class SharedNetworkArgs:
    """The subnets and who uses them."""

    subnets: Mapping[str, str]
    """`projects/<host>/regions/<region>/subnetworks/<name>`, by name."""
    users: Mapping[str, pulumi.Input[str]]
    """IAM members of the service agents, by name."""
    depends_on: Sequence[pulumi.Resource]


class SharedNetwork(pulumi.ComponentResource):
    """Grants on the subnets of a Shared VPC: on each of them, not on its project."""

    made: Sequence[pulumi.Resource]
    """The grants."""

    def __init__(self, name: str, args: SharedNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:SharedNetwork", name, {}, opts)
        self.made = tuple(
            compute.SubnetworkIAMMember(
                f"{name}-{key}-{agent}",
                project=link.split("/")[1],
                region=link.split("/")[3],
                subnetwork=link.split("/")[5],
                role=NETWORK_USER,
                member=member,
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
            )
            for key, link in sorted(args.subnets.items())
            for agent, member in sorted(args.users.items())
        )
        self.register_outputs({})
