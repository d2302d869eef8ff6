"""A stack: everything `data-platform:platform` in `Pulumi.<stack>.yaml` may say.

The models are the specification: strict, frozen, with every default here and nowhere else. They hold no secret; a
secret is declared here by name and its value stays in the stack's secure configuration. The parts are in
`dataplatform.config.gcp` and `dataplatform.config.azure`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dataplatform.config.azure.base import Base
from dataplatform.config.azure.data_factory import DataFactory
from dataplatform.config.azure.databricks import Databricks
from dataplatform.config.azure.identities import Identity
from dataplatform.config.azure.key_vault import KeyVault
from dataplatform.config.azure.lake import AzureLake
from dataplatform.config.azure.monitoring import AzureMonitoring
from dataplatform.config.azure.network import AzureNetwork
from dataplatform.config.gcp.bigquery import BigQuery
from dataplatform.config.gcp.cloud_sql import CloudSql
from dataplatform.config.gcp.composer import Composer
from dataplatform.config.gcp.data_fusion import DataFusion
from dataplatform.config.gcp.executors import Executors
from dataplatform.config.gcp.kms import Kms
from dataplatform.config.gcp.lake import Lake
from dataplatform.config.gcp.monitoring import Monitoring
from dataplatform.config.gcp.network import Network
from dataplatform.config.gcp.secrets import Secret
from dataplatform.config.gcp.triggers import Triggers
from dataplatform.config.gcp.workflows import Workflows
from dataplatform.config.model import Model
from dataplatform.config.types import (
    ApiName,
    AzureLocation,
    AzurePrefix,
    BucketName,
    EnvironmentName,
    GcpProjectId,
    GcpRegion,
    LabelKey,
    LabelValue,
    Name,
    SecretName,
    Uuid,
)


class Gcp(Model):
    """What the stack has on Google Cloud. A part that is left out is not created."""

    project: GcpProjectId
    region: GcpRegion
    apis: list[ApiName] = []
    """APIs to enable besides those that the parts of the stack need, by their short names."""
    kms: Kms = Kms()
    network: Network | None = None
    """The network of what is private; services use their own, or what they name, where left out."""
    lake: Lake | None = None
    bigquery: BigQuery | None = None
    secrets: dict[SecretName, Secret] = {}
    data_fusion: DataFusion | None = None
    composer: Composer | None = None
    previous_composer: Composer | None = None
    """The environment that `composer` takes over from: it stays as it is, beside the new one, until it is taken out."""
    airflow_bucket: BucketName | None = None
    """Bucket of a Composer environment that others keep: DAGs go there where the stack has no `composer` of its own."""
    workflows: Workflows | None = None
    cloud_sql: dict[Name, CloudSql] = {}
    """Cloud SQL instances for PostgreSQL, by name."""
    executors: Executors = Executors()
    triggers: Triggers = Triggers()
    """How Cloud Scheduler and Eventarc start workflows, where definitions ask for it."""
    monitoring: Monitoring | None = None
    """Who is told of failures, and a dashboard; none where left out."""


class Azure(Model):
    """What the stack has on Azure, in one resource group. A part that is left out is not created."""

    subscription: Uuid
    tenant: Uuid
    location: AzureLocation
    prefix: AzurePrefix
    """What every name begins with. Some are global: take something that is the company's own."""
    base: Base | None = None
    """The stack that environments share, where this one uses it: a vault for QA, and data for integration tests."""
    identities: dict[Name, Identity] = {}
    network: AzureNetwork | None = None
    """Its own or another's virtual network, with private endpoints; all is reached by public addresses without one."""
    lake: AzureLake | None = None
    key_vault: KeyVault | None = None
    monitoring: AzureMonitoring | None = None
    databricks: Databricks | None = None
    data_factory: DataFactory | None = None
    """A Data Factory and what its exported folder holds; none where left out."""


class Domain(Model):
    """A part of the pipelines that runs in a project of its own: the definitions below the folder of its name."""

    project: GcpProjectId
    """Project that its workflows run in, as an account of that project; it must be there."""
    airflow_bucket: BucketName | None = None
    """Bucket of the Composer environment that its DAGs go to; the stack's own environment has them where left out."""
    executors: Executors | None = None
    """The functions that run its steps, in its own project unless said otherwise; the stack's where left out."""


class Pipelines(Model):
    """Where the definitions are, relative to the project's root, and the values they may refer to."""

    directory: str = "pipelines"
    domains: dict[Name, Domain] = {}
    """Folders below `directory` whose pipelines belong to other projects, by name; all others are the stack's."""
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
    azure: Azure | None = None
    pipelines: Pipelines | None = None
