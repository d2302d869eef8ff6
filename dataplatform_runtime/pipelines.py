"""The operator of a step that runs another pipeline: its DAG is triggered and waited for.

Like a step of an executor it has a timeout of its own, pauses before each look at the run, and adopts the run that an
earlier try of the task has triggered. A run whose step timed out goes on.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from dataplatform_runtime.compat import BaseOperator, leave_params_to_the_dag, run_state, trigger_run
from dataplatform_runtime.operators import _Memory, _run_spec, filled
from dataplatform_runtime.protocol import (
    EMULATOR_VARIABLE,
    TIME_SCALE_VARIABLE,
    Reply,
    StepFailedError,
    World,
    pauses,
)

__all__ = ["PipelineStepOperator"]


class PipelineStepOperator(BaseOperator):  # type: ignore[misc]
    """One step of a pipeline that runs another pipeline. The run's id is the task's XCom `return_value`.

    Args:
        pipeline: Name of the pipeline the step is of, as messages have it.
        level: Id of the level the step is in.
        thread: Id of the thread the step is in.
        job_name: Name of the step.
        target_dag_id: The DAG to run.
        poll_interval: Seconds before each look at the run.
        timeout: Seconds after which the step has failed.
        step_properties: What the other pipeline's executors get, over what this run's get.
        job_retry: `max_retries`, `initial_delay`, `max_delay`, `multiplier` of whole runs that have failed.
        parameters: Where in the properties the value of a parameter of the run belongs, and which: path and name.
        parameter_types: Type of each parameter of the run.
        schedule_timezone: Time zone of the schedule; a scheduled run's dates are days there.
        kwargs: What every operator takes.
    """

    template_fields = ()
    ui_color = "#ede7f6"

    def __init__(
        self,
        *,
        pipeline: str,
        level: str,
        thread: str,
        job_name: str,
        target_dag_id: str,
        poll_interval: int,
        timeout: int,
        step_properties: Mapping[str, Any] | None = None,
        job_retry: Mapping[str, int] | None = None,
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
        self.target_dag_id = target_dag_id
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.step_properties = dict(step_properties or {})
        self.job_retry = dict(job_retry or {})
        self.parameters = [list(item) for item in parameters]
        self.parameter_types = dict(parameter_types or {})
        self.schedule_timezone = schedule_timezone

    @property
    def place(self) -> str:
        """How a message names this step."""
        return f"pipeline {self.pipeline}, level {self.level}, thread {self.thread}, step {self.job_name}"

    def execute(self, context: Mapping[str, Any]) -> str:
        """Trigger or adopt the run, and wait until it has succeeded; run it again where that is asked for."""
        memory = _Memory(context, self.job_name)
        conf = self._conf(context)
        scale = float(os.environ.get(TIME_SCALE_VARIABLE, "1")) if os.environ.get(EMULATOR_VARIABLE) else 1.0
        world = World(post=_no_post, say=self.log.info)
        for pause in [*(pauses(self.job_retry) if self.job_retry else []), None]:
            earlier = memory.recall()
            run_id = str(earlier["async_job_id"]) if earlier else f"step__{uuid.uuid4().hex}"
            memory.keep(run_id)
            try:
                self._run_once(context, run_id, conf, world, scale)
            except StepFailedError as error:
                if error.job_ended:
                    memory.forget()
                if pause is None or not error.job_ended:
                    raise
                self.log.warning("%s; the pipeline is run again in %d seconds", error, pause)
                world.sleep(pause * scale)
            else:
                memory.forget()
                return run_id
        raise AssertionError("the last run of the pipeline returns or raises")

    def _conf(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """The argument of the other pipeline's run."""
        run = _run_spec(context, self.pipeline, self.schedule_timezone)
        own = filled(self.step_properties, self.parameters, self.parameter_types, context)
        handed = run.workflow_properties
        handed = json.loads(handed) if isinstance(handed, str) else handed
        return {"query_variables": dict(run.query_variables), "workflow_properties": {**handed, **own}}

    def _run_once(
        self, context: Mapping[str, Any], run_id: str, conf: dict[str, Any], world: World, scale: float
    ) -> None:
        began, waited = world.clock(), 0
        try:
            trigger_run(self.target_dag_id, run_id, conf)
        except Exception as error:
            raise StepFailedError(f"{self.place}: the start call failed: {error}", job_ended=True) from error
        self.log.info("%s: run %s of %s was triggered", self.place, run_id, self.target_dag_id)
        while True:
            elapsed = max(waited, int(world.clock() - began))
            pause = max(min(self.poll_interval, self.timeout - elapsed), 0)
            waited += pause
            world.sleep(pause * scale)
            state = run_state(context, self.target_dag_id, run_id)
            if state == "success":
                return
            if state not in ("queued", "running"):
                raise StepFailedError(f"{self.place}: the pipeline ended as {state}", job_ended=True)
            if max(waited, int(world.clock() - began)) >= self.timeout:
                raise StepFailedError(
                    f"{self.place}: no success within {self.timeout} seconds: job {run_id} was still running",
                    job_ended=False,
                )


def _no_post(url: str, body: Mapping[str, Any], timeout: float) -> Reply:
    raise AssertionError("a pipeline is run by Airflow itself, without a call of a function")
