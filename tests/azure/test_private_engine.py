"""The private profile and what S2's users did by hand, with the real engine: one `dp up`, and all of it is there."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from localcloud import store
from localcloud.world import World
from tests.azure.stacks import write_files
from tests.azure.test_network import PRIVATE
from tests.tool.test_stack import Project

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A private stack that is up; afterwards it goes, twice, and nothing of it is left."""
    made = Project(tmp_path_factory.mktemp("private") / "project")
    file = made.root / "Pulumi.dev.yaml"
    head = file.read_text().partition("    gcp:\n")[0]
    write_files(made.root)
    file.write_text(head + PRIVATE)
    status, out, err = made.dp("up", "dev", "--local")
    assert status == 0, out + err
    yield made
    for _ in range(2):
        status, out, err = made.dp("down", "dev", "--local")
        assert status == 0, out + err
    assert not made.cloud()


def rows(project: Project, ending: str) -> list[store.Row]:
    world = World(project.root / ".dp/cloud")
    try:
        with world.transaction() as tx:
            return [row for row in store.everything(tx) if row.token.endswith(ending)]
    finally:
        world.close()


def test_the_file_system_is_made_without_a_call_by_hand(project: Project) -> None:
    (account,) = rows(project, ":StorageAccount")
    assert account.outputs["isHnsEnabled"] is True
    names = {row.id.rpartition("/")[2] for row in rows(project, ":BlobContainer")}
    assert names == {"datalake", "sandbox"}


def test_the_zones_of_the_lake_are_there(project: Project) -> None:
    (container,) = [row.id for row in rows(project, ":BlobContainer") if row.id.endswith("/datalake")]
    made = {row.id.removeprefix(f"{container}/directories/"): row.origin for row in rows(project, ":Directory")}
    assert made == {"data": "user", "data/lnd": "user", "libs": "user"}
    known = {r["id"] for r in project.state()["resources"] if r["type"] == "dp-azure:storage:Directory"}
    assert known == {f"{container}/directories/{path}" for path in made}


def test_the_scope_is_backed_by_the_vault_and_holds_no_secret_itself(project: Project) -> None:
    (vault,) = rows(project, "keyvault:Vault")
    (scope,) = rows(project, ":SecretScope")
    assert scope.outputs["keyvaultMetadata"]["resourceId"] == vault.id
    assert scope.outputs["keyvaultMetadata"]["dnsName"] == vault.outputs["properties"]["vaultUri"]
    assert not rows(project, "databricks:index/secret:Secret")


def test_no_token_is_made_and_none_is_used(project: Project) -> None:
    assert not rows(project, ":Token")
    assert not rows(project, ":OboToken")
    state = project.state()["resources"]
    (provider,) = [row for row in state if row["type"] == "pulumi:providers:databricks"]
    assert provider["inputs"]["host"].startswith("https://adb-")
    assert not {"token", "password", "clientSecret", "azureClientSecret"} & provider["inputs"].keys()


def test_no_secret_value_leaves_the_vault(project: Project) -> None:
    secrets = rows(project, "keyvault:Secret")
    assert {row.id.rpartition("/")[2] for row in secrets} == {"storageAccount", "lakeEndpoint", "kvUrl"}
    for resource in project.state()["resources"]:
        if resource["type"] != "azure-native:keyvault:Secret":
            continue
        # The engine writes what is secret encrypted, under this mark.
        for half in ("inputs", "outputs"):
            value = resource[half]["properties"].get("value") if "properties" in resource[half] else None
            assert value is None or "4dabf18193072939515e22adb298388d" in json.dumps(value), resource["urn"]
    held = {
        row.token for row in rows(project, "") if "properties" in row.inputs and "value" in row.inputs["properties"]
    }
    assert held == {"azure-native:keyvault:Secret"}


def test_the_private_stack_shows_no_drift(project: Project) -> None:
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, out + err
    assert len(rows(project, ":PrivateEndpoint")) == 5
