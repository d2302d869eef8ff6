"""What Airflow gets beside the DAGs: `<directory>/plugins/**` and `<directory>/data/**` of the pipelines' folder.

Plugins are Python that Airflow loads; data files are whatever DAGs read. Small texts are kept as texts, which are
updated in place; the rest by where it is. Hidden files, README.md and what Python leaves behind are let be.
"""

from __future__ import annotations

import ast
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from dataplatform.config.folder import DATA, MAX_FILES, PLUGINS
from dataplatform.config.loader import shown_path
from dataplatform.config.text import shown
from dataplatform.diagnostics import Diagnostics, Position

MAX_TEXT = 256 * 1024
"""Bytes up to which a text is kept as one: it is part of the state."""
MAX_BYTES = 100 * 1024 * 1024
"""Bytes of a file that belongs into a project; more belongs into the lake."""
_MAX_NAME = 900
_LEFT = ("README.md",)


@dataclass(frozen=True, kw_only=True)
class AirflowFile:
    """One file."""

    path: str
    """In the bucket: `plugins/…` or `data/…`."""
    text: str | None
    """Its text; None for one that is large, or is none."""
    file: Path
    sha256: str
    """Of its bytes, in hex."""


def load_airflow_files(root: Path, directory: str) -> tuple[tuple[AirflowFile, ...], Diagnostics]:
    """The plugins and data files of a pipelines folder, by their paths, and what is wrong with any."""
    diagnostics = Diagnostics()
    found: list[AirflowFile] = []
    home = root.resolve()
    for kind in (PLUGINS, DATA):
        folder = root / directory / kind
        if folder.is_symlink():
            place = Position(shown_path(folder))
            diagnostics.add("DP303", place, "a link to a folder", "put the folder itself here: links are not followed")
        elif folder.exists() and not folder.is_dir():
            place = Position(shown_path(folder))
            diagnostics.add("DP244", place, f"{kind} is the folder of Airflow's {kind}", "make it a folder")
        else:
            for file in _walk(folder, diagnostics):
                made = _file(file, f"{kind}/{file.relative_to(folder).as_posix()}", home, diagnostics)
                found += [made] if made is not None else []
    return tuple(sorted(found, key=lambda one: one.path)), diagnostics


def _walk(folder: Path, diagnostics: Diagnostics) -> list[Path]:
    files: list[Path] = []
    for where, folders, names in os.walk(folder):
        here = Path(where)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in list(folders):
            if (here / name).is_symlink():
                folders.remove(name)
                place = Position(f"{shown_path(here)}/{shown(name)[1:-1]}")
                remedy = "put the folder itself here: links are not followed"
                diagnostics.add("DP303", place, "a link to a folder", remedy)
        files += [here / name for name in sorted(names) if not name.startswith(".") and name not in _LEFT]
        if len(files) > MAX_FILES:
            remedy = "put them into the lake"
            diagnostics.add("DP104", Position(shown_path(folder)), f"more than {MAX_FILES} files", remedy)
            return []
    return files


def _file(file: Path, path: str, home: Path, diagnostics: Diagnostics) -> AirflowFile | None:
    place = Position(shown_path(file))
    content = _content(file, path, home, place, diagnostics)
    if content is None:
        return None
    text = _text(content)
    if path.startswith(f"{PLUGINS}/") and path.endswith(".py") and not _is_python(text, content, place, diagnostics):
        return None
    return AirflowFile(path=path, text=text, file=file, sha256=hashlib.sha256(content).hexdigest())


def _content(file: Path, path: str, home: Path, place: Position, diagnostics: Diagnostics) -> bytes | None:
    """The bytes of a file that can be an object of the bucket."""
    if not path.isprintable() or len(path.encode(errors="replace")) > _MAX_NAME:
        message = "its name cannot be that of an object in the bucket"
        diagnostics.add("DP244", place, message, "give it a plain, shorter name")
        return None
    try:
        if not file.resolve().is_relative_to(home):
            diagnostics.add("DP303", place, "a link that leads out of the project", "put the file itself here")
        elif not file.is_file():
            diagnostics.add("DP244", place, "it is not an ordinary file", "put an ordinary file here")
        elif file.stat().st_size > MAX_BYTES:
            message = f"larger than {MAX_BYTES // 1024 // 1024} MB"
            diagnostics.add("DP104", place, message, "put it into the lake, where DAGs can read it")
        else:
            return file.read_bytes()
    except (OSError, RuntimeError):
        diagnostics.add("DP101", place, "the file may not be read", "give yourself the permission to read it")
    return None


def _is_python(text: str | None, content: bytes, place: Position, diagnostics: Diagnostics) -> bool:
    if not content:
        return True
    if text is None:
        message = "a plugin is Python in UTF-8 of at most 256 KiB, and this is not"
        diagnostics.add("DP244", place, message, "save it as UTF-8, or divide it")
        return False
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno if isinstance(error, SyntaxError) and error.lineno else 1
        what = shown(error.msg)[1:-1] if isinstance(error, SyntaxError) else "it cannot be parsed"
        message = f"the plugin is not Python: {what}"
        diagnostics.add("DP244", Position(place.file, line), message, "correct it: Airflow would not load it")
        return False
    return True


def _text(content: bytes) -> str | None:
    """The text, where it is a small one. The provider takes no empty content, so an empty file is none."""
    if not content or len(content) > MAX_TEXT or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
