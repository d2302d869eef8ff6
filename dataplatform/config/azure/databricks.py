"""An Azure Databricks workspace and what is in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from dataplatform.config.azure.databricks_jobs import DatabricksJob
from dataplatform.config.azure.key_vault import VaultSecretName
from dataplatform.config.azure.lake import FilesystemName
from dataplatform.config.model import Model
from dataplatform.config.types import Name, Uuid

CatalogName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,254}$")]
"""Name of an object of Unity Catalog: lower case, because the catalog knows no case."""

ReleaseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Id of a release: its notebooks and libraries lie in a folder of that name."""


def _relative(value: str) -> str:
    if value.startswith("/") or "\\" in value or ".." in value.split("/"):
        raise ValueError("expected a relative path with '/' between its parts and no '..'")
    return value


ProjectPath = Annotated[str, AfterValidator(_relative), StringConstraints(min_length=1, max_length=300)]
"""A path below the project's root, with `/`."""

Privilege = Literal[
    "ALL_PRIVILEGES",
    "APPLY_TAG",
    "BROWSE",
    "CREATE_FUNCTION",
    "CREATE_MATERIALIZED_VIEW",
    "CREATE_MODEL",
    "CREATE_SCHEMA",
    "CREATE_TABLE",
    "CREATE_VOLUME",
    "EXECUTE",
    "MODIFY",
    "READ_VOLUME",
    "REFRESH",
    "SELECT",
    "USE_CATALOG",
    "USE_SCHEMA",
    "WRITE_VOLUME",
]
"""Privileges on a catalog or a schema, https://learn.microsoft.com/azure/databricks/data-governance/unity-catalog/."""

Grants = dict[Annotated[str, Field(min_length=1, max_length=255)], list[Privilege]]
"""Principal (a user's address, a group's name, a service principal's application id) → its privileges."""


class CatalogSchema(Model):
    """A schema of the catalog."""

    volumes: list[CatalogName] = []
    """Managed volumes in it, for files."""
    grants: Grants = {}


class CatalogLocation(Model):
    """A place in the lake that the catalog may reach, instead of a mount."""

    filesystem: FilesystemName
    path: Annotated[str, AfterValidator(_relative), StringConstraints(max_length=500)] = ""
    """Below the filesystem; empty is all of it."""
    read_only: bool = False


class UnityCatalog(Model):
    """The environment's catalog, on its own storage, with the lake as external locations."""

    name: CatalogName | None = None
    """Made from prefix and environment where left out."""
    filesystem: FilesystemName
    """Filesystem of the lake that holds the catalog's managed tables."""
    metastore: Uuid | None = None
    """Metastore to assign to the workspace; left out where the account assigns one by itself, as most do."""
    locations: dict[Name, CatalogLocation] = {}
    schemas: dict[CatalogName, CatalogSchema] = {}
    grants: Grants = {}
    force_destroy: bool = False
    """Let `pulumi destroy` delete the catalog with its tables. Only for stacks that hold no data anyone needs."""


class DatabricksCluster(Model):
    """A cluster as a file says it, in the form of Databricks' Clusters API."""

    file: ProjectPath
    values: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")], str] = {}
    """What stands for `__REPLACE_<NAME>__` in the file; a token that is left over is an error."""
    policy: Name | None = None
    """A key of `policies`."""


class SqlWarehouse(Model):
    """A SQL warehouse."""

    size: Literal["2X-Small", "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large"] = "2X-Small"
    auto_stop_minutes: Annotated[int, Field(ge=5, le=1440)] = 10
    max_clusters: Annotated[int, Field(ge=1, le=30)] = 1
    serverless: bool = True


MountName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""Name of a mount: it is found below /mnt."""


class LegacyMount(Model):
    """A filesystem under /mnt, as before Unity Catalog: for everybody in the workspace, by one service principal."""

    filesystem: FilesystemName
    """One of `azure.lake.filesystems`."""
    directory: Annotated[str, AfterValidator(_relative), StringConstraints(max_length=500)] = ""
    """Below the filesystem; empty is all of it."""
    client_id: Uuid
    """Application id of the service principal, which needs a role on the filesystem."""
    scope: Name
    """One of `secret_scopes`."""
    password_from: VaultSecretName
    """Secret of `azure.key_vault` that holds the service principal's password."""
    cluster: Name | None = None
    """A key of `clusters`, which it is mounted with; one is made for it where left out."""


class InjectedNetwork(Model):
    """Where the clusters' machines are: two subnets of `azure.network`, handed over to Databricks."""

    public_subnet: Name
    """Of the hosts; nothing in it is public where `no_public_ip` is on."""
    private_subnet: Name
    """Of the containers."""


class Databricks(Model):
    """A premium workspace: no address of its clusters is public, and no token is made for it."""

    no_public_ip: bool = True
    """Clusters without public addresses (secure cluster connectivity). It cannot be changed later."""
    network: InjectedNetwork | None = None
    """The workspace's clusters in a network of the company's own, rather than in one that Azure manages."""
    public_network: bool = True
    """Whether the workspace answers on its public address. Without it, users, deployments and clusters come through
    private endpoints."""
    unity_catalog: UnityCatalog | None = None
    secret_scopes: list[Name] = []
    """Scopes backed by the stack's key vault."""
    service_principal: Uuid | None = None
    """Object id of the tenant's AzureDatabricks service principal (application 2ff814a6-3304-4ab8-85cb-cd0e6f879c1d),
    which reads the vault for a secret scope: az ad sp show --id 2ff814a6-3304-4ab8-85cb-cd0e6f879c1d --query id."""
    legacy_mount: bool = False
    """Let `mounts` be used. Databricks has deprecated them: `unity_catalog.locations` is what is meant."""
    mounts: dict[MountName, LegacyMount] = {}
    """Name below /mnt → filesystem, for a team that cannot do without yet."""
    policies: dict[Name, ProjectPath] = {}
    """Cluster policies: name → JSON file of the policy's definition."""
    clusters: dict[Name, DatabricksCluster] = {}
    warehouses: dict[Name, SqlWarehouse] = {}
    notebooks: ProjectPath | None = None
    """Folder of notebooks in source format; each becomes releases/<release>/notebooks/… in the workspace."""
    libraries: ProjectPath | None = None
    """Folder of wheels and JARs; each becomes releases/<release>/libs/… in the workspace."""
    job_clusters: dict[Name, DatabricksCluster] = {}
    """Clusters that are made for a run of a job and end with it."""
    jobs: dict[Name, DatabricksJob] = {}
    """Name → job: the tasks that the release runs."""
    release: ReleaseName = "dev"
