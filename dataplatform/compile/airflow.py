"""Plan → the text of one Airflow DAG file, valid on Airflow 2.11 and 3.

A fixed skeleton around literals: nothing a user wrote is code, and the result is parsed before it is returned. Task
groups are levels and threads; a step is an `ExecutorStepOperator` of `dataplatform_runtime`.

The meaning is that of the compiled workflow. A step starts when the one before it in its thread has succeeded, a level
when all threads of the level before have. After a failure the other threads of the level run on; then the run fails.
A step with CONTINUE_IF_FAIL that has failed stays failed in Airflow's eyes, for everybody to see, and is followed by
an empty task `…_ended` that runs whatever became of it: what comes next waits for that task and for what came before
the step. Such a failure leaves the run a success, for a run's state is that of its last tasks.

A schedule is written as a `CronTriggerTimetable`, for a bare cron string means one thing on Airflow 2 and another on 3.

Before it forks to parse a file, the DAG processor imports the `airflow.…` modules that the file imports at its top
level (not in a `try`). What this DAG and the runtime need of Airflow it has loaded already, so no line is there for it;
an operator of a provider has one of its own, for else every parse imports the provider anew (1 s each).

Over HTTP a task has no retries: the operator repeats its calls, and the whole job where the step has RETRIES. So the
pauses are the same on both engines, and a job that may be running is not started twice. A task that an operator of a
provider runs has Airflow's retries in their place; what may not be repeated fails for good.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from dataplatform.compile import airflow_fusion
from dataplatform.compile.names import Unique, ascii_words, stable_id
from dataplatform.compile.operators import Task, task_for
from dataplatform.compile.plan import Level, Plan, Retry, Step
from dataplatform.compile.python_text import literal, string
from dataplatform.config.text import shown
from dataplatform.diagnostics import Diagnostics, InputError, Position

MAX_DAG_ID = 250
START_DATE = (2024, 1, 1)
"""Nothing is caught up, so any fixed day does; one that moves would change the DAG at every parse."""
LAST_CALL_SECONDS = 30
"""What the runtime lets a call take that begins when the step's timeout is near."""
TASK_MARGIN_SECONDS = 60
"""What a task may take beyond its step's timeout and the calls that outlast it: getting a token, and Airflow's own."""
RUN_MARGIN_SECONDS = 3600
"""What a run may take beyond all its tasks one after the other: waiting for workers."""

_IMPORTS = """\
from datetime import datetime, timedelta, timezone

try:  # Airflow 3
    from airflow.sdk import {three}
except ImportError:  # Airflow 2
    from airflow.models.dag import DAG
    from airflow.models.param import Param
{timetable}    from airflow.utils.task_group import TaskGroup

{runtime}
"""

_PARAMS = """\
{
        "start_date": Param(
            None, type=["null", "string"], description="First day; the day before the run where left out"
        ),
        "end_date": Param(None, type=["null", "string"], description="Last day; the day of the run where left out"),
        "workflow_properties": Param({}, type="object", description="What every executor gets"),
"""


def dag_id(plan: Plan) -> str:
    """The DAG's id: the pipeline's name where that is one, else made from it (see `names.stable_id`)."""
    return _id_of(plan.name)


def _id_of(name: str) -> str:
    return stable_id(name, keep="_-.", longest=10_000, prefix="pipeline")


def task_id(step: Step) -> str:
    """The step's task id inside its task groups."""
    return stable_id(step.id, longest=100, prefix="step")


def problems(plan: Plan, places: Mapping[str, Position] | None = None) -> Diagnostics:
    """What of this plan Airflow would refuse or could not run. `places` has the position of each job name."""
    found = Diagnostics()
    if len(dag_id(plan)) > MAX_DAG_ID:
        found.add(
            "DP402",
            Position(plan.source.file),
            f"the DAG's id would have {len(dag_id(plan))} characters, and Airflow takes {MAX_DAG_ID}",
            "give the file a shorter name",
        )
    for step in plan.steps():
        if step.kind == "workflows" and step.executor in plan.target.external_workflows:
            found.add(
                "DP404",
                (places or {}).get(step.job_name, Position(plan.source.file)),
                f"the workflow {shown(step.executor)} is not of this project, and Airflow runs only its own DAGs",
                "run this pipeline on Cloud Workflows, or call the workflow through an executor",
            )
    return found


def render(plan: Plan) -> str:
    """The DAG file: Python in ASCII, the same bytes for the same plan.

    Raises:
        InputError: Airflow would refuse the DAG.
    """
    found = problems(plan)
    if found:
        raise InputError(found)
    if plan.fusion is not None:
        return airflow_fusion.render(plan, dag_id(plan))
    writer = _Writer(plan)
    for level in plan.levels:
        writer.level(level)
    text = "\n".join([_header(plan), _imports(plan), _opening(plan), *writer.lines]) + "\n"
    # Python itself has the last word. `ast.parse` would do, but takes twice as long on a thousand steps.
    compile(text, "dag.py", "exec", dont_inherit=True)
    return text


def _header(plan: Plan) -> str:
    return (
        f"# Compiled from {json.dumps(plan.source.file)}\n"
        f"# SHA-256 {json.dumps(plan.source.sha256)}\n"
        "# Changes belong into the definition: this text is overwritten."
    )


def _imports(plan: Plan) -> str:
    operators = ["EmptyOperator"]
    kinds = {step.kind for step in plan.steps() if step.operation is None}
    if kinds - {"workflows"}:
        operators.append("ExecutorStepOperator")
    tasks = [task_for(step, step.operation, plan.target) for step in plan.steps() if step.operation is not None]
    providers = sorted({task.provider for task in tasks})
    services = sorted({(task.module, task.operator) for task in tasks})
    runtime = [f"from dataplatform_runtime.operators import {', '.join(operators)}"]
    if plan.on_failure:
        runtime.insert(0, "from dataplatform_runtime.notify import NotifyFailure")
    if "workflows" in kinds:
        runtime.append("from dataplatform_runtime.pipelines import PipelineStepOperator")
    runtime.extend(f"from {module} import {operator}" for module, operator in services)
    runtime.sort()
    # Not in the runtime alone: the DAG processor imports beforehand what a DAG's own file imports.
    runtime[:0] = [*(f"import {module}" for module in providers), *([""] if providers else [])]
    return _IMPORTS.format(
        three="DAG, CronTriggerTimetable, Param, TaskGroup" if plan.schedule else "DAG, Param, TaskGroup",
        timetable="    from airflow.timetables.trigger import CronTriggerTimetable\n" if plan.schedule else "",
        runtime="\n".join(runtime),
    )


def _task_seconds(step: Step) -> int:
    """The longest a task may take: the repetitions of the start call and of a poll may outlast the step's timeout.

    Of a task that an operator of a provider runs, it is one try.
    """
    if step.operation is not None:
        return step.timeout
    call = (step.retry.max_retries + 1) * LAST_CALL_SECONDS + _delays(step.retry)
    once = step.timeout + 2 * call
    if step.job_retry is None:
        return once + TASK_MARGIN_SECONDS
    return (step.job_retry.max_retries + 1) * once + _delays(step.job_retry) + TASK_MARGIN_SECONDS


def _all_tries(step: Step) -> int:
    """The longest that a task's tries take together. Airflow adds up to the whole of a pause to it, by chance."""
    if step.operation is None:
        return _task_seconds(step)
    again = step.job_retry
    tries, pauses = (1, 0) if again is None else (again.max_retries + 1, 2 * _delays(again))
    return tries * (step.timeout + TASK_MARGIN_SECONDS) + pauses


def _delays(retry: Retry) -> int:
    delays: int = sum(min(retry.initial_delay * retry.multiplier**n, retry.max_delay) for n in range(retry.max_retries))
    return delays


def _opening(plan: Plan) -> str:
    run_seconds = sum(_all_tries(step) for step in plan.steps()) + RUN_MARGIN_SECONDS
    widest = max((len(level.threads) for level in plan.levels), default=1)
    policies = {step.retry for step in plan.steps()}
    common: list[tuple[str, str]] = [
        ("owner", string(plan.owner)),
        ("retries", "0"),
        ("pipeline", string(plan.name)),
        ("intermediate_url", string(plan.target.intermediate_url)),
    ]
    if policies == {Retry()} or not policies:
        common.append(("call_retry", literal(_retry(Retry()), 8)))
    if plan.parameters:
        common.append(("parameter_types", literal({p.name: p.type for p in plan.parameters}, 8)))
    if plan.schedule:
        common.append(("schedule_timezone", string(plan.schedule.timezone)))
    defaults = "".join(f"        {string(key)}: {value},\n" for key, value in common)
    arguments = [
        ("dag_id", string(dag_id(plan))),
        ("description", string(plan.description or f"Pipeline {plan.name}, compiled from its definition")),
        ("doc_md", literal(_doc(plan), 4)),
        ("schedule", _schedule(plan)),
        ("start_date", f"datetime({', '.join(map(str, START_DATE))}, tzinfo=timezone.utc)"),
        ("catchup", "False"),
        ("max_active_runs", "1"),
        ("max_active_tasks", str(max(widest, 1))),
        ("dagrun_timeout", f"timedelta(seconds={run_seconds})"),
        ("default_args", f"{{\n{defaults}    }}"),
        ("params", _params(plan)),
        ("tags", literal(list(dict.fromkeys(["data-platform", *plan.tags])), 4)),
    ]
    if plan.on_failure:
        told = [
            ("pipeline", plan.name),
            ("function", plan.on_failure),
            ("intermediate_url", plan.target.intermediate_url),
        ]
        lines = "".join(f"        {key}={string(value)},\n" for key, value in told)
        arguments.append(("on_failure_callback", f"NotifyFailure(\n{lines}    )"))
    lines = "".join(f"    {key}={value},\n" for key, value in arguments)
    return f"with DAG(\n{lines}):"


def _schedule(plan: Plan) -> str:
    if plan.schedule is None:
        return "None"
    return f"CronTriggerTimetable({string(plan.schedule.cron)}, timezone={string(plan.schedule.timezone)})"


def _params(plan: Plan) -> str:
    lines = []
    for p in plan.parameters:
        keys = f"type={string(p.type)}, description={string(p.description)}"
        lines.append(f"        {string(p.name)}: Param({literal(p.default)}, {keys}),\n")
    return f"{_PARAMS}{''.join(lines)}    }}"


def _doc(plan: Plan) -> str:
    """Markdown for the DAG's page. It must not end in `.md`: Airflow would take it for the name of a file."""
    source = ascii(plan.source.file)[1:-1].replace("`", "'")
    return f"Compiled from `{source}` (SHA-256 `{plan.source.sha256}`). Change the definition, not this DAG.\n"


def _retry(retry: Retry) -> dict[str, int]:
    return {
        "max_retries": retry.max_retries,
        "initial_delay": retry.initial_delay,
        "max_delay": retry.max_delay,
        "multiplier": retry.multiplier,
    }


@dataclass
class _Writer:
    """Writes the body of the DAG, level by level."""

    plan: Plan
    lines: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    """Variables of the tasks that must have succeeded before the next level may start."""
    steps: int = 0

    def __post_init__(self) -> None:
        self._groups = Unique()
        self._common_retry = {step.retry for step in self.plan.steps()} == {Retry()}

    def level(self, level: Level) -> None:
        """One task group, and in it one for each thread."""
        group = self._groups(f"level_{ascii_words(level.id) or 'x'}")
        self._line(1, f"with TaskGroup(group_id={string(group)}):")
        inside, before = Unique(), list(self.needs)
        exits: list[str] = []
        for thread in level.threads:
            name = inside(stable_id(f"thread_{thread.id}", prefix="thread"))
            self._line(2, f"with TaskGroup(group_id={string(name)}):")
            self.needs = list(before)
            tasks = Unique()
            for step in thread.steps:
                self._step(level.id, thread.id, step, tasks)
            exits.extend(need for need in self.needs if need not in exits)
        if len(exits) > 1:
            variable = f"{group}_ended"
            self._line(2, f"{variable} = EmptyOperator(task_id={string(inside('ended'))})")
            self._edges(2, exits, variable)
            exits = [variable]
        self.needs = exits
        self.lines.append("")

    def _step(self, level: str, thread: str, step: Step, tasks: Unique) -> None:
        self.steps += 1
        variable, name = f"step_{self.steps}", tasks(task_id(step))
        values: dict[str, object] = {"task_id": name, "level": level, "thread": thread, "job_name": step.job_name}
        if step.operation is not None:
            operator = self._operation(step, task_for(step, step.operation, self.plan.target), values)
        elif step.kind == "workflows":
            operator = "PipelineStepOperator"
            values["target_dag_id"] = _id_of(step.executor)
            values["step_properties"] = dict(step.properties)
        else:
            operator = "ExecutorStepOperator"
            # Not `executor`: to Airflow that is the thing that runs tasks.
            values["function"] = step.executor
            if step.status_executor != step.executor:
                values["status_function"] = step.status_executor
        if step.kind == "sync":
            values["one_call"] = True
        elif step.operation is None:
            values["poll_interval"] = step.poll_interval
        if step.operation is None:
            values["timeout"] = step.timeout
        if step.kind != "workflows" and step.operation is None:
            values["step_properties"] = {
                "jobs_definitions_bucket": self.plan.target.jobs_definitions_bucket,
                **dict(step.properties),
            }
            if not self._common_retry:
                values["call_retry"] = _retry(step.retry)
        if step.job_retry is not None and step.operation is None:
            values["job_retry"] = _retry(step.job_retry)
        if step.parameters and step.operation is None:
            values["parameters"] = [[list(path), parameter] for path, parameter in step.parameters]
        if step.pool:
            values["pool"] = step.pool
        self._line(3, f"{variable} = {operator}(")
        for key, value in values.items():
            self._line(4, f"{key}={literal(value, 16, len(key) + 2)},")
        if step.operation is not None and step.job_retry is not None:
            self._retries(step.job_retry)
        self._line(4, f"execution_timeout=timedelta(seconds={_task_seconds(step)}),")
        self._line(3, ")")
        self._edges(3, self.needs, variable)
        if not step.continue_if_fail:
            self.needs = [variable]
            return
        ended = f"{variable}_ended"
        self._line(3, f'{ended} = EmptyOperator(task_id={string(tasks(f"{name}_ended"))}, trigger_rule="all_done")')
        self._edges(3, [variable], ended)
        # An earlier `…_ended` task is not needed beside this one, which waits for it through its step.
        self.needs = [need for need in self.needs if not _is_gate(need)] + [ended]

    def _operation(self, step: Step, task: Task, values: dict[str, object]) -> str:
        """The arguments of a step that an operator of a provider runs, and the operator."""
        # Operators of providers have a `job_name` of their own.
        values["step_name"] = values.pop("job_name")
        values |= task.arguments
        if task.values:
            values["values"] = [[list(path), name, *(["text"] if text else [])] for path, name, text in task.values]
        return task.operator

    def _retries(self, retry: Retry) -> None:
        """Airflow's own retries. It grows pauses by doubling them, or not at all."""
        self._line(4, f"retries={retry.max_retries},")
        self._line(4, f"retry_delay=timedelta(seconds={retry.initial_delay}),")
        if retry.multiplier > 1:
            self._line(4, "retry_exponential_backoff=True,")
            self._line(4, f"max_retry_delay=timedelta(seconds={max(retry.max_delay, 1)}),")

    def _edges(self, depth: int, upstream: list[str], downstream: str) -> None:
        if len(upstream) == 1:
            self._line(depth, f"{upstream[0]} >> {downstream}")
        elif upstream:
            self._line(depth, f"{literal_names(upstream, depth * 4)} >> {downstream}")

    def _line(self, depth: int, text: str) -> None:
        self.lines.append(f"{' ' * depth * 4}{text}")


def _is_gate(variable: str) -> bool:
    return variable.startswith("step_") and variable.endswith("_ended")


def literal_names(names: list[str], indent: int) -> str:
    """A list of variables, on one line where it fits."""
    flat = f"[{', '.join(names)}]"
    if indent + len(flat) <= 90:
        return flat
    pad = " " * (indent + 4)
    return "[\n" + "".join(f"{pad}{name},\n" for name in names) + " " * indent + "]"
