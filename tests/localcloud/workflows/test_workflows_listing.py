"""Filters and orders of listings, by the discovery documents and https://google.aip.dev/160."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.errors import ApiError
from localcloud.workflows.listing import EXECUTIONS, STEP_ENTRIES, WORKFLOWS, matching, ordered
from localcloud.workflows.server import serve
from localcloud.world import World
from tests.localcloud.workflows.test_workflows_rest import PARENT, Cloud, clients, refused

BODIES: list[dict[str, Any]] = [
    {
        "name": "w/executions/a1",
        "state": "SUCCEEDED",
        "createTime": "2026-01-01T10:00:00.000000000Z",
        "startTime": "2026-01-01T10:00:00.000000000Z",
        "endTime": "2026-01-01T10:00:30.500000000Z",
        "duration": "30.5s",
        "labels": {"team": "data", "cost-centre": "7"},
        "workflowRevisionId": "000001-abc",
        "status": {"currentSteps": [{"routine": "main", "step": "end_it"}]},
    },
    {
        "name": "w/executions/b2",
        "state": "FAILED",
        "createTime": "2026-01-02T10:00:00.000000000Z",
        "startTime": "2026-01-02T10:00:00.000000000Z",
        "endTime": "2026-01-02T10:00:02.000000000Z",
        "duration": "2s",
        "workflowRevisionId": "000002-def",
        "disableConcurrencyQuotaOverflowBuffering": True,
    },
    {
        "name": "w/executions/c3",
        "state": "ACTIVE",
        "createTime": "2026-01-03T10:00:00.000000000Z",
        "startTime": "2026-01-03T10:00:00.000000000Z",
        "workflowRevisionId": "000002-def",
        "status": {"currentSteps": [{"routine": "main", "step": "wait"}, {"routine": "sub", "step": "ask"}]},
    },
]

FILTERS: list[tuple[str, str]] = [
    ("", "abc"),
    ("  ", "abc"),
    ('state="SUCCEEDED"', "a"),
    ("state = FAILED", "b"),
    ("state!=FAILED", "ac"),
    ("state='ACTIVE'", "c"),
    ('startTime>"2026-01-02" AND state="FAILED"', "b"),
    ("startTime>2026-01-02T10:00:00Z", "c"),
    ("startTime>=2026-01-02T10:00:00Z", "bc"),
    ("start_time < 2026-01-02T11:00:00+01:00", "a"),
    ("endTime<2030-01-01", "ab"),
    ("NOT endTime<2030-01-01", "c"),
    ("endTime!=2026-01-02T10:00:02Z", "ac"),
    ("duration>2s", "a"),
    ("duration<=2.0s", "b"),
    ("duration=30.5s", "a"),
    ("state=FAILED OR state=ACTIVE", "bc"),
    # OR binds more tightly than AND.
    ("duration>1s AND state=ACTIVE OR state=FAILED", "b"),
    ("(duration>1s AND state=SUCCEEDED) OR state=ACTIVE", "ac"),
    ("NOT (state=ACTIVE OR state=FAILED)", "a"),
    ("-state=ACTIVE", "ab"),
    ("executionId=b2", "b"),
    ("executionId=b*", "b"),
    ('executionId="*3"', "c"),
    ("workflowRevisionId:def", "bc"),
    ("workflowRevisionId>000001-zzz", "bc"),
    ("stepName=wait", "c"),
    ("stepName=ask", "c"),
    ("stepName:end", "a"),
    ("labels.team=data", "a"),
    ('labels.cost-centre="7"', "a"),
    ("label.team!=data", "bc"),
    ("labels.team:*", "a"),
    ("disableConcurrencyQuotaOverflowBuffering=true", "b"),
    ("disableConcurrencyQuotaOverflowBuffering=false", "ac"),
]


@pytest.mark.parametrize(("text", "expected"), FILTERS, ids=[f or "none" for f, _ in FILTERS])
def test_filters(text: str, expected: str) -> None:
    assert "".join(str(b["name"])[-2] for b in matching(BODIES, text, EXECUTIONS)) == expected


WRONG: list[tuple[str, str]] = [
    ("colour=red", "unknown field 'colour'; the fields are createTime"),
    ("labels=a", "unknown field 'labels'"),
    ("state", "expected an operator at character 6"),
    ("state=", "expected a value at character 7"),
    ("state=FAILED AND", "expected the end, AND or OR"),
    ("state=FAILED state=ACTIVE", "expected the end, AND or OR at character 14"),
    ("(state=FAILED", "expected ')' at character 14"),
    ("state=FAILED)", "expected the end"),
    ('state="FAILED', "expected a value"),
    ("=FAILED", "expected a field at character 1"),
    ("startTime>yesterday", "'yesterday' is not a time"),
    ("duration>soon", "'soon' is not a duration"),
    ("disableConcurrencyQuotaOverflowBuffering=1", "'1' is not a boolean"),
    ("((((", "expected a field"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[f for f, _ in WRONG])
def test_filters_that_are_not_understood(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        matching(BODIES, text, EXECUTIONS)
    assert (caught.value.status, caught.value.code) == (400, "INVALID_ARGUMENT")
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", "cba"),
        ("createTime", "abc"),
        ("createTime desc", "cba"),
        ("create_time asc", "abc"),
        ("workflowRevisionId desc, executionId", "bca"),
        ("workflowRevisionId, createTime desc", "acb"),
        ("duration", "cba"),
        ("duration desc", "abc"),
        ("state", "cba"),
    ],
)
def test_orders(order: str, expected: str) -> None:
    found = ordered(BODIES, order, EXECUTIONS, "createTime desc")
    assert "".join(str(b["name"])[-2] for b in found) == expected


@pytest.mark.parametrize("order", ["result", "state up", "state desc desc", "state,", ","])
def test_orders_that_are_not_understood(order: str) -> None:
    with pytest.raises(ApiError) as caught:
        ordered(BODIES, order, EXECUTIONS, "createTime desc")
    assert "Invalid value for orderBy" in caught.value.message


def test_every_documented_field_is_there() -> None:
    assert set(EXECUTIONS) == {
        *("executionId", "state", "createTime", "startTime", "endTime", "duration", "workflowRevisionId", "stepName"),
        "disableConcurrencyQuotaOverflowBuffering",
    }
    assert set(STEP_ENTRIES) == {
        *("entryId", "createTime", "updateTime", "routine", "step", "stepType", "parent", "state"),
    }
    assert {"name", "state", "createTime"} <= set(WORKFLOWS)


@pytest.fixture
def cloud(world: World) -> Iterator[Cloud]:
    with serve(world, time_scale=0.001) as server:
        opened = clients(server)
        yield opened
        opened.close()


def test_executions_are_filtered_and_ordered_over_rest(cloud: Cloud) -> None:
    source = "main: {params: [n], steps: [{a: {switch: [{condition: '${n > 2}', raise: big}]}}, {b: {return: '${n}'}}]}"
    cloud.deploy("sorts", source)
    names = [cloud.ended(cloud.start("sorts", argument=str(n), labels={"n": str(n)}))["name"] for n in range(5)]
    parent = f"{PARENT}/workflows/sorts"
    executions = cloud.executions
    failed = executions.list(parent=parent, filter='state="FAILED"').execute()["executions"]
    assert [e["name"] for e in failed] == [names[4], names[3]]
    one = executions.list(parent=parent, filter="labels.n=1", view="FULL").execute()["executions"]
    assert [e["argument"] for e in one] == ["1"]
    request = executions.list(parent=parent, filter="state=SUCCEEDED", orderBy="createTime", pageSize=2)
    pages = []
    while request is not None:
        page = request.execute()
        pages.append([e["name"] for e in page["executions"]])
        request = executions.list_next(request, page)
    assert pages == [names[:2], names[2:3]]
    number = names[2].rsplit("/", 1)[1]
    found = executions.list(parent=parent, filter=f"executionId={number}").execute()["executions"]
    assert [e["name"] for e in found] == [names[2]]


def test_step_entries_are_filtered_and_ordered_over_rest(cloud: Cloud) -> None:
    source = """
- loop: {for: {value: v, in: [1, 2, 3], steps: [{inner: {assign: [{x: '${v}'}]}}]}}
- bad: {return: '${1 / 0}'}
"""
    cloud.deploy("steps", source)
    name = cloud.ended(cloud.start("steps"))["name"]
    entries = cloud.executions.stepEntries()
    failed = entries.list(parent=name, filter='state="STATE_FAILED"').execute()
    assert ([e["step"] for e in failed["stepEntries"]], failed["totalSize"]) == (["bad"], 1)
    inner = entries.list(parent=name, filter="step=inner AND parent=1", orderBy="entryId desc", pageSize=2).execute()
    assert [e["entryId"] for e in inner["stepEntries"]] == ["4", "3"]
    rest = entries.list(
        parent=name,
        filter="step=inner AND parent=1",
        orderBy="entryId desc",
        pageSize=2,
        pageToken=inner["nextPageToken"],
    ).execute()
    assert [e["entryId"] for e in rest["stepEntries"]] == ["2"]
    assert [e["entryId"] for e in entries.list(parent=name, skip=2, pageSize=2).execute()["stepEntries"]] == ["3", "4"]
    first = entries.list(parent=name, pageSize=2).execute()
    later = entries.list(parent=name, pageSize=2, pageToken=first["nextPageToken"], skip=1).execute()
    assert [e["entryId"] for e in later["stepEntries"]] == ["4", "5"]
    assert "unknown field" in refused(entries.list(parent=name, filter="result=1"))["message"]


def test_workflows_are_filtered_over_rest(cloud: Cloud) -> None:
    cloud.deploy("one", "- a: {return: 1}", labels={"team": "data"}, description="counts")
    cloud.deploy("two", "- a: {return: 2}")
    found = cloud.workflows.list(parent=PARENT, filter="labels.team=data AND state=ACTIVE").execute()["workflows"]
    assert [w["name"].rsplit("/", 1)[1] for w in found] == ["one"]
    assert cloud.workflows.list(parent=PARENT, filter='createTime>"2999-01-01"').execute() == {"workflows": []}
    order = cloud.workflows.list(parent=PARENT, orderBy="name desc").execute()["workflows"]
    assert [w["name"].rsplit("/", 1)[1] for w in order] == ["two", "one"]
