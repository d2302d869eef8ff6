"""Step executors: the Cloud Functions a definition may name.

Two generations of names are in use. The framework's present names are those of the functions that AEF
orchestration-framework deploys (commit c158804); the names with the prefix `orch-framework-` are those of its first
version, which stand in definitions people still have (AEF data-orchestration, `workflow-definitions` and its history).
A stack adds its own under `gcp.executors.functions`.
"""

from __future__ import annotations

from typing import Final

EXECUTORS: Final[frozenset[str]] = frozenset(
    {
        "bq-saved-query-executor",
        "dataflow-flextemplate-job-executor",
        "dataform-tag-executor",
        "dataproc-serverless-job-executor",
        "orch-framework-dataflow-executor",
        "orch-framework-dataflow-jdbc-to-bq-executor",
        "orch-framework-dataproc-serverless-job-executor",
        "orch-framework-simple-dataform-query-executor",
    }
)
"""Names that FUNCTION_ID_NAME, FUNCTION_STATUS_NAME and COMPOSER_STEP may have on every stack."""
