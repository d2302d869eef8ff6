"""A VPC network of the stack's own: subnets, Cloud NAT, and the network attachments of Private Service Connect.

Deliberately absent: the firewall (`components.gcp.firewall`), the way to Google's services by peering
(`components.gcp.private_services`) and the names of Google's APIs (`components.gcp.google_apis`): each stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

from dataplatform.config.gcp.network import Attachment, Nat, Subnet
from dataplatform.config.gcp.network import Network as NetworkConfig


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The network and its names."""

    config: NetworkConfig
    project: str
    region: str
    """Of subnets that name none."""
    network_name: str
    """Physical names, from infra.naming."""
    subnet_names: Mapping[str, str]
    attachment_names: Mapping[str, str]
    router_names: Mapping[str, str]
    """By region."""
    depends_on: Sequence[pulumi.Resource]


class Network(pulumi.ComponentResource):
    """One VPC network with what is in it."""

    network_id: pulumi.Output[str]
    """`projects/…/global/networks/…`."""
    subnet_ids: Mapping[str, pulumi.Output[str]]
    """`projects/…/regions/…/subnetworks/…` of each subnet, by name."""
    attachment_ids: Mapping[str, pulumi.Output[str]]
    """`projects/…/regions/…/networkAttachments/…` of each attachment, by name."""
    made: Sequence[pulumi.Resource]
    """All of it: what enters the network depends on them."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Network", name, {}, opts)
        network = compute.Network(
            name,
            project=args.project,
            name=args.network_name,
            # The service would make a subnet in every region, with ranges nobody chose.
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            # Not protected: it holds no data, and the cloud deletes no network that anything is in.
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        subnets = {
            key: self._subnet(f"{name}-{key}", args, key, subnet, network)
            for key, subnet in sorted(args.config.subnets.items())
        }
        attachments = {
            key: self._attachment(f"{name}-{key}", args, key, attachment, subnets[attachment.subnet])
            for key, attachment in sorted(args.config.attachments.items())
        }
        nats = [
            self._nat(f"{name}-{region}", args, region, args.config.nat, network, list(subnets.values()))
            for region in sorted({subnet.region or args.region for subnet in args.config.subnets.values()})
            if args.config.nat is not None
        ]
        self.network_id = network.id
        self.subnet_ids = {key: subnet.id for key, subnet in subnets.items()}
        self.attachment_ids = {key: attachment.id for key, attachment in attachments.items()}
        self.made = (network, *subnets.values(), *attachments.values(), *nats)
        self.register_outputs(
            {
                "network_id": self.network_id,
                "subnet_ids": dict(self.subnet_ids),
                "attachment_ids": dict(self.attachment_ids),
            }
        )

    def _subnet(
        self, logical: str, args: NetworkArgs, key: str, config: Subnet, network: compute.Network
    ) -> compute.Subnetwork:
        logs = config.flow_logs
        return compute.Subnetwork(
            logical,
            project=args.project,
            region=config.region or args.region,
            name=args.subnet_names[key],
            network=network.id,
            ip_cidr_range=config.cidr,
            secondary_ip_ranges=[
                compute.SubnetworkSecondaryIpRangeArgs(range_name=second, ip_cidr_range=cidr)
                for second, cidr in sorted(config.secondary_ranges.items())
            ],
            # Without it, taking the last range out of a stack file would change nothing.
            send_secondary_ip_range_if_empty=True,
            private_ip_google_access=config.private_google_access,
            log_config=compute.SubnetworkLogConfigArgs(
                aggregation_interval=logs.interval, flow_sampling=logs.sampling, metadata="INCLUDE_ALL_METADATA"
            )
            if logs.enabled
            else None,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _attachment(
        self, logical: str, args: NetworkArgs, key: str, config: Attachment, subnet: compute.Subnetwork
    ) -> compute.NetworkAttachment:
        return compute.NetworkAttachment(
            f"{logical}-attachment",
            project=args.project,
            region=args.config.subnets[config.subnet].region or args.region,
            name=args.attachment_names[key],
            connection_preference=f"ACCEPT_{config.accept.upper()}",
            producer_accept_lists=list(config.producers) or None,
            subnetworks=[subnet.id],
            # A service that is accepted by hand adds its own project to the list; it is not ours to take out again.
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["producerAcceptLists"] if config.accept == "manual" and not config.producers else None,
            ),
        )

    def _nat(
        self,
        logical: str,
        args: NetworkArgs,
        region: str,
        config: Nat,
        network: compute.Network,
        subnets: Sequence[pulumi.Resource],
    ) -> compute.RouterNat:
        router = compute.Router(
            f"{logical}-router",
            project=args.project,
            region=region,
            name=args.router_names[region],
            network=network.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return compute.RouterNat(
            f"{logical}-nat",
            project=args.project,
            region=region,
            router=router.name,
            name=args.router_names[region],
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            min_ports_per_vm=config.min_ports_per_vm,
            log_config=compute.RouterNatLogConfigArgs(enable=True, filter=config.log) if config.log else None,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(subnets)),
        )
