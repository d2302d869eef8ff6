"""`dp up`, `dp preview` and `dp down`: what happens around the engine so that it converges and tells the truth.

In order: the check; the embedded cloud's project; locks and what a killed run left; a preview that the guard judges;
the run itself; what was done, and what was not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataplatform.local import guard, leftovers, locks, recovery
from dataplatform.local.cloud import known_objects
from dataplatform.local.display import Display
from dataplatform.local.engine import Engine, Result
from dataplatform.local.engine_env import cloud_home
from dataplatform.local.errors import PartialError, RefusedError, StateError, ToolError
from dataplatform.local.events import REPLACING, UNCHANGED, Operation, short_name, type_of


@dataclass
class Report:
    """What a command did, for `--json` and the page."""

    command: str
    stack: str
    ok: bool = True
    changes: dict[str, int] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    log: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "stack": self.stack,
            "changes": self.changes,
            "resources": self.resources,
            "errors": self.errors,
            "outputs": self.outputs,
            "log": self.log,
        }


class FailedError(ToolError):
    """Raised when the cloud refused something; carries what was done."""

    def __init__(self, text: str, report: Report, *, partial: bool) -> None:
        super().__init__(text)
        self.report = report
        self.status = PartialError.status if partial else ToolError.status


class Session:
    """One command on one stack."""

    def __init__(self, root: Path, stack: str, display: Display) -> None:
        self.root, self.stack, self.display = root, stack, display
        self.engine = Engine(root, stack)

    def up(self, *, allow_deletes: int | None, projects: list[str]) -> Report:
        """Bring the stack up.

        Raises:
            RefusedError: when too much would go and nobody said so.
            FailedError: when something could not be applied.
        """
        self._prepare(projects)
        existing = self._existing()
        if existing:
            # Nothing can be lost by a first up, so it is spared the preview.
            verdict = self._judged(existing)
            if not verdict.allows(allow_deletes):
                raise RefusedError(_refusal(verdict, self.stack, allow_deletes))
        self.display.line(f"{self.stack}: updating")
        result = self.engine.drive("up", ["--yes", "--skip-preview"], self.display, "the program runs")
        return self._report("up", result)

    def preview(self, projects: list[str]) -> Report:
        """Show what an `up` would do."""
        self._prepare(projects)
        display = self.display
        display.line(f"{self.stack}: previewing")
        result = self._preview(display)
        report = self._report("preview", result)
        verdict = guard.judge(result.run.operations.values(), self._existing())
        for reason in verdict.reasons:
            display.line(f"  ! {reason}")
        if verdict.reasons:
            display.line(f"  ! dp up {self.stack} --local will want --allow-deletes {verdict.count}")
        return report

    def down(self) -> Report:
        """Destroy all of the stack, and the stack's record when nothing is left."""
        if not self.engine.checkpoint.exists():
            self.display.line(f"{self.stack}: there is no such stack in the local state; nothing to destroy")
            return Report("down", self.stack)
        self._settle()
        self.display.line(f"{self.stack}: destroying")
        result = self.engine.drive("destroy", ["--yes", "--skip-preview"], self.display, "the engine works")
        report = self._report("down", result)
        left = self._existing()
        if left:
            names = ", ".join(sorted(short_name(urn) for urn in left))
            raise FailedError(f"{len(left)} resources of {self.stack} are still there: {names}", report, partial=True)
        self.engine.call("stack", "rm", self.stack, "--yes", "--preserve-config")
        self._empty_cloud(report)
        return report

    def _empty_cloud(self, report: Report) -> None:
        """With the last stack the embedded cloud goes too, its key rings (which a cloud keeps for ever) included."""
        if any((self.engine.state / ".pulumi" / "stacks").glob("*/*.json")):
            return
        left = json.loads(self._localcloud("ls", "--json"))
        if left:
            names = ", ".join(sorted(f"{r['name']} ({r['type']})" for r in left)[:10])
            text = f"{self.stack} is destroyed, but the embedded cloud holds {len(left)} things no stack knows: {names}"
            raise FailedError(f"{text}; remove them with: localcloud reset", report, partial=True)
        self._localcloud("reset", "--yes")
        self.display.line(f"{self.stack}: the embedded cloud is empty and was reset")

    def _prepare(self, projects: list[str]) -> None:
        self._localcloud("init", *(part for project in projects for part in ("--project", project)))
        self._settle()
        if self.engine.ensure_stack():
            self.display.line(f"{self.stack}: new stack in {self.engine.state}")

    def _settle(self) -> None:
        """Leave nothing of an earlier, killed run."""
        leftovers.end_leftovers(self.root, lambda text: self.display.line(f"{self.stack}: {text}"))
        for lock in locks.take_over(self.engine.state, self.engine.project, self.stack):
            self.display.line(f"{self.stack}: took the lock of {lock.owner()} over: that process is gone")
        recovery.drop_torn_attributes(self.engine.state)
        restored = recovery.restore_checkpoint(self.engine.checkpoint)
        if restored is not None:
            self.display.line(f"{self.stack}: the state file was damaged; restored from {restored}")
        if self.engine.checkpoint.exists() and _has_pending(self.engine.checkpoint):
            self._recover()

    def _recover(self) -> None:
        deployment = self.engine.export()
        plain = json.loads(self.engine.call("stack", "export", "--stack", self.stack, "--show-secrets"))
        repaired = recovery.repair(deployment, plain, known_objects(cloud_home(self.root)))
        self.engine.import_(repaired.deployment)
        for line in recovery.describe(repaired):
            self.display.line(f"{self.stack}: {line}")
        if repaired.refresh:
            targets = [part for urn in repaired.refresh for part in ("--target", urn)]
            result = self.engine.drive("refresh", ["--yes", "--skip-preview", *targets], self.display, "reading")
            if result.code:
                said = "; ".join(message for _, message in result.run.errors) or "see " + str(result.log)
                raise StateError(f"what the last run left cannot be read from the cloud: {said}")

    def _localcloud(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "from localcloud.cli import main; main()", *arguments],
            cwd=self.root,
            env=self.engine.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            raise ToolError(f"the embedded cloud refuses to {arguments[0]}: {lines[-1]}")
        return done.stdout

    def _existing(self) -> dict[str, str]:
        """The state's custom resources: URN to type."""
        try:
            state = json.loads(self.engine.checkpoint.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        latest = (state.get("checkpoint") or {}).get("latest") or {}
        return {
            r["urn"]: r["type"]
            for r in latest.get("resources") or []
            if r.get("custom") and not r["type"].startswith("pulumi:") and not r.get("external")
        }

    def _preview(self, display: Display) -> Result:
        return self.engine.drive("preview", [], display, "the program runs")

    def _judged(self, existing: dict[str, str]) -> guard.Verdict:
        self.display.line(f"{self.stack}: comparing with what is there")
        quiet = Display(self.display.stream, quiet=self.display.quiet, preview=True, operations=False)
        result = self._preview(quiet)
        if result.code or result.interrupted:
            self._report("up", result)  # raises: nothing was changed yet
        return guard.judge(result.run.operations.values(), existing)

    def _report(self, command: str, result: Result) -> Report:
        run = result.run
        leftovers.end_leftovers(self.root, lambda _: None, patience=5.0)
        report = Report(command, self.stack, log=str(result.log), changes=_counts(run.operations.values(), command))
        report.resources = [_row(o) for o in run.operations.values() if o.custom and o.op not in UNCHANGED]
        errors = list(run.errors)
        named = {urn for urn, _ in errors}
        errors += [(o.urn, f"{o.op} failed") for o in run.failed() if o.urn not in named]
        report.errors = [{"resource": short_name(u) if u else "", "type": type_of(u), "message": m} for u, m in errors]
        if not result.code and not result.interrupted:
            if command == "up":
                report.outputs = self.engine.outputs()
            return report
        report.ok = False
        applied = [] if command == "preview" else run.applied()
        done = f"{len(applied)} of the changes were made and are in the state" if applied else "nothing was changed"
        again = f"dp {command} {self.stack} --local"
        if result.interrupted:
            text = f"stopped: {done}; go on with: {again}"
        elif result.code < 0:
            text = f"the engine was killed (signal {-result.code}): {done}; go on with: {again}"
        elif not errors:
            text = f"the engine ended with {result.code}: {done}; what it said is in {result.log}"
        else:
            text = f"{len(errors)} failed, {done}; when the cause is removed, go on with: {again}"
        raise FailedError(text, report, partial=bool(applied))


def _row(operation: Operation) -> dict[str, Any]:
    return {
        "urn": operation.urn,
        "type": operation.type,
        "name": operation.name,
        "op": operation.op,
        "status": operation.status,
        "seconds": round(operation.seconds, 2),
        "replaces_because_of": list(operation.keys),
        "diffs": list(operation.diffs),
    }


def _counts(operations: Any, command: str) -> dict[str, int]:
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


def _has_pending(checkpoint: Path) -> bool:
    """Whether the state holds operations that were begun and not ended."""
    state = json.loads(checkpoint.read_text("utf-8"))
    return bool(((state.get("checkpoint") or {}).get("latest") or {}).get("pending_operations"))


def _refusal(verdict: guard.Verdict, stack: str, named: int | None) -> str:
    said = f" (not {named})" if named is not None else ""
    reasons = "; ".join(verdict.reasons)
    return (
        f"nothing was changed: this would delete or replace {verdict.count} resources of {stack}: {reasons}; "
        f"if that is meant, say so with --allow-deletes {verdict.count}{said}"
    )
