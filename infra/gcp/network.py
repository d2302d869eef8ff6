"""The network of a stack."""

from __future__ import annotations

import pulumi

from components.gcp.firewall import Firewall, FirewallArgs
from components.gcp.google_apis import RANGES, GoogleApis, GoogleApisArgs
from components.gcp.network import Network, NetworkArgs
from components.gcp.private_services import PrivateServices, PrivateServicesArgs
from components.gcp.shared_network import SharedNetwork, SharedNetworkArgs
from dataplatform.config.gcp.network import ExistingNetwork
from infra.gcp.composition import Composition
from infra.gcp.network_outputs import NetworkOutputs
from infra.layout import host_roles, network_apis, network_users
from infra.network_names import DATA_FUSION_RANGE, data_fusion_range


def network(c: Composition) -> None:
    """The network with all that is around it, or the links of one that is there."""
    config = c.gcp.network
    if config is None:
        return
    if config.existing is not None:
        c.network = NetworkOutputs(
            id=config.existing.network,
            subnets=config.existing.subnets,
            attachments=config.existing.attachments,
            made=_grants(c, config.existing),
        )
    else:
        c.network = _own(c)
    c.outputs["network"] = c.network.id


def _own(c: Composition) -> NetworkOutputs:
    config, names, project = c.gcp.network, c.names.network, c.gcp.project
    assert config is not None
    assert names is not None
    depends_on = c.needs(*network_apis(c.gcp))
    made = Network(
        "network",
        NetworkArgs(
            config=config,
            project=project,
            region=c.gcp.region,
            network_name=names.network,
            subnet_names=names.subnets,
            attachment_names=names.attachments,
            router_names=names.routers,
            depends_on=depends_on,
        ),
        c.opts,
    )
    others: list[pulumi.Resource] = []
    connected = config.peering.ranges if config.peering else {}
    fusion = data_fusion_range(c.gcp)
    reserved = {DATA_FUSION_RANGE: fusion} if fusion is not None else {}
    if connected or reserved:
        others += PrivateServices(
            "private-services",
            PrivateServicesArgs(
                project=project,
                network=made.network_id,
                connected=connected,
                reserved=reserved,
                names=names.ranges,
                labels=c.labels,
                depends_on=depends_on,
            ),
            c.opts,
        ).made
    if config.google_apis != "public":
        others += GoogleApis(
            "google-apis",
            GoogleApisArgs(
                project=project,
                network=made.network_id,
                reach=config.google_apis,
                names=names.zones,
                labels=c.labels,
                depends_on=depends_on,
            ),
            c.opts,
        ).made
    ranges = [cidr for subnet in config.subnets.values() for cidr in (subnet.cidr, *subnet.secondary_ranges.values())]
    others += Firewall(
        "firewall",
        FirewallArgs(
            config=config.firewall,
            project=project,
            network=made.network_id,
            names=names.firewalls,
            internal=[*ranges, *connected.values(), *reserved.values()],
            google_apis=[RANGES[config.google_apis]] if config.google_apis != "public" else list(RANGES.values()),
            depends_on=depends_on,
        ),
        c.opts,
    ).made
    return NetworkOutputs(
        id=f"projects/{project}/global/networks/{names.network}",
        subnets={
            key: f"projects/{project}/regions/{subnet.region or c.gcp.region}/subnetworks/{names.subnets[key]}"
            for key, subnet in config.subnets.items()
        },
        attachments={
            key: f"projects/{project}/regions/{config.subnets[attachment.subnet].region or c.gcp.region}"
            f"/networkAttachments/{names.attachments[key]}"
            for key, attachment in config.attachments.items()
        },
        ranges={key: names.ranges[key] for key in connected},
        made=(*made.made, *others),
    )


def _grants(c: Composition, existing: ExistingNetwork) -> tuple[pulumi.Resource, ...]:
    users, roles = network_users(c.gcp), host_roles(c.gcp)
    if not roles and (not users or not existing.subnets):
        return ()
    made = SharedNetwork(
        "network",
        SharedNetworkArgs(
            subnets=existing.subnets,
            users={agent: c.services.agents[agent] for agent in users},
            host=existing.network.split("/")[1],
            host_roles=roles,
            agents={agent: c.services.agents[agent] for agent in roles},
            depends_on=c.needs("cloudresourcemanager", "compute"),
        ),
        c.opts,
    )
    return tuple(made.made)
