"""What holds for every resource of every stack of the checkout."""

from __future__ import annotations

from typing import Any

import pytest

from dataplatform.local.plan_recorder import RecordedResource
from localcloud.rules import check
from localcloud.rules.tables import known, table
from localcloud.rules.wire import UNKNOWN, secret
from tests.infra.inventory import STACKS, UNKNOWN_MARKER, ancestors, of_type, recorded

pytestmark = pytest.mark.parametrize("stack", STACKS)

HOLDS_DATA = (
    "gcp:composer/environment:Environment",
    "gcp:datafusion/instance:Instance",
    "gcp:kms/cryptoKey:CryptoKey",
    "gcp:kms/keyRing:KeyRing",
    "gcp:secretmanager/secret:Secret",
    "gcp:storage/bucket:Bucket",
)
NOT_EVERYWHERE = (
    "gcp:bigquery/dataset:Dataset",
    "gcp:bigquery/table:Table",
    "gcp:sql/database:Database",
    "gcp:sql/databaseInstance:DatabaseInstance",
)
"""Types that hold data too and that not every stack has; production has all."""
IN_FUSION = ("dp-cdap:datafusion:Namespace", "dp-cdap:datafusion:Pipeline")
"""With them goes the history of their runs."""
ON_AZURE = (
    "azure-native:datafactory:Factory",
    "azure-native:keyvault:Secret",
    "azure-native:keyvault:Vault",
    "azure-native:operationalinsights:Workspace",
    "azure-native:resources:ResourceGroup",
    "azure-native:storage:BlobContainer",
    "azure-native:storage:StorageAccount",
)
API_OF_MODULE = {
    "artifactregistry": "artifactregistry",
    "bigquery": "bigquery",
    "cloudfunctionsv2": "cloudfunctions",
    "cloudrunv2": "run",
    "composer": "composer",
    "compute": "compute",
    "datafusion": "datafusion",
    "dns": "dns",
    "eventarc": "eventarc",
    "kms": "cloudkms",
    "logging": "logging",
    "monitoring": "monitoring",
    "pubsub": "pubsub",
    "secretmanager": "secretmanager",
    "securitycenter": "datafusion",  # the provider files the IAM of Data Fusion there
    "serviceaccount": "iam",
    "servicenetworking": "servicenetworking",
    "sql": "sqladmin",
    "storage": "storage",
    "workflows": "workflows",
}
KEY_OF_TYPE = {
    "gcp:artifactregistry/repository:Repository": "cloudfunctions",
    "gcp:bigquery/dataset:Dataset": "bigquery",
    "gcp:cloudfunctionsv2/function:Function": "cloudfunctions",
    "gcp:composer/environment:Environment": "composer",
    "gcp:datafusion/instance:Instance": "datafusion",
    "gcp:pubsub/topic:Topic": "pubsub",
    "gcp:secretmanager/secret:Secret": "secretmanager",
    "gcp:sql/databaseInstance:DatabaseInstance": "cloudsql",
    "gcp:storage/bucket:Bucket": "storage",
    "gcp:workflows/workflow:Workflow": "workflows",
}
ONLY_WITH = {
    "gcp:artifactregistry/repository:Repository",
    "gcp:cloudfunctionsv2/function:Function",
}
"""Types that come with functions of the stack's own."""


def made_again(resource: RecordedResource) -> bool:
    """Whether what it holds comes from the project's files: the functions' source, and the jobs' parameter files."""
    return resource.parent.rpartition("::")[0].endswith("dp:gcp:Executors")


def key_name(resource: RecordedResource) -> str:
    """The key it is encrypted with; one with source of functions has theirs."""
    return "cloudfunctions" if made_again(resource) else KEY_OF_TYPE[resource.type]


def provided(stack: str) -> list[RecordedResource]:
    return [r for r in recorded(stack) if r.type.startswith("gcp:")]


def test_the_stack_has_every_kind_of_resource(stack: str) -> None:
    types = {r.type for r in recorded(stack)}
    assert types >= {
        *HOLDS_DATA,
        "gcp:projects/service:Service",
        "gcp:secretmanager/secretVersion:SecretVersion",
        "gcp:storage/bucketObject:BucketObject",
        "gcp:workflows/workflow:Workflow",
    }


def test_buckets_are_private(stack: str) -> None:
    for bucket in of_type(recorded(stack), "gcp:storage/bucket:Bucket"):
        assert bucket.inputs["uniformBucketLevelAccess"] is True, bucket.name
        assert bucket.inputs["publicAccessPrevention"] == "enforced", bucket.name
        assert "forceDestroy" in bucket.inputs, bucket.name


def test_what_can_be_encrypted_with_our_key_is(stack: str) -> None:
    def key_of(resource: RecordedResource) -> object:
        inputs: Any = resource.inputs
        match resource.type:
            case "gcp:storage/bucket:Bucket":
                return inputs["encryption"]["defaultKmsKeyName"]
            case "gcp:datafusion/instance:Instance":
                return inputs["cryptoKeyConfig"]["keyReference"]
            case "gcp:composer/environment:Environment":
                return inputs["config"]["encryptionConfig"]["kmsKeyName"]
            case "gcp:workflows/workflow:Workflow":
                return inputs["cryptoKeyName"]
            case "gcp:sql/databaseInstance:DatabaseInstance":
                return inputs["encryptionKeyName"]
            case "gcp:bigquery/dataset:Dataset":
                return inputs["defaultEncryptionConfiguration"]["kmsKeyName"]
            case "gcp:pubsub/topic:Topic" | "gcp:artifactregistry/repository:Repository":
                return inputs["kmsKeyName"]
            case "gcp:cloudfunctionsv2/function:Function":
                return inputs["kmsKeyName"]
            case _:
                (replica,) = inputs["replication"]["userManaged"]["replicas"]
                return replica["customerManagedEncryption"]["kmsKeyName"]

    encrypted = of_type(recorded(stack), *KEY_OF_TYPE)
    lacking = set(KEY_OF_TYPE) - {r.type for r in encrypted}
    assert lacking <= (set() if stack == "prod" else {*NOT_EVERYWHERE, *ONLY_WITH})
    for resource in encrypted:
        # The key's id is not known before it exists; that it is the right one shows in what the resource waits for.
        assert key_of(resource) == UNKNOWN_MARKER, resource.name


def test_a_key_is_granted_to_its_agents_before_it_is_used(stack: str) -> None:
    resources = recorded(stack)
    for resource in of_type(resources, *KEY_OF_TYPE):
        waits_for = ancestors(resource, resources)
        keys = [r for r in of_type(resources, "gcp:kms/cryptoKey:CryptoKey") if r.inputs["name"] == key_name(resource)]
        assert len(keys) == 1
        assert keys[0].urn in waits_for, resource.name
        grants = [
            r
            for r in of_type(resources, "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember")
            if keys[0].urn in r.dependencies
        ]
        assert grants, f"nobody may use the key of {resource.name}"
        assert {g.urn for g in grants} <= waits_for, resource.name


def test_keys_rotate(stack: str) -> None:
    for key in of_type(recorded(stack), "gcp:kms/cryptoKey:CryptoKey"):
        period = str(key.inputs["rotationPeriod"])
        assert 86400 <= int(period.removesuffix("s")) <= 90 * 86400, key.name
        assert int(str(key.inputs["destroyScheduledDuration"]).removesuffix("s")) >= 86400, key.name


def test_what_holds_data_is_protected_as_the_stack_says(stack: str) -> None:
    for resource in recorded(stack):
        expected = stack == "prod" and resource.type in (*HOLDS_DATA, *NOT_EVERYWHERE, *ON_AZURE, *IN_FUSION)
        assert resource.protect is (expected and not made_again(resource)), resource.urn


def test_deletion_protection_is_explicit(stack: str) -> None:
    for resource in provided(stack):
        properties = table(resource.type).properties if known(resource.type) else {}
        if "deletionProtection" in properties:
            assert "deletionProtection" in resource.inputs, resource.name
            if resource.type in (*HOLDS_DATA, *NOT_EVERYWHERE):
                assert resource.inputs["deletionProtection"] is (stack == "prod"), resource.name


def test_every_resource_that_takes_labels_has_them(stack: str) -> None:
    labelled = [r for r in provided(stack) if known(r.type) and "labels" in table(r.type).properties]
    assert len({r.type for r in labelled}) >= 6
    for resource in labelled:
        # The labels of a notification channel say where it goes; those that are labels are the user's.
        own = "userLabels" if "userLabels" in table(resource.type).properties else "labels"
        labels: Any = resource.inputs[own]
        assert labels["environment"] == stack, resource.name
        assert labels["managed-by"] == "pulumi", resource.name
        assert labels["owner"] == "data-platform", resource.name


def test_grants_are_additive_and_narrow(stack: str) -> None:
    for resource in provided(stack):
        kind = resource.type.rpartition(":")[2].lower()
        assert "iambinding" not in kind, resource.urn
        assert "iampolicy" not in kind, resource.urn
        role = str(resource.inputs.get("role", ""))
        assert role not in ("roles/owner", "roles/editor"), resource.urn
        if resource.type == "gcp:projects/iAMMember:IAMMember":
            assert not role.endswith((".admin", "Admin", "serviceAccountUser", "secretAccessor")), resource.urn


def test_what_needs_an_api_waits_for_it(stack: str) -> None:
    resources = recorded(stack)
    services = {
        str(r.inputs["service"]).removesuffix(".googleapis.com"): r.urn
        for r in of_type(resources, "gcp:projects/service:Service")
    }
    for resource in provided(stack):
        module = resource.type.split(":")[1].split("/")[0]
        match resource.type:
            case "gcp:projects/service:Service":
                continue
            case "gcp:projects/serviceIdentity:ServiceIdentity":
                api = str(resource.inputs["service"]).removesuffix(".googleapis.com")
            case "gcp:projects/iAMMember:IAMMember":
                api = "cloudresourcemanager"
            case _:
                api = API_OF_MODULE[module]
        assert services[api] in ancestors(resource, resources), f"{resource.name} does not wait for {api}"


def test_dags_come_after_what_they_import(stack: str) -> None:
    objects = [r for r in of_type(recorded(stack), "gcp:storage/bucketObject:BucketObject") if not made_again(r)]
    runtime = {o.urn for o in objects if "dataplatform_runtime" in o.name}
    dags = [o for o in objects if o.urn not in runtime]
    assert runtime
    assert dags
    for dag in dags:
        assert runtime <= set(dag.dependencies), dag.name


def test_secret_values_are_secret_to_the_engine(stack: str) -> None:
    for version in of_type(recorded(stack), "gcp:secretmanager/secretVersion:SecretVersion"):
        assert version.secrets == ("secretData",) or version.inputs["secretData"] == UNKNOWN_MARKER
        # What is not known yet cannot be told to be secret yet either.
        assert version.inputs.get("secretData", UNKNOWN_MARKER) == UNKNOWN_MARKER


def test_every_provider_resource_has_our_provider(stack: str) -> None:
    (provider,) = of_type(recorded(stack), "pulumi:providers:gcp")
    for resource in provided(stack):
        assert resource.provider == provider.urn, resource.urn


def test_children_belong_to_components(stack: str) -> None:
    parents = {r.urn: r for r in recorded(stack)}
    for resource in provided(stack):
        assert parents[resource.parent].type.startswith("dp:gcp:"), resource.urn


def test_inputs_are_what_the_provider_takes(stack: str) -> None:
    def wire(value: object) -> Any:
        if isinstance(value, dict):
            return {key: wire(item) for key, item in value.items()}
        if isinstance(value, list):
            return [wire(item) for item in value]
        return UNKNOWN if value == UNKNOWN_MARKER else value

    failures = []
    for resource in provided(stack):
        inputs = wire(dict(resource.inputs))
        for path in resource.secrets:
            *above, last = path.split(".")
            inside = inputs
            for part in above:
                inside = inside[part]
            inside[last] = secret("value")
        config = {"project": "unused-project", "region": "europe-west1"}
        result = check(resource.type, inputs, provider_config=config)
        failures += [f"{resource.name}: {failure.property}: {failure.reason}" for failure in result.failures]
    assert failures == []
