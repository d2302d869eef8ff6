"""What the services ask of names and labels, which they check when a resource is created (not the provider's Check)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from localcloud.rules.tables import known, load, table

# azure_native.json names its rules by ARM type; some keys stand for several types ("…/pipelines|datasets|…").
_ADF = "Microsoft.DataFactory/factories"
_ADF_ENTITY = f"{_ADF}/pipelines|datasets|linkedservices|triggers|dataflows"
_ADF_MANAGED = f"{_ADF}/managedVirtualNetworks|managedPrivateEndpoints|credentials"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_NETWORK = "Microsoft.Network/publicIPAddresses|natGateways|routeTables"
ARM_NAMES: Mapping[str, str] = {
    "authorization:RoleAssignment": "Microsoft.Authorization/roleAssignments",
    "databricks:AccessConnector": "Microsoft.Databricks/accessConnectors",
    "databricks:Workspace": "Microsoft.Databricks/workspaces",
    "datafactory:CredentialOperation": _ADF_MANAGED,
    "datafactory:DataFlow": _ADF_ENTITY,
    "datafactory:Dataset": _ADF_ENTITY,
    "datafactory:Factory": _ADF,
    "datafactory:IntegrationRuntime": f"{_ADF}/integrationRuntimes",
    "datafactory:LinkedService": _ADF_ENTITY,
    "datafactory:ManagedPrivateEndpoint": _ADF_MANAGED,
    "datafactory:Pipeline": _ADF_ENTITY,
    "datafactory:Trigger": _ADF_ENTITY,
    "keyvault:Key": "Microsoft.KeyVault/vaults/keys",
    "keyvault:Secret": "Microsoft.KeyVault/vaults/secrets",
    "keyvault:Vault": "Microsoft.KeyVault/vaults",
    "managedidentity:FederatedIdentityCredential": f"{_IDENTITY}/federatedIdentityCredentials",
    "managedidentity:UserAssignedIdentity": _IDENTITY,
    "monitor:ActionGroup": "Microsoft.Insights/actionGroups",
    "monitor:MetricAlert": "Microsoft.Insights/metricAlerts",
    "network:NatGateway": _NETWORK,
    "network:NetworkSecurityGroup": "Microsoft.Network/networkSecurityGroups",
    "network:PrivateEndpoint": "Microsoft.Network/privateEndpoints",
    "network:PublicIPAddress": _NETWORK,
    "network:RouteTable": _NETWORK,
    "network:Subnet": "Microsoft.Network/virtualNetworks/subnets",
    "network:VirtualNetwork": "Microsoft.Network/virtualNetworks",
    "operationalinsights:Workspace": "Microsoft.OperationalInsights/workspaces",
    "privatedns:PrivateZone": "Microsoft.Network/privateDnsZones",
    "privatedns:VirtualNetworkLink": "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
    "resources:ResourceGroup": "Microsoft.Resources/resourceGroups",
    "sql:Database": "Microsoft.Sql/servers/databases",
    "sql:Server": "Microsoft.Sql/servers",
    "storage:Blob": "blob",
    "storage:BlobContainer": "Microsoft.Storage/storageAccounts/blobServices/containers",
    "storage:ManagementPolicy": "Microsoft.Storage/storageAccounts/managementPolicies",
    "storage:StorageAccount": "Microsoft.Storage/storageAccounts",
    "synapse:Workspace": "Microsoft.Synapse/workspaces",
}


@dataclass(frozen=True)
class NameRule:
    """How a resource may be called."""

    field: str
    """The input that holds the name."""
    pattern: str | None
    least: int
    most: int | None
    scope: str
    """Within what the name must be unique: `global`, `project`, `project+location`, `resource group`, `bucket` …"""
    case_sensitive: bool
    source: str
    """Where the rule was read, or that it is general knowledge."""


@cache
def name_rule(token: str) -> NameRule | None:
    """The service's rule for a resource type's name, None where none is recorded."""
    provider, _, rest = token.partition(":")
    if provider == "gcp":
        entry = load("gcp_names").get(token)
        return None if entry is None else _rule(entry, str(entry["field"]), entry.get("apiRegex"), case_sensitive=True)
    if provider == "azure-native" and rest in ARM_NAMES and known(token):
        entry = load("azure_native")["names"][ARM_NAMES[rest]]
        field = table(token).own_name or "name"
        return _rule(entry, field, entry.get("pattern"), case_sensitive=rest == "storage:Blob")
    return None


def _rule(entry: Mapping[str, Any], field: str, pattern: str | None, *, case_sensitive: bool) -> NameRule:
    most = entry.get("max")
    scope = str(entry.get("scope", "parent"))
    source = str(entry.get("source", "not stated"))
    return NameRule(
        field, pattern, int(entry.get("min", 1)), None if most is None else int(most), scope, case_sensitive, source
    )


def check_name(token: str, name: str) -> str | None:
    """What is wrong with a name by the service's rule, None where nothing is."""
    rule = name_rule(token)
    if rule is None:
        return None
    if len(name) < rule.least:
        return f"name '{name}' is too short: at least {rule.least} characters"
    # A bucket's name may be longer with dots, each part within the limit.
    parts = name.split(".") if token == "gcp:storage/bucket:Bucket" else [name]  # noqa: S105 - a type token
    if rule.most is not None and (any(len(part) > rule.most for part in parts) or (len(parts) > 1 and len(name) > 222)):
        return f"name '{name}' is too long: at most {rule.most} characters"
    whole = len(parts) == 1 or rule.most is None or len(name) <= rule.most
    if rule.pattern is not None and not all(re.search(rule.pattern, part) for part in ([name] if whole else parts)):
        return f"name '{name}' must match {rule.pattern}"
    return _bucket_words(name) if token == "gcp:storage/bucket:Bucket" else None  # noqa: S105 - a type token


def _bucket_words(name: str) -> str | None:
    if name.startswith("goog") or "google" in name or "g00gle" in name:
        return f"name '{name}' may not begin with 'goog' nor contain 'google'"
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return None
    return f"name '{name}' may not be an IP address"


def check_labels(labels: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a Google resource's labels by the services' rules."""
    rule = load("gcp_names")["_labels"]
    if len(labels) > rule["max"]:
        yield f"{len(labels)} labels: at most {rule['max']}"
    for key, value in labels.items():
        if not re.match(rule["key"], key):
            yield f"label key '{key}' must match {rule['key']}"
        elif isinstance(value, str) and not re.match(rule["value"], value):
            yield f"value of label '{key}' must match {rule['value']}"


def check_tags(token: str, tags: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with an Azure resource's tags by Resource Manager's rules."""
    storage = token.endswith(":StorageAccount")
    most = int(load("azure_native")["names"]["Microsoft.Resources/tags"]["maxPerResource"])
    if len(tags) > most:
        yield f"{len(tags)} tags: at most {most}"
    for key, value in tags.items():
        if not 1 <= len(key) <= (128 if storage else 512) or re.search(r"[<>%&\\?/]", key):
            yield f"tag name '{key}' must have 1 to {128 if storage else 512} characters without <>%&\\?/"
        elif isinstance(value, str) and len(value) > 256:
            yield f"value of tag '{key}' is longer than 256 characters"
