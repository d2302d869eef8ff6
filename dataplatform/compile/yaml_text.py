"""Plain data → YAML text that every YAML reader understands the same way.

PyYAML's own dumper quotes by the rules of YAML 1.1; a 1.2 reader takes some of what it leaves plain (`0o17`, `1e3`) for
numbers. Here a string is left plain only where no reader could see anything else in it. The text is ASCII and a pure
function of the data: keys keep their order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeGuard

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_KEYWORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Inline(dict[str, object]):
    """A mapping that is written on one line."""


def dump(value: object, indent: int = 0) -> str:
    """`value` (mappings with string keys, sequences, strings, whole numbers, booleans, None) as block YAML."""
    pad = " " * indent
    if isinstance(value, Mapping) and value and not isinstance(value, Inline):
        return "".join(_entry(pad + scalar(key), item, indent) for key, item in value.items())
    if _is_block_list(value):
        return "".join(f"{pad}- {dump(item, indent + 2)[indent + 2 :]}" for item in value)
    return f"{pad}{inline(value)}\n"


def _entry(head: str, item: object, indent: int) -> str:
    if (isinstance(item, Mapping) and item and not isinstance(item, Inline)) or _is_block_list(item):
        return f"{head}:\n{dump(item, indent + 2)}"
    return f"{head}: {inline(item)}\n"


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_block_list(value: object) -> TypeGuard[Sequence[object]]:
    """A sequence that is not written on one line: one of anything but scalars."""
    return _is_sequence(value) and any(isinstance(item, Mapping) or _is_sequence(item) for item in value)


def inline(value: object) -> str:
    """`value` as flow YAML, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return scalar(value)


def scalar(value: object) -> str:
    """One string, number, boolean or None."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is not plain data")
    if _PLAIN.fullmatch(value) and value.lower() not in _KEYWORDS:
        return value
    if all(" " <= char <= "~" for char in value):
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if " " <= char <= "~":
        return char
    code = ord(char)
    if 0xD800 <= code < 0xE000:
        raise ValueError("half of a surrogate pair is not text")
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
