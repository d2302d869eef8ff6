"""Runs of a Data Fusion pipeline: start or adopt one, look at it, stop it. Plain HTTP, without Airflow.

A run is found again by a key in its runtime arguments, which CDAP keeps with the run: whoever starts with a key first
looks whether there is a run of it. So a try whose worker died, or whose start had no answer, leaves nothing behind that
the next one would not find. Only COMPLETED is success; RUNNING never is.

CDAP says 404 of a run for a while after its start, which is taken for PENDING. Its own list of runs has the active ones
first and then the newest.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from dataplatform_runtime.google_rest import TRANSIENT, Rest, RestError, data_fusion_url, instance_url, time_scale

__all__ = ["Pipeline", "Run", "RunFailedError", "RunLateError", "Runs", "UnstoppedError", "keys_of"]

KEY = "dataplatform.run.key"
"""Runtime argument: which task, and which of its rounds of tries, a run belongs to."""
PREFIX = "dataplatform."
"""What runtime arguments of ours begin with."""
ACTIVE = frozenset({"PENDING", "STARTING", "RUNNING", "STOPPING", "SUSPENDED", "RESUMING"})
FAILED = frozenset({"FAILED", "KILLED", "REJECTED"})
UNSEEN_SECONDS = 600
"""How long a run that was just started may stay unknown to CDAP."""
SETTLE_SECONDS = 60
"""How long a start without an answer is looked for."""
STOP_SECONDS = 420
"""How long a run may take to stop. CDAP gives it 300 seconds to end by itself."""
LISTED = 1000
_PROGRAM = "workflows/DataPipelineWorkflow"
_LINE = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ - (?P<level>[A-Z]+) +\[.*?\] - (?P<said>.*)")
_SECRET = re.compile(r"(?i)(\w*(?:password|passwd|pwd|secret|token|apikey|access_?key))=[^\s;&,]+")


class RunFailedError(Exception):
    """Raised when a run has ended otherwise than COMPLETED, or could not be started: nothing of it is running."""


class RunLateError(RunFailedError):
    """Raised when a run took longer than it may and has been stopped."""


class UnstoppedError(Exception):
    """Raised when a run took longer than it may and could not be stopped: it may be running still."""


def keys_of(who: Sequence[str | int], arguments: Mapping[str, str], cleared: int, began: str = "0") -> tuple[str, str]:
    """The key of a run, and the part of it that stays when its task is cleared.

    Args:
        who: What the task instance is named by.
        arguments: Runtime arguments that are the task's own.
        cleared: By how much the task's tries were raised.
        began: When the DAG's run began: one that was deleted and made again has the same name.
    """
    said = json.dumps([list(who), sorted(arguments.items())])
    task = hashlib.sha256(said.encode()).hexdigest()[:40]
    return f"{task}.{cleared}.{began}", task


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A pipeline of an instance."""

    project: str
    location: str
    instance: str
    namespace: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as CDAP shows it."""

    id: str
    status: str
    began: float
    """Seconds since 1970."""
    key: str = ""


class Runs:
    """The runs of one pipeline.

    Args:
        pipeline: Which.
        rest: What calls are made with.
        say: Gets a line for the task's log.
        clock: Seconds since 1970.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        rest: Rest | None = None,
        say: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.pipeline = pipeline
        self._rest = rest or Rest(sleep)
        self._say = say
        self._clock = clock
        self._sleep = sleep
        self._instance: Mapping[str, Any] | None = None

    # Addresses

    def _found(self) -> Mapping[str, Any]:
        if self._instance is None:
            p = self.pipeline
            name = f"projects/{p.project}/locations/{p.location}/instances/{p.instance}"
            found = self._rest.call("GET", f"{data_fusion_url()}/v1/{quote(name)}")
            if not found.get("apiEndpoint"):
                raise RestError(f"the instance {p.instance} is {found.get('state', 'not ready')}", 503)
            self._instance = found
        return self._instance

    def _api(self, *parts: str) -> str:
        base = f"{instance_url(str(self._found()['apiEndpoint']))}/v3/namespaces/{quote(self.pipeline.namespace)}"
        return "/".join([base, *parts])

    def _program(self) -> str:
        return self._api("apps", quote(self.pipeline.name, safe=""), _PROGRAM)

    def links(self, run_id: str) -> dict[str, str]:
        """Where a person sees the pipeline and its runs, and where the run's log is."""
        found, p = self._found(), self.pipeline
        ui = str(found.get("serviceEndpoint") or "").rstrip("/")
        view = f"{ui}/pipelines/ns/{quote(p.namespace)}/view/{quote(p.name, safe='')}?runId={run_id}"
        api = f"{str(found['apiEndpoint']).rstrip('/')}/v3/namespaces/{quote(p.namespace)}"
        logs = f"{api}/apps/{quote(p.name, safe='')}/{_PROGRAM}/runs/{run_id}/logs"
        return {**({"view": view} if ui else {}), "logs": logs}

    # Runs

    def all(self) -> list[Run]:
        """The active runs, then the newest of the others."""
        listed = self._rest.call("GET", f"{self._program()}/runs", query={"limit": str(LISTED)})
        return [_run(item) for item in listed or ()]

    def get(self, run_id: str) -> Run | None:
        """A run; None where CDAP does not know it."""
        try:
            return _run(self._rest.call("GET", f"{self._program()}/runs/{quote(run_id)}"))
        except RestError as error:
            if error.status == 404:
                return None
            raise

    def start_or_adopt(self, key: str, arguments: Mapping[str, str], *, task: str) -> tuple[Run, bool]:
        """The run of a key, and whether it was there already.

        A run of the key that is active or COMPLETED is adopted, and an active one of an earlier round of the same task;
        one that is being stopped is waited for, and one that has failed is followed by a new one.

        Args:
            key: `<task>.<round>`, of `keys_of`.
            arguments: Runtime arguments.
            task: The part of the key that is the task's.

        Raises:
            RunFailedError: CDAP has refused the start.
            RestError: there was no answer; the next try finds out whether the run was started.
        """
        mine = self.find(key, task)
        if mine is not None and mine.status == "STOPPING":
            self._say(f"run {mine.id} is being stopped; waiting for its end")
            self._ended(mine.id)
            mine = self.find(key, task)
        if mine is not None:
            return mine, True
        try:
            return self._start(key, arguments), False
        except RestError as error:
            if not error.unsure:
                refused = 400 <= error.status < 500 and error.status not in (401, 403, 408, 429)
                if refused:
                    raise RunFailedError(f"the start was refused: {error}") from None
                raise
            self._say(f"the start had no answer ({error}); looking for the run")
        until = self._clock() + SETTLE_SECONDS * time_scale()
        while True:
            mine = self.find(key, task)
            if mine is not None:
                return mine, True
            if self._clock() >= until:
                raise RestError("the start had no answer, and no run was found; the next try looks again", 0)
            self._sleep(5 * time_scale())

    def find(self, key: str, task: str) -> Run | None:
        """The run that a try of the task goes on with, if there is one."""
        runs = [run for run in self.all() if run.key.partition(".")[0] == task]
        active = [run for run in runs if run.status in ACTIVE]
        done = [run for run in runs if run.key == key and run.status == "COMPLETED"]
        return next(iter([*active, *done]), None)

    def newest(self, key: str) -> Run | None:
        """The newest run of a key, whatever became of it."""
        return max((run for run in self.all() if run.key == key), key=lambda run: run.began, default=None)

    def _start(self, key: str, arguments: Mapping[str, str]) -> Run:
        program = {
            "appId": self.pipeline.name,
            "programType": "workflow",
            "programId": "DataPipelineWorkflow",
            "runtimeargs": {**arguments, KEY: key},
        }
        (answer,) = self._rest.call("POST", self._api("start"), [program], safe=False)
        if answer.get("statusCode") != 200 or not answer.get("runId"):
            raise RunFailedError(f"the start was refused: {' '.join(str(answer.get('error')).split())[:1000]}")
        return Run(id=str(answer["runId"]), status="PENDING", began=self._clock(), key=key)

    def look(self, run: Run, timeout: float, *, seen: bool) -> tuple[bool, bool]:
        """Whether a run is COMPLETED, and whether CDAP knows it by now. One that is late is stopped.

        Raises:
            RunFailedError: it has ended otherwise.
            RunLateError: it took longer than `timeout` seconds and was stopped.
            UnstoppedError: the same, and it could not be stopped.
        """
        age = self._clock() - run.began
        try:
            found = self.get(run.id)
        except RestError as error:
            if age >= timeout or (error.status and error.status not in TRANSIENT):
                raise
            self._say(f"run {run.id} could not be asked after: {error}")
            return False, seen
        if found is None and (seen or age > max(UNSEEN_SECONDS, timeout)):
            raise RunFailedError(f"CDAP does not know the run {run.id} any more")
        if found is not None and found.status == "COMPLETED":
            return True, True
        if found is not None and found.status in FAILED:
            raise RunFailedError(f"run {run.id} ended as {found.status}{self._reason(run.id)}")
        if age >= timeout:
            status = self.stop(run.id)
            if status == "COMPLETED":
                return True, True
            if status in FAILED:
                raise RunLateError(f"no success within {timeout:g} seconds; run {run.id} was stopped")
            raise UnstoppedError(f"no success within {timeout:g} seconds, and run {run.id} could not be stopped")
        return False, found is not None

    def wait(self, run: Run, timeout: float, poll: float) -> None:
        """Look at a run until it is COMPLETED. Raises what `look` raises."""
        seen = False
        while True:
            done, seen = self.look(run, timeout, seen=seen)
            if done:
                return
            self._sleep(self.pause(run, timeout, poll))

    def pause(self, run: Run, timeout: float, poll: float) -> float:
        """Seconds until the next look: the last one is at the end of the time the run has."""
        return max(min(poll * time_scale(), run.began + timeout - self._clock()), 0.01)

    def stop(self, run_id: str, *, wait: bool = True) -> str:
        """Stop a run and, with `wait`, see it end; its last status, "" where CDAP never knew it."""
        try:
            self._rest.call("POST", f"{self._program()}/runs/{quote(run_id)}/stop", safe=True)
        except RestError as error:
            # 400: it has ended already; 404: it is not visible yet.
            if error.status not in (400, 404):
                self._say(f"run {run_id} could not be stopped: {error}")
        return self._ended(run_id) if wait else ""

    def _ended(self, run_id: str) -> str:
        until, status = self._clock() + STOP_SECONDS, ""
        while True:
            found = self.get(run_id)
            status = found.status if found is not None else status
            if status and status not in ACTIVE:
                return status
            if self._clock() >= until:
                return status
            if found is not None and status != "STOPPING":
                # It was not visible when it was to be stopped, or the call was lost.
                try:
                    self._rest.call("POST", f"{self._program()}/runs/{quote(run_id)}/stop", safe=True, repeat=False)
                except RestError as error:
                    self._say(f"run {run_id} could not be stopped: {error}")
            self._sleep(2 * time_scale())

    def _reason(self, run_id: str) -> str:
        """What the log says of a failure; "" where it cannot be had."""
        try:
            url = f"{self._program()}/runs/{quote(run_id)}/logs"
            text = str(self._rest.call("GET", url, query={"format": "text", "escape": "false"}, repeat=False) or "")
        except RestError:
            return ""
        words = last_error(text)
        return f": {words}" if words else ""


def last_error(log: str) -> str:
    """The last line of the level ERROR in a run's log, with its cause. Other lines hold runtime arguments."""
    message, cause, inside = "", "", False
    for line in log.splitlines():
        match = _LINE.match(line)
        if match is not None:
            inside = match["level"] == "ERROR"
            message, cause = (match["said"], "") if inside else (message, cause)
        elif inside and line.startswith("Caused by: "):
            cause = line
    said = " ".join(f"{message} {cause}".split())
    return _SECRET.sub(r"\1=***", said)[:1000]


def _run(item: Mapping[str, Any]) -> Run:
    try:
        arguments = json.loads((item.get("properties") or {}).get("runtimeArgs") or "{}")
    except ValueError:
        arguments = {}
    key = arguments.get(KEY) if isinstance(arguments, dict) else None
    return Run(
        id=str(item["runid"]),
        status=str(item["status"]),
        began=float(item.get("starting") or item.get("start") or 0),
        key=str(key or ""),
    )
