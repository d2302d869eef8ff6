"""The one place that knows where Airflow 2 and Airflow 3 keep the same things.

Airflow 3 is tried first: its old places still answer there, with deprecation warnings.
"""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import BaseOperator
except ImportError:
    from airflow.models.baseoperator import BaseOperator

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:
    from airflow.operators.empty import EmptyOperator

__all__ = ["BaseOperator", "EmptyOperator", "delete_variable", "fatal", "get_variable", "set_variable"]


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


def fatal(message: str) -> Exception:
    """An exception after which Airflow does not try the task again."""
    try:
        from airflow.sdk.exceptions import AirflowFailException
    except ImportError:
        from airflow.exceptions import AirflowFailException
    error: Exception = AirflowFailException(message)
    return error
