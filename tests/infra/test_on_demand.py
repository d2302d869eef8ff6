"""A stack whose Data Fusion instance is made by DAGs: what it has of it, and what the DAGs are."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from dataplatform.local.plan_recorder import RecordedResource
from tests.infra.inventory import by_name, of_type
from tests.infra.orchestration_stack import FUSION, recorded_stack

COMPOSER = "      composer: {}\n"
ON_DEMAND = FUSION.rstrip("\n") + (
    "\n        on_demand: {create_schedule: 0 5 * * MON-FRI, delete_schedule: 0 20 * * *, timezone: Europe/Berlin}\n"
)
OBJECT = "gcp:storage/bucketObject:BucketObject"


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return recorded_stack(tmp_path_factory.mktemp("on_demand") / "p", COMPOSER, ON_DEMAND)


def test_there_is_no_instance_but_all_that_one_needs(resources: list[RecordedResource]) -> None:
    assert of_type(resources, "gcp:datafusion/instance:Instance") == []
    assert of_type(resources, "gcp:securitycenter/instanceIamMember:InstanceIamMember") == []
    known = by_name(resources)
    assert "gcp:projects/iAMMember:IAMMember::data-fusion-agent" in known
    assert "gcp:pubsub/topic:Topic::data-fusion-events-topic" in known


def test_airflow_may_make_it_and_hand_it_the_clusters_account(resources: list[RecordedResource]) -> None:
    known = by_name(resources)
    admin = known["gcp:projects/iAMMember:IAMMember::data-fusion-on-demand-admin"]
    assert admin.inputs["role"] == "roles/datafusion.admin"
    uses = known["gcp:serviceaccount/iAMMember:IAMMember::data-fusion-on-demand-uses-runner"]
    assert uses.inputs["role"] == "roles/iam.serviceAccountUser"


def test_the_dags_come_after_the_runtime_and_the_grants(resources: list[RecordedResource]) -> None:
    known = by_name(resources)
    runtime = known[f"{OBJECT}::dags-dataplatform_runtime/cdap_instances.py"]
    for role in ("create", "delete"):
        dag = known[f"{OBJECT}::data-fusion-on-demand-{role}"]
        assert runtime.urn in dag.dependencies
        assert known["gcp:projects/iAMMember:IAMMember::data-fusion-on-demand-admin"].urn in dag.dependencies


def test_an_edition_that_has_no_roles_of_its_own_grants_none(tmp_path: Path) -> None:
    """What the DAG makes is what the stack file says; all of it is known where no key or account is the stack's."""
    from dataplatform.compile.on_demand import OnDemandPlan, render_create

    body: dict[str, Any] = {"type": "BASIC", "labels": {"stack": "dev"}}
    text = render_create(OnDemandPlan(name="dev-core", project="p-dev-1", region="europe-west1", body=body))
    called = {
        node.func.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and hasattr(node.func, "id")
    }
    assert {"CreateInstance", "WaitForInstance"} <= called
    assert "GrantOnInstance" not in called
