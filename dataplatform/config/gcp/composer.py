"""Managed Service for Apache Airflow, which is Cloud Composer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Cidr, Name, SecretName

NetworkTag = Annotated[str, Field(pattern=r"^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WorkloadKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,253}$")]
"""A key of a Kubernetes secret or config map."""


class Workload(Model):
    """Resources of one Composer workload: vCPU, memory and storage in GB, and how many of it."""

    cpu: Annotated[float, Field(gt=0, le=10_000)] | None = None
    memory_gb: Annotated[float, Field(gt=0, le=10_000)] | None = None
    storage_gb: Annotated[float, Field(gt=0, le=10_000)] | None = None
    count: Annotated[int, Field(ge=1, le=1000)] | None = None
    min_count: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Workers only."""
    max_count: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Workers only."""


class Workloads(Model):
    """Sizing of a Composer environment; what is left out is the service's default for its size."""

    scheduler: Workload | None = None
    web_server: Workload | None = None
    worker: Workload | None = None
    triggerer: Workload | None = None
    dag_processor: Workload | None = None
    """Composer 3 only."""


class ComposerNetwork(Model):
    """The network of an environment, as self links or `projects/…` names, or `$network` and `$subnet:<name>`.

    In generation 3 either a network attachment, or network and subnetwork; in generation 2 the latter.
    """

    network: str | None = None
    subnetwork: str | None = None
    network_attachment: str | None = None
    """A Private Service Connect attachment (`$attachment:<name>`), which knows network and subnetwork (Composer 3)."""
    internal_range: Cidr | None = None
    """The environment's own range, a /20 that the network does not use (Composer 3)."""
    functions_routing: Literal["direct", "via_network_attachment"] | None = None
    """How calls of Cloud Run functions leave the environment (Composer 3); the service's default where left out."""
    pods: Cidr | None = None
    """Range of the cluster's pods (Composer 2)."""
    services: Cidr | None = None
    """Range of the cluster's services (Composer 2)."""
    pods_range_name: Name | None = None
    """Secondary range of the subnetwork for the pods, instead of `pods` (Composer 2)."""
    services_range_name: Name | None = None
    """Secondary range of the subnetwork for the services, instead of `services` (Composer 2)."""
    connection: Literal["private_service_connect", "vpc_peering"] = "private_service_connect"
    """How a private environment reaches its tenant project (Composer 2)."""
    connection_subnetwork: str | None = None
    """Subnetwork of the Private Service Connect endpoint; the environment's own where left out (Composer 2)."""
    master: Cidr | None = None
    """Range of the cluster's control plane, a /28 (Composer 2, private)."""
    cloud_sql: Cidr | None = None
    """Range of the metadata database in the tenant project, a /24 (Composer 2, peering)."""
    tenant: Cidr | None = None
    """Range of the tenant project's other machines, a /24 (Composer 2, peering)."""
    public_ranges: bool = False
    """Let the cluster use public ranges that are routed privately (Composer 2, private)."""
    public_endpoint: bool = False
    """Leave the cluster's control plane a public address too (Composer 2, private)."""
    ip_masquerade: bool = False
    """Hide pods behind the addresses of their nodes (Composer 2)."""
    tags: list[NetworkTag] = []
    """Network tags of the environment's machines."""


class MaintenanceWindow(Model):
    """When the service may maintain the environment: at least 12 hours a week, at least 4 at a time."""

    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    hour: Annotated[int, Field(ge=0, le=23)]
    """Hour of the day (UTC) at which it begins."""
    hours: Annotated[int, Field(ge=4, le=24)]
    """How long it is."""


class Snapshots(Model):
    """Scheduled snapshots of the environment, which another one can be made from."""

    schedule: Annotated[str, Field(min_length=1, max_length=100)]
    """Cron expression with five fields."""
    time_zone: Annotated[str, Field(pattern=r"^UTC([+-](0[0-9]|1[0-4]))?$")] = "UTC"
    """UTC, or an offset from it such as UTC+01."""
    location: Annotated[
        str, Field(pattern=r"^(gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]|\$bucket:[a-z][a-z0-9-]*)(/.+)?$")
    ]
    """Folder for the snapshots: gs://<bucket>/<folder>, or $bucket:<zone>/<folder> of the lake."""


class Retention(Model):
    """How long what runs leave behind is kept."""

    metadata_days: Annotated[int, Field(ge=30, le=730)] | None = None
    """Days of the metadata database's history; for ever where left out."""
    task_logs: Literal["cloud_logging_only", "cloud_logging_and_cloud_storage"] | None = None
    """Where task logs are kept."""


class Composer(Model):
    """A Composer environment (Managed Service for Apache Airflow), generation 3 or 2 by its image version."""

    name: Name = "core"
    image_version: Annotated[
        str, Field(pattern=r"^composer-(2(\.[0-9]+\.[0-9]+)?|3)-airflow-(2|3)(\.[0-9]+){0,2}(-build\.[0-9]+)?$")
    ] = "composer-3-airflow-2.11.1"
    keep_version: bool = False
    """The environment is there already and stays on a version that no new one can have."""
    size: Literal["small", "medium", "large", "extra_large"] = "small"
    dags: bool = True
    """Put the compiled DAGs, the plugins and the data files of the stack's pipelines into it."""
    private: bool = False
    network: ComposerNetwork | None = None
    workloads: Workloads | None = None
    resilience: bool = False
    """High resilience: the environment's parts run in several zones."""
    private_builds: bool = False
    """Build images of PyPI packages without access to the internet (Composer 3)."""
    web_server_plugins: bool | None = None
    """Load plugins in the web server (Composer 3); the service's default where left out."""
    web_server_access: dict[Name, Cidr] = {}
    """Ranges that may reach the web server, by what they are; with none, all may, who still have to sign in."""
    control_plane_access: dict[Name, Cidr] = {}
    """Ranges that may reach the cluster's control plane, by what they are (Composer 2)."""
    lineage: bool | None = None
    """Report data lineage to Dataplex; the service's default where left out."""
    maintenance: MaintenanceWindow | None = None
    """When the service may maintain it; at any time where left out."""
    snapshots: Snapshots | None = None
    """Scheduled snapshots; none where left out."""
    retention: Retention | None = None
    workload_secrets: dict[Name, dict[WorkloadKey, SecretName]] = {}
    """Kubernetes secrets for tasks, by name: key -> name of one of `gcp.secrets`, whose value it gets (Composer 3)."""
    workload_config_maps: dict[Name, dict[WorkloadKey, str]] = {}
    """Kubernetes config maps for tasks, by name: key -> value (Composer 3)."""
    airflow_config_overrides: dict[str, str] = {}
    env_variables: dict[str, str] = {}
    pypi_packages: dict[str, str] = {}

    @property
    def generation(self) -> int:
        """2 or 3."""
        return int(self.image_version.removeprefix("composer-")[0])

    @property
    def airflow(self) -> tuple[int, ...]:
        """Numbers of the Airflow version as far as they are written: (2, 11, 1), or (2,)."""
        text = self.image_version.partition("-airflow-")[2].partition("-build.")[0]
        return tuple(int(part) for part in text.split("."))
