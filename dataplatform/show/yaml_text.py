"""Plain data → YAML as a person would write it: block style, text as it reads, quotes only where they are needed.

A text stays plain only where no YAML reader, of 1.1 or of 1.2, could see anything else in it. (The compiler has a
writer of its own: what a machine reads is ASCII, on fewer lines.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./-]*[A-Za-z0-9_])?")
_KEYWORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})


def dump(value: Any) -> str:
    """JSON data with a mapping or list at its top, as YAML."""
    return "".join(_lines(value, 0))


def _lines(value: Any, indent: int) -> list[str]:
    pad = " " * indent
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            lines += _entry(f"{pad}{_scalar(key)}:", item, indent)
    else:
        for item in value:
            if isinstance(item, Mapping | list) and item:
                inner = _lines(item, indent + 2)
                lines += [f"{pad}- {inner[0][indent + 2 :]}", *inner[1:]]
            else:
                lines += _entry(f"{pad}-", item, indent)
    return lines


def _entry(head: str, item: Any, indent: int) -> list[str]:
    if isinstance(item, Mapping | list) and item:
        return [f"{head}\n", *_lines(item, indent + 2)]
    if isinstance(item, str) and _is_block(item):
        lines = item.removesuffix("\n").split("\n")
        pad = " " * (indent + 2)
        mark = "|" if item.endswith("\n") else "|-"
        return [f"{head} {mark}\n", *(f"{pad}{line}\n" if line else "\n" for line in lines)]
    return [f"{head} {_scalar(item)}\n"]


def _is_block(text: str) -> bool:
    """Whether a text of several lines, such as a query, can stand as it is."""
    if "\n" not in text or text.endswith("\n\n"):
        return False
    lines = text.removesuffix("\n").split("\n")
    return (
        bool(lines[0].strip())
        and not lines[0].startswith(" ")
        and all(line.isprintable() and (line.strip() or not line) for line in lines)
    )


def _scalar(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list):
        return "[]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _KEYWORDS:
        return value
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _escaped(char: str) -> str:
    if char in '\\"':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char)
    return short or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
