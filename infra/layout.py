"""What follows from a stack's parts: which APIs it calls, which keys it has and where, who uses them.

Pure: neither the program nor a tool that asks needs a provider's modules for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dataplatform.config.executors import REGISTRY
from dataplatform.config.gcp.bigquery import Dataset
from dataplatform.config.gcp.composer import Composer
from dataplatform.config.platform import Gcp
from infra.naming import key_location
from infra.starts import NOTHING_STARTED, Started

# The agents that use a service's key before it can encrypt, by key. Google's CMEK pages of each service.
_KEY_USERS: Mapping[str, tuple[str, ...]] = {
    "storage": ("storage",),
    "secretmanager": ("secretmanager",),
    # The instance, and the Dataproc clusters its pipelines run on.
    "datafusion": ("compute", "datafusion", "dataproc", "storage"),
    "composer": ("composer", "storage"),
    "workflows": ("workflows",),
    "cloudsql": ("sqladmin",),
    "bigquery": ("bigquery",),
    "pubsub": ("pubsub",),
    # Source, image and instances of a function: "Protect your data with CMEK" of Cloud Run functions.
    "cloudfunctions": ("artifactregistry", "cloudfunctions", "run", "storage"),
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
    "bigquery": ("bigquery",),
    "pubsub": ("pubsub",),
    "cloudfunctions": ("artifactregistry", "cloudbuild", "cloudfunctions", "run", "storage"),
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
    keys: tuple[str, ...] = ()
    """The stack's own keys in it."""


def key_users(gcp: Gcp, started: Started = NOTHING_STARTED) -> dict[str, tuple[str, ...]]:
    """Which keys the stack has, and the service agents that use each."""
    present = {
        "storage": gcp.lake is not None,
        "secretmanager": bool(gcp.secrets) or any(sql.connections for sql in gcp.cloud_sql.values()),
        "datafusion": gcp.data_fusion is not None,
        "composer": gcp.composer is not None,
        "workflows": gcp.workflows is not None,
        "cloudsql": bool(gcp.cloud_sql),
        "bigquery": gcp.bigquery is not None and bool(gcp.bigquery.datasets),
        "pubsub": None in lake_topics(gcp).values()
        or None in rotation_topics(gcp)
        or makes_fusion_topic(gcp)
        or started.topics,
        "cloudfunctions": gcp.executors.deploy is not None,
    }
    users = {service: _KEY_USERS[service] for service, there in present.items() if there}
    if any(composer.generation == 2 for composer in composers(gcp)):
        users["composer"] = _COMPOSER_2_KEY_USERS
    return users


def required_apis(gcp: Gcp, started: Started = NOTHING_STARTED) -> frozenset[str]:
    """The APIs the stack calls, or whose agents it grants something."""
    users = key_users(gcp, started)
    called = {api for service in users for api in _APIS[service]}
    for composer in composers(gcp):
        called.update(composer_apis(composer))
    called.update(network_apis(gcp), gcp.apis)
    if gcp.bigquery is not None:
        called.add("bigquery")
    if lake_topics(gcp) or rotation_topics(gcp) or (gcp.data_fusion is not None and gcp.data_fusion.events is not None):
        called.add("pubsub")
    called.update(("eventarc", "pubsub") if started.events else (), ("cloudscheduler",) if started.schedules else ())
    called.update(executor_apis(gcp), ("logging", "monitoring") if gcp.monitoring is not None else ())
    return frozenset(called.union(_ALWAYS, *users.values()))


def executor_apis(gcp: Gcp) -> tuple[str, ...]:
    """The services whose jobs the deployed functions start, and the network of the intermediate one."""
    deploy = gcp.executors.deploy
    if deploy is None:
        return ()
    wanted = {api.removesuffix(".googleapis.com") for name in deploy.functions for api in REGISTRY[name].apis}
    return tuple(sorted({*wanted, "logging"} | ({"compute"} if deploy.subnet is not None else set())))


def composers(gcp: Gcp) -> tuple[Composer, ...]:
    """The stack's environment, and the one it takes over from."""
    return tuple(composer for composer in (gcp.composer, gcp.previous_composer) if composer is not None)


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
    # Composer's own agent enters the network of another project by a role on that project.
    own = existing.network.split("/")[1] == gcp.project
    for composer in composers(gcp):
        users |= {"composer"} if own else set()
        users |= {"cloudservices", "container"} if composer.generation == 2 else set()
    if gcp.executors.deploy is not None and gcp.executors.deploy.subnet is not None:
        users.add("run")
    return tuple(sorted(users))


def host_roles(gcp: Gcp) -> dict[str, tuple[str, ...]]:
    """Roles that service agents need on the host project of a Shared VPC, as far as the stack grants them.

    Composer connects an environment to the host's network itself, and with generation 2 the cluster's agent works
    there. In a network of the stack's own project their roles there are enough.
    """
    existing = gcp.network.existing if gcp.network is not None else None
    if existing is None or not existing.grant_agents or existing.network.split("/")[1] == gcp.project:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    if composers(gcp):
        found["composer"] = ("roles/composer.sharedVpcAgent",)
    if any(composer.generation == 2 for composer in composers(gcp)):
        found["container"] = ("roles/container.hostServiceAgentUser",)
    return found


def key_rings(gcp: Gcp, started: Started = NOTHING_STARTED) -> tuple[KeyRing, ...]:
    """The stack's rings: one in its region, one where the lake is if that is elsewhere, one wherever else keys are."""
    lake_location = key_location(gcp.region, gcp.lake.location if gcp.lake else None)
    places = key_places(gcp, started)
    elsewhere = sorted({location for found in places.values() for location in found} - {gcp.region, lake_location})
    components = {gcp.region: "kms", **({lake_location: "kms-lake"} if lake_location != gcp.region else {})}
    components |= {location: f"kms-{location}" for location in elsewhere}
    rings = (
        KeyRing(
            component=component,
            location=location,
            services=tuple(sorted(service for service, found in places.items() if location in found)),
            keys=tuple(sorted(gcp.kms.keys)) if location == gcp.region else (),
        )
        for location, component in components.items()
    )
    return tuple(ring for ring in rings if ring.services or ring.keys)


def key_places(gcp: Gcp, started: Started = NOTHING_STARTED) -> dict[str, tuple[str, ...]]:
    """Where each service has a key: with the data it encrypts, because the services want it there."""
    places: dict[str, tuple[str, ...]] = dict.fromkeys(key_users(gcp, started), (gcp.region,))
    if "storage" in places:
        places["storage"] = (key_location(gcp.region, gcp.lake.location if gcp.lake else None),)
    if "secretmanager" in places:
        elsewhere = {location for secret in gcp.secrets.values() for location in secret.locations}
        places["secretmanager"] = (gcp.region, *sorted(elsewhere - {gcp.region}))
    if gcp.bigquery is not None and "bigquery" in places:
        wanted = (dataset_location(gcp, dataset) for dataset in gcp.bigquery.datasets.values())
        places["bigquery"] = tuple(sorted({key_location(gcp.region, place) for place in wanted}))
    return places


def dataset_location(gcp: Gcp, dataset: Dataset) -> str:
    """Where a dataset is, as BigQuery writes it: regions small, multi-regions in capitals."""
    place = dataset.location or gcp.region
    return place.lower() if "-" in place else place.upper()


def lake_topics(gcp: Gcp) -> dict[tuple[str, str], str | None]:
    """The topic of each notification by zone and key; None for one that the stack makes."""
    zones = gcp.lake.zones if gcp.lake is not None else {}
    return {(zone, key): told.topic for zone, found in zones.items() for key, told in found.notifications.items()}


def rotation_topics(gcp: Gcp) -> set[str | None]:
    """The topics that rotation of secrets is told to; None among them for the one that the stack makes."""
    return {secret.rotation.topic for secret in gcp.secrets.values() if secret.rotation is not None}


def makes_fusion_topic(gcp: Gcp) -> bool:
    """Whether the stack makes the topic of its Data Fusion instance's events."""
    events = gcp.data_fusion.events if gcp.data_fusion is not None else None
    return events is not None and events.topic is None


def airflow_secrets(gcp: Gcp) -> bool:
    """Whether any secret is an Airflow connection or variable, so that the environment needs the secret backend.

    The prefixes in `infra.naming` are the backend's own defaults, so it needs no arguments but the project.
    """
    return any(secret.airflow_connection or secret.airflow_variable for secret in gcp.secrets.values())
