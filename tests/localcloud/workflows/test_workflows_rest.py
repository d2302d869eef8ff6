"""The REST doors, through Google's own Python client with only the endpoint changed."""

from __future__ import annotations

import http.client
import json
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from localcloud.workflows.executions import ExecutionsService
from localcloud.workflows.server import Server, serve
from localcloud.workflows.service import WorkflowsService
from localcloud.world import World

PARENT = "projects/acme/locations/europe-west1"
HELLO = "main: {params: [args], steps: [{a: {return: '${args}'}}]}"
SLEEPER = "- a: {assign: [{x: 1}]}\n- wait: {call: sys.sleep, args: {seconds: 3600}}\n- b: {return: '${x}'}"


@dataclass
class Cloud:
    """A server and Google's clients for it."""

    server: Server
    locations: Any
    executions: Any
    close: Callable[[], None]

    @property
    def workflows(self) -> Any:
        return self.locations.workflows()

    def deploy(self, name: str, source: str, **body: Any) -> dict[str, Any]:
        made = self.workflows.create(parent=PARENT, workflowId=name, body={"sourceContents": source, **body}).execute()
        response: dict[str, Any] = made["response"]
        return response

    def start(self, name: str, **body: Any) -> str:
        created = self.executions.create(parent=f"{PARENT}/workflows/{name}", body=body).execute()
        assert created["state"] == "ACTIVE"
        return str(created["name"])

    def ended(self, name: str) -> dict[str, Any]:
        limit = time.monotonic() + 10
        while time.monotonic() < limit:
            execution: dict[str, Any] = self.executions.get(name=name).execute()
            if execution["state"] != "ACTIVE":
                return execution
            time.sleep(0.01)
        raise AssertionError(f"still active: {execution}")


def clients(server: Server) -> Cloud:
    options = {"client_options": {"api_endpoint": server.url}, "credentials": AnonymousCredentials()}  # type: ignore[no-untyped-call]
    workflows = build("workflows", "v1", static_discovery=True, **options)
    executions = build("workflowexecutions", "v1", static_discovery=True, **options)

    def close() -> None:
        workflows.close()
        executions.close()

    return Cloud(
        server,
        workflows.projects().locations(),
        executions.projects().locations().workflows().executions(),
        close,
    )


@pytest.fixture
def cloud(world: World) -> Iterator[Cloud]:
    with serve(world, time_scale=0.001) as server:
        opened = clients(server)
        yield opened
        opened.close()


def refused(request: Any) -> dict[str, Any]:
    """The error body a request is answered with."""
    with pytest.raises(HttpError) as caught:
        request.execute()
    error: dict[str, Any] = json.loads(caught.value.content)["error"]
    assert error["code"] == int(caught.value.resp.status)
    return error


def test_life_of_a_workflow(cloud: Cloud) -> None:
    body = {
        "sourceContents": HELLO,
        "description": "says what it hears",
        "labels": {"owner": "data"},
        "serviceAccount": "runner@acme.iam.gserviceaccount.com",
        "callLogLevel": "LOG_ERRORS_ONLY",
        "userEnvVars": {"MODE": "test"},
    }
    operation = cloud.workflows.create(parent=PARENT, workflowId="hello", body=body).execute()
    assert operation["done"] is True
    assert operation["metadata"]["verb"] == "create"
    assert operation["metadata"]["target"] == f"{PARENT}/workflows/hello"
    created = cloud.workflows.get(name=f"{PARENT}/workflows/hello").execute()
    assert {k: v for k, v in operation["response"].items() if k != "@type"} == created
    assert created["state"] == "ACTIVE"
    assert re.fullmatch(r"000001-[0-9a-f]{3}", created["revisionId"])
    assert created["serviceAccount"] == "projects/acme/serviceAccounts/runner@acme.iam.gserviceaccount.com"
    assert created["createTime"] == created["updateTime"] == created["revisionCreateTime"]
    assert {k: created[k] for k in ("description", "labels", "callLogLevel", "userEnvVars")} == {
        k: body[k] for k in ("description", "labels", "callLogLevel", "userEnvVars")
    }

    name = created["name"]
    patch = cloud.workflows.patch(name=name, updateMask="labels", body={"labels": {"owner": "it"}, "description": "no"})
    same = patch.execute()["response"]
    assert same["revisionId"] == created["revisionId"]
    assert (same["labels"], same["description"]) == ({"owner": "it"}, "says what it hears")
    assert same["updateTime"] > created["updateTime"]

    source = HELLO.replace("a:", "b:")
    patched = cloud.workflows.patch(name=name, updateMask="source_contents", body={"sourceContents": source})
    second = patched.execute()["response"]
    assert second["revisionId"].startswith("000002-")
    assert second["revisionCreateTime"] == second["updateTime"]
    account = cloud.workflows.patch(name=name, updateMask="serviceAccount", body={"serviceAccount": "x@y"}).execute()
    assert account["response"]["revisionId"].startswith("000003-")
    revisions = cloud.workflows.listRevisions(name=name).execute()["workflows"]
    assert [r["revisionId"][:6] for r in revisions] == ["000003", "000002", "000001"]
    old = cloud.workflows.get(name=name, revisionId=created["revisionId"]).execute()
    assert old["sourceContents"] == HELLO

    deleted = cloud.workflows.delete(name=name).execute()
    assert deleted["response"]["@type"] == "type.googleapis.com/google.protobuf.Empty"
    assert refused(cloud.workflows.get(name=name))["status"] == "NOT_FOUND"
    assert refused(cloud.workflows.delete(name=name))["code"] == 404


def test_a_patch_without_mask_replaces_everything(cloud: Cloud) -> None:
    name = cloud.deploy("all", HELLO, description="old", labels={"a": "b"})["name"]
    changed = cloud.workflows.patch(name=name, body={"sourceContents": HELLO, "description": "new"}).execute()
    assert changed["response"]["description"] == "new"
    assert "labels" not in changed["response"]
    assert refused(cloud.workflows.patch(name=name, body={}))["message"] == "source code must be provided"


def test_operations(cloud: Cloud) -> None:
    cloud.deploy("one", HELLO)
    cloud.deploy("two", HELLO)
    operations = cloud.locations.operations()
    listed = operations.list(name=PARENT, pageSize=1).execute()
    assert listed["operations"][0]["metadata"]["target"].endswith("/two")
    rest = operations.list(name=PARENT, pageSize=1, pageToken=listed["nextPageToken"]).execute()
    name = rest["operations"][0]["name"]
    assert operations.get(name=name).execute() == rest["operations"][0]
    assert operations.delete(name=name).execute() == {}
    assert refused(operations.get(name=name))["status"] == "NOT_FOUND"


def test_conflicts_and_wrong_workflows(cloud: Cloud) -> None:
    cloud.deploy("taken", HELLO)

    def create(name: str, **body: Any) -> dict[str, Any]:
        return refused(cloud.workflows.create(parent=PARENT, workflowId=name, body={"sourceContents": HELLO, **body}))

    conflict = create("taken")
    assert (conflict["code"], conflict["status"]) == (409, "ALREADY_EXISTS")
    assert conflict["message"] == f"Resource '{PARENT}/workflows/taken' already exists"
    for name in ("", "1st", "a b", "ends-", "x" * 65, "ümlaut", "a/b"):
        assert create(name)["status"] == "INVALID_ARGUMENT", name
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"sourceContents": "- a: {next: b}"}, "parse error: in workflow 'main', step 'a': 'next' names step 'b'"),
        ({"sourceContents": ""}, "source code must be provided"),
        ({"sourceContents": 5}, "sourceContents must be a string"),
        ({"unknown": 1}, 'Unknown name "unknown"'),
        ({"labels": {"Owner": "x"}}, "label key 'Owner'"),
        ({"labels": {"1a": "x"}}, "must start with a letter"),
        ({"labels": {"a": "x" * 64}}, "exceeds 63 characters"),
        ({"labels": {f"k{n}": "v" for n in range(65)}}, "65 labels exceed the limit of 64"),
        ({"description": "x" * 1001}, "description exceeds 1000"),
        ({"callLogLevel": "LOUD"}, "Invalid value for callLogLevel"),
        ({"userEnvVars": {"GOOGLE_X": "1"}}, "cannot be empty or start with GOOGLE or WORKFLOWS"),
        ({"userEnvVars": {f"K{n}": "v" for n in range(21)}}, "21 environment variables exceed the limit of 20"),
        ({"userEnvVars": {"K": "x" * 4097}}, "exceeds 4096 bytes"),
        ({"serviceAccount": "a/b"}, "Invalid service account"),
    ]
    for body, message in wrong:
        error = create("new", **body)
        assert error["status"] == "INVALID_ARGUMENT"
        assert message in error["message"]
    assert [w["name"] for w in cloud.workflows.list(parent=PARENT).execute()["workflows"]] == [
        f"{PARENT}/workflows/taken"
    ]
    mask = cloud.workflows.patch(name=f"{PARENT}/workflows/taken", updateMask="color", body={})
    assert "Invalid field in updateMask: color" in refused(mask)["message"]
    bad = cloud.workflows.patch(name=f"{PARENT}/workflows/taken", body={"sourceContents": "- a: {}"})
    assert "a step needs one of" in refused(bad)["message"]


def test_listing_workflows(cloud: Cloud) -> None:
    for name in ("b", "a", "c"):
        cloud.deploy(name, HELLO)
    elsewhere = PARENT.replace("europe-west1", "us-central1")
    cloud.workflows.create(parent=elsewhere, workflowId="z", body={"sourceContents": HELLO}).execute()
    first = cloud.workflows.list(parent=PARENT, pageSize=2).execute()
    assert [w["name"][-1] for w in first["workflows"]] == ["a", "b"]
    second = cloud.workflows.list(parent=PARENT, pageSize=2, pageToken=first["nextPageToken"]).execute()
    assert [w["name"][-1] for w in second["workflows"]] == ["c"]
    assert "nextPageToken" not in second
    ordered = cloud.workflows.list(parent=PARENT, orderBy="createTime desc").execute()
    assert [w["name"][-1] for w in ordered["workflows"]] == ["c", "a", "b"]
    everywhere = cloud.workflows.list(parent="projects/acme/locations/-").execute()
    assert len(everywhere["workflows"]) == 4
    assert "unknown field 'color'" in refused(cloud.workflows.list(parent=PARENT, filter="color=a"))["message"]
    assert "Invalid value for orderBy" in refused(cloud.workflows.list(parent=PARENT, orderBy="color"))["message"]
    assert "page token" in refused(cloud.workflows.list(parent=PARENT, pageToken="%%"))["message"]
    locations = cloud.locations.list(name="projects/acme").execute()["locations"]
    assert [x["locationId"] for x in locations] == ["europe-west1", "us-central1"]


def test_life_of_an_execution(cloud: Cloud) -> None:
    cloud.deploy("hello", HELLO, labels={"team": "a", "kind": "x"})
    name = cloud.start("hello", argument='{"b": 1, "a": [2.5]}', labels={"kind": "y"})
    execution = cloud.ended(name)
    assert execution["state"] == "SUCCEEDED"
    assert execution["result"] == '{"a":[2.5],"b":1}'
    assert execution["argument"] == '{"b": 1, "a": [2.5]}'
    assert execution["labels"] == {"team": "a", "kind": "y"}
    assert execution["workflowRevisionId"].startswith("000001-")
    assert execution["status"] == {"currentSteps": [{"routine": "main", "step": "a"}]}
    assert execution["startTime"] <= execution["endTime"]
    assert re.fullmatch(r"\d+(\.\d+)?s", execution["duration"])
    basic = cloud.executions.get(name=name, view="BASIC").execute()
    assert set(basic) == {"name", "createTime", "startTime", "endTime", "duration", "state", "workflowRevisionId"}
    exported = cloud.executions.exportData(name=name).execute()
    assert json.loads(exported["data"])["result"] == execution["result"]
    missing = name[:-1] + ("0" if name[-1] != "0" else "1")
    assert refused(cloud.executions.get(name=missing))["status"] == "NOT_FOUND"
    assert refused(cloud.executions.create(parent=f"{PARENT}/workflows/none", body={}))["status"] == "NOT_FOUND"


def test_a_failed_execution(cloud: Cloud) -> None:
    cloud.deploy("fails", "- ok: {assign: [{m: {}}]}\n- bad: {return: '${m.nope}'}")
    execution = cloud.ended(cloud.start("fails"))
    assert execution["state"] == "FAILED"
    assert json.loads(execution["error"]["payload"])["tags"] == ["KeyError", "LookupError"]
    assert execution["error"]["context"] == 'KeyError: key not found: nope\nin step "bad", routine "main", line: 2'
    assert execution["error"]["stackTrace"]["elements"] == [
        {"routine": "main", "step": "bad", "position": {"line": "2", "column": "3", "length": "3"}}
    ]
    assert "result" not in execution
    entries = cloud.executions.stepEntries().list(parent=execution["name"]).execute()["stepEntries"]
    assert [(e["step"], e["state"]) for e in entries] == [("ok", "STATE_SUCCEEDED"), ("bad", "STATE_FAILED")]
    assert "nope" in entries[1]["exception"]["payload"]


def test_step_entries(cloud: Cloud) -> None:
    source = """
main:
  steps:
    - loop: {for: {value: v, in: [1, 2], steps: [{inner: {call: sub, args: {n: '${v}'}}}]}}
sub:
  params: [n]
  steps:
    - end_it: {return: '${n}'}
"""
    cloud.deploy("steps", source)
    name = cloud.ended(cloud.start("steps"))["name"]
    entries = cloud.executions.stepEntries()
    listed = entries.list(parent=name, pageSize=3).execute()
    assert listed["totalSize"] == 5
    rest = entries.list(parent=name, pageSize=3, pageToken=listed["nextPageToken"]).execute()
    found = listed["stepEntries"] + rest["stepEntries"]
    assert [(e["routine"], e["step"], e["stepType"]) for e in found] == [
        ("main", "loop", "STEP_FOR"),
        ("main", "inner", "STEP_SUBWORKFLOW_CALL"),
        ("sub", "end_it", "STEP_RETURN"),
        ("main", "inner", "STEP_SUBWORKFLOW_CALL"),
        ("sub", "end_it", "STEP_RETURN"),
    ]
    assert [e["navigationInfo"].get("parent") for e in found] == [None, "1", "2", "1", "4"]
    assert all(e["createTime"] <= e["updateTime"] and e["state"] == "STATE_SUCCEEDED" for e in found)
    assert entries.get(name=found[2]["name"]).execute() == found[2]
    assert [e["entryId"] for e in entries.list(parent=name, skip=3).execute()["stepEntries"]] == ["4", "5"]
    assert refused(entries.get(name=f"{name}/stepEntries/99"))["status"] == "NOT_FOUND"
    cloud.executions.deleteExecutionHistory(name=name, body={}).execute()
    assert entries.list(parent=name).execute()["stepEntries"] == []


def test_a_running_execution_shows_where_it_is(cloud: Cloud, endpoint: Any) -> None:
    cloud.deploy(
        "slow", f"- first: {{assign: [{{x: 1}}]}}\n- call_it: {{call: http.get, args: {{url: '{endpoint.url}/slow'}}}}"
    )
    name = cloud.start("slow")
    limit = time.monotonic() + 5
    while not endpoint.received and time.monotonic() < limit:
        time.sleep(0.01)
    time.sleep(0.05)
    execution = cloud.executions.get(name=name).execute()
    assert execution["state"] == "ACTIVE"
    assert execution["status"] == {"currentSteps": [{"routine": "main", "step": "call_it"}]}
    entries = cloud.executions.stepEntries().list(parent=name).execute()["stepEntries"]
    assert [e["state"] for e in entries] == ["STATE_SUCCEEDED", "STATE_IN_PROGRESS"]
    endpoint.release.set()
    assert cloud.ended(name)["state"] == "SUCCEEDED"


def test_wrong_executions(cloud: Cloud) -> None:
    cloud.deploy("hello", HELLO)

    def create(**body: Any) -> dict[str, Any]:
        return refused(cloud.executions.create(parent=f"{PARENT}/workflows/hello", body=body))

    assert create(argument="{")["message"] == "argument is not valid JSON"
    assert create(argument={"a": 1})["message"] == "argument must be a string that holds JSON"
    assert "exceeds the limit of 32768 bytes" in create(argument=json.dumps("x" * 32767))["message"]
    assert 'Unknown name "arguments"' in create(arguments="{}")["message"]
    assert "label key" in create(labels={"A": "b"})["message"]
    assert "Invalid value for callLogLevel" in create(callLogLevel="ALL")["message"]
    parent = f"{PARENT}/workflows/hello"
    assert "'soon' is not a time" in refused(cloud.executions.list(parent=parent, filter="endTime > soon"))["message"]
    assert "Invalid value for orderBy" in refused(cloud.executions.list(parent=parent, orderBy="result"))["message"]
    assert create(argument="NaN")["message"] == "argument is not valid JSON"
    assert cloud.executions.list(parent=parent).execute() == {"executions": []}


def test_listing_executions(cloud: Cloud) -> None:
    cloud.deploy("hello", HELLO)
    names = [cloud.ended(cloud.start("hello", argument=str(n)))["name"] for n in range(5)]
    parent = f"{PARENT}/workflows/hello"
    first = cloud.executions.list(parent=parent, pageSize=2).execute()
    assert [e["name"] for e in first["executions"]] == [names[4], names[3]]
    assert "argument" not in first["executions"][0]
    names.append(cloud.ended(cloud.start("hello"))["name"])
    second = cloud.executions.list(parent=parent, pageSize=2, pageToken=first["nextPageToken"], view="FULL").execute()
    assert [e["name"] for e in second["executions"]] == [names[2], names[1]]
    assert second["executions"][0]["argument"] == "2"
    done = cloud.executions.list(parent=parent, filter='state="SUCCEEDED"').execute()
    assert len(done["executions"]) == 6
    assert cloud.executions.list(parent=parent, filter="state=FAILED").execute() == {"executions": []}


def test_cancel_while_sleeping(cloud: Cloud) -> None:
    cloud.deploy("sleeps", SLEEPER.replace("3600", "3600000"))
    name = cloud.start("sleeps")
    time.sleep(0.05)
    started = time.monotonic()
    cancelled = cloud.executions.cancel(name=name).execute()
    assert cancelled["state"] == "CANCELLED"
    assert time.monotonic() - started < 0.5
    assert cancelled["error"]["payload"] == '"Execution was cancelled."'
    assert "result" not in cancelled
    entries = cloud.executions.stepEntries().list(parent=name).execute()["stepEntries"]
    assert [e["state"] for e in entries] == ["STATE_SUCCEEDED", "STATE_CANCELLED"]
    again = refused(cloud.executions.cancel(name=name))
    assert (again["code"], again["status"]) == (400, "FAILED_PRECONDITION")


def test_cancel_during_a_request(cloud: Cloud, endpoint: Any) -> None:
    cloud.deploy("calls", f"- a: {{call: http.get, args: {{url: '{endpoint.url}/slow'}}}}")
    name = cloud.start("calls")
    limit = time.monotonic() + 5
    while not endpoint.received and time.monotonic() < limit:
        time.sleep(0.01)
    started = time.monotonic()
    assert cloud.executions.cancel(name=name).execute()["state"] == "CANCELLED"
    assert time.monotonic() - started < 0.5


def test_deleting_a_workflow_ends_its_executions(cloud: Cloud) -> None:
    cloud.deploy("sleeps", SLEEPER.replace("3600", "3600000"))
    name = cloud.start("sleeps")
    cloud.workflows.delete(name=f"{PARENT}/workflows/sleeps").execute()
    limit = time.monotonic() + 5
    while name in cloud.server.executions.running and time.monotonic() < limit:
        time.sleep(0.01)
    assert name not in cloud.server.executions.running
    assert refused(cloud.executions.get(name=name))["status"] == "NOT_FOUND"
    cloud.deploy("sleeps", HELLO)
    assert cloud.executions.list(parent=f"{PARENT}/workflows/sleeps").execute() == {"executions": []}


def test_callbacks(cloud: Cloud) -> None:
    source = """
- make: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: c}
- tell: {call: sys.log, args: {text: '${c.url}'}}
- wait: {call: events.await_callback, args: {callback: '${c}', timeout: 3600000}, result: r}
- done: {return: '${r.http_request.body}'}
"""
    cloud.deploy("waits", source)
    name = cloud.start("waits")
    limit = time.monotonic() + 5
    while (
        not (listed := cloud.executions.callbacks().list(parent=name).execute().get("callbacks"))
        or listed[0]["waiters"] != "1"
    ):
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert listed[0]["method"] == "POST"
    connection = http.client.HTTPConnection("127.0.0.1", cloud.server.port)
    path = f"/v1/{listed[0]['name']}"
    connection.request("GET", path)
    response = connection.getresponse()
    assert response.status == 405
    response.read()
    connection.request("POST", path, body='{"approved": true}', headers={"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()
    execution = cloud.ended(name)
    assert execution["result"] == '{"approved":true}'
    logs = cloud.server.executions.logs(name)
    assert logs[0]["textPayload"] == f"{cloud.server.url}{path}"


def test_a_callback_keeps_one_request_until_it_is_waited_for(cloud: Cloud, endpoint: Any) -> None:
    source = f"""
- make: {{call: events.create_callback_endpoint, result: c}}
- busy: {{call: http.get, args: {{url: "{endpoint.url}/slow"}}}}
- first: {{call: events.await_callback, args: {{callback: '${{c}}', timeout: 31536000}}, result: one}}
- second: {{call: events.await_callback, args: {{callback: '${{c}}', timeout: 31536000}}, result: two}}
- third: {{call: events.await_callback, args: {{callback: '${{c}}', timeout: 31536000}}, result: three}}
- done: {{return: ['${{one.http_request.body}}', '${{text.decode(two.http_request.body)}}', '${{three.http_request}}']}}
"""
    cloud.deploy("waits", source)
    name = cloud.start("waits")
    callbacks = cloud.executions.callbacks()

    def listed() -> dict[str, Any]:
        found = callbacks.list(parent=name).execute().get("callbacks")
        return dict(found[0]) if found else {}

    def until(ready: Callable[[], bool]) -> None:
        limit = time.monotonic() + 10
        while not ready():
            assert time.monotonic() < limit
            time.sleep(0.01)

    until(lambda: bool(listed()))
    connection = http.client.HTTPConnection("127.0.0.1", cloud.server.port)

    def post(body: str, kind: str, query: str = "") -> tuple[int, str]:
        connection.request("POST", f"/v1/{listed()['name']}{query}", body=body, headers={"Content-Type": kind})
        response = connection.getresponse()
        answer = json.loads(response.read())
        return response.status, str(answer.get("error", {}).get("status", ""))

    assert post("first", "text/plain") == (200, "")
    assert post("too early", "text/plain") == (429, "RESOURCE_EXHAUSTED")
    assert listed()["waiters"] == "0"
    assert json.loads(listed()["availablePayloads"][0])["http_request"]["body"] == "first"
    endpoint.release.set()
    until(lambda: listed()["waiters"] == "1")
    assert post("bytes", "application/octet-stream") == (200, "")
    until(lambda: listed()["waiters"] == "1" and "availablePayloads" not in listed())
    path = listed()["name"]
    assert post("{not json", "application/json", "?a=1&b=x") == (200, "")
    result = json.loads(cloud.ended(name)["result"])
    assert result[:2] == ["first", "bytes"]
    assert (result[2]["body"], result[2]["query"], result[2]["method"]) == ("{not json", {"a": "1", "b": "x"}, "POST")
    connection.request("POST", f"/v1/{path}", body="late")
    assert connection.getresponse().status == 404
    connection.close()


def test_callback_timeout(cloud: Cloud) -> None:
    source = """
- make: {call: events.create_callback_endpoint, result: c}
- wait:
    try: {call: events.await_callback, args: {callback: '${c}', timeout: 20}}
    except: {as: e, steps: [{r: {return: '${e.tags}'}}]}
"""
    cloud.deploy("waits", source)
    assert cloud.ended(cloud.start("waits"))["result"] == '["TimeoutError"]'


def test_unknown_paths_and_bodies(cloud: Cloud) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", cloud.server.port)

    def ask(method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
        connection.request(method, path, body=body)
        response = connection.getresponse()
        assert response.version == 11
        assert response.getheader("Content-Type") == "application/json; charset=UTF-8"
        loaded: dict[str, Any] = json.loads(response.read())
        return response.status, loaded["error"]

    for method, path in (
        ("GET", "/"),
        ("GET", "/v2/projects/p"),
        ("PUT", f"/v1/{PARENT}/workflows/a"),
        ("POST", "/v1/x"),
    ):
        status, error = ask(method, path)
        assert (status, error["code"], error["status"]) == (404, 404, "NOT_FOUND")
    assert ask("POST", f"/v1/{PARENT}/workflows?workflowId=a", "{")[1]["message"] == "Invalid JSON payload received."
    assert ask("POST", f"/v1/{PARENT}/workflows?workflowId=a", "[]")[1]["status"] == "INVALID_ARGUMENT"
    assert ask("GET", f"/v1/{PARENT}/workflows?pageSize=many")[1]["status"] == "INVALID_ARGUMENT"
    assert ask("POST", f"/v1/{PARENT}/workflows/a:triggerPubsubExecution", "{}")[0] == 501
    connection.close()


def test_many_executions_at_once(cloud: Cloud) -> None:
    source = """
main:
  params: [n]
  steps:
    - a: {assign: [{sum: 0}]}
    - b:
        parallel:
          shared: [sum]
          for:
            value: v
            range: [1, 10]
            steps:
              - s: {call: sys.sleep, args: {seconds: 5}}
              - c: {assign: [{sum: '${sum + v * n}'}]}
    - d: {return: '${sum}'}
"""
    cloud.deploy("sums", source)
    service = cloud.server.executions
    names: list[str] = []
    lock = threading.Lock()

    def start(number: int) -> None:
        created = service.create(f"{PARENT}/workflows/sums", {"argument": str(number)})
        with lock:
            names.append(created["name"])

    threads = [threading.Thread(target=start, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results = sorted(int(service.wait(name)["result"]) for name in names)
    assert results == [55 * n for n in range(20)]


def test_an_execution_whose_process_died_is_failed(world: World) -> None:
    program = textwrap.dedent(
        f"""
        import os, pathlib, sys, time
        from localcloud.workflows.executions import ExecutionsService
        from localcloud.world import World
        service = ExecutionsService(World(pathlib.Path({str(world.home)!r})))
        service.workflows.create({PARENT!r}, "sleeps", {{"sourceContents": {SLEEPER!r}}})
        print(service.create({PARENT!r} + "/workflows/sleeps", {{}})["name"], flush=True)
        time.sleep(0.3)
        os._exit(9)
        """
    )
    # The path of this checkout, so that the child imports the same code.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 9, ran.stderr
    name = ran.stdout.strip()
    execution = ExecutionsService(world).get(name)
    assert execution["state"] == "FAILED"
    error = json.loads(execution["error"]["payload"])
    assert error["tags"] == ["SystemError"]
    assert "the process that ran this execution ended" in error["message"]


def test_a_live_execution_is_left_alone_and_can_be_cancelled_from_elsewhere(world: World) -> None:
    with serve(world) as server:
        server.workflows.create(PARENT, "sleeps", {"sourceContents": SLEEPER})
        name = server.executions.create(f"{PARENT}/workflows/sleeps", {})["name"]
        other = ExecutionsService(world)
        assert other.get(name)["state"] == "ACTIVE"
        assert other.cancel(name)["state"] == "CANCELLED"


def test_closing_the_server_fails_what_still_runs(world: World) -> None:
    server = serve(world)
    server.workflows.create(PARENT, "sleeps", {"sourceContents": SLEEPER})
    name = server.executions.create(f"{PARENT}/workflows/sleeps", {})["name"]
    server.close()
    execution = ExecutionsService(world).get(name)
    assert execution["state"] == "FAILED"
    assert json.loads(execution["error"]["payload"])["tags"] == ["SystemError"]


def test_workflows_survive_the_process(world: World) -> None:
    service = WorkflowsService(world)
    service.create(PARENT, "kept", {"sourceContents": HELLO})
    world.close()
    reopened = World(world.home)
    with serve(reopened) as server:
        cloud = clients(server)
        assert cloud.ended(cloud.start("kept", argument="5"))["result"] == "5"
        cloud.close()
    reopened.close()


def test_the_project_number_is_the_worlds(world: World) -> None:
    with world.transaction() as tx:
        tx.execute("INSERT INTO projects VALUES ('acme', 123456, 0)")
    with serve(world) as server:
        created = server.workflows.create(
            PARENT, "n", {"sourceContents": "- a: {return: '${sys.get_env(\"GOOGLE_CLOUD_PROJECT_NUMBER\")}'}"}
        )
        assert created["serviceAccount"].endswith("/123456-compute@developer.gserviceaccount.com")
        name = server.executions.create(created["name"], {})["name"]
        assert server.executions.wait(name)["result"] == '"123456"'


def test_the_api_must_be_enabled_in_a_project_of_the_world(world: World, cloud: Cloud) -> None:
    with world.transaction() as tx:
        tx.execute("INSERT INTO projects VALUES ('acme', 123456, 0)")
    error = refused(cloud.workflows.list(parent=PARENT))
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    assert error["message"].startswith("Workflows API has not been used in project 123456 before or it is disabled.")
    with world.transaction() as tx:
        tx.execute("INSERT INTO apis VALUES ('acme', 'workflows.googleapis.com', 'user')")
    cloud.deploy("hello", HELLO)
    assert cloud.ended(cloud.start("hello"))["result"] == "null"


def test_the_tables_are_in_the_worlds_file(world: World) -> None:
    WorkflowsService(world).create(PARENT, "w", {"sourceContents": HELLO})
    connection = sqlite3.connect(world.database)
    assert connection.execute("SELECT COUNT(*) FROM workflow_definitions").fetchone() == (1,)
    connection.close()


# The life of parent and child executions, through Google's client

RUN = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run"


def test_a_workflow_runs_another_one(cloud: Cloud) -> None:
    cloud.deploy("child", "main: {params: [a], steps: [{r: {return: '${a.x * 2}'}}]}")
    args = "{workflow_id: child, argument: {x: 21}}"
    cloud.deploy("parent", f"- c: {{call: {RUN}, args: {args}, result: r}}\n- d: {{return: '${{r}}'}}")
    name = cloud.start("parent")
    assert json.loads(cloud.ended(name)["result"]) == 42
    (child,) = cloud.executions.list(parent=f"{PARENT}/workflows/child", view="FULL").execute()["executions"]
    assert (child["state"], child["result"], json.loads(child["argument"])) == ("SUCCEEDED", "42", {"x": 21})
    (basic,) = cloud.executions.list(parent=f"{PARENT}/workflows/child").execute()["executions"]
    assert basic["name"] == child["name"]
    assert not {"argument", "result", "callLogLevel"} & basic.keys()
    entries = cloud.executions.stepEntries().list(parent=name).execute()["stepEntries"]
    assert [(e["step"], e["stepType"]) for e in entries] == [("c", "STEP_CONNECTOR_CALL"), ("d", "STEP_RETURN")]
    entry = cloud.executions.stepEntries().get(name=entries[0]["name"]).execute()
    assert entry["state"] == "STATE_SUCCEEDED"


def test_step_entries_come_in_pages(cloud: Cloud) -> None:
    cloud.deploy("counter", "- a: {for: {value: v, range: [1, 5], steps: [{b: {assign: [{x: '${v}'}]}}]}}")
    name = cloud.start("counter")
    cloud.ended(name)
    request = cloud.executions.stepEntries().list(parent=name, pageSize=4)
    pages = []
    while request is not None:
        page = request.execute()
        pages.append(len(page["stepEntries"]))
        assert page["totalSize"] == 6
        request = cloud.executions.stepEntries().list_next(request, page)
    assert pages == [4, 2]


def test_a_workflow_calls_the_api_of_workflows_over_http(cloud: Cloud) -> None:
    cloud.deploy("child", HELLO)
    source = f"""
- a:
    call: http.post
    args:
      url: https://workflowexecutions.googleapis.com/v1/{PARENT}/workflows/child/executions
      body: {{argument: '"hi"'}}
      auth: {{type: OAuth2}}
    result: made
- b:
    call: googleapis.workflows.v1.projects.locations.workflows.get
    args: {{name: {PARENT}/workflows/child}}
    result: found
- c: {{return: ['${{made.body.state}}', '${{found.revisionId}}']}}
"""
    cloud.deploy("parent", source)
    state, revision = json.loads(cloud.ended(cloud.start("parent"))["result"])
    assert state == "ACTIVE"
    assert revision.startswith("000001-")


def test_a_workflow_deploys_another_one(cloud: Cloud) -> None:
    base = "googleapis.workflows.v1.projects.locations.workflows"
    source = f"""
- a:
    call: {base}.create
    args:
      parent: {PARENT}
      workflowId: made
      body: {{sourceContents: "- s: {{return: 5}}"}}
    result: operation
- b: {{call: {RUN}, args: {{workflow_id: made}}, result: r}}
- c: {{call: {base}.delete, args: {{name: {PARENT}/workflows/made}}}}
- d: {{return: ['${{operation.done}}', '${{r}}']}}
"""
    cloud.deploy("maker", source)
    assert json.loads(cloud.ended(cloud.start("maker"))["result"]) == [True, 5]
    assert refused(cloud.workflows.get(name=f"{PARENT}/workflows/made"))["status"] == "NOT_FOUND"


def test_cancelling_the_parent_leaves_the_child(cloud: Cloud) -> None:
    cloud.deploy("child", SLEEPER.replace("3600", "31536000"))
    cloud.deploy("parent", f"- c: {{call: {RUN}, args: {{workflow_id: child}}}}")
    parent = cloud.start("parent")
    limit = time.monotonic() + 5
    while not cloud.executions.list(parent=f"{PARENT}/workflows/child").execute()["executions"]:
        assert time.monotonic() < limit
    cancelled = cloud.executions.cancel(name=parent, body={}).execute()
    assert cancelled["state"] == "CANCELLED"
    listed = cloud.executions.list(parent=f"{PARENT}/workflows/child", filter='state="ACTIVE"').execute()
    (child,) = listed["executions"]
    assert cloud.executions.cancel(name=child["name"], body={}).execute()["state"] == "CANCELLED"
    assert refused(cloud.executions.cancel(name=child["name"], body={}))["status"] == "FAILED_PRECONDITION"


def test_callbacks_are_listed_while_they_are_waited_for(cloud: Cloud) -> None:
    source = """
- a: {call: events.create_callback_endpoint, args: {http_callback_method: PUT}, result: c}
- b: {call: events.await_callback, args: {callback: '${c}', timeout: 31536000}, result: r}
- d: {return: '${r.http_request.body.approved}'}
"""
    cloud.deploy("asker", source)
    name = cloud.start("asker")
    limit = time.monotonic() + 5
    found: list[dict[str, Any]] = []
    while not found or found[0]["waiters"] == "0":
        found = cloud.executions.callbacks().list(parent=name).execute().get("callbacks", [])
        assert time.monotonic() < limit
    assert found[0]["method"] == "PUT"
    connection = http.client.HTTPConnection("127.0.0.1", cloud.server.port)
    headers = {"Content-Type": "application/json"}
    connection.request("PUT", f"/v1/{found[0]['name']}", body='{"approved": true}', headers=headers)
    assert connection.getresponse().status == 200
    connection.close()
    assert cloud.ended(name)["result"] == "true"


def test_revisions_are_listed_newest_first(cloud: Cloud) -> None:
    cloud.deploy("changing", "- a: {return: 1}")
    for number in (2, 3):
        body = {"sourceContents": f"- a: {{return: {number}}}"}
        cloud.workflows.patch(name=f"{PARENT}/workflows/changing", updateMask="sourceContents", body=body).execute()
    first = cloud.workflows.listRevisions(name=f"{PARENT}/workflows/changing", pageSize=2).execute()
    assert [w["revisionId"][:6] for w in first["workflows"]] == ["000003", "000002"]
    token = first["nextPageToken"]
    rest = cloud.workflows.listRevisions(name=f"{PARENT}/workflows/changing", pageSize=2, pageToken=token).execute()
    assert [w["sourceContents"] for w in rest["workflows"]] == ["- a: {return: 1}"]
    assert "nextPageToken" not in rest
