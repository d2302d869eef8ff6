"""The network on Azure: one of the stack's own or one that others keep, and private endpoints in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Cidr, Name

_GROUP = r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[A-Za-z0-9_.()-]{1,90}/providers/Microsoft\.Network"

VirtualNetworkId = Annotated[str, Field(pattern=rf"^{_GROUP}/virtualNetworks/[A-Za-z0-9][A-Za-z0-9_.-]{{1,63}}$")]
"""Resource id of a virtual network."""
ZoneId = Annotated[str, Field(pattern=rf"^{_GROUP}/privateDnsZones/[a-z0-9.-]{{1,253}}$")]
"""Resource id of a private DNS zone."""
AzureSubnetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$")]
"""Name of a subnet as Azure has it."""

PrivateService = Literal["data_factory", "databricks", "key_vault", "lake"]
"""A part of the stack that can be reached through private endpoints."""

LINKS: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "data_factory": (
        ("dataFactory", "privatelink.datafactory.azure.net"),
        ("portal", "privatelink.adf.azure.com"),
    ),
    "databricks": (
        ("databricks_ui_api", "privatelink.azuredatabricks.net"),
        ("browser_authentication", "privatelink.azuredatabricks.net"),
    ),
    "key_vault": (("vault", "privatelink.vaultcore.azure.net"),),
    "lake": (
        ("blob", "privatelink.blob.core.windows.net"),
        ("dfs", "privatelink.dfs.core.windows.net"),
    ),
}
"""Service → its sub-resources and the zone that each one's name is resolved in,
https://learn.microsoft.com/azure/private-link/private-endpoint-dns."""


class AzureSubnet(Model):
    """A subnet of the stack's own network."""

    cidr: Cidr
    """Its range; Azure keeps 5 addresses of it."""
    delegation: Literal["databricks"] | None = None
    """Whom it is handed over to: a workspace's clusters have two such subnets to themselves, each of /26 or larger."""


class ExistingVirtualNetwork(Model):
    """A network that others keep. A subnet for Databricks is delegated there already, with a security group."""

    network: VirtualNetworkId
    """Resource id of that network."""
    subnets: dict[Name, AzureSubnetName]
    """Name in this file → its name in the network."""


class PrivateEndpoints(Model):
    """Private addresses of the stack's services."""

    subnet: Name
    """Subnet that the addresses are taken from; not one of Databricks."""
    services: list[PrivateService]
    """The lake's are blob and dfs, the vault's one, Databricks' its address and its login, the factory's two."""
    browser_authentication: bool = True
    """Databricks' endpoint of the login. A region has one for all workspaces that share a zone: off in all but one."""
    dns: Literal["own", "existing", "none"] = "own"
    """`own`: private DNS zones of the stack's own, linked to its network. `existing`: those of `zones`. `none`: the
    company's policy registers endpoints by itself."""
    zones: list[ZoneId] = []
    """Zones that are linked to the network already; one for each name that an endpoint is resolved by."""
    only: bool = True
    """Nothing that has an endpoint may have a public address as well."""


class AzureNetwork(Model):
    """A virtual network: `address_space` and `subnets` make one of the stack's own, `existing` names another's."""

    address_space: list[Cidr] = []
    """Ranges of the stack's own network."""
    subnets: dict[Name, AzureSubnet] = {}
    """Name → subnet of the stack's own network."""
    existing: ExistingVirtualNetwork | None = None
    """A network that others keep, instead of one of the stack's own."""
    nat: bool = False
    """A NAT gateway for the subnets of Databricks: the way out of clusters that have no public address."""
    endpoints: PrivateEndpoints | None = None
    """Which services are reached by private addresses, and how their names are resolved."""


def links_of(endpoints: PrivateEndpoints, service: str) -> list[tuple[str, str]]:
    """The sub-resources of a service that get an endpoint, with their zones; none where it has none."""
    if service not in endpoints.services:
        return []
    left_out = () if endpoints.browser_authentication else ("browser_authentication",)
    return [link for link in LINKS[service] if link[0] not in left_out]
