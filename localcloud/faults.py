"""Faults on request: an operation fails, is slow, never ends, loses its reply, or the plugin dies in it.

A fault is asked for with `localcloud fault add` (kept in the world) or with the variable `LOCALCLOUD_FAULT`, for one
plugin process: `METHOD MATCH NTH ACTION[=VALUE] [TIMES]`, several joined by `;`. Example:
`create gcp:storage/* 2 fail=503; delete * 1 die=before`.
"""

from __future__ import annotations

import fnmatch
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.errors import ApiError
from localcloud.world import World

METHODS = ("create", "read", "update", "delete", "invoke", "*")
ACTIONS = ("fail", "drop", "slow", "die", "hold", "partial")
WHEN = {"die": "a plugin dies", "hold": "an operation is held"}
"""Actions that are said to happen before or after the change."""
TEXTS = {
    403: ("forbidden", "The caller does not have permission"),
    404: ("notFound", "The resource was not found"),
    409: ("aborted", "The operation was aborted: concurrent change"),
    429: ("rateLimitExceeded", "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'"),
    500: ("internalError", "Internal error encountered."),
    503: ("backendError", "The service is currently unavailable."),
}


@dataclass(frozen=True)
class Fault:
    """What is to happen to the nth matching operation, and the `times - 1` after it."""

    method: str
    match: str
    """Pattern of the resource type or of the URN's end, as in a shell: `gcp:storage/*`, `*::landing`."""
    nth: int
    action: str
    status: int = 503
    seconds: float = 0.0
    when: str = "after"
    """`die`, `hold`: `before` the change or `after` it."""
    times: int = 1

    def concerns(self, method: str, token: str, urn: str) -> bool:
        """Whether the operation counts."""
        return self.method in ("*", method) and any(fnmatch.fnmatchcase(text, self.match) for text in (token, urn))


class BadFaultError(ValueError):
    """Raised when a fault's text cannot be understood; the message says what would be right."""


def parse(text: str) -> list[Fault]:
    """The faults of `LOCALCLOUD_FAULT`."""
    faults = []
    for item in filter(None, (part.strip() for part in text.split(";"))):
        words = item.split()
        if len(words) not in (4, 5):
            raise BadFaultError(f"'{item}': expected METHOD MATCH NTH ACTION[=VALUE] [TIMES]")
        method, match, nth, action = words[:4]
        times = words[4] if len(words) == 5 else "1"
        if not nth.isdigit() or not times.isdigit():
            raise BadFaultError(f"'{item}': NTH and TIMES are numbers")
        faults.append(make(method, match, int(nth), action, int(times)))
    return faults


def make(method: str, match: str, nth: int, action: str, times: int = 1) -> Fault:
    """A fault from its parts; `action` as `fail=503`, `slow=5`, `die=before`, `hold=after`, `drop` or `partial`."""
    name, _, value = action.partition("=")
    if method not in METHODS:
        raise BadFaultError(f"unknown method '{method}'; expected one of: {', '.join(METHODS)}")
    if name not in ACTIONS:
        raise BadFaultError(f"unknown action '{name}'; expected one of: {', '.join(ACTIONS)}")
    if nth < 1 or times < 1:
        raise BadFaultError("NTH and TIMES count from 1")
    try:
        if name == "fail":
            return Fault(method, match, nth, name, status=int(value or 503), times=times)
        if name == "slow":
            return Fault(method, match, nth, name, seconds=float(value or 5), times=times)
    except ValueError as error:
        raise BadFaultError(f"'{action}': the value is a number") from error
    if name in WHEN and value not in ("", "before", "after"):
        raise BadFaultError(f"'{action}': {WHEN[name]} `before` or `after` the change")
    return Fault(method, match, nth, name, when=value or "after", times=times)


def add(world: World, fault: Fault) -> None:
    """Keep a fault in the world."""
    value = fault.when if fault.action in WHEN else ""
    with world.transaction() as tx:
        tx.execute(
            "INSERT INTO faults(method, match, nth, action, status, seconds, times) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                fault.method,
                fault.match,
                fault.nth,
                f"{fault.action}={value}" if value else fault.action,
                fault.status,
                fault.seconds,
                fault.times,
            ),
        )


def _from_row(row: sqlite3.Row) -> Fault:
    action, _, when = row["action"].partition("=")
    return Fault(
        row["method"], row["match"], row["nth"], action, row["status"], row["seconds"], when or "after", row["times"]
    )


class Faults:
    """The faults of this process: those of the world and those of the environment."""

    def __init__(self, world: World, sleep: Callable[[float], None] = time.sleep) -> None:
        self.world = world
        self.sleep = sleep
        self.own = parse(os.environ.get("LOCALCLOUD_FAULT", ""))
        self.seen = [0] * len(self.own)
        self.delay = _delay()

    def due(self, method: str, token: str, urn: str) -> Fault | None:
        """Count the operation; the fault that falls due with it, if any."""
        found = None
        for index, fault in enumerate(self.own):
            if fault.concerns(method, token, urn):
                self.seen[index] += 1
                if fault.nth <= self.seen[index] < fault.nth + fault.times:
                    found = fault
        if self.world.connect().execute("SELECT 1 FROM faults LIMIT 1").fetchone() is None:
            return found
        with self.world.transaction() as tx:
            for row in tx.execute("SELECT * FROM faults ORDER BY id").fetchall():
                fault = _from_row(row)
                if not fault.concerns(method, token, urn):
                    continue
                seen = row["seen"] + 1
                tx.execute("UPDATE faults SET seen = ? WHERE id = ?", (seen, row["id"]))
                if fault.nth <= seen < fault.nth + fault.times:
                    found = fault
                if seen >= fault.nth + fault.times - 1:
                    tx.execute("DELETE FROM faults WHERE id = ?", (row["id"],))
        return found

    def before(self, fault: Fault | None) -> None:
        """What happens before the change."""
        self.sleep(self.delay / 2)
        if fault is None:
            return
        if fault.action == "slow":
            self.sleep(fault.seconds)
        if fault.action == "fail":
            code, text = TEXTS.get(fault.status, ("error", "The operation failed"))
            raise ApiError(fault.status, code, f"{text} (fault on request)")
        if fault.when == "before":
            self._stop(fault)

    def after(self, fault: Fault | None) -> None:
        """What happens between the change and the reply."""
        self.sleep(self.delay / 2)
        if fault is not None and fault.when == "after":
            self._stop(fault)

    def _stop(self, fault: Fault) -> None:
        """Die, or let the caller wait until somebody kills it: the plugin ends with its engine."""
        if fault.action == "die":
            os._exit(137)
        while fault.action == "hold":
            self.sleep(3600)


def _delay() -> float:
    """Seconds an operation takes, half of them before the change and half after it."""
    text = os.environ.get("LOCALCLOUD_DELAY", "0") or "0"
    try:
        return max(0.0, float(text))
    except ValueError as error:
        raise BadFaultError(f"LOCALCLOUD_DELAY is '{text}': expected a number of seconds") from error
