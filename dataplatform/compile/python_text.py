"""Plain data → Python literals, laid out as a formatter would.

The text is ASCII and evaluates to the data: whatever a string holds stays inside its quotes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WIDTH = 110


def literal(value: object, indent: int = 0, used: int = 0) -> str:
    """`value` as a literal. `indent` is that of the line it starts on, `used` what stands before it there."""
    flat = _flat(value)
    if indent + used + len(flat) <= WIDTH or not isinstance(value, Mapping | list | tuple) or not value:
        return flat
    pad = " " * (indent + 4)
    if isinstance(value, Mapping):
        items = [(f"{_flat(key)}: ", item) for key, item in value.items()]
        opening, closing = "{", "}"
    else:
        items = [("", item) for item in value]
        opening, closing = "[]" if isinstance(value, list) else "()"
    lines = [f"{pad}{head}{literal(item, indent + 4, len(head) + 1)},\n" for head, item in items]
    return f"{opening}\n{''.join(lines)}{' ' * indent}{closing}"


def _flat(value: object) -> str:
    if isinstance(value, str):
        return string(value)
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError("infinity and NaN are not JSON data")
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flat(key)}: {_flat(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        inner = ", ".join(_flat(item) for item in value)
        if isinstance(value, tuple):
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        return f"[{inner}]"
    raise TypeError(f"{type(value).__name__} is not plain data")


def string(text: str) -> str:
    """A string literal in ASCII, in double quotes where that needs no escape."""
    single = ascii(text)
    if single.startswith("'") and '"' not in single:
        return f'"{single[1:-1]}"'
    return single
