"""Rows of the world: resources, IAM bindings, projects, principals. Called inside a transaction."""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.rules.wire import Path


@dataclass(frozen=True)
class Row:
    """A resource of the world."""

    id: str
    token: str
    project: str | None
    key: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    secrets: tuple[Path, ...]
    origin: str
    """`user`: a program created it; `kept`: it deleted it and the cloud keeps it; else the service that made it."""
    created: float
    updated: float


def _row(found: sqlite3.Row) -> Row:
    return Row(
        id=found["id"],
        token=found["token"],
        project=found["project"],
        key=found["key"],
        inputs=json.loads(found["inputs"]),
        outputs=json.loads(found["outputs"]),
        secrets=tuple(tuple(p) for p in json.loads(found["secrets"])),
        origin=found["origin"],
        created=found["created"],
        updated=found["updated"],
    )


def find(tx: sqlite3.Connection, token: str, resource_id: str) -> Row | None:
    """The resource of that type with that id."""
    found = tx.execute("SELECT * FROM resources WHERE token = ? AND id = ?", (token, resource_id)).fetchone()
    return _row(found) if found else None


def find_key(tx: sqlite3.Connection, key: str) -> Row | None:
    """The resource that holds the name."""
    found = tx.execute("SELECT * FROM resources WHERE key = ?", (key,)).fetchone()
    return _row(found) if found else None


def find_id(tx: sqlite3.Connection, resource_id: str) -> list[Row]:
    """Resources of any type with that id (ids of two services may be equal)."""
    return [_row(r) for r in tx.execute("SELECT * FROM resources WHERE id = ?", (resource_id,))]


def below(tx: sqlite3.Connection, prefix: str) -> list[Row]:
    """Resources whose id begins with `prefix` + `/`, oldest first."""
    rows = tx.execute(
        "SELECT * FROM resources WHERE substr(id, 1, ?) = ? ORDER BY created, id", (len(prefix) + 1, f"{prefix}/")
    )
    return [_row(r) for r in rows]


def everything(tx: sqlite3.Connection) -> list[Row]:
    """All resources, oldest first."""
    return [_row(r) for r in tx.execute("SELECT * FROM resources ORDER BY created, id")]


def insert(tx: sqlite3.Connection, row: Row) -> None:
    """Add a resource; its key must be free."""
    tx.execute(
        "INSERT INTO resources(id, token, project, key, inputs, outputs, secrets, origin, created, updated)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.id,
            row.token,
            row.project,
            row.key,
            json.dumps(row.inputs),
            json.dumps(row.outputs),
            json.dumps(row.secrets),
            row.origin,
            row.created,
            row.updated,
        ),
    )


def replace(
    tx: sqlite3.Connection, row: Row, inputs: Mapping[str, Any], outputs: Mapping[str, Any], secrets: Iterable[Path]
) -> None:
    """Change a resource."""
    tx.execute(
        "UPDATE resources SET inputs = ?, outputs = ?, secrets = ?, updated = ? WHERE key = ?",
        (json.dumps(inputs), json.dumps(outputs), json.dumps(list(secrets)), time.time(), row.key),
    )


def remove(tx: sqlite3.Connection, row: Row) -> None:
    """Delete a resource and the grants on it."""
    tx.execute("DELETE FROM resources WHERE key = ?", (row.key,))
    tx.execute("DELETE FROM bindings WHERE resource = ?", (row.id,))


def keep(tx: sqlite3.Connection, row: Row) -> None:
    """Nobody's any more, but the cloud keeps it (a key ring): it still has its name and can be imported."""
    tx.execute("UPDATE resources SET origin = 'kept' WHERE key = ?", (row.key,))


def adopt(tx: sqlite3.Connection, row: Row) -> None:
    """A program takes it over."""
    if row.origin != "user":
        tx.execute("UPDATE resources SET origin = 'user' WHERE key = ?", (row.key,))


def tombstone(tx: sqlite3.Connection, key: str, token: str, reason: str) -> None:
    """Remember a name that never comes free again."""
    tx.execute("INSERT OR REPLACE INTO tombstones VALUES (?, ?, ?, ?)", (key, token, reason, time.time()))


def buried(tx: sqlite3.Connection, key: str) -> str | None:
    """Why the name is taken for good, or None."""
    found = tx.execute("SELECT reason FROM tombstones WHERE key = ?", (key,)).fetchone()
    return str(found[0]) if found else None


def project_number(tx: sqlite3.Connection, project: str) -> int | None:
    """The number of a project of this world."""
    found = tx.execute("SELECT number FROM projects WHERE id = ?", (project,)).fetchone()
    return int(found[0]) if found else None


def project_by_number(tx: sqlite3.Connection, number: str) -> str | None:
    """The id of the project with that number."""
    found = tx.execute("SELECT id FROM projects WHERE number = ?", (number,)).fetchone()
    return str(found[0]) if found else None


def create_project(tx: sqlite3.Connection, project: str, default_apis: Iterable[str]) -> bool:
    """Add a project with the APIs every new project has; False where it exists already.

    The number comes from the id, so that a world made again gives the same service agents' names.
    """
    if project_number(tx, project) is not None:
        return False
    number = 100_000_000_000 + zlib.crc32(project.encode()) * 7
    while tx.execute("SELECT 1 FROM projects WHERE number = ?", (number,)).fetchone():
        number += 1
    tx.execute("INSERT INTO projects VALUES (?, ?, ?)", (project, number, time.time()))
    tx.executemany("INSERT OR IGNORE INTO apis VALUES (?, ?, 'default')", [(project, api) for api in default_apis])
    return True


def api_enabled(tx: sqlite3.Connection, project: str, service: str) -> bool:
    """Whether the project may use the service."""
    return bool(tx.execute("SELECT 1 FROM apis WHERE project = ? AND service = ?", (project, service)).fetchone())


def principal_exists(tx: sqlite3.Connection, email: str) -> bool:
    """Whether the service account or service agent exists."""
    return bool(tx.execute("SELECT 1 FROM principals WHERE email = ?", (email.lower(),)).fetchone())


def add_principal(
    tx: sqlite3.Connection, email: str, project: str, kind: str, unique_id: str, service: str | None = None
) -> None:
    """Add a service account (`account`) or a service agent (`agent`); an existing one stays as it is."""
    tx.execute(
        "INSERT OR IGNORE INTO principals VALUES (?, ?, ?, ?, ?)", (email.lower(), project, kind, unique_id, service)
    )


def bind(
    tx: sqlite3.Connection,
    resource: str,
    role: str,
    member: str,
    *,
    condition: str = "",
    origin: str = "user",
    token: str | None = None,
    binding_id: str | None = None,
    project: str | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> None:
    """Grant a role on a resource. Granting it again changes nothing but who holds the grant."""
    tx.execute(
        "INSERT INTO bindings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(resource, role, member, condition)"
        " DO UPDATE SET origin = excluded.origin, token = excluded.token, id = excluded.id, inputs = excluded.inputs",
        (resource, role, member, condition, origin, token, binding_id, project, json.dumps(inputs or {})),
    )


def unbind(tx: sqlite3.Connection, resource: str, role: str, member: str, condition: str = "") -> None:
    """Take a grant back; members compare without case."""
    tx.execute(
        "DELETE FROM bindings WHERE resource = ? AND role = ? AND lower(member) = lower(?) AND condition = ?",
        (resource, role, member, condition),
    )


def granted(tx: sqlite3.Connection, resource: str, role: str, member: str, condition: str | None = None) -> bool:
    """Whether the member has the role on that very resource."""
    sql = "SELECT 1 FROM bindings WHERE resource = ? AND role = ? AND lower(member) = lower(?)"
    values: tuple[str, ...] = (resource, role, member)
    if condition is not None:
        sql, values = f"{sql} AND condition = ?", (*values, condition)
    return bool(tx.execute(sql, values).fetchone())


def members(tx: sqlite3.Connection, resource: str, role: str, condition: str = "") -> list[str]:
    """Who has the role on the resource, sorted."""
    rows = tx.execute(
        "SELECT member FROM bindings WHERE resource = ? AND role = ? AND condition = ? ORDER BY member",
        (resource, role, condition),
    )
    return [r[0] for r in rows]
