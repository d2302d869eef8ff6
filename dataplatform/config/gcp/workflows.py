"""Cloud Workflows."""

from __future__ import annotations

from typing import Literal

from dataplatform.config.model import Model


class Workflows(Model):
    """Cloud Workflows: how compiled definitions are deployed and what they call."""

    call_log_level: Literal["LOG_ALL_CALLS", "LOG_ERRORS_ONLY", "LOG_NONE"] = "LOG_ERRORS_ONLY"
