"""The Workflow Executions API v1: start, read, list and cancel executions, and the entries of their steps.

Each execution runs in a thread of the process that created it. What it has done is in the database, what it holds in
memory is not: an execution that was active when its process died cannot go on. Whoever opens the service next finds
its owner gone and marks it FAILED with a SystemError that says so.
"""

from __future__ import annotations

import calendar
import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcloud.admission import refusal
from localcloud.errors import ApiError
from localcloud.workflows import limits
from localcloud.workflows.api import InProcess
from localcloud.workflows.callbacks import OccupiedError
from localcloud.workflows.check import compile_source
from localcloud.workflows.clock import Answer
from localcloud.workflows.context import Context
from localcloud.workflows.failures import WorkflowError, failure
from localcloud.workflows.listing import EXECUTIONS, STEP_ENTRIES, matching, ordered
from localcloud.workflows.machine import CancelledError, Machine
from localcloud.workflows.recorder import OnEvent, Recorder
from localcloud.workflows.service import WorkflowsService, check_call_log_level, check_labels
from localcloud.workflows.store import (
    Json,
    WorldLike,
    check_fields,
    decode_token,
    duration,
    encode_token,
    invalid,
    not_found,
    page_at,
    page_size,
    project_number,
    timestamp,
)
from localcloud.workflows.values import Value, json_text, parse_json

_FIELDS = frozenset(
    {"argument", "callLogLevel", "disableConcurrencyQuotaOverflowBuffering", "executionHistoryLevel", "labels"}
)
_OUTPUT = frozenset(
    {
        "createTime",
        "duration",
        "endTime",
        "error",
        "name",
        "result",
        "startTime",
        "state",
        "stateError",
        "status",
        "workflowRevisionId",
    }
)
_BASIC = ("name", "createTime", "startTime", "endTime", "duration", "state", "workflowRevisionId")
_VIEWS = ("", "EXECUTION_VIEW_UNSPECIFIED", "BASIC", "FULL")
_INTERRUPTED = "the process that ran this execution ended before the execution did"


def _started() -> str:
    """What tells this process from a later one with the same id."""
    try:
        return Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return "0"


def owner() -> str:
    """The running process, as `pid:start`."""
    return f"{os.getpid()}:{_started()}"


def _alive(who: str) -> bool:
    pid, _, started = who.partition(":")
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    try:
        now = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return True
    return started in ("0", now)


class ExecutionsService:
    """Executions in a world. `routes` and `time_scale` are those of `localcloud.workflows.server.serve`."""

    def __init__(
        self,
        world: WorldLike,
        *,
        routes: Mapping[str, str] | None = None,
        time_scale: float = 1.0,
        callback_base: str = "https://workflowexecutions.googleapis.com",
        on_event: OnEvent | None = None,
    ) -> None:
        self.world = world
        self.workflows = WorkflowsService(world)
        self.routes = dict(routes or {})
        self.served: dict[str, str] = {}
        """Services of this process that http.* calls reach without a route."""
        self.internal = InProcess(self.workflows, self)
        self.time_scale = time_scale
        self.callback_base = callback_base
        self.on_event = on_event
        self.running: dict[str, tuple[Machine, threading.Thread]] = {}
        self.lock = threading.Lock()
        self.recover()

    def recover(self) -> None:
        """Mark executions whose process has died as FAILED."""
        with self.world.transaction() as tx:
            rows = tx.execute("SELECT name, body, owner FROM workflow_executions WHERE state = 'ACTIVE'").fetchall()
            for row in rows:
                if not _alive(row["owner"]):
                    body = json.loads(row["body"])
                    self._end(tx, row["name"], body, "FAILED", error=failure("SystemError", _INTERRUPTED).as_error())

    # The API

    def create(self, parent: str, body: Json) -> Json:
        """Start an execution of a workflow; its resource."""
        given = check_fields(body, _FIELDS, _OUTPUT)
        check_call_log_level(given)
        if "labels" in given:
            check_labels(given["labels"])
        argument, has_argument = _argument(given.get("argument"))
        workflow = self.workflows.get(parent)
        name = f"{parent}/executions/{uuid.uuid4()}"
        now = timestamp(time.time())
        execution: Json = {
            **given,
            "name": name,
            "createTime": now,
            "startTime": now,
            "state": "ACTIVE",
            "argument": given.get("argument", "null"),
            "workflowRevisionId": workflow["revisionId"],
            "callLogLevel": given.get("callLogLevel", workflow["callLogLevel"]),
            "status": {},
        }
        labels = {**workflow.get("labels", {}), **given.get("labels", {})}
        if labels:
            execution["labels"] = labels
        machine = self._machine(workflow, name)
        with self.world.transaction() as tx:
            tx.execute(
                "INSERT INTO workflow_executions(name, workflow, state, body, owner) VALUES (?, ?, 'ACTIVE', ?, ?)",
                (name, parent, json.dumps(execution), owner()),
            )
        thread = threading.Thread(
            target=self._run, args=(machine, name, argument, has_argument), daemon=True, name=f"execution-{name[-12:]}"
        )
        with self.lock:
            self.running[name] = (machine, thread)
        thread.start()
        return execution

    def get(self, name: str, view: str = "FULL") -> Json:
        """An execution. Raises ApiError 404."""
        return _viewed(self._body(name), view or "FULL")

    def list(
        self,
        parent: str,
        *,
        page_size: object = None,
        page_token: object = None,
        view: str = "BASIC",
        filter: str = "",  # noqa: A002 - the API's own name
        order_by: str = "",
    ) -> Json:
        """A page of a workflow's executions, newest first unless ordered otherwise."""
        self.workflows.get(parent)
        if view not in _VIEWS:
            raise invalid(f"Invalid value for view: {view}")
        most = 100 if view == "FULL" else 1000
        if filter.strip() or order_by.strip():
            return self._selected(parent, page_size, page_token, view, filter, order_by, most)
        size, before = _keyset(page_size, page_token, most=most)
        query = "SELECT seq, body FROM workflow_executions WHERE workflow = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
        rows = self.world.connect().execute(query, [parent, before, size + 1]).fetchall()
        answer: Json = {"executions": [_viewed(json.loads(r["body"]), view or "BASIC") for r in rows[:size]]}
        if len(rows) > size:
            answer["nextPageToken"] = encode_token(str(rows[size - 1]["seq"]))
        return answer

    def _selected(
        self, parent: str, size: object, token: object, view: str, chosen: str, order_by: str, most: int
    ) -> Json:
        """A page of the executions that a filter selects, or of all in an order of the caller's."""
        query = "SELECT body FROM workflow_executions WHERE workflow = ? ORDER BY seq DESC"
        bodies = [json.loads(r["body"]) for r in self.world.connect().execute(query, (parent,)).fetchall()]
        found = ordered(matching(bodies, chosen, EXECUTIONS), order_by, EXECUTIONS, "createTime desc")
        length, offset = page_at(size, token, default=100, most=most)
        answer: Json = {"executions": [_viewed(b, view or "BASIC") for b in found[offset : offset + length]]}
        if len(found) > offset + length:
            answer["nextPageToken"] = encode_token(str(offset + length))
        return answer

    def cancel(self, name: str) -> Json:
        """Cancel an active execution; its resource once it has ended, at the latest after two seconds."""
        body = self._body(name)
        if body["state"] != "ACTIVE":
            message = f"Execution is not in a state that can be cancelled: {body['state']}"
            raise ApiError(400, "FAILED_PRECONDITION", message)
        with self.world.transaction() as tx:
            tx.execute("UPDATE workflow_executions SET cancel = 1 WHERE name = ?", (name,))
        held = self.running.get(name)
        if held is not None:
            held[0].cancel()
        limit = time.monotonic() + 2
        while time.monotonic() < limit:
            body = self._body(name)
            if body["state"] != "ACTIVE":
                break
            time.sleep(0.005)
        return body

    def step_entries(
        self,
        parent: str,
        *,
        page_size: object = None,
        page_token: object = None,
        skip: object = None,
        filter: str = "",  # noqa: A002
        order_by: str = "",
    ) -> Json:
        """A page of an execution's step entries, in the order in which they began."""
        self._body(parent)
        skipped = str(skip or 0)
        if not skipped.isdigit():
            raise invalid(f"Invalid value for skip: {skip}")
        size, offset = page_at(page_size, page_token, default=1000, most=1000)
        offset += int(skipped)
        connection = self.world.connect()
        query = "SELECT body FROM workflow_step_entries WHERE execution = ? ORDER BY id LIMIT ? OFFSET ?"
        if filter.strip() or order_by.strip():
            rows = connection.execute(query, (parent, -1, 0)).fetchall()
            chosen = matching([json.loads(r["body"]) for r in rows], filter, STEP_ENTRIES)
            found = ordered(chosen, order_by, STEP_ENTRIES, "entryId")
            total, page = len(found), found[offset : offset + size]
        else:
            count = "SELECT COUNT(*) FROM workflow_step_entries WHERE execution = ?"
            total = connection.execute(count, (parent,)).fetchone()[0]
            page = [json.loads(r["body"]) for r in connection.execute(query, (parent, size, offset)).fetchall()]
        answer: Json = {"stepEntries": page, "totalSize": total}
        if total > offset + size:
            answer["nextPageToken"] = encode_token(str(offset + size))
        return answer

    def step_entry(self, name: str) -> Json:
        """One step entry. Raises ApiError 404."""
        execution, _, number = name.rpartition("/stepEntries/")
        row = (
            self.world.connect()
            .execute("SELECT body FROM workflow_step_entries WHERE execution = ? AND id = ?", (execution, number))
            .fetchone()
        )
        if row is None:
            raise not_found(name)
        body: Json = json.loads(row["body"])
        return body

    def delete_history(self, name: str) -> None:
        """Delete the step entries of an ended execution."""
        if self._body(name)["state"] == "ACTIVE":
            raise ApiError(400, "FAILED_PRECONDITION", "The execution is still active")
        with self.world.transaction() as tx:
            tx.execute("DELETE FROM workflow_step_entries WHERE execution = ?", (name,))

    def logs(self, name: str) -> Sequence[Json]:
        """What the execution logged with `sys.log`, oldest first."""
        query = "SELECT body FROM workflow_logs WHERE execution = ? ORDER BY seq"
        return [json.loads(r["body"]) for r in self.world.connect().execute(query, (name,)).fetchall()]

    def callbacks(self, name: str) -> Sequence[Json]:
        """The callback endpoints of an active execution of this process."""
        self._body(name)
        held = self.running.get(name)
        found = held[0].callbacks.listing() if held is not None else []
        return [
            {"name": f"{name}/callbacks/{n}", "method": m, "waiters": str(w), **({"availablePayloads": p} if p else {})}
            for n, m, w, p in found
        ]

    def receive_callback(self, name: str, method: str, request: Json) -> None:
        """Deliver a request to a callback endpoint. Raises ApiError 404, 405 or 429."""
        execution, _, number = name.rpartition("/callbacks/")
        held = self.running.get(execution)
        if held is None or not held[0].callbacks.knows(number):
            raise not_found(name)
        try:
            accepted = held[0].callbacks.receive(number, method, request)
        except OccupiedError:
            message = "The callback has received a request that has not been processed yet"
            raise ApiError(429, "RESOURCE_EXHAUSTED", message) from None
        if not accepted:
            raise ApiError(405, "INVALID_ARGUMENT", f"The callback does not accept {method}")

    def wait(self, name: str, timeout: float = 60.0) -> Json:
        """Wait until an execution of this process has ended; its resource."""
        held = self.running.get(name)
        if held is not None:
            held[1].join(timeout)
        return self.get(name)

    def close(self) -> None:
        """End the executions of this service; they become FAILED, as if the process had died."""
        with self.lock:
            held = list(self.running.values())
        for machine, _ in held:
            machine.interrupted = True
            machine.cancel()
        for _, thread in held:
            thread.join(5)

    # Running

    def _machine(self, workflow: Json, name: str) -> Machine:
        parts = name.split("/")
        context = Context(
            name=name,
            project=parts[1],
            project_number=project_number(self.world, parts[1]),
            location=parts[3],
            workflow=parts[5],
            revision=workflow["revisionId"],
            service_account=workflow["serviceAccount"].rsplit("/", 1)[-1],
            environment=workflow.get("userEnvVars", {}),
            routes=self.routes,
            time_scale=self.time_scale,
            callback_base=self.callback_base,
            internal=self.internal,
            served=self.served,
            guard=self._guard,
        )
        recorder = Recorder(self.world, name, self.on_event)
        return Machine(compile_source(workflow["sourceContents"]), context, recorder)

    def _guard(self, caller: str, method: str, url: str, body: bytes | None) -> Answer | None:
        """IAM of the world, for a workflow's requests."""
        try:
            refused = refusal(self.world, caller, method, url, body)
        except sqlite3.OperationalError:
            # A world of workflows only, which has no grants.
            return None
        if refused is None:
            return None
        return Answer(status=refused.status, text=refused.text, content_type=refused.content_type)

    def _run(self, machine: Machine, name: str, argument: Value, has_argument: bool) -> None:
        state, result, error = run_machine(machine, argument, given=has_argument)
        try:
            with self.world.transaction() as tx:
                row = tx.execute("SELECT body FROM workflow_executions WHERE name = ?", (name,)).fetchone()
                if row is not None:
                    self._end(tx, name, json.loads(row["body"]), state, result=result, error=error)
        except sqlite3.Error:
            # The world is gone (a test's folder, `localcloud reset`): there is nothing left to write to.
            return
        finally:
            with self.lock:
                self.running.pop(name, None)
            self.world.connect().close()

    def _end(
        self,
        tx: sqlite3.Connection,
        name: str,
        body: Json,
        state: str,
        *,
        result: str | None = None,
        error: Json | None = None,
    ) -> None:
        finish(body, state, result=result, error=error)
        tx.execute("UPDATE workflow_executions SET state = ?, body = ? WHERE name = ?", (state, json.dumps(body), name))

    def _body(self, name: str) -> Json:
        row = self.world.connect().execute("SELECT body FROM workflow_executions WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise not_found(name)
        body: Json = json.loads(row["body"])
        return body


def run_machine(machine: Machine, argument: Value, *, given: bool) -> tuple[str, str | None, Json | None]:
    """Run to the end; the state, the result's JSON text and the error."""
    try:
        return "SUCCEEDED", _result(machine.run(argument, given=given)), None
    except WorkflowError as error:
        return "FAILED", None, error.as_error()
    except CancelledError:
        if machine.interrupted:
            return "FAILED", None, failure("SystemError", _INTERRUPTED).as_error()
        error_body = {"context": "Execution was cancelled.", "payload": '"Execution was cancelled."'}
        return "CANCELLED", None, error_body
    except Exception as error:
        return "FAILED", None, failure("SystemError", f"internal error: {type(error).__name__}: {error}").as_error()


def finish(body: Json, state: str, *, result: str | None, error: Json | None) -> None:
    """Put an execution's end into its resource."""
    now = time.time()
    started = _seconds(body["startTime"])
    body.update(state=state, endTime=timestamp(now), duration=duration(now - started))
    if result is not None:
        body["result"] = result
    if error is not None:
        body["error"] = error


def _result(value: Value) -> str:
    try:
        return json_text(value)
    except TypeError as error:
        raise failure("TypeError", f"the result cannot be returned: {error}") from None


def _seconds(text: str) -> float:
    moment = time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(moment) + float(f"0.{text[20:-1]}")


def _argument(text: object) -> tuple[Value, bool]:
    if text is None:
        return None, False
    if not isinstance(text, str):
        raise invalid("argument must be a string that holds JSON")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.ARGUMENT_BYTES:
        raise invalid(f"argument of {size} bytes exceeds the limit of {limits.ARGUMENT_BYTES} bytes")
    try:
        return parse_json(text), True
    except (ValueError, RecursionError):
        raise invalid("argument is not valid JSON") from None


def _viewed(body: Json, view: str) -> Json:
    if view not in _VIEWS:
        raise invalid(f"Invalid value for view: {view}")
    return {k: body[k] for k in _BASIC if k in body} if view == "BASIC" else body


def _keyset(size: object, token: object, *, most: int) -> tuple[int, int]:
    position = decode_token(token) or str(2**62)
    if not position.isdigit():
        raise invalid("The page token is not valid.")
    return page_size(size, default=100, most=most), int(position)
