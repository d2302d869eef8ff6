"""Long-running operations: how far one is, and where it is asked for.

By https://cloud.google.com/workflows/docs/connectors ("Long-running operations") and the APIs' own resources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from localcloud.workflows.connectors import Method
from localcloud.workflows.failures import WorkflowError, failure
from localcloud.workflows.values import Value

_DATAFLOW_BAD = frozenset({"JOB_STATE_FAILED", "JOB_STATE_CANCELLED"})
_DATAFLOW_GOOD = frozenset({"JOB_STATE_DONE", "JOB_STATE_DRAINED", "JOB_STATE_UPDATED"})


@dataclass(frozen=True)
class Progress:
    """Where an operation stands; `url` is asked next while it runs, `message` says why it failed."""

    state: Literal["running", "done", "failed"]
    url: str = ""
    message: str = ""


def progress(method: Method, root: str, answer: Value) -> Progress:
    """The progress that a response shows. Raises a ResponseTypeError for a response that is none of an operation."""
    if not isinstance(answer, dict):
        raise _malformed(method)
    try:
        match method.service:
            case "bigquery.v2":
                return _bigquery(root, answer)
            case "dataflow.v1b3":
                return _dataflow(root, answer)
            case "run.v1" if method.name.endswith(".run"):
                return _run_execution(root, answer)
            case _:
                return _operation(method, root, answer)
    except (KeyError, TypeError, AttributeError):
        raise _malformed(method) from None


def _malformed(method: Method) -> WorkflowError:
    return failure("ResponseTypeError", f"{method.name}: the response is not that of a long-running operation")


def _operation(method: Method, root: str, body: dict[str, Any]) -> Progress:
    status = body.get("status")
    if isinstance(status, str):
        # Compute Engine, Cloud SQL and GKE have operations of their own.
        ended = status == "DONE"
        url = body.get("selfLink") or f"{root}/{method.path.split('/')[0]}/{body['name']}"
    else:
        ended = bool(body.get("done", False))
        version = "" if method.path.startswith("{") else method.path.split("/")[0] + "/"
        url = f"{root}/{version}{body['name']}"
    if not ended:
        return Progress("running", url)
    error = body.get("error")
    if error:
        message = error.get("message") or "; ".join(e.get("message", "") for e in error.get("errors", []))
        return Progress("failed", url, str(message))
    return Progress("done", url)


def _bigquery(root: str, job: dict[str, Any]) -> Progress:
    reference = job["jobReference"]
    location = f"?location={quote(reference['location'])}" if reference.get("location") else ""
    url = f"{root}/projects/{reference['projectId']}/jobs/{reference['jobId']}{location}"
    status = job["status"]
    if status["state"] != "DONE":
        return Progress("running", url)
    if status.get("errorResult"):
        return Progress("failed", url, str(status["errorResult"].get("message", "")))
    return Progress("done", url)


def _dataflow(root: str, body: dict[str, Any]) -> Progress:
    job = body.get("job", body)
    url = f"{root}/v1b3/projects/{job['projectId']}/locations/{job['location']}/jobs/{job['id']}"
    state = job.get("currentState", "JOB_STATE_PENDING")
    if state in _DATAFLOW_BAD:
        return Progress("failed", url, f"the job ended as {state}")
    return Progress("done" if state in _DATAFLOW_GOOD else "running", url)


def _run_execution(root: str, body: dict[str, Any]) -> Progress:
    meta = body["metadata"]
    url = f"{root}/apis/run.googleapis.com/v1/namespaces/{meta['namespace']}/executions/{meta['name']}"
    completed = [c for c in body.get("status", {}).get("conditions", []) if c.get("type") == "Completed"]
    status = completed[0].get("status") if completed else "Unknown"
    if status == "False":
        return Progress("failed", url, str(completed[0].get("message", "the execution failed")))
    return Progress("done" if status == "True" else "running", url)
