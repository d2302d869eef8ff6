"""The workflow between an event and a pipeline, run: what it asks Workflow Executions to start, and with what."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from components.gcp.schedules import cron_of
from dataplatform.compile.starters import event_starter, needs_starter, schedule_starter
from dataplatform.config.options import Trigger
from localcloud.workflows.clock import Answer, VirtualClock
from localcloud.workflows.local import run
from localcloud.workflows.web import Request

CREATED = "projects/acme-dev/locations/europe-west1/workflows/orders/executions/1"


@dataclass
class Executions:
    """Stands in for Workflow Executions."""

    now: float = 0.0
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        path = request.url.removeprefix("http://127.0.0.1:1/executions/")
        body = json.loads(request.body or b"null")
        self.asked.append((request.method, path, json.loads(body["argument"])))
        created = {"name": CREATED, "state": "ACTIVE"}
        return Answer(status=200, text=json.dumps(created), content_type="application/json")

    def started(self, text: str, argument: Any = None) -> Any:
        """The argument that the pipeline is started with."""
        execution = run(
            None,
            text,
            argument,
            project="acme-dev",
            location="europe-west1",
            routes={"https://workflowexecutions.googleapis.com": "http://127.0.0.1:1/executions"},
            clock=VirtualClock(begin=self.now),
            responder=self,
        )
        assert execution["state"] == "SUCCEEDED", execution
        assert json.loads(execution["result"]) == CREATED
        ((method, path, given),) = self.asked
        assert (method, path) == ("POST", "v1/projects/acme-dev/locations/europe-west1/workflows/orders/executions")
        return given


def event(message: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent of Pub/Sub, as Eventarc hands it to a workflow."""
    return {
        "id": "1",
        "source": "//pubsub.googleapis.com/projects/acme-dev/topics/orders",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "data": {"message": message, "subscription": "projects/acme-dev/subscriptions/s"},
    }


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


NOTIFIED = {
    "attributes": {
        "bucketId": "acme-dev-landing",
        "eventTime": "2026-03-01T23:59:59.123456Z",
        "eventType": "OBJECT_FINALIZE",
        "objectGeneration": "1700000000000000",
        "objectId": 'orders/a "b" ü.csv',
    },
    "data": encoded(json.dumps({"contentType": "text/csv", "size": "12"})),
    "messageId": "7",
    "publishTime": "2026-03-02T00:00:01Z",
}


def test_a_file_becomes_the_argument_of_a_run() -> None:
    fields = ("bucket", "content_type", "date", "generation", "name", "size", "time", "uri")
    trigger = Trigger(
        name="arrived",
        zone="landing",
        parameters=tuple((f"p_{name}", name) for name in fields),
        query_variables=(("end_date", "date"), ("start_date", "date")),
    )
    assert Executions().started(event_starter("orders", trigger, "pipelines/orders.yaml"), event(NOTIFIED)) == {
        "parameters": {
            "p_bucket": "acme-dev-landing",
            "p_content_type": "text/csv",
            "p_date": "2026-03-01",
            "p_generation": "1700000000000000",
            "p_name": 'orders/a "b" ü.csv',
            "p_size": "12",
            "p_time": "2026-03-01T23:59:59.123456Z",
            "p_uri": 'gs://acme-dev-landing/orders/a "b" ü.csv',
        },
        "query_variables": {"end_date": "2026-03-01", "start_date": "2026-03-01"},
    }


def test_a_file_whose_fields_nobody_asks_for_starts_a_run_too() -> None:
    text = event_starter("orders", Trigger(name="arrived", zone="landing"), "pipelines/orders.yaml")
    assert Executions().started(text, event(NOTIFIED)) == {}


@pytest.mark.parametrize(
    ("message", "given"),
    [
        (
            {"data": encoded('{"name": "x", "rows": 3}'), "attributes": {"kind": "full"}},
            {"kind": "full", "name": "x", "rows": 3, "whole": '{"name": "x", "rows": 3}'},
        ),
        ({"data": encoded("{}")}, {"kind": None, "name": None, "rows": None, "whole": "{}"}),
    ],
)
def test_a_message_becomes_the_argument_of_a_run(message: dict[str, Any], given: dict[str, Any]) -> None:
    trigger = Trigger(
        name="told",
        parameters=(("kind", "attributes.kind"), ("name", "data.name"), ("rows", "data.rows"), ("whole", "data")),
        query_variables=(("start_date", "date"),),
    )
    sent = event({**message, "messageId": "7", "publishTime": "2026-03-02T00:00:01Z"})
    assert Executions().started(event_starter("orders", trigger, "pipelines/orders.yaml"), sent) == {
        "parameters": given,
        "query_variables": {"start_date": "2026-03-02"},
    }


@pytest.mark.parametrize("known", [True, False])
def test_a_call_becomes_the_argument_of_a_run(known: bool) -> None:
    fields = ("caller", "date", "id", "method", "resource", "service", "time")
    trigger = Trigger(
        name="loaded",
        service="bigquery.googleapis.com",
        method="google.cloud.bigquery.v2.JobService.InsertJob",
        parameters=tuple((name, name) for name in fields),
        query_variables=(("start_date", "date"),),
    )
    payload: dict[str, Any] = {"serviceName": trigger.service, "methodName": trigger.method}
    if known:
        payload |= {"resourceName": "projects/p/jobs/j", "authenticationInfo": {"principalEmail": "who@example.com"}}
    sent = {
        "id": "e1",
        "type": "google.cloud.audit.log.v1.written",
        "time": "2026-03-02T00:00:01.5Z",
        "data": {"protoPayload": payload},
    }
    assert Executions().started(event_starter("orders", trigger, "pipelines/orders.yaml"), sent) == {
        "parameters": {
            "caller": "who@example.com" if known else None,
            "date": "2026-03-02",
            "id": "e1",
            "method": trigger.method,
            "resource": "projects/p/jobs/j" if known else None,
            "service": trigger.service,
            "time": "2026-03-02T00:00:01.5Z",
        },
        "query_variables": {"start_date": "2026-03-02"},
    }


@pytest.mark.parametrize(
    ("zone", "moment", "days"),
    [
        ("Europe/Berlin", "2026-07-01T21:59:00+00:00", ("2026-06-30", "2026-07-01")),
        ("Europe/Berlin", "2026-07-01T22:01:00+00:00", ("2026-07-01", "2026-07-02")),
        # The day before has 23 hours, and 25.
        ("Europe/Berlin", "2026-03-29T22:30:00+00:00", ("2026-03-29", "2026-03-30")),
        ("Europe/Berlin", "2026-10-25T23:30:00+00:00", ("2026-10-25", "2026-10-26")),
        ("Pacific/Kiritimati", "2026-12-31T12:00:00+00:00", ("2026-12-31", "2027-01-01")),
        ("America/Los_Angeles", "2028-03-01T07:00:00+00:00", ("2028-02-28", "2028-02-29")),
    ],
)
def test_a_scheduled_run_has_the_days_of_its_zone(zone: str, moment: str, days: tuple[str, str]) -> None:
    executions = Executions(now=datetime.fromisoformat(moment).timestamp())
    given = executions.started(schedule_starter("orders", zone, "pipelines/orders.yaml"))
    assert given == {"query_variables": {"start_date": days[0], "end_date": days[1]}}


def test_only_another_zone_than_utc_needs_a_starter() -> None:
    assert not needs_starter("UTC")
    assert not needs_starter("Etc/UTC")
    assert needs_starter("Europe/London")


@pytest.mark.parametrize(
    ("cron", "wanted"),
    [
        ("0 6 * * 1-5", "0 6 * * 1-5"),
        ("0 6 * * 7", "0 6 * * 0"),
        ("0 6 * * 5-7", "0 6 * * 5,6,0"),
        ("0 6 * * 1-7/2", "0 6 * * 1,3,5,0"),
        ("0 6 * * 0,7", "0 6 * * 0"),
        ("*/5 7 7 7 *", "*/5 7 7 7 *"),
    ],
)
def test_sunday_is_written_as_cloud_scheduler_wants_it(cron: str, wanted: str) -> None:
    assert cron_of(cron) == wanted
