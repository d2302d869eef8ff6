"""Assets and archives as bytes: what a program uploads."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.errors import ApiError
from localcloud.rules.wire import ARCHIVE, ASSET, SIGNATURE


def content_of(values: Mapping[str, Any]) -> bytes:
    """The bytes a bucket object's `content` or `source` stands for.

    Raises:
        ApiError: neither is given, or the file cannot be read.
    """
    if "content" in values:
        return str(values["content"]).encode()
    source = values.get("source")
    if isinstance(source, str):
        return _file(source)
    if isinstance(source, dict) and source.get(SIGNATURE) == ASSET:
        if "text" in source:
            return str(source["text"]).encode()
        return _file(str(source.get("path") or source.get("uri") or ""))
    if isinstance(source, dict) and source.get(SIGNATURE) == ARCHIVE:
        return _archive(source)
    raise ApiError(400, "required", "Required: one of source, content")


def _file(path: str) -> bytes:
    try:
        return Path(path.removeprefix("file://")).read_bytes()
    except OSError as error:
        raise ApiError(400, "invalid", f"cannot read {path}: {error.strerror}") from error


def _archive(source: Mapping[str, Any]) -> bytes:
    if source.get("path") and Path(str(source["path"])).is_file():
        return _file(str(source["path"]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(_members(source).items()):
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _members(source: Mapping[str, Any]) -> dict[str, bytes]:
    if source.get("path"):
        folder = Path(str(source["path"]))
        return {p.relative_to(folder).as_posix(): _file(str(p)) for p in folder.rglob("*") if p.is_file()}
    members: dict[str, bytes] = {}
    for name, inner in (source.get("assets") or {}).items():
        if inner.get(SIGNATURE) == ARCHIVE:
            members.update({f"{name}/{below}": content for below, content in _members(inner).items()})
        else:
            members[name] = content_of({"source": inner})
    return members
