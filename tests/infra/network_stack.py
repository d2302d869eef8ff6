"""A stack with a network of its own, recorded; the text is changed piece by piece."""

from __future__ import annotations

from pathlib import Path

from dataplatform.local.plan_recorder import RecordedResource, record

HEAD = """\
encryptionsalt: v1:kU2/DdcC8M8=:v1:dZrdnY0FI5+7vA66:wZOlmRMCznL1b3Qpp7IkVxspSuh2pg==
config:
  data-platform:platform:
    environment: net
    protect: true
    labels: {owner: data-platform}
    gcp:
      project: acme-data-net
      region: europe-west1
"""
TAIL = """\
  data-platform:db_password:
    secure: v1:AAAAAAAAAAA=:AAAA
"""
NETWORK = """\
      network:
        subnets:
          data: {cidr: 10.10.0.0/22, secondary_ranges: {pods: 10.12.0.0/17}}
          fusion: {cidr: 10.10.8.0/24, flow_logs: {enabled: false}}
          far: {cidr: 10.10.9.0/24, region: europe-west3}
        nat: {min_ports_per_vm: 128}
        attachments:
          fusion: {subnet: fusion}
          approved: {subnet: data, accept: manual}
        peering: {ranges: {services: 10.20.0.0/20}}
"""
PRIVATE = """\
      data_fusion:
        edition: enterprise
        private: true
        network: {connection: private_service_connect, network_attachment: $attachment:fusion}
      composer:
        private: true
        network: {network: $network, subnetwork: $subnet:data}
"""
EXISTING = """\
      network:
        existing:
          network: projects/acme-net-host/global/networks/shared
          subnets: {data: projects/acme-net-host/regions/europe-west1/subnetworks/data}
          attachments: {fusion: projects/acme-net-host/regions/europe-west1/networkAttachments/fusion}
          grant_agents: true
"""
PRIVATE_2 = PRIVATE.replace(
    """\
        private: true
        network: {network: $network""",
    """\
        image_version: composer-2-airflow-2.11.1
        private: true
        network: {network: $network""",
)
"""The same with an environment of generation 2."""
SQL = """\
      secrets:
        db_password: {accessors: [$composer]}
      cloud_sql:
        core:
          subnet: data
          iam_authentication: true
          iam_users: [$composer, "user:ada@acme.example"]
          databases: {orders: {}}
          users: {app: {password_from: db_password}}
          connections: {orders: {database: orders, user: app, accessors: [$composer]}}
        reports:
          connection: vpc_peering
          range: services
          high_availability: true
          maintenance: {day: sunday, hour: 3}
          generation: 2
"""


def stack(folder: Path, *parts: str, secrets: bool = False) -> Path:
    """A project with one stack `net`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n", encoding="utf-8")
    text = HEAD + "".join(parts) + (TAIL if secrets else "")
    (folder / "Pulumi.net.yaml").write_text(text, encoding="utf-8")
    return folder


def recorded_stack(folder: Path, *parts: str, secrets: bool = False) -> list[RecordedResource]:
    """What it registers."""
    return record(stack(folder, *parts, secrets=secrets), "net")
