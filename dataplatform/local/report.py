"""What a command on a stack did, in plain data, and the error that carries it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dataplatform.local.costs import cost_of
from dataplatform.local.errors import Exit, PartialError, ToolError
from dataplatform.local.events import REPLACING, Operation, Run, short_name, type_of


@dataclass
class Report:
    """What a command did, for `--json` and the page."""

    command: str
    stack: str
    ok: bool = True
    changes: dict[str, int] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)
    """What the cloud has otherwise than the state."""
    errors: list[dict[str, str]] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    log: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "stack": self.stack,
            "changes": self.changes,
            "resources": self.resources,
            "drift": self.drift,
            "errors": self.errors,
            "outputs": self.outputs,
            "log": self.log,
        }


class FailedError(ToolError):
    """Raised when the cloud refused something; carries what was done."""

    def __init__(self, text: str, report: Report, *, partial: bool, stopped: bool = False) -> None:
        super().__init__(text)
        self.report = report
        self.stopped = stopped
        self.status = PartialError.status if partial else Exit.INTERRUPTED if stopped else ToolError.status


def drift_rows(run: Run) -> list[dict[str, Any]]:
    """What a refresh found, for `--json`."""
    return [
        {
            "urn": urn,
            "type": type_of(urn),
            "name": short_name(urn),
            "gone": not found,
            "fields": [one.as_dict() for one in found],
        }
        for urn, found in sorted(run.drift.items())
    ]


def row(operation: Operation) -> dict[str, Any]:
    """An operation for `--json`."""
    told = cost_of(operation)
    return {
        "urn": operation.urn,
        "type": operation.type,
        "name": operation.name,
        "op": operation.op,
        "status": operation.status,
        "seconds": round(operation.seconds, 2),
        "replaces_because_of": list(operation.keys),
        "diffs": list(operation.diffs),
        "fields": [one.as_dict() for one in operation.fields],
        "cost": told.as_dict() if told is not None else None,
    }


def counts_of(operations: Iterable[Operation], command: str) -> dict[str, int]:
    """How many of each, a replacement counted once."""
    counts: dict[str, int] = {}
    for o in operations:
        if not o.custom or o.type.startswith("pulumi:") or (command != "preview" and o.status != "done"):
            continue
        op = "replace" if o.op in REPLACING else o.op
        if o.op == "delete-replaced" or (o.op == "replace" and command != "preview"):
            continue
        if o.op == "create-replacement" and command == "preview":
            continue
        counts[op] = counts.get(op, 0) + 1
    return counts
