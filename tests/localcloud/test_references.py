"""What Azure and Databricks refuse because it comes too early; what is another's passes."""

from __future__ import annotations

import pytest

from localcloud import faults
from localcloud.services.azure import SUBSCRIPTION
from localcloud.world import World
from tests.localcloud.client import Client, Made, RefusedError

GROUP, ACCOUNT = "azure-native:resources:ResourceGroup", "azure-native:storage:StorageAccount"
IDENTITY, ROLE = "azure-native:managedidentity:UserAssignedIdentity", "azure-native:authorization:RoleAssignment"
SETTING = "azure-native:monitor:DiagnosticSetting"
READER = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/reader"
LOGS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{{}}/providers/Microsoft.OperationalInsights/workspaces/logs"


@pytest.fixture
def azure(world: World) -> Client:
    made = Client("azure-native", world, {"location": "westeurope", "subscriptionId": SUBSCRIPTION})
    made.create(GROUP, {"resourceGroupName": "rg"})
    return made


@pytest.fixture
def account(azure: Client) -> Made:
    inputs = {
        "accountName": "acmelake",
        "resourceGroupName": "rg",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
    }
    return azure.create(ACCOUNT, inputs)


def role(scope: str, principal: str, name: str) -> dict[str, object]:
    return {
        "scope": scope,
        "principalId": principal,
        "principalType": "ServicePrincipal",
        "roleDefinitionId": READER,
        "roleAssignmentName": name,
    }


def test_a_role_wants_its_principal(azure: Client, account: Made) -> None:
    identity = azure.create(IDENTITY, {"resourceName": "etl", "resourceGroupName": "rg"})
    principal = str(identity.outputs["principalId"])
    azure.create(ROLE, role(account.id, principal, "00000000-0000-4000-8000-000000000001"))
    azure.delete(IDENTITY, identity)
    with pytest.raises(RefusedError, match="PrincipalNotFound"):
        azure.create(ROLE, role(account.id, principal, "00000000-0000-4000-8000-000000000002"))
    # A group of the directory, which no program of ours made.
    group = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    azure.create(ROLE, role(account.id, group, "00000000-0000-4000-8000-000000000003"))


def test_a_setting_wants_its_workspace(azure: Client, account: Made) -> None:
    inputs = {
        "resourceUri": account.id,
        "name": "to-logs",
        "workspaceId": LOGS.format("rg"),
        "metrics": [{"category": "Transaction", "enabled": True}],
    }
    with pytest.raises(RefusedError, match="workspaces/logs' under resource group 'rg' was not found"):
        azure.create(SETTING, inputs)
    azure.create(SETTING, {**inputs, "workspaceId": LOGS.format("of-another-team")})


def test_databricks_wants_what_it_is_told_of(world: World, azure: Client, account: Made) -> None:
    workspace = azure.create(
        "azure-native:databricks:Workspace",
        {
            "workspaceName": "acme",
            "resourceGroupName": "rg",
            "computeMode": "Hybrid",
            "managedResourceGroupId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/acme-managed",
        },
    )
    databricks = Client("databricks", world, {"host": f"https://{workspace.outputs['workspaceUrl']}"})
    cluster = {"sparkVersion": "15.4.x-scala2.12", "nodeTypeId": "Standard_DS3_v2", "numWorkers": 1, "policyId": "9"}
    with pytest.raises(RefusedError, match="Can't find a cluster policy with id: 9"):
        databricks.create("databricks:index/cluster:Cluster", cluster)
    grant = {"principal": "analysts", "privileges": ["USE_CATALOG"], "catalog": "sales"}
    with pytest.raises(RefusedError, match="Catalog 'sales' does not exist"):
        databricks.create("databricks:index/grant:Grant", grant)
    root = "abfss://datalake@acmelake.dfs.core.windows.net/"
    with pytest.raises(RefusedError, match="No external location covers"):
        databricks.create("databricks:index/catalog:Catalog", {"name": "sales", "storageRoot": root})
    credential = databricks.create(
        "databricks:index/storageCredential:StorageCredential",
        {"name": "lake", "azureManagedIdentity": {"accessConnectorId": "/subscriptions/x"}},
    )
    location = {"name": "lake", "url": root, "credentialName": credential.id}
    with pytest.raises(RefusedError, match="the container 'datalake' of 'acmelake' does not exist"):
        databricks.create("databricks:index/externalLocation:ExternalLocation", location)
    container = {"accountName": "acmelake", "resourceGroupName": "rg", "containerName": "datalake"}
    azure.create("azure-native:storage:BlobContainer", container)
    databricks.create("databricks:index/externalLocation:ExternalLocation", location)
    assert databricks.create("databricks:index/catalog:Catalog", {"name": "sales", "storageRoot": root}).id == "sales"
    databricks.create("databricks:index/grant:Grant", grant)


class KilledError(Exception):
    """Stands for the kill that ends a held operation."""


@pytest.mark.parametrize(("when", "there"), [("before", False), ("after", True)])
def test_a_held_operation_waits_on_its_side_of_the_change(world: World, gcp: Client, when: str, there: bool) -> None:
    def killed(seconds: float) -> None:
        if seconds > 60:
            raise KilledError

    faults.add(world, faults.make("create", "gcp:storage/*", 1, f"hold={when}"))
    gcp.provider.faults.sleep = killed
    with pytest.raises(RefusedError, match="KilledError"):
        gcp.create("gcp:storage/bucket:Bucket", {"name": "acme-one", "location": "EU"})
    assert (gcp.read("gcp:storage/bucket:Bucket", "acme-one") is not None) is there
