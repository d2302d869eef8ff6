"""Azure Resource Manager, served by the tables: ids, parents, names, conflicts.

What each service refuses beyond that is not here yet.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules import check_name, check_tags, name_rule
from localcloud.rules.tables import ResourceTable, table
from localcloud.rules.wire import UNKNOWN, is_unknown
from localcloud.services import deleted_vaults, synthesis
from localcloud.services.base import Call, State, state_of
from localcloud.store import Row

SUBSCRIPTION = "00000000-0000-4000-8000-00000000da7a"
"""The sandbox's subscription, used where the provider is not given one."""
TENANT = "00000000-0000-4000-8000-00000000717e"

GROUP = "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}"
_ADF = "Microsoft.DataFactory/factories/{factoryName}"
_STORAGE = "Microsoft.Storage/storageAccounts/{accountName}"
_VNET = "Microsoft.Network/virtualNetworks/{virtualNetworkName}"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}"
PATHS = {
    "applicationinsights:Workbook": "Microsoft.Insights/workbooks/{resourceName}",
    "authorization:RoleAssignment": "{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
    "authorization:RoleDefinition": "{scope}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}",
    "databricks:AccessConnector": "Microsoft.Databricks/accessConnectors/{connectorName}",
    "databricks:Workspace": "Microsoft.Databricks/workspaces/{workspaceName}",
    "datafactory:CredentialOperation": f"{_ADF}/credentials/{{credentialName}}",
    "datafactory:DataFlow": f"{_ADF}/dataflows/{{dataFlowName}}",
    "datafactory:Dataset": f"{_ADF}/datasets/{{datasetName}}",
    "datafactory:Factory": _ADF,
    "datafactory:IntegrationRuntime": f"{_ADF}/integrationRuntimes/{{integrationRuntimeName}}",
    "datafactory:LinkedService": f"{_ADF}/linkedservices/{{linkedServiceName}}",
    "datafactory:ManagedPrivateEndpoint": (
        f"{_ADF}/managedVirtualNetworks/{{managedVirtualNetworkName}}"
        "/managedPrivateEndpoints/{managedPrivateEndpointName}"
    ),
    "datafactory:Pipeline": f"{_ADF}/pipelines/{{pipelineName}}",
    "datafactory:Trigger": f"{_ADF}/triggers/{{triggerName}}",
    "keyvault:AccessPolicy": "Microsoft.KeyVault/vaults/{vaultName}/accessPolicy/{policy.objectId}",
    "keyvault:Key": "Microsoft.KeyVault/vaults/{vaultName}/keys/{keyName}",
    "keyvault:Secret": "Microsoft.KeyVault/vaults/{vaultName}/secrets/{secretName}",
    "keyvault:Vault": "Microsoft.KeyVault/vaults/{vaultName}",
    "managedidentity:FederatedIdentityCredential": (
        f"{_IDENTITY}/federatedIdentityCredentials/{{federatedIdentityCredentialResourceName}}"
    ),
    "managedidentity:UserAssignedIdentity": _IDENTITY,
    "monitor:ActionGroup": "Microsoft.Insights/actionGroups/{actionGroupName}",
    "monitor:DiagnosticSetting": "{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}",
    "monitor:MetricAlert": "Microsoft.Insights/metricAlerts/{ruleName}",
    "network:NatGateway": "Microsoft.Network/natGateways/{natGatewayName}",
    "network:NetworkSecurityGroup": "Microsoft.Network/networkSecurityGroups/{networkSecurityGroupName}",
    "network:PrivateDnsZoneGroup": (
        "Microsoft.Network/privateEndpoints/{privateEndpointName}/privateDnsZoneGroups/{privateDnsZoneGroupName}"
    ),
    "network:PrivateEndpoint": "Microsoft.Network/privateEndpoints/{privateEndpointName}",
    "network:PublicIPAddress": "Microsoft.Network/publicIPAddresses/{publicIpAddressName}",
    "network:RouteTable": "Microsoft.Network/routeTables/{routeTableName}",
    "network:SecurityRule": (
        "Microsoft.Network/networkSecurityGroups/{networkSecurityGroupName}/securityRules/{securityRuleName}"
    ),
    "network:Subnet": f"{_VNET}/subnets/{{subnetName}}",
    "network:VirtualNetwork": _VNET,
    "operationalinsights:Workspace": "Microsoft.OperationalInsights/workspaces/{workspaceName}",
    "privatedns:PrivateZone": "Microsoft.Network/privateDnsZones/{privateZoneName}",
    "privatedns:VirtualNetworkLink": (
        "Microsoft.Network/privateDnsZones/{privateZoneName}/virtualNetworkLinks/{virtualNetworkLinkName}"
    ),
    "resources:Resource": "{resourceProviderNamespace}/{parentResourcePath}/{resourceType}/{resourceName}",
    "resources:ResourceGroup": GROUP,
    "sql:Database": "Microsoft.Sql/servers/{serverName}/databases/{databaseName}",
    "sql:FirewallRule": "Microsoft.Sql/servers/{serverName}/firewallRules/{firewallRuleName}",
    "sql:Server": "Microsoft.Sql/servers/{serverName}",
    "storage:Blob": f"{_STORAGE}/blobServices/default/containers/{{containerName}}/blobs/{{blobName}}",
    "storage:BlobContainer": f"{_STORAGE}/blobServices/default/containers/{{containerName}}",
    "storage:BlobServiceProperties": f"{_STORAGE}/blobServices/{{blobServicesName}}",
    "storage:ManagementPolicy": f"{_STORAGE}/managementPolicies/{{managementPolicyName}}",
    "storage:StorageAccount": _STORAGE,
    "synapse:Workspace": "Microsoft.Synapse/workspaces/{workspaceName}",
}
"""ARM paths of the served types, from the REST specifications; those without a scope lie in a resource group."""
_SINGLETONS = frozenset({"BlobServiceProperties"})
_IMPLIED = frozenset({"blobServices", "managedVirtualNetworks"})
"""Collections whose `default` member every parent has."""


class ArmResource:
    """One type of azure-native."""

    client_only: tuple[str, ...] = ()

    def __init__(self, token: str) -> None:
        self.token = token
        self.short = token.partition(":")[2]

    @property
    def table(self) -> ResourceTable:
        """The provider's rules of this type."""
        return table(self.token)

    def _resolve(self, call: Call, inputs: dict[str, Any]) -> dict[str, Any]:
        values = {**self.table.defaults, **{k: v for k, v in inputs.items() if not k.startswith("__")}}
        location = call.settings.get("location")
        if "location" in self.table.properties and "location" not in values and location:
            values["location"] = location
        return values

    def _id(self, call: Call, values: dict[str, Any]) -> str:
        template = PATHS[self.short]
        if not template.startswith(("/", "{scope}", "{resourceUri}")):
            template = f"{GROUP}/providers/{template}"
        subscription = call.settings.get("subscriptionId") or SUBSCRIPTION
        nested = {"policy.objectId": (values.get("policy") or {}).get("objectId", "")}
        for name, value in {**values, **nested, "subscription": subscription}.items():
            if isinstance(value, str):
                template = template.replace("{" + name + "}", value.rstrip("/") if name == "scope" else value)
        if "{" in template:
            missing = template[template.index("{") + 1 : template.index("}")]
            raise ApiError(400, "InvalidParameter", f"{missing} is required.")
        return template

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """Inputs and defaults; what Azure fills in is unknown before a creation."""
        values = self._resolve(call, inputs)
        outputs = self.table.facts.get("outputs", ())
        identity = values.get("identity")
        if isinstance(identity, dict) and "SystemAssigned" in str(identity.get("type")):
            held = (old or {}).get("identity")
            known = held if isinstance(held, dict) and held.get("principalId") else {}
            made = {name: known.get(name, UNKNOWN) for name in ("principalId", "tenantId")}
            values["identity"] = {**made, **identity}
        if old is not None:
            return {**old, **values}
        return {**{name: UNKNOWN for name in outputs if name not in values}, **values}

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """PUT, after the provider's own GET."""
        values = self._resolve(call, inputs)
        resource_id = self._id(call, values)
        key = self._key(values, resource_id)
        held = store.find_key(call.tx, key)
        if held is not None and held.id.lower() == resource_id.lower() and call.kind not in _SINGLETONS:
            raise ApiError(409, "Conflict", f"cannot create already existing resource '{resource_id}'")
        self._check_name(values)
        self._require_parent(call, resource_id)
        if held is not None:
            raise self._taken(values)
        if store.buried(call.tx, key) is not None and not deleted_vaults.may_recover(call.tx, key, resource_id, values):
            raise ApiError(
                409,
                "ConflictError",
                "A vault with the same name already exists in deleted state. You need to either recover or purge"
                " existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more"
                " information on soft delete.",
            )
        if "location" in self.table.properties and "location" not in values:
            group = store.find_key(call.tx, f"arm|{_group_of(resource_id).lower()}")
            if group is not None:
                values["location"] = group.outputs["location"]
        now = time.time()
        outputs = {**values, **self._made(resource_id, values, int(now * 1e6))}
        row = Row(resource_id, self.token, None, key, inputs, outputs, call.secrets, "user", now, now)
        store.insert(call.tx, row)
        return state_of(row)

    def _check_name(self, values: dict[str, Any]) -> None:
        rule = name_rule(self.token)
        name = values.get(rule.field) if rule is not None else None
        problem = check_name(self.token, name) if isinstance(name, str) else None
        for text in [problem] if problem else list(check_tags(self.token, values.get("tags") or {})):
            raise ApiError(400, "InvalidResourceName", text)

    def _key(self, values: dict[str, Any], resource_id: str) -> str:
        rule = name_rule(self.token)
        if rule is not None and rule.scope == "global" and isinstance(values.get(rule.field), str):
            return f"arm-global|{self.short}|{values[rule.field].lower()}"
        return f"arm|{resource_id.lower()}"

    def _taken(self, values: dict[str, Any]) -> ApiError:
        rule = name_rule(self.token)
        name = values.get(rule.field) if rule is not None else ""
        codes = {
            "storage:StorageAccount": (
                "StorageAccountAlreadyTaken",
                f"The storage account named {name} is already taken.",
            ),
            "keyvault:Vault": ("VaultAlreadyExists", f"The vault name '{name}' is already in use."),
            "datafactory:Factory": (
                "DataFactoryNameInUse",
                f"The specified resource name '{name}' is already in use. Resource names must be globally unique.",
            ),
        }
        code, text = codes.get(self.short, ("Conflict", f"The name '{name}' is already in use."))
        return ApiError(409, code, text)

    def _require_parent(self, call: Call, resource_id: str) -> None:
        parts = resource_id.split("/")
        if len(parts) <= 5:
            return
        group = _group_of(resource_id)
        if group and store.find_key(call.tx, f"arm|{group.lower()}") is None:
            name = group.rpartition("/")[2]
            raise ApiError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        if "{scope}" in PATHS[self.short] or "{resourceUri}" in PATHS[self.short]:
            parent = resource_id.rpartition("/providers/")[0]
        else:
            parent = "/".join(parts[:-2])
        while len(parent.split("/")) > 2 and parent.split("/")[-2] in _IMPLIED:
            parent = "/".join(parent.split("/")[:-2])
        if parent.count("/") <= 4 or parent.endswith("/providers"):
            return
        if parent.rpartition("/providers/")[2].count("/") >= 2 and not store.find_id(call.tx, parent):
            raise ApiError(
                404,
                "ParentResourceNotFound",
                f"Can not perform requested operation on nested resource. Parent resource '{parent}' not found.",
            )

    def _made(self, resource_id: str, values: dict[str, Any], serial: int) -> dict[str, Any]:
        """What Azure answers beside the inputs."""
        provider = resource_id.rpartition("/providers/")[2].split("/")
        kind = "/".join([provider[0], *provider[1::2]]) if len(provider) > 1 else "Microsoft.Resources/resourceGroups"
        made: dict[str, Any] = {"name": resource_id.rpartition("/")[2], "type": kind, "id": resource_id}
        if "azureApiVersion" in self.table.facts.get("outputs", ()):
            made["azureApiVersion"] = self.table.facts.get("apiVersion")
        for name in self.table.facts.get("outputs", ()):
            if name == "provisioningState":
                made[name] = "Succeeded"
            elif name == "etag":
                made[name] = synthesis.etag(resource_id, values)
            elif name in ("principalId", "clientId"):
                made[name] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource_id}#{serial}#{name}"))
            elif name == "tenantId":
                made[name] = TENANT
        if isinstance(values.get("identity"), dict) and "SystemAssigned" in str(values["identity"].get("type")):
            principal = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource_id}#{serial}"))
            made["identity"] = {**values["identity"], "principalId": principal, "tenantId": TENANT}
        made.update(_endpoints(self.short, made["name"], values))
        return made

    def read(self, call: Call, resource_id: str) -> State | None:
        """GET; ids compare without case."""
        row = self._find(call, resource_id)
        if row is None:
            return None
        store.adopt(call.tx, row)
        return state_of(row)

    def _find(self, call: Call, resource_id: str) -> Row | None:
        found = call.tx.execute(
            "SELECT id FROM resources WHERE token = ? AND lower(id) = lower(?)", (self.token, resource_id)
        ).fetchone()
        return store.find(call.tx, self.token, found[0]) if found else None

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """PUT over what is there; another location is refused."""
        row = self._find(call, resource_id)
        if row is None:
            raise ApiError(404, "ResourceNotFound", f"The Resource '{resource_id}' was not found.")
        values = self._resolve(call, inputs)
        before, after = row.outputs.get("location"), values.get("location", row.outputs.get("location"))
        if before and after and _place(before) != _place(after):
            raise ApiError(
                409,
                "InvalidResourceLocation",
                f"The resource '{row.outputs['name']}' already exists in location '{before}' in resource group"
                f" '{_group_of(row.id).rpartition('/')[2]}'. A resource with the same name cannot be created in"
                f" location '{after}'. Please select a new resource name.",
            )
        kept = {name: row.outputs[name] for name in self.table.facts.get("outputs", ()) if name in row.outputs}
        outputs = {**kept, **values, "name": row.outputs["name"], "type": row.outputs["type"], "id": row.id}
        if "location" in row.outputs:
            outputs.setdefault("location", row.outputs["location"])
        identity = row.outputs.get("identity")
        if isinstance(identity, dict) and isinstance(outputs.get("identity"), dict):
            outputs["identity"] = {**identity, **outputs["identity"]}
        store.replace(call.tx, row, inputs, outputs, call.secrets)
        return State(row.id, inputs, outputs, call.secrets)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """DELETE: what lies below goes too, a resource group with all it holds. A vault's name stays taken."""
        row = self._find(call, resource_id)
        if row is None:
            return
        for child in [*store.below(call.tx, row.id), row]:
            if child.token == deleted_vaults.VAULT:
                deleted_vaults.bury(call.tx, child)
            store.remove(call.tx, child)


def _group_of(resource_id: str) -> str:
    parts = resource_id.split("/")
    return "/".join(parts[:5]) if len(parts) >= 5 and parts[3].lower() == "resourcegroups" else ""


def _place(location: Any) -> str:
    return "" if is_unknown(location) else str(location).replace(" ", "").lower()


def _endpoints(short: str, name: str, values: dict[str, Any]) -> dict[str, Any]:
    if short == "storage:StorageAccount":
        hosts = {
            k: f"https://{name}.{h}.core.windows.net/"
            for k, h in (("blob", "blob"), ("dfs", "dfs"), ("file", "file"), ("queue", "queue"), ("table", "table"))
        }
        return {"primaryEndpoints": hosts, "primaryLocation": values.get("location"), "statusOfPrimary": "available"}
    if short == "keyvault:Vault":
        return {"properties": {**(values.get("properties") or {}), "vaultUri": f"https://{name}.vault.azure.net/"}}
    if short == "databricks:Workspace":
        number = int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
        return {"workspaceId": str(number), "workspaceUrl": f"adb-{number}.{number % 20}.azuredatabricks.net"}
    return {}
