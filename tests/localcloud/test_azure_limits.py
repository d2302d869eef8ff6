"""What Azure and Databricks refuse although every name is right and everything is there."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.services import deleted_vaults
from localcloud.services.azure import SUBSCRIPTION, TENANT
from localcloud.world import World
from tests.localcloud.client import Client, Made, RefusedError

GROUP = "azure-native:resources:ResourceGroup"
VAULT = "azure-native:keyvault:Vault"
SECRET = "azure-native:keyvault:Secret"
ACCOUNT = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"
LOGS = "azure-native:operationalinsights:Workspace"
SETTING = "azure-native:monitor:DiagnosticSetting"
ALERT = "azure-native:monitor:MetricAlert"
ACTIONS = "azure-native:monitor:ActionGroup"
WORKSPACE = "azure-native:databricks:Workspace"
INDEX = "databricks:index/"
LAKE = "abfss://datalake@acmelake.dfs.core.windows.net"


@pytest.fixture
def azure(world: World) -> Client:
    made = Client("azure-native", world, {"location": "westeurope", "subscriptionId": SUBSCRIPTION})
    made.create(GROUP, {"resourceGroupName": "rg"})
    return made


def vault(**properties: Any) -> dict[str, Any]:
    told = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "enableRbacAuthorization": True}
    return {"resourceGroupName": "rg", "vaultName": "acme-kv", "properties": {**told, **properties}}


def secret(value: str = "x") -> dict[str, Any]:
    return {"resourceGroupName": "rg", "vaultName": "acme-kv", "secretName": "one", "properties": {"value": value}}


def account(**more: Any) -> dict[str, Any]:
    told = {"accountName": "acmelake", "resourceGroupName": "rg", "kind": "StorageV2", "isHnsEnabled": True}
    return {**told, "sku": {"name": "Standard_LRS"}, **more}


def workspace(name: str = "acme", group: str = "acme-managed", **more: Any) -> dict[str, Any]:
    managed = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"
    told = {"workspaceName": name, "resourceGroupName": "rg", "computeMode": "Hybrid"}
    return {**told, "managedResourceGroupId": managed, **more}


def test_purge_protection_and_retention_of_a_vault_stay(azure: Client) -> None:
    with pytest.raises(RefusedError, match="enablePurgeProtection"):
        azure.create(VAULT, vault(enablePurgeProtection=False))
    made = azure.create(VAULT, vault(enablePurgeProtection=True, softDeleteRetentionInDays=7))
    with pytest.raises(RefusedError, match="softDeleteRetentionInDays"):
        azure.update(VAULT, made, vault(enablePurgeProtection=True, softDeleteRetentionInDays=8))
    # Left out is not off: a PUT without it changes nothing of it.
    after = azure.update(VAULT, made, vault(softDeleteRetentionInDays=7))
    assert after.outputs["properties"]["enablePurgeProtection"] is True
    azure.delete(VAULT, after)
    with pytest.raises(RefusedError, match="already exists in deleted state"):
        azure.create(VAULT, vault(softDeleteRetentionInDays=7))


def test_a_deleted_secret_s_name_is_taken_until_its_vault_is_purged(azure: Client, world: World) -> None:
    held = azure.create(VAULT, vault(softDeleteRetentionInDays=7))
    made = azure.create(SECRET, secret())
    azure.delete(SECRET, made)
    with pytest.raises(RefusedError, match="deleted but recoverable state"):
        azure.create(SECRET, secret())
    azure.delete(VAULT, held)
    back = azure.create(VAULT, vault(softDeleteRetentionInDays=7, createMode="recover"))
    with pytest.raises(RefusedError, match="deleted but recoverable state"):
        azure.create(SECRET, secret())
    azure.delete(VAULT, back)
    with world.transaction() as tx:
        deleted_vaults.purge(tx, SUBSCRIPTION, "westeurope", "acme-kv")
    azure.create(VAULT, vault(softDeleteRetentionInDays=7))
    azure.create(SECRET, secret())


def test_a_secret_is_short(azure: Client) -> None:
    azure.create(VAULT, vault())
    with pytest.raises(RefusedError, match="25600"):
        azure.create(SECRET, secret("x" * 25601))
    made = azure.create(SECRET, secret("x" * 25600))
    with pytest.raises(RefusedError, match="25600"):
        azure.update(SECRET, made, secret("x" * 25601))


@pytest.mark.parametrize(
    ("named", "change"),
    [
        ("isHnsEnabled", {"isHnsEnabled": False}),
        ("enableNfsV3", {"enableNfsV3": True}),
        ("kind", {"kind": "BlobStorage"}),
        ("sku.name", {"sku": {"name": "Standard_ZRS"}}),
        ("sku.name", {"sku": {"name": "Premium_LRS"}}),
    ],
)
def test_an_account_keeps_what_it_is(azure: Client, named: str, change: dict[str, Any]) -> None:
    made = azure.create(ACCOUNT, account())
    azure.update(ACCOUNT, made, account(sku={"name": "Standard_GRS"}))
    with pytest.raises(RefusedError, match=f"'{named}'.*read-only"):
        azure.update(ACCOUNT, made, account(**change))


def test_a_lake_has_no_versions_and_nothing_public(azure: Client) -> None:
    azure.create(ACCOUNT, account())
    held = {"resourceGroupName": "rg", "accountName": "acmelake"}
    blobs = {**held, "blobServicesName": "default", "isVersioningEnabled": True}
    with pytest.raises(RefusedError, match="versioning is not supported"):
        azure.create("azure-native:storage:BlobServiceProperties", blobs)
    with pytest.raises(RefusedError, match="PublicAccessNotPermitted"):
        azure.create(CONTAINER, {**held, "containerName": "open", "publicAccess": "Blob"})
    azure.create(CONTAINER, {**held, "containerName": "closed", "publicAccess": "None"})


def test_alerts_are_in_no_region(azure: Client) -> None:
    group = {"actionGroupName": "oncall", "resourceGroupName": "rg", "groupShortName": "oncall", "enabled": True}
    # The provider fills in the resource group's region where the program gives none.
    for told in ({}, {"location": "westeurope"}):
        with pytest.raises(RefusedError, match="LocationNotAvailableForResourceType"):
            azure.create(ACTIONS, {**group, **told})
    azure.create(ACTIONS, {**group, "location": "Global"})
    made = azure.create(ACCOUNT, account())
    alert: dict[str, Any] = {
        "ruleName": "failed",
        "resourceGroupName": "rg",
        "enabled": True,
        "severity": 1,
        "scopes": [made.id],
        "evaluationFrequency": "PT1M",
        "windowSize": "PT5M",
        "criteria": {"odataType": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": []},
    }
    with pytest.raises(RefusedError, match="LocationNotAvailableForResourceType"):
        azure.create(ALERT, alert)
    with pytest.raises(RefusedError, match="PT2M is not supported"):
        azure.create(ALERT, {**alert, "location": "global", "evaluationFrequency": "PT2M"})
    with pytest.raises(RefusedError, match="shorter than the evaluationFrequency"):
        azure.create(ALERT, {**alert, "location": "global", "evaluationFrequency": "PT30M"})
    azure.create(ALERT, {**alert, "location": "global"})


def test_a_setting_sends_something_somewhere_once(azure: Client) -> None:
    made = azure.create(ACCOUNT, account())
    logs = azure.create(
        LOGS, {"resourceGroupName": "rg", "workspaceName": "logs", "sku": {"name": "PerGB2018"}, "retentionInDays": 30}
    )
    sent = {"resourceUri": made.id, "metrics": [{"category": "Transaction", "enabled": True}]}
    with pytest.raises(RefusedError, match="data sink needs to be specified"):
        azure.create(SETTING, {**sent, "name": "nowhere"})
    with pytest.raises(RefusedError, match="category of logs or metrics"):
        azure.create(SETTING, {"resourceUri": made.id, "name": "nothing", "workspaceId": logs.id})
    first = azure.create(SETTING, {**sent, "name": "one", "workspaceId": logs.id})
    azure.update(SETTING, first, {**sent, "name": "one", "workspaceId": logs.id})
    with pytest.raises(RefusedError, match="already used in diagnostic setting 'one' for category 'Transaction'"):
        azure.create(SETTING, {**sent, "name": "two", "workspaceId": logs.id})
    with pytest.raises(RefusedError, match="doesn't match the SKU limits"):
        azure.create(LOGS, {**logs.inputs, "workspaceName": "more", "retentionInDays": 10})


def test_a_workspace_keeps_its_managed_group(azure: Client) -> None:
    made = azure.create(WORKSPACE, workspace())
    for taken in ("acme-managed", "rg"):
        with pytest.raises(RefusedError, match=r"already exists\. Please specify a new non-existent"):
            azure.create(WORKSPACE, workspace("other", taken))
    with pytest.raises(RefusedError, match="ApplianceManagedResourceGroupMismatch"):
        azure.update(WORKSPACE, made, workspace(group="elsewhere"))
    with pytest.raises(RefusedError, match="enableNoPublicIp cannot be changed"):
        azure.update(WORKSPACE, made, workspace(parameters={"enableNoPublicIp": {"value": True}}))


def inside(world: World, made: Made) -> Client:
    return Client("databricks", world, {"host": f"https://{made.outputs['workspaceUrl']}"})


def test_what_is_in_a_workspace_goes_with_it_and_the_catalog_stays(azure: Client, world: World) -> None:
    made = azure.create(WORKSPACE, workspace())
    databricks = inside(world, made)
    databricks.create(f"{INDEX}secretScope:SecretScope", {"name": "own"})
    databricks.create(f"{INDEX}catalog:Catalog", {"name": "sales"})
    azure.delete(WORKSPACE, made)
    databricks = inside(world, azure.create(WORKSPACE, workspace()))
    databricks.create(f"{INDEX}secretScope:SecretScope", {"name": "own"})
    with pytest.raises(RefusedError, match="Catalog 'sales' already exists"):
        databricks.create(f"{INDEX}catalog:Catalog", {"name": "sales"})


def test_two_workspaces_have_a_scope_each_and_one_catalog(azure: Client, world: World) -> None:
    one = inside(world, azure.create(WORKSPACE, workspace()))
    two = inside(world, azure.create(WORKSPACE, workspace("second", "second-managed")))
    token = f"{INDEX}secretScope:SecretScope"
    scopes = [client.create(token, {"name": "vault"}) for client in (one, two)]
    one.delete(token, scopes[0])
    assert one.read(token, "vault") is None
    assert two.read(token, "vault") is not None
    one.create(f"{INDEX}catalog:Catalog", {"name": "sales"})
    with pytest.raises(RefusedError, match="already exists"):
        two.create(f"{INDEX}catalog:Catalog", {"name": "sales"})


def test_the_order_of_unity_catalog(azure: Client, world: World) -> None:
    azure.create(ACCOUNT, account())
    azure.create(CONTAINER, {"resourceGroupName": "rg", "accountName": "acmelake", "containerName": "datalake"})
    databricks = inside(world, azure.create(WORKSPACE, workspace()))
    credential = databricks.create(
        f"{INDEX}storageCredential:StorageCredential",
        {"name": "lake", "azureManagedIdentity": {"accessConnectorId": "/subscriptions/x"}},
    )
    token = f"{INDEX}externalLocation:ExternalLocation"
    location = databricks.create(token, {"name": "data", "url": f"{LAKE}/data", "credentialName": "lake"})
    for url in (f"{LAKE}/data/lnd", f"{LAKE}/", f"{LAKE}/data/"):
        with pytest.raises(RefusedError, match=r"overlaps with other external locations.*Conflicting location: data"):
            databricks.create(token, {"name": "more", "url": url, "credentialName": "lake"})
    databricks.create(token, {"name": "beside", "url": f"{LAKE}/database", "credentialName": "lake"})
    with pytest.raises(RefusedError, match="2 dependent storage location"):
        databricks.delete(f"{INDEX}storageCredential:StorageCredential", credential)
    catalog = databricks.create(f"{INDEX}catalog:Catalog", {"name": "sales", "storageRoot": f"{LAKE}/data/"})
    with pytest.raises(RefusedError, match="sales is stored in it"):
        databricks.delete(token, location)
    databricks.delete(f"{INDEX}catalog:Catalog", catalog)
    databricks.delete(token, location)


def test_what_a_workspace_refuses(azure: Client, world: World) -> None:
    held = azure.create(VAULT, vault())
    databricks = inside(world, azure.create(WORKSPACE, workspace()))
    backed = {"resourceId": held.id, "dnsName": "https://acme-kv.vault.azure.net/"}
    databricks.create(f"{INDEX}secretScope:SecretScope", {"name": "vault", "keyvaultMetadata": backed})
    with pytest.raises(RefusedError, match="Cannot write secrets to Azure KeyVault-backed scope vault"):
        databricks.create(f"{INDEX}secret:Secret", {"scope": "vault", "key": "k", "stringValue": "v"})
    with pytest.raises(RefusedError, match="doesn't start with '/'"):
        databricks.create(f"{INDEX}notebook:Notebook", {"path": "x/y", "language": "PYTHON", "contentBase64": "eA=="})
    task = {"taskKey": "a", "notebookTask": {"notebookPath": "/x"}, "dependsOns": [{"taskKey": "b"}]}
    with pytest.raises(RefusedError, match="depends on unknown task 'b'"):
        databricks.create(f"{INDEX}job:Job", {"name": "j", "tasks": [task]})
    mount = {
        "clientId": "x",
        "clientSecretKey": "k",
        "clientSecretScope": "none",
        "initializeFileSystem": False,
        "containerName": "datalake",
        "storageAccountName": "acmelake",
        "tenantId": TENANT,
    }
    with pytest.raises(RefusedError, match="Scope none does not exist"):
        databricks.create(f"{INDEX}mount:Mount", {"name": "datalake", "abfs": mount})
