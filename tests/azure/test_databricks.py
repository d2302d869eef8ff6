"""A Databricks workspace and what is in it: registered in one go, with nothing done by hand."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from dataplatform.diagnostics import Diagnostics
from dataplatform.local.plan_recorder import UNKNOWN_MARKER, RecordedResource, record
from infra.decide import check_stacks
from tests.azure.stacks import CLUSTER, DATABRICKS, write_files, write_stack
from tests.infra.inventory import ancestors, of_type

KIND = "databricks:index/"
WORKSPACE = "azure-native:databricks:Workspace"


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
