"""A stack: everything `data-platform:platform` in `Pulumi.<stack>.yaml` may say.

The models are the specification: strict, frozen, with every default here and nowhere else. They hold no secret; a
secret is declared here by name and its value stays in the stack's secure configuration.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dataplatform.config.types import (
    Cidr,
    Duration,
    EnvironmentName,
    FunctionName,
    GcpProjectId,
    GcpRegion,
    LabelKey,
    LabelValue,
    Name,
    SecretName,
)


class Model(BaseModel):
    """Base of all models: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Kms(Model):
    """Cloud KMS: one key ring, and a key for each service that encrypts with it."""

    key_ring: Name = "data-platform"
    rotation_period: Duration = timedelta(days=90)
    destroy_scheduled_duration: Duration = timedelta(days=30)
    generation: Annotated[int, Field(ge=1, le=9999)] = 1
    """Part of the key ring's name. Rings and keys can never be deleted: raise it to start anew after a destroy."""
    existing: bool = False
    """Adopt the ring and the keys that are there instead of creating them; they are protected then, never deleted."""


class LifecycleRule(Model):
    """What happens to an object of a certain age (days since its creation)."""

    age_days: Annotated[int, Field(ge=1, le=36525)]
    action: Literal["delete", "nearline", "coldline", "archive"]


class Zone(Model):
    """One zone of the lake: a Cloud Storage bucket."""

    storage_class: Literal["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"] = "STANDARD"
    versioning: bool = True
    retention: Duration | None = None
    lifecycle: dict[Name, LifecycleRule] = {}
    force_destroy: bool = False
    """Let `pulumi destroy` delete the bucket with its objects. Only for stacks that hold no data anyone needs."""


class Lake(Model):
    """Cloud Storage by zone. The location is the stack's region unless a multi-region is named."""

    location: Annotated[str, Field(pattern=r"^[A-Za-z]+(-[a-z]+[0-9]{1,2})?$")] | None = None
    zones: dict[Name, Zone] = {"landing": Zone(), "curated": Zone(), "consumption": Zone()}


class Secret(Model):
    """A Secret Manager secret; its value is the stack's secure configuration key of the same name."""

    accessors: list[str] = []
    """Additional members, such as `serviceAccount:x@y.iam.gserviceaccount.com`, that may read it."""


class DataFusionNetwork(Model):
    """How a private instance reaches the network: by peering (a /22 range) or Private Service Connect."""

    connection: Literal["vpc_peering", "private_service_connect"]
    network: str | None = None
    ip_allocation: Cidr | None = None
    network_attachment: str | None = None


class DataFusion(Model):
    """A Cloud Data Fusion instance with the identity its Dataproc clusters run as."""

    name: Name = "core"
    edition: Literal["basic", "enterprise", "developer"] = "developer"
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?$")] | None = None
    private: bool = False
    network: DataFusionNetwork | None = None
    rbac: bool = False
    logging: bool = True
    monitoring: bool = True
    options: dict[str, str] = {}


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
    """The network of an environment, as self links or `projects/…` names."""

    network: str
    subnetwork: str


class Composer(Model):
    """A Composer environment (Managed Service for Apache Airflow), generation 3 or 2 by its image version."""

    name: Name = "core"
    image_version: Annotated[
        str, Field(pattern=r"^composer-(2(\.[0-9]+\.[0-9]+)?|3)-airflow-(2|3)(\.[0-9]+){0,2}(-build\.[0-9]+)?$")
    ] = "composer-3-airflow-2.11.1"
    size: Literal["small", "medium", "large"] = "small"
    private: bool = False
    network: ComposerNetwork | None = None
    workloads: Workloads | None = None
    airflow_config_overrides: dict[str, str] = {}
    env_variables: dict[str, str] = {}
    pypi_packages: dict[str, str] = {}

    @property
    def generation(self) -> int:
        """2 or 3."""
        return int(self.image_version.removeprefix("composer-")[0])


class Workflows(Model):
    """Cloud Workflows: how compiled definitions are deployed and what they call."""

    call_log_level: Literal["LOG_ALL_CALLS", "LOG_ERRORS_ONLY", "LOG_NONE"] = "LOG_ERRORS_ONLY"


class Executors(Model):
    """The step executors of the AEF orchestration framework, reached through its intermediate function.

    The URL of a function is `https://<region>-<project>.cloudfunctions.net/<name>`.
    """

    project: GcpProjectId | None = None
    """Project of the functions; the stack's where left out."""
    region: GcpRegion | None = None
    intermediate: FunctionName = "orch-framework-intermediate"
    functions: list[FunctionName] = []
    """Executor functions of the stack's own, besides the framework's; definitions may then name them."""
    jobs_definitions_bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")] | None = None
    """Bucket of the job parameter files; the lake's bucket `<project>-jobs` is used where left out."""


class Gcp(Model):
    """What the stack has on Google Cloud. A part that is left out is not created."""

    project: GcpProjectId
    region: GcpRegion
    kms: Kms = Kms()
    lake: Lake | None = None
    secrets: dict[SecretName, Secret] = {}
    data_fusion: DataFusion | None = None
    composer: Composer | None = None
    workflows: Workflows | None = None
    executors: Executors = Executors()


class Pipelines(Model):
    """Where the definitions are, relative to the project's root, and the values they may refer to."""

    directory: str = "pipelines"
    parameters: dict[str, str] = {}
    external_workflows: list[Annotated[str, Field(min_length=1, max_length=300)]] = []
    """Workflows that are not compiled from the project's definitions; steps of TYPE workflows may name them."""


class Platform(Model):
    """One stack."""

    environment: EnvironmentName
    labels: dict[LabelKey, LabelValue] = {}
    protect: bool
    """Whether what holds data may be deleted or replaced: every stack says which it wants."""
    gcp: Gcp | None = None
    pipelines: Pipelines | None = None
