"""Executors of our own vocabulary: services that run jobs themselves, without a function in between.

Airflow runs them with its providers' operators. Cloud Workflows runs those of Google Cloud by calls of their REST APIs;
Databricks and Data Factory take no identity of Google Cloud, so a workflow cannot call them.
"""

from __future__ import annotations

from dataplatform.config.executors.model import OPTIONAL, Executor, Grant, Key, Runner

_BIGQUERY = "https://cloud.google.com/bigquery/docs/access-control"
_FUSION = "https://cloud.google.com/data-fusion/docs/access-control"
_RUN = "https://cloud.google.com/run/docs/reference/iam/roles"


def _google(*grants: Grant) -> dict[Runner, tuple[Grant, ...]]:
    """The same roles, whichever engine runs the job."""
    return {"operators": grants, "rest": grants}


SERVICES: tuple[Executor, ...] = (
    Executor(
        name="bigquery-query",
        function=False,
        operator=True,
        rest=True,
        keys={
            "query": Key(about="GoogleSQL. `@start_date` and `@end_date` in it are the run's dates."),
            "project_id": Key(required=False, fixed=True, about="Where the job runs; the executors' where left out."),
            "location": Key(required=False, fixed=True, about="Such as EU; the executors' region where left out."),
            "query_parameters": Key(
                type="object", required=False, about="Name → value, or {type, value}, of `@name` in the query."
            ),
            "destination_table": Key(
                required=False, fixed=True, pattern=r"[^.]+\.[^.]+\.[^.]+", about="project.dataset.table"
            ),
            "write_disposition": Key(required=False, choices=("WRITE_TRUNCATE", "WRITE_APPEND", "WRITE_EMPTY")),
            "create_disposition": Key(required=False, choices=("CREATE_IF_NEEDED", "CREATE_NEVER")),
            "priority": Key(required=False, choices=("INTERACTIVE", "BATCH")),
            "maximum_bytes_billed": Key(type="number", required=False),
            "labels": Key(type="object", required=False),
        },
        apis=("bigquery.googleapis.com",),
        roles=_google(
            Grant(role="roles/bigquery.jobUser", scope="project", why="run queries", source=_BIGQUERY),
            Grant(
                role="roles/bigquery.dataEditor",
                scope="dataset",
                why="read and write the tables of the query",
                source=_BIGQUERY,
            ),
        ),
    ),
    Executor(
        name="data-fusion-pipeline",
        function=False,
        operator=True,
        rest=True,
        keys={
            "instance_name": Key(fixed=True, about="Such as `$datafusion:core`."),
            "pipeline_name": Key(fixed=True),
            "project_id": Key(required=False, fixed=True),
            "location": Key(required=False, fixed=True),
            "namespace": Key(required=False, fixed=True, about="`default` where left out."),
            "runtime_args": Key(type="object", required=False, about="Values are text."),
        },
        apis=("datafusion.googleapis.com",),
        roles=_google(
            # Not roles/datafusion.runner, which is for the service account of the Dataproc clusters.
            Grant(
                role="roles/datafusion.viewer",
                scope="project",
                why="find the instance, start pipelines and watch them",
                source=_FUSION,
            ),
        ),
    ),
    Executor(
        name="cloud-run-job",
        function=False,
        operator=True,
        rest=True,
        keys={
            "cloud_run_job": Key(fixed=True),
            "project_id": Key(required=False, fixed=True),
            "location": Key(required=False, fixed=True),
            "args": Key(type="list", required=False, about="Arguments of the container, in place of the job's."),
            "env": Key(type="object", required=False, about="Environment variables; values are text."),
            "task_count": Key(type="number", required=False),
        },
        apis=("run.googleapis.com",),
        roles=_google(
            Grant(
                role="roles/run.jobsExecutorWithOverrides",
                scope="job",
                why="run the job with arguments and variables of its own",
                source=_RUN,
            ),
            Grant(role="roles/run.viewer", scope="job", why="watch the execution", source=_RUN),
        ),
    ),
    Executor(
        name="databricks-run-now",
        function=False,
        operator=True,
        keys={
            "databricks_job_id": Key(type="number", required=False),
            "databricks_job_name": OPTIONAL,
            "job_parameters": Key(type="object", required=False, about="Values are text."),
            "databricks_conn_id": Key(required=False, about="Airflow connection; `databricks_default` if left out."),
        },
        one_of=(("databricks_job_id", "databricks_job_name"),),
        roles={
            "operators": (
                Grant(
                    role="CAN_MANAGE_RUN",
                    scope="workspace",
                    why="run the job and watch it; of the identity of the connection, on the job",
                    source="https://docs.databricks.com/aws/en/security/auth/access-control/#job-acls",
                ),
            )
        },
    ),
    Executor(
        name="data-factory-pipeline",
        function=False,
        operator=True,
        keys={
            "resource_group_name": Key(),
            "factory_name": Key(),
            "pipeline_name": Key(),
            "parameters": Key(type="object", required=False),
            "azure_data_factory_conn_id": Key(
                required=False, about="Airflow connection; `azure_data_factory_default` if left out."
            ),
        },
        roles={
            "operators": (
                Grant(
                    role="Data Factory Contributor",
                    scope="factory",
                    why="run the pipeline and watch it; of the identity of the connection",
                    source="https://learn.microsoft.com/azure/data-factory/concepts-roles-permissions",
                ),
            )
        },
    ),
)
"""Every service that a step may name in place of a function."""
