r"""JSON as Gson 2.3 reads and writes it, which is how CDAP does.

It matters because it shows: a pipeline's configuration comes back with 1024 as 1024.0, `=` as \u003d and nulls gone,
and a body that is no JSON is refused in the reader's own words. The reader is lenient as Gson's is by default: single
quotes, bare words, comments, `;` and `=` pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_SPECIAL = "/\\;#{}[]:,= \t\f\r\n"
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f"}
_WRITTEN = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\b": "\\b", "\n": "\\n", "\r": "\\r", "\f": "\\f"}
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "=": "\\u003d", "'": "\\u0027"}
_DEPTH = 500


class GsonError(ValueError):
    """Raised for text that is no JSON. `end` says that it ended too early (Java's EOFException)."""

    def __init__(self, message: str, *, end: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.end = end

    @property
    def chained(self) -> str:
        """The message as an exception that wraps it shows it."""
        kind = "java.io.EOFException" if self.end else "com.google.gson.stream.MalformedJsonException"
        return f"{kind}: {self.message}"


class NullValueError(ValueError):
    """Raised for a null in a map of strings, which Java's immutable map refuses. Its text is Java's."""

    def __init__(self, key: str) -> None:
        super().__init__(f"null value in entry: {key}=null")


@dataclass(frozen=True)
class Number:
    """A number as it was written."""

    text: str

    def as_double(self) -> float:
        """What Java's Double.parseDouble makes of it."""
        return float(self.text)


def parse(text: str) -> Any:
    """The value; None for an empty text. Numbers stay as they were written (`Number`). Raises GsonError."""
    reader = _Reader(text)
    if reader.peek_end():
        return None
    value = reader.value(0)
    if not reader.peek_end():
        raise GsonError("JSON document was not fully consumed.")
    return value


def doubles(value: Any) -> Any:
    """The value as Gson gives it to a field of type Object: every number a double."""
    if isinstance(value, Number):
        return value.as_double()
    if isinstance(value, dict):
        return {k: doubles(v) for k, v in value.items()}
    if isinstance(value, list):
        return [doubles(v) for v in value]
    return value


def plain(value: Any) -> Any:
    """The value with whole numbers as int and others as float."""
    if isinstance(value, Number):
        try:
            return int(value.text)
        except ValueError:
            return float(value.text)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def string_map(value: Any) -> dict[str, str] | None:
    """The value as Gson gives it to a Map<String, String>: a list of pairs is a map too, a nested value is not.

    Raises GsonError, and NullValueError for a null in it.
    """
    if value is None:
        return None
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        raise GsonError("Expected BEGIN_OBJECT")
    found: dict[str, str] = {}
    for key, item in pairs:
        if isinstance(item, dict | list):
            raise GsonError("Expected a string")
        if item is None:
            raise NullValueError(str(key))
        found[str(key)] = scalar(item)
    return found


def expected_object(value: Any) -> str:
    """What Gson says of a value that is no object where one was wanted."""
    kind = "BEGIN_ARRAY" if isinstance(value, list) else "STRING" if isinstance(value, str) else "NUMBER"
    return f"java.lang.IllegalStateException: Expected BEGIN_OBJECT but was {kind} at line 1 column 2 path $"


def scalar(value: Any) -> str:
    """A string, number or boolean as Gson gives it to a String."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def dumps(value: Any) -> str:
    """The text Gson writes: no spaces, nulls of objects left out, `< > & = '` escaped."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Number):
        return value.text
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(k)}:{dumps(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(dumps(v) for v in value) + "]"
    raise TypeError(f"{type(value).__name__} is no JSON")


def _quoted(text: str) -> str:
    return '"' + "".join(_written(c) for c in text) + '"'


def _written(c: str) -> str:
    if c in _WRITTEN:
        return _WRITTEN[c]
    if c in _HTML:
        return _HTML[c]
    return f"\\u{ord(c):04x}" if c < " " or c in "\u2028\u2029" else c


def java_double(value: float) -> str:
    """The text of Java's Double.toString: 1024.0, 1.2345678901E10."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    figures = "".join(map(str, digits))
    point = len(figures) + exponent  # the value is 0.figures * 10^point
    minus = "-" if sign else ""
    if -3 < point <= 7:
        if point <= 0:
            return f"{minus}0.{'0' * -point}{figures}"
        whole = figures[:point].ljust(point, "0")
        return f"{minus}{whole}.{figures[point:] or '0'}"
    return f"{minus}{figures[0]}.{figures[1:] or '0'}E{point - 1}"


class _Reader:
    """Gson's JsonReader, lenient. Positions are as it counts them, because its messages tell them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.path: list[str] = ["$"]

    def peek_end(self) -> bool:
        """Whether nothing but space and comments is left."""
        here = self.at
        try:
            self.skip()
        except GsonError:
            return True
        self.at = here
        return False

    def where(self) -> str:
        before = self.text[: self.at]
        line = before.count("\n") + 1
        start = before.rfind("\n") + 1
        return f" at line {line} column {self.at - start + 1}"

    def fail(self, message: str) -> GsonError:
        return GsonError(f"{message}{self.where()} path {''.join(self.path)}")

    def end(self) -> GsonError:
        return GsonError(f"End of input{self.where()}", end=True)

    def skip(self) -> str:
        """Move over space and comments and one character more, which is returned."""
        while self.at < len(self.text):
            c = self.text[self.at]
            self.at += 1
            if c in " \t\r\n":
                continue
            if c == "/" and self.text[self.at : self.at + 1] == "*":
                close = self.text.find("*/", self.at + 1)
                if close < 0:
                    raise self.fail("Unterminated comment")
                self.at = close + 2
            elif c == "#" or (c == "/" and self.text[self.at : self.at + 1] == "/"):
                line = self.text.find("\n", self.at)
                self.at = len(self.text) if line < 0 else line + 1
            else:
                return c
        raise self.end()

    def value(self, depth: int) -> Any:
        if depth > _DEPTH:
            raise self.fail("Nesting too deep")
        c = self.skip()
        if c == "{":
            return self.object(depth)
        if c == "[":
            return self.array(depth)
        if c in "\"'":
            return self.quoted(c)
        self.at -= 1
        return self.bare()

    def object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.path.append(".")
        first = True
        while True:
            c = self.skip()
            if not first:
                if c == "}":
                    break
                if c not in ",;":
                    raise self.fail("Unterminated object")
                c = self.skip()
            if c == "}" and first:
                break
            if c in "\"'":
                name = self.quoted(c)
            else:
                self.at -= 1
                name = self.unquoted()
                if not name:
                    self.at += 1
                    raise self.fail("Expected name")
            self.path[-1] = f".{name}"
            c = self.skip()
            if c not in ":=":
                raise self.fail("Expected ':'")
            if c == "=" and self.text[self.at : self.at + 1] == ">":
                self.at += 1
            found[name] = self.value(depth + 1)
            first = False
        self.path.pop()
        return found

    def array(self, depth: int) -> list[Any]:
        found: list[Any] = []
        self.path.append("[0]")
        while True:
            c = self.skip()
            if c == "]":
                break
            if found:
                if c not in ",;":
                    raise self.fail("Unterminated array")
            else:
                self.at -= 1
            self.path[-1] = f"[{len(found)}]"
            here = self.at
            if self.skip() in ",;]":
                # Lenient: an empty place is a null.
                found.append(None)
                self.at -= 1
                continue
            self.at = here
            found.append(self.value(depth + 1))
        self.path.pop()
        return found

    def quoted(self, quote: str) -> str:
        parts: list[str] = []
        while self.at < len(self.text):
            c = self.text[self.at]
            self.at += 1
            if c == quote:
                return "".join(parts)
            parts.append(self.escape() if c == "\\" else c)
        raise self.fail("Unterminated string")

    def escape(self) -> str:
        if self.at >= len(self.text):
            raise self.fail("Unterminated escape sequence")
        c = self.text[self.at]
        self.at += 1
        if c != "u":
            return _ESCAPES.get(c, c)
        code = self.text[self.at : self.at + 4]
        if len(code) < 4:
            raise self.fail("Unterminated escape sequence")
        self.at += 4
        try:
            found = chr(int(code, 16))
        except ValueError:
            raise GsonError(f"\\u{code}") from None
        if "\ud800" <= found <= "\udbff" and self.text[self.at : self.at + 2] == "\\u":
            low = self.text[self.at + 2 : self.at + 6]
            if len(low) == 4 and low[0] in "dD" and low[1] in "cdefCDEF":
                self.at += 6
                return (found + chr(int(low, 16))).encode("utf-16", "surrogatepass").decode("utf-16")
        return found

    def unquoted(self) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in _SPECIAL:
            self.at += 1
        return self.text[start : self.at]

    def bare(self) -> Any:
        word = self.unquoted()
        if not word:
            self.at += 1
            raise self.fail("Expected value")
        known = {"true": True, "false": False, "null": None}
        if word.lower() in known:
            return known[word.lower()]
        return Number(word) if _is_number(word) else word


def _is_number(word: str) -> bool:
    body = word.removeprefix("-")
    if not body[:1].isdigit() or (body[0] == "0" and body[1:2].isdigit()) or not body.isascii():
        return False
    try:
        float(body)
    except ValueError:
        return False
    return "_" not in body and not body.endswith(".")
