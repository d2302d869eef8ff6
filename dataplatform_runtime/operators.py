"""Airflow operators that compiled DAGs use.

`ExecutorStepOperator` runs one step over the executors' HTTP contract (see `protocol`). Its own retries repeat single
calls on transient answers, so a task needs none of Airflow's.

A second try of a task must not start the job a second time. What an earlier try has done is kept in an Airflow variable
named after the task instance: XCom would be the natural place, but Airflow clears a task's XComs before each try, on 2
as on 3. The variable is written before the start call (`starting`), completed with the job's id after it, and deleted
when the executor has said how the job ended. A try that finds an id polls that job instead of starting one. A try that
finds `starting` only cannot know whether the job runs; it fails with the name of the variable, which a person deletes
once they have looked. A job whose step timed out or whose task was killed goes on, for the contract has no call to stop
it, and clearing the task polls it further.

Deliberately absent: a deferrable form.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dataplatform_runtime.compat import (
    BaseOperator,
    delete_variable,
    fatal,
    get_variable,
    leave_params_to_the_dag,
    set_variable,
)
from dataplatform_runtime.protocol import (
    Retry,
    RunSpec,
    StartUncertainError,
    Step,
    StepFailedError,
    StepSpec,
    World,
    pauses,
)
from dataplatform_runtime.protocol import http_post as _http_post

__all__ = ["EmptyOperator", "ExecutorStepOperator"]


class EmptyOperator(BaseOperator):  # type: ignore[misc]
    """Airflow's operator of this name: a task that the scheduler marks as done and no worker runs.

    Airflow's own is in a provider that an Airflow 2 need not have and that every parse of a DAG would import anew.
    """

    template_fields = ()
    ui_color = "#e8f7e4"
    inherits_from_empty_operator = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        leave_params_to_the_dag(self)

    def execute(self, context: Mapping[str, Any]) -> None:
        """Nothing."""


class ExecutorStepOperator(BaseOperator):  # type: ignore[misc]
    """One step of a pipeline: starts its job and waits for the end of it.

    The job's id is the task's XCom `return_value`. Nothing is a template: a job may be called `{{ x }}`.

    Args:
        pipeline: Name of the pipeline, as messages and executors get it.
        level: Id of the level the step is in.
        thread: Id of the thread the step is in.
        job_name: Name of the job, and of its parameter file.
        function: Function that starts the job.
        status_function: Function that reports on it; `function` where left out.
        intermediate_url: URL of the intermediate function.
        poll_interval: Seconds before each status call.
        timeout: Seconds after which the step has failed.
        step_properties: What the executor gets beside the run's own properties.
        call_retry: `max_retries`, `initial_delay`, `max_delay`, `multiplier` of single calls.
        job_retry: The same of the whole job, which is run again when it has ended badly or was surely not started.
        one_call: Whether the function does the work in its one call; nothing is polled then.
        parameters: Where in the properties the value of a parameter of the run belongs, and which: path and name.
        parameter_types: Type of each parameter of the run.
        schedule_timezone: Time zone of the schedule; a scheduled run's dates are days there.
        kwargs: What every operator takes.
    """

    template_fields = ()
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        pipeline: str,
        level: str,
        thread: str,
        job_name: str,
        function: str,
        intermediate_url: str,
        timeout: int,
        poll_interval: int = 1,
        status_function: str | None = None,
        step_properties: Mapping[str, Any] | None = None,
        call_retry: Mapping[str, int] | None = None,
        job_retry: Mapping[str, int] | None = None,
        one_call: bool = False,
        parameters: Sequence[Sequence[Any]] = (),
        parameter_types: Mapping[str, str] | None = None,
        schedule_timezone: str = "UTC",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        leave_params_to_the_dag(self)
        self.pipeline = pipeline
        self.level = level
        self.thread = thread
        self.job_name = job_name
        self.function = function
        self.status_function = status_function or function
        self.intermediate_url = intermediate_url
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.step_properties = dict(step_properties or {})
        self.call_retry = dict(call_retry or {})
        self.job_retry = dict(job_retry or {})
        self.one_call = one_call
        self.parameters = [list(item) for item in parameters]
        self.parameter_types = dict(parameter_types or {})
        self.schedule_timezone = schedule_timezone
        self._job_id: str | None = None

    def execute(self, context: Mapping[str, Any]) -> str:
        """Start or adopt the job, and wait until it has succeeded; run it again where it may be."""
        memory = _Memory(context, self.job_name)
        run = _run_spec(context, self.pipeline, self.schedule_timezone)
        properties = filled(self.step_properties, self.parameters, self.parameter_types, context)
        for pause in [*(pauses(self.job_retry) if self.job_retry else []), None]:
            step = self._new_step(run, properties)
            try:
                return self._run_once(step, memory)
            except StepFailedError as error:
                if error.job_ended:
                    memory.forget()
                if pause is None or not error.job_ended:
                    raise
                self.log.warning("%s; the job is run again in %d seconds", error, pause)
                step.rest(pause)
        raise AssertionError("the last run of the job returns or raises")

    def _new_step(self, run: RunSpec, properties: Mapping[str, Any]) -> Step:
        spec = StepSpec(
            pipeline=self.pipeline,
            level=self.level,
            thread=self.thread,
            job_name=self.job_name,
            executor=self.function,
            status_executor=self.status_function,
            intermediate_url=self.intermediate_url,
            poll_interval=self.poll_interval,
            timeout=self.timeout,
            properties=properties,
            retry=Retry(**self.call_retry),
        )
        return Step(spec, run, World(post=_http_post(), say=self.log.info))

    def _run_once(self, step: Step, memory: _Memory) -> str:
        job_id = self._start_or_adopt(step, memory)
        if not self.one_call:
            step.wait(job_id)
        memory.forget()
        self.log.info("%s: job %s succeeded after %d polls", step.spec.place, job_id, step.polls)
        return job_id

    def _start_or_adopt(self, step: Step, memory: _Memory) -> str:
        earlier = memory.recall()
        if earlier is None:
            memory.keep(None)
            try:
                if self.one_call:
                    step.call_once()
                job_id = "" if self.one_call else step.start()
            except StartUncertainError as error:
                raise fatal(f"{error}; {memory.advice}") from error
            if not self.one_call:
                memory.keep(job_id)
                self.log.info("%s: started job %s", step.spec.place, job_id)
        elif earlier.get("async_job_id"):
            job_id = str(earlier["async_job_id"])
            self.log.info("%s: adopted job %s of an earlier try", step.spec.place, job_id)
        else:
            raise fatal(f"{step.spec.place}: an earlier try may have started the job; {memory.advice}")
        self._job_id = job_id
        return job_id

    def on_kill(self) -> None:
        """Say that the job goes on: the contract has no call to stop one."""
        if self._job_id:
            self.log.warning(
                "Killed while job %s of step %s was running; the job goes on, and the next try of this task polls it",
                self._job_id,
                self.job_name,
            )


class _Memory:
    """What earlier tries of a task instance have done, in an Airflow variable."""

    def __init__(self, context: Mapping[str, Any], job_name: str) -> None:
        instance = context["ti"]
        self._who = {
            "dag_id": str(instance.dag_id),
            "run_id": str(instance.run_id),
            "task_id": str(instance.task_id),
            "map_index": int(getattr(instance, "map_index", -1)),
            "job_name": job_name,
        }
        # A digest, for a variable's key may have 250 characters and the three ids may have 250 each.
        digest = hashlib.sha256(json.dumps(self._who, sort_keys=True).encode()).hexdigest()[:40]
        self.key = f"dataplatform_runtime.job.{digest}"

    @property
    def advice(self) -> str:
        return f"look whether it runs, then delete the Airflow variable {self.key} and clear the task to start it anew"

    def recall(self) -> dict[str, Any] | None:
        text = get_variable(self.key)
        found = json.loads(text) if text else None
        return found if isinstance(found, dict) else None

    def keep(self, job_id: str | None) -> None:
        set_variable(
            self.key,
            json.dumps({**self._who, "async_job_id": job_id}),
            "Job that a running task has started; deleted when it has ended",
        )

    def forget(self) -> None:
        delete_variable(self.key)


def filled(
    properties: Mapping[str, Any],
    places: Sequence[Sequence[Any]],
    types: Mapping[str, str],
    context: Mapping[str, Any],
) -> dict[str, Any]:
    """The properties with the values of the run's parameters, which may also come as `parameters` in the configuration.

    Raises:
        Exception: a value is not of its parameter's type, or there is no such parameter; the task is not tried again.
    """
    result = copy.deepcopy(dict(properties))
    params = context["params"]
    given = dict(params.get("parameters") or {})
    unknown = sorted(set(given) - set(types))
    if unknown:
        raise fatal(f"the pipeline has no parameter {unknown[0]}")
    values = {}
    for name, kind in types.items():
        values[name] = given[name] if given.get(name) is not None else params.get(name)
        if not _is_of(values[name], kind):
            raise fatal(f"the parameter {name} must be of the type {kind}")
    for path, name in places:
        below: Any = result
        for part in path[:-1]:
            below = below[part]
        below[path[-1]] = values[name]
    return result


def _is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "string":
        return isinstance(value, str)
    return kind in ("integer", "number") and isinstance(value, int if kind == "integer" else (int, float))


def _run_spec(context: Mapping[str, Any], pipeline: str, timezone: str = "UTC") -> RunSpec:
    """The run's values, from the DAG run's parameters.

    Dates are the day before the run began and the day it began (UTC) where none are given; of a scheduled run, those
    of the moment it was due, in the schedule's time zone. A run may also be given the argument that the compiled
    workflow takes, as its configuration.
    """
    run = context["dag_run"]
    params = context["params"]
    kind = getattr(run, "run_type", None)
    due = getattr(run, "logical_date", None)
    if due is not None and str(getattr(kind, "value", kind)) == "scheduled":
        began = due.astimezone(ZoneInfo(timezone))
    else:
        began = (run.start_date or due or datetime.now(UTC)).astimezone(UTC)
    given = dict(params.get("query_variables") or {})
    dates = {
        "start_date": params.get("start_date") or given.get("start_date") or f"{began - timedelta(days=1):%Y-%m-%d}",
        "end_date": params.get("end_date") or given.get("end_date") or f"{began:%Y-%m-%d}",
    }
    return RunSpec(
        workflow_name=str(params.get("workflow_name") or pipeline),
        execution_id=str(run.run_id),
        query_variables={**given, **dates},
        workflow_properties=params.get("workflow_properties") or {},
    )
