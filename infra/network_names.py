"""Physical names of the network and of Cloud SQL, by the rules in `infra.naming`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dataplatform.config.platform import Gcp

NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
ATTACHMENT = "gcp:compute/networkAttachment:NetworkAttachment"
ADDRESS_RANGE = "gcp:compute/globalAddress:GlobalAddress"
FIREWALL = "gcp:compute/firewall:Firewall"
ROUTER = "gcp:compute/router:Router"
DNS_ZONE = "gcp:dns/managedZone:ManagedZone"
ENDPOINT = "gcp:compute/forwardingRule:ForwardingRule"
PEERING = "gcp:compute/networkPeering:NetworkPeering"
SQL_INSTANCE = "gcp:sql/databaseInstance:DatabaseInstance"
_SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a resource token

DATA_FUSION_RANGE = "data-fusion"
"""Key of the range that is reserved for an instance that peers with the network by itself."""

# In step with components.gcp, which this module must not load: it imports the provider, and a check needs no provider.
# A test holds them together.
FIREWALL_RULES = ("allow-internal", "allow-internal-out", "allow-google-out", "allow-iap-ssh", "deny-in", "deny-out")
ZONES = (
    "googleapis",
    "gcr",
    "pkg",
    "composer",
    "composer-web",
    "datafusion",
    "datafusion-web",
    "dataproc",
    "dataproc-web",
)


class Make(Protocol):
    """Makes a checked name, as `infra.naming` does."""

    def __call__(self, token: str, name: str, *path: str) -> str:
        """The name, noted where it does not fit."""


@dataclass(frozen=True, kw_only=True)
class NetworkNames:
    """The names of a network of the stack's own, by what the stack file calls them."""

    network: str
    subnets: Mapping[str, str]
    attachments: Mapping[str, str]
    ranges: Mapping[str, str]
    firewalls: Mapping[str, str]
    routers: Mapping[str, str]
    """By region."""
    zones: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SqlNames:
    """The names of an instance, its endpoint and the secrets of its connections."""

    instance: str
    endpoint: str
    secrets: Mapping[str, str]


def network_names(gcp: Gcp, environment: str, make: Make) -> NetworkNames | None:
    """All names of the network; None where the stack makes none."""
    network = gcp.network
    if network is None or network.existing is not None:
        return None
    prefix, at = f"{environment}-{network.name}", ("network",)
    ranges = [*(network.peering.ranges if network.peering else ())]
    if data_fusion_range(gcp) is not None:
        ranges.append(DATA_FUSION_RANGE)
    regions = sorted({subnet.region or gcp.region for subnet in network.subnets.values()})
    return NetworkNames(
        network=make(NETWORK, prefix, *at, "name"),
        subnets={key: make(SUBNET, f"{prefix}-{key}", *at, "subnets", key) for key in network.subnets},
        attachments={key: make(ATTACHMENT, f"{prefix}-{key}", *at, "attachments", key) for key in network.attachments},
        ranges={key: make(ADDRESS_RANGE, f"{prefix}-{key}", *at, "peering", "ranges", key) for key in ranges},
        firewalls={
            key: make(FIREWALL, f"{prefix}-{key}", *at, "firewall", "rules", key)
            for key in (*FIREWALL_RULES, *network.firewall.rules)
        },
        routers={key: make(ROUTER, f"{prefix}-{key}", *at, "name") for key in (regions if network.nat else ())},
        zones={
            key: make(DNS_ZONE, f"{prefix}-{key}", *at, "google_apis")
            for key in (ZONES if network.google_apis != "public" else ())
        },
    )


def sql_names(gcp: Gcp, environment: str, make: Make) -> dict[str, SqlNames]:
    """The names of every instance, by its key."""
    found: dict[str, SqlNames] = {}
    for key, instance in gcp.cloud_sql.items():
        suffix = f"-g{instance.generation}" if instance.generation > 1 else ""
        found[key] = SqlNames(
            instance=make(SQL_INSTANCE, f"{environment}-{key}{suffix}", "cloud_sql", key),
            endpoint=make(ENDPOINT, f"{environment}-sql-{key}{suffix}", "cloud_sql", key),
            secrets={
                connection: make(
                    _SECRET, f"{environment}-sql-{key}-{connection}", "cloud_sql", key, "connections", connection
                )
                for connection in instance.connections
            },
        )
    return found


def peers_back(gcp: Gcp) -> bool:
    """Whether the stack peers the network with that of its Data Fusion instance.

    The service's own half of the peering is made with the instance; nothing is routed until the network has the other.
    """
    fusion = gcp.data_fusion
    network = fusion.network if fusion is not None else None
    if fusion is None or fusion.on_demand is not None or network is None or network.connection != "vpc_peering":
        return False
    if network.return_peering is not None:
        return network.return_peering
    link = network.network or ""
    if link == "$network":
        existing = gcp.network.existing if gcp.network is not None else None
        link = existing.network if existing is not None else ""
    parts = link.split("/")
    return "projects" not in parts or parts[parts.index("projects") + 1 :][:1] == [gcp.project]


def data_fusion_range(gcp: Gcp) -> str | None:
    """The range of an instance that peers with the stack's own network; None where it does not."""
    network = gcp.data_fusion.network if gcp.data_fusion else None
    own = gcp.network is not None and gcp.network.existing is None
    if not own or network is None or network.connection != "vpc_peering" or network.network != "$network":
        return None
    return network.ip_allocation
