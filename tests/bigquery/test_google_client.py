"""Google's own client works against the embedded BigQuery with nothing but its address changed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from localcloud.workflows.server import serve
from localcloud.world import World
from tests.bigquery.support import CONFIGURATION, PROJECT, google, make_dataset, make_table, new_project
from tests.compile.real_airflow import airflow_python

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(300)]


def test_googles_own_client_works(tmp_path: Path) -> None:
    world = World(tmp_path)
    new_project(world)
    client = google(world)
    make_dataset(client, "cdf_output", "EU")
    make_table(client, "cdf_output", "configuration", CONFIGURATION)
    program = [str(airflow_python(2, "-operators")), str(Path(__file__).with_name("google_client.py"))]
    with serve(world) as server:
        done = subprocess.run(
            [*program, server.url, PROJECT],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found == {
        "datasets": ["cdf_output"],
        "inserted": [],
        "table": [5, "EU", ["business_unit", "data_source", "is_active"]],
        "listed": [
            {"business_unit": "hr", "data_source": "größe 0", "is_active": True},
            {"business_unit": "hr", "data_source": "größe 1", "is_active": False},
        ],
        "queried": [["größe 0", True], ["größe 2", True], ["größe 4", True]],
        "at_once": [[5]],
        "elsewhere": f"Not found: Dataset {PROJECT}:cdf_output was not found in location US",
        "deleted": 2,
        "left": 0,
    }
