"""The embedded cloud's world: one SQLite file, the buckets' objects as real files, and a log of every call.

What is in the database is the truth, except that an object's bytes are the file's: a file removed or edited by hand is
an object removed or edited behind the engine's back.

Kill safety. Every operation is one transaction. Bytes of an object are first written under `staged/`, the transaction
then records the move (or the removal) together with the object's row, and the move is done after the commit. Whoever
opens the world, or commits next, first does the moves that are still recorded. So a kill at any moment leaves the world
as before or as after the operation, never between.

Secret values (of Secret Manager, of `secure` inputs) are in the database as plain text, because a cloud stores them
too: the world's folder is readable by its owner only. They are never written to the log.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS projects(id TEXT PRIMARY KEY, number INTEGER UNIQUE, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS apis(
    project TEXT NOT NULL, service TEXT NOT NULL, origin TEXT NOT NULL, PRIMARY KEY(project, service));
CREATE TABLE IF NOT EXISTS principals(
    email TEXT PRIMARY KEY, project TEXT NOT NULL, kind TEXT NOT NULL, unique_id TEXT NOT NULL, service TEXT);
CREATE TABLE IF NOT EXISTS bindings(
    resource TEXT NOT NULL, role TEXT NOT NULL, member TEXT NOT NULL, condition TEXT NOT NULL DEFAULT '',
    origin TEXT NOT NULL, token TEXT, id TEXT, project TEXT, inputs TEXT,
    PRIMARY KEY(resource, role, member, condition));
CREATE TABLE IF NOT EXISTS resources(
    id TEXT NOT NULL, token TEXT NOT NULL, project TEXT, key TEXT NOT NULL UNIQUE, inputs TEXT NOT NULL,
    outputs TEXT NOT NULL, secrets TEXT NOT NULL DEFAULT '[]', origin TEXT NOT NULL DEFAULT 'user',
    created REAL NOT NULL, updated REAL NOT NULL);
CREATE INDEX IF NOT EXISTS resources_by_id ON resources(token, id);
CREATE TABLE IF NOT EXISTS tombstones(key TEXT PRIMARY KEY, token TEXT NOT NULL, reason TEXT NOT NULL,
    created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS objects(
    bucket TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, md5 TEXT NOT NULL, crc32c TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY(bucket, name));
CREATE UNIQUE INDEX IF NOT EXISTS objects_by_path ON objects(bucket, path);
CREATE TABLE IF NOT EXISTS moves(seq INTEGER PRIMARY KEY AUTOINCREMENT, staged TEXT, path TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sequences(name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS faults(
    id INTEGER PRIMARY KEY AUTOINCREMENT, method TEXT NOT NULL, match TEXT NOT NULL, nth INTEGER NOT NULL,
    action TEXT NOT NULL, status INTEGER, seconds REAL, times INTEGER NOT NULL, seen INTEGER NOT NULL DEFAULT 0);
"""

_LOG_LOCK = threading.Lock()


def default_home() -> Path:
    """`LOCALCLOUD_HOME`, else `.dp/cloud` below the working directory."""
    configured = os.environ.get("LOCALCLOUD_HOME")
    return Path(configured) if configured else Path.cwd() / ".dp" / "cloud"


class World:
    """One world below `home`. Safe for several threads and processes; every thread has a connection of its own."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = (home or default_home()).absolute()
        self.database = self.home / "world.db"
        self.buckets = self.home / "buckets"
        self.staged = self.home / "staged"
        self.log = self.home / "calls.jsonl"
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.buckets.mkdir(exist_ok=True)
        self.staged.mkdir(exist_ok=True)
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._create()
        with self.transaction():
            self._sweep_staged()

    def _create(self) -> None:
        connection = self.connect()
        # Two processes may open a new world at once: the second waits for the first one's schema.
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _SCHEMA.split(";"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        with suppress(OSError):
            self.database.chmod(0o600)

    def connect(self) -> sqlite3.Connection:
        """This thread's connection: autocommit outside `transaction`, rows by name, waits 30 s for a lock."""
        held: tuple[int, sqlite3.Connection] | None = getattr(self._local, "held", None)
        if held is not None and held[0] == os.getpid():
            return held[1]
        connection = sqlite3.connect(self.database, timeout=30, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        self._local.held = (os.getpid(), connection)
        self._opened.append(connection)
        return connection

    def close(self) -> None:
        """Close all connections of this process; the world may be used again afterwards."""
        for connection in self._opened:
            with suppress(sqlite3.Error):
                connection.close()
        self._opened.clear()
        self._local = threading.local()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction for all that happens inside; an exception undoes it. Inside another one it is a savepoint."""
        connection = self.connect()
        if connection.in_transaction:
            name = f"s{uuid.uuid4().hex}"
            connection.execute(f"SAVEPOINT {name}")
            try:
                yield connection
            except BaseException:
                connection.execute(f"ROLLBACK TO {name}")
                connection.execute(f"RELEASE {name}")
                raise
            connection.execute(f"RELEASE {name}")
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._do_moves(connection)
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        if connection.execute("SELECT 1 FROM moves LIMIT 1").fetchone():
            connection.execute("BEGIN IMMEDIATE")
            self._do_moves(connection)
            connection.execute("COMMIT")

    def stage(self, content: bytes) -> str:
        """Write bytes for a later move; returns the name to give to `record_move`."""
        name = uuid.uuid4().hex
        with (self.staged / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return name

    def record_move(self, path: str, staged: str | None) -> None:
        """Inside a transaction: let the staged file become `buckets/<path>` after the commit, or remove that file."""
        self.connect().execute("INSERT INTO moves(staged, path) VALUES (?, ?)", (staged, path))

    def _do_moves(self, connection: sqlite3.Connection) -> None:
        """Do what is recorded; each move may have been done before the process died, so doing it again is harmless."""
        rows = connection.execute("SELECT seq, staged, path FROM moves ORDER BY seq").fetchall()
        for row in rows:
            target = self.buckets / row["path"]
            if row["staged"] is not None:
                source = self.staged / row["staged"]
                if source.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.replace(target)
                    stat = target.stat()
                    bucket, _, path = row["path"].partition("/")
                    connection.execute(
                        "UPDATE objects SET mtime_ns = ? WHERE bucket = ? AND path = ?",
                        (stat.st_mtime_ns, bucket, path),
                    )
            elif target.is_dir():
                # A bucket's folder goes with the bucket; what is left in it belongs to nobody.
                self._remove_tree(target)
            else:
                target.unlink(missing_ok=True)
                self._prune(target.parent)
            connection.execute("DELETE FROM moves WHERE seq = ?", (row["seq"],))

    def _remove_tree(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*"), key=lambda p: len(p.parts), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        folder.rmdir()

    def _prune(self, folder: Path) -> None:
        """Remove folders that became empty, up to but not including the bucket's own."""
        while folder.parent not in (self.buckets, folder) and folder.is_relative_to(self.buckets):
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _sweep_staged(self) -> None:
        """Remove staged files of killed processes: older than an hour, so that nobody's current write is hit."""
        limit = time.time() - 3600
        for path in self.staged.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < limit:
                    path.unlink()

    def next_value(self, name: str) -> int:
        """1, 2, 3 … for each name: what a service numbers, so that a replayed program gets the same ids."""
        with self.transaction() as tx:
            tx.execute("INSERT INTO sequences VALUES (?, 1) ON CONFLICT(name) DO UPDATE SET value = value + 1", (name,))
            value: int = tx.execute("SELECT value FROM sequences WHERE name = ?", (name,)).fetchone()[0]
            return value

    def record(self, entry: Mapping[str, object]) -> None:
        """Append one line to the log. The caller has taken the secret values out."""
        line = json.dumps({"time": round(time.time(), 3), **entry}, default=str, ensure_ascii=False) + "\n"
        with _LOG_LOCK, self.log.open("a", encoding="utf-8") as file:
            # One write call with O_APPEND: lines of several processes do not mix.
            file.write(line)
