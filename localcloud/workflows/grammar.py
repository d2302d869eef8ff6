"""The grammar of expressions, and the LALR parser that Lark makes of it.

The precedence is the table "Order of operations" of https://cloud.google.com/workflows/docs/reference/syntax/datatypes,
most binding first: `()`, `.` and `[]`, `not`, unary minus, `* / // %`, `+ -`, comparison with `in`, `and`, `or`.
Logical operators are lower or upper case, booleans `true`, `True` or `TRUE`, as that page has it. `not in` and `**` are
in none of the reference's tables and are refused; write `not (x in y)`.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from localcloud.workflows import expressions as ex
from localcloud.workflows.values import INTEGER_MAX

GRAMMAR = r"""
?start: disjunction
?disjunction: conjunction | disjunction OR conjunction -> logical
?conjunction: comparison | conjunction AND comparison -> logical
?comparison: sum | comparison (COMPARE | IN) sum -> binary
?sum: product | sum (PLUS | MINUS) product -> binary
?product: unary | product (TIMES | DIVIDE) unary -> binary
?unary: postfix | MINUS unary -> negation | NOT unary -> negation
?postfix: primary
    | postfix "." MEMBER -> member
    | postfix "[" disjunction "]" -> index
    | postfix LPAR [disjunction ("," disjunction)*] ")" -> call
?primary: NUMBER -> number
    | STRING -> string
    | CONSTANT -> constant
    | NAME -> name
    | "[" [disjunction ("," disjunction)*] "]" -> list
    | "{" [entry ("," entry)*] "}" -> map
    | LPAR disjunction ")" -> group
entry: disjunction ":" disjunction

OR.3: /(?:or|OR)\b/
AND.3: /(?:and|AND)\b/
NOT.3: /(?:not|NOT)\b/
IN.3: /in\b/
CONSTANT.3: /(?:true|True|TRUE|false|False|FALSE|null|Null|NULL)\b/
COMPARE: "<=" | ">=" | "==" | "!=" | "<" | ">"
PLUS: "+"
MINUS: "-"
DIVIDE.2: "//"
TIMES: "*" | "/" | "%"
LPAR: "("
NUMBER: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/
STRING: /"(?:[^"\\]|\\.)*"/s
NAME: /(?!(?:or|OR|and|AND|not|NOT|in|true|True|TRUE|false|False|FALSE|null|Null|NULL)\b)[A-Za-z_][A-Za-z0-9_]*/
MEMBER: /[A-Za-z_][A-Za-z0-9_]*/
%ignore /\s+/
"""

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/", "'": "'"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KNOWN = re.compile(r'\s+|\w+|"(?:[^"\\]|\\.)*"|[-+*/%()\[\]{},.:<>]=?|==|!=', re.DOTALL)
_OPERANDS = frozenset({"NUMBER", "STRING", "CONSTANT", "NAME"})
_PUNCTUATION = {"RPAR": "')'", "RSQB": "']'", "RBRACE": "'}'", "COLON": "':'"}


@v_args(inline=True)
class _Builder(Transformer[Token, ex.Expression]):
    """Builds the tree while the parser reduces."""

    def logical(self, left: ex.Expression, operator: Token, right: ex.Expression) -> ex.Expression:
        return ex.Binary(operator.lower(), left, right)

    def binary(self, left: ex.Expression, operator: Token, right: ex.Expression) -> ex.Expression:
        return ex.Binary(str(operator), left, right)

    def negation(self, operator: Token, operand: ex.Expression) -> ex.Expression:
        return ex.Unary(operator.lower(), operand)

    def member(self, target: ex.Expression, key: Token) -> ex.Expression:
        return ex.Member(target, str(key))

    def index(self, target: ex.Expression, key: ex.Expression) -> ex.Expression:
        return ex.Index(target, key)

    def call(self, target: Any, parenthesis: Token, *arguments: ex.Expression | None) -> ex.Expression:
        path = ex.dotted_path(target)
        if path is None:
            raise ex.ExpressionError("mismatched input '(' only a function can be called", parenthesis.start_pos or 0)
        return ex.Call(path, tuple(a for a in arguments if a is not None))

    def group(self, _: Token, inner: ex.Expression) -> ex.Expression:
        return inner

    def number(self, token: Token) -> ex.Expression:
        if not token.isdigit():
            double = float(token)
            if math.isinf(double):
                raise ex.ExpressionError(f"number {token} does not fit into a double", token.start_pos or 0)
            return ex.Literal(double)
        # Python refuses to read thousands of digits with an error of its own.
        number = int(token) if len(token) <= 20 else INTEGER_MAX + 2
        # One past the maximum is let through for `-9223372036854775808`; evaluation refuses it without the minus.
        if number > INTEGER_MAX + 1:
            raise ex.ExpressionError(f"integer {token[:40]} does not fit into 64 bits", token.start_pos or 0)
        return ex.Literal(number)

    def string(self, token: Token) -> ex.Expression:
        return ex.Literal(_unescaped(token))

    def constant(self, token: Token) -> ex.Expression:
        return ex.Literal({"true": True, "false": False, "null": None}[token.lower()])

    def name(self, token: Token) -> ex.Expression:
        return ex.Name(str(token))

    def list(self, *items: ex.Expression | None) -> ex.Expression:
        return ex.ListLiteral(tuple(i for i in items if i is not None))

    def map(self, *entries: Any) -> ex.Expression:
        return ex.MapLiteral(tuple(e for e in entries if e is not None))

    def entry(self, key: ex.Expression, value: ex.Expression) -> tuple[ex.Expression, ex.Expression]:
        return key, value


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=_Builder(), maybe_placeholders=False)


def parse_text(text: str) -> ex.Expression:
    """Parse one expression. Raises ExpressionError with the place of what is wrong."""
    if not text.strip():
        raise ex.ExpressionError("expression is empty")
    try:
        parsed: Any = _parser().parse(text)
    except UnexpectedCharacters as error:
        offset = error.pos_in_stream or 0
        word = _WORD.match(text, offset)
        raise _refusal(text, word.group() if word else text[offset], offset, set(error.allowed or ())) from None
    except UnexpectedToken as error:
        ended = error.token.type == "$END"
        shown, offset = ("<EOF>", len(text)) if ended else (str(error.token), error.token.start_pos or 0)
        raise _refusal(text, shown, offset, set(error.accepts or ())) from None
    assert isinstance(parsed, ex.Expression)
    return parsed


def _refusal(text: str, found: str, offset: int, terminals: set[str]) -> ex.ExpressionError:
    """What the service says: of a character that begins no token first, wherever it is, then of the first misfit."""
    position = 0
    while position < len(text):
        token = _KNOWN.match(text, position)
        if token is None:
            return ex.ExpressionError(f"token recognition error at: '{text[position]}'", position)
        position = token.end()
    return ex.ExpressionError(f"mismatched input '{found}' {_expected(terminals)}", offset)


def _expected(terminals: set[str]) -> str:
    """What could have stood there, in a word."""
    if terminals & _OPERANDS:
        return "expecting an operand"
    if "MEMBER" in terminals:
        return "expecting a name"
    for terminal, shown in _PUNCTUATION.items():
        if terminal in terminals:
            return f"expecting {shown}"
    return "expecting <EOF>"


def _unescaped(token: Token) -> str:
    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] == "u" and len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise ex.ExpressionError(f"unknown escape '\\{code}' in a string", (token.start_pos or 0) + match.start())
        return _ESCAPES[code]

    text = _ESCAPE.sub(replace, token[1:-1])
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
