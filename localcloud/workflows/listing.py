"""Filters and orders of listings: AIP-160 and AIP-132 over the fields that the discovery documents name.

A filter is comparisons joined by AND and OR, with NOT (or `-`) and parentheses; OR binds more tightly than AND, as
https://google.aip.dev/160 has it. `=` of a text takes `*` at its beginning or end, `:` looks for a part of it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

from localcloud.workflows.store import Json, invalid

Kind = Literal["text", "time", "duration", "number", "boolean"]
Predicate = Callable[[Json], bool]

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[A-Za-z_][\w.-]*")
_OPERATOR = re.compile(r"<=|>=|!=|=|<|>|:")
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|([^\s()"\']+)')
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
)


@dataclass(frozen=True)
class Field:
    """A field that a listing may be filtered by: what it holds, and how it is read from a resource."""

    kind: Kind
    read: Callable[[Json], object]


def _plain(name: str, kind: Kind = "text") -> tuple[str, Field]:
    return name, Field(kind, lambda body: body.get(name))


def _last(name: str) -> Callable[[Json], object]:
    return lambda body: str(body[name]).rsplit("/", 1)[-1]


EXECUTIONS: Mapping[str, Field] = MappingProxyType(
    {
        "executionId": Field("text", _last("name")),
        "stepName": Field("text", lambda b: [s["step"] for s in b.get("status", {}).get("currentSteps", [])]),
        "disableConcurrencyQuotaOverflowBuffering": Field(
            "boolean", lambda b: b.get("disableConcurrencyQuotaOverflowBuffering", False)
        ),
        **dict(
            [
                _plain("state"),
                _plain("createTime", "time"),
                _plain("startTime", "time"),
                _plain("endTime", "time"),
                _plain("duration", "duration"),
                _plain("workflowRevisionId"),
            ]
        ),
    }
)
STEP_ENTRIES: Mapping[str, Field] = MappingProxyType(
    {
        "entryId": Field("number", lambda b: b["entryId"]),
        "parent": Field("number", lambda b: b.get("navigationInfo", {}).get("parent")),
        **dict(
            [
                _plain("createTime", "time"),
                _plain("updateTime", "time"),
                _plain("routine"),
                _plain("step"),
                _plain("stepType"),
                _plain("state"),
            ]
        ),
    }
)
WORKFLOWS: Mapping[str, Field] = MappingProxyType(
    dict(
        [
            *(_plain(n) for n in ("name", "state", "revisionId", "description", "serviceAccount", "callLogLevel")),
            *(_plain(n, "time") for n in ("createTime", "updateTime", "revisionCreateTime")),
        ]
    )
)


def camel(name: str) -> str:
    """A field's name as JSON has it; filters may write `start_time` too."""
    return re.sub(r"_([a-z])", lambda m: m.group(1).upper(), name)


def matching(bodies: Sequence[Json], text: str, fields: Mapping[str, Field]) -> list[Json]:
    """The resources that a filter selects. Raises ApiError 400 for one that is not understood."""
    if not text.strip():
        return list(bodies)
    predicate = _Parser(text, fields).parse()
    return [b for b in bodies if predicate(b)]


def ordered(bodies: Sequence[Json], order_by: str, fields: Mapping[str, Field], default: str) -> list[Json]:
    """The resources in an order such as `state, startTime desc`. Raises ApiError 400."""
    found = list(bodies)
    for part in reversed((order_by.strip() or default).split(",")):
        words = part.split()
        name = camel(words[0]) if words else ""
        if name not in fields or len(words) > 2 or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
            raise invalid(f"Invalid value for orderBy: '{part.strip()}'; the fields are {', '.join(sorted(fields))}")
        found.sort(key=_key(fields[name]), reverse=words[-1].lower() == "desc")
    return found


def _key(field: Field) -> Callable[[Json], tuple[bool, Any]]:
    def key(body: Json) -> tuple[bool, Any]:
        value = field.read(body)
        return (value is not None, None if value is None else _converted(field.kind, value))

    return key


def _converted(kind: Kind, value: object) -> Any:
    """A value as it is compared. Raises ApiError 400 where it is not of the field's kind."""
    text = str(value)
    try:
        match kind:
            case "time":
                moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            case "duration":
                return float(text.removesuffix("s"))
            case "number":
                return int(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case _:
                return text
    except (ValueError, KeyError):
        raise invalid(f"Invalid filter: '{text}' is not a {kind}") from None


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, Field]) -> None:
        self.text = text
        self.fields = fields
        self.at = 0

    def parse(self) -> Predicate:
        found = self.conjunction()
        if self.at < len(self.text):
            raise self.problem("the end, AND or OR")
        return found

    def problem(self, expected: str) -> Exception:
        return invalid(f"Invalid filter: '{self.text}': expected {expected} at character {self.at + 1}")

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            spaces = _SPACE.match(self.text, match.end())
            self.at = spaces.end() if spaces is not None else match.end()
        return match

    def keyword(self, word: str) -> bool:
        return self.take(re.compile(rf"{word}(?=[\s(])")) is not None

    def conjunction(self) -> Predicate:
        self.take(_SPACE)
        parts = [self.disjunction()]
        while self.keyword("AND"):
            parts.append(self.disjunction())
        return lambda body: all(p(body) for p in parts)

    def disjunction(self) -> Predicate:
        parts = [self.term()]
        while self.keyword("OR"):
            parts.append(self.term())
        return lambda body: any(p(body) for p in parts)

    def term(self) -> Predicate:
        if self.keyword("NOT") or self.take(re.compile("-")):
            inner = self.term()
            return lambda body: not inner(body)
        if self.take(re.compile(r"\(")):
            inner = self.conjunction()
            if not self.take(re.compile(r"\)")):
                raise self.problem("')'")
            return inner
        return self.comparison()

    def comparison(self) -> Predicate:
        word = self.take(_WORD)
        if word is None:
            raise self.problem("a field")
        field = self.field(word.group())
        sign = self.take(_OPERATOR)
        if sign is None:
            raise self.problem("an operator")
        value = self.take(_VALUE)
        if value is None:
            raise self.problem("a value")
        quoted = value.group(1) if value.group(1) is not None else value.group(2)
        text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else value.group(3)
        return _comparison(field, sign.group(), text)

    def field(self, name: str) -> Field:
        head, _, key = name.partition(".")
        if head in ("labels", "label") and key:
            return Field("text", lambda body: body.get("labels", {}).get(key))
        found = self.fields.get(camel(name))
        if found is None:
            raise invalid(f"Invalid filter: unknown field '{name}'; the fields are {', '.join(sorted(self.fields))}")
        return found


def _comparison(field: Field, sign: str, text: str) -> Predicate:
    if sign == "!=":
        equal = _comparison(field, "=", text)
        return lambda body: not equal(body)
    if field.kind != "text" and sign == ":":
        sign = "="
    wanted = _converted(field.kind, text) if field.kind != "text" else text

    def holds(value: object) -> bool:
        if field.kind != "text":
            return _COMPARE[sign](_converted(field.kind, value), wanted)
        if sign == ":":
            return text == "*" or text in str(value)
        if sign == "=" and "*" in (text[:1], text[-1:]):
            return re.fullmatch(".*".join(re.escape(p) for p in text.split("*")), str(value)) is not None
        return _COMPARE[sign](str(value), text)

    def predicate(body: Json) -> bool:
        value = field.read(body)
        values = value if isinstance(value, list) else [value]
        return any(holds(v) for v in values if v is not None)

    return predicate
