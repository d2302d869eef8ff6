"""Callback endpoints of one execution.

A request that arrives before anybody waits is kept until a step waits for it; a further one is refused meanwhile, with
429 (https://cloud.google.com/workflows/docs/creating-callback-endpoints).
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.workflows.failures import value_error
from localcloud.workflows.values import Value, json_text


class OccupiedError(Exception):
    """Raised for a request while an earlier one has not been processed."""


@dataclass
class _Endpoint:
    method: str
    received: Value = None
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
            if endpoint.received is None:
                endpoint.waiter = waiter
                return
            request, endpoint.received = endpoint.received, None
        waiter(request)

    def forget(self, number: str) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._endpoints[number].waiter = None

    def receive(self, number: str, method: str, request: dict[str, Value]) -> bool:
        """Take a request; False where the endpoint does not take this method.

        Raises KeyError for an unknown endpoint and OccupiedError for one that holds a request already.
        """
        message = {"type": "HTTP", "received_time": _now(), "http_request": request}
        with self._lock:
            endpoint = self._endpoints[number]
            if endpoint.method != method:
                return False
            if endpoint.received is not None:
                raise OccupiedError
            waiter, endpoint.waiter = endpoint.waiter, None
            if waiter is None:
                endpoint.received = message
        if waiter is not None:
            waiter(message)
        return True

    def listing(self) -> list[tuple[str, str, int, list[str]]]:
        """Number, method, count of waiting steps and unprocessed payloads of each endpoint."""
        with self._lock:
            return [
                (n, e.method, int(e.waiter is not None), [_payload(e.received)] if e.received is not None else [])
                for n, e in self._endpoints.items()
            ]


def _payload(message: dict[str, Value]) -> str:
    body = message["http_request"]["body"]
    if isinstance(body, bytes):
        body = base64.b64encode(body).decode()
    return json_text({**message, "http_request": {**message["http_request"], "body": body}})


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
