"""Runs of a compiled plan in virtual time: the workflow in the embedded engine, the DAG in a stand-in for Airflow."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from dataplatform.compile import airflow, workflows
from dataplatform.compile.plan import Plan
from dataplatform.compile.reference import Outcome, StepState, StepTrace, Trace
from dataplatform.compile.workflows_parts import Limits, render_all
from dataplatform_runtime import protocol
from localcloud.workflows import clock
from localcloud.workflows.local import run as run_workflow
from localcloud.workflows.web import Request
from tests.compile import light_airflow
from tests.compile.generated import properties_of
from tests.compile.observed import Executors, Seen, begins, order, place, step_trace

LOCATION = "projects/local/locations/local"
BEGIN = 1_750_000_000
LOCAL = "http://127.0.0.1/intermediate"
EXECUTIONS = "https://workflowexecutions.googleapis.com/v1/"
LOCAL_EXECUTIONS = "http://127.0.0.1/executions/"
SERVICE = Limits()
STATES = {"running": "ACTIVE", "success": "SUCCEEDED", "failed": "FAILED"}


@dataclasses.dataclass(frozen=True)
class Run:
    """What was seen of one run."""

    trace: Trace
    messages: Mapping[str, str]
    """Step id → message, of the steps that failed."""
    begins: Mapping[str, int]
    """Step id → second, from the first call."""
    structure: frozenset[tuple[str, str]] | None = None
    """Pairs of steps that were begun and that the text itself puts in order, where it can be read off."""


def trace_of(
    plan: Plan, calls: list[Seen], state: str, states: Mapping[str, str], messages: Mapping[str, str]
) -> Trace:
    """The trace of a run from its calls and from what the engine says of it."""
    steps: dict[str, StepTrace] = {}
    by_step: dict[str, list[Seen]] = {}
    for call in calls:
        by_step.setdefault(call.step, []).append(call)
    for step in plan.steps():
        name = step.id
        found: Any = states.get(name, "skipped")
        steps[name] = step_trace(by_step.get(name, []), found, messages.get(name), step)
    return Trace(state=state, steps=steps, before=order(calls))  # type: ignore[arg-type]


def without_place(plan: Plan, messages: Mapping[str, str]) -> dict[str, str]:
    """The messages without what names the step, which may itself hold any text."""
    return {step.id: messages[step.id].removeprefix(place(plan, step)) for step in plan.steps() if step.id in messages}


def in_workflows(plan: Plan, outcomes: Mapping[str, Outcome], limits: Limits = SERVICE) -> Run:
    """Run the plan's workflow in the embedded engine, with its parts where the limits want some."""
    executors = Executors(outcomes)
    time = clock.VirtualClock(BEGIN)

    def respond(request: Request) -> clock.Answer:
        if request.url.startswith(LOCAL_EXECUTIONS):
            return _execution(plan, executors, request, request.at)
        assert request.url == LOCAL
        body = json.loads(request.body or b"")
        _check_properties(plan, body)
        answer = executors.answer(body, request.at)
        problem: Any = None if answer.status else "broken" if answer.sent else "refused"
        return clock.Answer(status=answer.status, text=answer.text, seconds=answer.seconds, problem=problem)

    whole, *parts = render_all(plan, limits)
    execution = run_workflow(
        None,
        whole.text,
        None,
        children={part.workflow_id: part.text for part in parts},
        clock=time,
        responder=respond,
        routes={plan.target.intermediate_url: LOCAL, **_routes(plan)},
        workflow=workflows.workflow_id(plan),
    )
    state = {"SUCCEEDED": "success", "FAILED": "failed"}[execution["state"]]
    result = json.loads(execution["result"] if state == "success" else execution["error"]["payload"])
    assert isinstance(result, dict), execution
    assert "steps" in result, execution
    states: dict[str, StepState] = {step["step"]: step["state"] for step in result["steps"]}
    assert result["state"] == state
    messages = {step["step"]: step["error"] for step in result["steps"] if "error" in step}
    assert sorted(result["failures"]) == sorted(messages.values())
    polls = {step["step"]: step["polls"] for step in result["steps"]}
    trace = trace_of(plan, executors.calls, state, states, without_place(plan, messages))
    assert polls == {name: trace.steps[name].polls for name in polls}
    return Run(trace, messages, begins(executors.calls))


def _routes(plan: Plan) -> dict[str, str]:
    """Where the API of executions answers for the pipelines that steps run; parts are the engine's own business."""
    targets = {f"{LOCATION}/workflows/{step.executor}/" for step in plan.steps() if step.kind == "workflows"}
    return {EXECUTIONS + target: LOCAL_EXECUTIONS + target for target in targets}


def _execution(plan: Plan, executors: Executors, request: Request, now: float) -> clock.Answer:
    """What the API of executions answers to a step that runs another pipeline; its executions are named after those."""
    _, rest = request.url.split("/workflows/", 1)
    target, _, execution = rest.partition("/executions")
    (step,) = [step for step in plan.steps() if step.kind == "workflows" and step.executor == target]
    if request.method == "POST":
        handed = json.loads(json.loads(request.body or b"")["argument"])
        assert handed["workflow_properties"] == properties_of(plan, step)
        answer = executors.answer({"job_name": step.id, "call_type": "get_id"}, now)
        name = request.url.removeprefix(LOCAL_EXECUTIONS) + f"/{answer.text}"
        document = {"name": name, "state": "ACTIVE"}
    else:
        job = execution.removeprefix("/")
        answer = executors.answer({"job_name": step.id, "call_type": "get_status", "async_job_id": job}, now)
        document = {"name": request.url.removeprefix(LOCAL_EXECUTIONS), "state": STATES[answer.text]}
    return clock.Answer(text=json.dumps(document), content_type="application/json", seconds=answer.seconds)


class DagEngine:
    """Runs compiled DAGs with the real runtime, on stand-ins for Airflow."""

    def __init__(self, operators: types.ModuleType) -> None:
        self._operators = operators

    def __call__(self, plan: Plan, outcomes: Mapping[str, Outcome]) -> Run:
        """Run the plan's DAG."""
        dag = light_airflow.load(airflow.render(plan))
        assert dag.dag_id == airflow.dag_id(plan)
        executors = Executors(outcomes)
        messages: dict[str, str] = {}
        names: dict[str, str] = {}

        def execute(task: Any, began: int) -> tuple[bool, int]:
            names[task.task_id] = task.job_name
            timeline = _Timeline(executors, began, plan)
            self._operators.World = functools.partial(  # type: ignore[attr-defined]
                protocol.World, sleep=timeline.sleep, clock=lambda: timeline.now
            )
            self._operators._http_post = lambda: timeline.post  # type: ignore[attr-defined]
            pipelines: Any = sys.modules["dataplatform_runtime.pipelines"]
            pipelines.World = self._operators.World
            pipelines.trigger_run = functools.partial(timeline.trigger, task)
            pipelines.run_state = timeline.state
            timeline.task = task
            try:
                task.execute(_context(dag, task))
            except (protocol.StepFailedError, light_airflow.AirflowFailException) as error:
                # What comes after the semicolon is advice on the Airflow variable.
                said = str(error).rsplit("; look whether it runs, then delete", 1)[0]
                messages[task.job_name] = _with_run_id(said, task, executors, plan)
                return False, timeline.now - began
            return True, timeline.now - began

        light_airflow.Variable.values.clear()
        state, states = light_airflow.play(dag, execute)
        found: dict[str, str] = {
            job: states[name].replace("upstream_failed", "skipped")
            for name, task in dag.tasks.items()
            if (job := getattr(task, "job_name", None)) is not None
        }
        calls = _in_time(executors.calls)
        trace = trace_of(plan, calls, state, found, without_place(plan, messages))
        return Run(trace, messages, begins(calls), _structure(dag, names))


def dag_engine(operators: types.ModuleType) -> Callable[[Plan, Mapping[str, Outcome]], Run]:
    """The engine on an imported runtime."""
    return DagEngine(operators)


@dataclasses.dataclass
class _Timeline:
    """One task's own time: nothing else moves its clock, for tasks share nothing."""

    executors: Executors
    now: int
    plan: Plan
    task: Any = None

    def trigger(self, task: Any, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """A step runs another pipeline."""
        (step,) = [step for step in self.plan.steps() if step.id == task.job_name]
        assert conf["workflow_properties"] == properties_of(self.plan, step)
        answer = self.executors.answer({"job_name": task.job_name, "call_type": "get_id"}, self.now)
        self.now += answer.seconds

    def state(self, context: object, dag_id: str, run_id: str) -> str:
        """What has become of that."""
        job = self.executors.started(self.task.job_name).text
        body = {"job_name": self.task.job_name, "call_type": "get_status", "async_job_id": job}
        answer = self.executors.answer(body, self.now)
        self.now += answer.seconds
        return answer.text

    def sleep(self, seconds: float) -> None:
        assert seconds == int(seconds) >= 0
        self.now += int(seconds)

    def post(self, url: str, body: Mapping[str, object], timeout: float) -> protocol.Reply:
        arrived = json.loads(json.dumps(body))
        _check_properties(self.plan, arrived)
        answer = self.executors.answer(arrived, self.now)
        assert answer.seconds < timeout
        self.now += answer.seconds
        return protocol.Reply(answer.status, answer.text, never_sent=not answer.sent)


def _with_run_id(said: str, task: Any, executors: Executors, plan: Plan) -> str:
    """The message with the table's name of a triggered run, whose real name is made at random."""
    if not hasattr(task, "target_dag_id"):
        return said
    name = f"{LOCATION}/workflows/{task.target_dag_id}/executions/{executors.started(task.job_name).text}"
    return re.sub(r"job step__[0-9a-f]{32} was", f"job {name} was", said)


def _check_properties(plan: Plan, body: Mapping[str, Any]) -> None:
    (step,) = [step for step in plan.steps() if step.id == body["job_name"]]
    assert body["step_properties"] == properties_of(plan, step)
    assert type(body["step_properties"]) is dict


def _context(dag: light_airflow.DAG, task: light_airflow.BaseOperator) -> dict[str, Any]:
    began = datetime(2025, 6, 1, tzinfo=UTC)
    run = types.SimpleNamespace(run_id="manual__2025-06-01", start_date=began, logical_date=began)
    instance = types.SimpleNamespace(dag_id=dag.dag_id, run_id=run.run_id, task_id=task.task_id, map_index=-1)
    return {"ti": instance, "dag_run": run, "params": dag.params}


def _in_time(calls: Iterable[Seen]) -> list[Seen]:
    """The calls of all tasks in the order of time; each task's own keep theirs."""
    return sorted(calls, key=lambda call: call.at)


def _structure(dag: light_airflow.DAG, names: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    earlier = light_airflow.ancestors(dag)
    return frozenset((names[before], names[name]) for name in names for before in earlier[name] if before in names)
