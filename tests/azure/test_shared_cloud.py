"""Stacks beside each other in one cloud: one of them goes and comes again under its names while the other stays.

The embedded cloud is reset when nothing is left in it. So only with another stack in it do names stay taken that Azure
keeps: this is where a deleted vault and its secrets would be in the way.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud import store
from localcloud.world import World
from tests.azure.stacks import AZURE
from tests.tool.test_stack import Project

pytestmark = pytest.mark.engine

VAULT = AZURE.partition("      lake:\n")[0] + (
    "      lake:\n"
    "        filesystems: {datalake: {directories: [data/lnd]}}\n"
    "      key_vault:\n"
    "        purge_protection: false\n"
    "        secrets:\n"
    "          kvUrl: {source: vault_uri}\n"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The base stack is up, and a stack on Azure alone is written."""
    made = Project(tmp_path_factory.mktemp("shared") / "project")
    file = made.root / "Pulumi.dev.yaml"
    file.write_text(file.read_text().partition("    gcp:\n")[0] + VAULT)
    status, out, err = made.dp("up", "base", "--local")
    assert status == 0, out + err
    yield made
    status, out, err = made.dp("down", "base", "--local")
    assert status == 0, out + err
    assert not made.cloud()


def taken(project: Project) -> list[str]:
    world = World(project.root / ".dp/cloud")
    try:
        with world.transaction() as tx:
            return [row["key"] for row in tx.execute("SELECT key FROM tombstones")]
    finally:
        world.close()


def test_a_vault_that_is_not_purged_is_in_the_way_and_one_that_is_comes_again(project: Project) -> None:
    for command in ("up", "down", "down"):
        status, out, err = project.dp(command, "dev", "--local")
        assert status == 0, out + err
    assert any("acmedata-dev-kv" in key for key in taken(project))
    status, out, err = project.dp("up", "dev", "--local")
    assert status != 0
    assert "already exists in deleted state" in out + err

    # The stack says what is to be done: the name comes free before the vault is made, and again after it goes.
    file = project.root / "Pulumi.dev.yaml"
    file.write_text(
        file.read_text().replace(
            "        purge_protection: false\n", "        purge_protection: false\n        purge_on_destroy: true\n"
        )
    )
    for command in ("up", "down", "down", "up"):
        status, out, err = project.dp(command, "dev", "--local")
        assert status == 0, out + err
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, out + err
    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert not taken(project)
    world = World(project.root / ".dp/cloud")
    try:
        with world.transaction() as tx:
            assert store.everything(tx), "the base stack is still there"
    finally:
        world.close()
