"""What a pipeline did, step by step, read from the calls its executors got and from the engine's last word."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from dataplatform.compile.plan import Engine, Plan
from dataplatform.local.executors import Call

StepState = Literal["waiting", "running", "succeeded", "failed", "not run"]


@dataclass
class StepTrace:
    """One step of one run. Times are seconds since the run began; None where it did not come to that."""

    id: str
    executor: str
    level: str
    thread: str
    state: StepState = "waiting"
    started: float | None = None
    ended: float | None = None
    polls: int = 0
    attempts: int = 0
    job: str = ""
    """What the executor named the job."""
    said: str = ""
    """The executor's last word, where it was not a success."""


@dataclass
class RunTrace:
    """One run of one pipeline on one engine."""

    pipeline: str
    engine: Engine
    steps: list[StepTrace]
    state: Literal["running", "succeeded", "failed", "cancelled"] = "running"
    error: str = ""
    began: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    seconds: float = 0.0
    time_scale: float = 1.0
    source: str = ""

    def step(self, name: str) -> StepTrace | None:
        """The step of that name."""
        return next((step for step in self.steps if step.id == name), None)

    def finish(self, state: Literal["succeeded", "failed", "cancelled"], error: str = "") -> list[StepTrace]:
        """Settle what the calls alone could not tell; returns the steps that this changed."""
        self.state, self.error = state, error
        self.seconds = time.time() - self.began
        changed = []
        for step in self.steps:
            if step.state == "running":
                step.state, step.ended = "failed", step.ended or round(self.seconds, 3)
                changed.append(step)
            elif step.state == "waiting":
                step.state = "not run"
        return changed

    def settle(self, states: Mapping[str, str]) -> list[StepTrace]:
        """Mark the steps that call no executor, and so were not seen, as the engine tells; returns those."""
        ends: dict[str, StepState] = {"success": "succeeded", "failed": "failed"}
        found = [step for step in self.steps if step.state == "waiting" and states.get(step.id) in ends]
        for step in found:
            step.state = ends[states[step.id]]
        return found

    def save(self, root: Path) -> Path:
        """Write the record of the run below `.dp/runs`."""
        folder = root / ".dp" / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        name = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self.began))
        file = folder / f"{name}-{os.getpid()}-{self.pipeline}-{self.engine}.json"
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps({"version": 1, **asdict(self)}, indent=1) + "\n", "utf-8")
        temporary.replace(file)
        return file


def new_trace(plan: Plan, engine: Engine, time_scale: float) -> RunTrace:
    """A run in which nothing has started."""
    steps = [
        StepTrace(step.id, step.executor, level.id, thread.id)
        for level in plan.levels
        for thread in level.threads
        for step in thread.steps
    ]
    return RunTrace(plan.name, engine, steps, time_scale=time_scale, source=plan.source.file)


def load_runs(root: Path) -> list[RunTrace]:
    """The newest recorded run of each pipeline and engine."""
    newest: dict[tuple[str, str], RunTrace] = {}
    for file in sorted((root / ".dp" / "runs").glob("*.json")):
        try:
            data = json.loads(file.read_text("utf-8"))
            data.pop("version")
            run = RunTrace(**{**data, "steps": [StepTrace(**step) for step in data["steps"]]})
        except (OSError, ValueError, TypeError, KeyError):
            continue  # of another version, or cut short: not worth failing for
        known = newest.get((run.pipeline, run.engine))
        if known is None or run.began >= known.began:
            newest[run.pipeline, run.engine] = run
    return [newest[key] for key in sorted(newest)]


class Follower:
    """Reads new calls into a trace, and says which step changed and how."""

    def __init__(self, trace: RunTrace, began: float) -> None:
        self._trace, self._began, self._seen = trace, began, 0

    def take(self, calls: Sequence[Call]) -> list[tuple[StepTrace, str]]:
        """The changes since the last call, each with a word: `started`, `polling`, `succeeded`, `refused`."""
        changes = []
        for call in calls[self._seen :]:
            # Pipelines that a step runs call the same executors; their steps are not this pipeline's.
            ours = call.body.get("workflow_name", self._trace.pipeline) == self._trace.pipeline
            step = self._trace.step(call.job_name) if ours else None
            if step is not None:
                changes.append((step, self._apply(step, call)))
        self._seen = len(calls)
        return [(step, word) for step, word in changes if word]

    def _apply(self, step: StepTrace, call: Call) -> str:
        at = round(call.time - self._began, 3)
        if call.call_type == "get_id":
            step.attempts += 1
            step.started = at if step.started is None else step.started
            step.state = "running"
            if call.status == 200:
                step.job = call.answer
                return "started"
            step.said, step.ended = call.answer[:300], at
            return "refused"
        step.polls += 1
        step.ended = at
        if call.status != 200:
            step.said = call.answer[:300]
            return "refused"
        if call.answer.strip() == "success":
            step.state, step.said = "succeeded", ""
            return "succeeded"
        step.said = call.answer[:300]
        return "polling" if step.polls == 1 else ""
