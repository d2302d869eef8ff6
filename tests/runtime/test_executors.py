"""The stand-in executors refuse what the real intermediate refuses, and do what their script says."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from dataplatform.local.executors import ExecutorServer, JobScript, serve

GOOD = {
    "call_type": "get_id",
    "workflow_name": "w",
    "execution_id": "e",
    "job_name": "load",
    "function_url_to_call": "https://eu-p.cloudfunctions.net/some-executor",
    "query_variables": {"start_date": "2025-01-01", "end_date": "2025-01-02"},
    "workflow_properties": None,
    "step_properties": {},
}


def post(server: ExecutorServer, body: Any) -> tuple[int, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}/intermediate", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_job_that_nobody_scripted_succeeds_at_the_second_poll() -> None:
    with serve() as server:
        status, job = post(server, GOOD)
        assert (status, job) == (200, "aef_load_1")
        poll = {**GOOD, "call_type": "get_status", "async_job_id": job}
        assert [post(server, poll), post(server, poll)] == [(200, "running"), (200, "success")]
        assert [(call.call_type, call.function) for call in server.calls] == [
            ("get_id", "some-executor"),
            ("get_status", "some-executor"),
            ("get_status", "some-executor"),
        ]
        assert post(server, GOOD) == (200, "aef_load_2")
        server.forget()
        assert server.calls == []
        assert post(server, GOOD) == (200, "aef_load_1")


@pytest.mark.parametrize(
    "key", ["workflow_name", "execution_id", "job_name", "function_url_to_call", "query_variables"]
)
def test_a_request_without_what_the_function_reads_is_refused(key: str) -> None:
    with serve() as server:
        status, answer = post(server, {name: value for name, value in GOOD.items() if name != key})
    assert status == 500
    assert key in answer


def test_dates_call_type_and_job_id_are_needed() -> None:
    with serve() as server:
        assert "query_variables.end_date" in post(server, {**GOOD, "query_variables": {"start_date": "x"}})[1]
        assert post(server, {**GOOD, "call_type": "stop"})[0] == 500
        assert post(server, {**GOOD, "call_type": "get_status"})[0] == 500
        assert post(server, {**GOOD, "call_type": "get_status", "async_job_id": "aef_load_9"})[0] == 500
        assert post(server, b"[") == (400, "the request is not a JSON object")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (JobScript(outcome="failed", polls=1), [200, 500]),
        (JobScript(outcome="never"), [200, 200]),
        (JobScript(outcome="start_fails"), [500, 500]),
        (JobScript(outcome="transient_503", polls=1), [503, 200]),
        (JobScript(outcome="odd_status", polls=1), [200, 200]),
    ],
)
def test_outcomes(script: JobScript, expected: list[int]) -> None:
    with serve({"load": script}) as server:
        first = post(server, GOOD)
        body = {**GOOD, "call_type": "get_status", "async_job_id": "aef_load_1"}
        second = post(server, GOOD if first[0] == 503 else body)
    assert [first[0], second[0]] == expected
