"""The base stack and a stack that uses it, with the real engine on the embedded cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from localcloud import store
from localcloud.world import World
from tests.tool.test_stack import Project

ASSIGNMENT = "azure-native:authorization:RoleAssignment"


def azure_alone(text: str) -> str:
    """A stack file without its part on Google Cloud and what belongs to that."""
    before, _, after = text.partition("    gcp:\n")
    azure = after[after.index("    azure:\n") :]
    return before + azure.partition("      data_factory:\n")[0]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("base") / "project")
    qa = made.root / "Pulumi.qa.yaml"
    qa.write_text(azure_alone(qa.read_text("utf-8")), "utf-8")
    yield made
    for stack in ("qa", "base"):
        status, out, err = made.dp("down", stack, "--local")
        assert status == 0, out + err
    assert not made.cloud()


def rows(project: Project) -> list[store.Row]:
    world = World(project.root / ".dp/cloud")
    try:
        with world.transaction() as tx:
            return store.everything(tx)
    finally:
        world.close()


@pytest.mark.engine
def test_a_stack_waits_for_its_base_and_then_reads_from_it(project: Project) -> None:
    for command in ("up", "preview"):
        status, _, err = project.dp(command, "qa", "--local")
        assert status == 1, err
        assert "qa uses the base stack 'base', which has not been brought up; run: dp up base --local" in err
    assert not project.cloud()

    for stack in ("base", "qa"):
        status, out, err = project.dp("up", stack, "--local")
        assert status == 0, out + err
    found = rows(project)
    (container,) = [row.id for row in found if row.id.endswith("/containers/testdata")]
    (vault,) = [row.id for row in found if row.id.endswith("/vaults/acmedata-base-kv")]
    scopes = {str(row.outputs["scope"]) for row in found if row.token == ASSIGNMENT}
    assert {container, vault} <= scopes

    state = json.loads((project.checkpoint.parent / "qa.json").read_text())["checkpoint"]["latest"]["resources"]
    (outputs,) = [r["outputs"] for r in state if r["type"] == "pulumi:pulumi:Stack"]
    assert outputs["azure_base_test_data"] == "abfss://testdata@acmedatabaselake.dfs.core.windows.net"
    assert outputs["azure_base_vault_uri"] == "https://acmedata-base-kv.vault.azure.net/"
    for stack in ("base", "qa"):
        status, out, err = project.dp("preview", stack, "--local", "--json")
        assert status == 0, out + err
        # What is read is another stack's outputs.
        assert set(json.loads(out)["changes"]) <= {"read", "refresh", "same"}
