"""A folder of DAGs in a real Airflow of `.venvs`: loaded once, and run with dag.test() in one process.

`AIRFLOW2_PYTHON` and `AIRFLOW3_PYTHON` name other interpreters than those of `.venvs`.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dataplatform.compile.runtime import runtime_files

ROOT = Path(__file__).parents[2]


def airflow_python(major: int, kind: str = "") -> Path:
    """The interpreter of an Airflow; of the `kind` "-operators" it has the providers of clouds."""
    name = f"AIRFLOW{major}{kind.replace('-', '_').upper()}_PYTHON"
    python = Path(os.environ.get(name, ROOT / f".venvs/airflow{major}{kind}/bin/python"))
    assert python.exists(), f"there is no Airflow {major} at {python}; `make setup` brings it"
    return python


def run(
    major: int,
    home: Path,
    files: Mapping[str, str],
    asked: Sequence[Mapping[str, Any]],
    executors_url: str,
    *,
    kind: str = "",
    driver: str = "airflow_driver.py",
    more: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write the DAG files beside the runtime, load them all and run those asked for; the driver's document.

    `asked` has a `dag_id` and a `conf` each. Waits for executors are a thousandth of what they say. `more` is added to
    the environment.
    """
    python, dags = airflow_python(major, kind), home / "dags"
    for name, text in {**files, **runtime_files()}.items():
        (dags / name).parent.mkdir(parents=True, exist_ok=True)
        (dags / name).write_text(text)
    (home / "request.json").write_text(json.dumps({"run": asked}))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        # A bare DagBag of 3.x leaves the DAG folder off the path; the DAG processor puts it there.
        "PYTHONPATH": str(dags),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "DATAPLATFORM_EXECUTORS_EMULATOR_HOST": executors_url,
        "DATAPLATFORM_TIME_SCALE": "0.001",
        **(more or {}),
    }
    program = [str(Path(__file__).parent / driver), str(dags), str(home / "request.json")]
    for command in (["-m", "airflow", "db", "migrate"], [*program, str(home / "result.json")]):
        done = subprocess.run([str(python), *command], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    document: dict[str, Any] = json.loads((home / "result.json").read_text())
    return document
