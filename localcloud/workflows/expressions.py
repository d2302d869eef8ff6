"""The syntax tree of `${…}` expressions, and the door to their parser (`grammar`).

By https://cloud.google.com/workflows/docs/reference/syntax/expressions and …/syntax/datatypes ("Order of
operations", most binding first): `()`, `.` and `[]`, `not`, unary minus, `* / // %`, `+ -`, comparison with `in`,
`and`, `or`. String literals are in double quotes. A text is an expression only as a whole: the reference has "all
expressions must begin with a $ and be enclosed in curly brackets", and nothing about text around them, so
`Hello ${name}` is plain text and `${a} and ${b}` is one malformed expression.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any


class ExpressionError(Exception):
    """Raised for an expression that cannot be parsed. `offset` counts characters from the expression's start."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True)
class Literal:
    """A number, string, boolean or null."""

    value: Any


@dataclass(frozen=True)
class Name:
    """A bare name: a variable, a subworkflow or the root of a library path."""

    name: str


@dataclass(frozen=True)
class Member:
    """`a.b`."""

    target: Expression
    key: str


@dataclass(frozen=True)
class Index:
    """`a[b]`."""

    target: Expression
    key: Expression


@dataclass(frozen=True)
class Call:
    """`f(x, …)`; `path` is the dotted name."""

    path: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Unary:
    """`-x` or `not x`."""

    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary:
    """Any operator with two operands."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class ListLiteral:
    """`[a, b]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class MapLiteral:
    """`{"a": b}`."""

    entries: tuple[tuple[Expression, Expression], ...]


Expression = Literal | Name | Member | Index | Call | Unary | Binary | ListLiteral | MapLiteral


def is_expression(text: str) -> bool:
    """Whether a string of the source is an expression: it begins with `${` and ends with `}`."""
    return text.startswith("${") and text.endswith("}")


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Parse the text between `${` and `}`. Raises ExpressionError. Trees never change, so equal texts share one."""
    # Lark takes 60 ms to import: a provider plugin that never sees a workflow must not pay for it.
    from localcloud.workflows.grammar import parse_text

    return parse_text(text)


def parse_target(text: str) -> Expression:
    """Parse what an assignment may write to: a variable with members and indexes. Raises ExpressionError."""
    target = parse(text)
    root = target
    while isinstance(root, Member | Index):
        root = root.target
    if not isinstance(root, Name):
        raise ExpressionError(f"'{text}' is not a variable, a map's key or a list's element")
    return target


def dotted_path(expression: Expression) -> str | None:
    """`a.b.c` of a chain of names, or None for anything else."""
    parts: list[str] = []
    while isinstance(expression, Member):
        parts.append(expression.key)
        expression = expression.target
    if not isinstance(expression, Name):
        return None
    return ".".join([expression.name, *reversed(parts)])


def walk(expression: Expression) -> list[Expression]:
    """The expression and everything in it."""
    found: list[Expression] = [expression]
    match expression:
        case Member(target, _):
            found += walk(target)
        case Index(target, key):
            found += walk(target) + walk(key)
        case Call(_, arguments):
            found += [e for a in arguments for e in walk(a)]
        case Unary(_, operand):
            found += walk(operand)
        case Binary(_, left, right):
            found += walk(left) + walk(right)
        case ListLiteral(items):
            found += [e for a in items for e in walk(a)]
        case MapLiteral(entries):
            found += [e for pair in entries for a in pair for e in walk(a)]
    return found
