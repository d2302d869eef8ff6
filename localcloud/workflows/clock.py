"""Where an execution takes its time from, and answers to its requests that need no network.

A `VirtualClock` stands still while steps run and jumps to the next timer when all of them wait. With a `Responder` in
place of the network nothing else takes time, so that an execution of hours is over at once and is the same every time.
Callbacks come from outside, where time goes on as ever: with a virtual clock, waiting for one times out at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from localcloud.workflows.web import Request


class Clock:
    """Real time."""

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back, from any beginning."""
        return time.monotonic()

    def skip(self, until: float) -> None:
        """Nothing can happen before `until` on the monotonic clock. Real time has to be waited for."""


class VirtualClock(Clock):
    """Time that passes only where everybody waits for it."""

    def __init__(self, begin: float = 0.0) -> None:
        self.now = begin

    def time(self) -> float:
        """Seconds since 1970."""
        return self.now

    def monotonic(self) -> float:
        """The same seconds."""
        return self.now

    def skip(self, until: float) -> None:
        """Go there."""
        self.now = max(self.now, until)


REAL = Clock()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a request is answered."""

    status: int = 200
    text: str = ""
    content_type: str = "text/html; charset=utf-8"
    seconds: float = 0.0
    """Between the request and its answer."""
    problem: Literal["refused", "broken"] | None = None
    """In place of an answer: no connection came about, or it broke after the request was sent."""


Responder = Callable[[Request], Answer]
