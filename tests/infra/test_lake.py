"""Services, keys, secrets, lake and BigQuery of a stack that has all of it, recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataplatform.local.plan_recorder import STAND_IN, RecordedResource
from infra.layout import airflow_secrets
from localcloud.rules import check
from localcloud.rules.tables import known, table
from localcloud.rules.wire import UNKNOWN, secret
from tests.infra.inventory import UNKNOWN_MARKER, ancestors, by_name, of_type
from tests.infra.lake_stack import recorded_stack, stack

BUCKET = "gcp:storage/bucket:Bucket"
DATASET = "gcp:bigquery/dataset:Dataset"
TABLE = "gcp:bigquery/table:Table"
TOPIC = "gcp:pubsub/topic:Topic"
KEY = "gcp:kms/cryptoKey:CryptoKey"
RING = "gcp:kms/keyRing:KeyRing"
SECRET = "gcp:secretmanager/secret:Secret"
GRANT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
PUBLISHER = "gcp:pubsub/topicIAMMember:TopicIAMMember"
HOLDS_DATA = {BUCKET, DATASET, KEY, RING, SECRET}


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return recorded_stack(tmp_path_factory.mktemp("lake") / "project")


def inputs(resources: list[RecordedResource], token: str, name: str) -> Any:
    return by_name(resources)[f"{token}::{name}"].inputs


# What holds for all of it ---------------------------------------------------------------------------------------


def test_inputs_are_what_the_provider_takes(resources: list[RecordedResource]) -> None:
    for resource in resources:
        if not resource.type.startswith("gcp:"):
            continue
        wire = json.loads(json.dumps(dict(resource.inputs)).replace(json.dumps(UNKNOWN_MARKER), json.dumps(UNKNOWN)))
        given = {**wire, **{path: secret("value") for path in resource.secrets}}
        found = check(resource.type, given, provider_config={"project": "acme-data-lak", "region": "europe-west1"})
        assert [(resource.name, f.property, f.reason) for f in found.failures] == []


def test_what_holds_data_is_labelled_and_protected(resources: list[RecordedResource]) -> None:
    for resource in resources:
        is_data = resource.type in HOLDS_DATA or (resource.type == TABLE and "view" not in resource.inputs)
        assert resource.protect is is_data, resource.urn
        properties = table(resource.type).properties if known(resource.type) else {}
        if "labels" in properties:
            labels: Any = resource.inputs["labels"]
            assert (labels["owner"], labels["environment"]) == ("data-platform", "lak"), resource.name
        if "deletionProtection" in properties and resource.type != "gcp:workflows/workflow:Workflow":
            assert resource.inputs["deletionProtection"] is is_data, resource.name


def test_every_key_is_granted_before_it_is_used_and_every_api_enabled(resources: list[RecordedResource]) -> None:
    enabled = of_type(resources, "gcp:projects/service:Service")
    services = {str(r.inputs["service"]).partition(".")[0]: r.urn for r in enabled}
    assert {"dataplex", "bigquery", "pubsub"} <= set(services)
    assert all(r.inputs["disableOnDestroy"] is False for r in enabled)
    used = {BUCKET: "storage", DATASET: "bigquery", TABLE: "bigquery", TOPIC: "pubsub", SECRET: "secretmanager"}
    keys = {r.urn: r for r in of_type(resources, KEY)}
    for resource in of_type(resources, *used):
        service = used[resource.type]
        waits_for = ancestors(resource, resources)
        assert services[service] in waits_for, resource.name
        if "view" in resource.inputs:
            continue
        granted = {
            str(keys[urn].inputs["name"])
            for grant in of_type(resources, GRANT)
            if grant.urn in waits_for
            for urn in grant.dependencies
            if urn in keys
        }
        assert service in granted, resource.name


def test_grants_are_additive_and_narrow(resources: list[RecordedResource]) -> None:
    for resource in resources:
        kind = resource.type.rpartition(":")[2].lower()
        assert "iambinding" not in kind
        assert "iampolicy" not in kind
        assert "accesses" not in resource.inputs
        assert resource.inputs.get("role") not in ("roles/owner", "roles/editor", "roles/viewer")


# Keys -------------------------------------------------------------------------------------------------------------


def test_keys_are_what_the_stack_asks_for(resources: list[RecordedResource]) -> None:
    hsm = {"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protectionLevel": "HSM"}
    storage = inputs(resources, KEY, "kms-lake-storage")
    assert storage["versionTemplate"] == hsm
    assert storage["rotationPeriod"] == "2592000s"
    assert "versionTemplate" not in inputs(resources, KEY, "kms-secretmanager")
    signing = inputs(resources, KEY, "kms-key-signing")
    assert (signing["purpose"], signing["versionTemplate"]["algorithm"]) == ("ASYMMETRIC_SIGN", "EC_SIGN_P256_SHA256")
    assert "rotationPeriod" not in signing
    rings = {r.name: r.inputs["location"] for r in of_type(resources, RING)}
    assert rings == {"kms-ring": "europe-west1", "kms-lake-ring": "europe", "kms-europe-west4-ring": "europe-west4"}


def test_keys_are_where_the_data_is(resources: list[RecordedResource]) -> None:
    by_ring: dict[object, set[str]] = {}
    for key in of_type(resources, KEY):
        (ring,) = [r for r in of_type(resources, RING) if r.urn in key.dependencies]
        by_ring.setdefault(ring.inputs["location"], set()).add(str(key.inputs["name"]))
    assert by_ring == {
        "europe-west1": {"bigquery", "config", "pubsub", "secretmanager", "signing", "workflows"},
        "europe": {"bigquery", "storage"},
        "europe-west4": {"secretmanager"},
    }


def test_others_may_use_a_key_once_they_are_there(resources: list[RecordedResource]) -> None:
    names = {r.name: r for r in of_type(resources, GRANT) if r.name.startswith("key-access-")}
    assert set(names) == {
        "key-access-key/config-decrypt-workflows",
        "key-access-storage/europe-decrypt-group:auditors@acme.example",
    }
    runner = by_name(resources)["gcp:serviceaccount/account:Account::workflows-runner"]
    decrypts = names["key-access-key/config-decrypt-workflows"]
    assert decrypts.inputs["role"] == "roles/cloudkms.cryptoKeyDecrypter"
    assert runner.urn in ancestors(decrypts, resources)


def test_the_plaintext_of_a_ciphertext_is_secret_to_the_engine(resources: list[RecordedResource]) -> None:
    (made,) = of_type(resources, "gcp:kms/secretCiphertext:SecretCiphertext")
    assert made.secrets == ("plaintext",)
    assert "plaintext" not in made.inputs
    assert STAND_IN not in json.dumps([r.to_json() for r in resources])


@pytest.mark.parametrize(
    ("kms", "adopted", "names"),
    [
        ("{existing: true, keys: {config: {}}", {"ring", "config", "storage", "workflows"}, {"storage"}),
        ("{existing: true, new_keys: [storage, config], keys: {config: {}}", {"ring", "workflows"}, {"storage"}),
        (
            "{existing: true, existing_keys: false, key_generation: 2, keys: {config: {}}",
            {"ring"},
            {"storage-g2", "config-g2"},
        ),
    ],
)
def test_what_is_there_is_adopted_and_the_rest_is_made(
    tmp_path: Path, kms: str, adopted: set[str], names: set[str]
) -> None:
    old = "      kms:\n        services:\n"
    text = (stack(tmp_path / "p") / "Pulumi.lak.yaml").read_text(encoding="utf-8")
    block = text[text.index(old) : text.index("      secrets:\n        token:")]
    made = recorded_stack(tmp_path / "p", (block, f"      kms: {kms}, ciphertexts: {{config: [token]}}}}\n"))
    found = {r.name: r for r in of_type(made, KEY, RING)}
    imported = {name.rpartition("-")[2] for name, r in found.items() if r.import_id}
    assert adopted <= imported
    assert ("storage" in imported) is ("storage" in adopted)
    for resource in found.values():
        assert resource.retain_on_delete is bool(resource.import_id)
        assert resource.protect
    assert names <= {str(r.inputs["name"]) for r in of_type(made, KEY)}
    ring = found["kms-lake-ring"]
    assert ring.import_id == "projects/acme-data-lak/locations/europe/keyRings/data-platform-lak"


# Secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_have_the_names_that_airflow_looks_for(resources: list[RecordedResource], tmp_path: Path) -> None:
    ids = {r.name: r.inputs["secretId"] for r in of_type(resources, SECRET)}
    assert ids == {
        "secrets-token": "airflow-connections-my_conn",
        "secrets-hawk": "airflow-variables-hawk",
        "secrets-renewed": "lak-renewed",
        "secrets-elsewhere": "lak-elsewhere",
    }
    from dataplatform.config.check import load_stack_config

    gcp = load_stack_config(stack(tmp_path / "p"), "lak").platform.gcp
    assert gcp is not None
    assert airflow_secrets(gcp)
    assert not airflow_secrets(gcp.model_copy(update={"secrets": {"renewed": gcp.secrets["renewed"]}}))


def test_secrets_are_where_and_as_long_as_the_stack_says(resources: list[RecordedResource]) -> None:
    replicas = inputs(resources, SECRET, "secrets-token")["replication"]["userManaged"]["replicas"]
    assert [r["location"] for r in replicas] == ["europe-west1", "europe-west4"]
    token = by_name(resources)[f"{SECRET}::secrets-token"]
    there = {r.urn for r in of_type(resources, KEY) if r.name.endswith("secretmanager")}
    assert len(there) == 2
    assert there <= ancestors(token, resources)
    renewed, elsewhere = (inputs(resources, SECRET, f"secrets-{name}") for name in ("renewed", "elsewhere"))
    assert (renewed["ttl"], elsewhere["expireTime"]) == ("8640000s", "2099-01-01T00:00:00Z")
    assert elsewhere["versionDestroyTtl"] == "604800s"
    version = "gcp:secretmanager/secretVersion:SecretVersion"
    assert inputs(resources, version, "secrets-hawk-version")["deletionPolicy"] == "ABANDON"
    assert "deletionPolicy" not in inputs(resources, version, "secrets-token-version")


def test_rotation_is_told_to_a_topic_its_agent_may_publish_to(resources: list[RecordedResource]) -> None:
    renewed = by_name(resources)[f"{SECRET}::secrets-renewed"]
    assert renewed.inputs["rotation"] == {"nextRotationTime": "2090-01-01T06:00:00Z", "rotationPeriod": "2592000s"}
    publishers = {r.name: r for r in of_type(resources, PUBLISHER)}
    assert publishers["secrets-rotation-publisher"].urn in ancestors(renewed, resources)
    assert inputs(resources, TOPIC, "secrets-rotation-topic")["name"] == "lak-secret-rotation"
    elsewhere = by_name(resources)[f"{SECRET}::secrets-elsewhere"]
    assert elsewhere.inputs["topics"] == [{"name": "projects/acme-topics/topics/renewals"}]
    granted = publishers["secrets-rotation-projects.acme-topics.topics.renewals-publisher"]
    assert (granted.inputs["project"], granted.inputs["topic"]) == ("acme-topics", "renewals")
    assert granted.urn in ancestors(elsewhere, resources)


# Lake -------------------------------------------------------------------------------------------------------------


def test_zones_are_as_the_stack_says(resources: list[RecordedResource]) -> None:
    landing, curated, archive = (
        inputs(resources, BUCKET, f"lake-{zone}") for zone in ("landing", "curated", "archive")
    )
    assert landing["softDeletePolicy"] == {"retentionDurationSeconds": 2592000}
    assert landing["lifecycleRules"] == [
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}},
        {
            "action": {"type": "Delete"},
            "condition": {
                "daysSinceNoncurrentTime": 7,
                "matchesPrefixes": ["orders/"],
                "numNewerVersions": 3,
                "withState": "ARCHIVED",
            },
        },
    ]
    assert curated["autoclass"] == {"enabled": True, "terminalStorageClass": "ARCHIVE"}
    assert archive["retentionPolicy"] == {"isLocked": True, "retentionPeriod": "2592000"}
    for zone in (landing, curated, archive):
        assert (zone["publicAccessPrevention"], zone["uniformBucketLevelAccess"]) == ("enforced", True)


def test_prefixes_have_readers_and_writers_of_their_own(resources: list[RecordedResource]) -> None:
    folders = {r.inputs["name"] for r in of_type(resources, "gcp:storage/managedFolder:ManagedFolder")}
    assert folders == {"orders/", "orders/eu/"}
    grants = {
        (r.name, r.inputs["role"])
        for r in of_type(resources, "gcp:storage/managedFolderIamMember:ManagedFolderIamMember")
    }
    assert grants == {
        ("lake-access-landing/orders-writer-workflows", "roles/storage.objectUser"),
        ("lake-access-landing/orders-reader-group:orders@acme.example", "roles/storage.objectViewer"),
        ("lake-access-landing/orders/eu-reader-group:eu@acme.example", "roles/storage.objectViewer"),
    }
    whole = by_name(resources)["gcp:storage/bucketIAMMember:BucketIAMMember::lake-access-landing-reader-workflows"]
    runner = by_name(resources)["gcp:serviceaccount/account:Account::workflows-runner"]
    assert runner.urn in ancestors(whole, resources)


def test_notifications_come_after_the_agent_may_publish(resources: list[RecordedResource]) -> None:
    told = "gcp:storage/notification:Notification"
    arrived = by_name(resources)[f"{told}::lake-events-landing-arrived"]
    assert arrived.inputs["eventTypes"] == ["OBJECT_DELETE", "OBJECT_FINALIZE"]
    assert arrived.inputs["customAttributes"] == {"source": "lake"}
    publisher = by_name(resources)[f"{PUBLISHER}::lake-events-landing-arrived-publisher"]
    assert publisher.urn in ancestors(arrived, resources)
    topic = inputs(resources, TOPIC, "lake-events-landing-arrived-topic")
    assert topic["name"] == "lak-landing-arrived"
    assert topic["messageStoragePolicy"] == {"allowedPersistenceRegions": ["europe-west1"]}
    assert inputs(resources, told, "lake-events-landing-told")["topic"] == "projects/acme-topics/topics/objects"
    assert len(of_type(resources, TOPIC)) == 2


# BigQuery ---------------------------------------------------------------------------------------------------------


def test_datasets_are_where_and_for_whom_the_stack_says(resources: list[RecordedResource]) -> None:
    config, output = (inputs(resources, DATASET, f"bigquery-{name}") for name in ("config", "output"))
    assert (config["datasetId"], config["location"]) == ("lak_config", "europe-west1")
    assert (output["datasetId"], output["location"]) == ("output", "EU")
    assert (output["defaultTableExpirationMs"], output["maxTimeTravelHours"]) == (400 * 86_400_000, "48")
    grants = {(r.name, r.inputs["role"]) for r in of_type(resources, "gcp:bigquery/datasetIamMember:DatasetIamMember")}
    assert grants == {
        ("bigquery-output-reader-group:analysts@acme.example", "roles/bigquery.dataViewer"),
        ("bigquery-output-writer-workflows", "roles/bigquery.dataEditor"),
    }
    jobs = by_name(resources)["gcp:projects/iAMMember:IAMMember::bigquery-jobs-workflows-bigquery-jobUser"]
    assert jobs.inputs["role"] == "roles/bigquery.jobUser"


def test_tables_have_the_columns_of_the_file_as_bigquery_says_them(resources: list[RecordedResource]) -> None:
    orders = inputs(resources, TABLE, "bigquery-output.orders")
    assert json.loads(orders["schema"]) == [
        {"name": "order_id", "type": "INTEGER", "mode": "REQUIRED"},
        {"name": "country", "type": "STRING", "mode": "NULLABLE"},
        {"name": "ordered_at", "type": "TIMESTAMP", "mode": "NULLABLE"},
        {
            "name": "lines",
            "type": "RECORD",
            "mode": "REPEATED",
            "fields": [{"name": "net", "type": "NUMERIC", "mode": "NULLABLE", "precision": "12"}],
        },
    ]
    assert orders["timePartitioning"] == {"expirationMs": 90 * 86_400_000, "field": "ordered_at", "type": "MONTH"}
    assert orders["clusterings"] == ["country"]
    counts = inputs(resources, TABLE, "bigquery-output.counts")
    assert counts["rangePartitioning"] == {"field": "total", "range": {"end": 100, "interval": 10, "start": 0}}


def test_a_view_comes_after_what_it_reads(resources: list[RecordedResource]) -> None:
    found = by_name(resources)
    recent, alive = found[f"{TABLE}::bigquery-output.recent"], found[f"{TABLE}::bigquery-output.alive"]
    view: Any = recent.inputs["view"]
    wanted = "SELECT country FROM `acme-data-lak.output.orders`, `acme-data-lak.lak_config.pipelines`"
    assert view == {"query": wanted, "useLegacySql": False}
    assert {found[f"{TABLE}::bigquery-output.orders"].urn, found[f"{TABLE}::bigquery-config.pipelines"].urn} <= set(
        recent.dependencies
    )
    assert recent.urn in alive.dependencies
