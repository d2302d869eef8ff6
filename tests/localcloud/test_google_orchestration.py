"""What the services of Composer and Data Fusion make and refuse beyond what the provider checks."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud import store
from localcloud.services.composer_limits import DEFAULTS, gone, resolved
from localcloud.services.google import DEFAULT_APIS
from localcloud.world import World
from tests.localcloud.client import Client
from tests.localcloud.test_google import ACCOUNT, BUCKET, COMPOSER, FUSION, MEMBER, refused

TOPIC = "gcp:pubsub/topic:Topic"
PUBLISHER = "gcp:pubsub/topicIAMMember:TopicIAMMember"


@pytest.fixture
def ready(gcp: Client) -> Client:
    gcp.enable("composer", "cloudresourcemanager", "compute", "datafusion", "iam", "pubsub", "storage")
    account = gcp.create(ACCOUNT, {"accountId": "runner"})
    for role in ("roles/composer.worker",):
        gcp.create(MEMBER, {"project": "acme-dev", "role": role, "member": account.outputs["member"]}, role)
    return gcp


def config(image: str = "composer-3-airflow-2.11.1", **more: Any) -> dict[str, Any]:
    return {
        "nodeConfig": {"serviceAccount": "runner@acme-dev.iam.gserviceaccount.com"},
        "softwareConfig": {"imageVersion": image, **more.pop("software", {})},
        **more,
    }


def test_an_alias_is_resolved_and_is_no_difference(ready: Client) -> None:
    inputs = {"name": "core", "config": config("composer-3-airflow-2")}
    made = ready.create(COMPOSER, inputs)
    assert made.outputs["config"]["softwareConfig"]["imageVersion"] == "composer-3-airflow-2.11.1-build.14"
    assert not ready.diff(COMPOSER, made, inputs).detailedDiff


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (config("composer-3-airflow-2.9.3"), "is not available for new environments"),
        (config(software={"airflowConfigOverrides": {"core-fernet_key": "x"}}), "core-fernet_key is blocked"),
        (config(workloadsConfig={"scheduler": {"cpu": 2, "memoryGb": 4}}), "scheduler: cpu must be between 0.5 and 1"),
        (config(workloadsConfig={"worker": {"cpu": 1, "memoryGb": 16}}), "worker: memory_gb must be between 1 and 8"),
        (
            config(
                maintenanceWindow={
                    "startTime": "2024-01-01T00:00:00Z",
                    "endTime": "2024-01-01T06:00:00Z",
                    "recurrence": "FREQ=WEEKLY;BYDAY=SU",
                }
            ),
            "at least 12 hours a week, not 6",
        ),
    ],
)
def test_what_the_service_refuses_of_an_environment(ready: Client, given: dict[str, Any], wanted: str) -> None:
    assert wanted in refused(ready.create, COMPOSER, {"name": "core", "config": given})


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("composer-3-airflow-3.2.2", "In-place upgrades from Airflow 2 to Airflow 3 are not supported"),
        ("composer-3-airflow-2.10.5", "Downgrading from composer-3-airflow-2.11.1-build.14 to"),
    ],
)
def test_an_environment_does_not_become_another_one(ready: Client, image: str, wanted: str) -> None:
    made = ready.create(COMPOSER, {"name": "core", "config": config()})
    assert wanted in refused(ready.update, COMPOSER, made, {"name": "core", "config": config(image)})


def test_its_bucket_is_made_and_stays(ready: Client) -> None:
    made = ready.create(COMPOSER, {"name": "core", "config": config()})
    bucket = made.outputs["config"]["dagGcsPrefix"].removeprefix("gs://").removesuffix("/dags")
    ready.delete(COMPOSER, made)
    assert ready.read(BUCKET, bucket) is not None


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "DEVELOPER", "enableRbac": True}, "RBAC is only available in the ENTERPRISE edition"),
        ({"type": "ENTERPRISE", "zone": "europe-west1-b"}, "zone can only be set for instances of the DEVELOPER"),
        ({"type": "BASIC", "version": "6.8.3"}, "Version 6.8.3 is not supported for new instances"),
        ({"type": "BASIC", "version": "6.11.1", "patchRevision": "6.10.1.2"}, "is not one of version 6.11.1"),
    ],
)
def test_what_the_service_refuses_of_an_instance(ready: Client, given: dict[str, Any], wanted: str) -> None:
    assert wanted in refused(ready.create, FUSION, {"name": "core", **given})


def test_events_need_the_topic_and_of_another_project_the_right_to_publish(ready: Client, world: World) -> None:
    with world.transaction() as tx:
        store.create_project(tx, "acme-hub", DEFAULT_APIS)
    hub = Client("gcp", world, {"project": "acme-hub", "region": "europe-west1"})
    hub.enable("pubsub")
    events = {"enabled": True, "topic": "projects/acme-hub/topics/fusion"}
    inputs = {"name": "core", "type": "BASIC", "eventPublishConfig": events}
    assert "projects/acme-hub/topics/fusion" in refused(ready.create, FUSION, inputs)
    hub.create(TOPIC, {"name": "fusion"})
    words = refused(ready.create, FUSION, inputs)
    assert "is missing the role roles/pubsub.publisher" in words
    agent = words.partition("service-")[2].partition(" ")[0]
    grant = {"topic": "fusion", "role": "roles/pubsub.publisher", "member": f"serviceAccount:service-{agent}"}
    hub.create(PUBLISHER, grant)
    assert ready.create(FUSION, inputs).outputs["state"] == "RUNNING"


def test_a_version_only_rises(ready: Client) -> None:
    made = ready.create(FUSION, {"name": "core", "type": "BASIC", "version": "6.11.1"})
    words = refused(ready.update, FUSION, made, {"name": "core", "type": "BASIC", "version": "6.10.1"})
    assert "Downgrading from 6.11.1 to 6.10.1" in words


def test_every_alias_comes_to_a_version_that_is_offered() -> None:
    for alias in DEFAULTS:
        full = resolved(alias)
        assert not gone(full)
        assert resolved(full) == full
