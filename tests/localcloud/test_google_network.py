"""Networks, the way to services by peering, and Cloud SQL: what the services make and what they refuse."""

from __future__ import annotations

import time
from typing import Any

import pytest
from click.testing import CliRunner

from localcloud import store
from localcloud.cli import main
from localcloud.world import World
from tests.localcloud.client import Client, Made
from tests.localcloud.test_google import GRANT, KEY, RING, grant, make_key, refused

NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
ATTACHMENT = "gcp:compute/networkAttachment:NetworkAttachment"
RANGE = "gcp:compute/globalAddress:GlobalAddress"
ADDRESS = "gcp:compute/address:Address"
ROUTER = "gcp:compute/router:Router"
NAT = "gcp:compute/routerNat:RouterNat"
RULE = "gcp:compute/forwardingRule:ForwardingRule"
CONNECTION = "gcp:servicenetworking/connection:Connection"
SQL = "gcp:sql/databaseInstance:DatabaseInstance"
DATABASE = "gcp:sql/database:Database"
USER = "gcp:sql/user:User"
FUSION = "gcp:datafusion/instance:Instance"
PEERING = "gcp:compute/networkPeering:NetworkPeering"
SERVICE = "servicenetworking.googleapis.com"
SETTINGS = {"tier": "db-custom-2-7680", "edition": "ENTERPRISE"}


@pytest.fixture
def vpc(gcp: Client) -> Made:
    gcp.enable("compute")
    return gcp.create(NETWORK, {"name": "core", "autoCreateSubnetworks": False})


def subnet(gcp: Client, vpc: Made, name: str, cidr: str, **more: Any) -> Made:
    return gcp.create(SUBNET, {"name": name, "network": vpc.id, "ipCidrRange": cidr, **more}, name)


def reserve(gcp: Client, vpc: Made, name: str, address: str | None, prefix: int) -> Made:
    inputs = {"name": name, "network": vpc.id, "purpose": "VPC_PEERING", "addressType": "INTERNAL"}
    return gcp.create(RANGE, {**inputs, "prefixLength": prefix, **({"address": address} if address else {})}, name)


def connect(gcp: Client, vpc: Made, *names: str, **more: Any) -> Made:
    inputs = {"network": vpc.id, "service": SERVICE, "reservedPeeringRanges": list(names), **more}
    return gcp.create(CONNECTION, inputs)


def instance(gcp: Client, name: str, way: dict[str, Any], **more: Any) -> Made:
    settings = {**SETTINGS, "ipConfiguration": {"ipv4Enabled": False, **way}, **more.pop("settings", {})}
    inputs = {"name": name, "databaseVersion": "POSTGRES_16", "deletionProtection": False, "settings": settings, **more}
    return gcp.create(SQL, inputs, name)


def test_the_ranges_of_a_network_do_not_overlap(gcp: Client, vpc: Made) -> None:
    made = subnet(
        gcp, vpc, "data", "10.0.0.0/22", secondaryIpRanges=[{"rangeName": "pods", "ipCidrRange": "10.4.0.0/20"}]
    )
    assert made.outputs["gatewayAddress"] == "10.0.0.1"
    assert made.outputs["network"].endswith("/v1/projects/acme-dev/global/networks/core")
    words = refused(subnet, gcp, vpc, "b", "10.0.3.0/24")
    assert (
        "Invalid IPCidrRange: 10.0.3.0/24 conflicts with existing subnetwork 'data' in region 'europe-west1'" in words
    )
    assert "conflicts with existing subnetwork 'data'" in refused(subnet, gcp, vpc, "b", "10.4.15.0/24")
    twice = [{"rangeName": "a", "ipCidrRange": "10.9.0.128/25"}]
    refusal = refused(lambda: subnet(gcp, vpc, "b", "10.9.0.0/24", secondaryIpRanges=twice))
    assert "conflicts with another range of the subnetwork" in refusal
    assert "prefix must not be longer than 29" in refused(subnet, gcp, vpc, "b", "10.9.0.0/30")
    assert "Invalid CIDR range" in refused(subnet, gcp, vpc, "b", "10.9.0.1/24")
    subnet(gcp, vpc, "b", "10.0.4.0/24")
    # Another network may have the same ranges.
    other = gcp.create(NETWORK, {"name": "other", "autoCreateSubnetworks": False}, "other")
    subnet(gcp, other, "c", "10.0.0.0/22")


def test_a_subnet_grows_in_place_as_far_as_there_is_room(gcp: Client, vpc: Made) -> None:
    made = subnet(gcp, vpc, "data", "10.0.0.0/24")
    subnet(gcp, vpc, "next", "10.0.2.0/24")
    inputs = {"name": "data", "network": vpc.id}
    assert not gcp.diff(SUBNET, made, {**inputs, "ipCidrRange": "10.0.0.0/23"}, "data").replaces
    grown = gcp.update(SUBNET, made, {**inputs, "ipCidrRange": "10.0.0.0/23"}, "data")
    assert "conflicts with existing subnetwork 'next'" in refused(
        gcp.update, SUBNET, grown, {**inputs, "ipCidrRange": "10.0.0.0/22"}, "data"
    )
    assert list(gcp.diff(SUBNET, made, {**inputs, "ipCidrRange": "10.7.0.0/24"}, "data").replaces) == ["ipCidrRange"]


def test_a_reserved_range_is_free_and_stays_free(gcp: Client, vpc: Made) -> None:
    subnet(gcp, vpc, "data", "10.0.0.0/22")
    words = refused(reserve, gcp, vpc, "services", "10.0.0.0", 16)
    assert "Requested range conflicts with other resources: existing subnetwork 'data'" in words
    reserve(gcp, vpc, "services", "10.20.0.0", 20)
    assert "conflicts with allocated range 'services'" in refused(subnet, gcp, vpc, "b", "10.20.15.0/24")
    chosen = reserve(gcp, vpc, "more", None, 16)
    assert (chosen.outputs["address"], int(chosen.outputs["prefixLength"])) == ("10.1.0.0", 16)
    bare = {"name": "x", "purpose": "VPC_PEERING", "addressType": "INTERNAL", "network": vpc.id}
    assert "'resource.prefixLength' not specified" in refused(gcp.create, RANGE, bare)


def test_an_attachment_belongs_to_subnets_of_one_network_in_its_region(gcp: Client, vpc: Made) -> None:
    data = subnet(gcp, vpc, "data", "10.0.0.0/24")
    far = subnet(gcp, vpc, "far", "10.1.0.0/24", region="europe-west3")
    inputs = {"name": "fusion", "region": "europe-west1", "connectionPreference": "ACCEPT_AUTOMATIC"}
    assert "must be in the region" in refused(gcp.create, ATTACHMENT, {**inputs, "subnetworks": [far.id]})
    gone = f"{data.id}-gone"
    assert f"The resource '{gone}' was not found" in refused(gcp.create, ATTACHMENT, {**inputs, "subnetworks": [gone]})
    other = gcp.create(NETWORK, {"name": "other", "autoCreateSubnetworks": False}, "other")
    stranger = subnet(gcp, other, "stranger", "10.0.0.0/24")
    refusal = refused(gcp.create, ATTACHMENT, {**inputs, "subnetworks": [data.id, stranger.id]})
    assert "must belong to one network" in refusal
    made = gcp.create(ATTACHMENT, {**inputs, "subnetworks": [data.id]})
    assert made.outputs["network"] == vpc.outputs["selfLink"]

    gcp.enable("datafusion")
    private = {"connectionType": "PRIVATE_SERVICE_CONNECT_INTERFACES"}
    entry = {**private, "privateServiceConnectConfig": {"networkAttachment": made.id}}
    fusion = gcp.create(FUSION, {"name": "core", "type": "BASIC", "privateInstance": True, "networkConfig": entry})
    # What is used goes last, whatever is tried first.
    assert "already being used by" in refused(gcp.delete, ATTACHMENT, made)
    assert "already being used by" in refused(gcp.delete, SUBNET, data)
    assert "already being used by" in refused(gcp.delete, NETWORK, vpc)
    for token, each in ((FUSION, fusion), (ATTACHMENT, made), (SUBNET, data), (SUBNET, far), (NETWORK, vpc)):
        gcp.delete(token, each)


def test_nat_needs_its_router_and_goes_with_it(gcp: Client, vpc: Made, world: World) -> None:
    inputs = {
        "name": "nat",
        "router": "core",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
    }
    assert "routers/core' was not found" in refused(gcp.create, NAT, inputs)
    router = gcp.create(ROUTER, {"name": "core", "network": vpc.id})
    nat = gcp.create(NAT, inputs)
    gcp.delete(ROUTER, router)
    assert store.find(world.connect(), NAT, nat.id) is None


def test_addresses_come_from_their_subnet(gcp: Client, vpc: Made) -> None:
    data = subnet(gcp, vpc, "data", "10.0.0.0/29")
    inner = {"addressType": "INTERNAL", "subnetwork": data.id}
    found = [gcp.create(ADDRESS, {"name": f"a{n}", **inner}, f"a{n}").outputs["address"] for n in range(4)]
    assert found == ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]
    assert "No free address is left" in refused(gcp.create, ADDRESS, {"name": "a9", **inner})
    assert "is in use already" in refused(gcp.create, ADDRESS, {"name": "a9", **inner, "address": "10.0.0.3"})
    assert "not in the subnetwork's range" in refused(
        gcp.create, ADDRESS, {"name": "a9", **inner, "address": "10.9.0.3"}
    )


def test_the_connection_needs_its_api_and_ranges_of_its_network(gcp: Client, vpc: Made) -> None:
    assert "Service Networking API has not been used" in refused(connect, gcp, vpc, "services")
    gcp.enable("servicenetworking")
    assert "allocated IP range 'services' not found in network" in refused(connect, gcp, vpc, "services")
    other = gcp.create(NETWORK, {"name": "other", "autoCreateSubnetworks": False}, "other")
    reserve(gcp, other, "elsewhere", "10.20.0.0", 20)
    assert "'elsewhere' not found in network" in refused(connect, gcp, vpc, "elsewhere")
    reserve(gcp, vpc, "services", "10.20.0.0", 20)
    made = connect(gcp, vpc, "services")
    assert made.outputs["peering"] == "servicenetworking-googleapis-com"
    assert "Cannot modify allocated ranges in CreateConnection" in refused(connect, gcp, vpc, "services")
    connect(gcp, vpc, "services", updateOnCreationFail=True)
    assert "networks/gone' was not found" in refused(
        gcp.create, CONNECTION, {"network": f"{vpc.id[:-4]}gone", "service": SERVICE, "reservedPeeringRanges": ["x"]}
    )


def test_a_private_instance_by_peering(gcp: Client, vpc: Made, world: World) -> None:
    gcp.enable("servicenetworking", "sqladmin")
    way = {"privateNetwork": vpc.id}
    words = refused(instance, gcp, "core", way)
    assert "Incorrect Service Networking config for instance: acme-dev:core:SERVICE_NETWORKING_NOT_ENABLED" in words
    assert "Error 400" in words
    reserve(gcp, vpc, "services", "10.20.0.0", 24)
    connection = connect(gcp, vpc, "services")
    assert "is not of the network's connection" in refused(instance, gcp, "core", {**way, "allocatedIpRange": "other"})
    made = instance(gcp, "core", {**way, "allocatedIpRange": "services"})
    assert made.outputs["privateIpAddress"] == "10.20.0.2"
    assert made.outputs["publicIpAddress"] == ""
    assert made.outputs["connectionName"] == "acme-dev:europe-west1:core"
    assert [found["ipAddress"] for found in made.outputs["ipAddresses"]] == ["10.20.0.2"]
    # A second one shares the service's subnet in the region; another region needs one of its own, and there is no room.
    assert instance(gcp, "two", way).outputs["privateIpAddress"] == "10.20.0.3"
    assert "Couldn't find free blocks in allocated IP ranges" in refused(
        lambda: instance(gcp, "far", way, region="europe-west3")
    )

    assert "Producer services (e.g. CloudSQL" in refused(gcp.delete, CONNECTION, connection)
    assert "already being used by" in refused(gcp.delete, NETWORK, vpc)
    gcp.delete(SQL, made)
    two = gcp.read(SQL, "projects/acme-dev/instances/two")
    assert two is not None
    gcp.delete(SQL, Made(two.id, two.inputs, {}, {**two.raw, "deletionProtection": False}))
    # The service holds on to the peering for as long as to the names; so it is left behind, and goes with the network.
    assert "still using this connection" in refused(gcp.delete, CONNECTION, connection)
    gcp.delete(CONNECTION, Made(connection.id, {}, {}, {**connection.raw, "deletionPolicy": "ABANDON"}))
    assert store.find(world.connect(), CONNECTION, connection.id) is not None
    gcp.delete(RANGE, Made("projects/acme-dev/global/addresses/services", {}, {}, {}))
    gcp.delete(NETWORK, vpc)
    assert store.find(world.connect(), CONNECTION, connection.id) is None


def test_an_endpoint_of_private_service_connect(gcp: Client, vpc: Made) -> None:
    gcp.enable("sqladmin")
    data = subnet(gcp, vpc, "data", "10.0.0.0/24")
    made = instance(gcp, "core", {"pscConfigs": [{"pscEnabled": True, "allowedConsumerProjects": ["acme-dev"]}]})
    target = made.outputs["pscServiceAttachmentLink"]
    assert "/regions/europe-west1/serviceAttachments/" in target
    assert made.outputs["privateIpAddress"] == ""
    address = gcp.create(ADDRESS, {"name": "sql", "addressType": "INTERNAL", "subnetwork": data.id})
    inputs = {"name": "sql", "network": vpc.id, "ipAddress": address.id, "loadBalancingScheme": "", "target": target}
    assert "was not found" in refused(gcp.create, RULE, {**inputs, "target": f"{target}x"})
    rule = gcp.create(RULE, inputs)
    assert rule.outputs["pscConnectionStatus"] == "ACCEPTED"
    assert "already being used by" in refused(gcp.delete, ADDRESS, address)
    gcp.delete(RULE, rule)
    gcp.delete(ADDRESS, address)
    stranger = instance(gcp, "two", {"pscConfigs": [{"pscEnabled": True, "allowedConsumerProjects": ["acme-other"]}]})
    waiting = gcp.create(
        RULE, {**inputs, "target": stranger.outputs["pscServiceAttachmentLink"], "ipAddress": "10.0.0.9"}
    )
    assert waiting.outputs["pscConnectionStatus"] == "PENDING"


def test_what_an_instance_is_refused_for(gcp: Client) -> None:
    assert "Cloud SQL Admin API has not been used" in refused(instance, gcp, "core", {"pscConfigs": []})
    gcp.enable("sqladmin")
    assert "At least one of Public IP or Private IP or PSC" in refused(instance, gcp, "core", {})
    psc = {"pscConfigs": [{"pscEnabled": True}]}

    def with_settings(**settings: Any) -> str:
        return refused(lambda: instance(gcp, "core", psc, settings=settings))

    assert "Invalid Tier (db-custom-2-7680) for (ENTERPRISE_PLUS)" in with_settings(edition="ENTERPRISE_PLUS")
    log: dict[str, Any] = {"enabled": False, "pointInTimeRecoveryEnabled": True}
    assert "must be disabled when backup is disabled" in with_settings(backupConfiguration=log)
    log = {"enabled": True, "transactionLogRetentionDays": 14}
    assert "transaction log retention" in with_settings(backupConfiguration=log)


def test_the_key_is_granted_before_the_instance(gcp: Client, world: World) -> None:
    gcp.enable("sqladmin")
    key = make_key(gcp)
    psc = {"pscConfigs": [{"pscEnabled": True}]}
    words = refused(lambda: instance(gcp, "core", psc, encryptionKeyName=key.id))
    number = store.project_number(world.connect(), "acme-dev")
    agent = f"service-{number}@gcp-sa-cloud-sql.iam.gserviceaccount.com"
    assert f"The service account {agent} does not have the permission to use the KMS key {key.id}" in words
    gcp.create("gcp:projects/serviceIdentity:ServiceIdentity", {"service": "sqladmin.googleapis.com"})
    grant(gcp, key, agent)
    assert instance(gcp, "core", psc, encryptionKeyName=key.id).outputs["encryptionKeyName"] == key.id
    ring = gcp.create(RING, {"name": "far", "location": "europe-west3"}, "far")
    far = gcp.create(KEY, {"name": "far", "keyRing": ring.id}, "far")
    gcp.create(GRANT, {"cryptoKeyId": far.id, "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter", "member": f"serviceAccount:{agent}"}, "far")  # fmt: skip # noqa: E501
    assert "they must be the same" in refused(lambda: instance(gcp, "two", psc, encryptionKeyName=far.id))


def test_protection_stands_twice(gcp: Client) -> None:
    gcp.enable("sqladmin")
    psc = {"pscConfigs": [{"pscEnabled": True}]}
    made = instance(gcp, "core", psc, settings={"deletionProtectionEnabled": True})
    assert "The instance is protected" in refused(gcp.delete, SQL, made)
    guarded = Made(made.id, made.inputs, {}, {**made.raw, "deletionProtection": True})
    assert "without setting deletion_protection=false" in refused(gcp.delete, SQL, guarded)


def test_the_name_of_a_deleted_instance_is_taken_for_a_week(gcp: Client, world: World) -> None:
    gcp.enable("sqladmin")
    psc = {"pscConfigs": [{"pscEnabled": True}]}
    made = instance(gcp, "core", psc)
    assert "Error 409: The Cloud SQL instance already exists" in refused(instance, gcp, "core", psc)
    gcp.delete(SQL, made)
    words = refused(instance, gcp, "core", psc)
    assert "you can't reuse the name of the deleted instance until one week from the deletion date" in words
    instance(gcp, "core-g2", psc)
    with world.transaction() as tx:
        tx.execute("UPDATE tombstones SET created = ?", (time.time() - 8 * 86400,))
    instance(gcp, "core", psc)


def test_databases_and_users_need_their_instance_and_go_with_it(gcp: Client, world: World) -> None:
    gcp.enable("sqladmin", "iam")
    assert "instances/core' was not found" in refused(gcp.create, DATABASE, {"name": "orders", "instance": "core"})
    assert "The Cloud SQL instance does not exist" in refused(gcp.create, USER, {"name": "app", "instance": "core"})
    psc: dict[str, Any] = {"pscConfigs": [{"pscEnabled": True}]}
    made = instance(gcp, "core", psc)
    database = gcp.create(DATABASE, {"name": "orders", "instance": "core"})
    assert (database.outputs["charset"], database.outputs["collation"]) == ("UTF8", "en_US.UTF8")
    user = gcp.create(USER, {"name": "app", "instance": "core", "password": "s3cret"}, "app")
    assert user.id == "app//core"
    assert user.raw["password"] != "s3cret"
    gcp.create("gcp:serviceaccount/account:Account", {"accountId": "runner"})
    iam = {"name": "runner@acme-dev.iam", "instance": "core", "type": "CLOUD_IAM_SERVICE_ACCOUNT"}
    assert "cloudsql.iam_authentication is not on" in refused(gcp.create, USER, iam)
    flags = [{"name": "cloudsql.iam_authentication", "value": "on"}]
    way: dict[str, Any] = {"ipv4Enabled": False, **psc}
    settings = {**SETTINGS, "ipConfiguration": way, "databaseFlags": flags}
    inputs = {"name": "core", "databaseVersion": "POSTGRES_16", "deletionProtection": False, "settings": settings}
    made = gcp.update(SQL, made, inputs, "core")
    assert int(made.outputs["settings"]["version"]) == 2
    assert "without" in refused(gcp.create, USER, {**iam, "name": "runner@acme-dev.iam.gserviceaccount.com"})
    assert "does not exist" in refused(gcp.create, USER, {**iam, "name": "nobody@acme-dev.iam"})
    gcp.create(USER, iam, "runner")
    gcp.delete(SQL, made)
    with world.transaction() as tx:
        assert [row.id for row in store.everything(tx) if row.token.startswith("gcp:sql/")] == []


def test_a_host_project_can_be_had(tmp_path: Any) -> None:
    home = str(tmp_path / "cloud")
    base = ["--home", home, "init", "--project", "acme-dev"]
    subnets = ["--subnet", "europe-west1/data=10.8.0.0/22"]
    done = CliRunner().invoke(
        main, [*base, "--host", "acme-net", *subnets, "--attachment", "fusion=data", "--peering", "10.20.0.0/16"]
    )
    assert done.exit_code == 0, done.output
    world = World(tmp_path / "cloud")
    client = Client("gcp", world, {"project": "acme-dev", "region": "europe-west1"})
    client.enable("compute", "sqladmin", "datafusion")
    host = "projects/acme-net/global/networks/shared"
    made = instance(client, "core", {"privateNetwork": host})
    assert made.outputs["privateIpAddress"] == "10.20.0.2"
    link = "projects/acme-net/regions/europe-west1/networkAttachments/fusion"
    entry = {"networkAttachment": link}
    network = {"connectionType": "PRIVATE_SERVICE_CONNECT_INTERFACES", "privateServiceConnectConfig": entry}
    client.create(FUSION, {"name": "core", "type": "BASIC", "privateInstance": True, "networkConfig": network})
    data = "projects/acme-net/regions/europe-west1/subnetworks/data"
    address = client.create(ADDRESS, {"name": "sql", "addressType": "INTERNAL", "subnetwork": data})
    assert address.outputs["address"] == "10.8.0.2"
    # Its owners cannot take away what another project uses.
    owner = Client("gcp", world, {"project": "acme-net", "region": "europe-west1"})
    assert "already being used by" in refused(owner.delete, NETWORK, Made(host, {}, {}, {}))
    assert "already being used by" in refused(owner.delete, SUBNET, Made(data, {}, {}, {}))
    world.close()
    listed = CliRunner().invoke(main, ["--home", home, "ls"])
    assert "acme-net" not in listed.output.replace("networkAttachments", "")
    again = CliRunner().invoke(main, [*base, "--host", "acme-net", *subnets])
    assert again.exit_code == 0, again.output
    for wrong, words in (
        (["--host", "acme-net", "--subnet", "europe-west1/b=10.8.1.0/24"], "conflicts with existing subnetwork 'data'"),
        (["--host", "acme-net", "--subnet", "10.8.1.0/24"], "write REGION/NAME=RANGE"),
        (["--host", "acme-net", *subnets, "--attachment", "x=y"], "write NAME=SUBNET with one of data"),
        (["--host", "acme-net", "--network", "two", "--peering", "10.0.0.0"], "is no range"),
        (["--host", "a"], "no project id"),
        (subnets, "add --host ID"),
    ):
        failed = CliRunner().invoke(main, [*base, *wrong])
        assert failed.exit_code == 1
        assert words in failed.output


def test_a_network_peers_with_a_private_instance_by_the_name_of_its_network(gcp: Client, vpc: Made) -> None:
    gcp.enable("datafusion")
    config = {"network": vpc.id, "ipAllocation": "10.89.48.0/22", "connectionType": "VPC_PEERING"}
    made = gcp.create(
        FUSION, {"name": "core", "type": "ENTERPRISE", "privateInstance": True, "networkConfig": config}, "core"
    )
    tenant = f"projects/{made.outputs['tenantProjectId']}/global/networks"
    routes = {"exportCustomRoutes": True, "importCustomRoutes": True}
    wrong = {"name": "wrong", "network": vpc.id, "peerNetwork": f"{tenant}/core", **routes}
    assert "was not found" in refused(gcp.create, PEERING, wrong, "wrong")
    peered = gcp.create(PEERING, {**wrong, "name": "back", "peerNetwork": f"{tenant}/europe-west1-core"}, "back")
    assert peered.outputs["state"] == "ACTIVE"
    assert "already a peering 'back'" in refused(
        gcp.create, PEERING, {**wrong, "name": "twice", "peerNetwork": f"{tenant}/europe-west1-core"}, "twice"
    )
    assert "itself" in refused(gcp.create, PEERING, {**wrong, "name": "self", "peerNetwork": vpc.id}, "self")
    away = gcp.create(
        PEERING, {**wrong, "name": "away", "peerNetwork": "projects/others-net/global/networks/x"}, "away"
    )
    assert away.outputs["state"] == "INACTIVE"
