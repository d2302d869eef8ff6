"""What a failed run sets off: one call of a function that tells somebody."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from dataplatform_runtime.protocol import EMULATOR_VARIABLE, STATUS_CALL_SECONDS
from dataplatform_runtime.protocol import http_post as _http_post

_LOG = logging.getLogger(__name__)


class NotifyFailure:
    """A DAG's `on_failure_callback`: calls a function with `pipeline`, `execution_id`, `state` and `message`.

    A call that fails is logged and changes nothing: the run has failed already.
    """

    def __init__(self, *, pipeline: str, function: str, intermediate_url: str) -> None:
        self.pipeline = pipeline
        self.function = function
        self.intermediate_url = intermediate_url

    def __call__(self, context: Mapping[str, Any]) -> None:
        """Call the function."""
        emulator = os.environ.get(EMULATOR_VARIABLE, "").rstrip("/")
        host = f"{emulator}/" if emulator else self.intermediate_url.rsplit("/", 1)[0] + "/"
        run = context.get("dag_run")
        body = {
            "pipeline": self.pipeline,
            "execution_id": str(context.get("run_id") or getattr(run, "run_id", "")),
            "state": "failed",
            "message": f"pipeline {self.pipeline} failed: {context.get('reason') or 'see its run'}",
        }
        reply = _http_post()(host + self.function, body, STATUS_CALL_SECONDS)
        if not reply.answered:
            _LOG.error("%s could not be told: HTTP status %s: %s", self.function, reply.status, reply.text[:1000])
