"""Diff, by examples: what replaces, what updates, what is no change at all, and in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.rules import Diff, autoname, diff, refreshed_inputs
from localcloud.rules.compare import seconds
from localcloud.rules.wire import ASSET, OUTPUT, SIGNATURE, UNKNOWN, secret

BUCKET = "gcp:storage/bucket:Bucket"
OBJECT = "gcp:storage/bucketObject:BucketObject"
COMPOSER = "gcp:composer/environment:Environment"
FUSION = "gcp:datafusion/instance:Instance"
WORKFLOW = "gcp:workflows/workflow:Workflow"
TABLE = "gcp:bigquery/table:Table"
SQL = "gcp:sql/databaseInstance:DatabaseInstance"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
CONNECTOR = "gcp:vpcaccess/connector:Connector"
CATALOG = "databricks:index/catalog:Catalog"
ACCOUNT = "azure-native:storage:StorageAccount"
VAULT = "azure-native:keyvault:Vault"
SQLDB = "azure-native:sql:Database"


def one(
    token: str,
    old: dict[str, Any],
    new: dict[str, Any],
    ignore: tuple[str, ...] = (),
    outputs: dict[str, Any] | None = None,
) -> Diff:
    return diff(token, old, outputs or {}, new, ignore)


def columns(*specs: str, **more: Any) -> dict[str, Any]:
    fields = []
    for spec in specs:
        name, kind, *mode = spec.split()
        fields.append({"name": name, "type": kind, **({"mode": mode[0]} if mode else {})})
    return {"schema": json.dumps(fields), **more}


def environment(version: str, network: str = "n") -> dict[str, Any]:
    return {"name": "e", "config": {"nodeConfig": {"network": network}, "softwareConfig": {"imageVersion": version}}}


NO_CHANGE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (BUCKET, {"location": "eu"}, {"location": "EU"}),
    (BUCKET, {"location": "EU"}, {"location": "EU", "forceDestroy": False}),
    (BUCKET, {"location": "EU", "storageClass": "STANDARD"}, {"location": "EU"}),
    (BUCKET, {"location": "EU", "rpo": "DEFAULT"}, {"location": "EU"}),
    (BUCKET, {"location": "EU", "labels": {}}, {"location": "EU"}),
    (
        BUCKET,
        {"location": "EU", "versioning": {"enabled": "true"}},
        {"location": "EU", "versioning": {"enabled": True}},
    ),
    (BUCKET, {"location": "EU", "__defaults": []}, {"location": "EU", "__defaults": ["name"]}),
    (BUCKET, {"location": "EU"}, {"location": secret("EU")}),
    (BUCKET, {"location": "EU"}, {"location": {SIGNATURE: OUTPUT, "value": "EU"}}),
    (
        BUCKET,
        {"customPlacementConfig": {"dataLocations": ["A", "B"]}},
        {"customPlacementConfig": {"dataLocations": ["B", "A"]}},
    ),
    (COMPOSER, environment("composer-2.9.7-airflow-2.9.3"), environment("composer-2-airflow-2")),
    (COMPOSER, environment("composer-2.9.7-airflow-2.9.3"), environment("composer-latest-airflow-2.9")),
    (
        COMPOSER,
        environment("x", "projects/p/global/networks/n"),
        environment("x", "https://www.googleapis.com/compute/v1/projects/p/global/networks/n"),
    ),
    (
        WORKFLOW,
        {"serviceAccount": "r@p.iam.gserviceaccount.com"},
        {"serviceAccount": "projects/p/serviceAccounts/r@p.iam.gserviceaccount.com"},
    ),
    ("gcp:kms/cryptoKey:CryptoKey", {"keyRing": "projects/p/locations/l/keyRings/r"}, {"keyRing": "p/l/r"}),
    ("gcp:storage/bucketIAMMember:BucketIAMMember", {"bucket": "b/lake"}, {"bucket": "lake"}),
    ("gcp:projects/iAMMember:IAMMember", {"member": "user:Jane@Example.com"}, {"member": "user:jane@example.com"}),
    (
        "gcp:securitycenter/instanceIamPolicy:InstanceIamPolicy",
        {"policyData": '{"bindings":[{"role":"r","members":["user:b","user:a"]}]}'},
        {"policyData": '{"bindings": [{"members": ["user:a", "user:b"], "role": "r"}]}'},
    ),
    ("gcp:cloudscheduler/job:Job", {"httpTarget": {"uri": "https://a/"}}, {"httpTarget": {"uri": "https://a"}}),
    (
        "gcp:pubsub/subscription:Subscription",
        {"retryPolicy": {"minimumBackoff": "60s"}},
        {"retryPolicy": {"minimumBackoff": "60.0s"}},
    ),
    ("gcp:compute/forwardingRule:ForwardingRule", {"portRange": "80-80"}, {"portRange": "80"}),
    ("gcp:dns/recordSet:RecordSet", {"rrdatas": ["a.", "b."]}, {"rrdatas": ["b.", "a."]}),
    ("gcp:monitoring/dashboard:Dashboard", {"dashboardJson": '{"a":1}'}, {"dashboardJson": '{ "a": 1 }'}),
    (SQL, {"settings": {"tier": "t", "diskSize": 20}}, {"settings": {"tier": "t", "diskSize": 10}}),
    (TABLE, columns("a STRING"), {"schema": '[{"type": "STRING", "name": "a"}]'}),
    (CATALOG, {"storageRoot": "abfss://x/"}, {"storageRoot": "abfss://x"}),
    (CATALOG, {"name": "Main"}, {"name": "main"}),
    (
        "databricks:index/cluster:Cluster",
        {"sparkConf": {"spark.databricks.delta.preview.enabled": "true", "a": "b"}},
        {"sparkConf": {"a": "b"}},
    ),
    (
        "databricks:index/sqlTable:SqlTable",
        {"columns": [{"name": "a", "type": "INTEGER"}]},
        {"columns": [{"name": "a", "type": "int"}]},
    ),
    (
        ACCOUNT,
        {"resourceGroupName": "rg", "location": "West Europe"},
        {"resourceGroupName": "RG", "location": "westeurope"},
    ),
    # A write-only value is never compared: its version says that it changed.
    (
        "gcp:secretmanager/secretVersion:SecretVersion",
        {"secretDataWo": "a", "secretDataWoVersion": "1"},
        {"secretDataWo": "b", "secretDataWoVersion": "1"},
    ),
]


@pytest.mark.parametrize(
    ("token", "old", "new"),
    NO_CHANGE,
    ids=[f"{token.rsplit(':', 1)[-1]}{at}" for at, (token, _, _) in enumerate(NO_CHANGE)],
)
def test_the_same_to_the_provider(token: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    assert one(token, old, new) == Diff(False)


CHANGES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]] = [
    (BUCKET, {"location": "EU"}, {"location": "US"}, {"location": "update-replace"}),
    (BUCKET, {"location": "EU"}, {"location": UNKNOWN}, {"location": "update-replace"}),
    (
        BUCKET,
        {"labels": {"a": "1", "b": "2"}},
        {"labels": {"a": "2", "c.d": "3"}},
        {"labels.a": "update", "labels.b": "delete", 'labels["c.d"]': "add"},
    ),
    (BUCKET, {"labels": {"a": "1"}}, {"labels": {"a": UNKNOWN}}, {"labels.a": "update"}),
    (BUCKET, {}, {"labels": {"a": "1"}}, {"labels": "add"}),
    (BUCKET, {"forceDestroy": True}, {}, {"forceDestroy": "delete"}),
    (
        BUCKET,
        {"retentionPolicy": {"retentionPeriod": 1}},
        {"retentionPolicy": {"retentionPeriod": 2, "isLocked": True}},
        {"retentionPolicy.retentionPeriod": "update", "retentionPolicy.isLocked": "add"},
    ),
    (
        BUCKET,
        {"retentionPolicy": {"retentionPeriod": 1, "isLocked": True}},
        {"retentionPolicy": {"retentionPeriod": 1}},
        {"retentionPolicy.isLocked": "delete-replace"},
    ),
    (BUCKET, {"retentionPolicy": {"retentionPeriod": 1, "isLocked": True}}, {}, {"retentionPolicy": "delete-replace"}),
    (BUCKET, {"retentionPolicy": {"retentionPeriod": 1}}, {}, {"retentionPolicy": "delete"}),
    (OBJECT, {"content": "a"}, {"content": secret("b")}, {"content": "update"}),
    (
        OBJECT,
        {"source": {SIGNATURE: ASSET, "hash": "1"}},
        {"source": {SIGNATURE: ASSET, "hash": "2", "text": "x"}},
        {"source": "update-replace"},
    ),
    (OBJECT, {"content": "a"}, {"source": {SIGNATURE: ASSET, "hash": "2"}}, {"source": "add-replace"}),
    (OBJECT, {"metadata": {"a": "1"}}, {"metadata": {"a": "2"}}, {"metadata.a": "update-replace"}),
    (
        OBJECT,
        {"contexts": {"customs": [{"key": "a", "value": "1"}]}},
        {"contexts": {"customs": [{"key": "a", "value": "2"}]}},
        {"contexts.customs[0].value": "update"},
    ),
    (FUSION, {"type": "BASIC", "name": "a"}, {"type": "ENTERPRISE", "name": "a"}, {"type": "update-replace"}),
    (FUSION, {"version": "6.10.0"}, {"version": "6.11.0"}, {"version": "update"}),
    (FUSION, {}, {"networkConfig": {"network": "n"}}, {"networkConfig": "add-replace"}),
    (
        COMPOSER,
        environment("composer-2-airflow-2"),
        environment("composer-2-airflow-2", "m"),
        {"config.nodeConfig.network": "update-replace"},
    ),
    (
        COMPOSER,
        environment("composer-3-airflow-2"),
        environment("composer-3-airflow-2", "m"),
        {"config.nodeConfig.network": "update"},
    ),
    (
        COMPOSER,
        environment("composer-2.9.7-airflow-2.9.3"),
        environment("composer-2.10.0-airflow-2.9.3"),
        {"config.softwareConfig.imageVersion": "update"},
    ),
    (SUBNET, {"ipCidrRange": "10.0.0.0/24"}, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "update"}),
    (SUBNET, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "10.0.0.0/24"}, {"ipCidrRange": "update-replace"}),
    (SUBNET, {"ipCidrRange": "10.0.0.0/24"}, {"ipCidrRange": "10.1.0.0/20"}, {"ipCidrRange": "update-replace"}),
    (CONNECTOR, {"minInstances": 3}, {"minInstances": 2}, {"minInstances": "update-replace"}),
    (CONNECTOR, {"minInstances": 2}, {"minInstances": 3}, {"minInstances": "update"}),
    ("gcp:compute/disk:Disk", {"size": 20}, {"size": 10}, {"size": "update-replace"}),
    ("gcp:compute/disk:Disk", {"size": 10}, {"size": 20}, {"size": "update"}),
    (
        SQL,
        {"settings": {"tier": "t", "diskSize": 20, "diskAutoresize": False}},
        {"settings": {"tier": "t", "diskSize": 10, "diskAutoresize": False}},
        {"settings.diskSize": "update-replace"},
    ),
    (
        SQL,
        {"settings": {"tier": "t", "diskSize": 10}},
        {"settings": {"tier": "t", "diskSize": 20}},
        {"settings.diskSize": "update"},
    ),
    (SQL, {"masterInstanceName": "a"}, {"masterInstanceName": "b"}, {"masterInstanceName": "update-replace"}),
    (TABLE, columns("a STRING"), columns("a STRING", "b INTEGER"), {"schema": "update"}),
    (TABLE, columns("a STRING"), columns("a STRING", "b INTEGER REQUIRED"), {"schema": "update-replace"}),
    (TABLE, columns("a INTEGER REQUIRED"), columns("a NUMERIC"), {"schema": "update"}),
    (TABLE, columns("a STRING"), columns("a STRING REQUIRED"), {"schema": "update-replace"}),
    (TABLE, columns("a STRING"), columns("a INTEGER"), {"schema": "update-replace"}),
    (TABLE, columns("a STRING", "b STRING"), columns("a STRING"), {"schema": "update"}),
    (TABLE, columns("a STRING", "b STRING"), columns("a STRING", "c STRING"), {"schema": "update-replace"}),
    (
        TABLE,
        columns("a STRING", "b STRING", externalDataConfiguration={"autodetect": True}),
        columns("a STRING", externalDataConfiguration={"autodetect": True}),
        {"schema": "update-replace"},
    ),
    (
        CATALOG,
        {"options": {"authorized_paths": "a"}},
        {"options": {"authorized_paths": "b"}},
        {"options.authorized_paths": "update"},
    ),
    (CATALOG, {"options": {"host": "a"}}, {"options": {"host": "b"}}, {"options.host": "update-replace"}),
    (
        "databricks:index/cluster:Cluster",
        {"providerConfig": {"workspaceId": "1"}},
        {"providerConfig": {"workspaceId": "2"}},
        {"providerConfig.workspaceId": "update-replace"},
    ),
    (
        CATALOG,
        {"providerConfig": {"workspaceId": "1"}},
        {"providerConfig": {"workspaceId": "2"}},
        {"providerConfig.workspaceId": "update"},
    ),
    (
        "gcp:secretmanager/secretVersion:SecretVersion",
        {"secretDataWo": "a", "secretDataWoVersion": "1"},
        {"secretDataWo": "b", "secretDataWoVersion": "2"},
        {"secretDataWoVersion": "update-replace"},
    ),
    # A list is compared by place, a set by what is in it.
    (
        "gcp:compute/firewall:Firewall",
        {"allows": [{"protocol": "tcp", "ports": ["1", "2"]}]},
        {"allows": [{"protocol": "tcp", "ports": ["2", "1"]}]},
        {"allows[0].ports[0]": "update", "allows[0].ports[1]": "update"},
    ),
    (
        "gcp:compute/firewall:Firewall",
        {"sourceTags": ["a", "b"]},
        {"sourceTags": ["b", "c"]},
        {"sourceTags[1]": "update"},
    ),
    (ACCOUNT, {"location": "westeurope"}, {"location": "northeurope"}, {"location": "update-replace"}),
    (ACCOUNT, {"sku": {"name": "Standard_LRS"}}, {"sku": {"name": "Standard_ZRS"}}, {"sku.name": "update"}),
    (ACCOUNT, {"isHnsEnabled": True}, {"isHnsEnabled": False}, {"isHnsEnabled": "update-replace"}),
    (ACCOUNT, {}, {"allowBlobPublicAccess": False}, {"allowBlobPublicAccess": "add"}),
    (ACCOUNT, {"accountName": "a"}, {"accountName": "b"}, {"accountName": "update-replace"}),
    (VAULT, {"location": "westeurope"}, {"location": "northeurope"}, {"location": "update"}),
    (SQLDB, {"collation": "a"}, {"collation": "b"}, {"collation": "update-replace"}),
    (
        "azure-native:datafactory:ManagedPrivateEndpoint",
        {"factoryName": "a"},
        {"factoryName": "b"},
        {"factoryName": "update-replace"},
    ),
    ("azuread:index/group:Group", {"mailNickname": "a"}, {"mailNickname": "b"}, {"mailNickname": "update-replace"}),
    (
        "gcp:dataplex/aspectType:AspectType",
        {"description": "a", "labels": {"x": "1"}},
        {"description": "b", "labels": {"x": "1"}},
        {"description": "update"},
    ),
]


@pytest.mark.parametrize(
    ("token", "old", "new", "detailed"),
    CHANGES,
    ids=[f"{at}-{token.rsplit(':', 1)[-1]}" for at, (token, _, _, _) in enumerate(CHANGES)],
)
def test_a_change_and_its_kind(token: str, old: dict[str, Any], new: dict[str, Any], detailed: dict[str, str]) -> None:
    found = one(token, old, new)
    assert found.detailed == detailed
    assert found.changes
    assert bool(found.replaces) == any(kind.endswith("-replace") for kind in detailed.values())
    assert all("." not in name and "[" not in name for name in found.replaces)


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        (["labels"], {"location", "lifecycleRules[0].condition.age"}),
        (["labels.a", "location"], {"lifecycleRules[0].condition.age", "labels.b"}),
        (['labels["b"]', "location", "lifecycleRules"], {"labels.a"}),
        (["lifecycleRules[*].condition.age", "labels.*"], {"location"}),
        (["lifecycleRules[0].condition", "labels"], {"location"}),
        (["*"], set()),
    ],
)
def test_ignored_paths(ignore: list[str], left: set[str]) -> None:
    rule = {"action": {"type": "Delete"}, "condition": {"age": 1}}
    old = {"location": "EU", "labels": {"a": "1", "b": "1"}, "lifecycleRules": [rule]}
    new = {"location": "US", "labels": {"a": "2", "b": "2"}, "lifecycleRules": [{**rule, "condition": {"age": 2}}]}
    assert set(diff(BUCKET, old, {}, new, ignore).detailed) == left


def test_ignoring_something_inside_a_block_that_comes_back() -> None:
    old = {"versioning": {"enabled": True}, "logging": {"logBucket": "a"}}
    found = diff(BUCKET, old, {}, {"versioning": {"enabled": True}}, ["logging.logBucket"])
    assert found.detailed == {"logging": "delete"}


def test_who_goes_first() -> None:
    """An explicit name stays taken until the old one is gone; an automatic one is new each time."""
    named = {"name": "a", "location": "EU"}
    assert one(BUCKET, named, {**named, "location": "US"}).delete_before_replace
    assert not one(BUCKET, named, {"name": "b", "location": "US"}).delete_before_replace
    auto = autoname(BUCKET, "lake", b"1", {"location": "EU"}, None)
    assert not one(BUCKET, auto, autoname(BUCKET, "lake", b"2", {"location": "US"}, auto)).delete_before_replace
    assert not one(BUCKET, named, {**named, "labels": {"a": "b"}}).delete_before_replace
    # Always first, whatever the name: the bridge says so of these.
    member = {"project": "p", "role": "r", "member": "user:a"}
    assert one("gcp:projects/iAMMember:IAMMember", member, {**member, "role": "s"}).delete_before_replace
    # azure-native: another resource group makes another id.
    account = {"resourceGroupName": "rg", "accountName": "a", "location": "westeurope"}
    assert one(ACCOUNT, account, {**account, "location": "northeurope"}).delete_before_replace
    assert not one(ACCOUNT, account, {**account, "resourceGroupName": "other"}).delete_before_replace


def test_the_providers_default_project_moves_what_left_it_out() -> None:
    ring = {"name": "r", "location": "l"}
    outputs = {**ring, "project": "old"}
    token = "gcp:kms/keyRing:KeyRing"
    assert diff(token, ring, outputs, ring, provider_config={"project": "new"}).detailed == {"project": "add-replace"}
    assert diff(token, ring, outputs, ring, provider_config={"project": "old"}) == Diff(False)
    assert diff(token, ring, outputs, {**ring, "project": "old"}, provider_config={"project": "new"}) == Diff(False)
    assert diff(token, ring, outputs, ring) == Diff(False)


def test_naming_what_the_service_had_chosen_is_no_change() -> None:
    chosen = {"name": "r", "location": "l", "project": "p"}
    assert one(BUCKET, {"name": "r", "location": "l"}, chosen, outputs=chosen) == Diff(False)
    assert one(BUCKET, {"name": "r", "location": "l"}, {**chosen, "project": "q"}, outputs=chosen).detailed == {
        "project": "add-replace"
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1h30m", 5400.0),
        ("86400s", 86400.0),
        ("30d", 2592000.0),
        ("1.5s", 1.5),
        ("10", None),
        ("", None),
        ("s", None),
        ("5 m", None),
    ],
)
def test_durations(text: str, value: float | None) -> None:
    assert seconds(text) == value


REFRESHED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # Only what the program had set; outputs and the service's choices stay out.
    (
        BUCKET,
        {"name": "a", "location": "eu"},
        {"name": "a", "location": "EU", "url": "gs://a", "rpo": "DEFAULT"},
        {"name": "a", "location": "eu"},
    ),
    # Drift is seen, additions to the program's labels are not ours.
    (BUCKET, {"labels": {"a": "1"}}, {"labels": {"a": "2", "other": "x"}}, {"labels": {"a": "2"}}),
    (BUCKET, {"labels": {"a": "1", "b": "2"}}, {"labels": {"a": "1"}}, {"labels": {"a": "1"}}),
    (OBJECT, {"metadata": {"a": "1"}}, {"metadata": {"a": "1", "b": "2"}}, {"metadata": {"a": "1", "b": "2"}}),
    (BUCKET, {"versioning": {"enabled": True}}, {}, {}),
    (BUCKET, {"forceDestroy": False, "labels": {}}, {}, {"forceDestroy": False, "labels": {}}),
    # Never given back.
    (
        OBJECT,
        {"content": secret("x"), "source": {SIGNATURE: ASSET, "hash": "1"}},
        {"md5hash": "y"},
        {"content": secret("x"), "source": {SIGNATURE: ASSET, "hash": "1"}},
    ),
    (
        "gcp:sql/user:User",
        {"password": secret("x"), "name": "u"},
        {"name": "u"},
        {"password": secret("x"), "name": "u"},
    ),
    # A secret stays one.
    (FUSION, {"description": secret("x")}, {"description": "y"}, {"description": secret("y")}),
    (FUSION, {"description": secret("x")}, {"description": "x"}, {"description": secret("x")}),
    # Lists and blocks.
    (
        BUCKET,
        {"cors": [{"methods": ["GET"]}]},
        {"cors": [{"methods": ["GET", "PUT"], "maxAgeSeconds": 3}]},
        {"cors": [{"methods": ["GET", "PUT"]}]},
    ),
    (
        BUCKET,
        {"cors": [{"methods": ["GET"]}]},
        {"cors": [{"methods": ["GET"]}, {"methods": ["PUT"]}]},
        {"cors": [{"methods": ["GET"]}, {"methods": ["PUT"]}]},
    ),
    (
        BUCKET,
        {"cors": [{"methods": ["GET"]}, {"methods": ["PUT"]}]},
        {"cors": [{"methods": ["GET"]}]},
        {"cors": [{"methods": ["GET"]}]},
    ),
    (
        BUCKET,
        {"customPlacementConfig": {"dataLocations": ["A", "B"]}},
        {"customPlacementConfig": {"dataLocations": ["B", "A"]}},
        {"customPlacementConfig": {"dataLocations": ["A", "B"]}},
    ),
    (
        BUCKET,
        {"versioning": {"enabled": "true"}},
        {"versioning": {"enabled": True}},
        {"versioning": {"enabled": "true"}},
    ),
    (
        ACCOUNT,
        {"tags": {"a": "1"}, "__createBeforeDelete": True},
        {"tags": {"a": "2"}, "id": "x"},
        {"tags": {"a": "2"}, "__createBeforeDelete": True},
    ),
]


@pytest.mark.parametrize(
    ("token", "old", "live", "expected"),
    REFRESHED,
    ids=[f"{at}-{token.rsplit(':', 1)[-1]}" for at, (token, _, _, _) in enumerate(REFRESHED)],
)
def test_refreshed_inputs(token: str, old: dict[str, Any], live: dict[str, Any], expected: dict[str, Any]) -> None:
    assert refreshed_inputs(token, old, live) == expected


def test_drift_shows_in_the_next_diff() -> None:
    program = {"name": "a", "location": "EU", "labels": {"team": "data"}}
    live = {**program, "labels": {"team": "other"}, "url": "gs://a"}
    assert one(BUCKET, refreshed_inputs(BUCKET, program, live), program).detailed == {"labels.team": "update"}
    assert one(BUCKET, refreshed_inputs(BUCKET, program, {**program, "url": "x"}), program) == Diff(False)
