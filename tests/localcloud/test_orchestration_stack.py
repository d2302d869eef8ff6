"""Composer and Data Fusion with all that may be said of them, with the real engine: up, no drift, edits, down."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.infra.orchestration_stack import COMPOSER_2, COMPOSER_3, FUSION, HEAD, text
from tests.tool.test_stack import ROOT, Project

pytestmark = pytest.mark.engine

ENVIRONMENT = "gcp:composer/environment:Environment"
OBJECT = "gcp:storage/bucketObject:BucketObject"


def write(project: Project, *parts: str, changes: tuple[tuple[str, str], ...] = ()) -> None:
    """The stack file `dev`, with the secrets of the checkout's: only those can be decrypted."""
    checked_out = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    salt = re.search(r"^encryptionsalt:.*$", checked_out, re.MULTILINE)
    secrets = re.findall(
        r"^  data-platform:(?:hawk_key|orders_db_password):\n    secure: .*$", checked_out, re.MULTILINE
    )
    assert salt is not None
    assert len(secrets) == 2
    made = text(*parts, changes=changes).replace("environment: orc", "environment: dev")
    lines = [line for line in made.splitlines() if "secure:" not in line and not line.startswith("encryptionsalt")]
    (project.root / "Pulumi.dev.yaml").write_text("\n".join([salt[0], *lines, *secrets, ""]), encoding="utf-8")


def up(project: Project, *arguments: str) -> str:
    status, out, err = project.dp("up", "dev", "--local", *arguments)
    assert status == 0, out + err
    status, after, err = project.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, after + err
    return out


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_generation_3_and_an_enterprise_instance(project: Project) -> None:
    assert HEAD
    (project.root / "pipelines/plugins").mkdir()
    (project.root / "pipelines/plugins/macros.py").write_text("LIMIT = 1\n")
    (project.root / "pipelines/data").mkdir()
    (project.root / "pipelines/data/orders.sql").write_text("SELECT 1\n")
    (project.root / "pipelines/data/logo.bin").write_bytes(b"\0\1")
    write(project, COMPOSER_3, FUSION)
    up(project)
    made = {key for kind, key in project.cloud() if kind == OBJECT}
    assert {"plugins/macros.py", "data/orders.sql", "data/logo.bin"} <= {key.partition("-bucket-")[2] for key in made}

    # One PATCH for each field of the environment, and nothing is replaced.
    edits = (
        ("hour: 20, hours: 8", "hour: 19, hours: 8"),
        ('celery-worker_concurrency: "12"', 'celery-worker_concurrency: "16"'),
        ("hour: 22, hours: 8", "hour: 21, hours: 8"),
        ("iam: {admin: [", "iam: {viewer: [$workflows], admin: ["),
        ("events: {}", "events: {enabled: false}"),
    )
    write(project, COMPOSER_3, FUSION, changes=edits)
    (project.root / "pipelines/plugins/macros.py").write_text("LIMIT = 2\n")
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code", "--no-replace")
    assert status == 2, out + err
    assert "2 updates one after the other" in out
    up(project, "--no-replace")

    # A definition that goes takes its DAG with it, and a data file its object.
    (project.root / "pipelines/demo_pipeline_composer.json").unlink()
    (project.root / "pipelines/data/logo.bin").unlink()
    up(project)
    left = {key for kind, key in project.cloud() if kind == OBJECT}
    assert not [key for key in left if "demo_pipeline_composer" in key or "logo.bin" in key]

    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert project.cloud() == set()


def test_generation_2_and_the_environment_beside_it(project: Project) -> None:
    write(project, COMPOSER_2)
    up(project)
    write(project, COMPOSER_2, changes=(("env_variables: {", 'env_variables: {MODE: "fast", '),))
    up(project, "--no-replace")

    # Another generation is refused before the engine starts, and nothing changes.
    write(project, COMPOSER_3)
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 1, out + err
    assert "Composer 2 does not become Composer 3" in err
    assert "gcp.previous_composer" in err

    # The new one comes beside the old one, which keeps the DAGs and is not touched.
    old = COMPOSER_2.replace("      composer:\n", "      previous_composer:\n").replace(
        "env_variables: {", 'env_variables: {MODE: "fast", '
    )
    new = COMPOSER_3.replace("      composer:\n", "      composer:\n        name: next\n        dags: false\n")
    write(project, new, old)
    out = up(project, "--no-replace")
    assert {key.rpartition("/")[2] for kind, key in project.cloud() if kind == ENVIRONMENT} == {"dev-core", "dev-next"}

    # Then the DAGs change over, and at last the old one goes; both want a word more.
    write(
        project,
        new.replace("        dags: false\n", ""),
        old.replace("      previous_composer:\n", "      previous_composer:\n        dags: false\n"),
    )
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 1, out + err
    (count,) = set(re.findall(r"--allow-deletes (\d+)", out + err))
    up(project, "--allow-deletes", count)
    write(project, new.replace("        dags: false\n", ""))
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 1, out + err
    (count,) = set(re.findall(r"--allow-deletes (\d+)", out + err))
    up(project, "--allow-deletes", count)
    assert {key.rpartition("/")[2] for kind, key in project.cloud() if kind == ENVIRONMENT} == {"dev-next"}
    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert project.cloud() == set()


def test_domains_in_their_own_projects(project: Project) -> None:
    domains = """\
    pipelines:
      directory: pipelines
      domains: {sales: {project: acme-sales-dev}}
"""
    (project.root / "pipelines/sales").mkdir()
    source = ROOT / "pipelines/demo_pipeline_cloud_workflows.json"
    shutil.copy(source, project.root / "pipelines/sales/sales_orders.json")
    changes = (("    pipelines: {directory: pipelines}\n", domains),)
    write(project, "      composer: {}\n", changes=changes)
    up(project)
    ids = {key for _, key in project.cloud()}
    assert "projects/acme-sales-dev/locations/europe-west1/workflows/sales_orders" in ids
    assert "projects/acme-data-dev/locations/europe-west1/workflows/demo_pipeline_cloud_workflows" in ids
    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert project.cloud() == set()
