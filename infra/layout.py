"""What follows from a stack's parts: which APIs it calls, which keys it has and where, who uses them.

Pure: neither the program nor a tool that asks needs a provider's modules for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dataplatform.config.gcp.composer import Composer
from dataplatform.config.platform import Gcp
from infra.naming import key_location

# The agents that use a service's key before it can encrypt, by key. Google's CMEK pages of each service.
_KEY_USERS: Mapping[str, tuple[str, ...]] = {
    "storage": ("storage",),
    "secretmanager": ("secretmanager",),
    # The instance, and the Dataproc clusters its pipelines run on.
    "datafusion": ("compute", "datafusion", "dataproc", "storage"),
    "composer": ("composer", "storage"),
    "workflows": ("workflows",),
    "cloudsql": ("sqladmin",),
}
# Composer of generation 2 runs in our project, on services that encrypt with its key themselves.
_COMPOSER_2_KEY_USERS = ("artifactregistry", "composer", "compute", "container", "pubsub", "storage")

_APIS: Mapping[str, tuple[str, ...]] = {
    "storage": ("storage",),
    "secretmanager": ("secretmanager",),
    "datafusion": ("compute", "datafusion", "dataproc", "storage"),
    "composer": ("composer", "storage"),
    "workflows": ("workflowexecutions", "workflows"),
    "cloudsql": ("compute", "secretmanager", "sqladmin"),
}
_ALWAYS = ("cloudkms", "cloudresourcemanager", "iam")


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """One ring of the stack."""

    component: str
    """Logical name of its component."""
    location: str
    services: tuple[str, ...]
    """The keys in it, by the service each is for."""


def key_users(gcp: Gcp) -> dict[str, tuple[str, ...]]:
    """Which keys the stack has, and the service agents that use each."""
    present = {
        "storage": gcp.lake is not None,
        "secretmanager": bool(gcp.secrets) or any(sql.connections for sql in gcp.cloud_sql.values()),
        "datafusion": gcp.data_fusion is not None,
        "composer": gcp.composer is not None,
        "workflows": gcp.workflows is not None,
        "cloudsql": bool(gcp.cloud_sql),
    }
    users = {service: _KEY_USERS[service] for service, there in present.items() if there}
    if gcp.composer is not None and gcp.composer.generation == 2:
        users["composer"] = _COMPOSER_2_KEY_USERS
    return users


def required_apis(gcp: Gcp) -> frozenset[str]:
    """The APIs the stack calls, or whose agents it grants something."""
    users = key_users(gcp)
    called = {api for service in users for api in _APIS[service]}
    if gcp.composer is not None:
        called.update(composer_apis(gcp.composer))
    called.update(network_apis(gcp))
    return frozenset(called.union(_ALWAYS, *users.values()))


def composer_apis(composer: Composer) -> tuple[str, ...]:
    """What an environment needs beyond its own API: Compute Engine for a network, and in generation 2."""
    return ("compute",) if composer.network is not None or composer.generation == 2 else ()


def network_apis(gcp: Gcp) -> tuple[str, ...]:
    """What the network needs: Compute Engine, and the services its parts belong to."""
    network = gcp.network
    if network is None:
        return ()
    parts = {"compute": True, "dns": network.google_apis != "public", "servicenetworking": network.peering is not None}
    return tuple(api for api, there in parts.items() if there)


def network_users(gcp: Gcp) -> tuple[str, ...]:
    """Service agents that put something into the subnets of a Shared VPC, as far as the stack grants them that."""
    existing = gcp.network.existing if gcp.network is not None else None
    if existing is None or not existing.grant_agents:
        return ()
    users: set[str] = set()
    if gcp.data_fusion is not None:
        users |= {"datafusion", "dataproc"}
    if gcp.composer is not None:
        users |= {"composer"} if gcp.composer.generation == 3 else {"composer", "container"}
    return tuple(sorted(users))


def key_rings(gcp: Gcp) -> tuple[KeyRing, ...]:
    """The stack's rings: one in its region, and one where the lake is if that is elsewhere."""
    lake_location = key_location(gcp.region, gcp.lake.location if gcp.lake else None)
    services = tuple(sorted(key_users(gcp)))
    there = ("storage",) if lake_location != gcp.region and "storage" in services else ()
    here = tuple(service for service in services if service not in there)
    rings = (
        KeyRing(component="kms", location=gcp.region, services=here),
        KeyRing(component="kms-lake", location=lake_location, services=there),
    )
    return tuple(ring for ring in rings if ring.services)
