"""The one place that knows where Airflow 2 and Airflow 3 keep the same things.

Airflow 3 is tried first: its old places still answer there, with deprecation warnings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

try:
    from airflow.sdk import BaseOperator
except ImportError:
    from airflow.models.baseoperator import BaseOperator

__all__ = [
    "BaseOperator",
    "delete_variable",
    "execute_of",
    "failed",
    "fatal",
    "get_variable",
    "leave_params_to_the_dag",
    "run_state",
    "set_variable",
    "sleep_trigger",
    "timeout_error",
    "trigger_run",
]


def leave_params_to_the_dag(operator: Any) -> None:
    """Take the DAG's params off a task, which has a copy of them from its construction.

    A run's tasks get the DAG's params anyway. To serialise the copies, Airflow validates each of them twice for every
    task: 15 ms of processor time at each parse of a DAG of 12 tasks and 3 params, on 2.11 as on 3.2.
    """
    if getattr(operator, "params", None):
        operator.params = type(operator.params)()


def execute_of(provider: Any, operator: Any) -> Any:
    """What another class's `execute` does, for an operator that does more around it.

    Airflow takes a call of it for a task inside of a task, and warns: the check is on the method, and is passed by.
    """
    method = provider.execute
    return getattr(method, "__wrapped__", method).__get__(operator)


def _variable() -> Any:
    try:
        from airflow.sdk import Variable
    except ImportError:
        from airflow.models.variable import Variable
    return Variable


def get_variable(key: str) -> str | None:
    """The text of an Airflow variable, or None where there is none of that name."""
    variable = _variable()
    if variable.__module__.startswith("airflow.sdk"):
        found = variable.get(key, default=None)
    else:
        found = variable.get(key, default_var=None)
    return None if found is None else str(found)


def set_variable(key: str, text: str, description: str) -> None:
    """Write an Airflow variable.

    Raises:
        RuntimeError: it was not stored. Airflow 3 logs that and goes on, which here would lose a job's id.
    """
    _variable().set(key, text, description=description)
    if get_variable(key) != text:
        raise RuntimeError(f"the Airflow variable {key} could not be written")


def delete_variable(key: str) -> None:
    """Delete an Airflow variable; nothing happens where there is none."""
    _variable().delete(key)


def trigger_run(dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
    """Make a run of a DAG; nothing happens where it has one of that id.

    Raises:
        Exception: it was not made, for one because there is no such DAG.
    """
    try:
        from airflow.sdk.execution_time import comms, task_runner
    except ImportError:
        from airflow.api.common.trigger_dag import trigger_dag
        from airflow.exceptions import DagRunAlreadyExists

        with contextlib.suppress(DagRunAlreadyExists):
            trigger_dag(dag_id=dag_id, run_id=run_id, conf=conf, replace_microseconds=False)
        return
    # What Airflow's own TriggerDagRunOperator has the task runner send, which then also does the waiting, for ever.
    answer: Any = task_runner.SUPERVISOR_COMMS.send(comms.TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=conf))
    problem = getattr(answer, "error", None)
    if problem is not None and str(getattr(problem, "value", problem)) != "DAGRUN_ALREADY_EXISTS":
        raise RuntimeError(f"{dag_id} cannot be run: {problem} {getattr(answer, 'detail', '')}")


def run_state(context: Mapping[str, Any], dag_id: str, run_id: str) -> str:
    """The state of a DAG's run: `queued`, `running`, `success` or `failed`."""
    instance: Any = context["ti"]
    if hasattr(instance, "get_dagrun_state"):
        found = instance.get_dagrun_state(dag_id=dag_id, run_id=run_id)
        return str(getattr(found, "value", found))
    from airflow.models.dagrun import DagRun

    runs = DagRun.find(dag_id=dag_id, run_id=run_id)
    if not runs:
        raise RuntimeError(f"{dag_id} has no run {run_id}")
    return str(getattr(runs[0].state, "value", runs[0].state))


def failed(message: str) -> Exception:
    """An exception after which Airflow may try the task again."""
    try:
        from airflow.sdk.exceptions import AirflowException
    except ImportError:
        from airflow.exceptions import AirflowException
    error: Exception = AirflowException(message)
    return error


def sleep_trigger(seconds: float) -> Any:
    """A trigger of Airflow's own that wakes a deferred task after so many seconds."""
    try:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger
    except ImportError:
        from airflow.triggers.temporal import DateTimeTrigger
    return DateTimeTrigger(datetime.now(UTC) + timedelta(seconds=seconds))


def timeout_error() -> type[BaseException]:
    """What is raised in a task whose `execution_timeout` has passed. On both it is no `Exception`."""
    try:
        from airflow.sdk.exceptions import AirflowTaskTimeout
    except ImportError:
        from airflow.exceptions import AirflowTaskTimeout
    found: type[BaseException] = AirflowTaskTimeout
    return found


def fatal(message: str) -> Exception:
    """An exception after which Airflow does not try the task again."""
    try:
        from airflow.sdk.exceptions import AirflowFailException
    except ImportError:
        from airflow.exceptions import AirflowFailException
    error: Exception = AirflowFailException(message)
    return error
