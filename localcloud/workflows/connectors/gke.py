"""The Kubernetes API connector, `gke.*`.

By https://cloud.google.com/workflows/docs/reference/connectors/gke/Overview and its pages: the cluster is looked up
with the Kubernetes Engine API, and the request goes to the endpoint of its control plane. Both need routes here, for
`https://container.googleapis.com` and for `https://` and the endpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.workflows import web
from localcloud.workflows.connectors.calls import Caller, Parameters, parameters
from localcloud.workflows.failures import WorkflowError, failure, type_error, value_error
from localcloud.workflows.frames import Fiber
from localcloud.workflows.values import Value, type_name

if TYPE_CHECKING:
    from localcloud.workflows.machine import Machine

Deliver = Callable[[Value], None]


def perform_gke(machine: Machine, fiber: Fiber, name: str, given: dict[str, Value], deliver: Deliver) -> None:
    """Begin a call; its value goes to `deliver`. Raises WorkflowError."""
    awaiting = name == "gke.await_job"
    waits = {k: given[k] for k in ("timeout", "polling_policy") if given.get(k) is not None} if awaiting else {}
    caller = Caller(machine, fiber, name, parameters(waits) if awaiting else Parameters())
    project, location, cluster = (
        _text(key, given.get(key) or default)
        for key, default in (
            ("project", machine.context.project),
            ("location", machine.context.location),
            ("cluster_id", None),
        )
    )
    address = f"https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{quote(cluster)}"

    def known(answer: Value) -> None:
        found = answer if isinstance(answer, dict) else {}
        if found.get("status") != "RUNNING":
            raise value_error(f"cluster '{cluster}' is not RUNNING; its status: {found.get('status')}")
        _act(caller, f"https://{found.get('endpoint')}", given, deliver)

    caller.send("GET", address, None, known)


def _act(caller: Caller, root: str, given: dict[str, Value], deliver: Deliver) -> None:
    if caller.name == "gke.request":
        path = _text("path", given.get("path"))
        url = f"{root}/{path.removeprefix('/')}"
        _ask(caller, _text("method", given.get("method")), url, given, given.get("body"), deliver)
        return
    jobs = f"{root}/apis/batch/v1/namespaces/{quote(_text('namespace', given.get('namespace') or 'default'))}/jobs"
    if caller.name == "gke.create_job":
        job = given.get("job")
        if not isinstance(job, dict):
            raise type_error(f"job must be a map; got: {type_name(job)}")
        _ask(caller, "POST", jobs, given, job, lambda r: deliver(r["body"]))
        return
    url = f"{jobs}/{quote(_text('job_name', given.get('job_name')))}"
    if caller.name == "gke.delete_job":
        _ask(caller, "DELETE", url, given, None, lambda r: deliver(r["body"]))
    else:
        _await(caller, url, given, deliver, 0)


def _await(caller: Caller, url: str, given: dict[str, Value], deliver: Deliver, polls: int) -> None:
    def seen(response: Value) -> None:
        job = response["body"]
        states = _conditions(job)
        if "Complete" in states:
            deliver(job)
        elif "Failed" in states:
            raise WorkflowError({"message": f"job failed: {states['Failed']}", "tags": ["FailedJobError"], "job": job})
        else:
            caller.later(polls, lambda: _await(caller, url, given, deliver, polls + 1))

    _ask(caller, "GET", url, {"query": given.get("query")}, None, seen)


def _conditions(job: Value) -> dict[str, str]:
    """The conditions of a job that hold, with their messages."""
    status = job.get("status") if isinstance(job, dict) else None
    conditions = status.get("conditions") if isinstance(status, dict) else None
    if not isinstance(job, dict) or not isinstance(conditions, list | None):
        raise failure("ResponseTypeError", "the response is not a Kubernetes Job")
    return {str(c.get("type")): str(c.get("message", "")) for c in conditions or [] if c.get("status") == "True"}


def _ask(caller: Caller, verb: str, url: str, given: dict[str, Value], body: Value, then: Deliver) -> None:
    request: dict[str, Value] = {"method": verb, "url": url, "auth": {"type": "OAuth2"}}
    request |= {k: given[k] for k in ("timeout", "headers", "query") if given.get(k) is not None}
    if body is not None:
        request["body"] = body
    context = caller.machine.context
    prepared = web.prepare("http.request", request, context.routes, context.service_account)
    caller.machine.exchange(caller.fiber, prepared, then)


def _text(name: str, value: Value) -> str:
    if not isinstance(value, str):
        raise type_error(f"{name} must be a string; got: {type_name(value)}")
    return value
