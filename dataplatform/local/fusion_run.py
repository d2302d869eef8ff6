"""`dp run PIPELINE --local` of kind datafusion: its DAG in a real Airflow, against the embedded BigQuery and CDAP.

The text is the deployed one. Runs of the pipeline go by the clock, for the embedded CDAP reads and writes no data; what
is told of them is CDAP's own record.
"""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

from dataplatform.compile.plan import FusionRuns, Plan
from dataplatform.local.airflow_run import AirflowExecution
from dataplatform.local.display import SILENCE
from dataplatform.local.fusion_cloud import FusionCloud, own_cloud, read_rows, stacks_cloud
from dataplatform.local.run import TIME_SCALE, Say
from dataplatform.local.trace import RunTrace, StepState, StepTrace

KEY = "dataplatform.run.key"
"""Runtime argument by which the DAG's runs are known; `dataplatform_runtime.cdap_runs` has it too."""
_ENDED = {"COMPLETED": "succeeded", "FAILED": "failed", "KILLED": "failed", "REJECTED": "failed"}
_STATES: dict[str, StepState] = {"success": "succeeded", "failed": "failed"}
_LOOK_SECONDS = 0.2
_REASON = re.compile(r"^(?:airflow\.\S+: |\w+Exception: )(pipeline .*)$", re.MULTILINE)


def run_fusion(
    root: Path, plan: Plan, say: Say, *, exports: Path, rows: Path | None = None, time_scale: float = TIME_SCALE
) -> tuple[RunTrace, Path]:
    """Run it, say what each task and each run does, and record it; returns the record and its file.

    Args:
        root: The project.
        plan: Of kind datafusion.
        say: Gets a line for a person.
        exports: The folder of exports, with the pipeline that is run.
        rows: File with the rows of the configuration; with it, the run has a cloud of its own.
        time_scale: What waits are multiplied by.
    """
    fusion = plan.fusion
    assert fusion is not None, "others have executors: dataplatform.local.run"
    if rows is None:
        with stacks_cloud(root, plan, time_scale) as cloud:
            say(f"{plan.name}: the embedded cloud of {cloud.fusion.project_id}, as the stack's up has left it")
            return _Run(root, plan, cloud, say, time_scale).play()
    given = read_rows(rows, fusion)
    with own_cloud(root, plan, given, exports, time_scale) as cloud:
        say(f"{plan.name}: a cloud of this run's own, with {len(given)} rows of {rows}")
        return _Run(root, plan, cloud, say, time_scale).play()


class _Run:
    def __init__(self, root: Path, plan: Plan, cloud: FusionCloud, say: Say, time_scale: float) -> None:
        self.root, self.plan, self.cloud, self.say, self.time_scale = root, plan, cloud, say, time_scale
        self.fusion: FusionRuns = cloud.fusion
        self.before = {run["runid"] for run in cloud.runs()}
        steps = [_step(name, "BigQuery" if name != "filter_arguments" else "Airflow") for name in _tasks(self.fusion)]
        self.trace = RunTrace(plan.name, "airflow", steps, time_scale=time_scale, source=plan.source.file)
        self.known: dict[str, StepTrace] = {}
        self.seen: dict[str, str] = {}

    def play(self) -> tuple[RunTrace, Path]:
        """From the start to the record."""
        name = f"{self.plan.name} on Airflow"
        self.say(f"{name}: starting (waits at {self.time_scale:g} of their length)")
        execution = AirflowExecution(self.root, self.plan, self.cloud.url, self.time_scale, more=self.cloud.environment)
        began = last = time.monotonic()
        try:
            while (outcome := execution.poll()) is None:
                if self.follow(began):
                    last = time.monotonic()
                if time.monotonic() - last > SILENCE:
                    going = [step.id for step in self.known.values() if step.state == "running"]
                    self.say(f"  … {', '.join(going) or 'Airflow works'} ({time.monotonic() - began:.0f} s)")
                    last = time.monotonic()
                time.sleep(_LOOK_SECONDS)
            tasks, log = execution.tasks(), execution.log
        except KeyboardInterrupt:
            self.stop()
            self.trace.finish("cancelled", "stopped by Ctrl-C")
            self.trace.save(self.root)
            raise
        finally:
            execution.close()
        self.follow(began)
        for step in self.trace.steps:
            if step.state == "waiting" and tasks.get(step.id) in _STATES:
                step.state = _STATES[tasks[step.id]]
                self.say(f"  {'+' if step.state == 'succeeded' else 'x'} {step.id}  {step.state}")
        for reason in _reasons(log):
            self.say(f"    {reason}")
        self.trace.finish(*outcome)  # type: ignore[arg-type]  # poll names the three states
        done = [step.state for step in self.known.values()].count("succeeded")
        said = f": {self.trace.error}" if self.trace.error else ""
        count = f"{done} of {len(self.known)} runs of {self.fusion.cdf_pipeline_name} COMPLETED"
        if not self.known and self.trace.state == "succeeded":
            count = "no row is active, so nothing was run"
        self.say(f"{name}: {self.trace.state}, {count}, {self.trace.seconds:.1f} s{said}")
        return self.trace, self.trace.save(self.root)

    def follow(self, began: float) -> bool:
        """Tell what is new of the runs; whether there was anything."""
        news = False
        for run in self.cloud.runs():
            if run["runid"] in self.before or KEY not in run["arguments"]:
                continue
            step = self.known.get(run["runid"])
            if step is None:
                step = self.known[run["runid"]] = _step(self.label(run["arguments"]), "Data Fusion", run["runid"])
                self.trace.steps.append(step)
                step.state, step.started = "running", round(time.monotonic() - began, 3)
            status = str(run["status"])
            step.polls += 1
            if self.seen.get(run["runid"]) == status:
                continue
            self.seen[run["runid"]] = status
            news = True
            if status in _ENDED:
                step.ended = round(time.monotonic() - began, 3)
                step.state, step.said = ("succeeded", "") if status == "COMPLETED" else ("failed", status)
            sign = {"COMPLETED": "+"}.get(status, "x" if status in _ENDED else ">")
            self.say(f"  {sign} {step.id}  {status}  (run {run['runid']})")
        return news

    def label(self, arguments: dict[str, str]) -> str:
        """What a run is called: its row, and which try of it."""
        names = self.fusion.argument_columns
        words = " / ".join(str(arguments[name]) for name in names if name in arguments) or self.fusion.cdf_pipeline_name
        same = sum(step.id == words or step.id.startswith(f"{words}, run ") for step in self.known.values())
        return words if not same else f"{words}, run {same + 1}"

    def stop(self) -> None:
        """Stop what goes on: nobody would wait for it."""
        for run in self.known:
            if self.known[run].state == "running":
                with contextlib.suppress(OSError):
                    self.cloud.call("POST", f"{self.cloud.program()}/runs/{run}/stop", {})


def _tasks(fusion: FusionRuns) -> list[str]:
    first = ["truncate_table"] if fusion.bq_output_table else []
    return [*first, *([] if fusion.cdf_pipeline_run_arguments else ["get_configuration"]), "filter_arguments"]


def _step(name: str, executor: str, job: str = "") -> StepTrace:
    level = "start_pipelines" if executor == "Data Fusion" else "configuration"
    return StepTrace(name, executor, level, "each active row" if job else "rows", job=job)


def _reasons(log: Path) -> list[str]:
    """Why tasks failed, in the words of the runtime."""
    try:
        found = _REASON.findall(log.read_text("utf-8", "replace"))
    except OSError:
        return []
    return list(dict.fromkeys(line[:300] for line in found))[:5]
