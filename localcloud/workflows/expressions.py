"""The grammar of `${…}` expressions: lexer, parser and syntax tree.

By https://cloud.google.com/workflows/docs/reference/syntax/expressions and …/syntax/datatypes ("Order of
operations", most binding first): `()`, `.` and `[]`, `not`, unary minus, `* / // %`, `+ -`, comparison with `in`,
`and`, `or`. String literals are in double quotes. A text is an expression only as a whole: the reference has "all
expressions must begin with a $ and be enclosed in curly brackets", and nothing about text around them, so
`Hello ${name}` is plain text and `${a} and ${b}` is one malformed expression.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from localcloud.workflows.values import INTEGER_MAX


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

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
      |(?P<string>"(?:[^"\\]|\\.)*")
      |(?P<operator>//|<=|>=|==|!=|[-+*/%<>()\[\]{},.:])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/", "'": "'"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONSTANTS = {
    w: v
    for v, ws in ((True, "true True TRUE"), (False, "false False FALSE"), (None, "null Null NULL"))
    for w in ws.split()
}
_LOGICAL = {"and": "and", "AND": "and", "or": "or", "OR": "or", "not": "not", "NOT": "not"}
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=", "in")
_WORDS = frozenset({*_CONSTANTS, *_LOGICAL, "in"})


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    offset: int


def is_expression(text: str) -> bool:
    """Whether a string of the source is an expression: it begins with `${` and ends with `}`."""
    return text.startswith("${") and text.endswith("}")


def parse(text: str) -> Expression:
    """Parse the text between `${` and `}`. Raises ExpressionError."""
    return _Parser(_tokens(text)).whole()


def parse_target(text: str) -> Expression:
    """Parse what an assignment may write to: a variable with members and indexes. Raises ExpressionError."""
    target = parse(text)
    root = target
    while isinstance(root, Member | Index):
        root = root.target
    if not isinstance(root, Name):
        raise ExpressionError(f"'{text}' is not a variable, a map's key or a list's element")
    return target


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"token recognition error at: '{text[position]}'", position)
        if match.lastgroup != "space":
            found.append(_Token(str(match.lastgroup), match.group(), position))
        position = match.end()
    found.append(_Token("end", "<EOF>", len(text)))
    return found


def _unescape(token: _Token) -> str:
    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] == "u" and len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise ExpressionError(f"unknown escape '\\{code}' in a string", token.offset + match.start())
        return _ESCAPES[code]

    text = _ESCAPE.sub(replace, token.text[1:-1])
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.position = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def take(self, *texts: str) -> str | None:
        """Consume the token if it is one of the operators or words, and give its text."""
        token = self.token
        if token.kind in ("operator", "word") and token.text in texts:
            self.position += 1
            return token.text
        return None

    def expect(self, text: str) -> None:
        if self.take(text) is None:
            raise self.unexpected(f"expecting '{text}'")

    def unexpected(self, hint: str) -> ExpressionError:
        return ExpressionError(f"mismatched input '{self.token.text}' {hint}", self.token.offset)

    def whole(self) -> Expression:
        if self.token.kind == "end":
            raise ExpressionError("expression is empty")
        expression = self.disjunction()
        if self.token.kind != "end":
            raise self.unexpected("expecting <EOF>")
        return expression

    def disjunction(self) -> Expression:
        left = self.conjunction()
        while self.take("or", "OR"):
            left = Binary("or", left, self.conjunction())
        return left

    def conjunction(self) -> Expression:
        left = self.comparison()
        while self.take("and", "AND"):
            left = Binary("and", left, self.comparison())
        return left

    def comparison(self) -> Expression:
        left = self.sum()
        while operator := self.take(*_COMPARISONS):
            left = Binary(operator, left, self.sum())
        return left

    def sum(self) -> Expression:
        left = self.product()
        while operator := self.take("+", "-"):
            left = Binary(operator, left, self.product())
        return left

    def product(self) -> Expression:
        left = self.unary()
        while operator := self.take("*", "/", "//", "%"):
            left = Binary(operator, left, self.unary())
        return left

    def unary(self) -> Expression:
        if self.take("-"):
            return Unary("-", self.unary())
        if self.take("not", "NOT"):
            return Unary("not", self.unary())
        return self.postfix()

    def postfix(self) -> Expression:
        expression = self.primary()
        while True:
            if self.take("."):
                if self.token.kind != "word":
                    raise self.unexpected("expecting a name")
                expression = Member(expression, self.token.text)
                self.position += 1
            elif self.take("["):
                expression = Index(expression, self.disjunction())
                self.expect("]")
            elif self.token.text == "(" and self.token.kind == "operator":
                path = dotted_path(expression)
                if path is None:
                    raise self.unexpected("only a function can be called")
                self.position += 1
                expression = Call(path, self.items(")"))
            else:
                return expression

    def items(self, closing: str) -> tuple[Expression, ...]:
        found: list[Expression] = []
        if self.take(closing):
            return ()
        while True:
            found.append(self.disjunction())
            if self.take(closing):
                return tuple(found)
            self.expect(",")

    def primary(self) -> Expression:
        token = self.token
        if self.take("("):
            inner = self.disjunction()
            self.expect(")")
            return inner
        if self.take("["):
            return ListLiteral(self.items("]"))
        if self.take("{"):
            return MapLiteral(self.entries())
        self.position += 1
        if token.kind == "number":
            return Literal(_number(token))
        if token.kind == "string":
            return Literal(_unescape(token))
        if token.kind == "word" and token.text in _CONSTANTS:
            return Literal(_CONSTANTS[token.text])
        if token.kind == "word" and token.text not in _WORDS:
            return Name(token.text)
        self.position -= 1
        raise self.unexpected("expecting an operand")

    def entries(self) -> tuple[tuple[Expression, Expression], ...]:
        found: list[tuple[Expression, Expression]] = []
        if self.take("}"):
            return ()
        while True:
            key = self.disjunction()
            self.expect(":")
            found.append((key, self.disjunction()))
            if self.take("}"):
                return tuple(found)
            self.expect(",")


def _number(token: _Token) -> int | float:
    if token.text.isdigit():
        number = int(token.text)
        # One past the maximum is let through for `-9223372036854775808`; evaluation refuses it without the minus.
        if number > INTEGER_MAX + 1:
            raise ExpressionError(f"integer {token.text} does not fit into 64 bits", token.offset)
        return number
    return float(token.text)


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
