"""Stand-ins for the REST APIs of services whose jobs Airflow's operators run, on one HTTP server.

Each has the calls that the provider's operator makes, with answers of the form that the service's reference gives. How
a job behaves is in its name: it succeeds after a poll, or it has `fails`, `fails_once`, `never`, `refused` or `late` in
it. Deliberately absent: everything else of the APIs.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass
class Job:
    """A job that was started."""

    id: str
    service: str
    name: str
    asked: Any
    polls: int = 0
    cancelled: bool = False
    number: int = 1
    """Which of the jobs of its name it is."""

    def state(self) -> str:
        """`running`, `success` or `failed`; each question brings the end nearer."""
        self.polls += 1
        if self.cancelled:
            return "failed"
        if "never" in self.name or self.polls < 2:
            return "running"
        fails = "fails_once" in self.name and self.number == 1
        return "failed" if fails or ("fails" in self.name and "once" not in self.name) else "success"


@dataclass
class Services:
    """Everything that was asked, and the jobs."""

    url: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    ours: dict[str, Job] = field(default_factory=dict)
    """Jobs of BigQuery that earlier tries have started, by how their ids begin."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, name: str) -> list[Job]:
        """The jobs of a name, in the order they were started."""
        return [job for job in self.jobs.values() if job.name == name]

    def begin(self, service: str, name: str, asked: Any, wanted: str | None = None) -> Job:
        """Start a job."""
        number = len(self.of(name)) + 1
        job = Job(wanted or f"{service}-{name}-{number}", service, name, asked, number=number)
        self.jobs[job.id] = job
        return job

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """The answer to a call."""
        for pattern, handle in _ROUTES:
            match = re.fullmatch(pattern, f"{method} {path.partition('?')[0]}")
            if match is not None:
                found: tuple[int, Any] = handle(self, [unquote(part) for part in match.groups()], body)
                return found
        return 501, {"error": {"code": 501, "message": f"nothing answers {method} {path}"}}


def _missing(what: str) -> tuple[int, Any]:
    return 404, {"error": {"code": 404, "message": f"Not found: {what}", "errors": [{"reason": "notFound"}]}}


def _bigquery_job(job: Job, state: str) -> Any:
    status: dict[str, Any] = {"state": "RUNNING" if state == "running" else "DONE"}
    if state == "failed":
        status["errorResult"] = {"reason": "invalidQuery", "message": "the query is wrong"}
        status["errors"] = [status["errorResult"]]
    return {
        "kind": "bigquery#job",
        "id": f"p:EU.{job.id}",
        "jobReference": {"projectId": "p", "location": "EU", "jobId": job.id},
        "configuration": job.asked["configuration"],
        "status": status,
        "statistics": {"query": {"statementType": "INSERT"}},
    }


def _bigquery_insert(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    wanted = body["jobReference"]["jobId"]
    name = re.search(r"-- (\S+)", body["configuration"]["query"]["query"])
    assert name is not None
    if "refused" in name[1]:
        return 400, {"error": {"code": 400, "message": "the query is refused", "errors": [{"reason": "invalid"}]}}
    known = next((job for prefix, job in services.ours.items() if wanted.startswith(prefix)), None)
    if known is not None:
        known.id, known.asked = wanted, body
        services.jobs.setdefault(wanted, known)
    if wanted in services.jobs:
        return 409, {"error": {"code": 409, "message": "Already Exists", "errors": [{"reason": "duplicate"}]}}
    return 200, _bigquery_job(services.begin("bigquery", name[1], body, wanted), "running")


def _bigquery_get(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    job = services.jobs.get(parts[1])
    return (200, _bigquery_job(job, job.state())) if job else _missing(parts[1])


def _bigquery_results(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    job = services.jobs[parts[1]]
    if job.state() == "failed":
        return 400, {"error": {"code": 400, "message": "the query is wrong", "errors": [{"reason": "invalidQuery"}]}}
    return 200, {"jobReference": {"projectId": "p", "jobId": job.id}, "jobComplete": job.polls > 2, "totalRows": "0"}


def _bigquery_cancel(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    services.jobs[parts[1]].cancelled = True
    return 200, {"kind": "bigquery#jobCancelResponse", "job": _bigquery_job(services.jobs[parts[1]], "running")}


def _run_start(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    job = services.begin("run", parts[2], body)
    return 200, _operation(job, done=False, parts=parts)


def _operation(job: Job, *, done: bool, parts: list[str], failed: bool = False) -> Any:
    home = f"projects/{parts[0]}/locations/{parts[1]}"
    execution = {
        "@type": "type.googleapis.com/google.cloud.run.v2.Execution",
        "name": f"{home}/jobs/{job.name}/executions/{job.id}",
        "job": job.name,
        "taskCount": 1,
        "succeededCount": 0 if failed else 1,
        "failedCount": 1 if failed else 0,
        "logUri": "https://example.com/log",
    }
    found: dict[str, Any] = {"name": f"{home}/operations/{job.id}", "metadata": execution, "done": done}
    if done:
        found |= {"error": {"code": 10, "message": "the task failed"}} if failed else {"response": execution}
    return found


def _run_poll(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    job = services.jobs[parts[2]]
    state = job.state()
    return 200, _operation(job, done=state != "running", parts=parts, failed=state == "failed")


def _run_job(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    return 200, {"name": f"projects/{parts[0]}/locations/{parts[1]}/jobs/{parts[2]}"}


def _instance(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    return 200, {"apiEndpoint": f"{services.url}/cdap", "serviceEndpoint": services.url, "state": "RUNNING"}


def _cdap_start(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    (asked,) = body
    if "refused" in asked["appId"]:
        return 400, "no such pipeline"
    job = services.begin("cdap", asked["appId"], asked)
    return 200, [{**asked, "statusCode": 200, "runId": job.id}]


def _cdap_run(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    job = services.jobs[parts[2]]
    state = job.state()
    if "late" in job.name and job.polls == 1:
        return 404, "the run is not known yet"
    words = {"running": "RUNNING", "success": "COMPLETED", "failed": "FAILED"}
    return 200, {"runid": job.id, "status": words[state]}


def _databricks_start(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    for job in services.jobs.values():
        if job.service == "databricks" and job.asked["idempotency_token"] == body["idempotency_token"]:
            return 200, {"run_id": int(job.id)}
    job = services.begin("databricks", f"job{body['job_id']}", body, str(1000 + len(services.jobs)))
    return 200, {"run_id": int(job.id)}


def _databricks_run(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    job = services.jobs[str((body or {}).get("run_id"))]
    state = job.state()
    life = "RUNNING" if state == "running" else "TERMINATED"
    result = {"success": "SUCCESS", "failed": "FAILED", "running": ""}[state]
    found = {"life_cycle_state": life, "result_state": result, "state_message": state}
    return 200, {"run_id": int(job.id), "job_id": 1, "run_page_url": "https://example.com", "state": found}


def _flex(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    launch = body["launchParameter"]
    job = services.begin("dataflow", launch["parameters"]["name"], body)
    return 200, {"job": {"id": job.id, "name": launch["jobName"], "projectId": parts[0], "location": parts[1]}}


def _flow_job(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    job = services.jobs[parts[2]]
    words = {"running": "JOB_STATE_RUNNING", "success": "JOB_STATE_DONE", "failed": "JOB_STATE_FAILED"}
    state = "JOB_STATE_CANCELLED" if job.cancelled else words[job.state()]
    return 200, {
        "id": job.id,
        "name": job.asked["launchParameter"]["jobName"],
        "type": "JOB_TYPE_BATCH",
        "currentState": state,
        "projectId": parts[0],
        "location": parts[1],
    }


def _flow_update(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    services.jobs[parts[2]].cancelled = True
    return _flow_job(services, parts, body)


def _compile(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    return 200, {"name": f"{body['parent']}/compilationResults/{len(services.calls)}"}


def _invoke(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    (tag,) = body["workflow_invocation"]["invocation_config"]["included_tags"]
    job = services.begin("dataform", tag, body)
    return 200, {"name": f"{body['parent']}/workflowInvocations/{job.id}"}


def _invocation(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    job = services.jobs[body["name"].rsplit("/", 1)[1]]
    if parts[0] == "cancel":
        job.cancelled = True
    return 200, {"state": {"running": "RUNNING", "success": "SUCCEEDED", "failed": "FAILED"}[job.state()]}


def _batch_create(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    name = f"{body['parent']}/batches/{body['batch_id']}"
    if body["batch_id"] in services.jobs:
        return 200, {"exists": True}
    services.begin("dataproc", body["batch"]["spark_batch"]["args"][0], body, body["batch_id"])
    return 200, {"name": name}


def _run_create(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    return 200, {"runId": services.begin("adf", body["pipeline"], body).id}


def _run_of(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    job = services.jobs[body["runId"]]
    if parts[0] == "cancel":
        job.cancelled = True
    if job.cancelled:
        return 200, {"status": "Cancelled"}
    return 200, {"status": {"running": "InProgress", "success": "Succeeded", "failed": "Failed"}[job.state()]}


def _token(services: Services, parts: list[str], body: Any) -> tuple[int, Any]:
    return 200, {"access_token": "none", "expires_in": 3600, "token_type": "Bearer"}


_V2 = r"(?:/bigquery/v2)?/projects/([^/]+)"
_LOCATION = r"/projects/([^/]+)/locations/([^/]+)"
_ROUTES = [
    (rf"POST {_V2}/jobs", _bigquery_insert),
    (rf"GET {_V2}/jobs/([^/]+)", _bigquery_get),
    (rf"GET {_V2}/queries/([^/]+)", _bigquery_results),
    (rf"POST {_V2}/jobs/([^/]+)/cancel", _bigquery_cancel),
    (rf"POST /v2{_LOCATION}/jobs/([^/:]+):run", _run_start),
    (rf"GET /v2{_LOCATION}/operations/([^/]+)", _run_poll),
    (rf"GET /v2{_LOCATION}/jobs/([^/:]+)", _run_job),
    (rf"GET /v1(?:beta1)?{_LOCATION}/instances/([^/]+)", _instance),
    (r"POST /cdap/v3/namespaces/([^/]+)/start", _cdap_start),
    (r"GET /cdap/v3/namespaces/([^/]+)/apps/([^/]+)/workflows/DataPipelineWorkflow/runs/([^/]+)", _cdap_run),
    (r"POST /api/2.\d/jobs/run-now", _databricks_start),
    (r"GET /api/2.\d/jobs/runs/get", _databricks_run),
    (rf"POST /v1b3{_LOCATION}/flexTemplates:launch", _flex),
    (rf"GET /v1b3{_LOCATION}/jobs/([^/]+)", _flow_job),
    (rf"PUT /v1b3{_LOCATION}/jobs/([^/]+)", _flow_update),
    (r"POST /dataform/compile", _compile),
    (r"POST /dataform/run", _invoke),
    (r"POST /dataform/(get|cancel)", _invocation),
    (r"POST /dataproc/create", _batch_create),
    (r"POST /dataproc/(get|cancel)", _invocation),
    (r"POST /adf/run", _run_create),
    (r"POST /adf/(get|cancel)", _run_of),
    (r"GET /computeMetadata/v1/.*token.*", _token),
]


@contextlib.contextmanager
def serve() -> Iterator[Services]:
    """The services on a port of this machine."""
    services = Services()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            body = json.loads(raw) if raw else None
            if body is None and "?" in self.path and "/api/2" in self.path:
                body = dict(part.split("=", 1) for part in self.path.partition("?")[2].split("&"))
            with services.lock:
                services.calls.append((self.command, self.path, body))
                status, answer = services.answer(self.command, self.path, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = _do  # noqa: N815 (the names are the library's)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    services.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield services
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
