"""Keys, secrets, buckets, topics and BigQuery: what the services make, what they refuse, what a change does."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from localcloud import store
from localcloud.world import World
from tests.localcloud.client import Client, Made
from tests.localcloud.test_google import BUCKET, KEY, OBJECT, RING, SECRET, SERVICE, VERSION, grant, make_key, refused

TOPIC = "gcp:pubsub/topic:Topic"
PUBLISHER = "gcp:pubsub/topicIAMMember:TopicIAMMember"
NOTIFICATION = "gcp:storage/notification:Notification"
FOLDER = "gcp:storage/managedFolder:ManagedFolder"
FOLDER_MEMBER = "gcp:storage/managedFolderIamMember:ManagedFolderIamMember"
DATASET = "gcp:bigquery/dataset:Dataset"
TABLE = "gcp:bigquery/table:Table"
CIPHERTEXT = "gcp:kms/secretCiphertext:SecretCiphertext"
IDENTITY = "gcp:projects/serviceIdentity:ServiceIdentity"
COLUMNS = [{"name": "order_id", "type": "INTEGER", "mode": "REQUIRED"}, {"name": "country", "type": "STRING"}]


def bucket(gcp: Client, name: str = "acme-data", **more: Any) -> Made:
    return gcp.create(BUCKET, {"name": name, "location": "EU", **more}, name)


def table(gcp: Client, name: str = "orders", columns: list[dict[str, Any]] | None = None, **more: Any) -> Made:
    schema = {"schema": json.dumps(COLUMNS if columns is None else columns)} if "view" not in more else {}
    inputs = {"datasetId": "output", "tableId": name, "deletionProtection": False, **schema, **more}
    return gcp.create(TABLE, inputs, name)


@pytest.fixture
def dataset(gcp: Client) -> Made:
    return gcp.create(DATASET, {"datasetId": "output", "location": "EU"})


# Services ---------------------------------------------------------------------------------------------------------


def test_an_api_that_differs_by_a_slip_of_the_pen_does_not_exist(gcp: Client) -> None:
    words = refused(gcp.create, SERVICE, {"service": "secretmanger.googleapis.com"})
    assert "Service 'secretmanger.googleapis.com' not found" in words
    gcp.enable("pubsublite", "dataplex", "brandnewproduct")


# Keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"purpose": "SIGN"}, "Invalid value for CryptoKey.purpose"),
        ({"purpose": "ASYMMETRIC_SIGN"}, "version_template.algorithm is required"),
        (
            {"purpose": "MAC", "versionTemplate": {"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"}},
            "does not fit the purpose MAC",
        ),
        (
            {
                "purpose": "ASYMMETRIC_SIGN",
                "versionTemplate": {"algorithm": "EC_SIGN_P256_SHA256"},
                "rotationPeriod": "86400s",
            },
            "Rotation is not supported",
        ),
        ({"destroyScheduledDuration": "3600s"}, "between 24 hours and 120 days"),
        ({"versionTemplate": {"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protectionLevel": "TPM"}}, "TPM"),
    ],
)
def test_a_key_is_made_for_what_it_can_be(gcp: Client, inputs: dict[str, Any], words: str) -> None:
    gcp.enable("cloudkms")
    ring = gcp.create(RING, {"name": "ring", "location": "europe-west1"})
    assert words in refused(gcp.create, KEY, {"name": "key", "keyRing": ring.id, **inputs})


def test_a_key_keeps_purpose_and_level_and_changes_its_rotation(gcp: Client) -> None:
    gcp.enable("cloudkms")
    ring = gcp.create(RING, {"name": "ring", "location": "europe-west1"})
    inputs = {"name": "key", "keyRing": ring.id, "rotationPeriod": "7776000s"}
    key = gcp.create(KEY, inputs)
    assert not gcp.diff(KEY, key, {**inputs, "rotationPeriod": "86400s"}).replaces
    template = {"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protectionLevel": "HSM"}
    assert list(gcp.diff(KEY, key, {**inputs, "versionTemplate": template}).replaces) == ["versionTemplate"]
    seen = gcp.read(KEY, key.id, key.inputs)
    assert seen is not None
    assert not gcp.diff(KEY, seen, inputs).diffs


def test_a_ring_that_was_left_behind_is_imported_and_its_old_keys_encrypt_nothing(gcp: Client) -> None:
    key = make_key(gcp)
    agent = gcp.invoke("gcp:storage/getProjectServiceAccount:getProjectServiceAccount", {})["emailAddress"]
    grant(gcp, key, agent)
    ring = gcp.read(RING, "europe-west1/ring")
    assert ring is not None
    gcp.delete(KEY, key)
    gcp.delete(RING, ring)
    assert gcp.read(RING, ring.id) is not None
    assert gcp.read(KEY, key.id) is not None, "the key is imported too, and has no version that encrypts"
    inputs = {"name": "acme-data", "location": "EUROPE-WEST1", "encryption": {"defaultKmsKeyName": key.id}}
    assert "Permission denied on Cloud KMS key" in refused(gcp.create, BUCKET, inputs)
    fresh = gcp.create(KEY, {"name": "key-g2", "keyRing": ring.id}, "fresh")
    grant(gcp, fresh, agent)
    gcp.create(BUCKET, {**inputs, "encryption": {"defaultKmsKeyName": fresh.id}})


def test_a_value_is_encrypted_once_and_kept_secret(gcp: Client, world: World) -> None:
    key = make_key(gcp)
    inputs = {"cryptoKey": key.id, "plaintext": "canary-4d1f"}
    made = gcp.create(CIPHERTEXT, inputs)
    assert made.outputs["ciphertext"]
    assert made.id == f"{key.id}/{made.outputs['ciphertext']}"
    assert made.raw["plaintext"] != "canary-4d1f", "the engine gets it as a secret"
    assert gcp.create(CIPHERTEXT, inputs, "again").outputs["ciphertext"] != made.outputs["ciphertext"]
    assert "canary-4d1f" not in world.log.read_text(encoding="utf-8")
    assert list(gcp.diff(CIPHERTEXT, made, {**inputs, "plaintext": "other"}).replaces) == ["plaintext"]
    seen = gcp.read(CIPHERTEXT, made.id, made.inputs)
    assert seen is not None
    assert not gcp.diff(CIPHERTEXT, seen, inputs).diffs
    assert "at most 65536" in refused(gcp.create, CIPHERTEXT, {**inputs, "plaintext": "x" * 70000})
    signing = gcp.create(
        KEY,
        {
            "name": "signing",
            "keyRing": key.outputs["keyRing"],
            "purpose": "ASYMMETRIC_SIGN",
            "versionTemplate": {"algorithm": "EC_SIGN_P256_SHA256"},
        },
        "signing",
    )
    assert "does not encrypt" in refused(gcp.create, CIPHERTEXT, {**inputs, "cryptoKey": signing.id})
    gcp.delete(KEY, key)
    assert "is not enabled" in refused(gcp.create, CIPHERTEXT, inputs)
    gcp.delete(CIPHERTEXT, made)
    assert gcp.read(CIPHERTEXT, made.id) is None


# Secrets ----------------------------------------------------------------------------------------------------------

FUTURE, PAST = "2090-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ttl": "3600s", "expireTime": FUTURE}, "Only one of expire_time and ttl"),
        ({"expireTime": PAST}, "must be in the future"),
        ({"expireTime": "tomorrow"}, "Invalid time"),
        ({"versionDestroyTtl": "3600s"}, "between 24 hours and 1000 days"),
        ({"annotations": {"a": "x" * 17000}}, "less than 16 KiB"),
        ({"topics": [{"name": "renewals"}]}, "is not of the form"),
        ({"topics": [{"name": "projects/acme-dev/topics/none"}]}, "was not found"),
    ],
)
def test_a_secret_lives_as_long_as_it_can(gcp: Client, more: dict[str, Any], words: str) -> None:
    gcp.enable("secretmanager", "pubsub")
    assert words in refused(gcp.create, SECRET, {"secretId": "s", "replication": {"auto": {}}, **more})


def test_rotation_needs_a_topic_that_the_agent_may_publish_to(gcp: Client) -> None:
    gcp.enable("secretmanager", "pubsub")
    agent = gcp.create(IDENTITY, {"service": "secretmanager.googleapis.com"})
    topic = gcp.create(TOPIC, {"name": "renewals"})
    inputs = {
        "secretId": "s",
        "replication": {"auto": {}},
        "topics": [{"name": topic.id}],
        "rotation": {"rotationPeriod": "86400s", "nextRotationTime": FUTURE},
    }
    assert "'pubsub.topics.publish'" in refused(gcp.create, SECRET, inputs)
    member = agent.outputs["member"]
    gcp.create(PUBLISHER, {"topic": "renewals", "role": "roles/pubsub.publisher", "member": member})
    short = {**inputs, "rotation": {"rotationPeriod": "60s", "nextRotationTime": FUTURE}}
    assert "between 1 hour and 100 years" in refused(gcp.create, SECRET, short)
    late = {**inputs, "rotation": {"rotationPeriod": "86400s", "nextRotationTime": PAST}}
    assert "must be in the future" in refused(gcp.create, SECRET, late)
    bare = {**inputs, "rotation": {"rotationPeriod": "86400s"}}
    assert "next_rotation_time must be set" in refused(gcp.create, SECRET, bare)
    _, failures = gcp.check(SECRET, {k: v for k, v in inputs.items() if k != "topics"})
    assert failures, "the provider asks for topics itself"
    made = gcp.create(SECRET, inputs)
    seen = gcp.read(SECRET, made.id, made.inputs)
    assert seen is not None
    assert not gcp.diff(SECRET, seen, inputs).diffs


def test_a_lifetime_becomes_an_end_and_does_not_drift(gcp: Client) -> None:
    gcp.enable("secretmanager")
    inputs = {"secretId": "s", "replication": {"auto": {}}, "ttl": "86400s"}
    made = gcp.create(SECRET, inputs)
    assert made.outputs["expireTime"] > time.strftime("%Y-%m-%d")
    seen = gcp.read(SECRET, made.id, made.inputs)
    assert seen is not None
    assert not gcp.diff(SECRET, seen, inputs).diffs
    moved = {**inputs, "replication": {"userManaged": {"replicas": [{"location": "europe-west1"}]}}}
    assert list(gcp.diff(SECRET, made, moved).replaces)
    version = gcp.create(VERSION, {"secret": made.id, "secretData": "x", "deletionPolicy": "DISABLE"})
    gcp.delete(VERSION, version)
    left = gcp.read(VERSION, version.id)
    assert left is not None
    assert left.outputs["enabled"] is False


# Buckets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"softDeletePolicy": {"retentionDurationSeconds": 86400}}, "0 or between 7 and 90 days"),
        ({"autoclass": {"enabled": True, "terminalStorageClass": "COLDLINE"}}, "Invalid terminal storage class"),
        ({"autoclass": {"enabled": True}, "storageClass": "NEARLINE"}, "default storage class STANDARD"),
        ({"retentionPolicy": {"retentionPeriod": "0"}}, "between 1 second and 100 years"),
        (
            {"retentionPolicy": {"retentionPeriod": "60"}, "versioning": {"enabled": True}},
            "cannot both be enabled",
        ),
        ({"lifecycleRules": [{"action": {"type": "Delete"}, "condition": {}}]}, "at least one condition"),
        ({"lifecycleRules": [{"action": {"type": "Freeze"}, "condition": {"age": 1}}]}, "Invalid lifecycle action"),
        (
            {
                "lifecycleRules": [
                    {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"numNewerVersions": 2}}
                ]
            },
            "takes the conditions age",
        ),
        (
            {
                "autoclass": {"enabled": True},
                "lifecycleRules": [
                    {"action": {"type": "SetStorageClass", "storageClass": "ARCHIVE"}, "condition": {"age": 1}}
                ],
            },
            "with Autoclass must not set",
        ),
    ],
)
def test_settings_of_a_bucket_go_with_each_other(gcp: Client, more: dict[str, Any], words: str) -> None:
    assert words in refused(lambda: bucket(gcp, **more))


def test_retention_keeps_objects_and_a_lock_keeps_retention(gcp: Client) -> None:
    policy = {"retentionPeriod": "3600"}
    made = bucket(gcp, retentionPolicy=policy, forceDestroy=True)
    item = gcp.create(OBJECT, {"bucket": "acme-data", "name": "a", "content": "x"})
    assert "is subject to bucket's retention policy" in refused(gcp.delete, OBJECT, item)
    assert "is subject to" in refused(gcp.update, OBJECT, item, {"bucket": "acme-data", "name": "a", "content": "y"})
    assert "is subject to" in refused(gcp.create, OBJECT, {"bucket": "acme-data", "name": "a", "content": "y"})
    assert "have not met the retention period" in refused(gcp.delete, BUCKET, made), "whatever forceDestroy says"
    base = {"name": "acme-data", "location": "EU", "forceDestroy": True}
    locked = gcp.update(BUCKET, made, {**base, "retentionPolicy": {**policy, "isLocked": True}})
    shorter = {**base, "retentionPolicy": {"retentionPeriod": "1", "isLocked": True}}
    assert "Cannot reduce retention duration of a locked" in refused(gcp.update, BUCKET, locked, shorter)
    longer = {**base, "retentionPolicy": {"retentionPeriod": "7200", "isLocked": True}}
    assert not gcp.diff(BUCKET, locked, longer).replaces
    gcp.update(BUCKET, locked, longer)
    assert list(gcp.diff(BUCKET, locked, base).replaces) == ["retentionPolicy"]
    assert "Cannot remove a locked" in refused(gcp.update, BUCKET, locked, base)


def test_a_managed_folder_has_grants_of_its_own(gcp: Client, world: World) -> None:
    bucket(gcp, uniformBucketLevelAccess=True)
    bucket(gcp, "acme-old")
    role = {"role": "roles/storage.objectViewer", "member": "group:a@b.c"}
    member = {"bucket": "acme-data", "managedFolder": "orders/", **role}
    assert "Resource 'acme-data/orders/' was not found" in refused(gcp.create, FOLDER_MEMBER, member)
    assert "need uniform bucket-level access" in refused(gcp.create, FOLDER, {"bucket": "acme-old", "name": "orders/"})
    folder = gcp.create(FOLDER, {"bucket": "acme-data", "name": "orders/"})
    inner = gcp.create(FOLDER, {"bucket": "acme-data", "name": "orders/eu/"}, "inner")
    made = gcp.create(FOLDER_MEMBER, member)
    gcp.create(FOLDER_MEMBER, {**member, "managedFolder": inner.outputs["name"]}, "inner")
    assert store.members(world.connect(), "acme-data/orders/", role["role"]) == ["group:a@b.c"]
    assert store.members(world.connect(), "acme-data", role["role"]) == []
    seen = gcp.read(FOLDER_MEMBER, made.id, made.inputs)
    assert seen is not None
    assert not gcp.diff(FOLDER_MEMBER, seen, member).diffs
    gcp.create(OBJECT, {"bucket": "acme-data", "name": "orders/a", "content": "x"})
    assert "is not empty" in refused(gcp.delete, FOLDER, folder)
    gcp.delete(FOLDER_MEMBER, made)
    assert store.members(world.connect(), "acme-data/orders/", role["role"]) == []
    assert store.members(world.connect(), "acme-data/orders/eu/", role["role"]) == ["group:a@b.c"]


def test_a_notification_needs_the_topic_and_the_agents_right(gcp: Client) -> None:
    bucket(gcp)
    gcp.enable("pubsub")
    inputs = {"bucket": "acme-data", "payloadFormat": "JSON_API_V1", "topic": "projects/acme-dev/topics/arrived"}
    assert "'projects/acme-dev/topics/arrived' was not found" in refused(gcp.create, NOTIFICATION, inputs)
    gcp.create(TOPIC, {"name": "arrived"})
    assert "does not have permission to publish" in refused(gcp.create, NOTIFICATION, inputs)
    agent = gcp.invoke("gcp:storage/getProjectServiceAccount:getProjectServiceAccount", {})["member"]
    gcp.create(PUBLISHER, {"topic": "arrived", "role": "roles/pubsub.publisher", "member": agent})
    made = gcp.create(NOTIFICATION, inputs)
    assert made.id == "acme-data/notificationConfigs/1"


# BigQuery ---------------------------------------------------------------------------------------------------------


def test_a_dataset_needs_the_api_the_key_and_its_place(gcp: Client) -> None:
    key = make_key(gcp, "europe")
    inputs = {"datasetId": "output", "location": "EU", "defaultEncryptionConfiguration": {"kmsKeyName": key.id}}
    assert "Please grant Cloud KMS CryptoKey Encrypter/Decrypter role to BigQuery service account: bq-" in refused(
        gcp.create, DATASET, inputs
    )
    agent = gcp.invoke("gcp:bigquery/getDefaultServiceAccount:getDefaultServiceAccount", {})
    grant(gcp, key, agent["email"])
    assert "must be the same" in refused(gcp.create, DATASET, {**inputs, "location": "europe-west1"})
    assert "is not a valid value" in refused(gcp.create, DATASET, {"datasetId": "x", "location": "Europe-1"})
    assert "multiple of 24" in refused(gcp.create, DATASET, {"datasetId": "x", "maxTimeTravelHours": "50"})
    made = gcp.create(DATASET, inputs)
    seen = gcp.read(DATASET, made.id, made.inputs)
    assert seen is not None
    assert not gcp.diff(DATASET, seen, inputs).diffs
    assert list(gcp.diff(DATASET, made, {**inputs, "location": "US"}).replaces) == ["location"]
    assert not gcp.diff(DATASET, made, {**inputs, "location": "eu", "defaultTableExpirationMs": 7200000}).replaces
    _, failures = gcp.check(DATASET, {"datasetId": "x", "defaultTableExpirationMs": 1000})
    assert "cannot be shorter than 3600000 milliseconds" in failures[0]


def test_a_dataset_goes_with_its_tables_only_when_told_to(gcp: Client, dataset: Made) -> None:
    made = table(gcp)
    assert "Dataset acme-dev:output is still in use" in refused(gcp.delete, DATASET, dataset)
    forced = gcp.update(DATASET, dataset, {"datasetId": "output", "location": "EU", "deleteContentsOnDestroy": True})
    gcp.delete(DATASET, forced)
    assert gcp.read(TABLE, made.id) is None
    assert "Not found: Dataset acme-dev:output" in refused(lambda: table(gcp))


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize(
    ("columns", "more", "words"),
    [
        ([{"name": "a", "type": "VARCHAR"}], {}, "Invalid value for type: VARCHAR"),
        ([{"name": "1a", "type": "STRING"}], {}, 'Invalid field name "1a"'),
        ([{"name": "a", "type": "STRING"}, {"name": "A", "type": "STRING"}], {}, "Duplicate field name"),
        ([{"name": "a", "type": "STRING", "mode": "OFTEN"}], {}, "Invalid value for mode: OFTEN"),
        ([{"name": "a", "type": "RECORD"}], {}, "is type RECORD but has no schema"),
        (None, {"timePartitioning": {"type": "DAY", "field": "day"}}, "cannot be found in the schema: day"),
        (None, {"timePartitioning": {"type": "DAY", "field": "country"}}, "The type found is: STRING"),
        (None, {"clusterings": ["town"]}, "clustering cannot be found in the schema: town"),
        (
            None,
            {"rangePartitioning": {"field": "country", "range": {"start": 0, "end": 9, "interval": 1}}},
            "must be an INTEGER",
        ),
        (None, {"requirePartitionFilter": True}, "needs a partitioned table"),
    ],
)
def test_a_table_is_what_its_columns_allow(
    gcp: Client, columns: list[dict[str, Any]] | None, more: dict[str, Any], words: str
) -> None:
    assert words in refused(lambda: table(gcp, columns=columns, **more))


def changed(*columns: dict[str, Any]) -> dict[str, Any]:
    return {"datasetId": "output", "tableId": "orders", "deletionProtection": False, "schema": json.dumps(columns)}


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ((COLUMNS[0], {"name": "land", "type": "STRING"}), "Field country is missing in new schema"),
        ((COLUMNS[0], {"name": "country", "type": "INTEGER"}), "has changed type from STRING to INTEGER"),
        ((COLUMNS[0], {**COLUMNS[1], "mode": "REQUIRED"}), "has changed mode from NULLABLE to REQUIRED"),
        ((*COLUMNS, {"name": "n", "type": "STRING", "mode": "REQUIRED"}), "Cannot add required fields"),
    ],
)
def test_a_schema_does_not_shrink(gcp: Client, columns: tuple[dict[str, Any], ...], words: str) -> None:
    made = table(gcp)
    assert list(gcp.diff(TABLE, made, changed(*columns)).replaces) == ["schema"], "the provider makes another table"
    assert gcp.diff(TABLE, made, changed(*columns)).deleteBeforeReplace
    assert words in refused(gcp.update, TABLE, made, changed(*columns)), "and the service refuses it in place"


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize(
    "columns",
    [
        (*COLUMNS, {"name": "note", "type": "STRING"}),
        ({**COLUMNS[0], "mode": "NULLABLE"}, COLUMNS[1]),
        ({**COLUMNS[0], "type": "NUMERIC"}, COLUMNS[1]),
        (COLUMNS[0],),
    ],
)
def test_a_schema_grows_in_place(gcp: Client, columns: tuple[dict[str, Any], ...]) -> None:
    made = table(gcp)
    assert not gcp.diff(TABLE, made, changed(*columns)).replaces
    grown = gcp.update(TABLE, made, changed(*columns))
    assert json.loads(grown.outputs["schema"]) == list(columns)


@pytest.mark.usefixtures("dataset")
def test_partitions_are_for_good_and_protection_holds(gcp: Client) -> None:
    columns = [{"name": "day", "type": "DATE"}]
    made = table(gcp, columns=columns, timePartitioning={"type": "DAY", "field": "day"})
    base = changed(*columns)
    moved = {**base, "timePartitioning": {"type": "MONTH", "field": "day"}}
    assert "Cannot change partitioning/clustering spec" in refused(gcp.update, TABLE, made, moved)
    lost = {**base, "timePartitioning": {"type": "DAY"}}
    assert list(gcp.diff(TABLE, made, lost).replaces) == ["timePartitioning"]
    kept = {**base, "timePartitioning": {"type": "DAY", "field": "day"}, "deletionProtection": True}
    guarded = gcp.update(TABLE, made, kept)
    assert "deletion_protection=false" in refused(gcp.delete, TABLE, guarded)
    seen = gcp.read(TABLE, made.id, guarded.inputs)
    assert seen is not None
    assert not gcp.diff(TABLE, seen, kept).diffs
    assert "Already Exists: Table acme-dev:output.orders" in refused(lambda: table(gcp))


@pytest.mark.usefixtures("dataset")
def test_a_view_reads_what_is_there(gcp: Client) -> None:
    query = {"query": "SELECT * FROM `acme-dev.output.orders`", "useLegacySql": False}
    assert "Not found: Table acme-dev:output.orders" in refused(lambda: table(gcp, "recent", view=query))
    table(gcp)
    made = table(gcp, "recent", view=query)
    assert made.outputs["type"] == "VIEW"
    seen = gcp.read(TABLE, made.id, made.inputs)
    assert seen is not None
    assert not gcp.diff(TABLE, seen, {k: v for k, v in made.inputs.items() if not k.startswith("__")}).diffs
    elsewhere = {**query, "query": "SELECT * FROM `another-project.x.y`"}
    table(gcp, "foreign", view=elsewhere)
