"""Azure, Databricks and Entra by their tables: ids, parents, names, conflicts."""

from __future__ import annotations

import pytest

from localcloud.rules.tables import tokens
from localcloud.services.azure import PATHS, SUBSCRIPTION
from localcloud.world import World
from tests.localcloud.client import Client, RefusedError

GROUP = "azure-native:resources:ResourceGroup"
ACCOUNT = "azure-native:storage:StorageAccount"
VAULT = "azure-native:keyvault:Vault"


@pytest.fixture
def azure(world: World) -> Client:
    return Client("azure-native", world, {"location": "westeurope"})


def _account(group: str) -> dict[str, object]:
    return {"accountName": "acmelake", "resourceGroupName": group, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}


def test_every_type_of_the_table_has_a_path() -> None:
    assert set(PATHS) == {token.partition(":")[2] for token in tokens("azure-native")}


def test_ids_parents_and_conflicts(azure: Client) -> None:
    with pytest.raises(RefusedError, match="Resource group 'rg' could not be found"):
        azure.create(ACCOUNT, _account("rg"))
    group = azure.create(GROUP, {"resourceGroupName": "rg"})
    assert group.id == f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
    assert group.outputs["location"] == "westeurope"
    container = {"accountName": "acmelake", "resourceGroupName": "rg", "containerName": "landing"}
    with pytest.raises(RefusedError, match="ParentResourceNotFound"):
        azure.create("azure-native:storage:BlobContainer", container)
    account = azure.create(ACCOUNT, _account("rg"))
    assert account.id == f"{group.id}/providers/Microsoft.Storage/storageAccounts/acmelake"
    assert account.outputs["primaryEndpoints"]["dfs"] == "https://acmelake.dfs.core.windows.net/"
    made = azure.create("azure-native:storage:BlobContainer", container)
    assert made.id == f"{account.id}/blobServices/default/containers/landing"
    with pytest.raises(RefusedError, match="cannot create already existing resource"):
        azure.create(ACCOUNT, _account("rg"))
    azure.create(GROUP, {"resourceGroupName": "other"})
    with pytest.raises(RefusedError, match="The storage account named acmelake is already taken"):
        azure.create(ACCOUNT, _account("other"))
    azure.delete(GROUP, group)
    assert azure.read(ACCOUNT, account.id) is None
    assert azure.read("azure-native:storage:BlobContainer", made.id) is None


def test_a_deleted_vault_keeps_its_name(azure: Client) -> None:
    azure.create(GROUP, {"resourceGroupName": "rg"})
    inputs = {
        "vaultName": "acme-vault",
        "resourceGroupName": "rg",
        "properties": {"tenantId": SUBSCRIPTION, "sku": {"family": "A", "name": "standard"}},
    }
    vault = azure.create(VAULT, inputs)
    assert vault.outputs["properties"]["vaultUri"] == "https://acme-vault.vault.azure.net/"
    azure.delete(VAULT, vault)
    with pytest.raises(RefusedError, match="already exists in deleted state"):
        azure.create(VAULT, inputs)


def test_another_location_is_refused_in_place(azure: Client) -> None:
    azure.create(GROUP, {"resourceGroupName": "rg"})
    token = "azure-native:network:NetworkSecurityGroup"
    inputs = {"networkSecurityGroupName": "nsg", "resourceGroupName": "rg", "location": "West Europe"}
    made = azure.create(token, inputs)
    azure.update(token, made, {**inputs, "location": "westeurope"})
    with pytest.raises(RefusedError, match="InvalidResourceLocation"):
        azure.update(token, made, {**inputs, "location": "northeurope"})


def test_databricks_and_entra(world: World) -> None:
    azure = Client("azure-native", world, {"subscriptionId": SUBSCRIPTION, "location": "westeurope"})
    elsewhere = Client("databricks", world, {"host": "https://adb-1.2.azuredatabricks.net"})
    with pytest.raises(RefusedError, match="there is no such workspace"):
        elsewhere.create("databricks:index/catalog:Catalog", {"name": "sales"})
    azure.create(GROUP, {"resourceGroupName": "rg"})
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
    catalog = databricks.create("databricks:index/catalog:Catalog", {"name": "sales"})
    assert catalog.id == "sales"
    with pytest.raises(RefusedError, match="Catalog 'none' does not exist"):
        databricks.create("databricks:index/schema:Schema", {"catalogName": "none", "name": "raw"})
    schema = databricks.create("databricks:index/schema:Schema", {"catalogName": "sales", "name": "raw"})
    assert schema.id == "sales.raw"
    with pytest.raises(RefusedError, match="is not empty"):
        databricks.delete("databricks:index/catalog:Catalog", catalog)
    with pytest.raises(RefusedError, match="already exists"):
        databricks.create("databricks:index/schema:Schema", {"catalogName": "sales", "name": "raw"})
    entra = Client("azuread", world)
    application = entra.create("azuread:index/application:Application", {"displayName": "runner"})
    principal = entra.create(
        "azuread:index/servicePrincipal:ServicePrincipal", {"clientId": application.outputs["clientId"]}
    )
    assert principal.id != application.id
    with pytest.raises(RefusedError, match="does not exist"):
        entra.create("azuread:index/servicePrincipal:ServicePrincipal", {"clientId": SUBSCRIPTION})
