"""The engine's events, as `--event-log` writes them: one JSON object a line, and what they say about each resource."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataplatform.local.fields import Field, fields_of

UNCHANGED = frozenset({"same", "read", "refresh", "discard", "read-discard"})
"""Operations that change nothing in the cloud."""
REMOVING = frozenset({"delete", "delete-replaced", "discard-replaced", "remove-pending-replace"})
REPLACING = frozenset({"replace", "create-replacement"})
STACK_TYPE = "pulumi:pulumi:Stack"

_COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")


def short_name(urn: str) -> str:
    """The last part of a URN."""
    return urn.rpartition("::")[2]


def type_of(urn: str) -> str:
    """The resource's own type in a URN."""
    parts = urn.split("::")
    return parts[2].rpartition("$")[2] if len(parts) > 3 else ""


def plain(text: str) -> str:
    """A message without colour directives."""
    return _COLOUR.sub("", text).strip()


@dataclass
class Operation:
    """What happens to one resource in one run."""

    urn: str
    op: str
    custom: bool
    protect: bool = False
    started: float = 0.0
    ended: float = 0.0
    status: str = "running"
    """`running`, `done` or `failed`."""
    keys: tuple[str, ...] = ()
    """Properties that force a replacement."""
    diffs: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    """What it changes, field by field."""
    texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Old and new of the fields that are texts of more than a line, by path."""
    id: str = ""

    @property
    def type(self) -> str:
        """Type token."""
        return type_of(self.urn)

    @property
    def name(self) -> str:
        """Logical name."""
        return short_name(self.urn)

    @property
    def seconds(self) -> float:
        """How long it took, or takes until now."""
        return (self.ended or time.monotonic()) - self.started


@dataclass
class Run:
    """All that a run of the engine has said so far."""

    operations: dict[tuple[str, str], Operation] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    """(URN or empty, message)."""
    warnings: list[tuple[str, str]] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    drift: dict[str, tuple[Field, ...]] = field(default_factory=dict)
    """What a refresh found the cloud to have otherwise than the state, by URN; what is gone has no fields."""
    finished: bool = False

    def in_flight(self) -> list[Operation]:
        """What is being done now, longest first; components are not done, their children are."""
        running = [o for o in self.operations.values() if o.status == "running" and o.custom and o.op not in UNCHANGED]
        return sorted(running, key=lambda o: o.started)

    def applied(self) -> list[Operation]:
        """What was changed."""
        return [o for o in self.operations.values() if o.status == "done" and o.custom and o.op not in UNCHANGED]

    def failed(self) -> list[Operation]:
        """What was tried and refused."""
        return [o for o in self.operations.values() if o.status == "failed"]

    def read(self, event: dict[str, Any]) -> Operation | None:
        """Take one event in; returns the operation it started or ended, if any."""
        if step := event.get("resourcePreEvent"):
            return self._step(step["metadata"], "running")
        if step := event.get("resOutputsEvent"):
            return self._step(step["metadata"], "done")
        if step := event.get("resOpFailedEvent"):
            return self._step(step["metadata"], "failed")
        if said := event.get("diagnosticEvent"):
            self._diagnostic(said)
        elif summary := event.get("summaryEvent"):
            self.changes = dict(summary.get("resourceChanges") or {})
            self.finished = True
        elif error := event.get("errorEvent"):
            self._note(self.errors, "", plain(error.get("error", "")))
        return None

    def _step(self, data: dict[str, Any], status: str) -> Operation:
        urn, op = data["urn"], data["op"]
        state = data.get("new") or data.get("old") or {}
        operation = self.operations.get((urn, op))
        if operation is None:
            # Providers are custom resources to the engine and nothing in a cloud.
            custom = bool(state.get("custom")) and not type_of(urn).startswith("pulumi:")
            operation = Operation(urn, op, custom, bool(state.get("protect")), started=time.monotonic())
            self.operations[urn, op] = operation
        operation.status = status
        operation.keys = tuple(data.get("keys") or ()) or operation.keys
        operation.diffs = tuple(data.get("diffs") or ()) or operation.diffs
        if op == "refresh" and status == "done":
            self._drifted(operation, data)
        elif op not in UNCHANGED:
            drifted = [one.path for one in self.drift.get(urn, ())]
            operation.fields = fields_of(data, drifted) or operation.fields
            operation.texts = texts_of(operation.fields) or operation.texts
        if op in REPLACING:
            self._share(operation)
        operation.id = str(state.get("id") or operation.id)
        if status != "running":
            operation.ended = time.monotonic()
        if operation.type == STACK_TYPE and status == "done":
            self.outputs = dict((data.get("new") or {}).get("outputs") or {})
        return operation

    def _share(self, operation: Operation) -> None:
        """Let both parts of a replacement tell why and what: the engine tells it with either, or with both."""
        part = "create-replacement" if operation.op == "replace" else "replace"
        other = self.operations.get((operation.urn, part))
        for one, further in ((operation, other), (other, operation)) if other is not None else ():
            one.keys = one.keys or further.keys
            one.diffs = one.diffs or further.diffs
            one.fields = one.fields or further.fields
            one.texts = one.texts or further.texts

    def _drifted(self, operation: Operation, data: dict[str, Any]) -> None:
        if operation.custom and not data.get("new"):
            self.drift[operation.urn] = ()
        elif found := fields_of(data):
            self.drift[operation.urn] = tuple(replace(one, cause="drift") for one in found)

    def _diagnostic(self, said: dict[str, Any]) -> None:
        severity = said.get("severity", "")
        if said.get("ephemeral") or not severity.startswith(("error", "warning")):
            return
        target = self.errors if severity == "error" else self.warnings
        self._note(target, said.get("urn", ""), plain(said.get("message", "")))

    def _note(self, target: list[tuple[str, str]], urn: str, message: str) -> None:
        if message and (urn, message) not in target:
            target.append((urn, message))


def texts_of(fields: Iterable[Field]) -> dict[str, tuple[str, str]]:
    """Old and new of the fields whose value is a text of more than a line."""
    return {
        one.path: (one.old or "", one.new)
        for one in fields
        if isinstance(one.new, str) and "\n" in one.new and isinstance(one.old, str | None)
    }


class Tail:
    """The events of a log that another process still writes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0
        self._rest = b""

    def new(self) -> Iterator[dict[str, Any]]:
        """What has come since the last call; a line that is not whole yet is kept for the next."""
        try:
            with self._file.open("rb") as log:
                log.seek(self._offset)
                data = log.read()
        except FileNotFoundError:
            return
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
