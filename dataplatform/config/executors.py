"""The registry of step executors: the Cloud Functions a definition may name, and what their job parameter files hold.

Two generations of names are in use. The framework's present names are those of the functions that AEF
orchestration-framework deploys (commit c158804); the names with the prefix `orch-framework-` are those of its first
version, which stand in definitions people still have (AEF data-orchestration, `workflow-definitions` and its history).
A stack adds its own under `gcp.executors.functions`.

Keys of job parameter files are those that AEF's generator reads for the executor (AEF data-orchestration 977900a,
`composer-templates/`), with those of its sample files (AEF data-transformation 65725bc). What only some read or have is
optional. An executor without `keys` is one whose files nothing is known of: they are looked through for secrets and
placeholders and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

KeyType = Literal["text", "number", "list", "object", "value"]
"""What a key of a job parameter file holds; `number` may be written as text, `value` is anything."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of an executor's job parameter files."""

    type: KeyType = "text"
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Executor:
    """One executor: a function that starts jobs, and one that reports on them."""

    name: str
    start: str
    status: str
    keys: Mapping[str, Key] | None = None
    """Of its job parameter files; None where nothing is known of them."""


def _executor(name: str, keys: Mapping[str, Key] | None = None) -> Executor:
    return Executor(name=name, start=name, status=name, keys=keys)


_OPTIONAL = Key(required=False)

_ALL = (
    _executor("bq-saved-query-executor"),
    _executor(
        "dataflow-flextemplate-job-executor",
        {
            "dataflow_location": Key(),
            "dataflow_project_id": _OPTIONAL,
            "dataflow_template_name": Key(),
            "dataflow_template_version": Key(),
            "dataflow_job_params": Key(type="object"),
            "dataflow_temp_bucket": Key(),
            "dataflow_max_workers": Key(type="number", required=False),
            "network": _OPTIONAL,
            "subnetwork": _OPTIONAL,
        },
    ),
    _executor(
        "dataform-tag-executor",
        {
            "dataform_location": Key(),
            "dataform_project_id": Key(),
            "repository_name": Key(),
            "branch": _OPTIONAL,
            "tags": Key(type="list"),
        },
    ),
    _executor(
        "dataproc-serverless-job-executor",
        {
            "dataproc_serverless_project_id": Key(),
            "dataproc_serverless_region": Key(),
            "jar_file_location": Key(),
            "spark_app_main_class": Key(),
            "spark_args": Key(type="list", required=False),
            "dataproc_serverless_runtime_version": Key(),
            "spark_app_properties": Key(type="value", required=False),
            "spark_app_config_bucket": _OPTIONAL,
            "spark_history_server_cluster": _OPTIONAL,
            "dataproc_service_account": _OPTIONAL,
            "subnetwork": _OPTIONAL,
        },
    ),
    _executor("orch-framework-dataflow-executor"),
    _executor("orch-framework-dataflow-jdbc-to-bq-executor"),
    _executor("orch-framework-dataproc-serverless-job-executor"),
    _executor("orch-framework-simple-dataform-query-executor"),
)

REGISTRY: Final[Mapping[str, Executor]] = MappingProxyType({executor.name: executor for executor in _ALL})
"""Name → executor, of those that every stack has."""

EXECUTORS: Final[frozenset[str]] = frozenset(
    function for executor in _ALL for function in (executor.start, executor.status)
)
"""Names that FUNCTION_ID_NAME, FUNCTION_STATUS_NAME, FUNCTION_NAME and COMPOSER_STEP may have on every stack."""
