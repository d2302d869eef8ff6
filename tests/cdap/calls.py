"""A conversation with a CDAP as data: calls, what is kept of their answers, and how two answers are compared."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Json = Any
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_VARIABLE = re.compile(r"\$\((\w+)\)")
_MOMENTS = frozenset({
    "created", "createdEpochMs", "createdTimeMillis", "creationTimeMillis", "end", "lastUpdateTime",
    "logical.start.time", "start", "starting", "stopping", "terminate", "updatedTimeMillis",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, and what is done with its answer."""

    method: str
    path: str
    body: str | bytes | Mapping[str, Any] | Sequence[Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    capture: Mapping[str, str] = field(default_factory=dict)
    """Variables, each with the place of its value: `appVersion`, `0.runid`. `$(name)` stands for it afterwards."""
    until: tuple[str, str] | None = None
    """Ask again until that place of the answer has that text (for a minute)."""
    deviations: tuple[str, ...] = ()
    """Keys of the deviations this call shows."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    body: str


def get(path: str, **options: Any) -> Call:
    return Call(method="GET", path=path, **options)


def put(path: str, body: Any = None, **options: Any) -> Call:
    return Call(method="PUT", path=path, body=body, **options)


def post(path: str, body: Any = "", **options: Any) -> Call:
    return Call(method="POST", path=path, body=body, **options)


def delete(path: str, **options: Any) -> Call:
    return Call(method="DELETE", path=path, **options)


def play(url: str, calls: Sequence[Call]) -> list[Answer]:
    """Hold the conversation; the answers in its order."""
    variables: dict[str, str] = {}
    answers = []
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        for call in calls:
            answer = _ask(connection, call, variables)
            answers.append(answer)
            for name, place in call.capture.items():
                found = _at(_parsed(answer), place)
                assert isinstance(found, str), f"{call} on {url}: there is no {place} in {answer}"
                variables[name] = found
    finally:
        connection.close()
    return answers


def _ask(connection: http.client.HTTPConnection, call: Call, variables: Mapping[str, str]) -> Answer:
    deadline = time.monotonic() + 60
    while True:
        answer = _send(connection, call, variables)
        if call.until is None:
            return answer
        place, wanted = call.until
        if _at(_parsed(answer), place) == wanted:
            return answer
        assert time.monotonic() < deadline, f"{call}: {place} did not become {wanted}: {answer}"
        time.sleep(0.1)


def _send(connection: http.client.HTTPConnection, call: Call, variables: Mapping[str, str]) -> Answer:
    def filled(text: str) -> str:
        return _VARIABLE.sub(lambda m: variables[m[1]], text)

    def inside(value: Json) -> Json:
        if isinstance(value, Mapping):
            return {key: inside(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [inside(item) for item in value]
        return filled(value) if isinstance(value, str) else value

    body = call.body
    content: bytes | None
    if body is None or isinstance(body, bytes):
        content = body
    else:
        content = (filled(body) if isinstance(body, str) else json.dumps(inside(body), ensure_ascii=False)).encode()
    connection.request(call.method, filled(call.path), content, dict(call.headers))
    response = connection.getresponse()
    text = response.read().decode("utf-8", "replace")
    return Answer(status=response.status, content_type=response.getheader("Content-Type") or "", body=text)


def _parsed(answer: Answer) -> Json:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _at(value: Json, place: str) -> Json:
    for part in place.split("."):
        if isinstance(value, list):
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


class Normal:
    """Answers of one side with what differs from run to run taken out.

    Moments become `<time>`. An id (of a version, of a run) becomes `<id 3>`: the third that this side has told, so an
    answer that names another one than it should is still seen.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def text(self, text: str) -> str:
        """A text with its ids replaced."""
        return UUID.sub(lambda m: self._ids.setdefault(m[0], f"<id {len(self._ids) + 1}>"), text)

    def value(self, value: Json, key: str = "") -> Json:
        """A JSON value, made comparable."""
        if isinstance(value, dict):
            return {k: self.value(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(v) for v in value]
        if key in _MOMENTS and value:
            return "<time>"
        if key == "generation" and value:
            return "<time>"
        if key == "runtimeArgs":
            # A map as text, in the order of a hash table.
            return self.value(json.loads(value))
        return self.text(value) if isinstance(value, str) else value

    def answer(self, answer: Answer) -> tuple[int, str, Json]:
        """Status, content type and body."""
        parsed = _parsed(answer)
        kind = answer.content_type.lower().replace(" ", "")
        body = self.text(answer.body) if parsed is None else self.value(parsed)
        return answer.status, kind, body


def differences(
    calls: Sequence[Call],
    embedded: Sequence[Answer],
    real: Sequence[Answer],
    alter: Callable[[str, int, str, Json], tuple[int, str, Json]],
) -> tuple[list[str], set[str]]:
    """What differs, told; and the deviations that made a difference.

    `alter(key, status, kind, body)` is an answer as a deviation lets it be compared.
    """
    one, other = Normal(), Normal()
    told: list[str] = []
    used: set[str] = set()
    for number, (call, left, right) in enumerate(zip(calls, embedded, real, strict=True), 1):
        mine, theirs = one.answer(left), other.answer(right)
        for key in call.deviations:
            if mine == theirs:
                break
            mine, theirs = alter(key, *mine), alter(key, *theirs)
            used.add(f"{number}:{key}")
        if mine != theirs:
            told.append(f"{number}. {call}\n    embedded {mine}\n    real     {theirs}")
    return told, used
