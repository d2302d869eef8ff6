"""Stand-in step executors: one local server that answers as AEF's intermediate function does.

The contract is that of AEF orchestration-framework (commit c158804), function `orch-framework-intermediate`: POST JSON;
`get_id` answers 200 with a job id as plain text, `get_status` 200 with `success` or `running`, and everything else is
500 with the text `Exception : Exception("...")`. A request that lacks what the function reads is refused like there.

What each job does is scripted by its name; every call is recorded. Nothing is run. Who may call is decided before that,
by what `serve` is given for it. Deliberately absent: OIDC tokens, and the executors behind the intermediate.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

Admit = Callable[[Mapping[str, str], str], tuple[int, str] | None]
"""Headers (names in lower case) and path of a call → status and text it is refused with, None where it is admitted."""

Outcome = Literal["success", "failed", "never", "start_fails", "transient_503", "bad_id", "odd_status", "lost_start"]

_START_KEYS = ("workflow_name", "execution_id", "job_name", "function_url_to_call", "query_variables")


@dataclass(frozen=True, kw_only=True)
class JobScript:
    """How a job behaves."""

    polls: int = 2
    """Status calls until the job has ended; the last of them gets the outcome."""
    outcome: Outcome = "success"
    """How it ends. Beside the plain ones:

    - `never` runs on for ever
    - `transient_503` answers the first start and the first status call with 503, then succeeds
    - `bad_id` answers a start with text that is no job id
    - `odd_status` ends with a word nobody knows
    - `lost_start` starts, and the connection breaks before the answer
    """


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, and what it was answered."""

    time: float
    """Seconds of the monotonic clock at its arrival."""
    call_type: str
    """`get_id`, `get_status`, or whatever the request said."""
    job_name: str
    function: str
    """Last segment of function_url_to_call: the executor."""
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    """Names in lower case."""
    path: str
    status: int
    """0 where the connection was broken instead."""
    answer: str


@dataclass
class _Job:
    name: str
    script: JobScript
    polls: int = 0


@dataclass
class _State:
    script: Mapping[str, JobScript]
    admit: Admit | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    jobs: dict[str, _Job] = field(default_factory=dict)
    started: dict[str, int] = field(default_factory=dict)
    hiccups: set[tuple[str, str]] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)


class ExecutorServer:
    """A running server; usable as a context manager."""

    def __init__(self, server: ThreadingHTTPServer, state: _State) -> None:
        self._server = server
        self._state = state
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="executors", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, to which the name of a function is appended."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> list[Call]:
        """What was asked so far, in the order of arrival."""
        with self._state.lock:
            return list(self._state.calls)

    def forget(self) -> None:
        """Start anew: no calls, no jobs."""
        with self._state.lock:
            self._state.calls.clear()
            self._state.jobs.clear()
            self._state.started.clear()
            self._state.hiccups.clear()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(script: Mapping[str, JobScript] | None = None, port: int = 0, admit: Admit | None = None) -> ExecutorServer:
    """Serve on 127.0.0.1. `script` says by job name how a job behaves; any other job succeeds at the second poll.

    `admit` is asked before a call is answered, and its answer is the call's where it has one.
    """
    state = _State(script=dict(script or {}), admit=admit)
    handler = type("Handler", (_Handler,), {"state": state})
    server = _Server(("127.0.0.1", port), handler)
    return ExecutorServer(server, state)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Twenty threads of a level connect at once; http.server's queue of 5 would have the kernel reset some of them.
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    state: ClassVar[_State]
    protocol_version = "HTTP/1.1"
    # Unbuffered writes cost a delayed acknowledgement, 40 ms, on every answer.
    wbufsize = 64 * 1024
    timeout = 60

    def do_POST(self) -> None:
        arrived = time.monotonic()
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        headers = {key.lower(): value for key, value in self.headers.items()}
        refused = self.state.admit(headers, self.path) if self.state.admit is not None else None
        with self.state.lock:
            status, answer = refused or _answer(self.state, body)
            found = body if isinstance(body, dict) else {}
            call = Call(
                time=arrived,
                call_type=str(found.get("call_type", "")),
                job_name=str(found.get("job_name", "")),
                function=str(found.get("function_url_to_call", "")).rsplit("/", 1)[-1],
                body=found,
                headers=headers,
                path=self.path,
                status=status,
                answer=answer,
            )
            self.state.calls.append(call)
        if status == 0:
            self.close_connection = True
            return
        data = answer.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is http.server's)
        """Say nothing: the calls are recorded."""


def _failure(text: str) -> tuple[int, str]:
    return 500, f"Exception : Exception({json.dumps(text)})"


def _answer(state: _State, body: object) -> tuple[int, str]:
    if not isinstance(body, dict):
        return 400, "the request is not a JSON object"
    if body.get("state") == "failed" and "message" in body and "call_type" not in body:
        return _told(body)
    missing = [key for key in _START_KEYS if not body.get(key)]
    dates = body.get("query_variables")
    if isinstance(dates, dict):
        missing += [f"query_variables.{key}" for key in ("start_date", "end_date") if not dates.get(key)]
    if missing:
        return _failure(f"missing in the request: {', '.join(missing)}")
    name = str(body["job_name"])
    kind = body.get("call_type")
    script = state.script.get(name, JobScript())
    if kind in ("get_id", "get_status") and script.outcome == "transient_503" and (name, kind) not in state.hiccups:
        state.hiccups.add((name, kind))
        return 503, "Service Unavailable"
    if kind == "get_id":
        return _start(state, name, script)
    if kind == "get_status":
        return _status(state, str(body.get("async_job_id", "")), name)
    return _failure(f"unknown call_type: {kind!r}")


def _told(body: Mapping[str, Any]) -> tuple[int, str]:
    """What the function for failures (`on_failure`) is told of a failed run."""
    missing = [key for key in ("pipeline", "execution_id", "message") if not isinstance(body.get(key), str)]
    return _failure(f"missing in the request: {', '.join(missing)}") if missing else (200, "told")


def _start(state: _State, name: str, script: JobScript) -> tuple[int, str]:
    if script.outcome == "start_fails":
        return _failure(f"job {name} could not be started")
    if script.outcome == "bad_id":
        return 200, "42"
    number = state.started[name] = state.started.get(name, 0) + 1
    job_id = f"aef_{re.sub('[^A-Za-z0-9]+', '-', name)}_{number}"
    while job_id in state.jobs:
        job_id += "x"
    state.jobs[job_id] = _Job(name, script)
    return 0 if script.outcome == "lost_start" else 200, job_id


def _status(state: _State, job_id: str, name: str) -> tuple[int, str]:
    job = state.jobs.get(job_id)
    if job is None or job.name != name:
        return _failure(f"no job {job_id!r} of that name")
    job.polls += 1
    if job.script.outcome == "never" or job.polls < job.script.polls:
        return 200, "running"
    if job.script.outcome == "failed":
        return _failure(f"job {job_id} ended as FAILED")
    return 200, "cancelled" if job.script.outcome == "odd_status" else "success"
