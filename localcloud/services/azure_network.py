"""What Azure's networking refuses: ranges, subnets in use, zones, endpoints, and a workspace in a network.

Texts and codes are those of localcloud/rules/data/azure_native.json, where they were seen. Only networks of this world
are looked at: one that no program made here is somebody else's, and passes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Final

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services.azure import ArmResource
from localcloud.services.base import Call, State
from localcloud.services.references import Referring
from localcloud.store import Row

_TOKENS: Final = "azure-native:"
_DELEGATION: Final = "Microsoft.Databricks/workspaces"
_GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "microsoft.databricks/workspaces": frozenset({"browser_authentication", "databricks_ui_api"}),
    "microsoft.datafactory/factories": frozenset({"dataFactory", "portal"}),
    "microsoft.keyvault/vaults": frozenset({"vault"}),
    "microsoft.storage/storageaccounts": frozenset({"blob", "dfs", "file", "queue", "table", "web"}),
}
"""Sub-resources that a private endpoint may lead to, by the target's type; of other types any passes."""


class VirtualNetwork(ArmResource):
    """A virtual network."""

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Refused while anything uses one of its subnets."""
        row = self._find(call, resource_id)
        if row is not None:
            for subnet in _of(call, "network:Subnet"):
                if subnet.id.lower().startswith(f"{row.id.lower()}/"):
                    _require_unused(call, subnet)
        super().delete(call, resource_id, outputs)


class Subnet(ArmResource):
    """A subnet, with its range inside of the network's and apart from every other's."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse a range that cannot be."""
        made = super().create(call, inputs)
        _require_range(call, made.id, made.outputs)
        return made

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Refuse another range while addresses are taken, and to take from Databricks what it was given."""
        before = self._find(call, resource_id)
        held = dict(before.outputs) if before is not None else {}
        made = super().update(call, resource_id, inputs)
        name = made.id.rpartition("/")[2]
        if _prefixes(held) != _prefixes(made.outputs):
            if next(_users(call, made.id), None) is not None:
                raise ApiError(
                    400,
                    "InUsePrefixCannotBeDeleted",
                    f"IpPrefix {', '.join(_prefixes(held))} on Subnet {name} has active allocations and cannot be"
                    " deleted.",
                )
            _require_range(call, made.id, made.outputs)
        workspaces = [row for row in _users(call, made.id) if row.token.endswith(":Workspace")]
        if workspaces and not ((made.outputs.get("networkSecurityGroup") or {}).get("id")):
            raise ApiError(
                400,
                "NetworkSecurityGroupCannotBeRemovedDueToNipOnSubnet",
                f"Network security group cannot be removed from subnet {name}: it has a network intent policy.",
            )
        if workspaces and not _delegated(made.outputs):
            raise ApiError(
                400,
                "SubnetMissingRequiredDelegation",
                f"The delegation of subnet {name} is used by {workspaces[0].id} and cannot be removed.",
            )
        return made

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Refused while it is used."""
        row = self._find(call, resource_id)
        if row is not None:
            _require_unused(call, row)
        super().delete(call, resource_id, outputs)


class SecurityGroup(ArmResource):
    """A network security group."""

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Refused while a subnet has it."""
        used = [row.id for row in _of(call, "network:Subnet") if _names(row, "networkSecurityGroup", resource_id)]
        if used:
            raise ApiError(
                400,
                "InUseNetworkSecurityGroupCannotBeDeleted",
                f"Network security group {resource_id} cannot be deleted because it is in use by the following"
                f" resources: {', '.join(used)}",
            )
        super().delete(call, resource_id, outputs)


class PrivateZone(ArmResource):
    """A private DNS zone: in no region, and not deleted while a network is linked to it."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse a region."""
        location = str(self._resolve(call, inputs).get("location") or "global")
        if location != "global":
            raise ApiError(
                400,
                "LocationNotAvailableForResourceType",
                f"The provided location '{location}' is not available for resource type"
                " 'Microsoft.Network/privateDnsZones'. List of available regions for the resource type is 'global'.",
            )
        return super().create(call, inputs)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Refused while there are links."""
        links = [
            row.id
            for row in _of(call, "privatedns:VirtualNetworkLink")
            if row.id.lower().startswith(f"{resource_id.lower()}/")
        ]
        if links:
            raise ApiError(
                409,
                "CannotDeleteResource",
                "Cannot delete resource while nested resources exist. Some existing nested resource IDs include:"
                f" '{links[0]}'. Please delete all nested resources before deleting this resource.",
            )
        super().delete(call, resource_id, outputs)


class VirtualNetworkLink(Referring):
    """A network that asks a zone; one zone of a name."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse a second zone of the name."""
        network = str((inputs.get("virtualNetwork") or {}).get("id") or "").lower()
        zone = str(inputs.get("privateZoneName") or "").lower()
        for row in _of(call, "privatedns:VirtualNetworkLink"):
            if str((row.outputs.get("virtualNetwork") or {}).get("id") or "").lower() != network or not network:
                continue
            other = str(row.outputs.get("privateZoneName") or "").lower()
            if other == zone:
                raise ApiError(
                    400,
                    "BadRequest",
                    "A virtual network cannot be linked to multiple zones with overlapping namespaces. You tried to"
                    f" link virtual network with '{zone}' and '{other}' zones.",
                )
        return super().create(call, inputs)


class PrivateEndpoint(Referring):
    """A private endpoint: its subnet and its target are there, and it leads to a part that the target has."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse a target without the part that is asked for."""
        for link in inputs.get("privateLinkServiceConnections") or []:
            target = str(link.get("privateLinkServiceId") or "")
            parts = target.rpartition("/providers/")[2].lower().split("/")
            known = _GROUPS.get("/".join([parts[0], *parts[1::2]]))
            groups = link.get("groupIds") or []
            if known is not None and not groups:
                raise ApiError(400, "BadRequest", f"{target} is missing required parameter 'group Id'")
            for group in groups:
                if known is not None and group not in known:
                    raise ApiError(
                        400,
                        "InvalidPrivateLinkServiceConnectionGroupId",
                        f"The group id '{group}' is not supported by '{target}'; it has {', '.join(sorted(known))}.",
                    )
        return super().create(call, inputs)


class Workspace(ArmResource):
    """A Databricks workspace, perhaps in a network of the customer's."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Its subnets are there, delegated, with a security group, and nobody else's."""
        if inputs.get("publicNetworkAccess") == "Disabled" and inputs.get("requiredNsgRules") in (None, "AllRules"):
            raise ApiError(
                400,
                "InvalidParameter",
                "requiredNsgRules AllRules is not allowed when publicNetworkAccess is Disabled.",
            )
        network = _parameter(inputs, "customVirtualNetworkId")
        if network and any(row.id.lower() == network.lower() for row in _of(call, "network:VirtualNetwork")):
            self._require_subnets(call, inputs, network)
        _require_managed_group(call, inputs)
        return super().create(call, inputs)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Refuse another network."""
        row = self._find(call, resource_id)
        before = _parameter(row.outputs, "customVirtualNetworkId") if row is not None else ""
        after = _parameter(inputs, "customVirtualNetworkId")
        if row is not None and before.lower() != after.lower():
            raise ApiError(
                400,
                "VirtualNetworkIdChangeNotAllowed",
                f"Updating required Virtual Network from {before or 'none'} to {after or 'none'} is currently not"
                " allowed",
            )
        if row is not None:
            _require_same(row.outputs, inputs)
        return super().update(call, resource_id, inputs)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """What is in the workspace goes with it; Unity Catalog is the region's and stays."""
        row = self._find(call, resource_id)
        host = str(row.outputs.get("workspaceUrl") or "") if row is not None else ""
        super().delete(call, resource_id, outputs)
        for inside in store.everything(call.tx):
            if host and inside.token.startswith("databricks:") and inside.key.split("|")[1] == f"https://{host}":
                store.remove(call.tx, inside)

    def _require_subnets(self, call: Call, inputs: Mapping[str, Any], network: str) -> None:
        for field in ("customPublicSubnetName", "customPrivateSubnetName"):
            name = _parameter(inputs, field)
            path = f"{network}/subnets/{name}"
            rows = [row for row in _of(call, "network:Subnet") if row.id.lower() == path.lower()]
            if not name or not rows:
                raise ApiError(400, "InvalidResourceReference", f"Resource {path} referenced by {field} was not found.")
            if not _delegated(rows[0].outputs):
                raise ApiError(
                    400,
                    "SubnetMissingRequiredDelegation",
                    f"Subnet {path} must be delegated to {_DELEGATION} to reference it from a workspace.",
                )
            if not (rows[0].outputs.get("networkSecurityGroup") or {}).get("id"):
                raise ApiError(
                    400, "SubnetMissingNetworkSecurityGroup", f"Subnet {path} must have a network security group."
                )
            others = [row for row in _users(call, rows[0].id) if row.token.endswith(":Workspace")]
            if others:
                raise ApiError(400, "SubnetInUse", f"Subnet {path} is used by {others[0].id} already.")


def _require_managed_group(call: Call, inputs: Mapping[str, Any]) -> None:
    """The group that Azure makes for a workspace's machines: named, and nobody's yet."""
    group = str(inputs.get("managedResourceGroupId") or "")
    if not group and inputs.get("computeMode") != "Serverless":
        raise ApiError(400, "InvalidParameter", "managedResourceGroupId is required for a workspace.")
    taken = [row.id for row in _of(call, "resources:ResourceGroup") if row.id.lower() == group.lower()]
    taken += [
        row.id
        for row in _of(call, "databricks:Workspace")
        if str(row.outputs.get("managedResourceGroupId") or "").lower() == group.lower() and group
    ]
    if taken:
        raise ApiError(
            409,
            "ApplianceProvisioningFailed",
            f"The managed resource group '{group}' already exists. Please specify a new non-existent managed resource"
            " group",
        )


def _require_same(held: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """What of a workspace is fixed when it is made."""
    before, after = (str(one.get("managedResourceGroupId") or "") for one in (held, inputs))
    if before.lower() != after.lower():
        raise ApiError(
            400,
            "ApplianceManagedResourceGroupMismatch",
            f"The managed resource group '{after}' is not that of the workspace, '{before}'.",
        )
    if held.get("computeMode") != inputs.get("computeMode"):
        raise ApiError(400, "InvalidParameter", "computeMode cannot be changed after the workspace was created.")
    was, is_now = (
        bool(((one.get("parameters") or {}).get("enableNoPublicIp") or {}).get("value")) for one in (held, inputs)
    )
    if was != is_now and not (is_now and _parameter(held, "customVirtualNetworkId")):
        raise ApiError(400, "InvalidParameter", "enableNoPublicIp cannot be changed after the workspace was created.")


def _of(call: Call, short: str) -> list[Row]:
    return [row for row in store.everything(call.tx) if row.token == f"{_TOKENS}{short}"]


def _names(row: Row, field: str, resource_id: str) -> bool:
    held = row.outputs.get(field)
    return isinstance(held, dict) and str(held.get("id") or "").lower() == resource_id.lower()


def _parameter(values: Mapping[str, Any], name: str) -> str:
    held = (values.get("parameters") or {}).get(name) or {}
    return str(held.get("value") or "")


def _delegated(values: Mapping[str, Any]) -> bool:
    return any(one.get("serviceName") == _DELEGATION for one in values.get("delegations") or [])


def _prefixes(values: Mapping[str, Any]) -> list[str]:
    single = values.get("addressPrefix")
    return sorted([single] if isinstance(single, str) else [str(one) for one in values.get("addressPrefixes") or []])


def _users(call: Call, subnet_id: str) -> Iterator[Row]:
    """What has addresses in a subnet."""
    network, _, name = subnet_id.lower().rpartition("/subnets/")
    for row in _of(call, "network:PrivateEndpoint"):
        if _names(row, "subnet", subnet_id):
            yield row
    for row in _of(call, "databricks:Workspace"):
        held = {_parameter(row.outputs, f"custom{kind}SubnetName").lower() for kind in ("Public", "Private")}
        if _parameter(row.outputs, "customVirtualNetworkId").lower() == network and name in held:
            yield row


def _require_unused(call: Call, row: Row) -> None:
    user = next(_users(call, row.id), None)
    if user is not None:
        raise ApiError(
            400,
            "InUseSubnetCannotBeDeleted",
            f"Subnet {row.id.rpartition('/')[2]} is in use by {user.id} and cannot be deleted. In order to delete the"
            " subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.",
        )


def _require_range(call: Call, resource_id: str, values: Mapping[str, Any]) -> None:
    """A subnet's ranges: parts of the network's, and no other subnet's."""
    network, _, name = resource_id.rpartition("/subnets/")
    ranges = [_network(text) for text in _prefixes(values)]
    for row in _of(call, "network:VirtualNetwork"):
        if row.id.lower() == network.lower():
            spaces = [_network(one) for one in (row.outputs.get("addressSpace") or {}).get("addressPrefixes") or []]
            for found in ranges:
                if not any(found.subnet_of(space) for space in spaces):
                    raise ApiError(
                        400,
                        "NetcfgSubnetRangeOutsideVnet",
                        f"Subnet '{name}' is not valid because its IP address range is outside the IP address range of"
                        f" virtual network '{network.rpartition('/')[2]}'.",
                    )
    for other in _of(call, "network:Subnet"):
        if other.id.lower() == resource_id.lower() or not other.id.lower().startswith(f"{network.lower()}/"):
            continue
        if any(found.overlaps(_network(text)) for found in ranges for text in _prefixes(other.outputs)):
            raise ApiError(
                400,
                "NetcfgSubnetRangesOverlap",
                f"Subnet '{name}' is not valid because its IP address range overlaps with that of an existing subnet in"
                f" virtual network '{network.rpartition('/')[2]}'.",
            )


def _network(text: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        message = f"The address prefix {text} is not formatted correctly."
        raise ApiError(400, "InvalidAddressPrefixFormat", message) from None


def service(token: str) -> ArmResource | None:
    """The service of a type of networking, or of one that is in a network; else None."""
    classes: dict[str, type[ArmResource]] = {
        "databricks:Workspace": Workspace,
        "network:NetworkSecurityGroup": SecurityGroup,
        "network:PrivateEndpoint": PrivateEndpoint,
        "network:Subnet": Subnet,
        "network:VirtualNetwork": VirtualNetwork,
        "privatedns:PrivateZone": PrivateZone,
        "privatedns:VirtualNetworkLink": VirtualNetworkLink,
    }
    found = classes.get(token.removeprefix(_TOKENS)) if token.startswith(_TOKENS) else None
    return found(token) if found is not None else None
