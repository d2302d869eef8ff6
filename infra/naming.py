"""Physical names: deterministic, checked against the services' limits, never cut to fit.

A name that does not fit is a mistake in the stack file: names that are truncated until they fit collide silently.

| what | name |
|---|---|
| bucket of a zone | `<project>-<environment>-<zone>`: bucket names are global, project ids are too |
| key ring | `<key_ring>-<environment>`, from generation 2 on `<key_ring>-<environment>-g<generation>` |
| secret | `<environment>-<secret>` |
| secret that is Airflow's | `airflow-connections-<id>`, `airflow-variables-<id>`, without the environment |
| key | the service it is for or its own name, from generation 2 on with `-g<generation>` |
| dataset | `<environment>_<key>`, or its `id` |
| topic of a notification, of rotation | `<environment>-<zone>-<key>`, `<environment>-secret-rotation` |
| topic of Data Fusion's events | `<environment>-data-fusion-events` |
| Data Fusion instance, Composer environment | `<environment>-<name>` |
| network | `<environment>-<name>`; what is in it, `<environment>-<name>-<key>` |
| Cloud SQL instance | `<environment>-<key>`, from generation 2 on `<environment>-<key>-g<generation>` |
| secret of a connection | `<environment>-sql-<instance>-<connection>` |
| service account | `<environment>-composer`, `-datafusion`, `-workflows`, `-triggers`, `-fn-<function>` |
| scheduler job | `<environment>-<pipeline>` |
| Eventarc trigger | `<environment>-<pipeline>-<trigger>`; its topic, `<environment>-trigger-<pipeline>-<trigger>` |
| workflow that starts one | `<pipeline>-on-<trigger>`, `<pipeline>-on-schedule` |
| function | the executor's own name, without the environment: definitions name it |
| workflow | the compiler's id of the definition, without the environment: callers know workflows by it |
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from dataplatform.config.check import LoadedStack
from dataplatform.config.gcp.secrets import Secret
from dataplatform.config.platform import Gcp
from dataplatform.diagnostics import Diagnostics, InputError
from infra.executor_names import ExecutorNames, executor_names
from infra.network_names import PEERING, NetworkNames, SqlNames, network_names, peers_back, sql_names
from infra.stack_file import StackFile
from infra.starts import starts_of
from infra.trigger_names import StartNames, account_names, start_names

BUCKET = "gcp:storage/bucket:Bucket"
KEY_RING = "gcp:kms/keyRing:KeyRing"
SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a resource token
DATA_FUSION = "gcp:datafusion/instance:Instance"
COMPOSER = "gcp:composer/environment:Environment"
ACCOUNT = "gcp:serviceaccount/account:Account"
WORKFLOW = "gcp:workflows/workflow:Workflow"
TOPIC = "gcp:pubsub/topic:Topic"
DATASET = "gcp:bigquery/dataset:Dataset"
AIRFLOW_CONNECTIONS, AIRFLOW_VARIABLES = "airflow-connections", "airflow-variables"
"""Prefixes that Airflow's Secret Manager backend looks for by itself; its separator is a hyphen."""

_ALL_LAKE_LOCATIONS = {"EU": "europe", "US": "us", "ASIA": "asia"}


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a service accepts as a name."""

    what: str
    pattern: str
    min: int
    max: int


@cache
def limits() -> Mapping[str, Limit]:
    """The limits by resource token, from name_limits.json, which says where each comes from."""
    table = json.loads(Path(__file__).with_name("name_limits.json").read_text(encoding="utf-8"))
    return {
        token: Limit(what=entry["what"], pattern=entry["pattern"], min=entry["min"], max=entry["max"])
        for token, entry in table.items()
        if not token.startswith("_")
    }


def problem(token: str, name: str) -> str | None:
    """What the service would not accept about the name, in a sentence with the limit; None where it fits."""
    limit = limits()[token]
    if len(name) > limit.max:
        return (
            f"the {limit.what} name '{name}' has {len(name)} characters, {len(name) - limit.max} more than the "
            f"limit of {limit.max}"
        )
    if len(name) < limit.min:
        return f"the {limit.what} name '{name}' has {len(name)} characters, the least is {limit.min}"
    if not re.search(limit.pattern, name):
        return f"the {limit.what} name '{name}' does not match {limit.pattern}"
    return None


@dataclass(frozen=True, kw_only=True)
class GcpNames:
    """The physical names of one stack on Google Cloud, by what the stack file calls them."""

    buckets: Mapping[str, str]
    key_ring: str
    secrets: Mapping[str, str]
    data_fusion: str | None
    composer: str | None
    accounts: Mapping[str, str]
    """`composer`, `datafusion`, `workflows` -> account id."""
    network: NetworkNames | None = None
    cloud_sql: Mapping[str, SqlNames] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    lake_topics: Mapping[str, str] = field(default_factory=dict)
    """Topics the stack makes for notifications, by `<zone>/<key>`."""
    rotation_topic: str | None = None
    """The topic the stack makes for rotation of secrets."""
    executors: ExecutorNames | None = None
    """What the stack deploys the step executors as."""
    starts: Mapping[str, StartNames] = field(default_factory=dict)
    """What starts the workflows, by `<pipeline>/<trigger>`."""
    previous_composer: str | None = None
    fusion_topic: str | None = None
    """The topic the stack makes for the events of its Data Fusion instance."""
    fusion_peering: str | None = None
    """The peering of the network with that of the Data Fusion instance."""


def gcp_names(loaded: LoadedStack) -> GcpNames:
    """All names of the stack; raises InputError with a diagnostic for each that does not fit."""
    gcp = loaded.platform.gcp
    assert gcp is not None, "asked for the names of a stack that has nothing on Google Cloud"
    names = Namer(loaded)
    environment = loaded.platform.environment
    wanted = [start.wanted for start in starts_of(loaded)]
    found = GcpNames(
        buckets={
            zone: names.make(BUCKET, f"{gcp.project}-{environment}-{zone}", "lake", "zones", zone)
            for zone in (gcp.lake.zones if gcp.lake else {})
        },
        key_ring=names.make(
            KEY_RING,
            key_ring_name(gcp.kms.key_ring, environment, gcp.kms.generation),
            *(("kms", "key_ring") if "key_ring" in gcp.kms.model_fields_set else ()),
        ),
        secrets={
            key: names.make(SECRET, secret_name(key, secret, environment), "secrets", key)
            for key, secret in gcp.secrets.items()
        },
        data_fusion=names.make(DATA_FUSION, f"{environment}-{gcp.data_fusion.name}", "data_fusion", "name")
        if gcp.data_fusion
        else None,
        composer=names.make(COMPOSER, f"{environment}-{gcp.composer.name}", "composer", "name")
        if gcp.composer
        else None,
        accounts={key: names.make(ACCOUNT, f"{environment}-{key}", part) for key, part in _accounts(gcp).items()}
        | dict(account_names(wanted, environment, names.make)),
        starts=start_names(wanted, environment, names.make),
        executors=executor_names(gcp, environment, names.make),
        network=network_names(gcp, environment, names.make),
        cloud_sql=sql_names(gcp, environment, names.make),
        datasets={
            key: names.make(DATASET, dataset.id or f"{environment}_{key}", "bigquery", "datasets", key)
            for key, dataset in (gcp.bigquery.datasets.items() if gcp.bigquery else ())
        },
        lake_topics={
            f"{zone}/{key}": names.make(
                TOPIC, f"{environment}-{zone}-{key}", "lake", "zones", zone, "notifications", key
            )
            for zone, found in (gcp.lake.zones.items() if gcp.lake else ())
            for key, told in found.notifications.items()
            if told.topic is None
        },
        rotation_topic=names.make(TOPIC, f"{environment}-secret-rotation", "secrets")
        if any(secret.rotation is not None and secret.rotation.topic is None for secret in gcp.secrets.values())
        else None,
        previous_composer=names.make(
            COMPOSER, f"{environment}-{gcp.previous_composer.name}", "previous_composer", "name"
        )
        if gcp.previous_composer
        else None,
        fusion_topic=names.make(TOPIC, f"{environment}-data-fusion-events", "data_fusion", "events")
        if gcp.data_fusion is not None and gcp.data_fusion.events is not None and gcp.data_fusion.events.topic is None
        else None,
        fusion_peering=names.make(PEERING, f"{environment}-{gcp.data_fusion.name}-data-fusion", "data_fusion", "name")
        if gcp.data_fusion is not None and peers_back(gcp)
        else None,
    )
    names.finish()
    return found


def check_names(loaded: LoadedStack) -> Diagnostics:
    """The same as diagnostics: empty where every name fits."""
    try:
        if loaded.platform.gcp is not None:
            gcp_names(loaded)
    except InputError as error:
        return error.diagnostics
    return Diagnostics()


def key_ring_name(key_ring: str, environment: str, generation: int) -> str:
    """Physical name of a key ring."""
    return f"{key_ring}-{environment}" + (f"-g{generation}" if generation > 1 else "")


def secret_name(key: str, secret: Secret, environment: str) -> str:
    """Physical name of a secret: what Airflow looks for where it is Airflow's, else with the environment."""
    if secret.airflow_connection is not None:
        return f"{AIRFLOW_CONNECTIONS}-{secret.airflow_connection}"
    if secret.airflow_variable is not None:
        return f"{AIRFLOW_VARIABLES}-{secret.airflow_variable}"
    return f"{environment}-{key}"


def key_location(region: str, lake_location: str | None) -> str:
    """Where the key of the lake's buckets must be: Cloud Storage wants it where the bucket is."""
    if lake_location is None:
        return region
    return _ALL_LAKE_LOCATIONS.get(lake_location.upper(), lake_location.lower())


def _accounts(gcp: Gcp) -> dict[str, str]:
    """Service accounts the stack has, with the part of the stack file each belongs to."""
    parts = {"composer": gcp.composer, "datafusion": gcp.data_fusion, "workflows": gcp.workflows}
    keys = {"composer": "composer", "datafusion": "data_fusion", "workflows": "workflows"}
    return {account: keys[account] for account, part in parts.items() if part is not None}


class Namer:
    """Checks names as they are made and keeps what is wrong, so that all of it is told at once."""

    def __init__(self, loaded: LoadedStack, cloud: str = "gcp") -> None:
        self._loaded = loaded
        self._cloud = cloud
        self._wrong: list[tuple[tuple[str, ...], str, str]] = []

    def make(self, token: str, name: str, *path: str) -> str:
        """The name; where it does not fit, that is kept with the part of the stack file it is made from."""
        if wrong := problem(token, name):
            self._wrong.append((path, wrong, limits()[token].what))
        return name

    def finish(self) -> None:
        """Raise InputError with all that did not fit; nothing where all did."""
        if not self._wrong:
            return
        diagnostics = Diagnostics()
        places = StackFile(self._loaded.file)
        for path, wrong, what in self._wrong:
            remedy = f"shorten or change what the {what}'s name is made of"
            places.add(diagnostics, "DP221", (self._cloud, *path), wrong, remedy)
        raise InputError(diagnostics)
