"""Datasets and tables of a world as the API shows them, and the rows of tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services.bigquery import DATASET, TABLE
from localcloud.store import Row
from localcloud.world import World

Json = dict[str, Any]
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS bigquery_rows(
        seq INTEGER PRIMARY KEY AUTOINCREMENT, home TEXT NOT NULL, row TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS bigquery_rows_by_home ON bigquery_rows(home)",
    """CREATE TABLE IF NOT EXISTS bigquery_jobs(seq INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL,
        location TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE(project, location, id))""",
)
_STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "STRUCT": "RECORD"}
_SHOWN = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}


def create_tables(world: World) -> None:
    """Create the database's tables where they are missing."""
    with world.transaction() as tx:
        for statement in _SCHEMA:
            tx.execute(statement)


def not_found(what: str) -> ApiError:
    """404 in BigQuery's words; `what` as `Dataset p:d`."""
    return ApiError(404, "notFound", f"Not found: {what}")


def same_place(one: str, other: str) -> bool:
    """Whether two locations are the same: `eu` is `EU`."""
    return one.lower() == other.lower()


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table or of a result."""

    name: str
    type: str
    """In the words of standard SQL: INT64, BOOL, RECORD …"""
    mode: str = "NULLABLE"
    fields: tuple[Column, ...] = ()

    def shown(self) -> Json:
        """As the API has it: in the words of legacy SQL."""
        found: Json = {"name": self.name, "type": _SHOWN.get(self.type, self.type), "mode": self.mode}
        return found | ({"fields": [field.shown() for field in self.fields]} if self.fields else {})


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table or view of a world."""

    project: str
    dataset: str
    name: str
    location: str
    columns: tuple[Column, ...]
    home: str
    """What its rows are kept under: a table made again under its name begins empty."""
    view: str | None = None
    """The query of a view."""

    @property
    def path(self) -> str:
        """As messages name it."""
        return f"{self.project}:{self.dataset}.{self.name}"


def columns(schema: Any) -> tuple[Column, ...]:
    """The columns of a schema: a list of fields, or its text."""
    found = json.loads(schema) if isinstance(schema, str) and schema else schema or []
    return tuple(
        Column(
            name=str(field["name"]),
            type=_STANDARD.get(str(field["type"]).upper(), str(field["type"]).upper()),
            mode=str(field.get("mode") or "NULLABLE").upper(),
            fields=columns(field.get("fields")),
        )
        for field in found
    )


def require_dataset(tx: sqlite3.Connection, project: str, dataset: str, location: str | None = None) -> Row:
    """The dataset; 404 where there is none of the name, or not in the location."""
    found = store.find(tx, DATASET, f"projects/{project}/datasets/{dataset}")
    place = f" was not found in location {location}" if location else ""
    if found is None or (location and not same_place(str(found.outputs.get("location") or "US"), location)):
        raise not_found(f"Dataset {project}:{dataset}{place}")
    return found


def require_table(tx: sqlite3.Connection, project: str, dataset: str, name: str, location: str | None = None) -> Table:
    """The table; 404 where it, its dataset, or the dataset in the location is not there."""
    home = require_dataset(tx, project, dataset, location)
    row = store.find(tx, TABLE, f"projects/{project}/datasets/{dataset}/tables/{name}")
    if row is None:
        place = f" was not found in location {location}" if location else ""
        raise not_found(f"Table {project}:{dataset}.{name}{place}")
    view = row.outputs.get("view") or row.outputs.get("materializedView") or {}
    return Table(
        project=project,
        dataset=dataset,
        name=name,
        location=str(home.outputs.get("location") or "US"),
        columns=columns(row.outputs.get("schema")),
        home=f"{row.id}@{row.created:.6f}",
        view=str(view["query"]) if view.get("query") else None,
    )


def rows(tx: sqlite3.Connection, table: Table) -> list[Json]:
    """The rows by column, in the order they came in."""
    found = tx.execute("SELECT row FROM bigquery_rows WHERE home = ? ORDER BY seq", (table.home,))
    return [json.loads(row["row"]) for row in found]


def count(tx: sqlite3.Connection, table: Table) -> int:
    """How many rows there are."""
    return int(tx.execute("SELECT COUNT(*) FROM bigquery_rows WHERE home = ?", (table.home,)).fetchone()[0])


def append(tx: sqlite3.Connection, table: Table, added: Iterable[Mapping[str, Any]]) -> None:
    """Add rows that were checked."""
    tx.executemany(
        "INSERT INTO bigquery_rows(home, row) VALUES (?, ?)", [(table.home, json.dumps(dict(row))) for row in added]
    )


def replace(tx: sqlite3.Connection, table: Table, now: Iterable[Mapping[str, Any]]) -> None:
    """Let the table have these rows alone."""
    tx.execute("DELETE FROM bigquery_rows WHERE home = ?", (table.home,))
    append(tx, table, now)


def checked(table: Table, given: Mapping[str, Any], *, ignore_unknown: bool = False) -> Json:
    """A row as it is kept. Raises ValueError with the field and what is wrong with it."""
    known = {column.name.lower(): column for column in table.columns}
    unknown = next((name for name in given if name.lower() not in known), None)
    if unknown is not None and not ignore_unknown:
        raise ValueError(f"no such field: {unknown}.")
    named = {name.lower(): value for name, value in given.items()}
    return {column.name: kept(column, named.get(column.name.lower())) for column in table.columns}


def kept(column: Column, value: Any, *, item: bool = False) -> Any:
    """A value as a row keeps it. Raises ValueError where it is not of the column's type."""
    if column.mode == "REPEATED" and not item:
        if not isinstance(value, list | None):
            raise ValueError(f"Repeated field {column.name} must be an array.")
        return [kept(column, one, item=True) for one in value or ()]
    if value is None:
        if column.mode == "REQUIRED":
            raise ValueError(f"Missing required field: {column.name}.")
        return None
    wrong = ValueError(f"Cannot convert value to {column.type.lower()} (bad value): {column.name}")
    text = str(value).strip()
    match column.type:
        case "BOOL":
            if isinstance(value, bool) or text.lower() in ("true", "false"):
                return text.lower() == "true"
            raise wrong
        case "INT64":
            try:
                return int(text)
            except ValueError:
                raise wrong from None
        case "FLOAT64":
            try:
                return float(text)
            except ValueError:
                raise wrong from None
        case "RECORD":
            if not isinstance(value, dict):
                raise wrong
            return {field.name: kept(field, value.get(field.name)) for field in column.fields}
        case _ if isinstance(value, dict | list) and column.type != "JSON":
            raise wrong
        case _:
            return value if isinstance(value, dict | list) else str(value)


def cell(column: Column, value: Any, *, micros: bool = False, item: bool = False) -> Json:
    """A value as results have it. `micros` is what `useInt64Timestamp` asks for."""
    if column.mode == "REPEATED" and not item:
        return {"v": [cell(column, one, micros=micros, item=True) for one in value or ()]}
    if value is None:
        return {"v": None}
    match column.type:
        case "BOOL":
            return {"v": "true" if value else "false"}
        case "RECORD":
            return {"v": {"f": [cell(field, value.get(field.name), micros=micros) for field in column.fields]}}
        case "TIMESTAMP":
            moment = _micros(str(value))
            return {"v": str(moment) if micros else repr(moment / 1_000_000)}
        case "JSON":
            return {"v": value if isinstance(value, str) else json.dumps(value)}
        case _:
            return {"v": str(value)}


def _micros(text: str) -> int:
    try:
        return round(float(text) * 1_000_000)
    except ValueError:
        pass
    moment = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)


def page(found: Sequence[Any], query: Mapping[str, str]) -> tuple[Sequence[Any], str | None]:
    """A page of a list by `maxResults`, `startIndex` and `pageToken`, and the token of the next one."""
    try:
        begin = int(query.get("pageToken") or query.get("startIndex") or 0)
        size = int(query["maxResults"]) if query.get("maxResults") else 100_000
    except ValueError:
        raise ApiError(400, "invalid", "Invalid value for maxResults, startIndex or pageToken") from None
    if begin < 0 or size < 0:
        raise ApiError(400, "invalid", "Invalid value for maxResults, startIndex or pageToken")
    part = found[begin : begin + size]
    following = begin + len(part)
    return part, str(following) if following < len(found) else None
