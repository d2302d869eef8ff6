"""Azure's networking on the embedded cloud: ranges, what is in use, zones, endpoints, a workspace in a network."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.world import World
from tests.localcloud.client import Client, Made, RefusedError

GROUP = "azure-native:resources:ResourceGroup"
NETWORK = "azure-native:network:VirtualNetwork"
SUBNET = "azure-native:network:Subnet"
SECURITY = "azure-native:network:NetworkSecurityGroup"
ENDPOINT = "azure-native:network:PrivateEndpoint"
ZONE = "azure-native:privatedns:PrivateZone"
LINK = "azure-native:privatedns:VirtualNetworkLink"
WORKSPACE = "azure-native:databricks:Workspace"
ACCOUNT = "azure-native:storage:StorageAccount"
DELEGATION = [{"name": "databricks", "serviceName": "Microsoft.Databricks/workspaces"}]


@pytest.fixture
def azure(world: World) -> Client:
    client = Client("azure-native", world, {"location": "westeurope"})
    client.create(GROUP, {"resourceGroupName": "rg"})
    return client


def network(azure: Client, name: str = "net") -> Any:
    space = {"addressPrefixes": ["10.20.0.0/20"]}
    return azure.create(NETWORK, {"resourceGroupName": "rg", "virtualNetworkName": name, "addressSpace": space})


def subnet(cidr: str, name: str = "data", **more: object) -> dict[str, Any]:
    return {
        "resourceGroupName": "rg",
        "virtualNetworkName": "net",
        "subnetName": name,
        "addressPrefix": cidr,
        **more,
    }


def workspace(network_id: str, **more: object) -> dict[str, Any]:
    return {
        "workspaceName": "acme",
        "resourceGroupName": "rg",
        "computeMode": "Hybrid",
        "managedResourceGroupId": network_id.partition("/resourceGroups/")[0] + "/resourceGroups/acme-managed",
        "parameters": {
            "customVirtualNetworkId": {"value": network_id},
            "customPublicSubnetName": {"value": "hosts"},
            "customPrivateSubnetName": {"value": "containers"},
        },
        **more,
    }


def account(azure: Client) -> Any:
    inputs = {
        "accountName": "acmelake",
        "resourceGroupName": "rg",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
    }
    return azure.create(ACCOUNT, inputs)


def endpoint(subnet_id: str, target: str, groups: list[str]) -> dict[str, Any]:
    link = {"name": "lake", "privateLinkServiceId": target, "groupIds": groups}
    return {
        "resourceGroupName": "rg",
        "privateEndpointName": "lake",
        "subnet": {"id": subnet_id},
        "privateLinkServiceConnections": [link],
    }


def test_a_subnet_s_range_is_of_the_network_and_of_no_other_subnet(azure: Client) -> None:
    network(azure)
    with pytest.raises(RefusedError, match="NetcfgSubnetRangeOutsideVnet"):
        azure.create(SUBNET, subnet("10.30.0.0/24"))
    made = azure.create(SUBNET, subnet("10.20.0.0/24"))
    with pytest.raises(RefusedError, match="NetcfgSubnetRangesOverlap"):
        azure.create(SUBNET, subnet("10.20.0.128/25", "second"))
    azure.create(SUBNET, subnet("10.20.1.0/24", "second"))
    with pytest.raises(RefusedError, match="NetcfgSubnetRangesOverlap"):
        azure.update(SUBNET, made, subnet("10.20.0.0/23"))
    azure.update(SUBNET, made, subnet("10.20.2.0/24"))


def test_what_is_refused_leaves_nothing_behind(azure: Client) -> None:
    network(azure)
    with pytest.raises(RefusedError):
        azure.create(SUBNET, subnet("10.30.0.0/24"))
    azure.create(SUBNET, subnet("10.20.0.0/24"))


def test_a_subnet_with_an_endpoint_stays_as_it_is(azure: Client) -> None:
    net = network(azure)
    made = azure.create(SUBNET, subnet("10.20.0.0/24"))
    lake = account(azure)
    with pytest.raises(RefusedError, match="it has blob, dfs"):
        azure.create(ENDPOINT, endpoint(made.id, lake.id, ["vault"]))
    with pytest.raises(RefusedError, match="missing required parameter 'group Id'"):
        azure.create(ENDPOINT, endpoint(made.id, lake.id, []))
    with pytest.raises(RefusedError, match="was not found"):
        azure.create(ENDPOINT, endpoint(made.id, f"{lake.id}2", ["dfs"]))
    held = azure.create(ENDPOINT, endpoint(made.id, lake.id, ["dfs"]))
    with pytest.raises(RefusedError, match="InUsePrefixCannotBeDeleted"):
        azure.update(SUBNET, made, subnet("10.20.2.0/24"))
    with pytest.raises(RefusedError, match="InUseSubnetCannotBeDeleted"):
        azure.delete(SUBNET, made)
    with pytest.raises(RefusedError, match="InUseSubnetCannotBeDeleted"):
        azure.delete(NETWORK, net)
    azure.delete(ENDPOINT, held)
    azure.delete(SUBNET, made)
    azure.delete(NETWORK, net)


def test_a_zone_is_global_and_a_network_has_one_of_a_name(azure: Client) -> None:
    net = network(azure)
    name = "privatelink.dfs.core.windows.net"
    zone = {"resourceGroupName": "rg", "privateZoneName": name, "location": "global"}
    with pytest.raises(RefusedError, match="List of available regions for the resource type is 'global'"):
        azure.create(ZONE, {**zone, "location": "westeurope"})
    made = azure.create(ZONE, zone)
    link = {
        "resourceGroupName": "rg",
        "privateZoneName": name,
        "virtualNetworkLinkName": "net",
        "location": "global",
        "virtualNetwork": {"id": net.id},
    }
    held = azure.create(LINK, link)
    azure.create(GROUP, {"resourceGroupName": "other"})
    azure.create(ZONE, {**zone, "resourceGroupName": "other"})
    with pytest.raises(RefusedError, match="multiple zones with overlapping namespaces"):
        azure.create(LINK, {**link, "resourceGroupName": "other"})
    with pytest.raises(RefusedError, match="nested resources exist"):
        azure.delete(ZONE, made)
    azure.delete(LINK, held)
    azure.delete(ZONE, made)


def injected(azure: Client) -> tuple[Made, dict[str, Made]]:
    net = network(azure)
    group = azure.create(SECURITY, {"resourceGroupName": "rg", "networkSecurityGroupName": "nsg"})
    more: dict[str, object] = {"delegations": DELEGATION, "networkSecurityGroup": {"id": group.id}}
    return net, {
        "hosts": azure.create(SUBNET, subnet("10.20.4.0/24", "hosts", **more)),
        "containers": azure.create(SUBNET, subnet("10.20.5.0/24", "containers", **more)),
        "group": group,
    }


def test_a_workspace_has_two_delegated_subnets_with_a_security_group(azure: Client) -> None:
    net = network(azure)
    with pytest.raises(RefusedError, match="subnets/hosts referenced by customPublicSubnetName was not found"):
        azure.create(WORKSPACE, workspace(net.id))
    made = azure.create(SUBNET, subnet("10.20.4.0/24", "hosts"))
    with pytest.raises(RefusedError, match="SubnetMissingRequiredDelegation"):
        azure.create(WORKSPACE, workspace(net.id))
    azure.update(SUBNET, made, subnet("10.20.4.0/24", "hosts", delegations=DELEGATION))
    with pytest.raises(RefusedError, match="SubnetMissingNetworkSecurityGroup"):
        azure.create(WORKSPACE, workspace(net.id))


def test_a_workspace_keeps_its_network_and_its_subnets(azure: Client) -> None:
    net, made = injected(azure)
    with pytest.raises(RefusedError, match="AllRules is not allowed"):
        azure.create(WORKSPACE, workspace(net.id, publicNetworkAccess="Disabled"))
    held = azure.create(WORKSPACE, workspace(net.id))
    with pytest.raises(RefusedError, match="is used by"):
        azure.create(WORKSPACE, {**workspace(net.id), "workspaceName": "second"})
    with pytest.raises(RefusedError, match="VirtualNetworkIdChangeNotAllowed"):
        azure.update(WORKSPACE, held, {**workspace(net.id), "parameters": {}})
    bare = subnet("10.20.4.0/24", "hosts", delegations=DELEGATION)
    with pytest.raises(RefusedError, match="NetworkSecurityGroupCannotBeRemovedDueToNipOnSubnet"):
        azure.update(SUBNET, made["hosts"], bare)
    with pytest.raises(RefusedError, match="InUseNetworkSecurityGroupCannotBeDeleted"):
        azure.delete(SECURITY, made["group"])
    with pytest.raises(RefusedError, match="InUseSubnetCannotBeDeleted"):
        azure.delete(SUBNET, made["hosts"])
    azure.delete(WORKSPACE, held)
    azure.delete(SUBNET, made["hosts"])
