"""The executors against stand-ins of the services' REST APIs: start gives an id, status a state, a failure is told."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from executors import bigquery, contract, http, intermediate, main

Reply = tuple[int, Any]
URL = "https://europe-west1-acme-dev.cloudfunctions.net"


class FakeTokens:
    def access(self) -> str:
        return "access"

    def identity(self, audience: str) -> str:
        return f"identity for {audience}"


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    token: str


@dataclass
class Services:
    """A server that answers for Google's services; a route is the beginning of a path without its version."""

    routes: dict[tuple[str, str], Callable[[Asked], Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, method: str, path: str, status: int, answer: Any) -> None:
        self.routes[(method, path)] = lambda _: (status, answer)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        route = self.routes.get((asked.method, asked.path))
        return route(asked) if route is not None else (404, {"error": {"message": f"nothing at {asked.path}"}})


@dataclass
class FakeRequest:
    body: Any

    def get_json(self, force: bool = False, silent: bool = False) -> Any:
        return self.body


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    found = Services()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            data = self.rfile.read(size)
            parts = urlsplit(self.path)
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            asked = Asked(
                self.command, unquote(parts.path), parse_qs(parts.query), json.loads(data) if data else None, token
            )
            status, answer = found.answer(asked)
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = _do  # noqa: N815 - the base class calls them by these names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class has it
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    root = f"http://127.0.0.1:{server.server_port}"
    for service in ("BIGQUERY", "DATAFORM", "DATAFLOW", "DATAPROC", "STORAGE", "FUNCTIONS"):
        monkeypatch.setenv(f"ENDPOINT_{service}", f"{root}/{service.lower()}")
    monkeypatch.setenv("PLATFORM_PROJECT", "acme-dev")
    monkeypatch.setenv("PLATFORM_REGION", "europe-west1")
    monkeypatch.setenv("FUNCTIONS_URL", URL)
    monkeypatch.setattr(http, "own_tokens", FakeTokens)
    yield found
    server.shutdown()
    server.server_close()
    http.pool().clear()


def call(properties: dict[str, Any], job: str = "load", **more: Any) -> dict[str, Any]:
    return {
        "workflow_name": "orders",
        "job_name": job,
        "workflow_properties": properties,
        "query_variables": {"start_date": "'2026-01-01'", "end_date": "'2026-01-02'"},
        **more,
    }


def told(answer: contract.Answer) -> str:
    assert answer[1] == 200
    return answer[0]


def refused(answer: contract.Answer) -> str:
    assert answer[1] == 200, "an executor answers 200, also where it failed"
    found = json.loads(answer[0])
    assert found["error"] == "ExecutorError"
    return str(found["message"])


# BigQuery -----------------------------------------------------------------------------------------------------------


REPOSITORY = {"dataform_project_id": "acme-dev", "dataform_location": "europe-west1", "repository_name": "sql"}
JOBS = "/bigquery/bigquery/v2/projects/acme-dev/jobs"


def test_a_saved_query_is_read_from_its_repository_and_started(services: Services) -> None:
    text = (
        'config { type: "operations", tags: ["a{b}"] }\nSELECT start_date AS d, x.start_date FROM t WHERE d = @end_date'
    )
    services.on(
        "GET",
        "/dataform/v1beta1/projects/acme-dev/locations/europe-west1/repositories/sql:readFile",
        200,
        {"contents": base64.b64encode(text.encode()).decode()},
    )
    services.on("POST", JOBS, 200, {})
    job_id = told(main.bq_saved_query_executor(FakeRequest(call(REPOSITORY))))
    assert re.fullmatch(r"aef_orders_load_[0-9a-f]{32}", job_id)
    read, posted = services.asked
    assert read.query["path"] == ["definitions/orders/load.sqlx"]
    assert posted.token == "access"
    query = posted.body["configuration"]["query"]
    assert query["query"].strip() == "SELECT '2026-01-01' AS d, x.start_date FROM t WHERE d = @end_date"
    assert {p["name"]: p["parameterValue"]["value"] for p in query["queryParameters"]} == {
        "start_date": "2026-01-01",
        "end_date": "2026-01-02",
    }
    assert posted.body["jobReference"]["jobId"] == job_id
    assert posted.body["jobReference"]["location"] == "europe-west1"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"state": "PENDING"}, "PENDING"),
        ({"state": "RUNNING"}, "RUNNING"),
        ({"state": "DONE"}, "DONE"),
        ({"state": "DONE", "errorResult": {"message": "no such table"}}, "FAILED"),
    ],
)
def test_a_query_is_asked_after(services: Services, status: dict[str, Any], state: str) -> None:
    services.on("GET", f"{JOBS}/aef_orders_load_1", 200, {"status": status})
    assert told(main.bq_saved_query_executor(FakeRequest(call(REPOSITORY, job_id="aef_orders_load_1")))) == state


def test_a_query_may_stand_in_the_properties_or_in_the_job_file(services: Services) -> None:
    services.on("POST", JOBS, 200, {})
    told(main.bq_saved_query_executor(FakeRequest(call({"query": "SELECT 1"}))))
    services.on(
        "GET", "/storage/storage/v1/b/acme-jobs/o/bq-saved-query-executor/load.json", 200, {"query": "SELECT 2"}
    )
    told(main.bq_saved_query_executor(FakeRequest(call({"jobs_definitions_bucket": "gs://acme-jobs"}))))
    queries = [a.body["configuration"]["query"]["query"] for a in services.asked if a.method == "POST"]
    assert queries == ["SELECT 1", "SELECT 2"]


def test_values_stand_for_names_that_stand_alone() -> None:
    given = contract.read_call(call({}))
    text = "SELECT `start_date`, my_start_date, start_date(1), @start_date, 'start_date', start_date"
    assert bigquery.with_values(text, given) == (
        "SELECT `start_date`, my_start_date, start_date(1), @start_date, 'start_date', '2026-01-01'"
    )
    hostile = contract.read_call({**call({}), "query_variables": {"who": "a' OR '1'='1\\"}})
    assert bigquery.with_values("WHERE x = who", hostile) == r"WHERE x = 'a\' OR \'1\'=\'1\\'"


# The others ---------------------------------------------------------------------------------------------------------


def test_a_repository_is_compiled_and_the_actions_of_its_tags_invoked(services: Services) -> None:
    home = "/dataform/v1beta1/projects/acme-dev/locations/europe-west1/repositories/sql"
    file = {**REPOSITORY, "branch": "release", "tags": ["daily"]}
    services.on("GET", "/storage/storage/v1/b/acme-jobs/o/dataform-tag-executor/load.json", 200, file)
    services.on("POST", f"{home}/compilationResults", 200, {"name": "projects/p/…/compilationResults/c1"})
    name = "projects/acme-dev/locations/europe-west1/repositories/sql/workflowInvocations/i1"
    services.on("POST", f"{home}/workflowInvocations", 200, {"name": name})
    answer = told(main.dataform_tag_executor(FakeRequest(call({"jobs_definitions_bucket": "acme-jobs"}))))
    assert answer == f"aef-{name}"
    assert services.asked[1].body["gitCommitish"] == "release"
    assert services.asked[1].body["codeCompilationConfig"]["vars"]["start_date"] == "2026-01-01"
    assert services.asked[2].body["invocationConfig"] == {"includedTags": ["daily"]}

    services.on("GET", f"/dataform/v1beta1/{name}", 200, {"state": "SUCCEEDED"})
    assert told(main.dataform_tag_executor(FakeRequest(call({}, job_id=answer)))) == "SUCCEEDED"

    wrong = {"name": "c", "compilationErrors": [{"message": "no such ref"}]}
    services.on("POST", f"{home}/compilationResults", 200, wrong)
    assert "no such ref" in refused(
        main.dataform_tag_executor(FakeRequest(call({"jobs_definitions_bucket": "acme-jobs"})))
    )


FLEX = {
    "dataflow_location": "europe-west4",
    "dataflow_template_name": "Jdbc_to_BigQuery_Flex",
    "dataflow_template_version": "latest",
    "dataflow_temp_bucket": "acme-temp",
    "dataflow_max_workers": "5",
    "dataflow_job_params": {"useColumnAlias": True, "limit": 10},
}


def test_a_flex_template_is_launched(services: Services) -> None:
    home = "/dataflow/v1b3/projects/acme-dev/locations/europe-west4"
    services.on("POST", f"{home}/flexTemplates:launch", 200, {"job": {"id": "2026-01-01_00_00-1"}})
    answer = told(main.dataflow_flextemplate_job_executor(FakeRequest(call(FLEX, job="Load Orders"))))
    assert answer == "aef_2026-01-01_00_00-1"
    launch = services.asked[-1].body["launchParameter"]
    assert re.fullmatch(r"aef-load-orders-[0-9a-f]{10}", launch["jobName"])
    assert launch["containerSpecGcsPath"] == "gs://dataflow-templates-europe-west4/latest/flex/Jdbc_to_BigQuery_Flex"
    assert launch["parameters"] == {"useColumnAlias": "true", "limit": "10"}
    assert launch["environment"] == {"tempLocation": "gs://acme-temp/dataflow/temp", "maxWorkers": 5}

    services.on("GET", f"{home}/jobs/2026-01-01_00_00-1", 200, {"currentState": "JOB_STATE_RUNNING"})
    assert told(main.dataflow_flextemplate_job_executor(FakeRequest(call(FLEX, job_id=answer)))) == "JOB_STATE_RUNNING"


SPARK = {
    "dataproc_serverless_project_id": "acme-spark",
    "dataproc_serverless_region": "europe-west4",
    "jar_file_location": "gs://acme/jobs.jar",
    "spark_app_main_class": "com.acme.Load",
    "spark_args": ["--day", 1],
    "dataproc_serverless_runtime_version": "2.2",
    "spark_app_properties": '{"spark.executor.cores": 4}',
    "dataproc_service_account": "spark@acme-spark.iam.gserviceaccount.com",
    "subnetwork": "regions/europe-west4/subnetworks/data",
}


def test_a_batch_is_created_with_an_id_of_its_own(services: Services) -> None:
    home = "/dataproc/v1/projects/acme-spark/locations/europe-west4/batches"
    services.on("POST", home, 200, {})
    ids = {told(main.dataproc_serverless_job_executor(FakeRequest(call(SPARK)))) for _ in range(2)}
    assert len(ids) == 2, "two that start within a second must not collide"
    assert all(re.fullmatch(r"aef-[0-9a-f]{32}", one) for one in ids)
    body = services.asked[0].body
    assert body["sparkBatch"] == {
        "jarFileUris": ["gs://acme/jobs.jar"],
        "mainClass": "com.acme.Load",
        "args": ["--day", "1"],
    }
    assert body["runtimeConfig"] == {"version": "2.2", "properties": {"spark.executor.cores": "4"}}
    assert body["environmentConfig"]["executionConfig"]["serviceAccount"].startswith("spark@")
    one = min(ids)
    services.on("GET", f"{home}/{one}", 200, {"state": "FAILED"})
    assert told(main.dataproc_serverless_job_executor(FakeRequest(call(SPARK, job_id=one)))) == "FAILED"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "not a JSON object"),
        ({"job_name": "load"}, "workflow_name and job_name"),
        (call({}), "no job parameter file"),
        ({**call({}), "workflow_properties": "{"}, "is not JSON"),
        ({**call({}), "query_variables": {"a b": "1"}}, "name is letters"),
        (call({**SPARK, "spark_args": "x"}), "spark_args is not a list"),
        (call({**SPARK, "spark_app_properties": "{"}), "spark_app_properties is not JSON"),
    ],
)
def test_what_cannot_be_started_is_told(services: Services, body: Any, words: str) -> None:
    services.on("GET", "/storage/storage/v1/b/jobs/o/dataproc-serverless-job-executor/load.json", 200, {})
    if isinstance(body, dict) and isinstance(body.get("workflow_properties"), dict) and body["workflow_properties"]:
        body["workflow_properties"]["jobs_definitions_bucket"] = "jobs"
    assert words in refused(main.dataproc_serverless_job_executor(FakeRequest(body)))


def test_what_a_service_refuses_is_told(services: Services) -> None:
    services.on("POST", JOBS, 403, {"error": {"message": "Access Denied: bigquery.jobs.create"}})
    message = refused(main.bq_saved_query_executor(FakeRequest(call({"query": "SELECT 1"}))))
    assert message.startswith("bigquery answered 403")
    assert "Access Denied" in message


# The intermediate function ------------------------------------------------------------------------------------------


def asked_of_intermediate(**more: Any) -> dict[str, Any]:
    return {
        "call_type": "get_id",
        "workflow_name": "orders",
        "execution_id": "e1",
        "job_name": "load",
        "function_url_to_call": f"{URL}/bq-saved-query-executor",
        "query_variables": {"start_date": "2026-01-01", "end_date": "2026-01-02"},
        "workflow_properties": {"a": 1, "b": 1},
        "step_properties": '{"b": 2}',
        **more,
    }


def through(body: Any) -> contract.Answer:
    return intermediate.handle(FakeRequest(body), FakeTokens())


def test_a_job_is_started_through_the_intermediate_function(services: Services) -> None:
    services.on("POST", "/functions/bq-saved-query-executor", 200, "aef_orders_load_1")
    body, status, headers = through(asked_of_intermediate())
    assert (body, status) == ("aef_orders_load_1", 200)
    assert headers["Content-Type"].startswith("text/html")
    (asked,) = services.asked
    assert asked.token == f"identity for {URL}/bq-saved-query-executor"
    assert asked.body == {
        "workflow_properties": {"a": 1, "b": 2},
        "workflow_name": "orders",
        "job_name": "load",
        "query_variables": {"start_date": "'2026-01-01'", "end_date": "'2026-01-02'"},
    }


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        ("DONE", ("success", 200)),
        ("SUCCEEDED", ("success", 200)),
        ("JOB_STATE_DONE", ("success", 200)),
        ("PENDING", ("running", 200)),
        ("JOB_STATE_QUEUED", ("running", 200)),
    ],
)
def test_states_are_success_or_running(services: Services, state: str, answer: tuple[str, int]) -> None:
    services.on("POST", "/functions/bq-saved-query-executor", 200, state)
    assert through(asked_of_intermediate(call_type="get_status", async_job_id="aef_1"))[:2] == answer
    assert services.asked[0].body["job_id"] == "aef_1"


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "CANCELLING", "JOB_STATE_STOPPED", "", "anything"])
def test_any_other_state_is_an_error(services: Services, state: str) -> None:
    services.on("POST", "/functions/bq-saved-query-executor", 200, state)
    body, status, _ = through(asked_of_intermediate(call_type="get_status", async_job_id="aef_1"))
    assert status == 500
    assert body.startswith("Exception : Exception(")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"call_type": None}, "call_type"),
        ({"call_type": "get_status"}, "async_job_id is missing"),
        ({"function_url_to_call": "https://evil.example/bq"}, "no function of this platform"),
        ({"function_url_to_call": f"{URL}/../x"}, "no function of this platform"),
        ({"function_url_to_call": f"{URL}.evil.example/x"}, "no function of this platform"),
        ({"step_properties": "["}, "is not JSON"),
    ],
)
def test_calls_that_are_none_go_nowhere(services: Services, more: dict[str, Any], words: str) -> None:
    body, status, _ = through(asked_of_intermediate(**more))
    assert (status, words in body) == (500, True), body
    assert services.asked == []


def test_failures_of_executors_are_errors_and_names_are_not(services: Services) -> None:
    services.on("POST", "/functions/bq-saved-query-executor", 200, {"error": "KeyError", "message": "no bucket"})
    body, status, _ = through(asked_of_intermediate())
    assert status == 500
    assert "no bucket" in body
    services.on("POST", "/functions/bq-saved-query-executor", 500, "broken")
    assert through(asked_of_intermediate())[1] == 500
    services.on("POST", "/functions/bq-saved-query-executor", 200, "not an id")
    assert "is no job id" in through(asked_of_intermediate())[0]
    # A job that is called so is no failure.
    services.on("POST", "/functions/bq-saved-query-executor", 200, "aef_load_error_log_1")
    assert through(asked_of_intermediate())[:2] == ("aef_load_error_log_1", 200)


def test_what_happens_is_logged_as_the_metrics_read_it(services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    through(asked_of_intermediate(call_type="nothing"))
    entry = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (entry["event"], entry["severity"], entry["executor"]) == ("executor_error", "ERROR", "intermediate")
