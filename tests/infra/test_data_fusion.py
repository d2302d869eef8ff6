"""A Data Fusion instance with everything that may be said of one, and what is told of what cannot be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.check import check_stacks
from dataplatform.config.fusion_facts import SUPPORT_ENDED, VERSIONS
from dataplatform.local.plan_recorder import RecordedResource
from tests.infra.inventory import ancestors, by_name, of_type
from tests.infra.orchestration_stack import FUSION, recorded_stack, stack

INSTANCE = "gcp:datafusion/instance:Instance"
COMPOSER = "      composer: {}\n"
ON_INSTANCE = "gcp:securitycenter/instanceIamMember:InstanceIamMember"


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return recorded_stack(tmp_path_factory.mktemp("fusion") / "p", COMPOSER, FUSION)


def test_the_instance_has_what_the_stack_says(resources: list[RecordedResource]) -> None:
    (instance,) = of_type(resources, INSTANCE)
    given: Any = instance.inputs
    assert (given["type"], given["version"], given["patchRevision"]) == ("ENTERPRISE", "6.11.1", "6.11.1.2")
    assert (given["displayName"], given["description"]) == ("Core", "Loads the lake")
    assert given["maintenancePolicy"]["maintenanceWindow"]["recurringTimeWindow"] == {
        "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
        "window": {"startTime": "2024-01-01T22:00:00Z", "endTime": "2024-01-02T06:00:00Z"},
    }
    assert given["accelerators"] == [
        {"acceleratorType": "CDC", "state": "ENABLED"},
        {"acceleratorType": "HEALTHCARE", "state": "DISABLED"},
    ]
    network = given["networkConfig"]
    assert network["connectionType"] == "PRIVATE_SERVICE_CONNECT_INTERFACES"
    assert network["privateServiceConnectConfig"]["unreachableCidrBlock"] == "192.168.0.0/25"
    assert given["eventPublishConfig"]["enabled"] is True
    assert given["privateInstance"] is True
    assert given["enableRbac"] is True


def test_who_may_use_it_is_granted_on_the_instance_and_once(resources: list[RecordedResource]) -> None:
    found = {(r.name, r.inputs["role"]) for r in of_type(resources, ON_INSTANCE)}
    assert found == {
        ("data-fusion-admin-group:platform@acme.example", "roles/datafusion.admin"),
        ("data-fusion-operator-composer", "roles/datafusion.operator"),
        ("data-fusion-operator-group:ops@acme.example", "roles/datafusion.operator"),
    }


def test_the_agent_may_publish_before_the_instance_is_there(resources: list[RecordedResource]) -> None:
    (instance,) = of_type(resources, INSTANCE)
    known = by_name(resources)
    topic = known["gcp:pubsub/topic:Topic::data-fusion-events-topic"]
    assert topic.inputs["name"] == "orc-data-fusion-events"
    assert "kmsKeyName" in topic.inputs
    publisher = known["gcp:pubsub/topicIAMMember:TopicIAMMember::data-fusion-events-publisher"]
    assert publisher.inputs["role"] == "roles/pubsub.publisher"
    assert {topic.urn, publisher.urn} <= ancestors(instance, resources)


def test_the_grants_are_those_that_are_needed(resources: list[RecordedResource]) -> None:
    roles = {
        r.name: r.inputs["role"]
        for r in of_type(resources, "gcp:projects/iAMMember:IAMMember", "gcp:serviceaccount/iAMMember:IAMMember")
        if r.name.startswith("data-fusion")
    }
    assert roles == {
        "data-fusion-agent": "roles/datafusion.serviceAgent",
        "data-fusion-agent-uses-runner": "roles/iam.serviceAccountUser",
        "data-fusion-runner-dataproc-worker": "roles/dataproc.worker",
        "data-fusion-runner-datafusion-runner": "roles/datafusion.runner",
        "data-fusion-runner-bigquery-jobUser": "roles/bigquery.jobUser",
    }


def test_an_account_and_a_topic_of_others_are_used_as_they_are(tmp_path: Path) -> None:
    account = "clusters@acme-data-dev.iam.gserviceaccount.com"
    changes = (
        ("events: {}", "events: {topic: projects/acme-topics/topics/fusion}"),
        ("rbac: true\n", f"rbac: true\n        service_account: {account}\n"),
    )
    resources = recorded_stack(tmp_path / "p", COMPOSER, FUSION, changes=changes)
    (instance,) = of_type(resources, INSTANCE)
    given: Any = instance.inputs
    assert given["dataprocServiceAccount"] == account
    assert given["eventPublishConfig"]["topic"] == "projects/acme-topics/topics/fusion"
    assert not [r for r in of_type(resources, "gcp:pubsub/topic:Topic") if r.name.startswith("data-fusion")]
    known = by_name(resources)
    uses = known["gcp:serviceaccount/iAMMember:IAMMember::data-fusion-agent-uses-runner"]
    assert uses.inputs["serviceAccountId"] == f"projects/acme-data-dev/serviceAccounts/{account}"


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        (("edition: enterprise", "edition: developer"), "DP243 the developer edition has no rbac"),
        (("display_name: Core", "zone: europe-west1-b"), "DP243 the enterprise edition has no zone"),
        (("version: 6.11.1\n", "version: 6.9.2\n"), "DP241 the support of 6.9 ended on 2025-03-31"),
        (("version: 6.11.1\n", "version: 6.10.9\n"), "DP241 there is no version '6.10.9'"),
        (("version: 6.11.1\n", "version: 6.11.1.2\n"), "DP241 the fourth number of"),
        (("6.11.1.2", "6.10.1.2"), "DP243 '6.10.1.2' is no revision of '6.11.1'"),
        (("        rbac: true\n", ""), "DP243 roles on the instance count with role-based"),
        (("[saturday, sunday], hour: 22, hours: 8", "[sunday], hour: 22, hours: 8"), "DP125 the window has 8 hours"),
        (("roles/bigquery.jobUser", "roles/editor"), "DP243 roles/editor is a basic role"),
        (("[$composer, ", "[$data_fusion, "), "DP243 the clusters' own identity"),
        (("[$composer, ", "[allUsers, "), "DP124 'allUsers' would let everybody"),
        (("private_service_connect\n", "vpc_peering\n"), "DP211 unreachable_range belongs to private_service_connect"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, edit: tuple[str, str], wanted: str) -> None:
    root = stack(tmp_path / "p", COMPOSER, FUSION, changes=(edit,))
    told = [f"{item.code} {item.message}" for item in check_stacks(root).items]
    assert any(re.match(wanted, one) for one in told), told


def test_an_instance_that_is_there_stays_on_its_version(tmp_path: Path) -> None:
    changes = (("version: 6.11.1\n", "version: 6.9.2\n        keep_version: true\n"), ("6.11.1.2", "6.9.2.4"))
    root = stack(tmp_path / "p", COMPOSER, FUSION, changes=changes)
    assert not check_stacks(root).items


def test_the_versions_are_in_order() -> None:
    assert list(VERSIONS) == sorted(VERSIONS)
    assert set(SUPPORT_ENDED) < set(VERSIONS)
    assert list(SUPPORT_ENDED.values()) == sorted(SUPPORT_ENDED.values())
