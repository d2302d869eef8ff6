"""The intermediate function: what workflows and Airflow call, and the only one that calls executors.

It answers `aef…`, the id of a job that was started, or `success` or `running`; anything else is 500 with the reason, so
that a failure is never read as a state.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

import urllib3

from executors.contract import Answer, ExecutorError, Request, as_object, log
from executors.http import Tokens, own_tokens, pool

NAME = "intermediate"
SUCCESS = frozenset({"DONE", "SUCCESS", "SUCCEEDED", "JOB_STATE_DONE"})
RUNNING = frozenset({"PENDING", "RUNNING", "JOB_STATE_QUEUED", "JOB_STATE_RUNNING", "JOB_STATE_PENDING"})
_JOB_ID = re.compile(r"aef[_-][\x21-\x7e]{1,1000}")
_DATES = ("start_date", "end_date")
_TEXT = {"Content-Type": "text/html; charset=utf-8"}


def handle(request: Request, tokens: Tokens | None = None) -> Answer:
    """Answer one call of a workflow."""
    try:
        body = request.get_json(force=True, silent=True)
        if not isinstance(body, dict):
            raise ExecutorError("the request's body is not a JSON object")
        told = _answer(body, tokens or own_tokens())
    except ExecutorError as error:
        log("executor_error", NAME, str(error), severity="ERROR")
        return f"Exception : Exception({json.dumps(str(error))})", 500, _TEXT
    return told, 200, _TEXT


def _answer(body: Mapping[str, Any], tokens: Tokens) -> str:
    kind = body.get("call_type")
    if kind not in ("get_id", "get_status"):
        raise ExecutorError("call_type is neither get_id nor get_status")
    job = body.get("job_name")
    told = call_executor(executor_url(body), executor_body(body, status=kind == "get_status"), tokens)
    if kind == "get_id":
        if not _JOB_ID.fullmatch(told):
            raise ExecutorError(f"the executor of {job} answered {told[:500]!r}, which is no job id")
        log("started", NAME, told, workflow=str(body.get("workflow_name")), job=str(job))
        return told
    if told in SUCCESS:
        return "success"
    if told in RUNNING:
        return "running"
    raise ExecutorError(f"the job {body.get('async_job_id')} of {job} has ended as {told[:500]}")


def executor_url(body: Mapping[str, Any]) -> str:
    """The executor's address.

    Raises:
        ExecutorError: it is none of the stack's: the token of this function goes nowhere else.
    """
    url, home = body.get("function_url_to_call"), os.environ.get("FUNCTIONS_URL", "").rstrip("/")
    if not isinstance(url, str) or not home or not re.fullmatch(re.escape(home) + r"/[A-Za-z][A-Za-z0-9_-]{0,62}", url):
        raise ExecutorError("function_url_to_call is no function of this platform")
    return url


def executor_body(body: Mapping[str, Any], *, status: bool) -> dict[str, Any]:
    """What the executor is told.

    Raises:
        ExecutorError: something is missing.
    """
    variables = as_object(body.get("query_variables"), "query_variables")
    for name in _DATES:
        if isinstance(variables.get(name), str):
            # Executors of AEF put dates into SQL as they are, so they come in quotes.
            variables[name] = "'" + variables[name].strip("'") + "'"
    found: dict[str, Any] = {
        "workflow_properties": {
            **as_object(body.get("workflow_properties"), "workflow_properties"),
            **as_object(body.get("step_properties"), "step_properties"),
        },
        "workflow_name": body.get("workflow_name"),
        "job_name": body.get("job_name"),
        "query_variables": variables,
    }
    if status:
        if not isinstance(body.get("async_job_id"), str):
            raise ExecutorError("async_job_id is missing")
        found["job_id"] = body["async_job_id"]
    return found


def call_executor(url: str, body: Mapping[str, Any], tokens: Tokens) -> str:
    """What the executor answers, as text.

    Raises:
        ExecutorError: it could not be called, or answered a failure.
    """
    # Called by another address than its own where a test or a private endpoint says so; the token is for its own.
    via = os.environ.get("ENDPOINT_FUNCTIONS", "").rstrip("/")
    address = f"{via}/{url.rpartition('/')[2]}" if via else url
    headers = {"Authorization": f"Bearer {tokens.identity(url)}", "Content-Type": "application/json"}
    try:
        answer = pool().request("POST", address, body=json.dumps(body).encode(), headers=headers)
    except urllib3.exceptions.HTTPError as error:
        raise ExecutorError(f"the executor could not be reached: {type(error).__name__}") from None
    text = answer.data.decode("utf-8", "replace").strip()
    if answer.status >= 400:
        raise ExecutorError(f"the executor answered {answer.status}: {text[:500]}")
    if text.startswith("{"):
        try:
            failure = json.loads(text)
        except ValueError:
            failure = {}
        if isinstance(failure, dict) and "error" in failure:
            raise ExecutorError(f"the executor failed: {failure.get('message', failure['error'])}")
    return text
