"""A stack on Azure alone with the real engine: up, no drift, down, and up again under the same names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.azure.stacks import DATABRICKS, write_files
from tests.tool.test_stack import Project

pytestmark = pytest.mark.engine


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    file = made.root / "Pulumi.dev.yaml"
    head = file.read_text().partition("    gcp:\n")[0]
    write_files(made.root)
    file.write_text(head + DATABRICKS)
    return made


def test_up_without_drift_and_down_and_up_again(project: Project) -> None:
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, out + err
    assert "azure_vault_uri = https://acmedata-dev-kv.vault.azure.net/" in out
    assert "databricks_host = https://adb-" in out
    assert "catalog = acmedata_dev" in out
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, out + err
    assert "acmedatadevlake" not in str(
        [r["inputs"] for r in project.state()["resources"] if r["type"] == "azure-native:keyvault:Secret"]
    )
    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert not project.cloud()
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, out + err
    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
