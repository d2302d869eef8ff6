"""Step executors that the stack deploys itself, as Cloud Run functions of the project's own source."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Duration, Name

DeployedName = Literal[
    "bq-saved-query-executor",
    "dataform-tag-executor",
    "dataflow-flextemplate-job-executor",
    "dataproc-serverless-job-executor",
]
"""An executor whose source the project has."""
DEPLOYED: tuple[DeployedName, ...] = (
    "bq-saved-query-executor",
    "dataform-tag-executor",
    "dataflow-flextemplate-job-executor",
    "dataproc-serverless-job-executor",
)
"""All of them."""


class Deploy(Model):
    """The functions: which, how large, and who reaches them."""

    functions: Annotated[list[DeployedName], Field(min_length=1)] = list(DEPLOYED)
    """The executors that are deployed, beside the intermediate function that calls them."""
    runtime: Literal["python311", "python312", "python313"] = "python312"
    """Version of Python they run on."""
    ingress: Literal["internal", "all"] = "internal"
    """From where they are reached: from the project's networks and from Workflows, or from everywhere. Either way only
    the pipelines' identities may call them."""
    subnet: Name | None = None
    """Subnet of the stack's network that the intermediate function calls the executors through; `internal` needs it."""
    memory_mb: Annotated[int, Field(ge=256, le=32768)] = 256
    """Memory of an instance."""
    timeout: Duration = timedelta(minutes=5)
    """How long a call may take, up to an hour. A call starts a job or asks for its state; neither waits for its end."""
    min_instances: Annotated[int, Field(ge=0, le=100)] = 0
    """Instances that are kept although nothing calls."""
    max_instances: Annotated[int, Field(ge=1, le=1000)] = 20
    """Instances at most."""
