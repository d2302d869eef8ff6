"""The library's blocking functions: what only a call step may do."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localcloud.workflows import limits, web
from localcloud.workflows.connectors.calls import perform_experimental
from localcloud.workflows.connectors.gke import perform_gke
from localcloud.workflows.events import LogLine
from localcloud.workflows.failures import failure, type_error, value_error
from localcloud.workflows.frames import Fiber
from localcloud.workflows.values import Value, is_number, json_text, scalar_text, type_name

if TYPE_CHECKING:
    from localcloud.workflows.machine import Machine

_SEVERITIES = frozenset({"DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"})
_CALLBACK_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_CALLBACK_TIMEOUT = 43_200.0

Deliver = Callable[[Value], None]


def perform_blocking(machine: Machine, fiber: Fiber, name: str, given: dict[str, Value], deliver: Deliver) -> None:
    """Begin a blocking call; its value goes to `deliver`. Raises WorkflowError."""
    if name.startswith("experimental."):
        perform_experimental(machine, fiber, name, given, deliver)
    elif name.startswith("gke."):
        perform_gke(machine, fiber, name, given, deliver)
    elif name.startswith("http."):
        _http(machine, fiber, name, given, deliver)
    elif name == "sys.sleep":
        machine.wait(fiber, _seconds("sys.sleep", given.get("seconds")), lambda: deliver(None))
    elif name == "sys.sleep_until":
        machine.wait(fiber, _until(given.get("time"), machine.context.clock.time() + fiber.skew), lambda: deliver(None))
    elif name == "sys.log":
        machine.observer.log(_log_line(given, fiber.last[1]))
        deliver(None)
    elif name == "events.create_callback_endpoint":
        deliver(_create_callback(machine, given.get("http_callback_method")))
    else:
        _await_callback(machine, fiber, given, deliver)


def _seconds(what: str, value: Value) -> float:
    if not is_number(value):
        raise type_error(f"{what} takes a number of seconds; got: {type_name(value)}")
    if not 0 <= value <= limits.SLEEP_SECONDS:
        raise value_error(f"{what} takes 0 to {limits.SLEEP_SECONDS} seconds; got: {value}")
    return float(value)


def _until(value: Value, now: float) -> float:
    if not isinstance(value, str):
        raise type_error(f"sys.sleep_until takes a time as a string; got: {type_name(value)}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise value_error(f"sys.sleep_until: {json_text(value)} is not an ISO 8601 time") from None
    left = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    if left > limits.SLEEP_SECONDS:
        raise value_error(f"sys.sleep_until: {json_text(value)} is more than a year from now")
    return max(0.0, left)


def _log_line(given: dict[str, Value], step: str) -> LogLine:
    kinds = [k for k in ("data", "text", "json") if given.get(k) is not None]
    if len(kinds) != 1:
        raise type_error("sys.log takes exactly one of data, text and json")
    severity = given.get("severity") or "DEFAULT"
    if not isinstance(severity, str):
        raise type_error(f"severity must be a string; got: {type_name(severity)}")
    if severity not in _SEVERITIES:
        raise value_error(f"unknown severity '{severity}'")
    kind, value = kinds[0], given[kinds[0]]
    if kind == "json" and not isinstance(value, dict):
        raise type_error(f"json of sys.log must be a map; got: {type_name(value)}")
    if isinstance(value, bytes):
        raise type_error("sys.log cannot log bytes")
    as_json = kind == "json" or (kind == "data" and isinstance(value, dict))
    text = None if as_json else _log_text(value)
    return LogLine(severity=severity, text=text, json=value if as_json else None, time=time.time(), step=step)


def _log_text(value: Value) -> str:
    return json_text(value) if isinstance(value, list | dict) else scalar_text(value)


def _http(machine: Machine, fiber: Fiber, name: str, given: dict[str, Value], deliver: Deliver) -> None:
    context = machine.context
    # Positional arguments fill skipped parameters with null; a body that is null was not given either way.
    if given.get("body") is None:
        given.pop("body", None)
    request = web.prepare(name, given, {**context.served, **context.routes}, context.service_account)
    machine.exchange(fiber, request, deliver)


def _create_callback(machine: Machine, method: Value) -> Value:
    chosen = method or "POST"
    if chosen not in _CALLBACK_METHODS:
        raise value_error(f"unsupported callback method {json_text(chosen)}")
    number = uuid.uuid4().hex
    machine.callbacks.create(number, chosen)
    return {"url": f"{machine.context.callback_base}/v1/{machine.context.name}/callbacks/{number}"}


def _await_callback(machine: Machine, fiber: Fiber, given: dict[str, Value], deliver: Deliver) -> None:
    callback = given.get("callback")
    url = callback.get("url") if isinstance(callback, dict) else None
    if not isinstance(url, str):
        raise type_error("events.await_callback takes the map that events.create_callback_endpoint returned")
    timeout = given.get("timeout")
    seconds = _CALLBACK_TIMEOUT if timeout is None else _seconds("timeout", timeout)
    number = url.rsplit("/", 1)[-1]
    if not machine.callbacks.knows(number):
        raise value_error(f"no callback endpoint of this execution: {url}")

    def late() -> None:
        machine.callbacks.forget(number)
        raise failure("TimeoutError", f"no callback was received within {seconds} seconds")

    hold = machine.hold(fiber, seconds, late)
    machine.callbacks.wait(number, lambda request: hold(lambda: deliver(request)))
