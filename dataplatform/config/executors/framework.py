"""The executors of the AEF orchestration framework: Cloud Functions, each with its job parameter files.

Two generations of names are in use. The framework's present names are those of the functions that AEF
orchestration-framework deploys (commit c158804); the names with the prefix `orch-framework-` are those of its first
version, which stand in definitions people still have (AEF data-orchestration, `workflow-definitions` and its history).

Keys of job parameter files are those that AEF's generator reads for the executor (AEF data-orchestration 977900a,
`composer-templates/`), with those of its sample files (AEF data-transformation 65725bc) and those its functions read
(`functions/data-processing-engines/`). What only some read or have is optional. An executor without `keys` is one whose
files nothing is known of: they are looked through for secrets and placeholders and no more.

`bq-saved-query-executor` reads no job parameter file: its three keys come to the function in the properties of the run,
and the query stands in a repository of Dataform, at `definitions/<workflow>/<JOB_NAME>.sqlx`. An operator has no such
function to read it, so there the file has it as `query`.
"""

from __future__ import annotations

from collections.abc import Mapping

from dataplatform.config.executors.model import OPTIONAL, Executor, Grant, Key, Runner

_INVOKE = Grant(
    role="roles/cloudfunctions.invoker",
    scope="project",
    why="call the intermediate function",
    source="https://cloud.google.com/functions/docs/reference/iam/roles",
)
_ACT_AS = "https://cloud.google.com/dataflow/docs/concepts/access-control"

_HTTP: Mapping[Runner, tuple[Grant, ...]] = {"http": (_INVOKE,)}


def _first_version(name: str, keys: Mapping[str, Key] | None = None) -> Executor:
    return Executor(name=name, keys=keys, apis=("cloudfunctions.googleapis.com",), roles=_HTTP)


_DATAPROC_KEYS = {
    "dataproc_serverless_project_id": Key(fixed=True),
    "dataproc_serverless_region": Key(fixed=True),
    "jar_file_location": Key(),
    "spark_app_main_class": Key(),
    "spark_args": Key(type="list", required=False),
    "dataproc_serverless_runtime_version": Key(),
    "spark_app_properties": Key(type="value", required=False),
    "spark_app_config_bucket": OPTIONAL,
    "spark_history_server_cluster": Key(required=False, fixed=True),
    "dataproc_service_account": OPTIONAL,
    "subnetwork": Key(required=False, fixed=True),
}

FRAMEWORK: tuple[Executor, ...] = (
    Executor(
        name="bq-saved-query-executor",
        operator=True,
        keys={
            "dataform_location": OPTIONAL,
            "dataform_project_id": OPTIONAL,
            "repository_name": OPTIONAL,
            "query": Key(required=False, about="The query; what an operator runs."),
            "location": Key(required=False, about="Where the query runs; the stack's region where left out."),
        },
        apis=("cloudfunctions.googleapis.com", "bigquery.googleapis.com", "dataform.googleapis.com"),
        roles={
            **_HTTP,
            "operators": (
                Grant(
                    role="roles/bigquery.jobUser",
                    scope="project",
                    why="run queries",
                    source="https://cloud.google.com/bigquery/docs/access-control",
                ),
                Grant(
                    role="roles/bigquery.dataEditor",
                    scope="dataset",
                    why="read and write the tables of the query",
                    source="https://cloud.google.com/bigquery/docs/access-control",
                ),
            ),
        },
    ),
    Executor(
        name="dataflow-flextemplate-job-executor",
        operator=True,
        keys={
            "dataflow_location": Key(fixed=True),
            "dataflow_project_id": Key(required=False, fixed=True),
            "dataflow_template_name": Key(fixed=True),
            "dataflow_template_version": Key(fixed=True),
            "dataflow_job_params": Key(type="object"),
            "dataflow_temp_bucket": Key(fixed=True),
            "dataflow_max_workers": Key(type="number", required=False),
            "network": OPTIONAL,
            "subnetwork": OPTIONAL,
        },
        apis=("cloudfunctions.googleapis.com", "dataflow.googleapis.com", "compute.googleapis.com"),
        roles={
            **_HTTP,
            "operators": (
                Grant(role="roles/dataflow.developer", scope="project", why="launch and watch jobs", source=_ACT_AS),
                Grant(
                    role="roles/iam.serviceAccountUser",
                    scope="service_account",
                    why="run the workers as their service account",
                    source=_ACT_AS,
                ),
                Grant(
                    role="roles/storage.objectAdmin",
                    scope="bucket",
                    why="keep the job's temporary files",
                    source=_ACT_AS,
                ),
            ),
        },
    ),
    Executor(
        name="dataform-tag-executor",
        operator=True,
        keys={
            "dataform_location": Key(fixed=True),
            "dataform_project_id": Key(fixed=True),
            "repository_name": Key(fixed=True),
            "branch": OPTIONAL,
            "tags": Key(type="list"),
        },
        apis=("cloudfunctions.googleapis.com", "dataform.googleapis.com", "bigquery.googleapis.com"),
        roles={
            **_HTTP,
            "operators": (
                Grant(
                    role="roles/dataform.editor",
                    scope="project",
                    why="compile a repository and run its workflow",
                    source="https://cloud.google.com/dataform/docs/access-control",
                ),
            ),
        },
    ),
    Executor(
        name="dataproc-serverless-job-executor",
        operator=True,
        keys=_DATAPROC_KEYS,
        apis=("cloudfunctions.googleapis.com", "dataproc.googleapis.com", "compute.googleapis.com"),
        roles={
            **_HTTP,
            "operators": (
                Grant(
                    role="roles/dataproc.editor",
                    scope="project",
                    why="create and watch batches",
                    source="https://cloud.google.com/dataproc-serverless/docs/concepts/iam",
                ),
                Grant(
                    role="roles/iam.serviceAccountUser",
                    scope="service_account",
                    why="run the batch as its service account",
                    source="https://cloud.google.com/dataproc-serverless/docs/concepts/service-account",
                ),
            ),
        },
    ),
    # Of the first version's functions these two are known to be what the present ones grew out of; the template for the
    # JDBC one (AEF data-orchestration, its first commit) is an empty task, so nothing is known of its files.
    _first_version("orch-framework-dataflow-executor"),
    _first_version("orch-framework-dataflow-jdbc-to-bq-executor"),
    _first_version(
        "orch-framework-dataproc-serverless-job-executor",
        # `workflow_properties[…]` of its function; a job file has what it reads as arguments.
        None,
    ),
    _first_version(
        "orch-framework-simple-dataform-query-executor",
        {
            "dataform_location": OPTIONAL,
            "dataform_project_id": OPTIONAL,
            "repository_name": OPTIONAL,
            "file_path": Key(required=False, about="The file of the query in its repository."),
        },
    ),
)
"""Every executor that the framework deploys or has deployed."""
