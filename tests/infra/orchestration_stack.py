"""A stack with all that Composer and Data Fusion may be told; the text is changed piece by piece."""

from __future__ import annotations

import shutil
from pathlib import Path

from dataplatform.local.plan_recorder import RecordedResource, record
from tests.infra.inventory import ROOT

NAME = "orc"
HEAD = """\
encryptionsalt: v1:kU2/DdcC8M8=:v1:dZrdnY0FI5+7vA66:wZOlmRMCznL1b3Qpp7IkVxspSuh2pg==
config:
  data-platform:platform:
    environment: orc
    protect: false
    labels: {owner: data-platform}
"""
NETWORK = """\
    gcp:
      project: acme-data-dev
      region: europe-west1
      lake:
        zones: {landing: {force_destroy: true}}
      secrets:
        hawk_key: {accessors: [$composer]}
        orders_db_password: {airflow_connection: orders_db, accessors: [$composer]}
      network:
        subnets:
          data: {cidr: 10.10.0.0/22, secondary_ranges: {pods: 10.12.0.0/17, services: 10.13.0.0/22}}
          fusion: {cidr: 10.10.8.0/24}
        attachments: {composer: {subnet: data}, fusion: {subnet: fusion}}
      workflows: {}
"""
COMMON = """\
        size: medium
        private: true
        resilience: true
        web_server_access: {office: 203.0.113.0/24}
        lineage: true
        maintenance: {days: [saturday, sunday], hour: 20, hours: 8}
        snapshots: {schedule: 0 4 * * *, time_zone: UTC+01, location: $bucket:landing/snapshots}
        airflow_config_overrides: {core-dags_are_paused_at_creation: "True", celery-worker_concurrency: "12"}
        env_variables: {DATAHUB_BASE_URL: "https://hub.example"}
        pypi_packages: {mohawk: "==1.1.0"}
"""
COMPOSER_3 = (
    """\
      composer:
        image_version: composer-3-airflow-2.11.1
"""
    + COMMON
    + """\
        private_builds: true
        web_server_plugins: false
        retention: {metadata_days: 60}
        workload_secrets: {hawk: {key: hawk_key}}
        workload_config_maps: {settings: {mode: fast}}
        network:
          network_attachment: $attachment:composer
          internal_range: 100.64.128.0/20
          functions_routing: via_network_attachment
          tags: [composer]
        workloads:
          scheduler: {cpu: 1, memory_gb: 4, storage_gb: 5, count: 2}
          dag_processor: {cpu: 2, memory_gb: 8, storage_gb: 2, count: 2}
          web_server: {cpu: 1, memory_gb: 4, storage_gb: 2}
          worker: {cpu: 2, memory_gb: 8, storage_gb: 10, min_count: 2, max_count: 6}
          triggerer: {cpu: 0.5, memory_gb: 1, count: 1}
"""
)
COMPOSER_2 = (
    """\
      composer:
        image_version: composer-2.17.9-airflow-2.11.1
"""
    + COMMON
    + """\
        retention: {metadata_days: 60, task_logs: cloud_logging_only}
        control_plane_access: {office: 203.0.113.0/24}
        network:
          network: $network
          subnetwork: $subnet:data
          pods_range_name: pods
          services_range_name: services
          master: 10.66.0.0/28
          public_ranges: true
          public_endpoint: true
          ip_masquerade: true
          tags: [composer]
        workloads:
          scheduler: {cpu: 2, memory_gb: 8, storage_gb: 5, count: 2}
          triggerer: {cpu: 0.5, memory_gb: 1, count: 1}
"""
)
FUSION = """\
      data_fusion:
        edition: enterprise
        version: 6.11.1
        patch_revision: 6.11.1.2
        display_name: Core
        description: Loads the lake
        private: true
        network:
          connection: private_service_connect
          network_attachment: $attachment:fusion
          unreachable_range: 192.168.0.0/25
        rbac: true
        iam: {admin: ["group:platform@acme.example"], operator: [$composer, "group:ops@acme.example"]}
        roles: [roles/bigquery.jobUser]
        events: {}
        maintenance: {days: [saturday, sunday], hour: 22, hours: 8}
        accelerators: {cdc: true, healthcare: false}
        options: {system.profile.provisioner.enabled: "true"}
"""
FUSION_PEERED = FUSION.replace(
    """\
          connection: private_service_connect
          network_attachment: $attachment:fusion
          unreachable_range: 192.168.0.0/25
""",
    """\
          connection: vpc_peering
          network: $network
          ip_allocation: 10.89.48.0/22
""",
)
"""The same instance by peering."""
TAIL = """\
    pipelines: {directory: pipelines}
  data-platform:hawk_key: {secure: v1:AAAAAAAAAAA=:AAAA}
  data-platform:orders_db_password: {secure: v1:AAAAAAAAAAA=:AAAA}
"""


def text(*parts: str, changes: tuple[tuple[str, str], ...] = ()) -> str:
    """The stack file; each piece to be changed must be there."""
    made = HEAD + NETWORK + "".join(parts) + TAIL
    for old, new in changes:
        assert old in made, old
        made = made.replace(old, new)
    return made


def stack(folder: Path, *parts: str, changes: tuple[tuple[str, str], ...] = ()) -> Path:
    """A project with one stack `orc` and the checkout's pipelines."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n", encoding="utf-8")
    (folder / f"Pulumi.{NAME}.yaml").write_text(text(*parts, changes=changes), encoding="utf-8")
    if not (folder / "pipelines").exists():
        shutil.copytree(ROOT / "pipelines", folder / "pipelines")
    return folder


def recorded_stack(folder: Path, *parts: str, changes: tuple[tuple[str, str], ...] = ()) -> list[RecordedResource]:
    """What it registers."""
    return record(stack(folder, *parts, changes=changes), NAME)
