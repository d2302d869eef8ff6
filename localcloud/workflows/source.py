"""A workflow's text, YAML or JSON, as a tree that knows its lines.

Scalars are resolved as the service's YAML 1.2 reader does, not as PyYAML's 1.1: `yes` and `on` are strings, dates are
strings. Map keys are strings. An expression may stand in a flow collection without quotes, `[${a}, ${b}]`, as Google's
samples write it; a colon or a hash sign after a space needs quotes there as anywhere.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import yaml

from localcloud.workflows import limits

_MAX_NODES = 200_000
_MAX_DEPTH = 200
_NULL = ("", "~", "null", "Null", "NULL")
_TRUE = ("true", "True", "TRUE")
_FALSE = ("false", "False", "FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BLANK = "\0 \t\r\n\x85\u2028\u2029"
_CORE = ("null", "bool", "int", "float", "str", "timestamp", "map", "seq", "merge", "value")


class SourceError(Exception):
    """Raised for a text that is not well-formed. Lines and columns count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, eq=False)
class Node:
    """A value of the text with its place. `data` is a scalar, a list of nodes or a dict of nodes.

    `keys` are the places of a map's keys.
    """

    data: Any
    line: int
    column: int
    keys: dict[str, Node]

    @property
    def is_map(self) -> bool:
        """Whether it is a map."""
        return isinstance(self.data, dict)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.data, list)

    def get(self, key: str) -> Node | None:
        """A map's value, or None."""
        return self.data.get(key) if self.is_map else None

    def kind(self) -> str:
        """What it is, in words."""
        if self.is_map:
            return "a map"
        if self.is_list:
            return "a list"
        return "null" if self.data is None else f"{self.data!r}"


def load(text: str) -> Node:
    """Read a text. Raises SourceError."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.SOURCE_BYTES:
        raise SourceError(f"source code size of {size} bytes exceeds the limit of {limits.SOURCE_BYTES} bytes")
    if text.lstrip()[:1] in ("{", "["):
        # JSON may be indented with tabs, which YAML refuses; inside JSON strings a raw tab is not allowed anyway.
        text = text.replace("\t", " ")
    try:
        documents = list(yaml.compose_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SourceError(f"yaml: {error.problem or error.context}", *place) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SourceError(f"yaml: {' '.join(str(error).split()) or 'too deeply nested'}") from None
    if len(documents) != 1 or documents[0] is None:
        raise SourceError(
            "the source holds no workflow" if not documents else "the source holds more than one document"
        )
    return _Converter().convert(documents[0], 0)


class _Loader(yaml.SafeLoader):
    """Reads `${…}` in a flow collection as one plain scalar; by YAML's own rules the brace would begin a map."""

    def scan_plain(self) -> yaml.ScalarToken:
        """The plain scalar that begins here."""
        length = self._expression() if self.flow_level and self.prefix(2) == "${" else 0
        if not length:
            token: yaml.ScalarToken = super().scan_plain()
            return token
        start, text = self.get_mark(), self.prefix(length)
        self.forward(length)
        return yaml.ScalarToken(text, True, start, self.get_mark())

    def _expression(self) -> int:
        """How many characters the expression has; 0 where it is not one that can do without quotes."""
        depth, quoted, position = 0, False, 0
        while (character := self.peek(position)) not in "\0\r\n\x85\u2028\u2029":
            following = self.peek(position + 1) if character != "\0" else "\0"
            if (character == ":" and following in _BLANK) or (character in " \t" and following == "#"):
                return 0
            position += 1
            if quoted:
                if character == "\\" and following not in _BLANK:
                    position += 1
                quoted = character != '"'
            elif character == '"':
                quoted = True
            elif character == "{":
                depth += 1
            elif character == "}":
                depth -= 1
                if depth == 0:
                    return position if self.peek(position) in _BLANK or self.peek(position) in ",]}:" else 0
        return 0


class _Converter:
    def __init__(self) -> None:
        self.count = 0

    def convert(self, node: yaml.Node, depth: int) -> Node:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        self.count += 1
        if self.count > _MAX_NODES or depth > _MAX_DEPTH:
            raise SourceError(
                "the source is too large or too deeply nested once its aliases are expanded", line, column
            )
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _CORE:
            raise SourceError(f"yaml: unknown tag {node.tag}", line, column)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth, line, column)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.convert(n, depth + 1) for n in node.value], line, column, {})
        return Node(_scalar(node), line, column, {})

    def mapping(self, node: yaml.MappingNode, depth: int, line: int, column: int) -> Node:
        data: dict[str, Node] = {}
        keys: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = self.convert(key_node, depth + 1)
            if isinstance(key.data, dict | list):
                raise SourceError("yaml: a map's key must be a scalar", key.line, key.column)
            name = key_node.value
            if name in data:
                raise SourceError(f"yaml: key '{name}' is defined twice in one map", key.line, key.column)
            data[name] = self.convert(value_node, depth + 1)
            keys[name] = key
        return Node(data, line, column, keys)


def _scalar(node: yaml.Node) -> Any:
    text: str = node.value
    if any("\ud800" <= c <= "\udfff" for c in text):
        # JSON writes characters beyond the basic plane as two escapes, which PyYAML leaves as they are.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if getattr(node, "style", None):
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text) and len(text) <= 20 and -(2**63) <= int(text) < 2**63:
        return int(text)
    if _HEX.fullmatch(text) and len(text) <= 100:
        number = int(text, 0)
        return number if number < 2**63 else float(number)
    if not _FLOAT.fullmatch(text):
        return text
    double = float(text)
    if math.isinf(double):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        mark = node.start_mark
        raise SourceError(f"the number {shown} does not fit into a double", mark.line + 1, mark.column + 1)
    return double
