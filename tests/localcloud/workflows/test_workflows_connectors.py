"""Connectors: what is deployed, what is asked of which address, how operations are polled, and child executions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import googleapiclient
import pytest

from localcloud.workflows.check import check_source
from localcloud.workflows.clock import Answer, VirtualClock
from localcloud.workflows.connectors import find
from localcloud.workflows.connectors.generate import table
from localcloud.workflows.local import run as run_local
from localcloud.workflows.web import Request

ROUTES = {
    f"https://{name}.googleapis.com": f"http://127.0.0.1:1/{name}"
    for name in ("bigquery", "dataflow", "dataproc", "dataform", "compute", "run", "europe-west1-run", "secretmanager")
}
RUN = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run"


@dataclass
class Apis:
    """Scripted answers, and what was asked at which second."""

    answers: list[tuple[int, Any]]
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    clock: VirtualClock = field(default_factory=VirtualClock)

    def __call__(self, request: Request) -> Answer:
        self.asked.append((request.method, request.url.removeprefix("http://127.0.0.1:1/"), self.clock.now))
        self.bodies.append(json.loads(request.body) if request.body else None)
        self.headers.append(request.headers)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Answer(status=status, text=json.dumps(body), content_type="application/json")

    def run(self, source: str, **options: Any) -> Any:
        execution = run_local(None, source, None, routes=ROUTES, clock=self.clock, responder=self, **options)
        if execution["state"] == "SUCCEEDED":
            return json.loads(execution["result"])
        return json.loads(execution["error"]["payload"])


def call(path: str, args: str) -> str:
    return f"- a: {{call: {path}, args: {args}, result: r}}\n- b: {{return: '${{r}}'}}"


def job(state: str, **status: Any) -> dict[str, Any]:
    return {
        "jobReference": {"projectId": "p", "jobId": "j", "location": "EU"},
        "status": {"state": state, **status},
    }


def test_a_bigquery_job_is_polled_with_the_default_policy() -> None:
    apis = Apis([(200, job("PENDING")), (200, job("RUNNING")), (200, job("RUNNING")), (200, job("DONE"))])
    query = "{projectId: p, body: {configuration: {query: {query: SELECT 1}}}}"
    assert apis.run(call("googleapis.bigquery.v2.jobs.insert", query)) == job("DONE")
    poll = "bigquery/bigquery/v2/projects/p/jobs/j?location=EU"
    assert apis.asked == [
        ("POST", "bigquery/bigquery/v2/projects/p/jobs", 0),
        ("GET", poll, 1),
        ("GET", poll, 2.25),
        ("GET", poll, 3.8125),
    ]
    assert apis.bodies[0] == {"configuration": {"query": {"query": "SELECT 1"}}}
    assert apis.headers[0]["Authorization"].startswith("Bearer ya29.")


def test_a_polling_policy_of_ones_own() -> None:
    apis = Apis([(200, job("PENDING")), (200, job("RUNNING")), (200, job("RUNNING")), (200, job("DONE"))])
    args = (
        "{projectId: p, connector_params: {timeout: 60, scopes: a, "
        "polling_policy: {initial_delay: 2, multiplier: 3, max_delay: 5}}}"
    )
    apis.run(call("googleapis.bigquery.v2.jobs.insert", args))
    assert [second for _, _, second in apis.asked] == [0, 2, 7, 12]


def test_a_failed_operation_is_an_operation_error() -> None:
    failed = job("DONE", errorResult={"reason": "invalidQuery", "message": "Syntax error"})
    apis = Apis([(200, job("PENDING")), (200, failed)])
    error = apis.run(call("googleapis.bigquery.v2.jobs.insert", "{projectId: p}"))
    assert error == {"message": "Syntax error", "tags": ["OperationError"], "operation": failed}


def test_skip_polling_returns_the_first_answer() -> None:
    apis = Apis([(200, job("PENDING"))])
    args = "{projectId: p, connector_params: {skip_polling: true}}"
    assert apis.run(call("googleapis.bigquery.v2.jobs.insert", args)) == job("PENDING")
    assert len(apis.asked) == 1


def test_a_call_that_takes_too_long_is_a_timeout_error() -> None:
    apis = Apis([(200, job("RUNNING"))])
    error = apis.run(call("googleapis.bigquery.v2.jobs.insert", "{projectId: p, connector_params: {timeout: 10}}"))
    assert error["tags"] == ["TimeoutError"]
    assert apis.clock.now == 10


def test_a_query_is_one_request() -> None:
    apis = Apis([(200, {"jobComplete": True, "rows": [{"f": [{"v": "3"}]}]})])
    source = call("googleapis.bigquery.v2.jobs.query", "{projectId: p, body: {query: SELECT 3}}")
    assert apis.run(source)["rows"][0]["f"][0]["v"] == "3"
    assert apis.asked == [("POST", "bigquery/bigquery/v2/projects/p/queries", 0)]


def test_query_parameters_go_into_the_address() -> None:
    apis = Apis([(200, {"jobs": []})])
    args = "{projectId: p, allUsers: true, maxResults: 5, stateFilter: [done, running]}"
    apis.run(call("googleapis.bigquery.v2.jobs.list", args))
    query = "allUsers=true&maxResults=5&stateFilter=done&stateFilter=running"
    assert apis.asked[0][1] == f"bigquery/bigquery/v2/projects/p/jobs?{query}"


def test_further_query_parameters_are_given_as_a_map() -> None:
    apis = Apis([(200, {})])
    apis.run(call("googleapis.bigquery.v2.jobs.list", "{projectId: p, maxResults: 5, query: {alt: json}}"))
    assert apis.asked[0][1] == "bigquery/bigquery/v2/projects/p/jobs?maxResults=5&alt=json"
    error = apis.run(call("googleapis.bigquery.v2.jobs.list", "{projectId: p, query: [a]}"))
    assert error["tags"] == ["TypeError"]


def test_parameters_of_every_method_and_maps_of_dotted_ones() -> None:
    apis = Apis([(200, {})])
    apis.run(call("googleapis.bigquery.v2.jobs.list", "{projectId: p, alt: json, fields: jobs.id}"))
    assert apis.asked[0][1] == "bigquery/bigquery/v2/projects/p/jobs?alt=json&fields=jobs.id"
    document = "googleapis.firestore.v1.projects.databases.documents.patch"
    routes = {"https://firestore.googleapis.com": "http://127.0.0.1:1/firestore"}

    def patch(args: str) -> tuple[str, Any]:
        apis = Apis([(200, {})])
        execution = run_local(None, call(document, args), None, routes=routes, clock=apis.clock, responder=apis)
        error = json.loads(execution["error"]["payload"]) if execution["state"] == "FAILED" else None
        return apis.asked[0][1] if apis.asked else "", error

    address = "firestore/v1/d/1?updateMask.fieldPaths=a&updateMask.fieldPaths=b"
    assert patch("{name: d/1, body: {fields: {}}, updateMask: {fieldPaths: [a, b]}}") == (address, None)
    assert patch("{name: d/1, body: {fields: {}}, updateMask.fieldPaths: [a, b]}") == (address, None)
    assert patch("{name: d/1, updateMask: null}") == ("firestore/v1/d/1", None)
    for wrong in ("{paths: [a]}", "[a]", "a"):
        asked, error = patch(f"{{name: d/1, updateMask: {wrong}}}")
        assert asked == ""
        assert error["tags"] == ["ValueError"]
        assert "has no parameter 'updateMask" in error["message"]


def test_content_that_is_no_json_comes_back_as_it_is() -> None:
    routes = {"https://storage.googleapis.com": "http://127.0.0.1:1/storage"}

    def media(request: Request) -> Answer:
        assert request.url.endswith("/storage/v1/b/in/o/a%2Fb.txt?alt=media")
        return Answer(text="two\nlines", content_type="text/plain")

    source = call("googleapis.storage.v1.objects.get", "{bucket: in, object: a/b.txt, alt: media}")
    execution = run_local(None, source, None, routes=routes, clock=VirtualClock(), responder=media)
    assert json.loads(execution["result"]) == "two\nlines"


def test_a_missing_part_of_the_address_fails_the_call() -> None:
    apis = Apis([(200, {})])
    error = apis.run(call("googleapis.bigquery.v2.jobs.insert", "{body: {}}"))
    assert error["tags"] == ["TypeError"]
    assert "argument 'projectId' is missing" in error["message"]
    assert not apis.asked


def test_a_dataproc_batch_is_a_long_running_operation() -> None:
    name = "projects/p/regions/r/operations/o"
    ended = {"name": name, "done": True, "response": {"state": "SUCCEEDED"}}
    apis = Apis([(200, {"name": name, "metadata": {}}), (200, {"name": name, "done": False}), (200, ended)])
    args = "{parent: projects/p/locations/r, batchId: b1, body: {pysparkBatch: {mainPythonFileUri: 'gs://b/m.py'}}}"
    assert apis.run(call("googleapis.dataproc.v1.projects.locations.batches.create", args)) == ended
    assert [address for _, address, _ in apis.asked] == [
        "dataproc/v1/projects/p/locations/r/batches?batchId=b1",
        f"dataproc/v1/{name}",
        f"dataproc/v1/{name}",
    ]


def test_a_failed_long_running_operation_carries_its_error() -> None:
    failed = {"name": "operations/o", "done": True, "error": {"code": 9, "message": "no quota"}}
    apis = Apis([(200, failed)])
    error = apis.run(
        call("googleapis.dataproc.v1.projects.locations.batches.create", "{parent: projects/p/locations/r}")
    )
    assert error["tags"] == ["OperationError"]
    assert error["error"] == {"code": 9, "message": "no quota"}
    assert error["operation"] == failed


def test_a_dataflow_template_is_polled_as_a_job() -> None:
    flex = {"job": {"id": "1", "projectId": "p", "location": "l", "currentState": "JOB_STATE_QUEUED"}}
    done = {"id": "1", "projectId": "p", "location": "l", "currentState": "JOB_STATE_DONE"}
    apis = Apis([(200, flex), (200, done)])
    path = "googleapis.dataflow.v1b3.projects.locations.flexTemplates.launch"
    assert apis.run(call(path, "{projectId: p, location: l, body: {launchParameter: {}}}")) == done
    assert apis.asked[1][1] == "dataflow/v1b3/projects/p/locations/l/jobs/1"


def test_a_cancelled_dataflow_job_fails() -> None:
    job_state = {"id": "1", "projectId": "p", "location": "l", "currentState": "JOB_STATE_CANCELLED"}
    path = "googleapis.dataflow.v1b3.projects.locations.templates.launch"
    error = Apis([(200, {"job": job_state})]).run(call(path, "{projectId: p, location: l, gcsPath: 'gs://b/t'}"))
    assert error["tags"] == ["OperationError"]
    assert "JOB_STATE_CANCELLED" in error["message"]


def test_a_compute_operation_has_a_status() -> None:
    link = "https://compute.googleapis.com/compute/v1/projects/p/zones/z/operations/o"
    done = {"name": "o", "status": "DONE", "selfLink": link}
    apis = Apis([(200, {"name": "o", "status": "RUNNING", "selfLink": link}), (200, done)])
    args = "{project: p, zone: z, body: {name: vm}}"
    assert apis.run(call("googleapis.compute.v1.instances.insert", args)) == done
    assert apis.asked[1][1] == "compute/compute/v1/projects/p/zones/z/operations/o"


def test_a_cloud_run_job_goes_to_its_region() -> None:
    meta = {"metadata": {"namespace": "p", "name": "e-1"}}
    done = {**meta, "status": {"conditions": [{"type": "Completed", "status": "True"}]}}
    apis = Apis([(200, meta), (200, done)])
    args = "{name: namespaces/p/jobs/j, location: europe-west1}"
    assert apis.run(call("googleapis.run.v1.namespaces.jobs.run", args)) == done
    assert [address for _, address, _ in apis.asked] == [
        "europe-west1-run/apis/run.googleapis.com/v1/namespaces/p/jobs/j:run",
        "europe-west1-run/apis/run.googleapis.com/v1/namespaces/p/executions/e-1",
    ]


def test_an_answer_that_is_no_operation() -> None:
    error = Apis([(200, {"kind": "?"})]).run(call("googleapis.bigquery.v2.jobs.insert", "{projectId: p}"))
    assert error["tags"] == ["ResponseTypeError"]


def test_reads_are_retried_and_writes_only_when_it_is_safe() -> None:
    reads = Apis([(502, {}), (503, {}), (200, {"id": "d"})])
    assert reads.run(call("googleapis.bigquery.v2.datasets.get", "{projectId: p, datasetId: d}")) == {"id": "d"}
    assert [second for _, _, second in reads.asked] == [0, 1, 2.25]
    writes = Apis([(502, {}), (200, {})])
    error = writes.run(call("googleapis.bigquery.v2.datasets.insert", "{projectId: p, body: {}}"))
    assert error["code"] == 502
    assert len(writes.asked) == 1
    busy = Apis([(503, {}), (200, {"id": "d"})])
    assert busy.run(call("googleapis.bigquery.v2.datasets.insert", "{projectId: p, body: {}}")) == {"id": "d"}


def test_a_refusal_of_the_api_is_an_http_error() -> None:
    error = Apis([(404, {"error": {"code": 404}})]).run(
        call("googleapis.bigquery.v2.datasets.get", "{projectId: p, datasetId: d}")
    )
    assert (error["code"], error["tags"], error["body"]) == (404, ["HttpError"], {"error": {"code": 404}})


def test_a_service_without_a_route_is_a_connection_error() -> None:
    apis = Apis([(200, {})])
    error = apis.run(call("googleapis.pubsub.v1.projects.topics.publish", "{topic: projects/p/topics/t, body: {}}"))
    assert error["tags"] == ["ConnectionError"]
    assert "needs a route for https://pubsub.googleapis.com" in error["message"]
    assert not apis.asked


def test_the_secret_managers_helpers() -> None:
    apis = Apis([(200, {"payload": {"data": "czNjcmV0"}})])
    base = "googleapis.secretmanager.v1.projects.secrets"
    assert apis.run(call(f"{base}.versions.accessString", "{secret_id: s, project_id: p}")) == "s3cret"
    assert apis.asked[0][1] == "secretmanager/v1/projects/p/secrets/s/versions/latest:access"
    expression = f'- a: {{return: \'${{"<" + {base}.versions.accessString("s", "2", "p") + ">"}}\'}}'
    assert apis.run(expression) == "<s3cret>"
    assert apis.asked[1][1].endswith("/versions/2:access")
    apis.run(call(f"{base}.addVersionString", "{secret_id: s, project_id: p, data: new}"))
    assert apis.bodies[2] == {"payload": {"data": "bmV3"}}


WRONG_PARAMETERS: list[tuple[str, str]] = [
    ("connector_params: {timeout: 0}", "ValueError"),
    ("connector_params: {timeout: 31536001}", "ValueError"),
    ("connector_params: {timeout: soon}", "TypeError"),
    ("connector_params: {skip_polling: 1}", "TypeError"),
    ("connector_params: {polling: 1}", "ValueError"),
    ("connector_params: {polling_policy: {delay: 1}}", "ValueError"),
    ("connector_params: {polling_policy: {multiplier: -1}}", "ValueError"),
    ("connector_params: 5", "TypeError"),
]


@pytest.mark.parametrize(("params", "tag"), WRONG_PARAMETERS)
def test_wrong_connector_parameters(params: str, tag: str) -> None:
    error = Apis([(200, {})]).run(call("googleapis.bigquery.v2.jobs.insert", f"{{projectId: p, {params}}}"))
    assert error["tags"] == [tag]


REFUSED: list[tuple[str, str, str]] = [
    ("googleapis.bigquery.v2.jobs.insrt", "{projectId: p}", "did you mean 'googleapis.bigquery.v2.jobs.insert'?"),
    ("googleapis.bigqery.v2.jobs.insert", "{projectId: p}", "did you mean 'googleapis.bigquery.v2'?"),
    ("googleapis.bigquery.v2.jobs.insert", "{project: p}", "has no parameter 'project'"),
    ("googleapis.bigquery.v2.jobs.insert", "[p]", "are given by name"),
    (RUN, "{workflow: w}", "has no parameter 'workflow'"),
    (RUN, "{location: l}", "argument 'workflow_id' is missing"),
    ("experimental.executions.map", "{workflow_id: w}", "argument 'arguments' is missing"),
]


@pytest.mark.parametrize(("path", "args", "message"), REFUSED)
def test_refused_at_deploy(path: str, args: str, message: str) -> None:
    (problem,) = check_source(call(path, args))
    assert message in problem


def test_connectors_stand_in_call_steps_only() -> None:
    (problem,) = check_source("- a: {return: '${googleapis.bigquery.v2.jobs.list()}'}")
    assert "can only be called by a call step" in problem


def test_methods_of_many_services_are_known() -> None:
    for path, verb in (
        ("googleapis.dataform.v1beta1.projects.locations.repositories.workflowInvocations.create", "POST"),
        ("googleapis.storage.v1.objects.list", "GET"),
        ("googleapis.cloudfunctions.v2.projects.locations.functions.get", "GET"),
        ("googleapis.run.v2.projects.locations.jobs.run", "POST"),
        ("googleapis.translate.v3beta1.projects.locations.batchTranslateText", "POST"),
        ("googleapis.cloudtasks.v2.projects.locations.queues.tasks.create", "POST"),
        ("googleapis.datafusion.v1.projects.locations.instances.restart", "POST"),
    ):
        method = find(path)
        assert method is not None
        assert method.verb == verb


def test_the_table_is_made_from_the_discovery_documents() -> None:
    documents = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    made = table(documents)
    kept = json.loads((Path(str(find.__wrapped__.__globals__["__file__"])).parent / "methods.json").read_text())
    # Later documents add methods; none that is known may have changed its address.
    assert made.keys() == kept.keys()
    for service in ("bigquery.v2", "dataproc.v1", "workflowexecutions.v1", "run.v1"):
        for name, line in kept[service]["methods"].items():
            now = made[service]["methods"].get(name)
            assert now is None or now.split(" ?")[0] == line.split(" ?")[0]


# Child executions in a run without a service

CHILDREN = {
    "adder": "main: {params: [a], steps: [{s: {call: sys.sleep, args: {seconds: 30}}}, {r: {return: '${a.x + 1}'}}]}",
    "echo": "main: {params: [a], steps: [{r: {return: '${a}'}}]}",
    "bad": "- r: {raise: {code: 7, message: bad}}",
}


def with_children(source: str) -> tuple[Any, float]:
    clock = VirtualClock()
    execution = run_local(None, source, None, clock=clock, children=CHILDREN)
    return json.loads(execution.get("result") or execution["error"]["payload"]), clock.now


def test_run_waits_for_the_child_and_gives_its_result() -> None:
    result, seconds = with_children(call(RUN, "{workflow_id: adder, argument: {x: 4}}"))
    assert result == 5
    assert 30 <= seconds < 40


def test_children_of_parallel_branches_run_at_the_same_time() -> None:
    source = f"""
- a: {{assign: [{{sum: 0}}]}}
- b:
    parallel:
      shared: [sum]
      for:
        value: v
        in: [1, 2, 3, 4]
        steps:
          - c: {{call: {RUN}, args: {{workflow_id: adder, argument: {{x: '${{v}}'}}}}, result: r}}
          - d: {{assign: [{{sum: '${{sum + r}}'}}]}}
- e: {{return: '${{sum}}'}}
"""
    result, seconds = with_children(source)
    assert result == 14
    assert 30 <= seconds < 40


def test_a_failed_child_is_an_operation_error() -> None:
    error, _ = with_children(call(RUN, "{workflow_id: bad}"))
    assert error["tags"] == ["OperationError"]
    assert error["operation"]["state"] == "FAILED"
    assert json.loads(error["operation"]["error"]["payload"])["code"] == 7


def test_an_unknown_child_is_an_http_error() -> None:
    error, _ = with_children(call(RUN, "{workflow_id: nobody}"))
    assert (error["code"], error["tags"]) == (404, ["HttpError"])


def test_run_without_polling_gives_nothing() -> None:
    result, seconds = with_children(call(RUN, "{workflow_id: adder, connector_params: {skip_polling: true}}"))
    assert (result, seconds) == (None, 0)


def test_create_and_get_are_plain_calls() -> None:
    base = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions"
    source = f"""
- a:
    call: {base}.create
    args: {{parent: projects/p/locations/l/workflows/echo, body: {{argument: '"hi"'}}}}
    result: made
- b: {{call: sys.sleep, args: {{seconds: 1}}}}
- c: {{call: {base}.get, args: {{name: '${{made.name}}'}}, result: seen}}
- d: {{return: ['${{made.state}}', '${{seen.state}}', '${{json.decode(seen.result)}}']}}
"""
    assert with_children(source)[0] == ["ACTIVE", "SUCCEEDED", "hi"]


def experimental(name: str, args: str) -> Callable[[], tuple[Any, float]]:
    return lambda: with_children(call(f"experimental.executions.{name}", args))


def test_experimental_run_and_map() -> None:
    assert experimental("run", "{workflow_id: echo, argument: [1]}")()[0] == [1]
    result, seconds = experimental("map", "{workflow_id: adder, arguments: [{x: 1}, {x: 2}]}")()
    assert result == [2, 3]
    assert seconds < 60, "they run one after the other"
    assert experimental("map", "{workflow_id: echo, arguments: []}")()[0] == []
    many = list(range(600))
    assert experimental("map", f"{{workflow_id: echo, arguments: {many}}}")()[0] == many


def test_experimental_errors() -> None:
    assert experimental("run", "{workflow_id: bad}")()[0]["tags"] == ["ExecutionError"]
    assert experimental("map", "{workflow_id: bad, arguments: [1]}")()[0]["tags"] == ["ExecutionError"]
    late = experimental("map", "{workflow_id: adder, arguments: [{x: 1}], timeout: 3}")()[0]
    assert late["tags"] == ["TimeoutError"]
