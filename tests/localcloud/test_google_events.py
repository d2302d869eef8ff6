"""What Cloud Scheduler, Eventarc, Cloud Run functions and Cloud Monitoring refuse, and what they fill in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localcloud.client import Client
from tests.localcloud.test_google import ACCOUNT, BUCKET, MEMBER, OBJECT, SOURCE, WORKFLOW, make_key, refused

JOB = "gcp:cloudscheduler/job:Job"
TRIGGER = "gcp:eventarc/trigger:Trigger"
TOPIC = "gcp:pubsub/topic:Topic"
FUNCTION = "gcp:cloudfunctionsv2/function:Function"
METRIC = "gcp:logging/metric:Metric"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
DASHBOARD = "gcp:monitoring/dashboard:Dashboard"
STARTER = "starter@acme-dev.iam.gserviceaccount.com"
HOME = "projects/acme-dev/locations/europe-west1"
URI = f"https://workflowexecutions.googleapis.com/v1/{HOME}/workflows/orders/executions"
CALL = {"uri": URI, "httpMethod": "POST", "oauthToken": {"serviceAccountEmail": STARTER}}


@pytest.fixture
def ready(gcp: Client) -> Client:
    gcp.enable(
        *("artifactregistry", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "cloudscheduler", "eventarc"),
        *("iam", "logging", "monitoring", "pubsub", "run", "storage", "workflows"),
    )
    gcp.create(ACCOUNT, {"accountId": "starter"}, "starter")
    return gcp


# Cloud Scheduler ----------------------------------------------------------------------------------------------------


def job(**more: Any) -> dict[str, Any]:
    return {"name": "orders", "region": "europe-west1", "schedule": "0 6 * * 1-5", "httpTarget": CALL, **more}


@pytest.mark.parametrize("cron", ["*/5 * * * *", "0 6 1,15 jan-mar mon-fri", "0 0-23/2 * * 0,6", "59 23 31 12 0"])
def test_a_job_that_is_due(ready: Client, cron: str) -> None:
    made = ready.create(JOB, job(schedule=cron, timeZone="Europe/Berlin", retryConfig={"retryCount": 2}))
    assert (made.id, made.outputs["state"]) == (f"{HOME}/jobs/orders", "ENABLED")
    assert made.outputs["retryConfig"]["minBackoffDuration"] == "5s"
    assert ready.update(JOB, made, job(schedule=cron, paused=True)).outputs["state"] == "PAUSED"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        *[
            ({"schedule": cron}, "Schedule or time zone is invalid.")
            for cron in ("0 6 * *", "0 6 * * 7", "60 6 * * *", "0 6 0 * *", "0 6 * * fri-mon", "*/0 6 * * *", "@daily")
        ],
        ({"timeZone": "Europe/Berln"}, "Schedule or time zone is invalid."),
        ({"attemptDeadline": "10s"}, "between 15 seconds and 30 minutes"),
        ({"attemptDeadline": "1801s"}, "between 15 seconds and 30 minutes"),
        ({"httpTarget": {**CALL, "uri": "ftp://x"}}, "Invalid URI"),
        ({"httpTarget": {**CALL, "uri": "https://hooks.acme.example/x"}}, "hosted on *.googleapis.com"),
    ],
)
def test_a_job_that_is_refused(ready: Client, given: dict[str, Any], wanted: str) -> None:
    assert wanted in refused(ready.create, JOB, job(**given))


# Eventarc -----------------------------------------------------------------------------------------------------------


def trigger(criteria: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    given = criteria or {"type": "google.cloud.pubsub.topic.v1.messagePublished"}
    return {
        "name": "orders",
        "location": "europe-west1",
        "matchingCriterias": [{"attribute": attribute, "value": value} for attribute, value in given.items()],
        "destination": {"workflow": f"{HOME}/workflows/orders"},
        "serviceAccount": STARTER,
        **more,
    }


AUDIT = {"type": "google.cloud.audit.log.v1.written", "serviceName": "bigquery.googleapis.com", "methodName": "x"}


def test_a_trigger_needs_its_workflow_and_its_topic(ready: Client) -> None:
    topic = {"pubsub": {"topic": "projects/acme-dev/topics/orders"}}
    assert "was not found" in refused(ready.create, TRIGGER, trigger())
    ready.create(WORKFLOW, {"name": "orders", "region": "europe-west1", "sourceContents": SOURCE})
    assert "topics/orders' was not found" in refused(ready.create, TRIGGER, trigger(transport=topic))
    ready.create(TOPIC, {"name": "orders"})
    made = ready.create(TRIGGER, trigger(transport=topic))
    assert made.outputs["transport"]["pubsub"]["topic"] == "projects/acme-dev/topics/orders"
    assert made.outputs["transport"]["pubsub"]["subscription"].startswith("projects/acme-dev/subscriptions/eventarc-")
    assert not ready.diff(TRIGGER, made, trigger(transport=topic)).detailedDiff
    nobody = trigger(transport=topic, serviceAccount="nobody@acme-dev.iam.gserviceaccount.com")
    assert "nobody@acme-dev" in refused(ready.create, TRIGGER, nobody | {"name": "other"})


def test_a_call_in_the_audit_log_needs_the_right_to_receive_it(ready: Client) -> None:
    ready.create(WORKFLOW, {"name": "orders", "region": "europe-west1", "sourceContents": SOURCE})
    words = refused(ready.create, TRIGGER, trigger(AUDIT))
    assert f'"eventarc.events.receiveEvent" denied on "{STARTER}"' in words
    member = {"project": "acme-dev", "role": "roles/eventarc.eventReceiver", "member": f"serviceAccount:{STARTER}"}
    ready.create(MEMBER, member)
    made = ready.create(TRIGGER, trigger(AUDIT))
    assert made.outputs["transport"]["pubsub"]["topic"].startswith("projects/acme-dev/topics/eventarc-europe-west1-")
    assert not ready.diff(TRIGGER, made, trigger(AUDIT)).detailedDiff


def test_a_message_has_no_other_attributes(ready: Client) -> None:
    ready.create(WORKFLOW, {"name": "orders", "region": "europe-west1", "sourceContents": SOURCE})
    wrong = {"type": "google.cloud.pubsub.topic.v1.messagePublished", "bucket": "b"}
    assert "has no other attributes" in refused(ready.create, TRIGGER, trigger(wrong))


# Cloud Run functions ------------------------------------------------------------------------------------------------


def function(**more: Any) -> dict[str, Any]:
    source = {"storageSource": {"bucket": "acme-dev-source", "object": "a.zip"}}
    build = {"runtime": "python312", "entryPoint": "main", "source": source, **more.pop("build", {})}
    return {"name": "load", "location": "europe-west1", "buildConfig": build, **more}


@pytest.fixture
def with_source(ready: Client) -> Client:
    ready.create(BUCKET, {"name": "acme-dev-source", "location": "EUROPE-WEST1"})
    ready.create(OBJECT, {"bucket": "acme-dev-source", "name": "a.zip", "content": "x"})
    return ready


def test_a_function_is_built_of_its_source(with_source: Client) -> None:
    made = with_source.create(FUNCTION, function())
    assert made.outputs["url"] == "https://europe-west1-acme-dev.cloudfunctions.net/load"
    assert made.outputs["serviceConfig"]["service"] == f"{HOME}/services/load"
    assert not with_source.diff(FUNCTION, made, function()).detailedDiff


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"build": {"runtime": "python39"}}, "Unrecognized runtime: python39"),
        ({"serviceConfig": {"minInstanceCount": 3, "maxInstanceCount": 2}}, "must not be greater than"),
        ({"serviceConfig": {"timeoutSeconds": 3601}}, "between 1 and 3600 seconds"),
        (
            {"build": {"source": {"storageSource": {"bucket": "acme-dev-source", "object": "b.zip"}}}},
            "Source code object not found: gs://acme-dev-source/b.zip",
        ),
    ],
)
def test_a_function_that_is_refused(with_source: Client, given: dict[str, Any], wanted: str) -> None:
    assert wanted in refused(with_source.create, FUNCTION, function(**given))


def test_the_account_that_builds_must_be_allowed_to(with_source: Client) -> None:
    account = f"projects/acme-dev/serviceAccounts/{STARTER}"
    needed = ("roles/logging.logWriter", "roles/artifactregistry.writer", "roles/storage.objectViewer")
    for role in needed:
        words = refused(with_source.create, FUNCTION, function(build={"serviceAccount": account}))
        assert f"{STARTER}: grant it {role}." in words, words
        with_source.create(MEMBER, {"project": "acme-dev", "role": role, "member": f"serviceAccount:{STARTER}"}, role)
    assert with_source.create(FUNCTION, function(build={"serviceAccount": account})).outputs["state"] == "ACTIVE"


def test_a_function_needs_the_apis_it_is_made_with_and_its_key(gcp: Client) -> None:
    gcp.enable("cloudfunctions", "storage")
    assert "Cloud Build API" in refused(gcp.create, FUNCTION, function())
    gcp.enable("artifactregistry", "cloudbuild", "run")
    key = make_key(gcp)
    assert "does not have the permission to use the Cloud KMS key" in refused(
        gcp.create, FUNCTION, function(kmsKeyName=key.id)
    )


# Monitoring ---------------------------------------------------------------------------------------------------------


def policy(text: str, channels: list[str] | None = None, **more: Any) -> dict[str, Any]:
    threshold = {
        "filter": text,
        "comparison": "COMPARISON_GT",
        "duration": "0s",
        "aggregations": [{"alignmentPeriod": "300s", "perSeriesAligner": "ALIGN_DELTA"}],
        **more,
    }
    condition = {"displayName": "c", "conditionThreshold": threshold}
    return {"displayName": "p", "combiner": "OR", "conditions": [condition], "notificationChannels": channels or []}


FAILED = 'metric.type = "workflows.googleapis.com/finished_execution_count" AND resource.type = "workflow"'
OWN = 'metric.type = "logging.googleapis.com/user/errors" AND resource.type = "cloud_run_revision"'


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (policy('metric.type = "a.b/c"'), 'must specify a restriction on "resource.type"'),
        (policy('resource.type = "workflow"'), 'must specify a restriction on "metric.type"'),
        (policy(f"{FAILED} PLUS 1"), 'syntax error near "PLUS"'),
        (policy(FAILED, duration="30s"), "multiple of 60 seconds"),
        (policy(FAILED, comparison="COMPARISON_GE"), "Only COMPARISON_LT and COMPARISON_GT"),
        (policy(FAILED, aggregations=[{"alignmentPeriod": "90s"}]), "alignment_period must be a multiple of 60"),
        (policy(OWN), "Cannot find metric that matches type"),
    ],
)
def test_a_policy_that_is_refused(ready: Client, given: dict[str, Any], wanted: str) -> None:
    assert wanted in refused(ready.create, POLICY, given)


def test_a_policy_on_a_metric_of_its_own_and_its_channel(ready: Client) -> None:
    ready.create(METRIC, {"name": "errors", "filter": 'severity>=ERROR AND resource.type="cloud_run_revision"'})
    channel = ready.create(CHANNEL, {"type": "email", "labels": {"email_address": "a@acme.example"}})
    made = ready.create(POLICY, policy(OWN, [channel.id]))
    assert made.outputs["name"] == made.id
    assert not ready.diff(POLICY, made, policy(OWN, [channel.id])).detailedDiff
    assert "still referenced by" in refused(ready.delete, CHANNEL, channel)
    ready.delete(POLICY, made)
    ready.delete(CHANNEL, channel)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "mail", "labels": {"email_address": "a@b.c"}}, "unknown type"),
        ({"type": "email", "labels": {"address": "a@b.c"}}, "is not as the type email has it"),
        ({"type": "webhook_basicauth", "labels": {"url": "https://x", "username": "u"}}, "labels['password']"),
    ],
)
def test_a_channel_that_is_refused(ready: Client, given: dict[str, Any], wanted: str) -> None:
    assert wanted in refused(ready.create, CHANNEL, given)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"displayName": "x"}', "exactly one layout"),
        ('{"displayName": "x", "gridLayout": {}, "rowLayout": {}}', "exactly one layout"),
        ('{"displayName": "x", "gridLayout": {}, "tiles": []}', 'Unknown name "tiles"'),
    ],
)
def test_a_dashboard_that_is_refused(ready: Client, text: str, wanted: str) -> None:
    assert wanted in refused(ready.create, DASHBOARD, {"dashboardJson": text})


def test_a_dashboard_shows_metrics_that_there_are(ready: Client) -> None:
    def board(text: str) -> dict[str, Any]:
        query = {"timeSeriesQuery": {"timeSeriesFilter": {"filter": text}}}
        widget = {"title": "t", "xyChart": {"dataSets": [query]}}
        return {"dashboardJson": json.dumps({"displayName": "d", "gridLayout": {"widgets": [widget]}})}

    assert "Cannot find metric" in refused(ready.create, DASHBOARD, board(OWN))
    made = ready.create(DASHBOARD, board(FAILED))
    assert not ready.diff(DASHBOARD, made, board(FAILED)).detailedDiff


def test_a_metric_counts_what_its_filter_says(ready: Client) -> None:
    assert "Unparseable filter" in refused(ready.create, METRIC, {"name": "bad", "filter": 'severity>="ERROR'})
    made = ready.create(METRIC, {"name": "errors", "filter": "severity>=ERROR"})
    assert made.outputs["metricDescriptor"]["metricKind"] == "DELTA"
    assert "already exists" in refused(ready.create, METRIC, {"name": "errors", "filter": "severity>=ERROR"})
