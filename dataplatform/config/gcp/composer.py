"""Managed Service for Apache Airflow, which is Cloud Composer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Name


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
