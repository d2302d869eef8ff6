"""How a workflow has a service of Google Cloud run a job: by calls of the service's REST API.

Each service gets a `run_step` of its own, which is the shared one with other calls in it: deadline, pauses,
repetitions, failures and their words are the same. What differs is what starts a job, what tells how it is, and which
answer is the end. The job's arguments are data of the step; a value of the run is an expression in them.

Sources: BigQuery `jobs.insert` and `jobs.get` (REST v2); Cloud Run `jobs.run` and `operations.get` (Admin API v2);
Data Fusion `instances.get` (v1) and CDAP's Lifecycle microservices, whose batch start alone tells a run's id.

Deliberately absent: Databricks and Data Factory, which know no identity of Google Cloud.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataplatform.compile import workflows_library as library
from dataplatform.compile.operators import Slot, query_configuration, run_overrides, texts, with_slots
from dataplatform.compile.plan import Operation, Plan, Retry, Step
from dataplatform.compile.workflows_library import Variant
from dataplatform.config.executors import REGISTRY
from dataplatform.config.text import shown
from dataplatform.diagnostics import Diagnostics, Position

Data = dict[str, object]

BIGQUERY = "https://bigquery.googleapis.com/bigquery/v2/"
CLOUD_RUN = "https://run.googleapis.com/v2/"
DATA_FUSION = "https://datafusion.googleapis.com/v1/"

_AUTH = {"auth": {"type": "OAuth2"}, "timeout": library.STATUS_CALL_SECONDS}
_JOB = "begun.body"


@dataclass(frozen=True)
class ServiceVariant(Variant):
    """A `run_step` whose job is a service's."""

    service: str = ""


def service_of(step: Step) -> Operation | None:
    """The operation of a step that a workflow cannot have done by a function."""
    return step.operation if step.operation is not None and not step.operation.function else None


def variant_of(step: Step, operation: Operation) -> ServiceVariant:
    """Which `run_step` a step of a service needs."""
    return ServiceVariant(step.retry, "workflows", step.job_retry, service=operation.executor)


def problems(plan: Plan, places: Mapping[str, Position]) -> Diagnostics:
    """The steps whose service a workflow cannot call."""
    found = Diagnostics()
    for step in plan.steps():
        operation = service_of(step)
        if operation is not None and not REGISTRY[operation.executor].rest:
            message = f"Cloud Workflows cannot run {shown(operation.executor)}: the service takes no identity of Google"
            remedy = "run this pipeline on Airflow (engine composer, in a stack with gcp.composer and no gcp.workflows)"
            found.add("DP329", places.get(step.job_name, Position(plan.source.file)), message, remedy)
    return found


def run_step(variant: ServiceVariant) -> Data:
    """The subworkflow that runs one step of a service."""
    whole = library.run_step(Variant(variant.retry, "workflows", variant.jobs))
    steps: Any = whole["steps"]
    attempt = _ATTEMPTS[variant.service](variant.retry)
    for step in steps:
        if "attempt" in step:
            step["attempt"]["try"]["steps"] = attempt
        if "prepare" in step:
            pairs = step["prepare"]["assign"]
            step["prepare"]["assign"] = [{"given": "${properties}"} if "given" in pair else pair for pair in pairs]
    return whole


def properties(plan: Plan, operation: Operation, literal: Any) -> Data:
    """What a step hands to the `run_step` of its service. `literal` makes text that is no expression."""
    given = with_slots(dict(operation.arguments), {path: Slot(name) for path, name in operation.values})
    project = given.get("project_id") or plan.target.project
    location = given.get("location") or plan.target.region
    home = f"projects/{project}/locations/{location}"
    made: Data
    match operation.executor:
        case "bigquery-query":
            made = {
                "url": f"{BIGQUERY}projects/{project}/jobs",
                "reference": {"projectId": project, "location": location},
                "configuration": query_configuration(given),
            }
        case "cloud-run-job":
            count = given.get("task_count")
            count = int(count) if isinstance(count, str) and count.isdigit() else count
            body = {"overrides": _camel(overrides)} if (overrides := run_overrides(given, count)) else {}
            made = {"url": f"{CLOUD_RUN}{home}/jobs/{given['cloud_run_job']}:run", "body": body}
        case "data-fusion-pipeline":
            made = {
                "instance": f"{DATA_FUSION}{home}/instances/{given['instance_name']}",
                "namespace": given.get("namespace", "default"),
                "pipeline": given["pipeline_name"],
                "runtime_args": texts(given.get("runtime_args")),
            }
        case _:
            made = {}
    types = {parameter.name: parameter.type for parameter in plan.parameters}
    written = _written(made, types, literal)
    assert isinstance(written, dict)
    return written


def _camel(overrides: Mapping[str, Any]) -> Data:
    """Cloud Run's overrides as its REST API writes them."""
    names = {"container_overrides": "containerOverrides", "task_count": "taskCount"}
    return {names[key]: value for key, value in overrides.items()}


def _written(value: Any, types: Mapping[str, str], literal: Any) -> Any:
    if isinstance(value, Slot):
        if value.name.startswith("run:"):
            name = value.name.removeprefix("run:")
            return "${run.execution_id}" if name == "id" else f"${{run.query_variables.{name}}}"
        text = f"map.get(run.parameters, {json.dumps(value.name)})"
        # The run's parameters are kept as JSON text.
        return f"${{{text}}}" if value.text and types.get(value.name) != "string" else f"${{json.decode({text})}}"
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, Mapping):
        return {key: _written(item, types, literal) for key, item in value.items()}
    if isinstance(value, list):
        return [_written(item, types, literal) for item in value]
    return value


def _step(name: str, body: Data) -> Data:
    return {name: body}


def _post(name: str, retry: Retry, url: str, body: object) -> Data:
    args: Data = {"url": url, **_AUTH, "body": body}
    return library._http(name, "http.post", args, "begun", "http.default_retry_predicate_non_idempotent", retry)


def _get(name: str, retry: Retry, args: Data, result: str) -> Data:
    return library._http(name, "http.get", {**args, **_AUTH}, result, "http.default_retry_predicate", retry)


def _started(job: str) -> Data:
    pairs: list[Data] = [{"phase": "status"}, {"state.job_id": f"${{{job}}}"}]
    return _step("started_job", {"assign": pairs})


def _judge(job: str, *conditions: tuple[str, str]) -> list[Data]:
    """The switch after a poll, and what comes of it; without a condition that holds, the job is still running."""
    found = [{"condition": f"${{{condition}}}", "next": following} for condition, following in conditions]
    running: list[Data] = [{"condition": library._IN_TIME, "next": "measure"}]
    return [
        _step("judge", {"switch": [*found, *running], "next": "too_late"}),
        library._too_late(job),
    ]


def _ended(words: str) -> Data:
    return _step("ended_otherwise", {"raise": f"${{{words}}}"})


def _bigquery(retry: Retry) -> list[Data]:
    job = f"{_JOB}.jobReference.jobId"
    body: Data = {"configuration": "${given.configuration}", "jobReference": "${given.reference}"}
    ask: Data = {"url": f'${{given.url + "/" + {job}}}', "query": {"location": "${given.reference.location}"}}
    return [
        _post("start_job", retry, "${given.url}", body),
        _started(job),
        *library._pause(),
        _get("poll", retry, ask, "status_now"),
        *_judge(
            job,
            ('"errorResult" in status_now.body.status', "ended_otherwise"),
            ('status_now.body.status.state == "DONE"', "succeeded"),
        ),
        _ended(
            '"the job failed: " + default(map.get(status_now.body.status.errorResult, "message"), "no reason given")'
        ),
        *library._success(),
    ]


def _cloud_run(retry: Retry) -> list[Data]:
    job = f"{_JOB}.name"
    return [
        _post("start_job", retry, "${given.url}", "${given.body}"),
        _started(job),
        *library._pause(),
        _get("poll", retry, {"url": f'${{"{CLOUD_RUN}" + {job}}}'}, "status_now"),
        *_judge(
            job,
            ('"error" in status_now.body', "ended_otherwise"),
            ('default(map.get(status_now.body, "done"), false)', "succeeded"),
        ),
        _ended('"the execution failed: " + default(map.get(status_now.body.error, "message"), "no reason given")'),
        *library._success(),
    ]


def _data_fusion(retry: Retry) -> list[Data]:
    start = '${home.body.apiEndpoint + "/v3/namespaces/" + given.namespace + "/start"}'
    runs = 'given.namespace + "/apps/" + given.pipeline + "/workflows/DataPipelineWorkflow/runs/"'
    program: Data = {
        "appId": "${given.pipeline}",
        "programType": "workflow",
        "programId": "DataPipelineWorkflow",
        "runtimeargs": "${given.runtime_args}",
    }
    poll = _get(
        "poll",
        retry,
        {"url": f'${{home.body.apiEndpoint + "/v3/namespaces/" + {runs} + job_id}}'},
        "status_now",
    )
    unknown: list[Data] = [
        {"condition": '${get_type(e) == "map" and map.get(e, "code") == 404}', "next": "unknown_yet"},
    ]
    handler: list[Data] = [
        _step("is_unknown", {"switch": unknown, "next": "say_it"}),
        # CDAP shows a run only a moment after it has given its id.
        _step("unknown_yet", {"assign": [{"status_now": {"body": {"status": "PENDING"}}}], "next": "handled"}),
        _step("say_it", {"raise": "${e}"}),
        _step("handled", {"assign": [{"known": False}]}),
    ]
    body: Any = poll["poll"]
    body["except"] = {"as": "e", "steps": handler}
    refused = '"the start call answered " + json.encode_to_string(begun.body) + ", which is no job id"'
    return [
        _get("find_instance", retry, {"url": "${given.instance}"}, "home"),
        _post("start_job", retry, start, [program]),
        _step(
            "check_id",
            {"switch": [{"condition": '${"runId" in begun.body[0]}', "next": "id"}], "next": "refuse_id"},
        ),
        _step("refuse_id", {"raise": f"${{{refused}}}"}),
        # Named here, so that the one below in `except` is the same.
        _step("id", {"assign": [{"job_id": "${begun.body[0].runId}"}, {"status_now": None}]}),
        _started("job_id"),
        *library._pause(),
        poll,
        *_judge(
            "job_id",
            ('status_now.body.status == "COMPLETED"', "succeeded"),
            ('status_now.body.status in ["FAILED", "KILLED", "REJECTED"]', "ended_otherwise"),
        ),
        _ended('"the run ended as " + status_now.body.status'),
        *library._success(),
    ]


_ATTEMPTS = {"bigquery-query": _bigquery, "cloud-run-job": _cloud_run, "data-fusion-pipeline": _data_fusion}
