"""The step executors."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

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
