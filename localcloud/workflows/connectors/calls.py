"""Connector calls as they run: the request, its retries, and the polling of a long-running operation.

By https://cloud.google.com/workflows/docs/connectors and …/docs/reference/googleapis: GET requests are retried by the
idempotent default policy and others by the non-idempotent one; an operation is polled after 1 s, then ever later by a
factor of 1.25 up to 60 s; the call may take 1800 s altogether unless `connector_params.timeout` says otherwise.

The Workflows and Workflow Executions APIs are answered by the embedded service itself; any other API needs a route.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from localcloud.errors import ApiError
from localcloud.workflows import library, limits, web
from localcloud.workflows.connectors import HELPERS, Method, find
from localcloud.workflows.connectors.progress import Progress, progress
from localcloud.workflows.failures import WorkflowError, failure, type_error, value_error
from localcloud.workflows.frames import Fiber
from localcloud.workflows.values import Value, is_number, json_text, type_name

if TYPE_CHECKING:
    from localcloud.workflows.machine import Machine

Deliver = Callable[[Value], None]

EXECUTIONS = "https://workflowexecutions.googleapis.com"
INTERNAL = (EXECUTIONS, "https://workflows.googleapis.com")
"""What the embedded service answers itself."""

_RETRIES = 5
_BACKOFF = (1.0, 1.25, 60.0)
_PARAMETERS = frozenset({"timeout", "polling_policy", "skip_polling", "scopes"})
_POLICY = ("initial_delay", "multiplier", "max_delay")


@dataclass(frozen=True)
class Parameters:
    """`connector_params` of a call."""

    timeout: float = 1800.0
    policy: tuple[float, float, float] = _BACKOFF
    skip_polling: bool = False


def parameters(given: Value) -> Parameters:
    """The checked `connector_params`. Raises WorkflowError."""
    if given is None:
        return Parameters()
    if not isinstance(given, dict):
        raise type_error(f"connector_params must be a map; got: {type_name(given)}")
    unknown = sorted(given.keys() - _PARAMETERS)
    if unknown:
        raise value_error(f"connector_params has no '{unknown[0]}'; it takes {', '.join(sorted(_PARAMETERS))}")
    timeout = given.get("timeout", 1800.0)
    if not is_number(timeout):
        raise type_error(f"timeout must be a number; got: {type_name(timeout)}")
    if not 0 < timeout <= limits.CONNECTOR_TIMEOUT_SECONDS:
        raise value_error(f"timeout must be more than 0 and at most {limits.CONNECTOR_TIMEOUT_SECONDS}; got: {timeout}")
    skip = given.get("skip_polling", False)
    if not isinstance(skip, bool):
        raise type_error(f"skip_polling must be a boolean; got: {type_name(skip)}")
    scopes = given.get("scopes")
    if scopes is not None and not isinstance(scopes, str | list):
        raise type_error(f"scopes must be a string or a list; got: {type_name(scopes)}")
    return Parameters(float(timeout), _policy(given.get("polling_policy")), skip)


def _policy(given: Value) -> tuple[float, float, float]:
    if given is None:
        return _BACKOFF
    if not isinstance(given, dict):
        raise type_error(f"polling_policy must be a map; got: {type_name(given)}")
    unknown = sorted(given.keys() - set(_POLICY))
    if unknown:
        raise value_error(f"polling_policy has no '{unknown[0]}'; it takes {', '.join(_POLICY)}")
    found = [given.get(name, default) for name, default in zip(_POLICY, _BACKOFF, strict=True)]
    for name, value in zip(_POLICY, found, strict=True):
        if not is_number(value):
            raise type_error(f"{name} must be a number; got: {type_name(value)}")
        if value < 0:
            raise value_error(f"{name} must not be negative; got: {value}")
    return float(found[0]), float(found[1]), float(found[2])


@dataclass
class Caller:
    """One call in progress: its deadline, and how it asks."""

    machine: Machine
    fiber: Fiber
    name: str
    params: Parameters
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = self.now() + self.params.timeout

    def now(self) -> float:
        """The execution's time."""
        return self.machine.context.clock.time() + self.fiber.skew

    def wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Wait, but not beyond the deadline."""
        left = self.deadline - self.now()
        if seconds < left:
            self.machine.wait(self.fiber, seconds, then)
            return

        def late() -> None:
            raise failure("TimeoutError", f"{self.name} did not end within {self.params.timeout} seconds")

        self.machine.wait(self.fiber, max(0.0, left), late)

    def send(self, verb: str, url: str, body: Value, then: Deliver, attempt: int = 0) -> None:
        """Send one request, with the default retries; `then` gets the body of the response."""

        def failed(error: WorkflowError) -> None:
            name = "http.default_retry_predicate" + ("" if verb == "GET" else "_non_idempotent")
            if attempt >= _RETRIES or not library.compute(library.FUNCTIONS[name], [error.payload]):
                raise error
            initial, factor, longest = _BACKOFF
            delay = min(initial * factor**attempt, longest)
            self.wait(delay, lambda: self.send(verb, url, body, then, attempt + 1))

        internal = self.machine.context.internal
        if internal is not None and url.startswith(INTERNAL) and not self._routed(url):
            try:
                self._admitted(verb, url)
                answer = self._internal(verb, url, body)
            except ApiError as error:
                failed(_http_error(error))
                return
            then(answer)
            return
        request = self._request(verb, url, body)
        self.machine.exchange(self.fiber, request, lambda r: then(r["body"]), failed)

    def _admitted(self, verb: str, url: str) -> None:
        """Raise ApiError where the workflow's account may not make the call."""
        context = self.machine.context
        refused = context.guard and context.guard(context.service_account, verb, url, None)
        if refused:
            said = json.loads(refused.text)["error"]
            raise ApiError(said["code"], said["status"], said["message"])

    def _routed(self, url: str) -> bool:
        return any(url.startswith(prefix) for prefix in self.machine.context.routes)

    def _internal(self, verb: str, url: str, body: Value) -> Value:
        internal = self.machine.context.internal
        assert internal is not None
        parts = urlsplit(url)
        return internal.request(verb, parts.path.lstrip("/"), parts.query, body if isinstance(body, dict) else {})

    def _request(self, verb: str, url: str, body: Value) -> web.Request:
        given: dict[str, Value] = {
            "method": verb,
            "url": url,
            "auth": {"type": "OAuth2"},
            "timeout": min(self.params.timeout, float(limits.HTTP_TIMEOUT_SECONDS)),
        }
        if body is not None:
            given["body"] = body
        context = self.machine.context
        try:
            return web.prepare("http.request", given, context.routes, context.service_account)
        except WorkflowError as error:
            if not error.has_tag("ConnectionFailedError"):
                raise
            host = urlsplit(url).hostname
            raise failure(
                "ConnectionError",
                f"connector {self.name}: the embedded cloud does not serve '{host}'; it needs a route for https://{host}",
            ) from None

    def operation(self, method: Method, root: str, answer: Value, then: Deliver, polls: int = 0) -> None:
        """Poll a long-running operation until it has ended."""
        stand = progress(method, root, answer)
        if stand.state == "running":
            self.later(polls, lambda: self.send("GET", stand.url, None, again))
        else:
            then(self.ended(stand, answer))

        def again(body: Value) -> None:
            self.operation(method, root, body, then, polls + 1)

    def later(self, polls: int, then: Callable[[], None]) -> None:
        """Wait for the next poll."""
        initial, factor, longest = self.params.policy
        try:
            delay = min(initial * factor**polls, longest)
        except OverflowError:
            delay = longest
        self.wait(delay, then)

    def ended(self, stand: Progress, answer: Value) -> Value:
        """The last state of an operation; raises an OperationError where it failed."""
        if stand.state == "failed":
            raise _operation_error(stand.message, answer)
        return answer


def _operation_error(message: str, operation: Value) -> WorkflowError:
    error = operation.get("error") if isinstance(operation, dict) else None
    payload: dict[str, Any] = {"message": message, "tags": ["OperationError"], "operation": operation}
    return WorkflowError({**payload, "error": error} if error is not None else payload)


def _http_error(error: ApiError) -> WorkflowError:
    body = {"error": {"code": error.status, "message": error.message, "status": error.code}}
    return WorkflowError(
        {
            "message": f"HTTP server responded with error code {error.status}",
            "tags": ["HttpError"],
            "code": error.status,
            "headers": {},
            "body": body,
        }
    )


def perform_connector(
    machine: Machine, fiber: Fiber, path: str, given: dict[str, Value] | list[Value], deliver: Deliver
) -> None:
    """Begin a connector call; its value goes to `deliver`. Raises WorkflowError."""
    helper = HELPERS.get(path)
    if isinstance(given, list):
        given = dict(zip(helper.parameters if helper else (), given, strict=False))
    caller = Caller(machine, fiber, path, parameters(given.get("connector_params")))
    if helper is not None:
        _help(caller, path.rsplit(".", 1)[-1], given, deliver)
        return
    method = find(path)
    assert method is not None
    root = method.root
    if method.regional and given.get(method.regional) is not None:
        root = root.replace("https://", f"https://{_text(method.regional, given[method.regional])}-", 1)

    def started(answer: Value) -> None:
        if method.long_running and not caller.params.skip_polling:
            caller.operation(method, root, answer, deliver)
        else:
            deliver(answer)

    body = given.get("body")
    caller.send(method.verb, _url(method, root, given), body, started)


def _text(name: str, value: Value) -> str:
    if not isinstance(value, str):
        raise type_error(f"{name} must be a string; got: {type_name(value)}")
    return value


def _url(method: Method, root: str, given: dict[str, Value]) -> str:
    path = method.path
    for name in method.places:
        if given.get(name) is None:
            raise type_error(f"{method.name}: argument '{name}' is missing")
        value = given[name]
        if not isinstance(value, str) and not is_number(value):
            raise type_error(f"{name} must be a string; got: {type_name(value)}")
        text = str(value)
        path = path.replace(f"{{+{name}}}", quote(text, safe="/:@")).replace(f"{{{name}}}", quote(text, safe=""))
    pairs: list[tuple[str, str]] = []
    more = given.get("query")
    if more is not None and not isinstance(more, dict):
        raise type_error(f"query must be a map; got: {type_name(more)}")
    asked = {**_asked(method, given), **(more or {})}
    for name, value in asked.items():
        items = value if isinstance(value, list) else [value]
        pairs += [(name, i if isinstance(i, str) else json_text(i)) for i in items if i is not None]
    return f"{root}/{path}" + (f"?{urlencode(pairs)}" if pairs else "")


def _asked(method: Method, given: dict[str, Value]) -> dict[str, Value]:
    """The parameters of the URL's query; a map stands for the dotted names below it."""
    found: dict[str, Value] = {}

    def add(name: str, value: Value) -> None:
        if value is None:
            return
        if name in method.query:
            found[name] = value
        elif isinstance(value, dict):
            for key, inner in value.items():
                add(f"{name}.{key}", inner)
        else:
            raise value_error(f"{method.name} has no parameter '{name}'")

    own = {*method.places, "body", "query", "connector_params", method.regional} - method.query
    for name in sorted(given.keys() - own):
        add(name, given[name])
    return found


def _help(caller: Caller, kind: str, given: dict[str, Value], deliver: Deliver) -> None:
    project = _text("project_id", given.get("project_id") or caller.machine.context.project)
    if kind == "run":
        run_child(caller, given, deliver, _operation_error)
        return
    number = _text("secret_id", given["secret_id"])
    secret = f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets/{number}"
    if kind == "addVersionString":
        data = base64.b64encode(_text("data", given["data"]).encode()).decode()
        caller.send("POST", f"{secret}:addVersion", {"payload": {"data": data}}, deliver)
        return

    def decoded(answer: Value) -> None:
        try:
            text = base64.b64decode(answer["payload"]["data"]).decode()
        except (KeyError, TypeError, ValueError):
            raise value_error("the secret's data is not UTF-8 text") from None
        deliver(text)

    caller.send("GET", f"{secret}/versions/{given.get('version') or 'latest'}:access", None, decoded)


def run_child(
    caller: Caller, given: dict[str, Value], deliver: Deliver, error: Callable[[str, Value], WorkflowError]
) -> None:
    """Start an execution of a workflow and wait for it; its result goes to `deliver`."""
    context = caller.machine.context
    project = _text("project_id", given.get("project_id") or context.project)
    location = _text("location", given.get("location") or context.location)
    workflow = _text("workflow_id", given.get("workflow_id"))
    parent = f"{EXECUTIONS}/v1/projects/{project}/locations/{location}/workflows/{workflow}"
    body: dict[str, Value] = {}
    if given.get("argument") is not None:
        try:
            body["argument"] = json_text(given["argument"])
        except TypeError as problem:
            raise type_error(f"argument cannot be encoded: {problem}") from None

    def seen(execution: Value, polls: int) -> None:
        state = execution.get("state") if isinstance(execution, dict) else None
        if state in ("ACTIVE", "QUEUED"):
            address = f"{EXECUTIONS}/v1/{execution['name']}"
            caller.later(polls, lambda: caller.send("GET", address, None, lambda e: seen(e, polls + 1)))
        elif state == "SUCCEEDED":
            deliver(json.loads(execution.get("result", "null")))
        elif state is None:
            raise failure("ResponseTypeError", f"{caller.name}: the response is not an execution")
        else:
            raise error(f"Execution failed or cancelled. Check operation for details: {state}", execution)

    def started(execution: Value) -> None:
        if caller.params.skip_polling:
            deliver(None)
        else:
            seen(execution, 0)

    caller.send("POST", f"{parent}/executions", body, started)


def execution_error(message: str, execution: Value) -> WorkflowError:
    """What `experimental.executions.*` raise."""
    return WorkflowError({"message": message, "tags": ["ExecutionError"], "operation": execution})


def perform_experimental(machine: Machine, fiber: Fiber, name: str, given: dict[str, Value], deliver: Deliver) -> None:
    """`experimental.executions.run` and `.map`: the executions of a `map` begin together and are then waited for."""
    timeout = given.get("timeout")
    caller = Caller(machine, fiber, name, parameters(None if timeout is None else {"timeout": timeout}))
    if name.endswith(".run"):
        run_child(caller, given, deliver, execution_error)
        return
    arguments = given.get("arguments")
    if not isinstance(arguments, list):
        raise type_error(f"arguments must be a list; got: {type_name(arguments)}")
    project = _text("project_id", given.get("project_id") or machine.context.project)
    location = _text("location", given.get("location") or machine.context.location)
    parent = f"{EXECUTIONS}/v1/projects/{project}/locations/{location}/workflows/{given.get('workflow_id')}"
    found: list[Value] = []

    def start(number: int) -> None:
        if number < len(arguments):
            body = {"argument": json_text(arguments[number])}

            def started(execution: Value) -> None:
                found.append(execution)
                # By way of the machine's loop: a long list must not become a deep stack.
                machine.wait(fiber, 0, lambda: start(number + 1))

            caller.send("POST", f"{parent}/executions", body, started)
        else:
            look(0, 0)

    def look(number: int, polls: int) -> None:
        """Wait for one execution after the other; one that ended meanwhile costs a request and no time."""

        def seen(execution: Value) -> None:
            found[number] = execution
            if execution["state"] in ("ACTIVE", "QUEUED"):
                caller.later(polls, partial(look, number, polls + 1))
            elif execution["state"] == "SUCCEEDED":
                machine.wait(fiber, 0, partial(look, number + 1, polls))
            else:
                raise execution_error(f"execution {execution['name']} ended as {execution['state']}", execution)

        if number < len(found):
            caller.send("GET", f"{EXECUTIONS}/v1/{found[number]['name']}", None, seen)
        else:
            deliver([json.loads(e.get("result", "null")) for e in found])

    start(0)
