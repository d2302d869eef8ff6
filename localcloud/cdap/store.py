"""What an instance holds, in the world's database: entries by kind, scope and name, in the order they were made."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from localcloud.world import World

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS cdap_entries(
        seq INTEGER PRIMARY KEY AUTOINCREMENT, instance TEXT NOT NULL, kind TEXT NOT NULL, scope TEXT NOT NULL,
        name TEXT NOT NULL, body TEXT NOT NULL, UNIQUE(instance, kind, scope, name))""",
)


def create_tables(world: World) -> None:
    """Create the table where it is missing."""
    with world.transaction() as connection:
        for statement in _SCHEMA:
            connection.execute(statement)


class Shelf:
    """The entries of one instance. What changes several of them runs inside one transaction of the world."""

    def __init__(self, world: World, instance: str) -> None:
        self.world = world
        self.instance = instance

    def _execute(self, text: str, *values: object) -> sqlite3.Cursor:
        return self.world.connect().execute(text, (self.instance, *values))

    def get(self, kind: str, scope: str, name: str) -> Any:
        """The entry's body, or None."""
        row = self._execute(
            "SELECT body FROM cdap_entries WHERE instance = ? AND kind = ? AND scope = ? AND name = ?",
            kind,
            scope,
            name,
        ).fetchone()
        return None if row is None else json.loads(row["body"])

    def put(self, kind: str, scope: str, name: str, body: Any) -> None:
        """Add or replace; a replaced entry keeps its place."""
        self._execute(
            "INSERT INTO cdap_entries(instance, kind, scope, name, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT(instance, kind, scope, name) DO UPDATE SET body = excluded.body",
            kind,
            scope,
            name,
            json.dumps(body),
        )

    def delete(self, kind: str, scope: str, name: str) -> bool:
        """Whether there was one."""
        found = self._execute(
            "DELETE FROM cdap_entries WHERE instance = ? AND kind = ? AND scope = ? AND name = ?", kind, scope, name
        )
        return found.rowcount > 0

    def items(self, kind: str, scope: str) -> list[tuple[str, Any]]:
        """Names and bodies of a scope, oldest first."""
        rows = self._execute(
            "SELECT name, body FROM cdap_entries WHERE instance = ? AND kind = ? AND scope = ? ORDER BY seq",
            kind,
            scope,
        )
        return [(row["name"], json.loads(row["body"])) for row in rows.fetchall()]

    def by_key(self, kind: str, scope: str) -> list[tuple[str, Any]]:
        """Names and bodies of a scope as CDAP's tables have them: a key is its length and then its bytes."""
        return sorted(self.items(kind, scope), key=lambda item: (len(item[0].encode()), item[0].encode()))

    def below(self, kind: str, scope: str) -> Iterator[tuple[str, str, Any]]:
        """Scopes, names and bodies of a scope and of those below it (`ns1/p1` is below `ns1`), oldest first."""
        rows = self._execute(
            "SELECT scope, name, body FROM cdap_entries WHERE instance = ? AND kind = ?"
            " AND (scope = ? OR substr(scope, 1, ?) = ?) ORDER BY seq",
            kind,
            scope,
            len(scope) + 1,
            f"{scope}/",
        )
        for row in rows.fetchall():
            yield row["scope"], row["name"], json.loads(row["body"])

    def delete_below(self, kind: str, scope: str) -> None:
        """Delete all entries of a scope and of those below it."""
        self._execute(
            "DELETE FROM cdap_entries WHERE instance = ? AND kind = ? AND (scope = ? OR substr(scope, 1, ?) = ?)",
            kind,
            scope,
            len(scope) + 1,
            f"{scope}/",
        )
