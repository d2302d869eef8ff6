"""What starts workflows, the functions and the monitoring of a stack without Airflow, as the program registers them."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.gcp.alerts import SIGNALS, dashboard_json, own_metric
from dataplatform.compile.executor_source import entry_point, executor_files, source_digest
from dataplatform.config.gcp.deploy import DEPLOYED
from dataplatform.local.plan_recorder import RecordedResource, record
from dataplatform.show.access import Report, report
from localcloud.services.monitoring import filter_problem
from tests.infra.inventory import ROOT, ancestors, by_name, of_type
from tests.localcloud.test_events_stack import DEFINITION, JOB, PLATFORM

HOME = "projects/acme-data-dev"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack of the engine's test, without values of secrets."""
    folder = tmp_path_factory.mktemp("starts")
    (folder / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    secrets = re.findall(r"^  data-platform:(?:hawk_key|orders_db_password):\n    secure: .*$", text, re.MULTILINE)
    (folder / "Pulumi.dev.yaml").write_text("\n".join([PLATFORM.rstrip(), *secrets, ""]), encoding="utf-8")
    jobs = folder / "pipelines/jobs/dataflow-flextemplate-job-executor"
    jobs.mkdir(parents=True)
    (folder / "pipelines/orders.yaml").write_text(DEFINITION, encoding="utf-8")
    (jobs / "copy.json").write_text(JOB, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def resources(root: Path) -> list[RecordedResource]:
    return record(root, "dev")


@pytest.fixture(scope="module")
def rights(root: Path) -> Report:
    return report(root, "dev")


def test_every_identity_has_what_it_needs_and_no_more(rights: Report) -> None:
    assert rights.exact
    found = {(row.identity, row.role): row for row in rights.rows}
    invoker = found["triggers", "roles/workflows.invoker"]
    assert invoker.state == "derived"
    assert {step for _, step in invoker.because} == {"arrived", "loaded", "schedule", "told"}
    receiver = found["triggers", "roles/eventarc.eventReceiver"]
    assert (receiver.state, receiver.because) == ("derived", (("orders", "loaded"),))
    service = f"{HOME}/locations/europe-west1/services/orch-framework-intermediate"
    assert found["workflows", "roles/run.invoker"].on == service


def test_functions_have_the_rights_of_their_jobs(rights: Report) -> None:
    mine = [(r.role, r.on) for r in rights.rows if r.identity == "function:dataflow-flextemplate-job-executor"]
    assert ("roles/dataflow.developer", HOME) in mine
    assert ("roles/storage.objectViewer", "b/acme-data-dev-jobs") in mine
    assert ("roles/storage.objectAdmin", "b/acme-data-dev-dev-landing") in mine
    # No step runs on it, so it may do nothing.
    assert not [r for r in rights.rows if r.identity == "function:dataform-tag-executor"]
    between = {(r.role, r.on) for r in rights.rows if r.identity == "function:intermediate"}
    assert between == {
        ("roles/run.invoker", f"{HOME}/locations/europe-west1/services/{name}") for name in DEPLOYED
    }  # fmt: skip


def test_a_schedule_is_a_job_that_starts_the_workflow_in_its_zone(resources: list[RecordedResource]) -> None:
    (job,) = of_type(resources, "gcp:cloudscheduler/job:Job")
    inputs: Any = job.inputs
    assert (inputs["schedule"], inputs["timeZone"], inputs["paused"]) == ("0 6 * * 1-5", "Europe/Berlin", True)
    assert json.loads(base64.b64decode(inputs["httpTarget"]["body"])) == {"argument": "{}"}
    waits = ancestors(job, resources)
    known = by_name(resources)
    for name in ("triggers-orders-on-schedule", "workflows-orders"):
        assert known[f"gcp:workflows/workflow:Workflow::{name}"].urn in waits, name


def test_events_are_listened_to_as_they_must_be(resources: list[RecordedResource]) -> None:
    triggers: Any = {r.name: r for r in of_type(resources, "gcp:eventarc/trigger:Trigger")}
    heard = {
        name.removeprefix("triggers-orders-"): {c["attribute"]: c["value"] for c in r.inputs["matchingCriterias"]}
        for name, r in triggers.items()
    }
    published = {"type": "google.cloud.pubsub.topic.v1.messagePublished"}
    assert heard == {
        "arrived": published,
        "told": published,
        "loaded": {
            "type": "google.cloud.audit.log.v1.written",
            "serviceName": "bigquery.googleapis.com",
            "methodName": "google.cloud.bigquery.v2.JobService.InsertJob",
        },
    }
    assert "transport" not in triggers["triggers-orders-loaded"].inputs
    grants = {str(r.inputs["role"]): r.urn for r in of_type(resources, "gcp:projects/iAMMember:IAMMember")}
    assert grants["roles/eventarc.eventReceiver"] in ancestors(triggers["triggers-orders-loaded"], resources)
    (notification,) = of_type(resources, "gcp:storage/notification:Notification")
    assert notification.inputs["objectNamePrefix"] == "orders/"
    (publisher,) = (r for r in of_type(resources, "gcp:pubsub/topicIAMMember:TopicIAMMember"))
    assert publisher.urn in ancestors(notification, resources)


def test_the_source_is_the_same_for_the_same_files(resources: list[RecordedResource]) -> None:
    files = executor_files()
    assert source_digest(files) == source_digest(dict(reversed(list(files.items()))))
    assert source_digest(files | {"main.py": files["main.py"] + "#"}) != source_digest(files)
    # Where one path ends and its text begins counts.
    assert source_digest({"a": "bc"}) != source_digest({"ab": "c"})
    for function in (*DEPLOYED, "intermediate"):
        assert re.search(rf"^def {entry_point(function)}\(request", files["main.py"], re.MULTILINE), function
    (source,) = (r for r in of_type(resources, "gcp:storage/bucketObject:BucketObject") if r.name == "executors-source")
    assert source.inputs["name"] == f"executors-{source_digest(files)[:16]}.zip"
    archive: Any = source.inputs["source"]
    assert set(archive["assets"]) == set(files)


def test_a_function_waits_for_its_source_its_rights_and_its_builder(resources: list[RecordedResource]) -> None:
    known = by_name(resources)
    function = known["gcp:cloudfunctionsv2/function:Function::executors-dataflow-flextemplate-job-executor"]
    waits = ancestors(function, resources)
    for kind in ("storage/bucketObject:BucketObject::executors-source", "artifactregistry/repository:Repository"):
        assert [r for key, r in known.items() if key.startswith(f"gcp:{kind}") and r.urn in waits], kind
    assert known["gcp:projects/iAMMember:IAMMember::executors-build-storage-objectViewer"].urn in waits
    assert [r for r in resources if r.urn in waits and r.inputs.get("role") == "roles/dataflow.developer"]
    inside: Any = known["gcp:cloudfunctionsv2/function:Function::executors-intermediate"].inputs["serviceConfig"]
    assert inside["directVpcEgress"] == "VPC_EGRESS_ALL_TRAFFIC"
    assert inside["ingressSettings"] == "ALLOW_INTERNAL_ONLY"


def test_nobody_in_general_may_do_anything(resources: list[RecordedResource]) -> None:
    for resource in resources:
        assert str(resource.inputs.get("member", "")) not in ("allUsers", "allAuthenticatedUsers"), resource.urn


def test_a_webhook_has_its_password_from_a_secret(resources: list[RecordedResource]) -> None:
    channels = {r.name: r for r in of_type(resources, "gcp:monitoring/notificationChannel:NotificationChannel")}
    assert channels["monitoring-hook"].secrets == ("sensitiveLabels.password",)
    quota = next(r for r in of_type(resources, "gcp:monitoring/alertPolicy:AlertPolicy") if "quota" in r.name)
    assert len(list(quota.inputs["notificationChannels"])) == 1  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", SIGNALS)
def test_every_kind_has_a_filter_the_service_takes(kind: Any) -> None:
    board = json.loads(dashboard_json("Title", [kind], "dev", {"owner": "a", "empty": ""}))
    assert board["labels"] == {"owner_a": "", "empty": ""}
    (tile,) = board["mosaicLayout"]["tiles"]
    (series,) = tile["widget"]["xyChart"]["dataSets"]
    text = series["timeSeriesQuery"]["timeSeriesFilter"]["filter"]
    assert filter_problem(text) is None
    if SIGNALS[kind].log_filter is not None:
        assert f'"logging.googleapis.com/user/{own_metric(kind, "dev")}"' in text
