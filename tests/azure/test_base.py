"""A stack on Azure alone: what its program registers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.azure.roles import ROLES, assignment_name
from dataplatform.config.check import check_stacks
from dataplatform.local.plan_recorder import UNKNOWN_MARKER, RecordedResource, record
from tests.azure.stacks import AZURE, SUBSCRIPTION, TENANT, write_stack
from tests.infra.inventory import ancestors, of_type

ACCOUNT = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"
GROUP = "azure-native:resources:ResourceGroup"
ROLE = "azure-native:authorization:RoleAssignment"
SECRET = "azure-native:keyvault:Secret"
VAULT = "azure-native:keyvault:Vault"
UNTAGGED = {
    "azure-native:authorization:RoleAssignment",
    "azure-native:managedidentity:FederatedIdentityCredential",
    "azure-native:monitor:DiagnosticSetting",
    "azure-native:storage:BlobContainer",
    "azure-native:storage:BlobServiceProperties",
    "azure-native:storage:ManagementPolicy",
}
"""Types that have no tags in Azure."""


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return record(write_stack(tmp_path_factory.mktemp("azure")), "dev")


def custom(resources: list[RecordedResource]) -> list[RecordedResource]:
    return [r for r in resources if r.custom and r.type.startswith("azure-native:")]


def test_every_resource_carries_the_tags(resources: list[RecordedResource]) -> None:
    for resource in custom(resources):
        if resource.type in UNTAGGED:
            continue
        tags = resource.inputs["tags"]
        assert isinstance(tags, dict)
        assert tags == tags | {
            "cost_center": "4711",
            "environment": "dev",
            "managed-by": "pulumi",
            "owner": "data-platform",
            "stack": "dev",
        }, resource.name


def test_all_is_in_the_group_and_of_the_provider(resources: list[RecordedResource]) -> None:
    (group,) = of_type(resources, GROUP)
    (provider,) = [r for r in resources if r.type == "pulumi:providers:azure-native"]
    told = {"location": "westeurope", "subscriptionId": SUBSCRIPTION, "tenantId": TENANT}
    assert {name: provider.inputs[name] for name in told} == told
    for resource in custom(resources):
        assert resource.provider == provider.urn, resource.name
        if resource.urn != group.urn:
            assert group.urn in ancestors(resource, resources), resource.name


def test_the_lake_takes_no_key_and_is_not_public(resources: list[RecordedResource]) -> None:
    (account,) = of_type(resources, ACCOUNT)
    assert account.inputs["isHnsEnabled"] is True
    assert account.inputs["allowSharedKeyAccess"] is False
    assert account.inputs["allowBlobPublicAccess"] is False
    assert account.inputs["minimumTlsVersion"] == "TLS1_2"
    rules = account.inputs["networkRuleSet"]
    assert isinstance(rules, dict)
    assert rules["defaultAction"] == "Deny"
    assert [c.inputs["publicAccess"] for c in of_type(resources, CONTAINER)] == ["None", "None"]


def test_secret_values_are_secrets_and_never_text(resources: list[RecordedResource]) -> None:
    secrets = of_type(resources, SECRET)
    assert {s.inputs["secretName"] for s in secrets} == {"storageAccount", "lakeEndpoint", "kvUrl"}
    for secret in secrets:
        # A value that is not known yet cannot be told to be secret yet either.
        properties = secret.inputs["properties"]
        assert isinstance(properties, dict)
        assert secret.secrets == ("properties.value",) or properties["value"] == UNKNOWN_MARKER
    assert [s.secrets for s in secrets if s.inputs["secretName"] == "kvUrl"] == [("properties.value",)]


def test_a_vault_has_no_access_policies_and_never_says_false_to_purge_protection(
    resources: list[RecordedResource], tmp_path: Path
) -> None:
    (vault,) = of_type(resources, VAULT)
    properties = vault.inputs["properties"]
    assert isinstance(properties, dict)
    assert properties["enableRbacAuthorization"] is True
    assert not {"accessPolicies", "enablePurgeProtection"} & properties.keys()
    protected = AZURE.replace("purge_protection: false", "purge_protection: true")
    (vault,) = of_type(record(write_stack(tmp_path, azure=protected), "dev"), VAULT)
    properties = vault.inputs["properties"]
    assert isinstance(properties, dict)
    assert properties["enablePurgeProtection"] is True


def test_roles_are_for_one_thing_and_are_named_for_ever(resources: list[RecordedResource]) -> None:
    assigned = of_type(resources, ROLE)
    roles = {identifier: name for name, identifier in ROLES.items()}
    told = {r.name: roles[str(r.inputs["roleDefinitionId"]).rpartition("/")[2]] for r in assigned}
    assert told == {
        "azure-lake-datalake-readers-reports": "Storage Blob Data Reader",
        "azure-lake-datalake-writers-etl": "Storage Blob Data Contributor",
        "azure-vault-storageAccount-reader-etl": "Key Vault Secrets User",
    }
    names = [r.inputs["roleAssignmentName"] for r in assigned]
    assert len(set(names)) == len(names)
    assert assignment_name("acmedatadevlake/datalake", "Storage Blob Data Reader", "acmedata-dev-reports") in names
    for role in assigned:
        assert role.inputs["principalType"] == "ServicePrincipal"


def test_an_assignment_s_name_depends_on_scope_role_and_principal() -> None:
    names = {assignment_name(s, r, p) for s in "ab" for r in ("Contributor", "Reader") for p in "xy"}
    assert len(names) == 8
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name) for name in names)
    assert assignment_name("A", "Contributor", "X") == assignment_name("a", "Contributor", "x")


def test_logs_go_to_the_workspace(resources: list[RecordedResource]) -> None:
    settings = {r.name for r in of_type(resources, "azure-native:monitor:DiagnosticSetting")}
    assert settings == {"azure-lake-logs", "azure-lake-metrics", "azure-vault-logs"}


def test_an_action_group_is_in_no_region(resources: list[RecordedResource]) -> None:
    (group,) = of_type(resources, "azure-native:monitor:ActionGroup")
    assert group.inputs["location"] == "global"


def test_what_holds_data_is_protected_where_the_stack_says_so(tmp_path: Path) -> None:
    protected = record(write_stack(tmp_path, protect=True), "dev")
    held = {GROUP, ACCOUNT, CONTAINER, VAULT, SECRET, "azure-native:operationalinsights:Workspace"}
    assert {r.type for r in custom(protected) if r.protect} == held


def test_credentials_of_one_identity_are_written_one_after_the_other(resources: list[RecordedResource]) -> None:
    first, second = of_type(resources, "azure-native:managedidentity:FederatedIdentityCredential")
    assert first.urn in second.dependencies


def test_a_name_that_does_not_fit_is_told_before_anything_happens(tmp_path: Path) -> None:
    root = write_stack(tmp_path, azure=AZURE.replace("prefix: acmedata", "prefix: acmedata12"), stack="environment1")
    assert not check_stacks(root)
    from infra.decide import check_stacks as check_all

    account, vault = check_all(root, ["environment1"]).sorted()
    assert account.code == vault.code == "DP221"
    assert "the storage account name 'acmedata12environment1lake' has 26 characters" in account.message
    assert "the key vault name 'acmedata12-environment1-kv' has 26 characters" in vault.message
