"""A virtual network of the stack's own: subnets, those of Databricks with a security group, and a way out.

Deliberately absent: what is reached in it (`components.azure.private_endpoint`), and its zones (`private_dns`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import network

from components.azure.tags import Tags
from dataplatform.config.azure.network import AzureNetwork

_DATABRICKS = "Microsoft.Databricks/workspaces"
_ACTIONS = (
    "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Network/virtualNetworks/subnets/prepareNetworkPolicies/action",
    "Microsoft.Network/virtualNetworks/subnets/unprepareNetworkPolicies/action",
)
"""What the delegation lets Databricks do; Azure fills them in, and a later read must not differ."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The network and its names."""

    config: AzureNetwork
    resource_group: pulumi.Input[str]
    location: str
    network_name: str
    """Physical name, from infra.azure_names; what belongs to it has names made of this one."""
    tags: Tags


class Network(pulumi.ComponentResource):
    """One virtual network."""

    network_id: pulumi.Output[str]
    subnet_ids: Mapping[str, pulumi.Output[str]]
    subnet_names: Mapping[str, pulumi.Output[str]]
    """As Azure has them; known once they exist."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:Network", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        own = network.VirtualNetwork(
            f"{name}-network",
            resource_group_name=args.resource_group,
            virtual_network_name=args.network_name,
            location=args.location,
            address_space=network.AddressSpaceArgs(address_prefixes=list(args.config.address_space)),
            tags=args.tags.as_dict(),
            opts=child,
        )
        delegated = any(subnet.delegation for subnet in args.config.subnets.values())
        group = (
            network.NetworkSecurityGroup(
                f"{name}-databricks",
                resource_group_name=args.resource_group,
                network_security_group_name=f"{args.network_name}-databricks",
                location=args.location,
                # Its rules are left out: Databricks writes those it needs by a policy of its own.
                tags=args.tags.as_dict(),
                opts=child,
            )
            if delegated
            else None
        )
        gateway = self._gateway(name, args) if args.config.nat and delegated else None
        made: dict[str, network.Subnet] = {}
        for key, subnet in sorted(args.config.subnets.items()):
            made[key] = network.Subnet(
                f"{name}-{key}",
                resource_group_name=args.resource_group,
                virtual_network_name=own.name,
                subnet_name=key,
                address_prefix=subnet.cidr,
                # Machines without a public address reach nothing outside unless a gateway is said.
                default_outbound_access=False,
                delegations=[
                    network.DelegationArgs(name="databricks", service_name=_DATABRICKS, actions=list(_ACTIONS))
                ]
                if subnet.delegation
                else None,
                network_security_group=network.NetworkSecurityGroupArgs(id=group.id)
                if group is not None and subnet.delegation
                else None,
                nat_gateway=network.SubResourceArgs(id=gateway.id)
                if gateway is not None and subnet.delegation
                else None,
                # Azure writes one subnet of a network at a time and refuses a second.
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(made.values())[-1:]),
            )
        self.network_id = own.id
        self.subnet_ids = {key: subnet.id for key, subnet in made.items()}
        self.subnet_names = {key: subnet.id.apply(lambda one: one.rpartition("/")[2]) for key, subnet in made.items()}
        self.register_outputs({"network_id": self.network_id, "subnet_ids": dict(self.subnet_ids)})

    def _gateway(self, name: str, args: NetworkArgs) -> network.NatGateway:
        """The way out; its address is seen by those who are called, and nobody can call it."""
        child = pulumi.ResourceOptions(parent=self)
        address = network.PublicIPAddress(
            f"{name}-nat-address",
            resource_group_name=args.resource_group,
            public_ip_address_name=f"{args.network_name}-nat",
            location=args.location,
            sku=network.PublicIPAddressSkuArgs(name="Standard"),
            public_ip_allocation_method="Static",
            tags=args.tags.as_dict(),
            opts=child,
        )
        return network.NatGateway(
            f"{name}-nat",
            resource_group_name=args.resource_group,
            nat_gateway_name=f"{args.network_name}-nat",
            location=args.location,
            sku=network.NatGatewaySkuArgs(name="Standard"),
            public_ip_addresses=[network.SubResourceArgs(id=address.id)],
            tags=args.tags.as_dict(),
            opts=child,
        )
