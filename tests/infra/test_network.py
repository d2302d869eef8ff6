"""The network of a stack: what is made of it, what refers to it, and in which order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.gcp import firewall, google_apis
from dataplatform.config.check import check_stacks
from dataplatform.config.gcp.network import Firewall
from dataplatform.diagnostics import InputError
from dataplatform.local.plan_recorder import RecordedResource
from infra import naming, network_names
from infra.decide import decide
from infra.gcp.network_outputs import NetworkOutputs
from localcloud.rules import check
from localcloud.rules.wire import UNKNOWN, secret
from tests.infra.inventory import ROOT, UNKNOWN_MARKER, ancestors, by_name, of_type
from tests.infra.network_stack import EXISTING, NETWORK, PRIVATE, PRIVATE_2, SQL, recorded_stack, stack

PROJECT = "projects/acme-data-net"
HOST = "acme-net-host"
REGION = f"{PROJECT}/regions/europe-west1"
SUBNET = "gcp:compute/subnetwork:Subnetwork"


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return recorded_stack(tmp_path_factory.mktemp("net") / "project", NETWORK, PRIVATE, SQL, secrets=True)


def inputs(resources: list[RecordedResource], key: str) -> Mapping[str, Any]:
    return by_name(resources)[key].inputs


def test_subnets_have_their_ranges_logs_and_private_access(resources: list[RecordedResource]) -> None:
    assert inputs(resources, "gcp:compute/network:Network::network")["autoCreateSubnetworks"] is False
    data = inputs(resources, f"{SUBNET}::network-data")
    assert (data["name"], data["ipCidrRange"], data["region"]) == ("net-core-data", "10.10.0.0/22", "europe-west1")
    assert data["secondaryIpRanges"] == [{"ipCidrRange": "10.12.0.0/17", "rangeName": "pods"}]
    assert data["privateIpGoogleAccess"] is True
    assert data["logConfig"]["flowSampling"] == 0.5
    assert "logConfig" not in inputs(resources, f"{SUBNET}::network-fusion")
    assert inputs(resources, f"{SUBNET}::network-far")["region"] == "europe-west3"


def test_each_region_has_its_nat(resources: list[RecordedResource]) -> None:
    nats = {r.name: r.inputs for r in of_type(resources, "gcp:compute/routerNat:RouterNat")}
    assert set(nats) == {"network-europe-west1-nat", "network-europe-west3-nat"}
    assert {nat["minPortsPerVm"] for nat in nats.values()} == {128}


def test_attachments_lead_into_their_subnet(resources: list[RecordedResource]) -> None:
    found = by_name(resources)
    token = "gcp:compute/networkAttachment:NetworkAttachment"
    one, other = found[f"{token}::network-fusion-attachment"], found[f"{token}::network-approved-attachment"]
    assert (one.inputs["connectionPreference"], other.inputs["connectionPreference"]) == (
        "ACCEPT_AUTOMATIC",
        "ACCEPT_MANUAL",
    )
    assert found[f"{SUBNET}::network-fusion"].urn in one.dependencies


def test_references_become_links_and_wait_for_all_of_the_network(resources: list[RecordedResource]) -> None:
    environment = by_name(resources)["gcp:composer/environment:Environment::composer"]
    node: Any = environment.inputs["config"]
    assert node["nodeConfig"]["network"] == f"{PROJECT}/global/networks/net-core"
    assert node["nodeConfig"]["subnetwork"] == f"{REGION}/subnetworks/net-core-data"
    instance = by_name(resources)["gcp:datafusion/instance:Instance::data-fusion"]
    entry: Any = instance.inputs["networkConfig"]
    attachment = entry["privateServiceConnectConfig"]["networkAttachment"]
    assert attachment == f"{REGION}/networkAttachments/net-core-fusion"
    around = {
        r.urn
        for r in resources
        if r.type.split(":")[1].split("/")[0] in ("compute", "servicenetworking") and not r.name.startswith("sql-")
    }
    assert len(around) >= 10
    for user in (environment, instance):
        assert around <= ancestors(user, resources), user.name


def test_the_range_is_reserved_before_the_connection_and_the_connection_is_left_behind(
    resources: list[RecordedResource],
) -> None:
    found = by_name(resources)
    reserved = found["gcp:compute/globalAddress:GlobalAddress::private-services-services-range"]
    assert (reserved.inputs["address"], reserved.inputs["prefixLength"]) == ("10.20.0.0", 20)
    connection = found["gcp:servicenetworking/connection:Connection::private-services"]
    assert reserved.urn in ancestors(connection, resources)
    assert connection.inputs["deletionPolicy"] == "ABANDON"


def test_whatever_no_rule_allows_is_denied(tmp_path: Path) -> None:
    text = NETWORK + "        firewall: {deny_egress: true, iap_ssh: true}\n        google_apis: restricted\n"
    resources = recorded_stack(tmp_path / "p", text)
    rules = {r.name.removeprefix("firewall-"): r.inputs for r in of_type(resources, "gcp:compute/firewall:Firewall")}
    assert set(rules) == set(network_names.FIREWALL_RULES)
    assert rules["deny-in"]["sourceRanges"] == ["0.0.0.0/0"]
    assert rules["deny-out"]["destinationRanges"] == ["0.0.0.0/0"]
    assert rules["allow-google-out"]["destinationRanges"] == ["199.36.153.4/30"]
    inside = ["10.10.0.0/22", "10.10.8.0/24", "10.10.9.0/24", "10.12.0.0/17", "10.20.0.0/20"]
    assert rules["allow-internal"]["sourceRanges"] == inside
    denied = {name for name, rule in rules.items() if "denies" in rule}
    assert denied == {"deny-in", "deny-out"}
    assert max(int(str(r["priority"])) for n, r in rules.items() if n not in denied) < int(
        str(rules["deny-in"]["priority"])
    )
    assert "0.0.0.0/0" not in [source for n, r in rules.items() if n not in denied for source in r.get("sourceRanges", ())]  # type: ignore[attr-defined]  # fmt: skip # noqa: E501
    names = {r.inputs["name"] for r in of_type(resources, "gcp:dns/recordSet:RecordSet") if r.inputs["type"] == "A"}
    assert "restricted.googleapis.com." in names


def test_ssh_and_dns_are_off_unless_asked_for(resources: list[RecordedResource]) -> None:
    rules = {r.name for r in of_type(resources, "gcp:compute/firewall:Firewall")}
    assert rules == {"firewall-allow-internal", "firewall-deny-in"}
    assert of_type(resources, "gcp:dns/managedZone:ManagedZone") == []
    services = {r.name for r in of_type(resources, "gcp:projects/service:Service")}
    assert "services-dns" not in services
    assert {"services-compute", "services-servicenetworking"} <= services


def test_names_without_a_provider_are_those_of_the_components() -> None:
    everything = Firewall(allow_internal=True, deny_egress=True, iap_ssh=True)
    assert firewall.rule_names(everything) == network_names.FIREWALL_RULES
    assert tuple(google_apis.DOMAINS) == network_names.ZONES


def test_an_instance_that_peers_by_itself_has_its_range_reserved(tmp_path: Path) -> None:
    fusion = """\
      data_fusion:
        private: true
        network: {connection: vpc_peering, network: $network, ip_allocation: 10.89.48.0/22}
"""
    resources = recorded_stack(
        tmp_path / "p", NETWORK.replace("        peering: {ranges: {services: 10.20.0.0/20}}\n", ""), fusion
    )
    (reserved,) = of_type(resources, "gcp:compute/globalAddress:GlobalAddress")
    assert (reserved.inputs["address"], reserved.inputs["name"]) == ("10.89.48.0", "net-core-data-fusion")
    assert of_type(resources, "gcp:servicenetworking/connection:Connection") == []
    instance = by_name(resources)["gcp:datafusion/instance:Instance::data-fusion"]
    assert instance.inputs["networkConfig"] == {
        "connectionType": "VPC_PEERING",
        "ipAllocation": "10.89.48.0/22",
        "network": f"{PROJECT}/global/networks/net-core",
    }
    assert reserved.urn in ancestors(instance, resources)
    sources = inputs(resources, "gcp:compute/firewall:Firewall::firewall-allow-internal")["sourceRanges"]
    assert "10.89.48.0/22" in sources
    # Without the other half nothing is routed: neither the clusters are reached, nor what lies behind the network.
    (peering,) = of_type(resources, network_names.PEERING)
    assert (peering.inputs["name"], peering.inputs["network"]) == (
        "net-core-data-fusion",
        f"{PROJECT}/global/networks/net-core",
    )
    assert (peering.inputs["exportCustomRoutes"], peering.inputs["importCustomRoutes"]) == (True, True)
    assert peering.inputs["peerNetwork"] == UNKNOWN_MARKER
    assert instance.urn in ancestors(peering, resources)
    table = json.loads((ROOT / "infra/name_limits.json").read_text(encoding="utf-8"))
    assert network_names.PEERING in table


@pytest.mark.parametrize(
    ("network", "more", "made"),
    [
        ("$network", "", None),
        ("$network", ", return_peering: true", f"projects/{HOST}/global/networks/shared"),
        ("vpc", "", f"{PROJECT}/global/networks/vpc"),
        ("vpc", ", return_peering: false", None),
    ],
)
def test_a_network_of_others_is_peered_by_others(tmp_path: Path, network: str, more: str, made: str | None) -> None:
    fusion = f"""\
      data_fusion:
        private: true
        network: {{connection: vpc_peering, network: {network}, ip_allocation: 10.89.48.0/22{more}}}
"""
    parts = (EXISTING, fusion) if network == "$network" else (fusion,)
    found = of_type(recorded_stack(tmp_path / "p", *parts), network_names.PEERING)
    assert [peering.inputs["network"] for peering in found] == ([made] if made else [])


def test_what_composer_needs_of_a_host_project_is_granted_there(tmp_path: Path) -> None:
    resources = recorded_stack(tmp_path / "p", EXISTING, PRIVATE_2)
    on_host = [r for r in of_type(resources, "gcp:projects/iAMMember:IAMMember") if r.inputs["project"] == HOST]
    assert {(r.name, r.inputs["role"]) for r in on_host} == {
        ("network-host-composer-composer-sharedVpcAgent", "roles/composer.sharedVpcAgent"),
        ("network-host-container-container-hostServiceAgentUser", "roles/container.hostServiceAgentUser"),
    }
    on_subnets = of_type(resources, "gcp:compute/subnetworkIAMMember:SubnetworkIAMMember")
    assert {r.name for r in on_subnets} == {
        f"network-data-{agent}" for agent in ("cloudservices", "container", "datafusion", "dataproc")
    }
    environment = by_name(resources)["gcp:composer/environment:Environment::composer"]
    assert {r.urn for r in (*on_host, *on_subnets)} <= ancestors(environment, resources)


def test_a_network_of_others_is_referred_to_and_not_made(tmp_path: Path) -> None:
    resources = recorded_stack(tmp_path / "p", EXISTING, PRIVATE)
    made = {r.type for r in resources if r.type.startswith("gcp:compute/")}
    assert made == {"gcp:compute/subnetworkIAMMember:SubnetworkIAMMember"}
    on_host = [r for r in of_type(resources, "gcp:projects/iAMMember:IAMMember") if r.inputs["project"] == HOST]
    assert [r.inputs["role"] for r in on_host] == ["roles/composer.sharedVpcAgent"]
    grants = of_type(resources, "gcp:compute/subnetworkIAMMember:SubnetworkIAMMember")
    assert {r.name for r in grants} == {f"network-data-{agent}" for agent in ("datafusion", "dataproc")}
    assert {(r.inputs["project"], r.inputs["role"]) for r in grants} == {("acme-net-host", "roles/compute.networkUser")}
    environment = by_name(resources)["gcp:composer/environment:Environment::composer"]
    node: Any = environment.inputs["config"]
    assert node["nodeConfig"]["subnetwork"] == "projects/acme-net-host/regions/europe-west1/subnetworks/data"
    assert {r.urn for r in grants} <= ancestors(environment, resources)
    quiet = recorded_stack(tmp_path / "q", EXISTING.replace("          grant_agents: true\n", ""), PRIVATE)
    assert [r for r in quiet if r.type.startswith("gcp:compute/")] == []


def test_taking_a_subnet_out_changes_nothing_else(tmp_path: Path, resources: list[RecordedResource]) -> None:
    far = "          far: {cidr: 10.10.9.0/24, region: europe-west3}\n"
    after = by_name(recorded_stack(tmp_path / "p", NETWORK.replace(far, ""), PRIVATE, SQL, secrets=True))
    gone = by_name(resources).keys() - after.keys()
    assert {key.rpartition("::")[2] for key in gone} == {
        "network-far",
        "network-europe-west3-router",
        "network-europe-west3-nat",
    }
    subnets = [key for key in after if key.startswith(SUBNET)]
    assert all(by_name(resources)[key].inputs == after[key].inputs for key in subnets)


def test_what_is_registered_is_what_the_provider_takes(resources: list[RecordedResource]) -> None:
    def wire(value: object) -> Any:
        if isinstance(value, dict):
            return {key: wire(item) for key, item in value.items()}
        if isinstance(value, list):
            return [wire(item) for item in value]
        return UNKNOWN if value == UNKNOWN_MARKER else value

    config = {"project": "unused-project", "region": "europe-west1"}
    for resource in resources:
        if resource.type.startswith("gcp:"):
            given = {**wire(dict(resource.inputs)), **{path: secret("value") for path in resource.secrets}}
            failures = check(resource.type, given, provider_config=config).failures
            assert [(resource.name, f.property, f.reason) for f in failures] == []
            assert resource.parent.split("::")[2].startswith("dp:gcp:")


def test_every_name_fits_its_limit(resources: list[RecordedResource], tmp_path: Path) -> None:
    table = json.loads((ROOT / "infra/name_limits.json").read_text(encoding="utf-8"))
    more = recorded_stack(tmp_path / "p", NETWORK + "        google_apis: private\n")
    seen = set()
    for resource in (*resources, *more):
        if resource.type in table:
            name = str(resource.inputs[table[resource.type]["field"]])
            assert naming.problem(resource.type, name) is None, resource.urn
            seen.add(resource.type)
    tokens = {value for key, value in vars(network_names).items() if key.isupper() and str(value).startswith("gcp:")}
    # The peering is of a stack of its own: an instance either peers or uses an attachment.
    assert tokens - {network_names.PEERING} <= seen & set(table)


def test_a_name_that_does_not_fit_is_a_mistake_with_a_place(tmp_path: Path) -> None:
    long = "a" * 32
    rules = f"        firewall: {{rules: {{{long}: {{ranges: [10.0.0.0/8], protocols: {{all: []}}}}}}}}\n"
    root = stack(tmp_path / "p", NETWORK.replace("      network:\n", f"      network:\n        name: {long}\n"), rules)
    with pytest.raises(InputError) as caught:
        decide(root, "net")
    (found,) = caught.value.diagnostics.items
    assert found.code == "DP221"
    assert found.path == f"platform.gcp.network.firewall.rules.{long}"
    assert "firewall rule name" in found.message


def test_a_network_of_its_own_in_each_stack_shares_no_range_and_a_shared_one_does(tmp_path: Path) -> None:
    fusion = """\
      data_fusion:
        private: true
        network: {connection: vpc_peering, network: $network, ip_allocation: 10.89.48.0/22}
"""
    for name, network, codes in (("own", NETWORK, []), ("shared", EXISTING, ["DP214"])):
        root = stack(tmp_path / name, network, fusion)
        text = (root / "Pulumi.net.yaml").read_text(encoding="utf-8")
        other = text.replace("environment: net", "environment: other")
        (root / "Pulumi.other.yaml").write_text(other, encoding="utf-8")
        assert [found.code for found in check_stacks(root).items] == codes, name


def test_a_link_stands_for_itself_and_an_unknown_reference_for_nothing() -> None:
    network = NetworkOutputs(id="projects/p/global/networks/n", subnets={"data": "s"})
    assert network.link("$network") == "projects/p/global/networks/n"
    assert network.link("$subnet:data") == "s"
    assert network.link("projects/q/global/networks/m") == "projects/q/global/networks/m"
    assert network.project == "p"
    for unknown in ("$subnet:x", "$attachment:x", "$nothing"):
        with pytest.raises(KeyError):
            network.link(unknown)
    with pytest.raises(KeyError):
        NetworkOutputs().link("$network")
