"""Check, by examples: one good and one bad input for each kind of rule, with the provider's words."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.rules import check
from localcloud.rules.wire import ASSET, SIGNATURE, UNKNOWN, secret

ASSET_VALUE = {SIGNATURE: ASSET, "text": "x", "hash": "1"}
BUCKET = "gcp:storage/bucket:Bucket"
OBJECT = "gcp:storage/bucketObject:BucketObject"
COMPOSER = "gcp:composer/environment:Environment"
FUSION = "gcp:datafusion/instance:Instance"
JOB = "gcp:cloudscheduler/job:Job"
LINKED = "azure-native:datafactory:LinkedService"
ACCOUNT = "azure-native:storage:StorageAccount"


def composer(version: str, **config: Any) -> dict[str, Any]:
    return {"name": "env", "region": "r", "config": {"softwareConfig": {"imageVersion": version}, **config}}


GOOD: list[tuple[str, dict[str, Any]]] = [
    (
        BUCKET,
        {
            "location": "EU",
            "uniformBucketLevelAccess": "true",
            "lifecycleRules": [{"action": {"type": "Delete"}, "condition": {"age": "30"}}],
        },
    ),
    (BUCKET, {"location": UNKNOWN, "labels": secret({"team": UNKNOWN}), "encryption": {"defaultKmsKeyName": UNKNOWN}}),
    (BUCKET, {"location": "EU", "labels": None, "cors": None}),
    (BUCKET, {"location": "EU", "__defaults": ["name"], "name": "lake-1234567"}),
    (
        OBJECT,
        {
            "bucket": "b",
            "content": secret("x"),
            "contexts": {"customs": [{"key": "a", "value": "1"}, {"key": "b", "value": "1"}]},
        },
    ),
    (OBJECT, {"bucket": "b", "source": ASSET_VALUE}),
    (OBJECT, {"bucket": "b", "source": UNKNOWN}),
    (FUSION, {"type": "BASIC", "networkConfig": {"connectionType": ""}}),
    (
        COMPOSER,
        composer(
            "composer-3-airflow-2.10.5",
            enablePrivateEnvironment=True,
            nodeConfig={"composerInternalIpv4CidrBlock": "100.64.0.0/20"},
        ),
    ),
    (COMPOSER, composer("composer-2.9.7-airflow-2.9.3", privateEnvironmentConfig={"enablePrivateEndpoint": True})),
    # A false switch counts as not set.
    (COMPOSER, composer("composer-2.9.7-airflow-2.9.3", enablePrivateEnvironment=False)),
    (COMPOSER, composer(UNKNOWN, enablePrivateEnvironment=True)),
    (JOB, {"httpTarget": {"uri": "https://a", "oidcToken": {"serviceAccountEmail": "x"}}}),
    ("gcp:kms/cryptoKey:CryptoKey", {"keyRing": "r", "rotationPeriod": "86400s"}),
    ("gcp:workflows/workflow:Workflow", {"sourceContents": "x", "namePrefix": "w-"}),
    (
        "databricks:index/cluster:Cluster",
        {"sparkVersion": "15.4.x-scala2.12", "autoscale": {"minWorkers": 1, "maxWorkers": 3}},
    ),
    ("databricks:index/job:Job", {"continuous": {}, "controlRunState": True, "maxConcurrentRuns": 1}),
    ("databricks:index/metastoreAssignment:MetastoreAssignment", {"metastoreId": "m", "workspaceId": "123"}),
    ("databricks:index/metastoreAssignment:MetastoreAssignment", {"metastoreId": "m", "workspaceId": 123}),
    ("azuread:index/group:Group", {"displayName": "data", "securityEnabled": True}),
    (
        ACCOUNT,
        {"resourceGroupName": "rg", "kind": "SomethingNew", "sku": {"name": "Standard_LRS"}, "accountName": "lake1234"},
    ),
    (
        LINKED,
        {
            "resourceGroupName": "rg",
            "factoryName": "f",
            "properties": {"type": "AzureBlobFS", "url": {"type": "Expression", "value": "@x"}},
        },
    ),
    (LINKED, {"resourceGroupName": "rg", "factoryName": "f", "properties": {"type": UNKNOWN}}),
    (
        "azure-native:datafactory:Pipeline",
        {"resourceGroupName": "rg", "factoryName": "f", "parameters": {"name": {"type": "String"}}},
    ),
    (
        "azure-native:storage:BlobServiceProperties",
        {"resourceGroupName": "rg", "accountName": "a", "blobServicesName": "default"},
    ),
    # Not in the tables: the SDK alone decides.
    ("gcp:dataplex/aspectType:AspectType", {"aspectTypeId": "a"}),
]


@pytest.mark.parametrize(
    ("token", "inputs"), GOOD, ids=[f"{token.rsplit(':', 1)[-1]}{at}" for at, (token, _) in enumerate(GOOD)]
)
def test_good_inputs_pass(token: str, inputs: dict[str, Any]) -> None:
    assert check(token, inputs).failures == ()


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    # types of the SDK
    (BUCKET, {"location": "EU", "projct": "x"}, "projct", "Invalid or unknown key (did you mean 'project'?)"),
    (BUCKET, {"location": "EU", "versioning": {"enbled": True}}, "versioning.enbled", "Invalid or unknown key"),
    (BUCKET, {"location": "EU", "labels": {"a": ["b"]}}, "labels.a", "expected string type, got array"),
    (BUCKET, {"location": 123}, "location", "expected string type, got 123 of type number"),
    (
        BUCKET,
        {"location": "EU", "versioning": {"enabled": "yes"}},
        "versioning.enabled",
        'expected boolean type, got "yes" of type string',
    ),
    (
        BUCKET,
        {"location": "EU", "lifecycleRules": [{"action": {"type": "Delete"}, "condition": {"age": "3x"}}]},
        "lifecycleRules[0].condition.age",
        "expected integer type",
    ),
    (
        BUCKET,
        {"location": "EU", "lifecycleRules": [{"action": {"type": "Delete"}, "condition": {"age": 2.5}}]},
        "lifecycleRules[0].condition.age",
        "got 2.5 of type number",
    ),
    (BUCKET, {"location": "EU", "lifecycleRules": {}}, "lifecycleRules", "expected array type, got object"),
    (BUCKET, {"location": secret(7)}, "location", "got [secret] of type number"),
    (
        BUCKET,
        {},
        "location",
        'Missing required argument. The argument "location" is required, but no definition was found.',
    ),
    (
        BUCKET,
        {"location": "EU", "lifecycleRules": [{"condition": {"age": 3}, "action": {}}]},
        "lifecycleRules[0].action.type",
        'The argument "lifecycle_rule.0.action.0.type" is required',
    ),
    (OBJECT, {"bucket": "b", "content": ASSET_VALUE}, "content", "got asset"),
    (
        ACCOUNT,
        {"resourceGroupName": "rg", "kind": "StorageV2", "sku": {"name": "x"}, "accessTier": "Warm"},
        "accessTier",
        "'accessTier' is 'Warm' but expected one of ['Hot','Cool'",
    ),
    (
        ACCOUNT,
        {"resourceGroupName": "rg", "kind": "StorageV2", "sku": {"name": "x"}, "isHnsEnabled": "true"},
        "isHnsEnabled",
        "'isHnsEnabled' should be of type 'boolean' but got a string",
    ),
    (
        ACCOUNT,
        {"resourceGroupName": "rg", "kind": "StorageV2", "sku": {"nam": "x"}},
        "sku.nam",
        "'sku.nam' is not a property of Sku (did you mean 'name'?)",
    ),
    (
        ACCOUNT,
        {"resourceGroupName": "rg", "kind": "StorageV2", "sku": {}},
        "sku.name",
        "missing required property 'sku.name'",
    ),
    (
        LINKED,
        {"resourceGroupName": "rg", "factoryName": "f", "properties": {"type": "AzureBlobF"}},
        "properties.type",
        "expected one of 121 kinds (did you mean 'AzureBlobFS'?)",
    ),
    (
        LINKED,
        {"resourceGroupName": "rg", "factoryName": "f", "properties": {"type": "AzureBlobFS", "bogus": 1}},
        "properties.bogus",
        "is not a property of AzureBlobFSLinkedService",
    ),
    (
        LINKED,
        {"resourceGroupName": "rg", "factoryName": "f", "properties": {"url": "x"}},
        "properties.type",
        "missing required property 'properties.type'",
    ),
    # the provider's table
    (FUSION, {"type": "SUPER"}, "type", 'expected type to be one of ["BASIC" "ENTERPRISE" "DEVELOPER"], got SUPER'),
    (FUSION, {"type": secret("SUPER")}, "type", "got [secret]"),
    (
        FUSION,
        {"type": "BASIC", "networkConfig": {"connectionType": "x"}},
        "networkConfig.connectionType",
        "expected network_config.0.connection_type to be one of",
    ),
    ("gcp:compute/network:Network", {"name": "Net_1"}, "name", '"name" ("Net_1") doesn\'t match regexp'),
    (
        "gcp:compute/firewall:Firewall",
        {"network": "n", "priority": 70000},
        "priority",
        "expected priority to be in the range (0 - 65535), got 70000",
    ),
    (
        "gcp:serviceaccount/account:Account",
        {"accountId": "abc"},
        "accountId",
        '"account_id" ("abc") must be between 6 and 30 characters long',
    ),
    ("gcp:serviceaccount/account:Account", {"accountId": "Runner-1"}, "accountId", "doesn't match regexp"),
    (
        "gcp:kms/cryptoKey:CryptoKey",
        {"keyRing": "r", "rotationPeriod": "86399s"},
        "rotationPeriod",
        "Rotation period must be greater than one day",
    ),
    (
        "gcp:kms/cryptoKey:CryptoKey",
        {"keyRing": "r", "rotationPeriod": "1d"},
        "rotationPeriod",
        "Invalid rotation period format: 1d",
    ),
    (
        "gcp:projects/service:Service",
        {"service": "run"},
        "service",
        "expected run to be a domain like serviceusage.googleapis.com",
    ),
    (
        "gcp:projects/service:Service",
        {"service": "source.googleapis.com"},
        "service",
        "expected service to not be any of",
    ),
    (BUCKET, {"location": "EU", "labels": {"Team": "x"}}, "labels", '"Team" is an invalid label key'),
    (
        BUCKET,
        {"location": "EU", "website": {}},
        "website.mainPageSuffix",
        "one of `website.0.main_page_suffix,website.0.not_found_page` must be specified",
    ),
    (
        "gcp:workflows/workflow:Workflow",
        {"sourceContents": "x", "name": "a", "namePrefix": "b"},
        "namePrefix",
        'Conflicting configuration arguments. "name_prefix": conflicts with name',
    ),
    ("gcp:sql/user:User", {"instance": "i", "passwordWo": "x"}, "passwordWo", "must be specified"),
    (
        "databricks:index/secret:Secret",
        {"key": "a b", "scope": "s", "stringValue": "x"},
        "key",
        "may not exceed 128 characters",
    ),
    (
        "databricks:index/sqlEndpoint:SqlEndpoint",
        {"clusterSize": "Small", "maxNumClusters": 41},
        "maxNumClusters",
        "expected max_num_clusters to be in the range (1 - 40), got 41",
    ),
    (
        "azuread:index/application:Application",
        {"displayName": ""},
        "displayName",
        "expected display_name to not be an empty string",
    ),
    (
        "azure-native:keyvault:Vault",
        {
            "resourceGroupName": "rg",
            "vaultName": "a_b",
            "properties": {"tenantId": UNKNOWN, "sku": {"family": "A", "name": "standard"}},
        },
        "vaultName",
        "'vaultName' does not match expression",
    ),
    (
        "azure-native:monitor:ActionGroup",
        {"resourceGroupName": "rg", "enabled": True, "groupShortName": "x" * 13},
        "groupShortName",
        "'groupShortName' is too long (13): at most 12 characters allowed",
    ),
    (
        "azure-native:storage:BlobServiceProperties",
        {"resourceGroupName": "rg", "accountName": "a", "blobServicesName": "x", "deleteRetentionPolicy": {"days": 1}},
        "blobServicesName",
        "expected one of ['default']",
    ),
    (
        "azure-native:storage:BlobServiceProperties",
        {"resourceGroupName": "rg", "accountName": "a", "deleteRetentionPolicy": {"days": 366}},
        "deleteRetentionPolicy.days",
        "is too high",
    ),
    # rules in code
    (
        OBJECT,
        {"bucket": "b"},
        "content",
        'Invalid combination of arguments. "content": one of `content,source` must be specified',
    ),
    (
        OBJECT,
        {"bucket": "b", "content": "x", "source": ASSET_VALUE},
        "content",
        "only one of `content,source` can be specified, but `content,source` were specified.",
    ),
    (
        OBJECT,
        {
            "bucket": "b",
            "content": "x",
            "contexts": {"customs": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]},
        },
        "contexts.customs[1].key",
        "duplicate key found in contexts.custom: a",
    ),
    (
        JOB,
        {
            "httpTarget": {
                "uri": "https://a",
                "oidcToken": {"serviceAccountEmail": "x"},
                "oauthToken": {"serviceAccountEmail": "x"},
            }
        },
        "httpTarget",
        "only one of oauth_token or oidc_token",
    ),
    (
        JOB,
        {"httpTarget": {"uri": "https://a", "headers": {"X-Google-A": "1"}}},
        "httpTarget.headers",
        "Cannot set the X-Google-A header",
    ),
    (
        COMPOSER,
        composer("composer-3-airflow-2", privateEnvironmentConfig={"enablePrivateEndpoint": True}),
        "config.privateEnvironmentConfig",
        "should not be used in Composer 3",
    ),
    (
        COMPOSER,
        composer("composer-3-airflow-2", nodeConfig={"maxPodsPerNode": 32}),
        "config.nodeConfig.maxPodsPerNode",
        "should not be used in Composer 3",
    ),
    (
        COMPOSER,
        composer("composer-2-airflow-2", enablePrivateEnvironment=True),
        "config.enablePrivateEnvironment",
        "should only be used in Composer 3",
    ),
    (
        COMPOSER,
        composer("composer-2-airflow-2", workloadsConfig={"dagProcessor": {"cpu": 1}}),
        "config.workloadsConfig.dagProcessor",
        "should only be used in Composer 3",
    ),
    (
        COMPOSER,
        {"config": {"nodeConfig": {"composerNetworkAttachment": "a"}}},
        "config.nodeConfig.composerNetworkAttachment",
        "should only be used in Composer 3",
    ),
    (
        COMPOSER,
        composer("composer-3-airflow-2", nodeConfig={"composerInternalIpv4CidrBlock": "10.0.0.0/24"}),
        "config.nodeConfig.composerInternalIpv4CidrBlock",
        "/20",
    ),
    (COMPOSER, {"config": {}}, "config.dataRetentionConfig", "must be specified"),
    (
        COMPOSER,
        {"config": {"softwareConfig": {"envVariables": {"GCS_BUCKET": "x"}}}},
        "config.softwareConfig.envVariables",
        '"GCS_BUCKET" is a reserved name',
    ),
    (
        COMPOSER,
        {"config": {"softwareConfig": {"envVariables": {"AIRFLOW__CORE__X": "x"}}}},
        "config.softwareConfig.envVariables",
        "cannot match regexp",
    ),
    (
        COMPOSER,
        {"config": {"softwareConfig": {"pypiPackages": {"requests[extra]": ""}}}},
        "config.softwareConfig.pypiPackages",
        "Invalid PYPI package name",
    ),
    (
        COMPOSER,
        {"config": {"softwareConfig": {"imageVersion": "3"}}},
        "config.softwareConfig.imageVersion",
        "doesn't match regexp",
    ),
    (
        "databricks:index/job:Job",
        {"alwaysRunning": True, "maxConcurrentRuns": 2},
        "alwaysRunning",
        "max_concurrent_runs = 1",
    ),
    (
        "databricks:index/job:Job",
        {"controlRunState": True},
        "controlRunState",
        "must be specified only with `continuous`",
    ),
    # beyond the tables
    ("gcp:dataplex/aspectType:AspectType", {"aspectTypId": "a"}, "aspectTypId", "did you mean 'aspectTypeId'?"),
]


@pytest.mark.parametrize(
    ("token", "inputs", "place", "words"), BAD, ids=[f"{at}-{place}" for at, (_, _, place, _) in enumerate(BAD)]
)
def test_bad_inputs_are_refused_at_their_place_in_the_providers_words(
    token: str, inputs: dict[str, Any], place: str, words: str
) -> None:
    failures = check(token, inputs).failures
    assert any(failure.property == place and words in failure.reason for failure in failures), failures


def test_composer_does_not_go_from_2_to_3() -> None:
    old, new = composer("composer-2.9.7-airflow-2.9.3"), composer("composer-3-airflow-2.10.5")
    (failure,) = check(COMPOSER, new, olds=old).failures
    assert failure.reason == "upgrade to composer 3 is not yet supported"
    assert check(COMPOSER, new, olds=None).failures == ()
    assert check(COMPOSER, composer("composer-2-airflow-2"), olds=old).failures == ()


@pytest.mark.parametrize(
    ("token", "inputs", "config", "missing"),
    [
        (FUSION, {"type": "BASIC"}, {}, ["project", "region"]),
        (FUSION, {"type": "BASIC", "region": "r"}, {"project": "p"}, []),
        (FUSION, {"type": "BASIC"}, {"project": "p", "region": "r"}, []),
        (FUSION, {"type": "BASIC", "project": UNKNOWN}, {"zone": "europe-west1-b"}, []),
        (BUCKET, {"location": "EU"}, {}, ["project"]),
        (OBJECT, {"bucket": "b", "content": "x"}, {}, []),
        ("azuread:index/group:Group", {"displayName": "g", "securityEnabled": True}, {}, []),
    ],
)
def test_project_and_region_come_from_the_resource_or_the_provider(
    token: str, inputs: dict[str, Any], config: dict[str, str], missing: list[str]
) -> None:
    failures = check(token, inputs, provider_config=config).failures
    assert [failure.property for failure in failures] == missing
    assert all(failure.reason.startswith(f"Failed to retrieve {failure.property}") for failure in failures)


def test_a_deprecated_property_is_a_warning_not_a_failure() -> None:
    found = check("gcp:compute/disk:Disk", {"interface": "SCSI"})
    assert found.failures == ()
    (warning,) = found.warnings
    assert warning.property == "interface"
    assert warning.reason.startswith("deprecated: `interface` is deprecated")
    assert check("gcp:compute/disk:Disk", {"type": "pd-ssd"}).warnings == ()


def test_an_iam_resource_has_its_project_from_its_parents_name() -> None:
    token = "gcp:secretmanager/secretIamMember:SecretIamMember"
    grant = {"role": "r", "member": "user:a@b.c"}
    assert check(token, {"secretId": "projects/p/secrets/s", **grant}, provider_config={}).failures == ()
    assert check(token, {"secretId": UNKNOWN, **grant}, provider_config={}).failures == ()
    (failure,) = check(token, {"secretId": "s", **grant}, provider_config={}).failures
    assert failure.property == "project"


def test_all_problems_are_reported_at_once() -> None:
    failures = check(
        FUSION,
        {"type": "SUPER", "networkConfig": {"netwrk": "x", "connectionType": "y"}, "version": 1},
        provider_config={},
    ).failures
    assert {failure.property for failure in failures} == {
        "type",
        "networkConfig.netwrk",
        "networkConfig.connectionType",
        "version",
        "project",
        "region",
    }
