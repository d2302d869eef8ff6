"""Cloud SQL for PostgreSQL."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Name, SecretName

SqlName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,62}$")]
"""Name of a database or of a user in PostgreSQL: 63 characters at most, in lower case."""
Member = Annotated[str, Field(min_length=1, max_length=300)]
"""An IAM member (`serviceAccount:…`, `user:…`, `group:…`), or an identity of the stack such as `$composer`."""


class CloudSqlBackups(Model):
    """Daily backups, and the log that a point in time is recovered from."""

    enabled: bool = True
    """Whether a backup is made each day."""
    start_time: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "02:00"
    """When it may begin, UTC."""
    location: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+[0-9]{1,2})?$")] | None = None
    """Region or multi-region it is kept in; the stack's region where left out."""
    retained: Annotated[int, Field(ge=1, le=365)] = 14
    """How many backups are kept."""
    point_in_time_recovery: bool = True
    """Keep the write-ahead log, so that any moment can be recovered."""
    transaction_log_days: Annotated[int, Field(ge=1, le=35)] = 7
    """For how many days the log is kept; the edition `enterprise` keeps 7 at most."""


class CloudSqlMaintenance(Model):
    """The hour of the week in which the service may restart the instance."""

    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    """Day of the week."""
    hour: Annotated[int, Field(ge=0, le=23)]
    """Hour of the day, UTC."""
    track: Literal["canary", "stable", "week5"] = "stable"
    """When an update comes: first, a week later, or five weeks later."""


class CloudSqlDatabase(Model):
    """A database."""

    charset: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,40}$")] = "UTF8"
    """Character set; it cannot be changed later."""
    collation: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,40}$")] = "en_US.UTF8"
    """Collation; it cannot be changed later."""


class CloudSqlUser(Model):
    """A user that logs in with a password."""

    password_from: SecretName
    """Name under `gcp.secrets` whose value is the password."""


class CloudSqlConnection(Model):
    """A secret that tells pipelines how to reach a database: host, database, user, and which secret is the password."""

    database: SqlName
    """One of the instance's databases."""
    user: SqlName
    """One of the instance's users."""
    accessors: list[Member] = []
    """Who may read it; they must be accessors of the password's secret too."""


class CloudSql(Model):
    """A Cloud SQL instance for PostgreSQL: private, encrypted with our key, its passwords in Secret Manager."""

    version: Literal["POSTGRES_13", "POSTGRES_14", "POSTGRES_15", "POSTGRES_16", "POSTGRES_17", "POSTGRES_18"] = (
        "POSTGRES_16"
    )
    """Version of PostgreSQL."""
    edition: Literal["enterprise", "enterprise_plus"] = "enterprise"
    """Edition of Cloud SQL."""
    tier: Annotated[
        str, Field(pattern=r"^db-(f1-micro|g1-small|custom-[0-9]{1,3}-[0-9]{1,6}|perf-optimized-[A-Z0-9]+-[0-9]{1,3})$")
    ] = "db-custom-2-7680"
    """Machine: `db-custom-<vCPU>-<MB>`, or `db-perf-optimized-N-<vCPU>` of the edition `enterprise_plus`."""
    disk_gb: Annotated[int, Field(ge=10, le=65536)] = 10
    """Size of the disk; it grows by itself and is never made smaller."""
    disk_type: Literal["ssd", "hdd"] = "ssd"
    """Kind of disk; it cannot be changed without a new instance."""
    disk_limit_gb: Annotated[int, Field(ge=0, le=65536)] = 0
    """How far it may grow; 0 is without limit."""
    high_availability: bool = False
    """Keep a standby in another zone of the region."""
    backups: CloudSqlBackups = CloudSqlBackups()
    """Backups."""
    maintenance: CloudSqlMaintenance | None = None
    """When the service may restart it; any time where left out."""
    flags: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,62}$")], str] = {}
    """Settings of PostgreSQL, as text."""
    connection: Literal["private_service_connect", "vpc_peering"] = "private_service_connect"
    """How the network reaches it; it cannot be changed without a new instance. There is no public address."""
    subnet: Name | None = None
    """Subnet of the network its endpoint has an address in; for `private_service_connect`."""
    range: Name | None = None
    """Range of `network.peering` it takes its address from, any where left out; for `vpc_peering`."""
    iam_authentication: bool = False
    """Let IAM identities log in with their own tokens."""
    iam_users: list[Member] = []
    """Identities that may log in; needs `iam_authentication`. What they may do is granted in the database."""
    databases: dict[SqlName, CloudSqlDatabase] = {}
    """Its databases by name."""
    users: dict[SqlName, CloudSqlUser] = {}
    """Its users by name."""
    connections: dict[Name, CloudSqlConnection] = {}
    """Connections of pipelines, each a secret `<environment>-sql-<instance>-<connection>`."""
    query_insights: bool = True
    """Keep statistics of queries."""
    generation: Annotated[int, Field(ge=1, le=9999)] = 1
    """Part of the name. The name of a deleted instance is free again only after a week: raise it to start anew."""
