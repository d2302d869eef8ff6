"""The HTTP contract of executors: what is asked, and how it is answered.

An executor answers 200 whatever happens: a job's id or its state as text, or a JSON object with `error` and `message`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Answer = tuple[str, int, dict[str, str]]
"""Body, status and headers, as the functions framework takes them."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{4,15}(Z|[+-][0-9:]{4,6})?)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class Request(Protocol):
    """What of a request is read; the functions framework hands over Flask's."""

    def get_json(self, force: bool = False, silent: bool = False) -> Any:
        """The body as JSON data, None where it is none."""


class ExecutorError(Exception):
    """Raised when a job cannot be started or asked after, for a reason the caller is told."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an executor."""

    workflow: str
    job: str
    properties: Mapping[str, Any]
    """Of the run and the step; the step's win."""
    variables: Mapping[str, str]
    """Query variables of the run, dates among them, without quotes."""
    job_id: str | None
    """Of the job that is asked after; None where one is to be started."""

    def text(self, key: str, default: str | None = None) -> str:
        """A property that is text.

        Raises:
            ExecutorError: it is missing or something else.
        """
        value = self.properties.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise ExecutorError(f"the property {key} is missing" if value is None else f"the property {key} is no text")
        return value


def read_call(body: Any) -> Call:
    """A call out of the body of a request.

    Raises:
        ExecutorError: the body is none.
    """
    if not isinstance(body, dict):
        raise ExecutorError("the request's body is not a JSON object")
    workflow, job = body.get("workflow_name"), body.get("job_name")
    if not isinstance(workflow, str) or not isinstance(job, str) or not workflow or not job:
        raise ExecutorError("workflow_name and job_name are needed")
    properties = as_object(body.get("workflow_properties"), "workflow_properties")
    variables = as_object(body.get("query_variables"), "query_variables")
    job_id = body.get("job_id")
    return Call(
        workflow=workflow,
        job=job,
        properties=properties,
        variables={key: _value(key, value) for key, value in variables.items()},
        job_id=job_id if isinstance(job_id, str) and job_id else None,
    )


def as_object(value: Any, what: str) -> dict[str, Any]:
    """A JSON object, given as one or as its text; nothing is an empty one.

    Raises:
        ExecutorError: it is something else.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            raise ExecutorError(f"{what} is not JSON") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ExecutorError(f"{what} is not an object")
    return value


def _value(key: str, value: Any) -> str:
    """A query variable as text. The intermediate function puts dates in quotes: they once went into SQL as they are."""
    if not _NAME.fullmatch(key):
        raise ExecutorError("a query variable's name is letters, digits and '_'")
    text = value if isinstance(value, str) else json.dumps(value)
    quoted = len(text) > 1 and text[0] == text[-1] == "'"
    return text[1:-1] if quoted and _DATE.fullmatch(text[1:-1]) else text


def answered(work: Callable[[Call], str], name: str, request: Request) -> Answer:
    """Do an executor's work and answer as the contract wants it.

    Args:
        work: Starts the job and returns its id, or returns the state of the one that is asked after.
        name: Of the executor.
        request: As the functions framework hands it over.
    """
    try:
        call = read_call(request.get_json(force=True, silent=True))
        told = work(call)
    except ExecutorError as error:
        log("executor_error", name, str(error), severity="ERROR")
        return json.dumps({"error": "ExecutorError", "message": str(error)}), 200, {"Content-Type": "application/json"}
    event = "status" if call.job_id else "started"
    log(event, name, told, workflow=call.workflow, job=call.job)
    return told, 200, {"Content-Type": "text/plain; charset=utf-8"}


def log(event: str, executor: str, message: str, *, severity: str = "INFO", **more: str) -> None:
    """One line that Cloud Logging reads as a structured entry; the log-based metrics of the stack count these."""
    entry = {"severity": severity, "message": message, "event": event, "executor": executor, **more}
    sys.stdout.write(json.dumps(entry, sort_keys=True) + "\n")
    sys.stdout.flush()
