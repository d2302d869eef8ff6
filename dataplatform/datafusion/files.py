"""Exports on disk: one file per object, the same bytes for the same object."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataplatform.config.loader import load_document, shown_path
from dataplatform.datafusion import layout, normalise
from dataplatform.datafusion.errors import RefusedError
from dataplatform.datafusion.model import Export, Json, Key, Kind
from dataplatform.datafusion.names import decode
from dataplatform.diagnostics import Diagnostics, InputError, Position

MAPPING_FILES = ("mapping",)
"""Files directly in the folder of exports that are ours but no objects, by the beginning of their name."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What the files say, and which file says it."""

    export: dict[Key, Json]
    places: dict[Key, Path]
    folder: Path

    def place(self, key: Key) -> str:
        """The file of an object, as a person would type it."""
        return shown_path(self.places.get(key, self.folder))


@dataclass(kw_only=True)
class Written:
    """What writing changed."""

    added: list[Path] = field(default_factory=list)
    changed: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)


def load(folder: Path) -> Loaded:
    """Read every file.

    Raises:
        RefusedError: when there is no folder, or nothing in it: that must not mean that everything is to go.
        InputError: with every mistake in the files.
    """
    if folder.is_file():
        raise RefusedError(f"{shown_path(folder)} is a file; name the folder that holds the folders of the namespaces")
    if not folder.is_dir():
        raise RefusedError(f"there is no folder {shown_path(folder)}; make one with dp datafusion pull")
    if any((folder / name).exists() for name in layout.SINGLE.values()):
        raise RefusedError(
            f"{shown_path(folder)} is the folder of one namespace; name the one above it, and say --namespace "
            f"{decode(folder.name)}"
        )
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    loaded = parse({name: path for name, path in files.items() if not name.startswith(".")}, _read_path, folder)
    if not loaded.export:
        raise RefusedError(f"{shown_path(folder)} holds no export; fill it with dp datafusion pull")
    return loaded


def _read_path(path: Path) -> str | None:
    try:
        return path.read_text("utf-8-sig")  # some editors put a mark before the text
    except (OSError, UnicodeDecodeError):
        return None


def parse(files: dict[str, Path], read: Callable[[Path], str | None], folder: Path) -> Loaded:
    """The objects of files given by their path below the folder of exports."""
    diagnostics = Diagnostics()
    export: dict[Key, Json] = {}
    places: dict[Key, Path] = {}
    for name, path in files.items():
        where = _kind_of(name)
        if where is None:
            if not _no_object(name):
                diagnostics.add(
                    "DP601",
                    Position(shown_path(path)),
                    "the file lies where no export lies",
                    "put it where dp datafusion pull would, NAMESPACE/pipelines/NAME.json for a pipeline",
                )
            continue
        namespace, kind = where
        text = read(path)
        body = _parsed(text)
        found = layout.problems(kind, body) if body is not None else []
        if body is None or found:
            _report(path, text, found, diagnostics)
            continue
        key = layout.key_of(namespace, kind, body)
        if key in export:
            diagnostics.add(
                "DP601",
                Position(shown_path(path)),
                f"the file holds {key}, and so does {shown_path(places[key])}",
                "delete one of them",
            )
            continue
        export[key] = layout.normalised(kind, body)
        places[key] = path
    if diagnostics:
        raise InputError(diagnostics)
    return Loaded(export=export, places=places, folder=folder)


def _kind_of(name: str) -> tuple[str, Kind] | None:
    parts = name.split("/")
    if len(parts) == 2 and parts[1] in layout.KIND_OF_FILE:
        return decode(parts[0]), layout.KIND_OF_FILE[parts[1]]
    if len(parts) == 3 and parts[1] in layout.KIND_OF_FOLDER and parts[2].endswith(".json"):
        return decode(parts[0]), layout.KIND_OF_FOLDER[parts[1]]
    return None


def _no_object(name: str) -> bool:
    parts = name.split("/")
    if len(parts) == 1:
        return name.startswith(MAPPING_FILES) or name.endswith(".md")
    return any(part.startswith(".") for part in parts) or parts[-1].endswith((".jar", ".md"))


def _parsed(text: str | None) -> Any:
    """The value of a text that is well-formed, with no key given twice; None otherwise."""
    if text is None:
        return None
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refused, parse_int=_integer)
    except (ValueError, OverflowError, RecursionError):
        return None


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _integer(text: str) -> int:
    number = int(text)
    float(number)  # CDAP keeps doubles: what none can hold is refused
    return number


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is given twice")
    return made


def _report(path: Path, text: str | None, found: list[layout.Problem], diagnostics: Diagnostics) -> None:
    """Say where; only files that are wrong are read by the reader that knows positions, which is slower."""
    node, mistakes = load_document(path, text)
    if mistakes or node is None:
        diagnostics.extend(mistakes.items)
        return
    for code, at, message, remedy in found:
        node.report(code, at, message, remedy)
    if not found:
        diagnostics.add("DP602", Position(shown_path(path)), "the file is no export", "export the object again")
    diagnostics.extend(node.document.diagnostics.items)


def write(folder: Path, export: Export, covered: Callable[[Key], bool]) -> Written:
    """Write objects, and remove the files of those that are covered and gone.

    `covered` says of which objects the export is the whole truth: nothing is deleted because it was not asked for.
    """
    before: dict[Key, Json] = {}
    places: dict[Key, Path] = {}
    if folder.is_dir():
        try:
            loaded = load(folder)
            before, places = loaded.export, loaded.places
        except RefusedError:
            pass
    kept = {key: body for key, body in before.items() if not covered(key)} | dict(export)
    targets = {key: folder / path for key, path in layout.paths(kept).items()}
    written = Written()
    for key in sorted(kept):
        target = targets[key]
        data = normalise.dumps(kept[key]).encode()
        old = places.get(key)
        if old is not None and old == target and target.read_bytes() == data:
            continue
        if key not in export and old == target:
            continue  # not asked for: a file somebody formatted otherwise stays as it is
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, data)
        (written.added if old is None else written.changed).append(target)
    keep = set(targets.values())
    for path in places.values():
        if path not in keep:
            path.unlink(missing_ok=True)
            written.removed.append(path)
    return written


def _replace(target: Path, data: bytes) -> None:
    """Whole or not at all, also when killed."""
    temporary = target.with_name(f".{target.name[:60]}.new")
    temporary.write_bytes(data)
    temporary.replace(target)
