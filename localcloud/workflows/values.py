"""Values of a workflow: their types, sizes, equality and JSON form.

A workflow's integer is Python's int within 64 bits, a double is a float, null is None. Containers are never changed
in place once they are a variable's value: assignment to an element copies the containers on the way, which is what
makes "passing by value" of the reference cheap.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

Value = Any
"""None, bool, int, float, str, bytes, list, dict with str keys, or a FunctionRef."""

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1


@dataclass(frozen=True)
class FunctionRef:
    """A function or subworkflow used as a value, as in `predicate: ${http.default_retry_predicate}`."""

    name: str


def type_name(value: Value) -> str:
    """The type's name as `get_type` gives it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "double"
        case str():
            return "string"
        case bytes():
            return "bytes"
        case list():
            return "list"
        case dict():
            return "map"
        case _:
            return "function"


def is_number(value: Value) -> bool:
    """Whether the value is an integer or a double."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Value, right: Value) -> bool:
    """Equality without conversion, save between integer and double: `1 == 1.0` holds, `true == 1` does not."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(v, right[k]) for k, v in left.items())
    return bool(left == right)


def memory_size(value: Value) -> int:
    """Bytes a value counts for: 8, plus each element's or byte's own size (reference, "Memory usage")."""
    match value:
        case str():
            return 8 + (len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass")))
        case bytes():
            return 8 + len(value)
        case list():
            return 8 + sum(memory_size(v) for v in value)
        case dict():
            return 8 + sum(memory_size(k) + memory_size(v) for k, v in value.items())
        case _:
            return 8


def scalar_text(value: Value) -> str:
    """Text of a string, number or boolean, as `string()` and `+` give it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def parse_json(text: str | bytes) -> Value:
    """A JSON text's value; integers beyond 64 bits become doubles. Raises ValueError, for NaN and the like too."""
    return json.loads(text, parse_constant=_no_constant, parse_int=_integer, parse_float=_double)


def _no_constant(name: str) -> Value:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int | float:
    # Python's int() refuses thousands of digits with a ValueError of its own.
    number = float(digits) if len(digits) > 20 else int(digits)
    return number if INTEGER_MIN <= number <= INTEGER_MAX and isinstance(number, int) else _double(digits)


def _double(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} does not fit into a double")
    return number


def _unserialisable(value: object) -> object:
    raise TypeError(f"{type_name(value)} cannot be encoded as JSON")


def json_text(value: Value, *, indent: int | str | None = None) -> str:
    """Compact JSON with sorted keys. Raises TypeError for what JSON cannot hold (bytes, functions)."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=separators, indent=indent, default=_unserialisable
    )
