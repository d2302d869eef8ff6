"""A stack file with all of the network, on the embedded cloud with the real engine: up, no drift, down."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from tests.tool.test_stack import ROOT, Project

pytestmark = pytest.mark.engine

PLATFORM = """\
config:
  data-platform:platform:
    environment: dev
    protect: false
    gcp:
      project: acme-data-dev
      region: europe-west1
      network:
        subnets:
          data: {cidr: 10.10.0.0/22, secondary_ranges: {pods: 10.12.0.0/17}}
          fusion: {cidr: 10.10.8.0/24}
        nat: {}
        firewall:
          deny_egress: true
          iap_ssh: true
          rules:
            warehouse: {direction: egress, ranges: [10.99.0.0/16], protocols: {tcp: ["5432"]}}
        attachments:
          fusion: {subnet: fusion}
        peering: {ranges: {services: 10.20.0.0/20}}
        google_apis: private
      secrets:
        hawk_key: {}
        orders_db_password: {accessors: [$composer]}
      data_fusion:
        edition: enterprise
        private: true
        network: {connection: private_service_connect, network_attachment: $attachment:fusion}
      composer:
        private: true
        network: {network: $network, subnetwork: $subnet:data}
      cloud_sql:
        core:
          subnet: data
          iam_authentication: true
          iam_users: [$composer]
          databases: {orders: {}}
          users: {app: {password_from: orders_db_password}}
          connections: {orders: {database: orders, user: app, accessors: [$composer]}}
        reports:
          connection: vpc_peering
          range: services
          high_availability: true
          maintenance: {day: sunday, hour: 3}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    salt = re.search(r"^encryptionsalt:.*$", text, re.MULTILINE)
    secrets = re.findall(r"^  data-platform:(?:hawk_key|orders_db_password):\n    secure: .*$", text, re.MULTILINE)
    assert salt is not None
    assert len(secrets) == 2
    (made.root / "Pulumi.dev.yaml").write_text("\n".join([salt[0], PLATFORM.rstrip(), *secrets, ""]), encoding="utf-8")
    return made


def connection(project: Project) -> tuple[str, str]:
    """The value of the connection's secret, and the password."""
    with sqlite3.connect(project.root / ".dp/cloud/world.db") as world:
        found = world.execute("SELECT id, outputs FROM resources WHERE token LIKE '%:SecretVersion'").fetchall()
    values = {key.split("/")[3]: str(json.loads(outputs)["secretData"]) for key, outputs in found}
    return values["dev-sql-core-orders"], values["dev-orders_db_password"]


def test_a_private_stack_comes_up_does_not_drift_and_goes_down(project: Project) -> None:
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, out + err
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, out + err

    types = {kind.rpartition(":")[2] for kind, _ in project.cloud()}
    assert types >= {"Network", "Subnetwork", "NetworkAttachment", "RouterNat", "Connection", "ManagedZone"}
    assert types >= {"DatabaseInstance", "User", "Database", "ForwardingRule"}

    value, password = connection(project)
    told = json.loads(value)
    assert told["host"].startswith("10.10.")
    assert told["database"] == "orders"
    assert told["user"] == "app"
    assert told["password_secret"] == "projects/acme-data-dev/secrets/dev-orders_db_password"
    assert password
    assert password not in value
    for file in [project.checkpoint, *(project.root / ".dp").rglob("*.jsonl")]:
        text = file.read_text(encoding="utf-8")
        assert password not in text, file
        assert '"password_secret' not in text, file
    (version,) = [r for r in project.state()["resources"] if r["urn"].endswith("orders-connection-version")]
    for side in ("inputs", "outputs"):
        assert set(version[side]["secretData"]) >= {"ciphertext"}, side

    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert project.cloud() == set()
