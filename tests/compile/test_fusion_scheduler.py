"""What only a scheduler with workers shows: the bound on runs at the same time, workers and tasks that are killed.

A real Airflow, 2.11 and 3, with its scheduler and LocalExecutor, on SQLite; of 3 the API server that its workers speak
to and the DAG processor are processes of their own. The bound is read off CDAP's own record of when each run began and
ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile.runtime import runtime_files
from localcloud.cdap import scenario
from tests.compile.fusion_cloud import DIES, NAME, Cloud, cloud, dag, definition, dying, row
from tests.compile.real_airflow import airflow_python

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

ROWS, BOUND = 50, 5
YEARLY = {"cron": "0 0 1 1 *"}
"""The newest moment that has passed is run once when the DAG is new."""
PATIENCE_SECONDS = 600


PARTS = {2: ("scheduler",), 3: ("api-server", "dag-processor", "scheduler")}


class Scheduler:
    """A running scheduler over a folder of DAGs, and what its database says."""

    def __init__(self, major: int, home: Path, files: Mapping[str, str], more: Mapping[str, str]) -> None:
        self.database = home / "airflow.db"
        self.log = home / "scheduler.log"
        for name, text in {**files, **runtime_files()}.items():
            (home / "dags" / name).parent.mkdir(parents=True, exist_ok=True)
            (home / "dags" / name).write_text(text)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            # More than the bound, so that nothing else is one.
            "AIRFLOW__CORE__PARALLELISM": "12",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}?timeout=120",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            # What Airflow asks for where SQLite is the database of more than one process.
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
            **(_api(home) if major == 3 else {}),
            **more,
        }
        command = [str(airflow_python(major)), "-m", "airflow"]
        made = subprocess.run([*command, "db", "migrate"], env=environment, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr[-3000:]
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            database.execute("PRAGMA journal_mode = WAL")
        self.processes = []
        for part in PARTS[major]:
            with self.log.open("a") as out:
                asked = [*command, part, *(["--workers", "1"] if part == "api-server" else [])]
                self.processes.append(
                    subprocess.Popen(asked, env=environment, stdout=out, stderr=subprocess.STDOUT, process_group=0)
                )

    def states(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows of a table of Airflow's."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=120)) as database:
            return database.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()

    def finish(self, dags: int) -> dict[str, str]:
        """Wait until each DAG has had its run; the runs' states."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = dict(self.states("dag_run", "dag_id, state"))
            if len(found) == dags and set(found.values()) <= {"success", "failed"}:
                return found
            assert all(process.poll() is None for process in self.processes), self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, f"{found} {self.log.read_text()[-3000:]}"
            time.sleep(0.5)

    def kill(self, at: Cloud, dag_id: str, name: str) -> None:
        """End a task as Airflow does, with SIGTERM to its process, when its run goes on."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            running = [run for run in at.runs(name) if run["status"] == "RUNNING"]
            query = "dag_id, task_id, pid, state"
            found = [row for row in self.states("task_instance", query) if row[:2] == (dag_id, "start_pipelines.run")]
            if running and found and found[0][2] and found[0][3] == "running":
                os.kill(int(found[0][2]), signal.SIGTERM)
                return
            assert time.monotonic() < deadline, f"{found} {self.log.read_text()[-3000:]}"
            time.sleep(0.2)

    def close(self) -> None:
        """End the scheduler and its workers."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            for process in reversed(self.processes):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, how)
            for process in self.processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)


def _api(home: Path) -> dict[str, str]:
    """What the parts of Airflow 3 find each other by."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": "of this test alone",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of this test alone, and at least as long as it must be",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
    }


@pytest.fixture(scope="module", params=[2, 3])
def ran(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cloud, Scheduler, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("definitions")
    with cloud(tmp_path_factory.mktemp("cloud"), time_scale=0.5) as at:
        at.table("many", [row(f"many-{n:02}") for n in range(ROWS)])
        at.table("dies", [row("k-dies")])
        at.table("killed", [row("t-killed")])
        at.script("k-dies", seconds=6)
        at.script("t-killed", seconds=None)
        # The first runs are long, so that a machine that starts tasks slowly has several of them at a time too.
        scenario.add(at.cdap, scenario.Outcome(app=NAME, seconds=24, times=BOUND))
        many = definition(
            schedule=YEARLY,
            parameters={"bq_config_table": "many", "bq_config_max_results": 100, "bq_output_table": "staff"},
            runs={"concurrency": BOUND, "retries": 1},
        )
        dies = definition(
            schedule=YEARLY,
            parameters={"bq_config_table": "dies", "cdf_pipeline_name": DIES},
            runs={"retries": 2},
        )
        killed = dying(dag(folder, "dies", dies), "os.kill(os.getpid(), signal.SIGKILL)")
        ended = definition(
            schedule=YEARLY, parameters={"bq_config_table": "killed", "cdf_pipeline_timeout_seconds": 3600}
        )
        files = {"many.py": dag(folder, "many", many), "dies.py": killed, "killed.py": dag(folder, "killed", ended)}
        scheduler = Scheduler(request.param, tmp_path_factory.mktemp("scheduler"), files, at.environment)
        try:
            scheduler.kill(at, "killed", "t-killed")
            yield at, scheduler, scheduler.finish(len(files))
        finally:
            scheduler.close()


def test_fifty_rows_are_run_five_at_a_time(ran: tuple[Cloud, Scheduler, dict[str, str]]) -> None:
    at, scheduler, states = ran
    assert states["many"] == "success", scheduler.log.read_text()[-3000:]
    runs = [run for run in at.runs() if run["arguments"]["data_source"].startswith("many-")]
    assert len(runs) == ROWS
    assert {run["status"] for run in runs} == {"COMPLETED"}
    assert len({run["arguments"]["data_source"] for run in runs}) == ROWS
    together = [sum(other["begin"] <= run["begin"] < other["end"] for other in runs) for run in runs]
    assert max(together) <= BOUND
    assert max(together) > 1, "nothing ran beside anything, so the bound was not tried"


def test_a_task_whose_worker_is_killed_adopts_its_run(ran: tuple[Cloud, Scheduler, dict[str, str]]) -> None:
    at, scheduler, states = ran
    assert states["dies"] == "success", scheduler.log.read_text()[-3000:]
    (run,) = at.runs("k-dies")
    assert run["status"] == "COMPLETED"
    tries = scheduler.states("task_instance", "dag_id, task_id, try_number")
    assert ("dies", "start_pipelines.run", 2) in tries


def test_a_task_that_is_killed_stops_its_run(ran: tuple[Cloud, Scheduler, dict[str, str]]) -> None:
    at, _, states = ran
    assert states["killed"] == "failed"
    (run,) = at.runs("t-killed")
    assert run["status"] == "KILLED"
