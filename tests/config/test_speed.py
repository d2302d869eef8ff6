"""A check is lean and quick. The promises hold on a quiet machine; the bounds here leave room for a busy one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataplatform.config.check import check_stacks
from tests.config.test_definitions import step

STACK = """\
config:
  data-platform:platform:
    environment: dev
    protect: false
    gcp: {project: acme-data-dev, region: europe-west1, workflows: {}}
    pipelines: {}
"""


def rich_project(root: Path, count: int) -> Path:
    """A stack with so many definitions of 12 steps each, about 120 lines apiece."""
    (root / "Pulumi.dev.yaml").write_text(STACK, encoding="utf-8")
    folder = root / "pipelines"
    folder.mkdir()
    for i in range(count):
        levels = [
            {
                "LEVEL_ID": str(level),
                "THREADS": [
                    {
                        "THREAD_ID": str(thread),
                        "STEPS": [
                            step(
                                JOB_ID=f"J{level}{thread}{n}",
                                JOB_NAME=f"load_{level}_{thread}_{n}",
                                WAIT_TIME_SECONDS="30",
                                STEP_PROPERTIES=json.dumps({"a": {"b": [n]}}),
                            )
                            for n in range(2)
                        ],
                    }
                    for thread in range(3)
                ],
            }
            for level in (1, 2)
        ]
        text = json.dumps({"engine": "cloud_workflows", "definition": levels}, indent=2)
        (folder / f"p{i}.json").write_text(text, encoding="utf-8")
    return root


def test_importing_the_check_imports_nothing_heavy() -> None:
    code = "import sys, dataplatform.config.check; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {name.split(".")[0] for name in loaded} & {"pulumi", "grpc", "google", "airflow", "click", "infra"}
    assert heavy == set()
    assert "dataplatform.compile" not in loaded


@pytest.mark.parametrize(("count", "bound"), [(1, 1.0), (200, 4.0), (1000, 20.0)])
def test_checking_is_quick(count: int, bound: float, tmp_path: Path) -> None:
    root = rich_project(tmp_path, count)
    begin = time.perf_counter()
    found = check_stacks(root)
    seconds = time.perf_counter() - begin
    assert not found, found.render()
    assert seconds < bound
