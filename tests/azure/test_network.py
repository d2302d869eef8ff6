"""The private profile of a stack on Azure: what its program registers, and what of it is reached only privately."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.check import check_stacks
from dataplatform.local.plan_recorder import UNKNOWN_MARKER, RecordedResource, record
from tests.azure.stacks import DATABRICKS, write_files, write_stack
from tests.azure.test_base import UNTAGGED, custom
from tests.infra.inventory import ancestors, of_type
from tests.infra.test_azure_invariants import public
from tests.infra.test_component_examples import PAGES, registered

KIND = "azure-native:"
ENDPOINT = f"{KIND}network:PrivateEndpoint"
ZONE_GROUP = f"{KIND}network:PrivateDnsZoneGroup"
LINK = f"{KIND}privatedns:VirtualNetworkLink"
WORKSPACE = f"{KIND}databricks:Workspace"
NETWORK = """\
      network:
        address_space: [10.40.0.0/20]
        nat: true
        subnets:
          endpoints: {cidr: 10.40.0.0/26}
          hosts: {cidr: 10.40.4.0/24, delegation: databricks}
          containers: {cidr: 10.40.5.0/24, delegation: databricks}
        endpoints:
          subnet: endpoints
          services: [lake, key_vault, databricks]
"""
PRIVATE = (
    DATABRICKS.replace("        allowed_ips: [20.50.2.0/24, 20.51.1.7]\n", "        public_network: false\n")
    .replace("        purge_protection: false\n", "        purge_protection: false\n        public_network: false\n")
    .replace(
        "      databricks:\n",
        "      databricks:\n        public_network: false\n"
        "        network: {public_subnet: hosts, private_subnet: containers}\n",
    )
    + NETWORK
)
HUB = "/subscriptions/00000000-0000-4000-8000-00000000da7a/resourceGroups/hub/providers/Microsoft.Network"
UNTAGGED_HERE = {*UNTAGGED, f"{KIND}network:Subnet", ZONE_GROUP}


def private_stack(root: Path) -> Path:
    return write_stack(write_files(root), azure=PRIVATE)


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return record(private_stack(tmp_path_factory.mktemp("private")), "dev")


def one(resources: list[RecordedResource], token: str) -> RecordedResource:
    (found,) = of_type(resources, token)
    return found


def test_each_part_is_reached_by_endpoints_whose_names_are_resolved(resources: list[RecordedResource]) -> None:
    found: dict[str, Any] = {}
    for endpoint in of_type(resources, ENDPOINT):
        links: Any = endpoint.inputs["privateLinkServiceConnections"]
        (link,) = links
        (group,) = link["groupIds"]
        found[group] = endpoint
    assert sorted(found) == ["blob", "browser_authentication", "databricks_ui_api", "dfs", "vault"]
    groups = of_type(resources, ZONE_GROUP)
    links_of_zones = {link.urn for link in of_type(resources, LINK)}
    assert len(links_of_zones) == 4
    for endpoint in found.values():
        (group,) = [one for one in groups if endpoint.urn in one.dependencies]
        assert links_of_zones <= ancestors(group, resources)


def test_nothing_answers_on_a_public_address(resources: list[RecordedResource]) -> None:
    assert public(resources) == []
    # The gateway's address is the only one, and it takes no calls.
    (address,) = of_type(resources, f"{KIND}network:PublicIPAddress")
    (gateway,) = of_type(resources, f"{KIND}network:NatGateway")
    assert address.urn in gateway.dependencies


def test_the_rule_finds_what_is_public(tmp_path: Path) -> None:
    resources = record(write_stack(write_files(tmp_path), azure=DATABRICKS), "dev")
    assert public(resources) == ["azure-databricks-workspace", "azure-lake-account", "azure-vault-vault"]


def test_every_resource_of_the_private_profile_carries_the_tags(resources: list[RecordedResource]) -> None:
    for resource in custom(resources):
        if resource.type.startswith(KIND) and resource.type not in UNTAGGED_HERE:
            tags: Any = resource.inputs["tags"]
            assert tags["managed-by"] == "pulumi", resource.name


def test_the_workspace_is_in_two_delegated_subnets(resources: list[RecordedResource]) -> None:
    workspace = one(resources, WORKSPACE)
    assert workspace.inputs["requiredNsgRules"] == "NoAzureDatabricksRules"
    parameters: Any = workspace.inputs["parameters"]
    assert parameters["customPublicSubnetName"] == parameters["customPrivateSubnetName"] == {"value": UNKNOWN_MARKER}
    subnets = of_type(resources, f"{KIND}network:Subnet")
    delegated = {subnet.name for subnet in subnets if subnet.inputs.get("delegations")}
    assert delegated == {"azure-network-hosts", "azure-network-containers"}
    assert {subnet.name for subnet in subnets if subnet.inputs.get("networkSecurityGroup")} == delegated
    assert {subnet.urn for subnet in subnets if subnet.name in delegated} <= ancestors(workspace, resources)


def test_subnets_are_written_one_after_the_other(resources: list[RecordedResource]) -> None:
    subnets = of_type(resources, f"{KIND}network:Subnet")
    for before, after in itertools.pairwise(subnets):
        assert before.urn in after.dependencies


def test_what_is_in_a_private_workspace_waits_for_its_endpoints(resources: list[RecordedResource]) -> None:
    provider = one(resources, "pulumi:providers:databricks")
    waited = ancestors(provider, resources)
    assert {r.urn for r in of_type(resources, ENDPOINT) if "databricks" in r.name} <= waited
    credential = one(resources, "databricks:index/storageCredential:StorageCredential")
    assert {r.urn for r in of_type(resources, ENDPOINT) if "lake" in r.name} <= ancestors(credential, resources)


def test_a_network_that_others_keep(tmp_path: Path) -> None:
    zones = "".join(
        f"\n            - {HUB}/privateDnsZones/privatelink.{name}"
        for name in ("blob.core.windows.net", "dfs.core.windows.net", "vaultcore.azure.net", "azuredatabricks.net")
    )
    existing = f"""\
      network:
        existing:
          network: {HUB}/virtualNetworks/hub
          subnets: {{endpoints: snet-endpoints, hosts: snet-hosts, containers: snet-containers}}
        endpoints:
          subnet: endpoints
          services: [lake, key_vault, databricks]
          browser_authentication: false
          dns: existing
          zones:{zones}
"""
    root = write_stack(write_files(tmp_path), azure=PRIVATE.replace(NETWORK, existing))
    assert not check_stacks(root), check_stacks(root).render()
    resources = record(root, "dev")
    assert not of_type(resources, f"{KIND}network:VirtualNetwork", f"{KIND}network:Subnet", LINK)
    endpoints = of_type(resources, ENDPOINT)
    assert len(endpoints) == 4
    for endpoint in endpoints:
        subnet: Any = endpoint.inputs["subnet"]
        assert subnet["id"] == f"{HUB}/virtualNetworks/hub/subnets/snet-endpoints"
    configs: Any = [group.inputs["privateDnsZoneConfigs"] for group in of_type(resources, ZONE_GROUP)]
    assert all(
        str(config[0]["privateDnsZoneId"]).startswith(f"{HUB}/privateDnsZones/privatelink.") for config in configs
    )
    parameters: Any = one(resources, WORKSPACE).inputs["parameters"]
    assert parameters["customVirtualNetworkId"] == {"value": f"{HUB}/virtualNetworks/hub"}
    assert parameters["customPublicSubnetName"] == {"value": "snet-hosts"}


def test_names_may_be_left_to_the_company_s_policy(tmp_path: Path) -> None:
    text = PRIVATE.replace("          subnet: endpoints\n", "          subnet: endpoints\n          dns: none\n")
    resources = record(write_stack(write_files(tmp_path), azure=text), "dev")
    assert len(of_type(resources, ENDPOINT)) == 5
    assert not of_type(resources, ZONE_GROUP, LINK)


def test_the_example_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    resources = [r for r in registered(PAGES / "azure_network.md", monkeypatch) if r.type.startswith(KIND)]
    assert {ENDPOINT, ZONE_GROUP} <= {r.type for r in resources}
    (endpoint,) = of_type(resources, ENDPOINT)
    link: Any = endpoint.inputs["privateLinkServiceConnections"]
    assert [one["groupIds"] for one in link] == [["dfs"]]
