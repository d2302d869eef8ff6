"""The executors' contract: start a job through the intermediate function and poll until it has ended.

This is the meaning that compiled Cloud Workflows have too (`run_step` there), with the same words in the same order of
calls. It needs no Airflow: what it asks of the world comes in through `World`, so that it can be tested without one.

Deliberately absent: cancelling a job. The contract has no such call.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

EMULATOR_VARIABLE = "DATAPLATFORM_EXECUTORS_EMULATOR_HOST"
"""Base URL of stand-in executors, `http://127.0.0.1:PORT`; calls then carry no authentication."""
CALLER_VARIABLE = "DATAPLATFORM_EXECUTORS_EMULATOR_CALLER"
"""Address of the service account that calls of stand-ins are made for, only together with the variable above. They
carry it in a header: no token is made up, and the functions of a cloud are never told it."""
CALLER_HEADER = "X-DataPlatform-Emulator-Caller"
TIME_SCALE_VARIABLE = "DATAPLATFORM_TIME_SCALE"
"""Factor on all waits, only together with the variable above."""

START_CALL_SECONDS = 540
STATUS_CALL_SECONDS = 120
LAST_CALL_SECONDS = 30
"""A call that begins when the deadline is near may still take this long."""
TOKEN_SECONDS = 1800
"""Identity tokens live an hour; one that is older than this is fetched anew."""
MAX_ERROR_TEXT = 1000

# What is repeated. A start is not idempotent: after 502, 504 or a broken connection the job may be running, so it is
# repeated only where it was refused (429, 503) or never reached the function. The service's own retry predicates, which
# compiled workflows use, make the same difference.
STATUS_TRANSIENT = frozenset({429, 502, 503, 504})
START_TRANSIENT = frozenset({429, 503})

_JOB_ID = re.compile(r"^aef[_-]")


class StepFailedError(Exception):
    """Raised when a step has failed: its job, its executor, or its deadline. The message names the step.

    `job_ended` is true where the executor said so; false means that the job may be running still.
    """

    def __init__(self, message: str, *, job_ended: bool) -> None:
        super().__init__(message)
        self.job_ended = job_ended


class StartUncertainError(StepFailedError):
    """Raised when it is not known whether the job was started: its call went out and no answer came back."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Repetitions of one call, and the pauses between (exponential)."""

    max_retries: int = 5
    initial_delay: int = 2
    max_delay: int = 60
    multiplier: int = 2


@dataclass(frozen=True, kw_only=True)
class StepSpec:
    """One step, with what its messages name it by."""

    pipeline: str
    level: str
    thread: str
    job_name: str
    executor: str
    status_executor: str
    intermediate_url: str
    poll_interval: int
    timeout: int
    properties: Mapping[str, Any] = field(default_factory=dict)
    retry: Retry = Retry()

    @property
    def place(self) -> str:
        """How a message names this step."""
        return f"pipeline {self.pipeline}, level {self.level}, thread {self.thread}, step {self.job_name}"

    @property
    def functions_url(self) -> str:
        """What the name of an executor is appended to."""
        return self.intermediate_url.rsplit("/", 1)[0] + "/"


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """The run a step belongs to."""

    workflow_name: str
    execution_id: str
    query_variables: Mapping[str, Any]
    workflow_properties: Any


@dataclass(frozen=True)
class Reply:
    """What a call was answered: `status` 0 means that no answer came, `text` then says why."""

    status: int
    text: str
    never_sent: bool = False
    """No connection could be made, so nothing was received at the other end."""

    @property
    def answered(self) -> bool:
        """Whether the function did what it was asked."""
        return 200 <= self.status < 300


Post = Callable[[str, Mapping[str, Any], float], Reply]
"""(url, body, timeout in seconds) → reply. Does not raise for anything the network does."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What a step needs from outside."""

    post: Post
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    say: Callable[[str], None] = lambda text: None


class Step:
    """One run of a step: `start`, then `wait`."""

    def __init__(self, spec: StepSpec, run: RunSpec, world: World) -> None:
        self.spec = spec
        self.polls = 0
        self._world = world
        self._url = spec.intermediate_url
        self._functions = spec.functions_url
        emulator = os.environ.get(EMULATOR_VARIABLE, "").rstrip("/")
        if emulator:
            self._functions = f"{emulator}/"
            self._url = self._functions + spec.intermediate_url.rsplit("/", 1)[1]
        self._scale = float(os.environ.get(TIME_SCALE_VARIABLE, "1")) if emulator else 1.0
        self._began = world.clock()
        self._waited = 0.0
        self._body: dict[str, Any] = {
            "call_type": "get_id",
            "workflow_name": run.workflow_name,
            "execution_id": run.execution_id,
            "job_name": spec.job_name,
            "function_url_to_call": self._functions + spec.executor,
            "query_variables": dict(run.query_variables),
            "workflow_properties": run.workflow_properties,
            "step_properties": dict(spec.properties),
        }

    def start(self) -> str:
        """Start the job and return its id.

        Raises:
            StartUncertainError: the request was sent and no answer came back.
            StepFailedError: the executor did not start the job.
        """
        reply = self._first_call(START_CALL_SECONDS)
        if not _JOB_ID.match(reply.text):
            raise StepFailedError(
                f"{self.spec.place}: the start call answered {reply.text[:MAX_ERROR_TEXT]}, which is no job id",
                job_ended=True,
            )
        return reply.text

    def call_once(self) -> None:
        """Make the one call of a step of TYPE sync. Its answer is success unless it is a JSON object with an `error`.

        Raises:
            StartUncertainError: the request was sent and no answer came back.
            StepFailedError: the function did not do its work.
        """
        reply = self._first_call(self.spec.timeout)
        if _has_error(reply.text):
            raise StepFailedError(
                f"{self.spec.place}: the start call answered {reply.text[:MAX_ERROR_TEXT]}, which is an error",
                job_ended=True,
            )

    def rest(self, seconds: int) -> None:
        """Pause between two runs of the job."""
        self._world.sleep(seconds * self._scale)

    def _first_call(self, limit: int) -> Reply:
        reply = self._call("start", limit)
        if reply.status in (0, 502, 504) and not reply.never_sent:
            raise StartUncertainError(self._http_failure("start", reply), job_ended=False)
        if not reply.answered:
            raise StepFailedError(self._http_failure("start", reply), job_ended=True)
        return reply

    def wait(self, job_id: str) -> None:
        """Poll until the job has succeeded.

        Raises:
            StepFailedError: the job failed, or the deadline has passed.
        """
        spec = self.spec
        self._body.update(
            call_type="get_status",
            function_url_to_call=self._functions + spec.status_executor,
            async_job_id=job_id,
        )
        while True:
            pause = max(min(spec.poll_interval, spec.timeout - self._elapsed()), 0)
            self._waited += pause
            self.polls += 1
            self._world.sleep(pause * self._scale)
            reply = self._call("status", STATUS_CALL_SECONDS)
            if not reply.answered:
                # A 500 is how the intermediate reports a job that failed; no answer at all says nothing of the job.
                raise StepFailedError(self._http_failure("status", reply), job_ended=reply.status == 500)
            if reply.text == "success":
                return
            if reply.text != "running":
                raise StepFailedError(
                    f"{spec.place}: the status call answered {reply.text[:MAX_ERROR_TEXT]}", job_ended=True
                )
            self._world.say(f"{spec.place}: job {job_id} is running (poll {self.polls})")
            if self._elapsed() >= spec.timeout:
                raise StepFailedError(
                    f"{spec.place}: no success within {spec.timeout} seconds: job {job_id} was still running",
                    job_ended=False,
                )

    def _elapsed(self) -> int:
        """Seconds slept or seconds of the clock since the step began, whichever is more.

        Where waits are scaled the first counts, so that a step has as many polls as it would have in life.
        """
        return max(int(self._waited), int(self._world.clock() - self._began))

    def _call(self, phase: str, limit: int) -> Reply:
        """One call with its repetitions. The deadline does not cut them short: the answer they bring may be success."""
        retry = self.spec.retry
        transient = START_TRANSIENT if phase == "start" else STATUS_TRANSIENT
        delay = min(retry.initial_delay, retry.max_delay)
        attempt = 0
        while True:
            left = self.spec.timeout - (self._world.clock() - self._began)
            reply = self._world.post(self._url, self._body, min(limit, max(left, LAST_CALL_SECONDS)))
            again = reply.status in transient or reply.never_sent or (reply.status == 0 and phase == "status")
            attempt += 1
            if not again or attempt > retry.max_retries:
                return reply
            self._world.say(f"{self._http_failure(phase, reply)}; again in {delay} seconds")
            self._waited += delay
            self._world.sleep(delay * self._scale)
            delay = min(delay * retry.multiplier, retry.max_delay)

    def _http_failure(self, phase: str, reply: Reply) -> str:
        text = reply.text[:MAX_ERROR_TEXT]
        status = f"HTTP status {reply.status}: " if reply.status else ""
        return f"{self.spec.place}: the {phase} call failed: {status}{text}"


def _has_error(text: str) -> bool:
    """Whether an answer is a JSON object with an `error`, as executors report one with status 200."""
    try:
        said = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("error") is not None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def pauses(retry: Mapping[str, int]) -> list[int]:
    """The pauses before each repetition, of `max_retries`, `initial_delay`, `max_delay` and `multiplier`."""
    return [
        min(retry["initial_delay"] * retry["multiplier"] ** n, retry["max_delay"]) for n in range(retry["max_retries"])
    ]


def http_post() -> Post:
    """A `Post` over the network, with an identity token for the function unless executors are stand-ins."""
    import requests

    session = requests.Session()
    session.trust_env = False
    tokens: dict[str, tuple[float, str]] = {}

    def token(url: str) -> str:
        known = tokens.get(url)
        if known is None or time.monotonic() - known[0] > TOKEN_SECONDS:
            from google.auth.transport.requests import Request
            from google.oauth2 import id_token

            fetch: Any = id_token.fetch_id_token
            known = tokens[url] = (time.monotonic(), str(fetch(Request(), url)))
        return known[1]

    def post(url: str, body: Mapping[str, Any], timeout: float) -> Reply:
        headers = {}
        if os.environ.get(EMULATOR_VARIABLE):
            if os.environ.get(CALLER_VARIABLE):
                headers[CALLER_HEADER] = os.environ[CALLER_VARIABLE]
        else:
            try:
                headers["Authorization"] = f"Bearer {token(url)}"
            except Exception as error:
                return Reply(0, f"no identity token: {error}", never_sent=True)
        try:
            answer = session.post(url, json=body, headers=headers, timeout=(min(timeout, 30), timeout))
        except requests.exceptions.ConnectTimeout as error:
            return Reply(0, f"no connection: {error}", never_sent=True)
        except requests.exceptions.ConnectionError as error:
            return Reply(0, f"no connection: {error}", never_sent=_refused(error))
        except requests.exceptions.RequestException as error:
            return Reply(0, f"no answer: {error}")
        if answer.status_code == 401:
            tokens.pop(url, None)
        return Reply(answer.status_code, answer.text)

    return post


def _refused(error: BaseException | None) -> bool:
    """Whether the connection itself could not be made: urllib3 says so by the class of the innermost error."""
    seen = 0
    while error is not None and seen < 10:
        if type(error).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError"):
            return True
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        error = inner if isinstance(inner, BaseException) else None
        seen += 1
    return False
