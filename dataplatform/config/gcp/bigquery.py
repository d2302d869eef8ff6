"""BigQuery: datasets with their tables and views."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Duration

DatasetKey = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
"""A dataset as the stack file calls it."""
DatasetId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,1024}$")]
TableId = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,199}$")]
ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$")]
ColumnType = Literal[
    "STRING", "BYTES", "INTEGER", "INT64", "FLOAT", "FLOAT64", "NUMERIC", "DECIMAL", "BIGNUMERIC", "BIGDECIMAL",
    "BOOLEAN", "BOOL", "TIMESTAMP", "DATE", "TIME", "DATETIME", "GEOGRAPHY", "JSON", "INTERVAL", "RECORD", "STRUCT",
]  # fmt: skip


class Column(Model):
    """A column, in the words of BigQuery's own schema files."""

    name: ColumnName
    type: ColumnType
    mode: Literal["NULLABLE", "REQUIRED", "REPEATED"] = "NULLABLE"
    description: Annotated[str, Field(max_length=1024)] | None = None
    fields: list[Column] = []
    """Of a RECORD: its columns."""
    precision: Annotated[int, Field(ge=1, le=77)] | None = None
    scale: Annotated[int, Field(ge=0, le=38)] | None = None
    maxLength: Annotated[int, Field(ge=1)] | None = None  # noqa: N815 - BigQuery's own spelling
    defaultValueExpression: Annotated[str, Field(min_length=1, max_length=1000)] | None = None  # noqa: N815 - as above


class RangePartition(Model):
    """Partitions by ranges of a whole number."""

    start: int
    end: int
    interval: Annotated[int, Field(ge=1)]


class Partition(Model):
    """How a table is divided: by time, or by ranges of a whole number."""

    by: Literal["hour", "day", "month", "year", "range"] = "day"
    column: ColumnName | None = None
    """Left out: the time a row came in."""
    expiration: Duration | None = None
    range: RangePartition | None = None


class Table(Model):
    """A table; its columns stand here or in a JSON file as BigQuery writes it."""

    description: Annotated[str, Field(max_length=16384)] | None = None
    columns: list[Column] = []
    schema_file: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """Path of a schema file, relative to the project's root."""
    partition: Partition | None = None
    require_partition_filter: bool = False
    clustering: list[ColumnName] = []


class View(Model):
    """A view. `$table:<dataset>.<table>` in its query stands for a table or view of the stack."""

    query: Annotated[str, Field(min_length=1, max_length=250_000)]
    description: Annotated[str, Field(max_length=16384)] | None = None


class Dataset(Model):
    """A dataset, encrypted with the stack's key."""

    id: DatasetId | None = None
    """Its name in BigQuery; `<environment>_<key>` where left out."""
    location: Annotated[str, Field(pattern=r"^[A-Za-z]+(-[a-z]+[0-9]{1,2})?$")] | None = None
    """A region, or EU or US; the stack's region where left out."""
    description: Annotated[str, Field(max_length=16384)] | None = None
    default_table_expiration: Duration | None = None
    default_partition_expiration: Duration | None = None
    time_travel_hours: Literal[48, 72, 96, 120, 144, 168] | None = None
    case_insensitive: bool = False
    delete_contents: bool = False
    """Let a destroy delete the dataset with tables that others made in it."""
    readers: list[str] = []
    """Who may read it: members, or identities of the stack such as `$composer`."""
    writers: list[str] = []
    """Who may change its tables and what is in them."""
    tables: dict[TableId, Table] = {}
    views: dict[TableId, View] = {}


class BigQuery(Model):
    """BigQuery: the stack's datasets."""

    datasets: dict[DatasetKey, Dataset] = {}
    job_users: list[str] = []
    """Who may run queries and loads in the project."""
