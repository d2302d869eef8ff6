"""The step executors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.gcp.deploy import Deploy
from dataplatform.config.model import Model
from dataplatform.config.types import FunctionName, GcpProjectId, GcpRegion


class Executors(Model):
    """The step executors of the AEF orchestration framework, reached through its intermediate function.

    The URL of a function is `https://<region>-<project>.cloudfunctions.net/<name>`.
    """

    project: GcpProjectId | None = None
    """Project of the functions; the stack's where left out."""
    region: GcpRegion | None = None
    intermediate: FunctionName = "orch-framework-intermediate"
    functions: list[FunctionName] = []
    """Executor functions of the stack's own, besides the framework's; definitions may then name them."""
    jobs_definitions_bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")] | None = None
    """Bucket of the job parameter files; the lake's bucket `<project>-jobs` is used where left out."""
    run: Literal["http", "operators"] = "http"
    """How Airflow runs the jobs of known executors: by their functions, or with the operators of its providers."""
    generation: Literal[1, 2] = 2
    """Of Cloud Functions, that the functions are of: one of the second is called by the right to its Cloud Run
    service."""
    grant: Literal["project", "function", "none"] | None = None
    """On what the pipelines' identities are granted to call functions: on the very functions, which must be there
    before the stack; on their whole project; or nothing, where somebody else grants it. Where left out: on the
    functions that the stack makes itself, else on the project."""
    deploy: Deploy | None = None
    """Deploy the framework's functions from the project's own source; they are from elsewhere where left out."""
