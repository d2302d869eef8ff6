"""STEP_PROPERTIES: a JSON object, or the text of one in a string, as AEF has it.

A mistake inside the string is shown at its place in the file, not in the string.
"""

from __future__ import annotations

import re
from typing import Any

from dataplatform.config.document import Document, Node, Path
from dataplatform.config.jsonreader import read_json
from dataplatform.config.plaintext import REMEDY, plain_secret
from dataplatform.config.text import dotted, kind_of, shown

_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
_HIGH_SURROGATE = re.compile(r"\\u[dD][89abAB]")
PLACEHOLDER = re.compile(r"^<[A-Z][A-Z0-9_ -]*>$|(?<![A-Za-z0-9_> ])<[A-Z][A-Z0-9_-]*>|<[A-Z0-9]+(?:_[A-Z0-9]+)+>")
"""`<PROJECT_ID>` and the like, but not `ARRAY<STRING>`."""


def read_properties(root: Node, path: Path) -> dict[str, Any] | None:
    """The properties at a path of a definition, or None where they are wrong, which is told."""
    node = root.at(path)
    if node is None or (node.kind == "scalar" and node.scalar is None and not node.flawed):
        return {}
    before = len(root.document.diagnostics.items)
    if node.kind == "scalar" and isinstance(node.scalar, str):
        value = _from_text(root, path, node, node.scalar)
    else:
        if node.kind != "mapping" and not node.flawed:
            root.report(
                "DP313", path, f"expected a JSON object, found {kind_of(node.value())}", 'write {"key": "value"}'
            )
        value = node.value() if node.kind == "mapping" else None
        if node.kind == "mapping":
            _check(root, path, node)
    told = len(root.document.diagnostics.items) > before
    return value if isinstance(value, dict) and not told else None


def _from_text(root: Node, path: Path, node: Node, text: str) -> Any:
    inner = Document(root.document.file, text, yaml=False)
    tree = read_json(inner) if text.strip() else None
    if not text.strip():
        root.report("DP313", path, "it is an empty text", "leave the key out, or write {}")
        return None
    origin = root.document
    places = _offsets(node, text)
    for found in inner.diagnostics.items if tree is not None else inner.diagnostics.items[:1]:
        offset = inner.starts()[found.position.line - 1] + found.position.column - 1
        place = places[offset] if places and offset < len(places) else node.offset
        remedy = re.sub(r": the first is at \d+:\d+$", "", found.remedy)
        origin.report("DP313", place, f"the text is not a JSON object: {found.message}", remedy, path=path)
    if tree is None:
        return None
    if tree.kind != "mapping":
        if not inner.diagnostics:
            message = f"the text is not a JSON object but {kind_of(tree.value())}"
            root.report("DP313", path, message, 'write "{\\"key\\": \\"value\\"}"')
        return None
    _check(root, path, tree, inside=True, places=places)
    return tree.value()


def _offsets(node: Node, text: str) -> list[int]:
    """Offset in the file of every character of a string, or nothing where that cannot be told."""
    document = node.document
    source = document.text
    begin = node.offset
    quote = source[begin : begin + 1]
    if document.yaml:
        start = begin + (1 if quote in ("'", '"') and not node.plain else 0)
        return list(range(start, start + len(text))) if source.startswith(text, start) else []
    matches = _ESCAPE.finditer(source, begin + 1, begin + 1 + len(node.raw))
    places = [match.start() for match in matches if not _HIGH_SURROGATE.match(match[0])]
    return places if len(places) == len(text) else []


def _check(root: Node, path: Path, tree: Node, *, inside: bool = False, places: list[int] | None = None) -> None:
    """Placeholders and plain-text secrets among the properties."""
    for below, key, leaf in tree.walk():
        offset = leaf.offset if not inside else (places[leaf.offset] if places else root.offset_of(path))
        where = dotted((*path, *below))
        secret = plain_secret(key, leaf.scalar)
        if secret:
            root.document.report("DP318", offset, f"{secret} in plain text", REMEDY, at=where)
        elif isinstance(leaf.scalar, str):
            placeholder = PLACEHOLDER.search(leaf.scalar)
            if placeholder:
                message = f"the placeholder {shown(placeholder[0])} has not been filled in"
                root.document.report("DP317", offset, message, "write the value it stands for", at=where)
