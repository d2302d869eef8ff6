"""Rules of the network on Azure, and of the parts that are in it or are reached through it.

Sizes are those of learn.microsoft.com: "Azure Virtual Network FAQ" (subnets) and "Deploy Azure Databricks in your Azure
virtual network".
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from dataplatform.config.azure.network import AzureNetwork, ExistingVirtualNetwork, PrivateEndpoints, links_of
from dataplatform.config.document import Path
from dataplatform.config.rules_ranges import Range, distinct_ranges
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings
    from dataplatform.config.platform import Azure

_AT: Final[Path] = ("azure", "network")
_PUBLIC: Final = {
    "data_factory": "public_network_access",
    "databricks": "public_network",
    "key_vault": "public_network",
    "lake": "public_network",
}
"""Service → the field that says whether it has a public address."""
_KEPT: Final = 5
"""Addresses of a subnet that Azure keeps."""
SUBNET_PREFIX: Final = 29
DATABRICKS_PREFIX: Final = 26


def azure_network_rules(azure: Azure, findings: Findings) -> None:
    """The rules of the network, of its endpoints and of the workspace in it."""
    network = azure.network
    if network is not None:
        _kind(network, findings)
        if network.existing is None:
            _ranges(network, findings)
        if network.endpoints is not None:
            _endpoints(azure, network, network.endpoints, findings)
    _databricks(azure, findings)


def subnets_of(network: AzureNetwork | None) -> list[str]:
    """What other parts may name."""
    if network is None:
        return []
    return sorted(network.existing.subnets if network.existing is not None else network.subnets)


def _kind(network: AzureNetwork, findings: Findings) -> None:
    if isinstance(network.existing, ExistingVirtualNetwork):
        for field in ("address_space", "subnets", "nat"):
            if field in network.model_fields_set:
                findings.tell(
                    "DP254",
                    (*_AT, field),
                    f"{field} belongs to a network of the stack's own, and this one exists already",
                    "take it out, or take existing out",
                    needs=((*_AT, "existing"),),
                    key=True,
                )
    elif not network.address_space or not network.subnets:
        findings.tell(
            "DP254",
            _AT,
            "a network without an address space and subnets has no place for anything",
            "add address_space and subnets, or name an existing network",
            needs=((*_AT, "address_space"), (*_AT, "subnets"), (*_AT, "existing")),
            key=True,
        )


def _ranges(network: AzureNetwork, findings: Findings) -> None:
    spaces = [Range(at=(*_AT, "address_space", index), cidr=cidr) for index, cidr in enumerate(network.address_space)]
    subnets = [Range(at=(*_AT, "subnets", name, "cidr"), cidr=one.cidr) for name, one in network.subnets.items()]
    distinct_ranges(spaces, findings)
    distinct_ranges(subnets, findings)
    for found, (name, subnet) in zip(subnets, network.subnets.items(), strict=True):
        if spaces and not any(found.network.subnet_of(space.network) for space in spaces):
            findings.tell(
                "DP254",
                found.at,
                f"{found.cidr} is in none of the network's ranges",
                f"write a part of {', '.join(network.address_space)}",
                needs=((*_AT, "address_space"),),
            )
        delegated = subnet.delegation == "databricks"
        smallest = DATABRICKS_PREFIX if delegated else SUBNET_PREFIX
        if found.network.prefixlen > smallest:
            what = f"the subnet {shown(name)} of a Databricks workspace" if delegated else f"the subnet {shown(name)}"
            findings.tell(
                "DP230",
                found.at,
                f"{what} needs {2 ** (32 - smallest)} addresses or more, and {found.cidr} has"
                f" {found.network.num_addresses}",
                f"write a range that ends in /{smallest} or a smaller number",
            )


def _endpoints(azure: Azure, network: AzureNetwork, endpoints: PrivateEndpoints, findings: Findings) -> None:
    at: Path = (*_AT, "endpoints")
    _subnet(network, endpoints.subnet, (*at, "subnet"), findings)
    subnet = network.subnets.get(endpoints.subnet) if network.existing is None else None
    if subnet is not None and subnet.delegation is not None:
        findings.tell(
            "DP254",
            (*at, "subnet"),
            f"the subnet {shown(endpoints.subnet)} is handed over to Databricks, which takes no endpoints in",
            "name another subnet",
            needs=((*_AT, "subnets", endpoints.subnet, "delegation"),),
        )
    for index, service in enumerate(endpoints.services):
        part = getattr(azure, service)
        if service in endpoints.services[:index]:
            findings.tell("DP254", (*at, "services", index), f"{service} stands here twice", "take one of them out")
        elif part is None:
            findings.tell(
                "DP218",
                (*at, "services", index),
                f"the stack has no azure.{service} that an endpoint could be of",
                f"add azure.{service}, or take it out",
                needs=(("azure", service),),
            )
        elif endpoints.only and getattr(part, _PUBLIC[service]):
            field = _PUBLIC[service]
            findings.tell(
                "DP254",
                (*at, "services", index),
                f"{service} has a private endpoint, and a public address as well",
                f"write azure.{service}.{field}: false, or only: false",
                needs=(("azure", service, field), (*at, "only")),
            )
    for name, field in _PUBLIC.items():
        part = getattr(azure, name)
        if part is not None and not getattr(part, field) and name not in endpoints.services:
            findings.tell(
                "DP254",
                ("azure", name, field),
                "nothing can reach it: it has no public address, and no private endpoint either",
                f"add {name} to azure.network.endpoints.services",
                needs=((*at, "services"),),
            )
    needed = [link for service in dict.fromkeys(endpoints.services) for link in links_of(endpoints, service)]
    if subnet is not None and subnet.delegation is None:
        usable = ipaddress.IPv4Network(subnet.cidr).num_addresses - _KEPT
        if len(needed) > usable:
            findings.tell(
                "DP230",
                (*_AT, "subnets", endpoints.subnet, "cidr"),
                f"{len(needed)} endpoints need an address each, and {subnet.cidr} has {max(usable, 0)} to give",
                "write a larger range",
                needs=((*at, "services"),),
            )
    _zones(endpoints, {zone for _, zone in needed}, findings)


def _zones(endpoints: PrivateEndpoints, needed: set[str], findings: Findings) -> None:
    at: Path = (*_AT, "endpoints", "zones")
    if endpoints.dns != "existing":
        if endpoints.zones:
            findings.tell(
                "DP254",
                at,
                f"zones are named, and dns is {endpoints.dns}",
                "write dns: existing, or take zones out",
                needs=((*_AT, "endpoints", "dns"),),
                key=True,
            )
        return
    known: list[str] = []
    for index, zone in enumerate(endpoints.zones):
        name = zone.rpartition("/")[2]
        if name in known:
            findings.tell("DP254", (*at, index), f"there are two zones {shown(name)}", "take one of them out")
        known.append(name)
    for name in sorted(needed - set(known)):
        findings.tell(
            "DP254",
            at if endpoints.zones else (*_AT, "endpoints", "dns"),
            f"an endpoint has no zone: its name is resolved in {name}",
            f"add the id of the zone {name} to zones",
            needs=(at,),
        )


def _databricks(azure: Azure, findings: Findings) -> None:
    config = azure.databricks
    if config is None:
        return
    at: Path = ("azure", "databricks")
    injected = config.network
    if injected is None:
        if not config.public_network:
            findings.tell(
                "DP254",
                (*at, "public_network"),
                "a workspace without a public address has its clusters in a network of the company",
                "add network with public_subnet and private_subnet, or take it out",
                needs=((*at, "network"),),
            )
        return
    network = azure.network
    if network is None:
        findings.tell(
            "DP218",
            (*at, "network"),
            "the stack has no network that the workspace could be in",
            "add azure.network, or take it out",
            needs=(_AT,),
            key=True,
        )
        return
    if not config.public_network and network.endpoints is None:
        findings.tell(
            "DP254",
            (*at, "public_network"),
            "nothing can reach it: it has no public address, and no private endpoint either",
            "add azure.network.endpoints with databricks in services",
            needs=((*_AT, "endpoints"),),
        )
    for field in ("public_subnet", "private_subnet"):
        name = getattr(injected, field)
        path: Path = (*at, "network", field)
        _subnet(network, name, path, findings)
        subnet = network.subnets.get(name) if network.existing is None else None
        if subnet is not None and subnet.delegation != "databricks":
            findings.tell(
                "DP254",
                path,
                f"the subnet {shown(name)} is not handed over to Databricks",
                f"write delegation: databricks in azure.network.subnets.{name}",
                needs=((*_AT, "subnets", name),),
            )
    if injected.public_subnet == injected.private_subnet:
        findings.tell(
            "DP254",
            (*at, "network", "private_subnet"),
            "a workspace has two subnets, and these are one",
            "name another subnet",
            needs=((*at, "network", "public_subnet"),),
        )


def _subnet(network: AzureNetwork, name: str, at: Path, findings: Findings) -> None:
    known = subnets_of(network)
    if name not in known:
        remedy = nearest(name, known) if known else "declare it under azure.network.subnets"
        needs: tuple[Path, ...] = ((*_AT, "subnets"), (*_AT, "existing"))
        findings.tell("DP231", at, f"the network on Azure has no subnet {shown(name)}", remedy, needs=needs)
