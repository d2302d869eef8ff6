"""The Kubernetes API connector, by https://cloud.google.com/workflows/docs/reference/connectors/gke/Overview."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.workflows.check import check_source
from localcloud.workflows.clock import Answer, VirtualClock
from localcloud.workflows.local import run
from localcloud.workflows.web import Request

ROUTES = {
    "https://container.googleapis.com": "http://127.0.0.1:1/container",
    "https://10.0.0.9": "http://127.0.0.1:1/plane",
}
CLUSTER = "container/v1/projects/p/locations/eu/clusters/c"
JOBS = "plane/apis/batch/v1/namespaces/default/jobs"
WHERE = "cluster_id: c, project: p, location: eu"


class Plane:
    """Scripted answers of the Kubernetes Engine API and of a control plane."""

    def __init__(self, *answers: Any, status: str = "RUNNING") -> None:
        self.answers = list(answers)
        self.status = status
        self.asked: list[str] = []
        self.bodies: list[Any] = []
        self.clock = VirtualClock()

    def __call__(self, request: Request) -> Answer:
        """What the request is answered with."""
        path = request.url.removeprefix("http://127.0.0.1:1/")
        assert request.headers["Authorization"].startswith("Bearer ya29.")
        if path.startswith("container/"):
            self.asked.append(path)
            return self.json({"status": self.status, "endpoint": "10.0.0.9"})
        self.asked.append(f"{request.method} {path}")
        self.bodies.append(json.loads(request.body) if request.body else None)
        return self.json(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    @staticmethod
    def json(answer: Any) -> Answer:
        """An answer of JSON."""
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return Answer(status=status, text=json.dumps(body), content_type="application/json")

    def run(self, function: str, args: str) -> Any:
        """The value of a call, or its error map."""
        source = f"- a: {{call: {function}, args: {{{args}}}, result: r}}\n- b: {{return: '${{r}}'}}"
        execution = run(None, source, None, routes=ROUTES, clock=self.clock, responder=self)
        if execution["state"] == "SUCCEEDED":
            return json.loads(execution["result"])
        return json.loads(execution["error"]["payload"])


def job(kind: str | None = None, message: str = "") -> dict[str, Any]:
    conditions = [{"type": "Suspended", "status": "False"}]
    if kind is not None:
        conditions.append({"type": kind, "status": "True", "message": message})
    return {"kind": "Job", "metadata": {"name": "count"}, "status": {"conditions": conditions}}


def test_a_request_gives_the_response() -> None:
    plane = Plane({"items": []})
    found = plane.run("gke.request", f"{WHERE}, method: GET, path: /api/v1/pods, query: {{limit: 3}}, timeout: 60")
    assert found == {"body": {"items": []}, "code": 200, "headers": {"Content-Type": "application/json"}}
    assert plane.asked == [CLUSTER, "GET plane/api/v1/pods?limit=3"]


def test_a_job_is_created_waited_for_and_deleted() -> None:
    plane = Plane(job())
    assert plane.run("gke.create_job", f"{WHERE}, job: {{kind: Job, metadata: {{name: count}}}}") == job()
    assert plane.asked == [CLUSTER, f"POST {JOBS}"]
    assert plane.bodies == [{"kind": "Job", "metadata": {"name": "count"}}]
    plane = Plane({"kind": "Job"}, job(), job("Complete"))
    assert plane.run("gke.await_job", f"{WHERE}, job_name: count, timeout: 90") == job("Complete")
    assert plane.asked == [CLUSTER, *[f"GET {JOBS}/count"] * 3]
    assert plane.clock.now == 2.25
    plane = Plane({"status": "Success"})
    args = f"{WHERE}, job_name: count, namespace: other, query: {{propagationPolicy: Foreground}}"
    assert plane.run("gke.delete_job", args) == {"status": "Success"}
    assert plane.asked[1] == "DELETE plane/apis/batch/v1/namespaces/other/jobs/count?propagationPolicy=Foreground"


def test_a_failed_job_is_an_error_with_the_job() -> None:
    error = Plane(job("Failed", "BackoffLimitExceeded")).run("gke.await_job", f"{WHERE}, job_name: count")
    assert error["tags"] == ["FailedJobError"]
    assert error["job"] == job("Failed", "BackoffLimitExceeded")
    assert "BackoffLimitExceeded" in error["message"]


@pytest.mark.parametrize(
    ("plane", "function", "args", "tag"),
    [
        (Plane({}, status="STOPPING"), "gke.request", "method: GET, path: /", "ValueError"),
        (Plane({}), "gke.request", "method: GET, path: 5", "TypeError"),
        (Plane({}), "gke.request", "method: FETCH, path: /", "ValueError"),
        (Plane({}), "gke.request", "method: GET, path: /, timeout: 1801", "ValueError"),
        (Plane({}), "gke.create_job", "job: text", "TypeError"),
        (Plane([]), "gke.await_job", "job_name: n", "ResponseTypeError"),
        (Plane(job()), "gke.await_job", "job_name: n, timeout: 30", "TimeoutError"),
        (Plane(job()), "gke.await_job", "job_name: n, timeout: 31536001", "ValueError"),
        (Plane(job()), "gke.await_job", "job_name: n, polling_policy: {delay: 1}", "ValueError"),
        (Plane((404, {})), "gke.delete_job", "job_name: n", "HttpError"),
    ],
)
def test_what_a_call_fails_with(plane: Plane, function: str, args: str, tag: str) -> None:
    assert plane.run(function, f"{WHERE}, {args}")["tags"] == [tag]


def test_a_cluster_without_a_route_cannot_be_reached() -> None:
    source = "- a: {call: gke.request, args: {cluster_id: c, method: GET, path: /}}"
    execution = run(None, source, None, clock=VirtualClock(), responder=Plane({}))
    error = json.loads(execution["error"]["payload"])
    assert error["tags"] == ["ConnectionError"]
    assert "it needs a route for https://container.googleapis.com" in error["message"]


def test_arguments_are_checked_at_deploy() -> None:
    assert "argument 'cluster_id' is missing" in check_source("- a: {call: gke.await_job, args: {job_name: j}}")[0]
    assert "no parameter 'cluster'" in check_source("- a: {call: gke.request, args: {cluster: c}}")[0]
