"""What operators of Airflow's providers lack to mean what a step means: one base for the subclasses beside this module.

A second try of a task must not start a job that may be running. What an earlier try has done is kept in an Airflow
variable named after the task instance, as for executors' jobs: a token is written before the start, and the variable is
deleted when the job has surely ended or was surely not started. A service that lets its caller name a job is given the
token for its name, and starting again adopts the job. Another's job is adopted by the id it answered the start with; a
try that finds a start of which no id is known fails, and says what to look for.

A task is tried again (RETRIES) only where the job has surely ended or was surely not started. After its timeout
(`execution_timeout`), a question that had no answer, or an error that says neither, it fails for good. A job whose step
timed out is cancelled where the operator can do that, and goes on where it cannot.

Nothing is a template: what a user wrote stays what they wrote. Values of the run are put in when the task runs.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from dataplatform_runtime.compat import BaseOperator, execute_of, failed, fatal, leave_params_to_the_dag, timeout_error
from dataplatform_runtime.operators import _Memory, _run_spec, filled

__all__ = ["ServiceStep"]

_RUN = "run:"


class ServiceStep(BaseOperator):  # type: ignore[misc]
    """Base of the operators of steps that a service runs; the provider's operator is the other base.

    Args:
        pipeline: Name of the pipeline, as messages have it.
        level: Id of the level the step is in.
        thread: Id of the thread the step is in.
        step_name: Name of the step.
        values: Where in the operator's own attributes a value of the run belongs, and which: path (the attribute
            first), name, and "text" where the service takes it as text.
        parameter_types: Type of each parameter of the run.
        schedule_timezone: Time zone of the schedule; a scheduled run's dates are days there.
        kwargs: What the provider's operator takes.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    names_its_jobs = False
    """Whether the service lets its caller name a job, so that starting it a second time finds the first."""

    def __init__(
        self,
        *,
        pipeline: str,
        level: str,
        thread: str,
        step_name: str,
        values: Sequence[Sequence[Any]] = (),
        parameter_types: Mapping[str, str] | None = None,
        schedule_timezone: str = "UTC",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        leave_params_to_the_dag(self)
        self.pipeline = pipeline
        self.level = level
        self.thread = thread
        self.step_name = step_name
        self.values = [list(item) for item in values]
        self.parameter_types = dict(parameter_types or {})
        self.schedule_timezone = schedule_timezone
        self._memory: _Memory | None = None

    @property
    def place(self) -> str:
        """How a message names this step."""
        return f"pipeline {self.pipeline}, level {self.level}, thread {self.thread}, step {self.step_name}"

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Start or adopt the job, and wait for it or defer."""
        memory = self._begin(context)
        earlier = memory.recall()
        job = str(earlier["async_job_id"]) if earlier and earlier.get("async_job_id") else None
        if earlier is not None and job is None:
            raise fatal(f"{self.place}: an earlier try may have started the job; {memory.advice}")
        adopted = job is not None
        if adopted:
            self.log.info("%s: adopting job %s of an earlier try", self.place, job)
        else:
            job = f"dp-{uuid.uuid4().hex}" if self.names_its_jobs else None
            memory.keep(job)
        return self._judged(lambda: self.run_job(context, job, adopted=adopted))

    def resume_execution(self, next_method: str, next_kwargs: Any, context: Mapping[str, Any]) -> Any:
        """Hear from the triggerer how the job ended."""
        self._begin(context)
        resume: Callable[..., Any] = super().resume_execution
        return self._judged(lambda: resume(next_method, next_kwargs, context))

    def defer(self, *, timeout: timedelta | float | None = None, **kwargs: Any) -> None:
        """Wait in the triggerer, and no longer than the task may take: Airflow 3 asks no task for that."""
        wait: Callable[..., Any] = super().defer
        wait(timeout=timeout if timeout is not None else self.execution_timeout, **kwargs)

    def run_job(self, context: Mapping[str, Any], job: str | None, *, adopted: bool) -> Any:
        """Run the job as the provider's operator does.

        Args:
            context: The task's.
            job: Name that the job is to have, or id of the one that is adopted; None where neither is known.
            adopted: Whether an earlier try has started it.
        """
        mine = type(self).__mro__
        provider = next(base for base in mine[mine.index(ServiceStep) + 1 :] if "execute" in vars(base))
        return execute_of(provider, self)(context)

    def remember(self, job: str) -> None:
        """Keep the id of the job that was started, for the next try of the task."""
        assert self._memory is not None
        self._memory.keep(job)

    def has_ended(self, error: Exception) -> bool:
        """Whether an error says that the job has ended, or was not started."""
        if isinstance(error, type(failed(""))):
            # What operators raise of their jobs. The triggerer's word is not the service's.
            return not type(error).__name__.startswith("TaskDeferral")
        status = status_of(error)
        return status is not None and 400 <= status < 500 and status not in (408, 409, 429)

    def was_cancelled(self) -> bool:
        """Whether `on_kill` has ended the job."""
        return False

    def _begin(self, context: Mapping[str, Any]) -> _Memory:
        self._memory = _Memory(context, self.step_name)
        run = _run_spec(context, self.pipeline, self.schedule_timezone)
        dates = {name: run.query_variables[name] for name in ("start_date", "end_date")}
        known = {**dates, "id": run.execution_id}
        own = {item[0][0]: getattr(self, item[0][0]) for item in self.values}
        parameters = [item[:2] for item in self.values if not item[1].startswith(_RUN)]
        own = filled(own, parameters, self.parameter_types, context)
        for path, name, *text in self.values:
            below: Any = own
            for part in path[:-1]:
                below = below[part]
            if name.startswith(_RUN):
                below[path[-1]] = known[name.removeprefix(_RUN)]
            elif text and not isinstance(below[path[-1]], str):
                below[path[-1]] = json.dumps(below[path[-1]])
        for name, value in own.items():
            setattr(self, name, value)
        return self._memory

    def _judged(self, call: Callable[[], Any]) -> Any:
        """What a call returns; its error, said of this step, and for good where the job may be running."""
        memory = self._memory
        assert memory is not None
        late = timeout_error()
        try:
            result = call()
        except late as error:
            with contextlib.suppress(Exception):
                self.on_kill()
                if self.was_cancelled():
                    memory.forget()
            seconds = int(self.execution_timeout.total_seconds())
            raise fatal(f"{self.place}: no success within {seconds} seconds") from error
        except Exception as error:
            if type(error).__name__ == "AirflowFailException":
                raise
            if not self.has_ended(error):
                raise fatal(f"{self.place}: {error}; the job may be running, so it is not run again") from error
            memory.forget()
            raise failed(f"{self.place}: {error}") from error
        memory.forget()
        return result


def status_of(error: BaseException) -> int | None:
    """The HTTP status of an error of one of the clients' libraries, or None where it has none."""
    for holder in (error, getattr(error, "response", None), getattr(error, "resp", None)):
        for name in ("code", "status_code", "status"):
            value = getattr(holder, name, None)
            if isinstance(value, int):
                return int(value)
    return None
