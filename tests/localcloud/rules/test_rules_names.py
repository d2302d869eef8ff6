"""Names, ids and outputs."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.rules import (
    autoname,
    check,
    check_labels,
    check_name,
    check_tags,
    computed_paths,
    default_outputs,
    format_id,
    is_autonamed,
    known,
    name_rule,
    table,
    tokens,
)
from localcloud.rules.names import ARM_NAMES
from localcloud.rules.wire import UNKNOWN

BUCKET = "gcp:storage/bucket:Bucket"
ACCOUNT = "azure-native:storage:StorageAccount"


def test_an_automatic_name_is_the_programs_with_a_suffix() -> None:
    found = autoname(BUCKET, "Lake", b"seed", {"location": "EU"}, None)
    assert found["name"].startswith("Lake-")
    assert len(found["name"]) == len("Lake-") + 7
    assert int(found["name"][-7:], 16) >= 0
    assert found["location"] == "EU"
    assert is_autonamed(BUCKET, found)
    assert autoname(BUCKET, "Lake", b"seed", {}, None)["name"] == found["name"]
    assert autoname(BUCKET, "Lake", b"other", {}, None)["name"] != found["name"]


def test_an_automatic_name_is_kept_until_the_resource_is_replaced() -> None:
    first = autoname(BUCKET, "lake", b"1", {}, None)
    assert autoname(BUCKET, "lake", b"2", {}, first)["name"] == first["name"]
    assert autoname(BUCKET, "lake", b"2", {}, None)["name"] != first["name"]
    # A name that was explicit once and is left out now is a new automatic one.
    explicit = autoname(BUCKET, "lake", b"1", {"name": "mine"}, None)
    assert not is_autonamed(BUCKET, explicit)
    assert explicit["name"] == "mine"
    assert autoname(BUCKET, "lake", b"1", {}, explicit)["name"].startswith("lake-")


def test_a_proposed_name_wins_and_an_explicit_one_wins_over_it() -> None:
    assert autoname(BUCKET, "lake", b"1", {}, None, "proposed")["name"] == "proposed"
    assert autoname(BUCKET, "lake", b"1", {"name": "mine"}, None, "proposed")["name"] == "mine"
    assert autoname(BUCKET, "lake", b"1", {"name": UNKNOWN}, None, "proposed")["name"] == UNKNOWN


@pytest.mark.parametrize(
    ("token", "inputs", "field", "pattern"),
    [
        ("gcp:compute/network:Network", {}, "name", r"lake-[0-9a-f]{7}"),
        ("gcp:cloudrunv2/service:Service", {}, "name", r"lake[0-9a-f]{7}"),
        ("gcp:secretmanager/secret:Secret", {}, "secretId", r"Lake-[0-9a-f]{7}"),
        ("gcp:serviceaccount/account:Account", {}, "accountId", r"Lake-[0-9a-f]{7}"),
        ("gcp:organizations/project:Project", {}, "name", r"Lake"),
        ("databricks:index/cluster:Cluster", {}, "clusterName", None),
        ("gcp:bigquery/dataset:Dataset", {}, "datasetId", None),
        ("azuread:index/group:Group", {}, "displayName", None),
        ("gcp:workflows/workflow:Workflow", {"namePrefix": "w-"}, "name", None),
        (ACCOUNT, {}, "accountName", r"Lake[0-9a-f]{8}"),
        ("azure-native:storage:BlobContainer", {}, "containerName", r"Lake"),
        ("azure-native:storage:BlobServiceProperties", {}, "blobServicesName", r"default"),
        (
            "azure-native:authorization:RoleAssignment",
            {},
            "roleAssignmentName",
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        ),
        ("azure-native:keyvault:AccessPolicy", {}, "vaultName", None),
        ("gcp:dataplex/aspectType:AspectType", {}, "name", None),
    ],
)
def test_who_is_named_how(token: str, inputs: dict[str, Any], field: str, pattern: str | None) -> None:
    import re

    name = autoname(token, "Lake", b"seed", inputs, None).get(field)
    if pattern is None:
        assert name is None
    else:
        assert re.fullmatch(pattern, str(name))


def test_azure_native_marks_what_it_may_create_first() -> None:
    assert autoname(ACCOUNT, "lake", b"1", {}, None)["__createBeforeDelete"] is True
    assert "__createBeforeDelete" not in autoname(ACCOUNT, "lake", b"1", {"accountName": "a"}, None)
    assert "__createBeforeDelete" not in autoname("azure-native:storage:BlobContainer", "c", b"1", {}, None)


def test_a_name_too_long_for_its_suffix_is_refused() -> None:
    token = "gcp:serviceaccount/account:Account"
    found = autoname(token, "x" * 30, b"1", {}, None)
    assert any(
        "plus 7 random chars is longer than maximum length 30" in failure.reason
        for failure in check(token, found).failures
    )
    assert check(token, autoname(token, "runner", b"1", {}, None)).failures == ()


NAMES: list[tuple[str, str, bool]] = [
    (BUCKET, "acme-lake_1.data", True),
    (BUCKET, "a" * 64, False),
    (BUCKET, ".".join(["a" * 60] * 3), True),
    (BUCKET, ".".join(["a" * 60] * 4), False),
    (BUCKET, "Lake", False),
    (BUCKET, "my-google-lake", False),
    (BUCKET, "10.0.0.1", False),
    (BUCKET, "ab", False),
    ("gcp:datafusion/instance:Instance", "core", True),
    ("gcp:datafusion/instance:Instance", "a" * 31, False),
    ("gcp:datafusion/instance:Instance", "Core", False),
    ("gcp:workflows/workflow:Workflow", "1st", False),
    ("gcp:monitoring/dashboard:Dashboard", "whatever it is", True),
    (ACCOUNT, "lake1234", True),
    (ACCOUNT, "lake-1234", False),
    ("azure-native:keyvault:Vault", "kv--x", False),
    ("azure-native:keyvault:Vault", "kv-x", True),
    ("azure-native:synapse:Workspace", "a-ondemand", False),
]


@pytest.mark.parametrize(("token", "name", "good"), NAMES)
def test_the_services_rules_for_names(token: str, name: str, good: bool) -> None:
    assert (check_name(token, name) is None) == good


def test_every_recorded_name_rule_belongs_to_a_resource_of_the_tables() -> None:
    ruled = [token for token in tokens() if name_rule(token)]
    assert len([token for token in ruled if token.startswith("gcp:")]) == 55
    assert len([token for token in ruled if token.startswith("azure-native:")]) == len(ARM_NAMES)
    for token in ruled:
        rule = name_rule(token)
        assert rule is not None
        assert rule.field in table(token).root.children, (token, rule)
        assert rule.most is None or rule.least <= rule.most


def test_where_names_must_be_unique() -> None:
    scopes = {token: rule.scope for token in tokens() if (rule := name_rule(token))}
    assert scopes[BUCKET] == "global"
    assert scopes["gcp:storage/bucketObject:BucketObject"] == "bucket"
    assert scopes[ACCOUNT] == "global"
    assert name_rule("databricks:index/cluster:Cluster") is None


def test_labels_and_tags() -> None:
    assert list(check_labels({"team": "data", "cost_center": "4711"})) == []
    assert len(list(check_labels({"Team": "x", "team": "Not Good", "ok": ""}))) == 2
    assert len(list(check_labels({f"k{at}": "" for at in range(65)}))) == 1
    assert list(check_tags(ACCOUNT, {"team": "Data & more"})) == []
    assert len(list(check_tags(ACCOUNT, {"a<b": "x", "b": "y" * 257, "c" * 129: ""}))) == 3
    assert list(check_tags("azure-native:keyvault:Vault", {"c" * 129: ""})) == []


IDS: list[tuple[str, dict[str, Any], str]] = [
    ("gcp:workflows/workflow:Workflow", {"name": "w"}, "projects/p/locations/r/workflows/w"),
    (
        "gcp:workflows/workflow:Workflow",
        {"name": "w", "project": "q", "region": "s"},
        "projects/q/locations/s/workflows/w",
    ),
    ("gcp:kms/keyRing:KeyRing", {"name": "k", "location": "l"}, "projects/p/locations/l/keyRings/k"),
    (
        "gcp:kms/cryptoKey:CryptoKey",
        {"name": "k", "keyRing": "projects/p/locations/l/keyRings/r"},
        "projects/p/locations/l/keyRings/r/cryptoKeys/k",
    ),
    ("gcp:bigquery/table:Table", {"datasetId": "d", "tableId": "t"}, "projects/p/datasets/d/tables/t"),
    ("gcp:secretmanager/secret:Secret", {"secretId": "s"}, "projects/p/secrets/s"),
    (
        "gcp:composer/userWorkloadsSecret:UserWorkloadsSecret",
        {"name": "s", "environment": "e"},
        "projects/p/locations/r/environments/e/userWorkloadsSecrets/s",
    ),
    (
        "gcp:iam/workloadIdentityPool:WorkloadIdentityPool",
        {"workloadIdentityPoolId": "pool"},
        "projects/p/locations/global/workloadIdentityPools/pool",
    ),
    ("gcp:compute/routerNat:RouterNat", {"name": "n", "router": "projects/p/regions/r/routers/x"}, "p/r/x/n"),
]


@pytest.mark.parametrize(("token", "inputs", "expected"), IDS)
def test_ids(token: str, inputs: dict[str, Any], expected: str) -> None:
    assert format_id(token, inputs, {"project": "p", "region": "r"}) == expected


def test_an_id_needs_its_parts() -> None:
    with pytest.raises(KeyError):
        format_id("gcp:workflows/workflow:Workflow", {"name": "w"}, {"project": "p"})
    with pytest.raises(KeyError):
        format_id(BUCKET, {"name": "w"}, {"project": "p"})


def test_what_nobody_knows_before_the_create() -> None:
    found = computed_paths(BUCKET, {"name": "a", "project": "p"})
    assert {"selfLink", "url", "pulumiLabels"} <= set(found)
    assert not {"name", "project", "location", "forceDestroy"} & set(found)
    assert "provisioningState" in computed_paths(ACCOUNT)
    assert "effectiveLabels" in computed_paths("gcp:dataplex/aspectType:AspectType")


def test_defaults_show_in_the_outputs_and_in_given_blocks() -> None:
    inputs = {"name": "a", "retentionPolicy": {"retentionPeriod": 3}, "storageClass": "NEARLINE"}
    found = default_outputs(BUCKET, inputs)
    assert found["forceDestroy"] is False
    assert "storageClass" not in found
    assert found["retentionPolicy"] == {"retentionPeriod": 3, "isLocked": False}
    assert inputs["retentionPolicy"] == {"retentionPeriod": 3}


def test_what_a_table_says() -> None:
    bucket = table(BUCKET)
    assert bucket.required == ("location",)
    assert bucket.secret_outputs == ("effectiveLabels", "pulumiLabels")
    assert bucket.defaults["storageClass"] == "STANDARD"
    assert table("gcp:projects/iAMMember:IAMMember").delete_before_replace
    assert not table("gcp:kms/keyRing:KeyRing").updatable
    assert table("gcp:workflows/workflow:Workflow").defaults["deletionProtection"] is True
    assert table("azure-native:network:VirtualNetwork").defaults["enableDdosProtection"] is False
    assert known(BUCKET)
    assert not known("gcp:nope/nope:Nope")
    assert not known("random:index/randomId:RandomId")
    assert [len(list(tokens(provider))) for provider in ("gcp", "azure-native", "databricks", "azuread")] == [
        116,
        46,
        65,
        17,
    ]
