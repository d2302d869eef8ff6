"""`dp up`, `dp preview` and `dp down`: what happens around the engine so that it converges and tells the truth.

In order: the check; the embedded cloud's project; locks and what a killed run left; what the cloud holds of this stack
and the state does not; a preview that the guard judges; the run itself; what was done, and what was not.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dataplatform.local import adoption, base_stack, beside, cloud, guard, leftovers, locks, recovery
from dataplatform.local.costs import refuse_replacements
from dataplatform.local.display import Display
from dataplatform.local.engine import Engine, Result
from dataplatform.local.engine_env import cloud_home
from dataplatform.local.errors import RefusedError, StateError, ToolError
from dataplatform.local.events import UNCHANGED, Run, short_name, type_of
from dataplatform.local.fields import shown, unwrapped
from dataplatform.local.recovery import Found
from dataplatform.local.report import FailedError, Report, counts_of, drift_rows, row

__all__ = ["FailedError", "Report", "Session"]


class Session:
    """One command on one stack."""

    def __init__(self, root: Path, stack: str, display: Display) -> None:
        self.root, self.stack, self.display = root, stack, display
        self.engine = Engine(root, stack)
        self._foreign: set[tuple[str, str]] | None = None
        """What of the cloud no state knew before the run; None: not looked at."""

    def up(self, *, allow_deletes: int | None, projects: list[str], no_replace: bool = False) -> Report:
        """Bring the stack up.

        What the cloud has otherwise than the state (drift) is named before it is overwritten.

        Raises:
            RefusedError: when too much would go and nobody said so, or anything would be replaced with `no_replace`.
            FailedError: when something could not be applied.
        """
        self._based()
        self._prepare(projects)
        self._beside()
        self._adopt()
        existing = self._existing()
        options = ["--yes", "--skip-preview"]
        if existing:
            # Nothing can be lost by a first up of an empty cloud, so it is spared the preview.
            self.display.line(f"{self.stack}: comparing with what is there")
            run = self._planned(["--refresh"]).run
            if no_replace:
                refuse_replacements(run, self.stack)
            verdict = guard.judge(run.operations.values(), existing)
            if not verdict.allows(allow_deletes):
                raise RefusedError(_refusal(verdict, self.stack, allow_deletes))
            if run.drift:
                self._tell_drift(run, "this up overwrites it")
                options.append("--refresh")
        self.display.line(f"{self.stack}: updating")
        self._foreign = {(found.token, found.id) for found in self._strays()}
        result = self.engine.drive("up", options, self.display, "the program runs")
        report = self._report("up", result)
        self._tell_strays(projects)
        return report

    def preview(self, projects: list[str], *, refresh: bool = True, no_replace: bool = False) -> Report:
        """Show what an `up` would do; without `refresh` what the cloud has otherwise than the state is not seen.

        Raises:
            RefusedError: when anything would be replaced with `no_replace`.
        """
        self._based()
        self._prepare(projects)
        self._beside()
        display = self.display
        display.line(f"{self.stack}: previewing")
        result = self.engine.drive("preview", ["--refresh"] if refresh else [], display, "the program runs")
        report = self._report("preview", result)
        report.drift = drift_rows(result.run)
        self._tell_drift(result.run, "an up overwrites it")
        verdict = guard.judge(result.run.operations.values(), self._existing())
        for reason in verdict.reasons:
            display.line(f"  ! {reason}")
        if verdict.reasons:
            display.line(f"  ! dp up {self.stack} --local will want --allow-deletes {verdict.count}")
        if report.changes.get("create"):
            self._tell_strays(projects, "; dp up adopts those of them that are this stack's")
        if no_replace:
            refuse_replacements(result.run, self.stack)
        return report

    def deployed(self, urns: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The inputs that the state has of these resources, secrets in the clear: for a comparison, not to print."""
        wanted = set(urns)
        if not wanted:
            return {}
        exported = json.loads(self.engine.call("stack", "export", "--stack", self.stack, "--show-secrets"))
        resources = (exported.get("deployment") or {}).get("resources") or []
        return {r["urn"]: unwrapped(r.get("inputs") or {}) for r in resources if r["urn"] in wanted}

    def down(self) -> Report:
        """Destroy all of the stack, what its state lost included, and the stack's record when nothing is left."""
        if not self.engine.checkpoint.exists():
            if not self._strays():
                self.display.line(f"{self.stack}: there is no such stack in the local state; nothing to destroy")
                self._empty_cloud(Report("down", self.stack), set())
                return Report("down", self.stack)
            self.engine.ensure_stack()
        self._settle()
        try:
            self._adopt()
        except FailedError as problem:
            if problem.stopped:
                raise
            self.display.line(f"{self.stack}: what the state lost cannot be looked for: {problem}")
        projects = self._projects()
        self.display.line(f"{self.stack}: destroying")
        result = self.engine.drive("destroy", ["--yes", "--skip-preview"], self.display, "the engine works")
        report = self._report("down", result)
        left = self._existing()
        if left:
            names = ", ".join(sorted(short_name(urn) for urn in left))
            raise FailedError(f"{len(left)} resources of {self.stack} are still there: {names}", report, partial=True)
        self.engine.call("stack", "rm", self.stack, "--yes", "--preserve-config")
        self._empty_cloud(report, projects)
        return report

    def _projects(self) -> set[str] | None:
        """The projects that only this stack's resources are in; None where it has no resources."""
        if not self._existing():
            return None
        states = cloud.deployments(self.engine.state)
        own = cloud.projects_of(states.pop(self.engine.checkpoint, {}))
        return own.difference(*map(cloud.projects_of, states.values()))

    def _empty_cloud(self, report: Report, projects: set[str] | None) -> None:
        """What a cloud keeps for ever (key rings) goes with the last stack of the cloud, or of its project.

        So a stack can be brought up again under the same names, also while others are up.
        """
        last = not cloud.deployments(self.engine.state)
        left = json.loads(self._localcloud("ls", "--json"))
        if last:
            names = [f"{r['name']} ({r['type']})" for r in left]
        else:
            # Services that programs enabled stay enabled; they are no reason to keep a project.
            names = [f"{f.id} ({f.token})" for f in self._strays() if projects is None or f.project in projects]
        if names:
            destroyed = f"{self.stack} had nothing" if projects is None else f"{self.stack} is destroyed"
            text = f"{destroyed}, but the embedded cloud holds {len(names)} things no stack knows"
            shown = ", ".join(sorted(names)[:10])
            raise FailedError(
                f"{text}: {shown}; remove them with: localcloud rm, or localcloud reset", report, partial=True
            )
        if last and cloud_home(self.root).exists():
            self._localcloud("reset", "--yes")
            self.display.line(f"{self.stack}: the embedded cloud is empty and was reset")
        elif not last and projects:
            self._localcloud("reset", "--yes", *(part for p in sorted(projects) for part in ("--project", p)))
            self.display.line(f"{self.stack}: nothing is left in {', '.join(sorted(projects))}, which was reset")

    def _prepare(self, projects: list[str]) -> None:
        self._localcloud("init", *(part for project in projects for part in ("--project", project)))
        self._settle()
        if self.engine.ensure_stack():
            self.display.line(f"{self.stack}: new stack in {self.engine.state}")

    def _beside(self) -> None:
        """Refuse what would make another Composer environment of one that is there."""
        deployed = cloud.deployments(self.engine.state).get(self.engine.checkpoint, {})
        beside.refuse_in_place(self.root, self.stack, deployed)

    def _based(self) -> None:
        """Refuse a stack whose base stack is not there."""
        base_stack.refuse_without_base(self.root, self.stack, self.engine.checkpoint.parent)

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
        # What is ambient is forgotten and asked for again: the same, and it keeps what only the engine knows of it.
        objects = [found for found in cloud.known_objects(cloud_home(self.root)) if not found.ambient]
        repaired = recovery.repair(deployment, plain, objects)
        self.engine.import_(repaired.deployment)
        for line in recovery.describe(repaired):
            self.display.line(f"{self.stack}: {line}")
        self._read_again(repaired.refresh)

    def _read_again(self, urns: Iterable[str]) -> None:
        targets = [part for urn in urns for part in ("--target", urn)]
        if not targets:
            return
        result = self.engine.drive("refresh", ["--yes", "--skip-preview", *targets], self.display, "reading")
        if result.code:
            said = "; ".join(message for _, message in result.run.errors) or "see " + str(result.log)
            raise StateError(f"what the last run left cannot be read from the cloud: {said}")

    def _unknown(self) -> list[Found]:
        """What programs made in the cloud and no local stack's state knows."""
        return cloud.unknown_to(cloud_home(self.root), cloud.deployments(self.engine.state).values())

    def _strays(self) -> list[Found]:
        """The same without what belongs to the project itself: enabled APIs, service agents."""
        return [found for found in self._unknown() if not found.ambient]

    def _adopt(self) -> None:
        """Put into the state what the cloud holds of this stack and the state lost; nothing where nothing is lost."""
        strays = self._strays()
        if not strays:
            return
        self.display.line(f"{self.stack}: things in the cloud that no state knows: {len(strays)}; looking for our own")
        free, adopted = self._unknown(), dict[str, Found]()
        deployment = self.engine.export()
        try:
            while True:
                result = self._planned(["--json"])
                states = adoption.planned(result.log.read_text("utf-8", errors="replace"))
                result.log.unlink(missing_ok=True)
                round_ = adoption.adopt(deployment, states, free, self.stack)
                if not round_.adopted:
                    break
                self.engine.import_(round_.deployment)
                adopted |= round_.adopted
                deployment = round_.deployment
                unread = [u for u, found in round_.adopted.items() if found.ambient and found.outputs is None]
                if unread:
                    self._read_again(unread)
                    deployment = self.engine.export()
                free = [found for found in free if found not in round_.adopted.values()]
                if all(found.ambient for found in free):
                    break
        finally:
            self._read_again(urn for urn, found in adopted.items() if not found.ambient)
            for line in adoption.describe(adopted):
                self.display.line(f"{self.stack}: {line}")

    def _tell_strays(self, projects: list[str], more: str = "") -> None:
        strays = [found for found in self._strays() if found.project in projects]
        if strays:
            self.display.line(f"  ! the cloud also holds {_named(strays)}, which no state knows{more}")

    def _localcloud(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "localcloud.cli", *arguments],
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

    def _tell_drift(self, run: Run, consequence: str) -> None:
        for urn, found in sorted(run.drift.items()):
            name = f"{type_of(urn)}  {short_name(urn)}"
            if not found:
                self.display.line(f"  ? {name}  is gone from the cloud; an up makes it again")
                continue
            self.display.line(f"  ? {name}  is otherwise in the cloud than the state says; {consequence}")
            for one in found:
                self.display.line(f"      {one.path}: {shown(one.old)} → {shown(one.new)} in the cloud")

    def _planned(self, options: Sequence[str] = ()) -> Result:
        """A preview that shows only what fails."""
        quiet = Display(self.display.stream, quiet=self.display.quiet, preview=True, operations=False)
        result = self.engine.drive("preview", options, quiet, "the program runs")
        if result.code or result.interrupted:
            self._report("up", result, planned=True)  # raises
        return result

    def _report(self, command: str, result: Result, *, planned: bool = False) -> Report:
        """What the run did; `planned`: it was the preview before it, which changes nothing.

        Raises:
            FailedError: when it failed or was stopped.
        """
        run = result.run
        leftovers.end_leftovers(self.root, lambda _: None, patience=5.0)
        report = Report(command, self.stack, log=str(result.log), changes=counts_of(run.operations.values(), command))
        report.resources = [row(o) for o in run.operations.values() if o.custom and o.op not in UNCHANGED]
        # That it was cancelled is no error beside the stop itself.
        errors = [(u, m) for u, m in run.errors if not (result.interrupted and _CANCELLED.search(m))]
        named = {urn for urn, _ in errors}
        errors += [(o.urn, f"{o.op} failed") for o in run.failed() if o.urn not in named]
        report.errors = [{"resource": short_name(u) if u else "", "type": type_of(u), "message": m} for u, m in errors]
        if not result.code and not result.interrupted:
            if command == "up":
                report.outputs = self.engine.outputs()
            return report
        report.ok = False
        applied = [] if planned or command == "preview" else run.applied()
        unanswered = [] if self._foreign is None else self._unanswered(self._foreign)
        done = f"{len(applied)} of the changes were made and are in the state" if applied else "nothing was changed"
        if unanswered:
            done = done if applied else "no change was confirmed"
            done += f", and the cloud made {_named(unanswered)} without our hearing of it, which the next run adopts"
        again = f"dp {command} {self.stack} --local"
        if result.interrupted:
            text = f"stopped: {done}; go on with: {again}"
        elif result.code < 0:
            text = f"the engine was killed (signal {-result.code}): {done}; go on with: {again}"
        elif not errors:
            text = f"the engine ended with {result.code}: {done}; what it said is in {result.log}"
        else:
            text = f"{len(errors)} failed, {done}; when the cause is removed, go on with: {again}"
        raise FailedError(text, report, partial=bool(applied or unanswered), stopped=result.interrupted)

    def _unanswered(self, before: set[tuple[str, str]]) -> list[Found]:
        """What the run made in the cloud and no state knows: its answer was lost."""
        return [found for found in self._strays() if (found.token, found.id) not in before]


_CANCELLED = re.compile(r"^(preview|update|refresh|destroy|deletion|operation)\b.{0,20}cancell?ed")


def _named(strays: Sequence[Found]) -> str:
    """How many, and the first of them."""
    shown = ", ".join(f"{found.id} ({found.token})" for found in strays[:3])
    return f"{len(strays)} thing{'s' if len(strays) > 1 else ''} ({shown}{', …' if len(strays) > 3 else ''})"


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
