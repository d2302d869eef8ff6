"""What a stack needs of a network that others keep: the right to put machines and endpoints into its subnets.

Most of it is on each subnet. Composer enters a Shared VPC by a role that only the host project can have granted, and
so does the cluster of an environment of generation 2 ("Configure Shared VPC networking", Composer's documentation).
Deliberately absent: the network. It belongs to the host project and to those who look after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute, projects

from components.gcp.iam import role_key

NETWORK_USER = "roles/compute.networkUser"


@dataclass(frozen=True, kw_only=True)
class SharedNetworkArgs:
    """The subnets and who uses them."""

    subnets: Mapping[str, str]
    """`projects/<host>/regions/<region>/subnetworks/<name>`, by name."""
    users: Mapping[str, pulumi.Input[str]]
    """IAM members of the service agents, by name."""
    host: str
    """The host project."""
    host_roles: Mapping[str, Sequence[str]]
    """Roles on the host project, by service agent."""
    agents: Mapping[str, pulumi.Input[str]]
    """IAM members of those agents, by name."""
    depends_on: Sequence[pulumi.Resource]


class SharedNetwork(pulumi.ComponentResource):
    """Grants on the subnets of a Shared VPC, and on its project what can be granted nowhere else."""

    made: Sequence[pulumi.Resource]
    """The grants."""

    def __init__(self, name: str, args: SharedNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:SharedNetwork", name, {}, opts)
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on))
        on_subnets = tuple(
            compute.SubnetworkIAMMember(
                f"{name}-{key}-{agent}",
                project=link.split("/")[1],
                region=link.split("/")[3],
                subnetwork=link.split("/")[5],
                role=NETWORK_USER,
                member=member,
                opts=opts,
            )
            for key, link in sorted(args.subnets.items())
            for agent, member in sorted(args.users.items())
        )
        on_host = tuple(
            projects.IAMMember(
                f"{name}-host-{agent}-{role_key(role)}",
                project=args.host,
                role=role,
                member=args.agents[agent],
                opts=opts,
            )
            for agent, roles in sorted(args.host_roles.items())
            for role in roles
        )
        self.made = (*on_subnets, *on_host)
        self.register_outputs({})
