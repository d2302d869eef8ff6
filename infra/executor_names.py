"""Physical names of the functions that a stack deploys, by the rules in `infra.naming`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dataplatform.config.platform import Gcp
from infra.trigger_names import Make

FUNCTION = "gcp:cloudfunctionsv2/function:Function"
REPOSITORY = "gcp:artifactregistry/repository:Repository"
_BUCKET = "gcp:storage/bucket:Bucket"
_ACCOUNT = "gcp:serviceaccount/account:Account"
_SHORT: Mapping[str, str] = {
    "bq-saved-query-executor": "bigquery",
    "dataform-tag-executor": "dataform",
    "dataflow-flextemplate-job-executor": "dataflow",
    "dataproc-serverless-job-executor": "dataproc",
    "intermediate": "intermediate",
    "build": "build",
}
"""What accounts are called by: an account's name has 30 characters."""


@dataclass(frozen=True, kw_only=True)
class ExecutorNames:
    """The names of the functions and of what they come with."""

    intermediate: str
    functions: Mapping[str, str]
    accounts: Mapping[str, str]
    """Account id of each executor, of `intermediate` and of `build`."""
    source_bucket: str
    repository: str
    jobs_bucket: str | None
    """Bucket of job parameter files to make; None where the stack names one."""


def executor_names(gcp: Gcp, environment: str, make: Make) -> ExecutorNames | None:
    """All names; None where the stack deploys no functions."""
    config, at = gcp.executors.deploy, ("executors", "deploy")
    if config is None:
        return None
    return ExecutorNames(
        intermediate=make(FUNCTION, gcp.executors.intermediate, "executors", "intermediate"),
        functions={name: make(FUNCTION, name, *at) for name in config.functions},
        accounts={
            key: make(_ACCOUNT, f"{environment}-fn-{_SHORT[key]}", *at)
            for key in (*config.functions, "intermediate", "build")
        },
        source_bucket=make(_BUCKET, f"{gcp.project}-{environment}-functions", *at),
        repository=make(REPOSITORY, f"{environment}-functions", *at),
        # Without the environment, as compiled texts name it: there is one set of functions in a project.
        jobs_bucket=make(_BUCKET, f"{gcp.project}-jobs", *at)
        if gcp.executors.jobs_definitions_bucket is None
        else None,
    )
