"""Writes what a running execution does to the world's database, a few times a second."""

from __future__ import annotations

import json
from collections.abc import Callable

from localcloud.workflows.events import LogLine, StepEntry, StepEvent
from localcloud.workflows.failures import WorkflowError
from localcloud.workflows.store import Json, WorldLike, timestamp

_EVENT_STATES = {
    "STATE_IN_PROGRESS": "running",
    "STATE_SUCCEEDED": "succeeded",
    "STATE_FAILED": "failed",
    "STATE_CANCELLED": "cancelled",
}

OnEvent = Callable[[StepEvent], None]


def entry_json(execution: str, entry: StepEntry) -> Json:
    """The API's StepEntry."""
    body: Json = {
        "name": f"{execution}/stepEntries/{entry.id}",
        "createTime": timestamp(entry.created),
        "updateTime": timestamp(entry.updated),
        "routine": entry.routine,
        "step": entry.step,
        "stepType": entry.kind,
        "state": entry.state,
        "entryId": str(entry.id),
        "navigationInfo": {"parent": str(entry.parent)} if entry.parent is not None else {},
        "stepEntryMetadata": {"threadId": str(entry.fiber)},
    }
    if entry.exception is not None:
        body["exception"] = {"payload": entry.exception}
    return body


def event(execution: str, entry: StepEntry) -> StepEvent:
    """The event of an entry's present state."""
    return StepEvent(
        execution=execution,
        entry=entry.id,
        routine=entry.routine,
        step=entry.step,
        kind=entry.kind,
        state=_EVENT_STATES[entry.state],  # type: ignore[arg-type]
        time=entry.updated,
        duration=entry.updated - entry.created,
        error=_message(entry.exception),
        branch=entry.fiber,
    )


def _message(payload: str | None) -> str | None:
    if payload is None:
        return None
    error = json.loads(payload)
    return WorkflowError(error, raised=not isinstance(error, dict) or "message" not in error).headline()


class Recorder:
    """The observer of an execution whose steps and logs are kept."""

    def __init__(self, world: WorldLike, execution: str, on_event: OnEvent | None = None) -> None:
        self.world = world
        self.execution = execution
        self.on_event = on_event
        self.entries: dict[int, StepEntry] = {}
        self.lines: list[LogLine] = []
        self.current: list[dict[str, str]] = []

    def entry(self, entry: StepEntry) -> None:
        """Keep the entry for the next flush."""
        self.entries[entry.id] = entry
        if self.on_event is not None:
            self.on_event(event(self.execution, entry))

    def log(self, line: LogLine) -> None:
        """Keep the line for the next flush."""
        self.lines.append(line)

    def flush(self, current: list[dict[str, str]]) -> bool:
        """Write what has happened; True where the execution was cancelled or deleted meanwhile."""
        connection = self.world.connect()
        query = "SELECT cancel, body FROM workflow_executions WHERE name = ?"
        row = connection.execute(query, (self.execution,)).fetchone()
        if row is None:
            return True
        if self.entries or self.lines or current != self.current:
            self._write(current)
        return bool(row["cancel"])

    def _write(self, current: list[dict[str, str]]) -> None:
        with self.world.transaction() as tx:
            row = tx.execute("SELECT body FROM workflow_executions WHERE name = ?", (self.execution,)).fetchone()
            if row is None:
                return
            tx.executemany(
                "INSERT OR REPLACE INTO workflow_step_entries VALUES (?, ?, ?)",
                [(self.execution, e.id, json.dumps(entry_json(self.execution, e))) for e in self.entries.values()],
            )
            tx.executemany(
                "INSERT INTO workflow_logs(execution, body) VALUES (?, ?)",
                [(self.execution, json.dumps(log_json(line))) for line in self.lines],
            )
            if current != self.current:
                body = json.loads(row["body"])
                body["status"] = {"currentSteps": current}
                tx.execute("UPDATE workflow_executions SET body = ? WHERE name = ?", (json.dumps(body), self.execution))
        self.entries.clear()
        self.lines.clear()
        self.current = current


def log_json(line: LogLine) -> Json:
    """A log entry in Cloud Logging's words."""
    payload: Json = {"textPayload": line.text} if line.text is not None else {"jsonPayload": line.json}
    return {"severity": line.severity, "timestamp": timestamp(line.time), "step": line.step, **payload}
