"""Objects as files: the file is the content, its row in the world what Cloud Storage knows about it.

The path of an object is chosen when it is first written (see `localcloud.paths`) and kept in its row. A file that
somebody laid into a bucket's folder by hand is an object too.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from localcloud import paths
from localcloud.services.base import Call


@dataclass(frozen=True)
class Stored:
    """What is known about an object's bytes."""

    path: str
    md5: str
    crc32c: str
    size: int
    generation: int


def md5(content: bytes) -> str:
    """The digest as Cloud Storage writes it."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


@lru_cache(maxsize=1)
def _crc_table() -> tuple[int, ...]:
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = (value >> 1) ^ 0x82F63B78 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


def crc32c(content: bytes) -> str:
    """CRC-32C (Castagnoli), big-endian, base64."""
    table, value = _crc_table(), 0xFFFFFFFF
    for byte in content:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    return base64.b64encode(struct.pack(">I", value ^ 0xFFFFFFFF)).decode()


def stat(call: Call, bucket: str, name: str) -> Stored | None:
    """The object as its file is now; an edit by hand is a new generation. None where there is no file."""
    row = call.tx.execute("SELECT * FROM objects WHERE bucket = ? AND name = ?", (bucket, name)).fetchone()
    if row is None:
        path = "/".join(paths.natural_path(name))
        if not (call.world.buckets / bucket / path).is_file():
            return None
        return _enter(call, bucket, name, path)
    file = call.world.buckets / bucket / row["path"]
    if not file.is_file():
        if _pending(call, f"{bucket}/{row['path']}"):
            return _stored(row)
        call.tx.execute("DELETE FROM objects WHERE bucket = ? AND name = ?", (bucket, name))
        return None
    found = file.stat()
    if found.st_mtime_ns == row["mtime_ns"] and found.st_size == row["size"]:
        return _stored(row)
    if _pending(call, f"{bucket}/{row['path']}"):
        return _stored(row)
    content = file.read_bytes()
    if md5(content) == row["md5"]:
        call.tx.execute(
            "UPDATE objects SET mtime_ns = ? WHERE bucket = ? AND name = ?", (found.st_mtime_ns, bucket, name)
        )
        return _stored(row)
    return _enter(call, bucket, name, row["path"])


def _pending(call: Call, path: str) -> bool:
    """Whether this very transaction will put the file there."""
    return bool(call.tx.execute("SELECT 1 FROM moves WHERE path = ? AND staged IS NOT NULL", (path,)).fetchone())


def _stored(row: dict[str, object]) -> Stored:
    return Stored(
        str(row["path"]), str(row["md5"]), str(row["crc32c"]), int(str(row["size"])), int(str(row["generation"]))
    )


def _enter(call: Call, bucket: str, name: str, path: str) -> Stored:
    """Take a file that was written by hand into the books."""
    file = call.world.buckets / bucket / path
    content = file.read_bytes()
    return _book(call, bucket, name, path, content, file.stat().st_mtime_ns)


def _book(call: Call, bucket: str, name: str, path: str, content: bytes, mtime_ns: int) -> Stored:
    last = call.tx.execute("SELECT generation FROM objects WHERE bucket = ? AND name = ?", (bucket, name)).fetchone()
    generation = max(int(time.time() * 1e6), (last[0] + 1) if last else 0)
    stored = Stored(path, md5(content), crc32c(content), len(content), generation)
    call.tx.execute(
        "INSERT OR REPLACE INTO objects(bucket, name, path, md5, crc32c, size, mtime_ns, generation)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (bucket, name, path, stored.md5, stored.crc32c, stored.size, mtime_ns, generation),
    )
    return stored


def write(call: Call, bucket: str, name: str, content: bytes) -> Stored:
    """Store an object, over what was there. The file appears when the transaction is committed."""
    held = stat(call, bucket, name)
    folder = call.world.buckets / bucket
    path = held.path if held is not None else paths.free_path(folder, name)
    staged = call.world.stage(content)
    call.world.record_move(f"{bucket}/{path}", staged)
    return _book(call, bucket, name, path, content, -1)


def read(call: Call, bucket: str, name: str) -> bytes:
    """The object's bytes; FileNotFoundError where there is none."""
    held = stat(call, bucket, name)
    if held is None:
        raise FileNotFoundError(f"gs://{bucket}/{name}")
    content: bytes = (call.world.buckets / bucket / held.path).read_bytes()
    return content


def delete(call: Call, bucket: str, name: str) -> None:
    """Remove an object, where it is there."""
    held = stat(call, bucket, name)
    if held is not None:
        call.world.record_move(f"{bucket}/{held.path}", None)
        call.tx.execute("DELETE FROM objects WHERE bucket = ? AND name = ?", (bucket, name))


def names(call: Call, bucket: str) -> list[str]:
    """All objects of a bucket, also those laid there by hand; sorted."""
    folder: Path = call.world.buckets / bucket
    known = {
        row["path"]: row["name"]
        for row in call.tx.execute("SELECT path, name FROM objects WHERE bucket = ?", (bucket,))
    }
    found = set()
    for file in folder.rglob("*") if folder.is_dir() else ():
        if file.is_file():
            path = file.relative_to(folder).as_posix()
            name = known.get(path) or paths.decode_path(tuple(path.split("/")))
            if name is not None:
                found.add(name)
    return sorted(found)
