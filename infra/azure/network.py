"""The network of a stack, the zones of its private endpoints, and the endpoints of each part."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.azure.network import Network, NetworkArgs
from components.azure.private_dns import PrivateDns, PrivateDnsArgs
from components.azure.private_endpoint import PrivateEndpoint, PrivateEndpointArgs
from dataplatform.config.azure.network import links_of
from infra.azure.composition import Composition, PrivateNetwork


def network(c: Composition) -> None:
    """The network and its zones; nothing where the stack has none."""
    config = c.azure.network
    if config is None:
        return
    if config.existing is not None:
        network_id: pulumi.Input[str] = config.existing.network
        found = PrivateNetwork(
            network_id=network_id,
            subnet_ids={key: f"{network_id}/subnets/{name}" for key, name in config.existing.subnets.items()},
            subnet_names=dict(config.existing.subnets),
        )
    else:
        made = Network(
            "azure-network",
            NetworkArgs(
                config=config,
                resource_group=c.group,
                location=c.azure.location,
                network_name=c.names.network,
                tags=c.tags,
            ),
            c.opts,
        )
        found = PrivateNetwork(
            network_id=made.network_id, subnet_ids=dict(made.subnet_ids), subnet_names=dict(made.subnet_names)
        )
    endpoints = config.endpoints
    if endpoints is not None and endpoints.dns == "own":
        zones = {zone for service in endpoints.services for _, zone in links_of(endpoints, service)}
        dns = PrivateDns(
            "azure-dns",
            PrivateDnsArgs(
                zones=sorted(zones),
                network_id=found.network_id,
                resource_group=c.group,
                link_name=c.names.network,
                tags=c.tags,
            ),
            c.opts,
        )
        found.zone_ids.update(dns.zone_ids)
        found.links.extend(dns.links)
    elif endpoints is not None and endpoints.dns == "existing":
        found.zone_ids.update({zone.rpartition("/")[2]: zone for zone in endpoints.zones})
    c.network = found
    c.outputs["network_id"] = found.network_id


def connect(c: Composition, service: str, target_id: pulumi.Input[str]) -> Sequence[pulumi.Resource]:
    """The endpoints of a part; returns what is to be waited for before the part is called, in a row."""
    config = c.azure.network
    if config is None or config.endpoints is None or c.network is None:
        return []
    made: list[pulumi.Resource] = []
    for group, zone in links_of(config.endpoints, service):
        endpoint = PrivateEndpoint(
            f"azure-{service.replace('_', '-')}-{group.replace('_', '-').lower()}",
            PrivateEndpointArgs(
                target_id=target_id,
                group=group,
                subnet_id=c.network.subnet_ids[config.endpoints.subnet],
                zone_id=c.network.zone_ids.get(zone),
                endpoint_name=f"{c.names.network}-{group.replace('_', '-').lower()}",
                resource_group=c.group,
                location=c.azure.location,
                tags=c.tags,
                depends_on=[*c.network.links, *made],
            ),
            c.opts,
        )
        made.extend(endpoint.made)
    return made


def factory_endpoints(c: Composition) -> None:
    """The endpoints of the Data Factory, whose part is composed without knowing the network."""
    target = c.outputs.get("data_factory_id")
    if target is not None:
        connect(c, "data_factory", pulumi.Output.from_input(target).apply(str))
