"""What holds for everything on Azure of every stack: tags, no key, no token, and nothing public where it is private."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from dataplatform.local.plan_recorder import RecordedResource
from tests.infra.inventory import STACKS, of_type, recorded

KIND = "azure-native:"
ENDPOINT = f"{KIND}network:PrivateEndpoint"
UNTAGGED = {
    "authorization:RoleAssignment",
    "managedidentity:FederatedIdentityCredential",
    "monitor:DiagnosticSetting",
    "network:PrivateDnsZoneGroup",
    "network:Subnet",
    "resources:Resource",
    "storage:BlobContainer",
    "storage:BlobServiceProperties",
    "storage:ManagementPolicy",
}
"""Types that have no tags in Azure; what a Data Factory holds is of the generic one."""


def public(resources: Iterable[RecordedResource]) -> list[str]:
    """The resources with a public way in: of every type that can have one."""
    found = []
    for resource in resources:
        inputs: Any = resource.inputs
        match resource.type.removeprefix(KIND):
            case "storage:StorageAccount":
                closed = inputs["publicNetworkAccess"] == "Disabled" and not inputs["allowBlobPublicAccess"]
                closed = closed and inputs["networkRuleSet"]["defaultAction"] == "Deny"
            case "keyvault:Vault":
                rules = inputs["properties"]["networkAcls"]
                closed = inputs["properties"]["publicNetworkAccess"] == "disabled" and rules["defaultAction"] == "Deny"
            case "databricks:Workspace":
                closed = inputs.get("publicNetworkAccess") == "Disabled"
                closed = closed and inputs["parameters"]["enableNoPublicIp"] == {"value": True}
            case "datafactory:Factory":
                closed = inputs["publicNetworkAccess"] == "Disabled"
            case "storage:BlobContainer":
                closed = inputs["publicAccess"] == "None"
            case _:
                continue
        if not closed:
            found.append(resource.name)
    return sorted(found)


def test_production_is_private() -> None:
    resources = recorded("prod")
    assert len(of_type(resources, ENDPOINT)) == 5
    assert public(resources) == []


@pytest.mark.parametrize("stack", STACKS)
def test_no_key_and_no_token_is_made_or_accepted(stack: str) -> None:
    resources = recorded(stack)
    accounts = of_type(resources, f"{KIND}storage:StorageAccount")
    assert accounts
    for account in accounts:
        assert account.inputs["allowSharedKeyAccess"] is False, account.name
    made = {resource.type.rpartition(":")[2] for resource in resources if not resource.type.startswith("gcp:")}
    assert not made & {"ApplicationPassword", "Mount", "OboToken", "ServicePrincipalPassword", "Token"}
    for vault in of_type(resources, f"{KIND}keyvault:Vault"):
        properties: Any = vault.inputs["properties"]
        assert properties["enableRbacAuthorization"] is True


@pytest.mark.parametrize("stack", STACKS)
def test_everything_on_azure_carries_the_tags(stack: str) -> None:
    found = [r for r in recorded(stack) if r.type.startswith(KIND) and r.type.removeprefix(KIND) not in UNTAGGED]
    assert found
    for resource in found:
        tags: Any = resource.inputs["tags"]
        assert tags["managed-by"] == "pulumi", resource.name
        assert {"environment", "stack"} <= tags.keys(), resource.name
