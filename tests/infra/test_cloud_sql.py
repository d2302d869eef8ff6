"""Cloud SQL of a stack: private, encrypted with a key that is granted first, its passwords nowhere in the plain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.gcp.cloud_sql import iam_login
from dataplatform.local.plan_recorder import STAND_IN, RecordedResource, record
from tests.infra.inventory import UNKNOWN_MARKER, ancestors, by_name, of_type
from tests.infra.network_stack import NETWORK, PRIVATE, SQL, recorded_stack, stack

INSTANCE = "gcp:sql/databaseInstance:DatabaseInstance"


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return recorded_stack(tmp_path_factory.mktemp("sql") / "project", NETWORK, PRIVATE, SQL, secrets=True)


def settings(resources: list[RecordedResource], name: str) -> Any:
    return by_name(resources)[f"{INSTANCE}::{name}"].inputs["settings"]


def test_instances_are_private_encrypted_and_protected(resources: list[RecordedResource]) -> None:
    found = of_type(resources, INSTANCE)
    assert {r.inputs["name"] for r in found} == {"net-core", "net-reports-g2"}
    for instance in found:
        way = settings(resources, instance.name)["ipConfiguration"]
        assert way["ipv4Enabled"] is False
        assert way["sslMode"] == "ENCRYPTED_ONLY"
        assert "authorizedNetworks" not in way
        assert instance.protect
        assert instance.inputs["deletionProtection"] is True
        assert settings(resources, instance.name)["deletionProtectionEnabled"] is True
        assert settings(resources, instance.name)["userLabels"]["owner"] == "data-platform"


def test_the_key_is_granted_to_the_agent_before_the_instance(resources: list[RecordedResource]) -> None:
    (key,) = [r for r in of_type(resources, "gcp:kms/cryptoKey:CryptoKey") if r.inputs["name"] == "cloudsql"]
    grants = of_type(resources, "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember")
    (granted,) = [r for r in grants if key.urn in r.dependencies]
    assert granted.name == "kms-cloudsql-sqladmin"
    for instance in of_type(resources, INSTANCE):
        assert {key.urn, granted.urn} <= ancestors(instance, resources)


def test_each_way_in_has_what_it_needs(resources: list[RecordedResource]) -> None:
    psc = settings(resources, "sql-core")["ipConfiguration"]
    assert psc["pscConfigs"] == [{"allowedConsumerProjects": ["acme-data-net"], "pscEnabled": True}]
    assert "privateNetwork" not in psc
    found = by_name(resources)
    endpoint = found["gcp:compute/forwardingRule:ForwardingRule::sql-core-endpoint"]
    assert endpoint.inputs["loadBalancingScheme"] == ""
    address = found["gcp:compute/address:Address::sql-core-endpoint"]
    assert str(address.inputs["subnetwork"]).endswith("/subnetworks/net-core-data")
    assert {address.urn, found[f"{INSTANCE}::sql-core"].urn} <= ancestors(endpoint, resources)

    peered = settings(resources, "sql-reports")["ipConfiguration"]
    assert peered["privateNetwork"] == "projects/acme-data-net/global/networks/net-core"
    assert peered["allocatedIpRange"] == "net-core-services"
    connection = found["gcp:servicenetworking/connection:Connection::private-services"]
    assert connection.urn in ancestors(found[f"{INSTANCE}::sql-reports"], resources)


def test_settings_are_those_of_the_file(resources: list[RecordedResource]) -> None:
    reports = settings(resources, "sql-reports")
    assert reports["availabilityType"] == "REGIONAL"
    assert reports["maintenanceWindow"] == {"day": 7, "hour": 3, "updateTrack": "stable"}
    backups = reports["backupConfiguration"]
    assert (backups["enabled"], backups["pointInTimeRecoveryEnabled"], backups["location"]) == (
        True,
        True,
        "europe-west1",
    )
    assert settings(resources, "sql-core")["databaseFlags"] == [{"name": "cloudsql.iam_authentication", "value": "on"}]


def test_passwords_and_connections_are_secret_to_the_engine(resources: list[RecordedResource]) -> None:
    user = by_name(resources)["gcp:sql/user:User::sql-core-app"]
    assert user.secrets == ("password",)
    version = by_name(resources)["gcp:secretmanager/secretVersion:SecretVersion::sql-core-orders-connection-version"]
    # The address is in it, which nobody knows before; on the engine the value is shown to be secret.
    assert version.inputs["secretData"] == UNKNOWN_MARKER
    assert STAND_IN not in json.dumps([r.to_json() for r in resources])


def test_a_connection_is_read_by_its_accessors_only(resources: list[RecordedResource]) -> None:
    secret = by_name(resources)["gcp:secretmanager/secret:Secret::sql-core-orders-connection"]
    assert secret.inputs["secretId"] == "net-sql-core-orders"
    readers = [
        r.name
        for r in of_type(resources, "gcp:secretmanager/secretIamMember:SecretIamMember")
        if secret.urn in ancestors(r, resources)
    ]
    assert readers == ["sql-core-orders-connection-composer"]


def test_identities_log_in_to_this_instance_and_no_other(resources: list[RecordedResource]) -> None:
    grants = [r for r in of_type(resources, "gcp:projects/iAMMember:IAMMember") if r.name.startswith("sql-core-iam-")]
    assert {r.inputs["role"] for r in grants} == {"roles/cloudsql.client", "roles/cloudsql.instanceUser"}
    assert len(grants) == 4
    for resource in grants:
        condition: Any = resource.inputs["condition"]
        assert '"projects/acme-data-net/instances/net-core"' in condition["expression"]
    ada = by_name(resources)["gcp:sql/user:User::sql-core-iam-user:ada@acme.example"]
    assert (ada.inputs["name"], ada.inputs["type"]) == ("ada@acme.example", "CLOUD_IAM_USER")


def test_databases_go_before_the_users_that_own_what_is_in_them(resources: list[RecordedResource]) -> None:
    database = by_name(resources)["gcp:sql/database:Database::sql-core-orders"]
    users = {r.urn for r in of_type(resources, "gcp:sql/user:User")}
    assert len(users) == 3
    assert users <= set(database.dependencies)


def test_a_stack_that_is_not_protected_can_be_destroyed(tmp_path: Path) -> None:
    root = stack(tmp_path / "p", NETWORK, PRIVATE, SQL, secrets=True)
    file = root / "Pulumi.net.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("protect: true", "protect: false"), encoding="utf-8")
    resources = record(root, "net")
    for instance in of_type(resources, INSTANCE):
        assert not instance.protect
        assert instance.inputs["deletionProtection"] is False
        assert settings(resources, instance.name)["deletionProtectionEnabled"] is False


def test_logins_are_postgresqls() -> None:
    account = "serviceAccount:runner@acme-dev.iam.gserviceaccount.com"
    assert iam_login(account) == ("runner@acme-dev.iam", "CLOUD_IAM_SERVICE_ACCOUNT")
    assert iam_login("group:analysts@acme.example") == ("analysts@acme.example", "CLOUD_IAM_GROUP")
    with pytest.raises(ValueError, match="expected serviceAccount"):
        iam_login("allUsers")
