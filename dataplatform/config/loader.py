"""The one loader: a file → a tree that knows positions → a strict model, or diagnostics.

Nothing else in the program parses YAML or JSON that a person wrote.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path as FilePath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from dataplatform.config.document import Document, Node, Path
from dataplatform.config.explain import close, explain, how_to_add, known_keys, model_at
from dataplatform.config.jsonreader import read_json
from dataplatform.config.text import escaped, shown
from dataplatform.config.yamlreader import read_yaml
from dataplatform.diagnostics import Diagnostics, Position, nearest, relative

__all__ = ["MAX_BYTES", "Node", "digest_of", "load_document", "validate"]

MAX_BYTES = 2_000_000
"""Larger files are refused unread: no one writes them by hand."""

_STACK_FILE = re.compile(r"Pulumi\..+\.ya?ml")
"""Values of these files may be secrets: no excerpt shows them."""

M = TypeVar("M", bound=BaseModel)


def load_document(path: FilePath, text: str | None = None) -> tuple[Node | None, Diagnostics]:
    """Read a file, JSON where its name ends in `.json` and YAML otherwise.

    Args:
        path: The file; its name is what diagnostics show.
        text: The file's text where it is known already.

    Returns:
        The tree, or None where the text is too broken for one, and the mistakes. A tree may come with mistakes: what
        they concern is flawed in it and not complained about again.
    """
    name = shown_path(path)
    diagnostics = Diagnostics()
    if text is None:
        text = _read(path, name, diagnostics)
        if text is None:
            return None, diagnostics
    elif len(text) > MAX_BYTES:
        _too_large(name, len(text), diagnostics)
        return None, diagnostics
    json = path.suffix.lower() == ".json"
    begin = 1 if text.startswith("\ufeff") else 0
    document = Document(name, text[begin:], yaml=not json, stack_file=_STACK_FILE.fullmatch(path.name) is not None)
    node = None
    nul = document.text.find("\0")
    if nul >= 0:
        document.report("DP103", nul, "the file holds a NUL byte", "save it as UTF-8 text")
    elif not document.text.strip():
        document.report("DP106", 0, "the file is empty", "write what belongs in it, or delete it")
    else:
        node = read_json(document) if json else read_yaml(document)
        if node is None and not document.diagnostics:
            document.report("DP106", 0, "the file holds only comments", "write what belongs in it, or delete it")
    return node, Diagnostics(list(document.diagnostics.items))


def shown_path(path: FilePath) -> str:
    """A file's name as diagnostics show it."""
    try:
        return escaped(relative(path))
    except (OSError, RuntimeError, ValueError):
        return escaped(str(path))


def digest_of(path: FilePath) -> str:
    """SHA-256 of a file's bytes, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: FilePath, name: str, diagnostics: Diagnostics) -> str | None:
    place = Position(name)
    try:
        if path.is_dir():
            diagnostics.add("DP101", place, "this is a folder", "name a file")
            return None
        if path.exists() and not path.is_file():
            diagnostics.add("DP101", place, "this is not a regular file", "name a file")
            return None
        size = path.stat().st_size
        if size > MAX_BYTES:
            _too_large(name, size, diagnostics)
            return None
        data = path.read_bytes()
    except FileNotFoundError:
        diagnostics.add("DP101", place, "there is no such file", "create it, or correct its name")
        return None
    except PermissionError:
        diagnostics.add("DP101", place, "the file may not be read", "give yourself the permission to read it")
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not a file's name"
        diagnostics.add("DP101", place, f"the file cannot be read ({reason})", "put that right")
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        what = (
            "the file is UTF-16"
            if data[:2] in (b"\xff\xfe", b"\xfe\xff")
            else f"byte 0x{data[error.start]:02x} is not UTF-8"
        )
        diagnostics.add("DP102", Position(name, line, column), what, "save the file as UTF-8")
        return None


def _too_large(name: str, size: int, diagnostics: Diagnostics) -> None:
    diagnostics.add(
        "DP104", Position(name), f"the file has {size} bytes", f"a file may have at most {MAX_BYTES}: divide it"
    )


def validate(model: type[M], node: Node, *, at: Path = ()) -> tuple[M | None, Diagnostics]:
    """Turn the value at a path of a document into a model, or say all that keeps it from being one.

    Returns:
        The model, or None where the value is wrong, and what was found. It may be None with no mistakes, when all of
        them were told by the reader already.
    """
    document = node.document
    before = len(document.diagnostics.items)
    target = node.at(at)
    if target is None:
        node.report("DP121", at, f"the key {shown(at[-1] if at else '')} is missing", "add it")
        return None, Diagnostics(document.diagnostics.items[before:])
    try:
        result = model.model_validate(target.value())
    except ValidationError as error:
        _explain_all(model, node, at, error)
        return None, Diagnostics(document.diagnostics.items[before:])
    except RecursionError:
        node.report("DP105", at, "nested too deeply", "use fewer levels of nesting")
        return None, Diagnostics(document.diagnostics.items[before:])
    return (None if _flawed(target) else result), Diagnostics()


def _flawed(node: Node) -> bool:
    if node.flawed:
        return True
    if node.kind == "mapping":
        return any(_flawed(child) for _, child in node.entries.values())
    return any(_flawed(child) for child in node.items)


def _explain_all(model: type[BaseModel], root: Node, at: Path, error: ValidationError) -> None:
    target = root.at(at)
    assert target is not None
    found = error.errors(include_url=False)
    unknown: dict[Path, list[str]] = {}
    for item in found:
        if item["type"] == "extra_forbidden":
            unknown.setdefault(tuple(item["loc"][:-1]), []).append(str(item["loc"][-1]))
    for item in found:
        loc = tuple(item["loc"])
        parent, last = loc[:-1], (loc[-1] if loc else "")
        if item["type"] == "missing":
            if any(close(name, [str(last)]) for name in unknown.get(parent, ())):
                continue  # the misspelt key is told
            path = _path(target, parent)
            if not _flawed_on(root, (*at, *path)):
                root.document.report(
                    "DP121",
                    _mapping_offset(root, (*at, *path)),
                    f"the key {shown(last)} is missing",
                    how_to_add(model_at(model, path), str(last), json=not root.document.yaml),
                    path=(*at, *path),
                )
        elif item["type"] == "extra_forbidden":
            _unknown_key(model, root, at, _path(target, loc), json=not root.document.yaml)
        else:
            key = last == "[key]" and target.at(parent) is not None
            path = _path(target, parent if key else loc)
            if _flawed_on(root, (*at, *path)):
                continue
            value = target.at(path)
            raw = str(path[-1]) if key else (value.raw if value is not None and value.kind == "scalar" else "")
            code, message, remedy = explain(item, raw, path, json=not root.document.yaml)
            place_key = key or bool(item.get("ctx", {}).get("key"))
            root.report(code, (*at, *path), message, remedy, key=place_key)


def _unknown_key(model: type[BaseModel], root: Node, at: Path, path: Path, *, json: bool) -> None:
    if _flawed_on(root, (*at, *path)):
        return
    known = known_keys(model_at(model, path[:-1]))
    name = str(path[-1])
    same = next((key for key in known if key.lower() == name.lower().replace("-", "_")), None)
    remedy = f"did you mean '{same}'?" if same else nearest(name[:100], known)
    root.report("DP120", (*at, *path), f"unknown key {shown(name)}", remedy, key=True)


def _mapping_offset(root: Node, path: Path) -> int:
    """A mapping's place: its key where it has one, else where it begins."""
    node = root.at(path)
    if node is None or not path or isinstance(path[-1], int):
        return root.offset_of(path)
    return root.offset_of(path, key=True)


def _path(target: Node, loc: Path) -> Path:
    """Pydantic's location without what is no part of the document: branches of unions, `[key]`."""
    path: list[str | int] = []
    node = target
    for part in loc:
        child = node.child(part)
        if child is not None:
            path.append(part)
            node = child
    return tuple(path)


def _flawed_on(root: Node, path: Path) -> bool:
    node: Node | None = root
    for part in path:
        if node is None or node.flawed:
            break
        node = node.child(part)
    return node is not None and node.flawed
