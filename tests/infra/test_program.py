"""The program: what one edit changes, what a mistake does, what is decided before anything is registered."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import mocks
from pulumi.runtime.settings import SETTINGS, configure

from dataplatform.config.gcp.executors import Executors
from dataplatform.diagnostics import InputError
from dataplatform.local.plan_recorder import RecordedResource, record
from infra import program
from infra.decide import decide
from infra.layout import key_users, required_apis
from tests.infra.inventory import ROOT, by_name, checkout, recorded, stack_text

SAMPLE = "demo_pipeline_composer"


def changed(before: list[RecordedResource], after: list[RecordedResource]) -> set[str]:
    """Names of what is registered otherwise, or only once."""
    old, new = by_name(before), by_name(after)
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def edit_step(definition: Path) -> None:
    """Change one property of the definition's first step."""
    document = json.loads(definition.read_text(encoding="utf-8"))
    step = document["definition"][0]["THREADS"][0]["STEPS"][0]
    step["WAIT_TIME_SECONDS"] = "77"
    definition.write_text(json.dumps(document, indent=2), encoding="utf-8")


def test_editing_one_step_changes_its_dag_and_its_workflow_and_nothing_else(tmp_path: Path) -> None:
    root = checkout(tmp_path / "project")
    before = record(root, "dev")
    edit_step(root / f"pipelines/{SAMPLE}.json")
    after = record(root, "dev")
    assert changed(before, after) == {
        f"gcp:storage/bucketObject:BucketObject::dags-{SAMPLE}",
        f"gcp:workflows/workflow:Workflow::workflows-{SAMPLE}",
    }


def test_the_edit_shows_where_a_reviewer_looks(tmp_path: Path) -> None:
    root = checkout(tmp_path / "project")
    before = by_name(record(root, "dev"))
    edit_step(root / f"pipelines/{SAMPLE}.json")
    after = by_name(record(root, "dev"))
    dag, workflow = (
        f"gcp:storage/bucketObject:BucketObject::dags-{SAMPLE}",
        f"gcp:workflows/workflow:Workflow::workflows-{SAMPLE}",
    )

    def contexts(resources: dict[str, RecordedResource]) -> dict[str, str]:
        block: Any = resources[dag].inputs["contexts"]
        return {custom["key"]: custom["value"] for custom in block["customs"]}

    old, new = contexts(before), contexts(after)
    assert {key for key in old if old[key] != new[key]} == {"definition-sha256", "text-sha256"}
    assert new["definition"] == f"{SAMPLE}.json"
    # Only what the provider updates in place may differ: metadata or a content type would replace the object.
    different = {k for k in before[dag].inputs if before[dag].inputs[k] != after[dag].inputs[k]}
    assert different == {"contexts"}
    different = {k for k in before[workflow].inputs if before[workflow].inputs[k] != after[workflow].inputs[k]}
    assert different == {"description", "sourceContents"}
    assert new["definition-sha256"] in str(after[workflow].inputs["description"])


def test_a_new_definition_adds_its_two_resources_and_changes_nothing(tmp_path: Path) -> None:
    root = checkout(tmp_path / "project")
    before = record(root, "dev")
    text = (root / f"pipelines/{SAMPLE}.json").read_text(encoding="utf-8")
    (root / "pipelines/a_new_one.json").write_text(text, encoding="utf-8")
    assert changed(before, record(root, "dev")) == {
        "gcp:storage/bucketObject:BucketObject::dags-a_new_one",
        "gcp:workflows/workflow:Workflow::workflows-a_new_one",
    }


def test_a_new_lake_zone_adds_a_bucket_and_its_grants(tmp_path: Path) -> None:
    text = stack_text("dev", ("          curated:\n", "          archive: {}\n          curated:\n"))
    root = checkout(tmp_path / "project", stacks={"dev": text})
    added = {key for key in changed(list(recorded("dev")), record(root, "dev")) if key.endswith("-archive")}
    assert added == {
        "gcp:storage/bucket:Bucket::lake-archive",
        "gcp:storage/bucketIAMMember:BucketIAMMember::data-fusion-runner-archive",
    }


def test_renaming_data_fusion_changes_the_instance_alone(tmp_path: Path) -> None:
    text = stack_text("dev", ("        edition: developer\n", "        edition: developer\n        name: other\n"))
    root = checkout(tmp_path / "project", stacks={"dev": text})
    before, after = list(recorded("dev")), record(root, "dev")
    assert changed(before, after) == {"gcp:datafusion/instance:Instance::data-fusion"}
    assert by_name(after)["gcp:datafusion/instance:Instance::data-fusion"].inputs["name"] == "dev-other"


def test_each_generation_of_composer_gets_its_own_fields() -> None:
    def config(stack: str) -> Any:
        return by_name(recorded(stack))["gcp:composer/environment:Environment::composer"].inputs["config"]

    assert config("qa")["enablePrivateEnvironment"] is True
    assert "privateEnvironmentConfig" not in config("qa")
    assert "dagProcessor" in config("qa")["workloadsConfig"]
    assert config("prod")["privateEnvironmentConfig"]["enablePrivateEndpoint"] is True
    assert "enablePrivateEnvironment" not in config("prod")
    prod = by_name(recorded("prod"))
    assert "gcp:serviceaccount/iAMMember:IAMMember::composer-agent-extends-tasks" in prod
    assert "gcp:serviceaccount/iAMMember:IAMMember::composer-agent-extends-tasks" not in by_name(recorded("qa"))


def test_the_lake_elsewhere_has_a_key_there(tmp_path: Path) -> None:
    text = stack_text("prod", ("      lake:\n", "      lake:\n        location: EU\n"))
    resources = record(checkout(tmp_path / "project", stacks={"prod": text}), "prod")
    rings = {r.name: r.inputs["location"] for r in resources if r.type == "gcp:kms/keyRing:KeyRing"}
    assert rings == {"kms-ring": "europe-west1", "kms-lake-ring": "europe"}
    buckets = [r for r in resources if r.type == "gcp:storage/bucket:Bucket" and r.name.startswith("lake-")]
    assert {b.inputs["location"] for b in buckets} == {"EU"}
    (key,) = (r for r in resources if r.name == "kms-lake-storage")
    for bucket in buckets:
        assert key.urn in bucket.dependencies


def test_private_service_connect_names_its_attachment(tmp_path: Path) -> None:
    attachment = "projects/acme-data-qa/regions/europe-west1/networkAttachments/data-fusion"
    before = """          connection: vpc_peering
          network: projects/acme-data-qa/global/networks/default
          ip_allocation: 10.89.48.0/22
"""
    after = f"""          connection: private_service_connect
          network_attachment: {attachment}
"""
    root = checkout(tmp_path / "project", stacks={"qa": stack_text("qa", (before, after))})
    instance = by_name(record(root, "qa"))["gcp:datafusion/instance:Instance::data-fusion"]
    assert instance.inputs["networkConfig"] == {
        "connectionType": "PRIVATE_SERVICE_CONNECT_INTERFACES",
        "privateServiceConnectConfig": {"networkAttachment": attachment},
    }


def test_existing_keys_are_adopted_protected_and_kept(tmp_path: Path) -> None:
    text = stack_text("dev", ("      lake:\n", "      kms: {existing: true}\n      lake:\n"))
    after = record(checkout(tmp_path / "project", stacks={"dev": text}), "dev")
    ring = by_name(after)["gcp:kms/keyRing:KeyRing::kms-ring"]
    assert ring.import_id == "projects/acme-data-dev/locations/europe-west1/keyRings/data-platform-dev"
    key = by_name(after)["gcp:kms/cryptoKey:CryptoKey::kms-storage"]
    assert key.import_id == f"{ring.import_id}/cryptoKeys/storage"
    for adopted in (ring, key):
        assert adopted.protect
        assert adopted.retain_on_delete


def test_apis_follow_from_what_the_stack_has(tmp_path: Path) -> None:
    gcp = decide(ROOT, "dev").loaded.platform.gcp
    assert gcp is not None
    bare = gcp.model_copy(
        update={
            "composer": None,
            "data_fusion": None,
            "lake": None,
            "monitoring": None,
            "secrets": {},
            "workflows": None,
        }
    )
    assert required_apis(bare) == {"cloudkms", "cloudresourcemanager", "iam"}
    assert key_users(bare) == {}
    prod = decide(ROOT, "prod").loaded.platform.gcp
    assert prod is not None
    assert {"artifactregistry", "compute", "container", "pubsub"} <= required_apis(prod) - required_apis(
        prod.model_copy(
            update={
                "cloud_sql": {},
                "composer": None,
                "data_fusion": None,
                "executors": Executors(),
                "lake": None,
                "network": None,
                "secrets": {},
            }
        )
    )


def test_an_accessor_that_names_nothing_is_told_with_its_place(tmp_path: Path) -> None:
    text = stack_text("dev", ("[$composer, $data_fusion]", "[$composer, $data_fuson]"))
    root = checkout(tmp_path / "project", stacks={"dev": text})
    with pytest.raises(InputError) as raised:
        decide(root, "dev")
    (diagnostic,) = raised.value.diagnostics.items
    assert "did you mean '$data_fusion'?" in diagnostic.remedy
    assert "$data_fuson" in text.splitlines()[diagnostic.position.line - 1]


def test_mistakes_in_names_and_references_are_told_together(tmp_path: Path) -> None:
    text = stack_text(
        "dev",
        ("[$composer, $data_fusion]", "[$nobody]"),
        (
            "        edition: developer\n",
            "        edition: developer\n        name: a-very-long-name-of-32-character\n",
        ),
    )
    with pytest.raises(InputError) as raised:
        decide(checkout(tmp_path / "project", stacks={"dev": text}), "dev")
    assert len(raised.value.diagnostics.items) == 2


@contextmanager
def engine(stack: str) -> Iterator[list[str]]:
    """The SDK set to a stack, with an engine that keeps what it is told."""
    told: list[str] = []
    logger = logging.getLogger("tests.infra.engine")
    logger.handlers = [_Keep(told)]
    logger.propagate = False
    before = (SETTINGS.engine, SETTINGS.stack, SETTINGS.project)
    configure(
        mocks.MockSettings(  # type: ignore[no-untyped-call]
            monitor=None,
            monitor_features=set(),
            engine=mocks.MockEngine(logger),
            project="data-platform",
            stack=stack,
            dry_run=True,
            organization="organization",
            outputs=set(),
            lock=threading.Lock(),
        )
    )
    try:
        yield told
    finally:
        SETTINGS.engine, SETTINGS.stack, SETTINGS.project = before


class _Keep(logging.Handler):
    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())


def test_a_mistake_ends_the_program_with_its_diagnostics_and_no_traceback(tmp_path: Path) -> None:
    text = stack_text("dev", ("region: europe-west1", "region: europe-west1\n      regoin: x"))
    root = checkout(tmp_path / "project", stacks={"dev": text})
    with engine("dev") as told, pytest.raises(SystemExit) as raised:
        program.run(root)
    assert raised.value.code == program.ALREADY_REPORTED
    assert raised.value.__suppress_context__
    (message,) = told
    assert "regoin" in message
    assert "did you mean 'region'?" in message


def test_workflows_may_run_workflows_only_where_one_does(tmp_path: Path) -> None:
    root = checkout(tmp_path / "project")
    invoker = "gcp:projects/iAMMember:IAMMember::workflows-runner-workflows-invoker"
    assert invoker not in by_name(record(root, "dev"))
    step = {"JOB_ID": "J01", "JOB_NAME": "child", "TYPE": "workflows", "workflows_name": SAMPLE}
    parent = {
        "engine": "cloud_workflows",
        "definition": [{"LEVEL_ID": "1", "THREADS": [{"THREAD_ID": "1", "STEPS": [step]}]}],
    }
    (root / "pipelines" / "parent.json").write_text(json.dumps(parent), "utf-8")
    granted = by_name(record(root, "dev"))[invoker]
    assert granted.inputs["role"] == "roles/workflows.invoker"
