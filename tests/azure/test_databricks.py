"""A Databricks workspace and what is in it: registered in one go, with nothing done by hand."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any, cast

import pytest

from components.azure.quartz import quartz_of
from dataplatform.diagnostics import Diagnostics
from dataplatform.local.plan_recorder import UNKNOWN_MARKER, RecordedResource, record
from infra.decide import check_stacks
from tests.azure.stacks import CLUSTER, DATABRICKS, TENANT, write_files, write_stack
from tests.infra.inventory import ancestors, of_type

KIND = "databricks:index/"
WORKSPACE = "azure-native:databricks:Workspace"
CONTAINER = "azure-native:storage:BlobContainer"


def kind(name: str) -> str:
    return f"{KIND}{name[0].lower()}{name[1:]}:{name}"


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return record(write_stack(write_files(tmp_path_factory.mktemp("databricks")), azure=DATABRICKS), "dev")


def one(resources: list[RecordedResource], token: str) -> RecordedResource:
    (found,) = of_type(resources, token)
    return found


def problems(root: Path, azure: str = DATABRICKS) -> Diagnostics:
    return check_stacks(write_stack(root, azure=azure), ["dev"])


def test_everything_in_the_workspace_waits_for_it_and_signs_in_with_entra(resources: list[RecordedResource]) -> None:
    provider = one(resources, "pulumi:providers:databricks")
    workspace = one(resources, WORKSPACE)
    assert workspace.urn in provider.dependencies
    assert provider.inputs["host"] == UNKNOWN_MARKER
    assert not {"token", "password", "clientSecret", "azureClientSecret"} & provider.inputs.keys()
    inside = [r for r in resources if r.type.startswith(KIND)]
    assert len(inside) > 10
    for resource in inside:
        assert resource.provider == provider.urn, resource.name
        assert workspace.urn in ancestors(resource, resources) | ancestors(provider, resources)
    assert not of_type(resources, kind("Token"), kind("Mount"))


MOUNTS = DATABRICKS.replace(
    "          kvUrl: {source: vault_uri}\n", "          kvUrl: {source: vault_uri}\n          mountPassword: {}\n"
).replace(
    "        warehouses:",
    "        legacy_mount: true\n"
    "        mounts:\n"
    "          datalake:\n"
    "            filesystem: datalake\n"
    "            directory: data\n"
    "            client_id: 00000000-0000-4000-8000-0000000000ab\n"
    "            scope: vault\n"
    "            password_from: mountPassword\n"
    "            cluster: etl\n"
    "        warehouses:",
)


def test_a_team_that_still_needs_a_mount_gets_one_and_is_warned(tmp_path: Path) -> None:
    root = write_stack(write_files(tmp_path), azure=MOUNTS)
    with (root / "Pulumi.dev.yaml").open("a", encoding="utf-8") as file:
        file.write("  data-platform:mountPassword:\n    secure: v1:P9iJeGjpWprgnBwo:ABZVPGIC6F9P14BsXMFbB9jGpNcPVZU=\n")
    found = check_stacks(root, ["dev"])
    assert [(one.code, one.severity, one.path) for one in found.items] == [
        ("DP255", "warning", "platform.azure.databricks.mounts.datalake")
    ]
    assert not found
    resources = record(root, "dev")
    mount = one(resources, kind("Mount"))
    abfs: Any = mount.inputs["abfs"]
    # The password's name, never the password: it is read from the vault when it is mounted.
    assert abfs["clientSecretScope"] == "vault"
    assert abfs["clientSecretKey"] == "mountPassword"
    assert abfs["directory"] == "/data"
    assert abfs["tenantId"] == TENANT
    assert abfs["initializeFileSystem"] is False
    scope = one(resources, kind("SecretScope"))
    (container,) = [r for r in of_type(resources, CONTAINER) if r.inputs["containerName"] == "datalake"]
    assert {scope.urn, container.urn} <= ancestors(mount, resources) | set(mount.dependencies)


def test_the_workspace_is_premium_and_its_clusters_are_not_public(resources: list[RecordedResource]) -> None:
    inputs = one(resources, WORKSPACE).inputs
    assert inputs["sku"] == {"name": "premium"}
    assert inputs["parameters"] == {"enableNoPublicIp": {"value": True}}


def test_the_catalog_reaches_the_lake_through_the_access_connector(resources: list[RecordedResource]) -> None:
    credential = one(resources, kind("StorageCredential"))
    connector = one(resources, "azure-native:databricks:AccessConnector")
    (role,) = [r for r in resources if r.name == "azure-databricks-connector-lake"]
    assert {connector.urn, role.urn} <= ancestors(credential, resources)
    locations = {r.name: r.inputs["name"] for r in of_type(resources, kind("ExternalLocation"))}
    assert locations == {
        "unity-catalog-storage": "acmedata_dev_storage",
        "unity-catalog-location-landing": "acmedata_dev_landing",
    }
    catalog = one(resources, kind("Catalog"))
    assert catalog.inputs["name"] == "acmedata_dev"
    assert catalog.inputs["isolationMode"] == "ISOLATED"


def test_grants_are_additive(resources: list[RecordedResource]) -> None:
    assert not of_type(resources, kind("Grants"))
    told = {r.name: r.inputs["privileges"] for r in of_type(resources, kind("Grant"))}
    assert told == {
        "unity-catalog-catalog-grant-analysts": ["USE_CATALOG"],
        "unity-catalog-schema-raw-grant-analysts": ["SELECT", "USE_SCHEMA"],
    }


def test_a_scope_is_backed_by_the_vault_which_lets_databricks_in_first(resources: list[RecordedResource]) -> None:
    scope = one(resources, kind("SecretScope"))
    assert scope.inputs["name"] == "vault"
    assert "keyvaultMetadata" in scope.inputs
    (role,) = [r for r in resources if r.name == "azure-databricks-vault"]
    assert role.urn in scope.dependencies


def test_a_cluster_is_as_its_file_says_with_its_tokens_filled(resources: list[RecordedResource]) -> None:
    inputs = one(resources, kind("Cluster")).inputs
    assert inputs["clusterName"] == "etl"
    assert inputs["sparkEnvVars"] == {"DATABASE": "lake"}
    assert inputs["autoscale"] == {"minWorkers": 1, "maxWorkers": 2}
    tags = inputs["customTags"]
    assert isinstance(tags, dict)
    assert tags["managed-by"] == "pulumi"


def test_a_release_has_a_folder_of_its_own(resources: list[RecordedResource]) -> None:
    notebooks = {r.inputs["path"]: r.inputs["language"] for r in of_type(resources, kind("Notebook"))}
    assert notebooks == {
        "/releases/2026.11.1/notebooks/etl/02_standardize": "PYTHON",
        "/releases/2026.11.1/notebooks/setup": "SQL",
    }
    wheel = one(resources, kind("WorkspaceFile")).inputs
    assert wheel["path"] == "/releases/2026.11.1/libs/acme_transform-1.4.0-py3-none-any.whl"
    assert base64.b64decode(str(wheel["contentBase64"])) == b"PK not really a wheel"


def test_a_job_runs_the_release_in_its_order(resources: list[RecordedResource]) -> None:
    job = one(resources, kind("Job")).inputs
    assert job["schedule"] == {
        "quartzCronExpression": "0 30 2 ? * SUN,FRI,SAT",
        "timezoneId": "Europe/Berlin",
        "pauseStatus": "PAUSED",
    }
    assert job["maxConcurrentRuns"] == 1
    assert job["parameters"] == [{"name": "day", "default": ""}]
    assert job["emailNotifications"] == {"onFailures": ["data@acme.example"]}
    tags: Any = job["tags"]
    assert tags["release"] == "2026.11.1"
    assert tags["managed-by"] == "pulumi"
    (cluster,) = cast("list[Any]", job["jobClusters"])
    assert cluster["jobClusterKey"] == "runs"
    assert cluster["newCluster"]["sparkVersion"] == "15.4.x-scala2.12"
    assert not {"clusterName", "autoterminationMinutes"} & cluster["newCluster"].keys()
    report, standardize, transform = cast("list[Any]", job["tasks"])
    assert report["dependsOns"] == [{"taskKey": "transform"}]
    assert "existingClusterId" not in report
    assert standardize["notebookTask"]["baseParameters"] == {"mode": "full"}
    assert transform["pythonWheelTask"] == {
        "packageName": "acme_transform",
        "entryPoint": "run",
        "namedParameters": {"level": "2"},
    }
    assert transform["jobClusterKey"] == "runs"
    assert (transform["maxRetries"], transform["minRetryIntervalMillis"]) == (1, 60000)
    assert len(transform["libraries"]) == 1


@pytest.mark.parametrize(
    ("cron", "wanted"),
    [
        ("0 6 * * *", "0 0 6 * * ?"),
        ("*/5 0-3 1,15 JAN-MAR *", "0 */5 0-3 1,15 JAN-MAR ?"),
        ("0 0 * * 0", "0 0 0 ? * SUN"),
        ("0 0 * * 7", "0 0 0 ? * SUN"),
        ("0 0 * * MON-FRI", "0 0 0 ? * MON,TUE,WED,THU,FRI"),
        ("0 0 * * 1-5/2,SAT", "0 0 0 ? * MON,WED,FRI,SAT"),
        ("0 0 * * */3", "0 0 0 ? * SUN,WED,SAT"),
    ],
)
def test_a_schedule_as_quartz_writes_it(cron: str, wanted: str) -> None:
    assert quartz_of(cron) == wanted


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        (("DATABASE: lake", "DATABASES: lake"), "DP252 .*__REPLACE_DATABASE__"),
        (("databricks/clusters/etl.json", "databricks/clusters/elt.json"), "DP252 .*did you mean 'databricks/clusters"),
        (("databricks/notebooks", "databricks/none"), "DP252 there is no folder"),
        (("notebooks: databricks/notebooks", "notebooks: databricks/libs"), "DP252 .*not a notebook in source"),
        (("notebooks: databricks/notebooks", "notebooks: ../elsewhere"), "DP124 "),
        (("policy: etl", "policy: elt"), "DP218 there is no policy 'elt'"),
        (("filesystem: datalake, path", "filesystem: datalak, path"), "DP218 the lake has no filesystem 'datalak'"),
        (("service_principal: 00000000-0000-4000-8000-0000000000aa\n        ", ""), "DP218 the vault must let"),
        (
            ("notebook: setup", "notebook: set_up"),
            "DP252 there is no notebook 'set_up' in notebooks did you mean 'setup'",
        ),
        (("libraries: [acme_t", "libraries: [acme-t"), "DP252 there is no library .* did you mean"),
        (
            ("cluster: etl\n              transform", "cluster: elt\n              transform"),
            "DP218 there is no cluster",
        ),
        (("job_cluster: runs", "job_cluster: run"), "DP218 there is no job cluster 'run' did you mean 'runs'"),
        (("needs: [standardize]", "needs: [standardise]"), "DP218 there is no task 'standardise' did you mean"),
        (("needs: [standardize]", "needs: [report]"), "DP250 '(report|transform)' needs '(report|transform)' needs"),
        (("{notebook: setup, needs", "{needs"), "DP250 a task is a notebook or a wheel, and this is neither"),
        (
            ("job_cluster: runs", "job_cluster: runs\n                cluster: etl"),
            "DP250 the task has a cluster already",
        ),
        (("                job_cluster: runs\n", ""), "DP250 libraries are installed on a cluster"),
        (("30 2 * * 5-7", "30 2 1 * 5-7"), "DP250 Databricks cannot begin runs on days of the month and on"),
        (("30 2 * * 5-7", "30 2 * *"), "DP324 "),
        (("Europe/Berlin", "Europe/Berlim"), "DP324 "),
    ],
)
def test_what_is_wrong_is_told_before_anything_happens(tmp_path: Path, edit: tuple[str, str], wanted: str) -> None:
    assert edit[0] in DATABRICKS
    found = problems(write_files(tmp_path), DATABRICKS.replace(*edit))
    told = [f"{item.code} {item.message} {item.remedy}" for item in found.items]
    assert any(re.match(wanted, text) for text in told), told


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        (('_minutes": 30', '_minutes": "30"'), "DP529"),
        (('"USER_ISOLATION"', '"USER_ISOLATION", "num_wrokers": 2'), "DP531"),
        (('"__REPLACE_DATABASE__"', "true"), "DP530"),
    ],
)
def test_a_cluster_file_is_judged_with_its_line(tmp_path: Path, edit: tuple[str, str], wanted: str) -> None:
    write_files(tmp_path)
    file = tmp_path / "databricks/clusters/etl.json"
    file.write_text(CLUSTER.replace(*edit))
    found = [item for item in problems(tmp_path).items if item.code == wanted]
    assert found
    assert found[0].position.line > 1
