"""Evaluation of expressions: the operators' typing rules and access to maps and lists.

Rules by https://cloud.google.com/workflows/docs/reference/syntax/datatypes, "Implicit data type conversions": `+`
adds numbers and, as soon as one side is a string, joins the text of strings, numbers and booleans; everything else
is a TypeError. Integers are 64 bits and overflow is an error, not a wrapped value.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Protocol

from localcloud.workflows import expressions as ex
from localcloud.workflows.failures import failure, key_error, type_error, value_error
from localcloud.workflows.values import INTEGER_MAX, INTEGER_MIN, Value, equal, is_number, scalar_text, type_name

_ORDER: dict[str, Callable[[Value, Value], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Environment(Protocol):
    """What an expression is evaluated in."""

    def lookup(self, name: str) -> Value:
        """The value of a variable; raises WorkflowError where it has none."""
        ...

    def has_variable(self, name: str) -> bool:
        """Whether a variable of that name is visible: a variable hides a library module of the same name."""
        ...

    def call(self, path: str, arguments: list[Value]) -> Value:
        """Call a library function or a subworkflow."""
        ...

    def constant(self, path: str) -> Value:
        """A library constant, or a function or subworkflow as a value; raises KeyError where there is none."""
        ...


def evaluate(node: ex.Expression, env: Environment) -> Value:
    """The value of an expression. Raises WorkflowError."""
    match node:
        case ex.Literal(value):
            return _checked(value) if isinstance(value, int) else value
        case ex.Name(name):
            return env.lookup(name) if env.has_variable(name) else _constant_path(name, env)
        case ex.Member(target, key):
            path = ex.dotted_path(node)
            if path is not None and not env.has_variable(path.split(".", 1)[0]):
                return _constant_path(path, env)
            return member(evaluate(target, env), key)
        case ex.Index(target, key):
            return element(evaluate(target, env), evaluate(key, env))
        case ex.Call(path, arguments):
            return env.call(path, [evaluate(a, env) for a in arguments])
        case ex.Unary("-", ex.Literal(int() as value)) if not isinstance(value, bool):
            return _checked(-value)
        case ex.Unary("-", operand):
            return _negative(evaluate(operand, env))
        case ex.Unary(_, operand):
            return not _boolean(evaluate(operand, env), "not")
        case ex.Binary("and", left, right):
            return _boolean(evaluate(left, env), "and") and _boolean(evaluate(right, env), "and")
        case ex.Binary("or", left, right):
            return _boolean(evaluate(left, env), "or") or _boolean(evaluate(right, env), "or")
        case ex.Binary(name, left, right):
            return binary(name, evaluate(left, env), evaluate(right, env))
        case ex.ListLiteral(items):
            return [evaluate(i, env) for i in items]
        case ex.MapLiteral(entries):
            return {_map_key(evaluate(k, env)): evaluate(v, env) for k, v in entries}


def _constant_path(path: str, env: Environment) -> Value:
    """`http.default_retry.max_retries`: the longest known constant, then its members."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = env.constant(".".join(parts[:length]))
        except KeyError:
            continue
        for part in parts[length:]:
            value = member(value, part)
        return value
    raise failure("KeyError", f"variable not found: {parts[0]}")


def _map_key(value: Value) -> str:
    if not isinstance(value, str):
        raise type_error(f"a map's key must be a string; got: {type_name(value)}")
    return value


def _boolean(value: Value, name: str) -> bool:
    if not isinstance(value, bool):
        raise type_error(f"operand of '{name}' must be a boolean; got: {type_name(value)}")
    return value


def _checked(number: int) -> int:
    if isinstance(number, bool) or INTEGER_MIN <= number <= INTEGER_MAX:
        return number
    raise value_error(f"integer overflow: {number} does not fit into 64 bits")


def _negative(value: Value) -> Value:
    if not is_number(value):
        raise type_error(f"operand of unary '-' must be a number; got: {type_name(value)}")
    return _checked(-value) if isinstance(value, int) else -value


def member(target: Value, key: str) -> Value:
    """`target.key`."""
    if not isinstance(target, dict):
        raise type_error(f"cannot access member '{key}' of a value of type {type_name(target)}")
    if key not in target:
        raise key_error(key)
    return target[key]


def element(target: Value, key: Value) -> Value:
    """`target[key]`."""
    if isinstance(target, dict):
        if not isinstance(key, str):
            raise type_error(f"a map's key must be a string; got: {type_name(key)}")
        return member(target, key)
    if isinstance(target, list):
        return target[list_index(target, key)]
    raise type_error(f"a value of type {type_name(target)} cannot be indexed")


def list_index(target: list[Value], key: Value) -> int:
    """The checked index of a list's element."""
    if not isinstance(key, int) or isinstance(key, bool):
        raise type_error(f"a list's index must be an integer; got: {type_name(key)}")
    if not 0 <= key < len(target):
        raise failure("IndexError", f"index out of range: {key} in a list of length {len(target)}")
    return key


def binary(name: str, left: Value, right: Value) -> Value:
    """An operator with two evaluated operands, logical ones excepted."""
    if name == "==":
        return equal(left, right)
    if name == "!=":
        return not equal(left, right)
    if name == "in":
        return _contains(left, right)
    if name in _ORDER:
        return _compare(name, left, right)
    if name == "+" and (isinstance(left, str) or isinstance(right, str)):
        return _join(left, right)
    if not (is_number(left) and is_number(right)):
        raise type_error(f"unsupported operand types for '{name}': {type_name(left)} and {type_name(right)}")
    return _arithmetic(name, left, right)


def _contains(key: Value, container: Value) -> bool:
    if isinstance(container, dict):
        if not isinstance(key, str):
            raise type_error(f"a map's key must be a string; got: {type_name(key)}")
        return key in container
    if isinstance(container, list):
        return any(equal(key, item) for item in container)
    raise type_error(f"The argument of 'in' must be a dict or an array; got: {type_name(container)}")


def _compare(name: str, left: Value, right: Value) -> bool:
    if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return _ORDER[name](left, right)
    raise type_error(f"values of types {type_name(left)} and {type_name(right)} cannot be ordered with '{name}'")


def _join(left: Value, right: Value) -> str:
    for side in (left, right):
        if not (isinstance(side, str | bool) or is_number(side)):
            raise type_error(f"unsupported operand types for '+': {type_name(left)} and {type_name(right)}")
    return scalar_text(left) + scalar_text(right)


def _arithmetic(name: str, left: Value, right: Value) -> Value:
    if name in ("/", "//", "%") and right == 0:
        raise failure("ZeroDivisionError", "division by zero")
    try:
        result = _NUMERIC[name](left, right)
    except OverflowError:
        raise value_error(f"numeric overflow in '{name}'") from None
    if isinstance(result, int):
        return _checked(result)
    if math.isinf(result) and not (math.isinf(left) or math.isinf(right)):
        raise value_error(f"numeric overflow in '{name}'")
    return result


_NUMERIC: dict[str, Callable[[Value, Value], Value]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
