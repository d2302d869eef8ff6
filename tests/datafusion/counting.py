"""A client that counts its calls, and one that dies at the nth."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from dataplatform.datafusion.client import Answer, Client


class Counting(Client):
    """Keeps method and path of every call."""

    def __init__(self, endpoint: str, **options: Any) -> None:
        super().__init__(endpoint, **options)
        self.calls: list[tuple[str, str]] = []
        self.failed: list[tuple[str, str]] = []
        """Those among the calls that the server failed, and that were made again."""

    def send(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        call = (method, unquote(urlsplit(url).path).removeprefix("/v3/"))
        self.calls.append(call)
        answer = super().send(method, url, body, headers)
        if answer.status >= 500:
            self.failed.append(call)
        return answer

    @property
    def writes(self) -> list[tuple[str, str]]:
        """What changes something; the call for many pipelines at once is a POST that reads."""
        return [(m, p) for m, p in self.calls if m != "GET" and not p.endswith("/appdetail")]


class Killed(BaseException):
    """What the death of a process is to the code that was running."""


class Mortal(Counting):
    """Dies at the nth call: before it is sent, or after it was answered and before the answer is read."""

    def __init__(self, endpoint: str, at: int, *, after: bool, **options: Any) -> None:
        super().__init__(endpoint, **options)
        self.at = at
        self.after = after
        self.lock = threading.Lock()
        self.sent = 0

    def send(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        with self.lock:
            self.sent += 1
            mine = self.sent
        if mine > self.at or (mine == self.at and not self.after):
            raise Killed
        answer = super().send(method, url, body, headers)
        if mine == self.at:
            raise Killed
        return answer
