"""Callback endpoints of one execution: requests that arrive before anybody waits are kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from localcloud.workflows.failures import value_error
from localcloud.workflows.values import Value


@dataclass
class _Endpoint:
    method: str
    received: list[Value] = field(default_factory=list)
    waiter: Callable[[Value], None] | None = None


class Callbacks:
    """The endpoints, written by the execution and by the server's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._endpoints: dict[str, _Endpoint] = {}

    def create(self, number: str, method: str) -> None:
        """A new endpoint."""
        with self._lock:
            self._endpoints[number] = _Endpoint(method)

    def knows(self, number: str) -> bool:
        """Whether there is such an endpoint."""
        with self._lock:
            return number in self._endpoints

    def wait(self, number: str, waiter: Callable[[Value], None]) -> None:
        """Hand the next request, or one already received, to the waiter."""
        with self._lock:
            endpoint = self._endpoints[number]
            if endpoint.waiter is not None:
                raise value_error("another step waits for this callback already")
            if not endpoint.received:
                endpoint.waiter = waiter
                return
            request = endpoint.received.pop(0)
        waiter(request)

    def forget(self, number: str) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._endpoints[number].waiter = None

    def receive(self, number: str, method: str, request: dict[str, Value]) -> bool:
        """Take a request; False where the endpoint does not take this method. Raises KeyError for an unknown one."""
        message = {"type": "HTTP", "received_time": _now(), "http_request": request}
        with self._lock:
            endpoint = self._endpoints[number]
            if endpoint.method != method:
                return False
            waiter, endpoint.waiter = endpoint.waiter, None
            if waiter is None:
                endpoint.received.append(message)
        if waiter is not None:
            waiter(message)
        return True

    def listing(self) -> list[tuple[str, str, int]]:
        """Number, method and count of waiting steps of each endpoint."""
        with self._lock:
            return [(n, e.method, int(e.waiter is not None)) for n, e in self._endpoints.items()]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
