"""Physical names on Azure: deterministic, checked against the services' limits, never cut to fit.

| what | name |
|---|---|
| resource group | `<prefix>-<environment>` |
| storage account of the lake | `<prefix><environment>lake`: global, letters and digits only |
| key vault | `<prefix>-<environment>-kv`, from generation 2 on with `<generation>`: global, free only once purged |
| identity | `<prefix>-<environment>-<identity>` |
| Databricks workspace, access connector | `<prefix>-<environment>-databricks` |
| catalog | `<prefix>_<environment>` |
| Data Factory | `<prefix>-<environment>-adf`: global |
| virtual network | `<prefix>-<environment>-net`; endpoints, gateway and security group have `-…` behind it |
| Log Analytics workspace, action group | `<prefix>-<environment>-logs`, `-alerts` |
| workbook | a GUID made of that of the resource group; it is called `<prefix>-<environment>` |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dataplatform.config.check import LoadedStack
from dataplatform.config.platform import Azure
from infra.naming import Namer

GROUP = "azure-native:resources:ResourceGroup"
ACCOUNT = "azure-native:storage:StorageAccount"
VAULT = "azure-native:keyvault:Vault"
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
WORKSPACE = "azure-native:databricks:Workspace"
CONNECTOR = "azure-native:databricks:AccessConnector"
LOGS = "azure-native:operationalinsights:Workspace"
ALERTS = "azure-native:monitor:ActionGroup"
NETWORK = "azure-native:network:VirtualNetwork"
FACTORY = "azure-native:datafactory:Factory"


@dataclass(frozen=True, kw_only=True)
class AzureNames:
    """The physical names of one stack on Azure, by what the stack file calls them."""

    group: str
    lake: str | None
    vault: str | None
    identities: Mapping[str, str]
    logs: str
    alerts: str
    databricks: str | None
    connector: str
    catalog: str
    factory: str | None = None
    network: str = ""


def azure_names(loaded: LoadedStack) -> AzureNames:
    """All names of the stack; raises InputError with a diagnostic for each that does not fit."""
    azure = loaded.platform.azure
    assert azure is not None, "asked for the names of a stack that has nothing on Azure"
    names = Namer(loaded, "azure")
    environment = loaded.platform.environment
    stem = f"{azure.prefix}-{environment}"
    vault = azure.key_vault
    found = AzureNames(
        group=names.make(GROUP, stem, "prefix"),
        lake=names.make(ACCOUNT, azure.lake.name or f"{azure.prefix}{environment}lake", "lake") if azure.lake else None,
        vault=names.make(VAULT, f"{stem}-kv{vault.generation if vault.generation > 1 else ''}", "key_vault")
        if vault
        else None,
        identities={key: names.make(IDENTITY, f"{stem}-{key}", "identities", key) for key in azure.identities},
        logs=names.make(LOGS, f"{stem}-logs", "monitoring") if azure.monitoring else "",
        databricks=names.make(WORKSPACE, f"{stem}-databricks", "databricks") if azure.databricks else None,
        connector=names.make(CONNECTOR, f"{stem}-databricks", "databricks") if azure.databricks else "",
        catalog=_catalog(azure, environment),
        factory=names.make(FACTORY, azure.data_factory.name or f"{stem}-adf", "data_factory")
        if azure.data_factory
        else None,
        network=names.make(NETWORK, f"{stem}-net", "network") if azure.network else "",
        alerts=names.make(ALERTS, f"{stem}-alerts", "monitoring") if azure.monitoring else "",
    )
    names.finish()
    return found


def _catalog(azure: Azure, environment: str) -> str:
    catalog = azure.databricks.unity_catalog if azure.databricks is not None else None
    return (catalog.name if catalog is not None else None) or f"{azure.prefix}_{environment}"
