"""A DAG in a real Airflow: a process of the Airflow environment, with a home of its own for each run.

The metadata database is SQLite, made once and copied: a run starts from an empty Airflow and leaves nothing behind but
its log. `airflow_worker.py` is what that process runs. Where steps run other pipelines, their DAGs lie beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dataplatform.compile import airflow
from dataplatform.compile.plan import Plan
from dataplatform.compile.runtime import runtime_files
from dataplatform.local.callers import dag_account
from dataplatform.local.errors import ToolError
from dataplatform.local.leftovers import RUN_MARK, run_mark
from dataplatform.local.run import Execution

WORKER = Path(__file__).with_name("airflow_worker.py")


class AirflowExecution(Execution):
    """One `dag.test()`, and one more for each run of another pipeline that its steps trigger."""

    def __init__(
        self,
        root: Path,
        plan: Plan,
        address: str,
        time_scale: float,
        others: Sequence[Plan] = (),
        environment: str = "airflow2",
        *,
        more: Mapping[str, str] | None = None,
    ) -> None:
        python = root / ".venvs" / environment / "bin" / "python"
        if not python.exists():
            raise ToolError(f"there is no Airflow in .venvs/{environment}; run: make setup")
        database = _database(root, environment, python)
        self._home = Path(tempfile.mkdtemp(prefix=f"{plan.name}-", dir=database.parent))
        shutil.copyfile(database, self._home / "airflow.db")
        dags = self._home / "dags"
        files = {**runtime_files(), **{f"{one.name}.py": airflow.render(one) for one in (*others, plan)}}
        for name, text in files.items():
            file = dags / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        self._result = self._home / "result.json"
        asked = {
            "folder": str(dags),
            "file": None if others else str(dags / f"{plan.name}.py"),
            "dag_id": airflow.dag_id(plan),
            "conf": None,
            "database": str(database),
            "result": str(self._result),
        }
        request = self._home / "request.json"
        request.write_text(json.dumps(asked), "utf-8")
        logs = root / ".dp" / "log"
        logs.mkdir(parents=True, exist_ok=True)
        self.log = logs / f"airflow-{plan.name}-{os.getpid()}.log"
        variables = {
            **_variables(self._home, python),
            "DATAPLATFORM_EXECUTORS_EMULATOR_HOST": address,
            "DATAPLATFORM_TIME_SCALE": str(time_scale),
            RUN_MARK: run_mark(root),
            **(more or {}),
        }
        account = dag_account(root, plan)
        if account is not None:
            variables["DATAPLATFORM_EXECUTORS_EMULATOR_CALLER"] = account
        with self.log.open("w", encoding="utf-8") as out:
            self._process = subprocess.Popen(
                [str(python), str(WORKER), str(request)],
                cwd=self._home,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def poll(self) -> tuple[str, str] | None:
        """None while the process lives."""
        if self._process.poll() is None:
            return None
        try:
            result = json.loads(self._result.read_text("utf-8"))
        except (OSError, ValueError):
            return "failed", f"Airflow ended with {self._process.returncode}; what it said is in {self.log}"
        if result["state"] == "success":
            return "succeeded", ""
        return "failed", f"{result['error'] or 'the DAG run ended as ' + result['state']}; see {self.log}"

    def states(self) -> Mapping[str, str]:
        """State of the task of each step, as Airflow tells it."""
        with contextlib.suppress(OSError, ValueError):
            steps = json.loads(self._result.read_text("utf-8"))["steps"]
            return {str(name): "skipped" if state == "upstream_failed" else str(state) for name, state in steps.items()}
        return {}

    def tasks(self) -> Mapping[str, str]:
        """State of each task, as Airflow tells it; of a mapped one, of one of its instances."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return {str(k): str(v) for k, v in json.loads(self._result.read_text("utf-8"))["tasks"].items()}
        return {}

    def close(self) -> None:
        """End the process and remove its home."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)


def _variables(home: Path, python: Path) -> dict[str, str]:
    """A clean Airflow: nothing of the caller's Airflow or Python settings gets in."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PYTHON", "VIRTUAL_ENV"))}
    return kept | {
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONUNBUFFERED": "1",
    }


def _database(root: Path, environment: str, python: Path) -> Path:
    """The empty metadata database of an Airflow environment, made once for its version."""
    base = root / ".dp" / environment
    base.mkdir(parents=True, exist_ok=True)
    stamp = python.parent.parent / "pyvenv.cfg"
    database = base / f"empty-{int(stamp.stat().st_mtime)}.db"
    with (base / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            home = Path(tempfile.mkdtemp(prefix="new-", dir=base))
            try:
                made = subprocess.run(
                    [str(python), "-m", "airflow", "db", "migrate"],
                    cwd=home,
                    env=_variables(home, python),
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if made.returncode:
                    raise ToolError(
                        f"Airflow cannot make its database: {(made.stderr.strip() or '?').splitlines()[-1]}"
                    )
                (home / "airflow.db").replace(database)
            finally:
                shutil.rmtree(home, ignore_errors=True)
    return database
