"""Cloud Workflows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model

EnvironmentVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
"""Name of a variable that a workflow reads with `sys.get_env`."""


class Workflows(Model):
    """Cloud Workflows: how compiled definitions are deployed and what they call."""

    call_log_level: Literal["LOG_ALL_CALLS", "LOG_ERRORS_ONLY", "LOG_NONE"] = "LOG_ERRORS_ONLY"
    """Which calls of an execution are logged."""
    execution_history: Literal["basic", "detailed"] = "basic"
    """What is kept of each execution's steps; `detailed` has the values of variables too."""
    env: Annotated[dict[EnvironmentVariable, Annotated[str, Field(max_length=4096)]], Field(max_length=20)] = {}
    """Variables of all workflows, at most 20 of 4 KiB. They are no place for secrets: everybody who may see a workflow
    sees them."""
