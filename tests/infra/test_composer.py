"""A Composer environment with everything that may be said of one, for either generation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.check import check_stacks
from dataplatform.local.plan_recorder import RecordedResource, record
from tests.infra.inventory import checkout, of_type, stack_text
from tests.tool.test_stack import Project

ENVIRONMENT = "gcp:composer/environment:Environment"
SECRET = "gcp:composer/userWorkloadsSecret:UserWorkloadsSecret"
CONFIG_MAP = "gcp:composer/userWorkloadsConfigMap:UserWorkloadsConfigMap"
ATTACHMENT = "projects/acme-data-dev/regions/europe-west1/networkAttachments/a"

COMMON = """\
        resilience: true
        web_server_access: {office: 203.0.113.0/24, vpn: 198.51.100.7/32}
        lineage: true
        maintenance: {days: [saturday, sunday], hour: 20, hours: 8}
        snapshots: {schedule: 0 4 * * *, time_zone: UTC+01, location: $bucket:landing/snapshots}
"""
GENERATION_3 = (
    "size: small\n"
    + COMMON
    + """\
        private: true
        private_builds: true
        web_server_plugins: false
        retention: {metadata_days: 60}
        workload_secrets: {hawk: {key: hawk_key}}
        workload_config_maps: {settings: {mode: fast}}
        network:
          network: projects/acme-data-dev/global/networks/default
          subnetwork: projects/acme-data-dev/regions/europe-west1/subnetworks/default
          internal_range: 100.64.128.0/20
"""
)
GENERATION_2 = (
    "size: small\n"
    + COMMON
    + """\
        private: true
        retention: {task_logs: cloud_logging_only}
        network:
          network: projects/acme-data-dev/global/networks/default
          subnetwork: projects/acme-data-dev/regions/europe-west1/subnetworks/default
          pods: 10.64.0.0/17
          services: 10.65.0.0/22
          master: 10.66.0.0/28
          tags: [composer]
"""
)


def of_generation(generation: int) -> str:
    text = stack_text("dev", ("size: small\n", GENERATION_3 if generation == 3 else GENERATION_2))
    return text if generation == 3 else text.replace("composer-3-airflow-2.11.1", "composer-2-airflow-2.11.1")


def config_of(resources: list[RecordedResource]) -> Any:
    (environment,) = of_type(resources, ENVIRONMENT)
    return environment.inputs["config"]


@pytest.fixture(scope="module", params=[3, 2], ids=["composer-3", "composer-2"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Any]:
    root = checkout(tmp_path_factory.mktemp("composer") / "project", stacks={"dev": of_generation(request.param)})
    return request.param, config_of(record(root, "dev"))


def test_what_both_generations_have(config: tuple[int, Any]) -> None:
    _, found = config
    assert found["resilienceMode"] == "HIGH_RESILIENCE"
    assert found["maintenanceWindow"] == {
        "startTime": "2024-01-01T20:00:00Z",
        "endTime": "2024-01-02T04:00:00Z",
        "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
    }
    snapshots = found["recoveryConfig"]["scheduledSnapshotsConfig"]
    assert snapshots["snapshotCreationSchedule"] == "0 4 * * *"
    assert snapshots["timeZone"] == "UTC+01"
    assert [r["description"] for r in found["webServerNetworkAccessControl"]["allowedIpRanges"]] == ["office", "vpn"]
    assert found["softwareConfig"]["cloudDataLineageIntegration"] == {"enabled": True}


def test_what_only_one_has(config: tuple[int, Any]) -> None:
    generation, found = config
    node = found["nodeConfig"]
    if generation == 3:
        assert found["enablePrivateEnvironment"] is True
        assert found["enablePrivateBuildsOnly"] is True
        assert found["softwareConfig"]["webServerPluginsMode"] == "DISABLED"
        assert node["composerInternalIpv4CidrBlock"] == "100.64.128.0/20"
        assert "privateEnvironmentConfig" not in found
    else:
        assert node["ipAllocationPolicy"] == {
            "clusterIpv4CidrBlock": "10.64.0.0/17",
            "servicesIpv4CidrBlock": "10.65.0.0/22",
        }
        assert node["tags"] == ["composer"]
        assert found["privateEnvironmentConfig"]["masterIpv4CidrBlock"] == "10.66.0.0/28"
        assert not {"enablePrivateEnvironment", "enablePrivateBuildsOnly"} & found.keys()


def test_an_attachment_stands_for_network_and_subnetwork(tmp_path: Path) -> None:
    lines = [line for line in of_generation(3).splitlines(keepends=True) if "/default" not in line]
    text = "".join(lines).replace(
        "          internal_range",
        "          network_attachment: " + ATTACHMENT + "\n          internal_range",
    )
    node = config_of(record(checkout(tmp_path / "p", stacks={"dev": text}), "dev"))["nodeConfig"]
    assert node["composerNetworkAttachment"] == ATTACHMENT
    assert not {"network", "subnetwork"} & node.keys()


def test_secrets_of_workloads_are_secret(tmp_path: Path) -> None:
    resources = record(checkout(tmp_path / "p", stacks={"dev": of_generation(3)}), "dev")
    (secret,) = of_type(resources, SECRET)
    assert secret.inputs["name"] == "hawk"
    assert secret.secrets
    assert "data" not in secret.inputs or secret.inputs["data"] == {}
    (config_map,) = of_type(resources, CONFIG_MAP)
    assert config_map.inputs["data"] == {"mode": "fast"}


@pytest.mark.parametrize(
    ("generation", "edit", "wanted"),
    [
        (
            2,
            ("          tags", "          internal_range: 100.64.0.0/20\n          tags"),
            "DP212 internal_range is of",
        ),
        (
            2,
            ("        private: true\n", "        private: true\n        private_builds: true\n"),
            "DP212 private_builds is",
        ),
        (3, ("metadata_days: 60", "task_logs: cloud_logging_only"), "DP212 where task logs are kept is of Composer 2"),
        (3, ("100.64.128.0/20", "100.64.128.0/21"), "DP230 .*is not a /20"),
        (3, ("[saturday, sunday], hour: 20, hours: 8", "[sunday], hour: 20, hours: 8"), "DP125 the window has 8 hours"),
        (3, ("0 4 * * *", "0 4 * *"), "DP124 .* has 4 fields"),
        (3, ("$bucket:landing", "$bucket:lading"), "DP218 the lake has no zone 'lading'"),
        (3, ("{key: hawk_key}", "{key: hawk_kay}"), "DP218 'hawk_kay' is none of the stack's secrets"),
        (2, ("          pods:", "          pods_range_name: pods\n          pods:"), "DP212 pods and pods_range_name"),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, generation: int, edit: tuple[str, str], wanted: str) -> None:
    text = of_generation(generation)
    assert edit[0] in text
    root = checkout(tmp_path / "p", stacks={"dev": text.replace(*edit)})
    told = [f"{item.code} {item.message}" for item in check_stacks(root, ["dev"]).items]
    assert any(re.match(wanted, one) for one in told), told


@pytest.mark.engine
@pytest.mark.parametrize("generation", [3, 2])
def test_it_comes_up_and_does_not_drift(tmp_path: Path, generation: int) -> None:
    project = Project(tmp_path / "project")
    (project.root / "Pulumi.dev.yaml").write_text(of_generation(generation))
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, out + err
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, out + err
    file = project.root / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("hour: 20", "hour: 19").replace("UTC+01", "UTC+02"))
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code", "--no-replace")
    assert status == 2, out + err
    assert "2 updates one after the other, about 50 min" in out
    assert project.dp("down", "dev", "--local")[0] == 0
