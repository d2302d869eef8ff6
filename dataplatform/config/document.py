"""Documents: plain data that remembers where in its file every key and value stands.

`Node` is immutable in use; the readers in `yamlreader` and `jsonreader` build it. A node is `flawed` when its reader
has already complained about it, so that nobody complains a second time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from dataplatform.config.plaintext import secret_key, secret_shape
from dataplatform.config.text import dotted, escaped, shown, source_line
from dataplatform.diagnostics import Diagnostic, Diagnostics, Position

Path = tuple[str | int, ...]
"""The way from a document's root to a value: keys and indexes."""

MAX_REPORTED = 200
"""So many mistakes of one document are told; a file with more is not the file its reader takes it for."""

_BREAK = re.compile(r"\r\n|[\n\r]")
_YAML_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_SECRET_LINE_KEY = re.compile(r"""["']?([A-Za-z_][\w.:/-]*)["']?\s*:""")
_CONFIG_KEY = re.compile(r"^\s*[\"']?[\w.-]+:(?!\s)[\w.:-]+[\"']?\s*:")


@dataclass(slots=True)
class Document:
    """A file's text, its lines, and what was found wrong with it so far."""

    file: str
    """The name diagnostics show."""
    text: str
    yaml: bool = True
    stack_file: bool = False
    """Whether values directly below `config:` may be secrets, so that no excerpt shows them."""
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    _starts: list[int] = field(default_factory=list)

    def starts(self) -> list[int]:
        """Offset of the first character of every line."""
        if not self._starts:
            pattern = _YAML_BREAK if self.yaml else _BREAK
            self._starts = [0, *(match.end() for match in pattern.finditer(self.text))]
        return self._starts

    def position(self, offset: int) -> Position:
        """The place of a character."""
        starts = self.starts()
        line = bisect_right(starts, offset)
        return Position(escaped(self.file), line, offset - starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a line (from 1) without its end; empty where there is none."""
        starts = self.starts()
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n\x85\u2028\u2029")

    def excerpt(self, number: int) -> str:
        """The line as a diagnostic may show it: escaped, and empty where it may hold a secret."""
        line = self.line(number)[:400]
        if self._secret_text(line) or secret_shape(line) or self._in_secret_block(number):
            return ""
        return source_line(line)

    def quote(self, offset: int, text: str) -> str:
        """A text of the document as a message may show it, or dots where it may be a secret's value."""
        position = self.position(offset)
        before = self.line(position.line)[max(0, position.column - 500) : position.column - 1]
        hidden = self._secret_text(before) or secret_shape(text[:1000]) or self._in_secret_block(position.line)
        return "'…'" if hidden else shown(text)

    def _in_secret_block(self, number: int) -> bool:
        """Whether a line belongs to what began above it and may be a secret.

        Judged by the text alone, because a file that cannot be read has no tree: by indentation, and in a stack file
        by the last configuration key before the line, however the lines between are indented.
        """
        indent = _indent(self.line(number))
        inside = True
        for above in range(number - 1, max(0, number - 1000), -1):
            text = self.line(above)
            if self.stack_file and _CONFIG_KEY.match(text):
                if self._secret_text(text):
                    return True
                if not inside:
                    return False
            if inside and text.strip() and _indent(text) < indent:
                indent = _indent(text)
                if self._secret_text(text):
                    return True
                inside = indent > 0
            if not inside and not self.stack_file:
                return False
        return False

    def _secret_text(self, line: str) -> bool:
        if self.stack_file and _CONFIG_KEY.match(line) and "data-platform:platform" not in line:
            return True
        return any(secret_key(match[1]) or match[1] == "secure" for match in _SECRET_LINE_KEY.finditer(line[:2000]))

    def report(self, code: str, offset: int, message: str, remedy: str, *, path: Path = (), at: str = "") -> None:
        """Record a mistake at a character, with its line. `at` is the dotted path where `path` is not at hand."""
        self.add(code, self.position(offset), message, remedy, path=at or dotted(path))

    def add(self, code: str, position: Position, message: str, remedy: str, *, path: str = "") -> None:
        """Record a mistake at a place, with its line."""
        found = self.diagnostics.items
        if len(found) > MAX_REPORTED:
            return
        if len(found) == MAX_REPORTED:
            code, path = "DP117", ""
            message, remedy = f"more than {MAX_REPORTED} mistakes", "put these right first; the rest is not shown"
        found.append(
            Diagnostic(
                code=code,
                position=position,
                message=escaped(message),
                remedy=escaped(remedy),
                path=escaped(path),
                source=self.excerpt(position.line),
            )
        )


def _indent(line: str) -> int:
    """Columns of white space before the text; a tab, which is an error, counts as the widest it could be meant."""
    return len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())


Kind = Literal["mapping", "sequence", "scalar"]


class Node:
    """A value of a document, with its place. The root stands for the document."""

    __slots__ = ("document", "entries", "flawed", "items", "kind", "offset", "plain", "raw", "scalar")

    def __init__(self, document: Document, kind: Kind, offset: int) -> None:
        self.document = document
        self.kind: Kind = kind
        self.offset = offset
        self.entries: dict[str, tuple[int, Node]] = {}
        """Of a mapping: key → offset of the key, value."""
        self.items: list[Node] = []
        """Of a sequence."""
        self.scalar: Any = None
        self.raw = ""
        """Of a scalar: the text as written between its quotes, if any."""
        self.plain = False
        """Whether a scalar stands without quotes."""
        self.flawed = False

    def value(self) -> Any:
        """The value as plain data."""
        if self.kind == "scalar":
            return self.scalar
        if self.kind == "mapping":
            return {key: node.value() for key, (_, node) in self.entries.items()}
        return [node.value() for node in self.items]

    def child(self, part: str | int) -> Node | None:
        """The value under a key or index."""
        if self.kind == "mapping":
            entry = self.entries.get(part) if isinstance(part, str) else None
            return entry[1] if entry else None
        if self.kind == "sequence" and isinstance(part, int) and -len(self.items) <= part < len(self.items):
            return self.items[part]
        return None

    def at(self, path: Path) -> Node | None:
        """The value at the end of a path."""
        node: Node | None = self
        for part in path:
            if node is None:
                return None
            node = node.child(part)
        return node

    def offset_of(self, path: Path, *, key: bool = False) -> int:
        """Where the value at a path begins, or its key; the deepest place there is where the path goes on beyond."""
        node, offset = self, self.offset
        for index, part in enumerate(path):
            child = node.child(part)
            if child is None:
                return offset
            own = node.entries[part][0] if isinstance(part, str) else child.offset
            last = index == len(path) - 1
            offset = own if key and last else child.offset
            if not last and path[index + 1 :] and child.child(path[index + 1]) is None:
                # What is missing is missing from the mapping, and a mapping is known by its key.
                return own
            node = child
        return offset

    def position_of(self, path: Path = (), key: bool = False) -> Position:
        """The place of the value at a path, or of its key."""
        return self.document.position(self.offset_of(path, key=key))

    def line_text(self, line: int) -> str:
        """The text of a line of the document, as an excerpt may show it."""
        return self.document.excerpt(line)

    def report(self, code: str, path: Path, message: str, remedy: str, *, key: bool = False, base: Path = ()) -> None:
        """Record a mistake at a path below this node; `base` is the way from the root to this node."""
        offset = self.offset_of(path, key=key)
        self.document.report(code, offset, message, remedy, path=(*base, *path))

    def walk(self) -> Iterator[tuple[Path, str | None, Node]]:
        """Every scalar below: its path, the nearest key above it, and itself."""
        stack: list[tuple[Path, str | None, Node]] = [((), None, self)]
        while stack:
            path, key, node = stack.pop()
            if node.kind == "scalar":
                yield path, key, node
            elif node.kind == "mapping":
                stack.extend(((*path, name), name, child) for name, (_, child) in reversed(node.entries.items()))
            else:
                stack.extend(((*path, i), key, child) for i, child in reversed(list(enumerate(node.items))))
