"""Data Factory's expressions: `@…` for a whole text, `@{…}` inside of one, `@@` for a real at-sign.

Parsed so far as judging needs: which functions are called with which literals, and which names follow `pipeline()`,
`activity('x')` and the like. What a text means to a data flow's script or to SQL is not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w-]*)|(?P<mark>[()\[\],.?{}])|"
    r"(?P<odd>\S))"
)
MAX_EXPRESSION: Final = 8192
"""Characters of one expression (Data Factory's limits)."""


def _words(key: str) -> dict[str, str]:
    return {word.lower(): word for word in LANGUAGE[key]}


LANGUAGE: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("language.json").read_text("utf-8"))
"""The words of Data Factory, with their sources."""
FUNCTIONS: Final = _words("functions")
"""Functions and objects, in lower case (case does not matter) → as the documentation writes them."""
DATE_FUNCTIONS: Final = _words("date_functions")
"""Those that take a date format."""
PIPELINE_VARIABLES: Final = _words("pipeline_variables")
"""What follows `pipeline().`."""


class MalformedError(ValueError):
    """Raised where a text is no expression; its argument says why."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a function, `activity('x').output.rows`."""

    name: str
    texts: tuple[str | None, ...]
    """The arguments: a literal text, or None for anything else."""
    then: tuple[str | None, ...]
    """The names that follow, `output`, `rows`; None for one that is computed."""


def expressions(text: str) -> Iterator[str]:
    """The expressions of a text: the whole of it after `@`, or each `@{…}`."""
    if text.startswith("@") and not text.startswith(("@@", "@{")):
        yield text[1:]
        return
    at = 0
    while (begin := text.find("@{", at)) >= 0:
        if begin and text[begin - 1] == "@":
            at = begin + 2
            continue
        end = _closing(text, begin + 2)
        yield text[begin + 2 : end]
        at = end + 1


def _closing(text: str, at: int) -> int:
    """Where the brace closes; the end of the text where it does not."""
    depth, quoted = 1, False
    for index in range(at, len(text)):
        char = text[index]
        if char == "'":
            quoted = not quoted
        elif not quoted and char == "{":
            depth += 1
        elif not quoted and char == "}":
            depth -= 1
            if not depth:
                return index
    return len(text)


def calls(expression: str) -> list[Call]:
    """Every call of an expression, inner ones included. Raises MalformedError."""
    reader = _Reader(expression)
    reader.value(0)
    reader.end()
    return reader.found


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while match := _TOKEN.match(text, at):
            at = match.end()
            kind = match.lastgroup or ""
            if kind == "odd":
                why = "a text is not closed" if match["odd"] == "'" else f"{match['odd']!r} does not belong there"
                raise MalformedError(why)
            self.tokens.append((kind, match[kind]))
        self.at = 0
        self.found: list[Call] = []

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def take(self, mark: str) -> bool:
        if self.peek() == ("mark", mark):
            self.at += 1
            return True
        return False

    def value(self, depth: int) -> str | None:
        """Read one value; returns it where it is a literal text."""
        if depth > 60:
            raise MalformedError("it is nested too deeply")
        kind, token = self.peek()
        if kind == "":
            raise MalformedError("a value is missing")
        self.at += 1
        if kind == "text":
            self.accessors(depth)
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return None
        if kind == "mark":
            if token == "{":  # noqa: S105 - a brace
                # An interpolation inside of an expression.
                self.value(depth + 1)
                if not self.take("}"):
                    raise MalformedError("'}' is missing")
                return None
            raise MalformedError(f"{token!r} stands where a value belongs")
        if not self.take("("):
            if token.lower() not in ("true", "false", "null"):
                raise MalformedError(f"{token!r} is neither a call nor a text in single quotes")
            return None
        texts: list[str | None] = []
        if not self.take(")"):
            while True:
                texts.append(self.value(depth + 1))
                if self.take(")"):
                    break
                if not self.take(","):
                    raise MalformedError(f"',' or ')' is missing in the call of {token}")
        self.found.append(Call(name=token, texts=tuple(texts), then=self.accessors(depth)))
        return None

    def accessors(self, depth: int) -> tuple[str | None, ...]:
        names: list[str | None] = []
        while True:
            question = self.take("?")
            if self.take("."):
                kind, token = self.peek()
                if kind != "word":
                    raise MalformedError("a name is missing after '.'")
                self.at += 1
                names.append(token)
            elif self.take("["):
                names.append(self.value(depth + 1))
                if not self.take("]"):
                    raise MalformedError("']' is missing")
            elif question and self.peek()[0] == "word":
                # The documentation writes `pipeline()?TriggeredByPipelineName`, without a dot.
                names.append(self.peek()[1])
                self.at += 1
            elif question:
                raise MalformedError("a name is missing after '?'")
            else:
                return tuple(names)

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise MalformedError(f"{self.tokens[self.at][1]!r} is too much")


def twelve_hour(format_text: str) -> str | None:
    """A date format with 24-hour HH in place of a 12-hour hh that no AM or PM completes; None where it is right.

    `utcnow('yyyy_MM_dd_hh_mm_ss')` gives the runs of 01:00 and 13:00 one name.
    """
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|\\.", "", format_text)
    if (
        "h" not in bare
        or "t" in bare
        or not re.search(r"(?:^|[^A-Za-z])h{1,2}(?:$|[^A-Za-z])|[yMdmT]h{1,2}|h{1,2}m", bare)
    ):
        return None
    if not re.fullmatch(r"[yMdhHmsfFzKtTZ\W\d_]+", bare):
        return None
    return format_text.replace("h", "H")
