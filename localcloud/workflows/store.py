"""The tables of Workflows in the world's database, and the small forms shared by its resources."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from localcloud.errors import ApiError

Json = dict[str, Any]

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS workflow_definitions(
        name TEXT PRIMARY KEY, parent TEXT NOT NULL, body TEXT NOT NULL, revision INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS workflow_revisions(
        name TEXT NOT NULL, revision INTEGER NOT NULL, revision_id TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY(name, revision))""",
    """CREATE TABLE IF NOT EXISTS workflow_operations(
        seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, parent TEXT NOT NULL, body TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS workflow_executions(
        seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL,
        state TEXT NOT NULL, body TEXT NOT NULL, owner TEXT NOT NULL, cancel INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX IF NOT EXISTS workflow_executions_by_workflow ON workflow_executions(workflow, seq)",
    """CREATE TABLE IF NOT EXISTS workflow_step_entries(
        execution TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(execution, id))""",
    """CREATE TABLE IF NOT EXISTS workflow_logs(
        seq INTEGER PRIMARY KEY AUTOINCREMENT, execution TEXT NOT NULL, body TEXT NOT NULL)""",
)


class WorldLike(Protocol):
    """The part of `localcloud.world.World` that Workflows needs."""

    def connect(self) -> sqlite3.Connection:
        """This thread's connection, rows by name."""
        ...

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """One transaction."""
        ...


def create_tables(world: WorldLike) -> None:
    """Create the tables where they are missing."""
    with world.transaction() as connection:
        for statement in _SCHEMA:
            connection.execute(statement)


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with nanoseconds, as the services write it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def duration(seconds: float) -> str:
    """A Duration's JSON form."""
    return f"{max(0.0, seconds):.9f}".rstrip("0").rstrip(".") + "s"


def invalid(message: str) -> ApiError:
    """400 INVALID_ARGUMENT."""
    return ApiError(400, "INVALID_ARGUMENT", message)


def not_found(name: str) -> ApiError:
    """404 NOT_FOUND."""
    return ApiError(404, "NOT_FOUND", f"Requested entity was not found: {name}")


def project_number(world: WorldLike, project: str) -> str:
    """The project's number where the world knows the project, else the project itself."""
    try:
        row = world.connect().execute("SELECT number FROM projects WHERE id = ?", (project,)).fetchone()
    except sqlite3.OperationalError:
        return project
    return str(row[0]) if row is not None and row[0] is not None else project


def page_size(given: object, *, default: int, most: int) -> int:
    """The checked page size; 0 and absent mean the default, too many mean the most."""
    if given is None or given == "":
        return default
    try:
        size = int(str(given))
    except ValueError:
        raise invalid(f"Invalid value for pageSize: {given}") from None
    if size < 0:
        raise invalid("pageSize must not be negative")
    return min(size or default, most)


def page_at(size: object, token: object, *, default: int, most: int) -> tuple[int, int]:
    """The size and the beginning of a page whose token is an offset."""
    position = decode_token(token)
    if position is not None and not position.isdigit():
        raise invalid("The page token is not valid.")
    return page_size(size, default=default, most=most), int(position or 0)


def encode_token(position: str) -> str:
    """A page token."""
    return base64.urlsafe_b64encode(position.encode()).decode()


def decode_token(token: object) -> str | None:
    """The position of a page token; None for the first page."""
    if not token:
        return None
    try:
        return base64.urlsafe_b64decode(str(token).encode()).decode()
    except (binascii.Error, ValueError):
        raise invalid("The page token is not valid.") from None


def check_fields(body: Json, known: frozenset[str], ignored: frozenset[str]) -> Json:
    """The body without output-only fields. Raises ApiError for a field the API does not have."""
    for name in body:
        if name not in known and name not in ignored:
            raise invalid(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
    return {k: v for k, v in body.items() if k in known and v is not None}
