"""A stack's outputs as lines: one for each value, so that none is a line of a thousand characters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

SHORT = 60
"""Characters of a mapping or list that still goes on one line."""


def lines(outputs: Mapping[str, Any]) -> Iterator[str]:
    """The outputs by name; what is inside of one stands below it."""
    for name, value in sorted(outputs.items()):
        yield from _value(name, value, "  ")


def _value(name: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{indent}{name} = {' '.join(value.split())}"
        return
    text = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict) or not value or len(text) <= SHORT:
        yield f"{indent}{name} = {text}"
        return
    yield f"{indent}{name}:"
    for key, inner in value.items():
        yield from _value(str(key), inner, f"{indent}  ")
