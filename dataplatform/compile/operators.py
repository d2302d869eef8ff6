"""The job of a step → the operator of an Airflow provider that runs it, with its arguments.

The operators are the providers' own, in thin subclasses of `dataplatform_runtime` that keep a plan's meaning: nothing
is a template, values of the run are filled in when the task runs, a second try adopts the job of the first. A value of
the run is carried through as a `Slot`, so that it is known where it ends up.

What AEF's functions do with the same parameters is the measure for theirs (orchestration-framework,
`functions/data-processing-engines/`), and its composer templates where a function does less.

Deferrable is an operator that waits for its job in Airflow's triggerer. Its trigger reports a job that has failed and a
question that had no answer in the same way, so a step with RETRIES, which only the first may repeat, is not deferred.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dataplatform.compile.plan import Operation, Step, Target

Data = dict[str, Any]
Path = tuple[str | int, ...]

_PROVIDERS = "airflow.providers."
_GOOGLE = f"{_PROVIDERS}google.cloud.operators."


@dataclass(frozen=True)
class Slot:
    """Stands where a value of the run belongs."""

    name: str
    text: bool = False
    """Whether the service takes it as text, whatever the parameter's type."""


START, END = Slot("run:start_date"), Slot("run:end_date")


@dataclass(frozen=True, kw_only=True)
class Task:
    """How a step becomes a task."""

    module: str
    """Module of the runtime."""
    operator: str
    """Class in it."""
    provider: str
    """Module of the provider's operator, which Airflow shall have imported before it reads the DAG."""
    arguments: Mapping[str, object]
    """What the operator is made with beside what every task is; where a value of the run belongs, its reference."""
    values: tuple[tuple[Path, str, bool], ...] = ()
    """Where that is, which, and whether it is to be text."""


@dataclass(frozen=True)
class _Build:
    """What a function that makes the arguments has at hand."""

    step: Step
    target: Target
    given: Data
    deferrable: bool = field(default=False)

    def number(self, key: str) -> Any:
        """A number, which may be written as text."""
        value = self.given.get(key)
        return int(value) if isinstance(value, str) and value.isdigit() else value

    def place(self) -> tuple[str, str]:
        """Project and region, those of the executors where the job names none."""
        return self.given.get("project_id") or self.target.project, self.given.get("location") or self.target.region


def task_for(step: Step, operation: Operation, target: Target) -> Task:
    """The task of a step that operators run."""
    make, module, operator, provider, may_defer = _OPERATORS[operation.executor]
    given: Data = with_slots(dict(operation.arguments), {path: Slot(name) for path, name in operation.values})
    deferrable = may_defer and target.deferrable and step.job_retry is None
    arguments = make(_Build(step, target, given, deferrable))
    if may_defer:
        arguments["deferrable"] = deferrable
    values: list[tuple[Path, str, bool]] = []
    plain = _without_slots(arguments, (), values)
    assert isinstance(plain, dict)
    return Task(
        module=f"dataplatform_runtime.{module}",
        operator=operator,
        provider=provider,
        arguments=plain,
        values=tuple(values),
    )


def query_configuration(given: Mapping[str, Any]) -> Data:
    """BigQuery's configuration of a query job: `Job.configuration` of its REST API."""
    query: Data = {"query": given["query"], "useLegacySql": False}
    parameters = _query_parameters(given)
    if parameters:
        query |= {"parameterMode": "NAMED", "queryParameters": parameters}
    if "destination_table" in given:
        project, dataset, table = (["", "", *str(given["destination_table"]).split(".")])[-3:]
        query["destinationTable"] = {"projectId": project, "datasetId": dataset, "tableId": table}
    for key, name in (
        ("write_disposition", "writeDisposition"),
        ("create_disposition", "createDisposition"),
        ("priority", "priority"),
    ):
        if key in given:
            query[name] = given[key]
    if "maximum_bytes_billed" in given:
        query["maximumBytesBilled"] = _text(given["maximum_bytes_billed"])
    configuration: Data = {"query": query}
    if "labels" in given:
        configuration["labels"] = given["labels"]
    return configuration


def _query_parameters(given: Mapping[str, Any]) -> list[Data]:
    """The named parameters of a query; the dates of the run are two where the query names them."""
    named = dict(given.get("query_parameters") or {})
    text = given["query"] if isinstance(given["query"], str) else ""
    for name, slot in (("start_date", START), ("end_date", END)):
        if f"@{name}" in text and name not in named:
            named[name] = {"type": "DATE", "value": slot}
    found = []
    for name, item in sorted(named.items()):
        typed = isinstance(item, dict)
        value = item.get("value") if typed else item
        kind = item.get("type") if typed else _type_of(value)
        found.append({"name": name, "parameterType": {"type": kind}, "parameterValue": {"value": _text(value)}})
    return found


def _type_of(value: object) -> str:
    match value:
        case bool():
            return "BOOL"
        case int():
            return "INT64"
        case float():
            return "FLOAT64"
        case _:
            return "STRING"


def _text(value: object) -> object:
    """Text, as services take numbers and flags; a value of the run becomes text when it is filled in."""
    if isinstance(value, Slot):
        return Slot(value.name, text=True)
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True)


def texts(values: Mapping[str, Any] | None) -> Data:
    """The same values as text."""
    return {key: _text(value) for key, value in sorted((values or {}).items())}


def run_overrides(given: Mapping[str, Any], task_count: object) -> Data:
    """Cloud Run's `overrides` of an execution; empty where the job runs as it is declared."""
    container: Data = {}
    if "args" in given:
        container["args"] = [_text(item) for item in given["args"]]
    if "env" in given:
        container["env"] = [{"name": key, "value": value} for key, value in texts(given["env"]).items()]
    overrides: Data = {}
    if container:
        overrides["container_overrides"] = [container]
    if task_count is not None:
        overrides["task_count"] = task_count
    return overrides


def _bigquery(build: _Build) -> Data:
    project, location = build.place()
    return {
        "configuration": query_configuration(build.given),
        "project_id": project,
        "location": location,
        "poll_interval": float(build.step.poll_interval),
    }


def _saved_query(build: _Build) -> Data:
    found = _bigquery(build)
    # The function asks for no hurry, and gets less of it.
    found["configuration"]["query"]["priority"] = "BATCH"
    return found


def _cloud_run(build: _Build) -> Data:
    project, location = build.place()
    overrides = run_overrides(build.given, build.number("task_count"))
    return {
        "job_name": build.given["cloud_run_job"],
        "project_id": project,
        "region": location,
        **({"overrides": overrides} if overrides else {}),
        "polling_period_seconds": float(build.step.poll_interval),
    }


def _data_fusion(build: _Build) -> Data:
    project, location = build.place()
    return {
        "instance_name": build.given["instance_name"],
        "pipeline_name": build.given["pipeline_name"],
        "namespace": build.given.get("namespace", "default"),
        "project_id": project,
        "location": location,
        "runtime_args": texts(build.given.get("runtime_args")),
        "poll_interval": build.step.poll_interval,
    }


def _databricks(build: _Build) -> Data:
    given = build.given
    return {
        **({"job_id": build.number("databricks_job_id")} if "databricks_job_id" in given else {}),
        **({"job_name": given["databricks_job_name"]} if "databricks_job_name" in given else {}),
        **({"job_parameters": texts(given["job_parameters"])} if "job_parameters" in given else {}),
        "databricks_conn_id": given.get("databricks_conn_id", "databricks_default"),
        "polling_period_seconds": build.step.poll_interval,
    }


def _data_factory(build: _Build) -> Data:
    given = build.given
    return {
        "resource_group_name": given["resource_group_name"],
        "factory_name": given["factory_name"],
        "pipeline_name": given["pipeline_name"],
        "parameters": given.get("parameters", {}),
        "azure_data_factory_conn_id": given.get("azure_data_factory_conn_id", "azure_data_factory_default"),
        "check_interval": build.step.poll_interval,
    }


def _dataform(build: _Build) -> Data:
    given = build.given
    return {
        "project_id": given["dataform_project_id"],
        "region": given["dataform_location"],
        "repository_id": given["repository_name"],
        "compilation_result": {
            "git_commitish": given.get("branch", "main"),
            "code_compilation_config": {"vars": {"end_date": END, "start_date": START}},
        },
        "included_tags": given["tags"],
        "wait_time": build.step.poll_interval,
    }


def _dataflow(build: _Build) -> Data:
    given = build.given
    region, version = given["dataflow_location"], given["dataflow_template_version"]
    environment: Data = {"tempLocation": f"gs://{given['dataflow_temp_bucket']}/dataflow/temp"}
    if "dataflow_max_workers" in given:
        environment["maxWorkers"] = build.number("dataflow_max_workers")
    environment |= {key: given[key] for key in ("network", "subnetwork") if key in given}
    return {
        "project_id": given.get("dataflow_project_id", build.target.project),
        "location": region,
        "body": {
            "launchParameter": {
                "parameters": texts(given["dataflow_job_params"]),
                "containerSpecGcsPath": (
                    f"gs://dataflow-templates-{region}/{version}/flex/{given['dataflow_template_name']}"
                ),
                "environment": environment,
            }
        },
        "poll_sleep": build.step.poll_interval,
    }


def _dataproc(build: _Build) -> Data:
    given = build.given
    project, region = given["dataproc_serverless_project_id"], given["dataproc_serverless_region"]
    properties = given.get("spark_app_properties")
    if isinstance(properties, str):
        properties = json.loads(properties) if properties.strip() else {}
    runtime: Data = {"version": given["dataproc_serverless_runtime_version"]}
    if properties:
        runtime["properties"] = texts(properties)
    execution: Data = {}
    if "dataproc_service_account" in given:
        execution["service_account"] = given["dataproc_service_account"]
    if "subnetwork" in given:
        execution["subnetwork_uri"] = f"projects/{project}/{given['subnetwork']}"
    environment: Data = {"execution_config": execution} if execution else {}
    if "spark_history_server_cluster" in given:
        cluster = f"projects/{project}/regions/{region}/clusters/{given['spark_history_server_cluster']}"
        environment["peripherals_config"] = {"spark_history_server_config": {"dataproc_cluster": cluster}}
    return {
        "project_id": project,
        "region": region,
        "batch": {
            "spark_batch": {
                "jar_file_uris": [given["jar_file_location"]],
                "main_class": given["spark_app_main_class"],
                "args": [_text(item) for item in given.get("spark_args", [])],
            },
            "runtime_config": runtime,
            **({"environment_config": environment} if environment else {}),
        },
        "polling_interval_seconds": build.step.poll_interval,
    }


_OPERATORS: Mapping[str, tuple[Callable[[_Build], Data], str, str, str, bool]] = {
    "bigquery-query": (_bigquery, "bigquery", "BigQueryStep", f"{_GOOGLE}bigquery", True),
    "bq-saved-query-executor": (_saved_query, "bigquery", "BigQueryStep", f"{_GOOGLE}bigquery", True),
    "cloud-run-job": (_cloud_run, "cloud_run", "CloudRunStep", f"{_GOOGLE}cloud_run", True),
    "data-factory-pipeline": (
        _data_factory,
        "data_factory",
        "DataFactoryStep",
        f"{_PROVIDERS}microsoft.azure.operators.data_factory",
        True,
    ),
    "data-fusion-pipeline": (_data_fusion, "data_fusion", "DataFusionStep", f"{_GOOGLE}datafusion", False),
    "databricks-run-now": (
        _databricks,
        "databricks",
        "DatabricksStep",
        f"{_PROVIDERS}databricks.operators.databricks",
        True,
    ),
    "dataflow-flextemplate-job-executor": (_dataflow, "dataflow", "DataflowStep", f"{_GOOGLE}dataflow", True),
    "dataform-tag-executor": (_dataform, "dataform", "DataformStep", f"{_GOOGLE}dataform", False),
    "dataproc-serverless-job-executor": (_dataproc, "dataproc", "DataprocStep", f"{_GOOGLE}dataproc", True),
}
"""Executor → what makes the arguments, the module and the class of the runtime, the provider's module, and whether the
operator may be deferred."""


def with_slots(value: Any, slots: Mapping[Path, Slot], path: Path = ()) -> Any:
    """JSON data with a slot wherever a value of the run belongs."""
    if path in slots:
        return slots[path]
    if isinstance(value, Mapping):
        return {key: with_slots(item, slots, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [with_slots(item, slots, (*path, index)) for index, item in enumerate(value)]
    return value


def _without_slots(value: Any, path: Path, found: list[tuple[Path, str, bool]]) -> Any:
    if isinstance(value, Slot):
        found.append((path, value.name, value.text))
        return f"${value.name}" if value.name.startswith("run:") else f"$parameter:{value.name}"
    if isinstance(value, Mapping):
        return {key: _without_slots(item, (*path, key), found) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_slots(item, (*path, index), found) for index, item in enumerate(value)]
    return value
