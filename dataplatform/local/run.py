"""`dp run PIPELINE --local`: a compiled pipeline, run for real on this machine against stand-in step executors.

The Workflows text runs in the embedded cloud's own service, the DAG in a real Airflow with `dag.test()`. Waits are
shortened by `TIME_SCALE`; everything else is as deployed, down to the text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dataplatform.compile.plan import Engine, Plan
from dataplatform.local import executors
from dataplatform.local.callers import admission
from dataplatform.local.display import SILENCE
from dataplatform.local.trace import Follower, RunTrace, StepTrace, new_trace

TIME_SCALE = 0.01
"""A wait of 30 s takes 0.3 s."""

Say = Callable[[str], None]
Engines = Mapping[Engine, Callable[..., "Execution"]]


class Execution:
    """A started run of an engine: asked until it has ended."""

    def poll(self) -> tuple[str, str] | None:
        """None while it runs, else (`succeeded`, `failed` or `cancelled`, the reason)."""
        raise NotImplementedError

    def states(self) -> Mapping[str, str]:
        """State of each step of an ended run (`success`, `failed`, `skipped`), as far as the engine tells it."""
        return {}

    def close(self) -> None:
        """End it and what was started for it."""


def start(
    root: Path, plan: Plan, engine: Engine, address: str, time_scale: float, others: Sequence[Plan] = ()
) -> Execution:
    """Start a plan on an engine, with the executors at `address` and the pipelines that its steps run."""
    if engine == "airflow":
        from dataplatform.local.airflow_run import AirflowExecution

        return AirflowExecution(root, plan, address, time_scale, others)
    from dataplatform.local.workflows_run import WorkflowsExecution

    return WorkflowsExecution(root, plan, address, time_scale, others)


def run(
    root: Path,
    plan: Plan,
    engine: Engine,
    say: Say,
    *,
    script: Mapping[str, executors.JobScript] | None = None,
    time_scale: float = TIME_SCALE,
    others: Sequence[Plan] = (),
) -> tuple[RunTrace, Path]:
    """Run a plan on an engine, say what each step does, and record it; returns the record and its file.

    `others` are the plans of the pipelines that its steps run, and that theirs run.
    """
    plan = replace(plan, engines=(engine,))
    trace = new_trace(plan, engine, time_scale)
    named = "Airflow" if engine == "airflow" else "Cloud Workflows"
    say(f"{plan.name} on {named}: starting {_steps(len(trace.steps))} (waits at {time_scale:g} of their length)")
    with executors.serve(script, admit=admission(root, plan)) as server:
        began = time.monotonic()
        trace.began = time.time()
        follower = Follower(trace, began)
        execution = start(root, plan, engine, server.url, time_scale, others)
        try:
            last = time.monotonic()
            outcome = None
            while outcome is None:
                outcome = execution.poll()
                for step, word in follower.take(server.calls):
                    say(_line(step, word))
                    last = time.monotonic()
                if time.monotonic() - last > SILENCE:
                    running = [s.id for s in trace.steps if s.state == "running"]
                    say(f"  … {', '.join(running) or f'{named} works'} ({time.monotonic() - began:.0f} s)")
                    last = time.monotonic()
                time.sleep(0.02)
            for step in trace.settle(execution.states()):
                say(f"  {'+' if step.state == 'succeeded' else 'x'} {step.id}  {step.state}")
        except KeyboardInterrupt:
            trace.finish("cancelled", "stopped by Ctrl-C")
            trace.save(root)
            raise
        finally:
            execution.close()
        for step in trace.finish(*outcome):  # type: ignore[arg-type]  # poll names the three states
            say(_line(step, "failed"))
    for step in trace.steps:
        if step.state == "not run":
            say(f"  - {step.id}  not run")
    done = sum(step.state == "succeeded" for step in trace.steps)
    said = f": {trace.error}" if trace.error else ""
    say(f"{plan.name} on {named}: {trace.state}, {done} of {len(trace.steps)} steps, {trace.seconds:.1f} s{said}")
    return trace, trace.save(root)


def _line(step: StepTrace, word: str) -> str:
    took = (step.ended or 0.0) - (step.started or 0.0)
    match word:
        case "started":
            return f"  > {step.id}  started as {step.job} ({step.executor})"
        case "polling":
            return f"  . {step.id}  polling: {step.said}"
        case "succeeded":
            return f"  + {step.id}  succeeded  {took:.1f} s, {step.polls} polls"
        case _:
            return f"  x {step.id}  {word}  {took:.1f} s: {step.said or 'no answer'}"


def _steps(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"
