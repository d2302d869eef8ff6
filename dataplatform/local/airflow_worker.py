"""Runs inside an Airflow environment, started by `airflow_run.py`: one DAG, one `dag.test()`, one result file.

It imports Airflow and nothing of ours; the DAGs find `dataplatform_runtime` beside themselves. There is no scheduler.
The run of another DAG that a step triggers is made by Airflow as ever, and then played to its end by a further process
of this program with an Airflow home of its own; the run gets the state that came of it, and the step finds it there.
How long that takes on this machine says nothing about the time it takes elsewhere, so the step's timeout does not run
in the meantime.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any


def main(asked: str) -> int:
    """Run what a file asks for, `{"folder", "file", "dag_id", "conf", "database", "result"}`.

    Writes `{"state", "error", "steps", "tasks"}` to `result`; `conf` is null or the run's configuration, `database` an
    empty metadata database, `file` null where other DAGs of the folder may be run.
    """
    request = json.loads(Path(asked).read_text("utf-8"))
    from airflow.models import DagBag

    sys.path.insert(0, request["folder"])
    bag = DagBag(dag_folder=request["file"] or request["folder"], include_examples=False)
    if request["dag_id"] not in bag.dags:
        said = "; ".join(str(error).strip().splitlines()[-1] for error in bag.import_errors.values())
        return _tell(request, "failed", said or f"there is no DAG {request['dag_id']}", {})
    if request["file"] is None:
        # Where the DAG processor would have put them: what is not there cannot be triggered.
        bag.sync_to_db()
        _play_triggered_runs(request)
    dag = bag.dags[request["dag_id"]]
    try:
        run = dag.test(run_conf=request["conf"])
    except Exception as problem:
        _tell(request, "failed", f"{type(problem).__name__}: {problem}", {})
        raise
    states = {ti.task_id: str(getattr(ti.state, "value", ti.state)) for ti in run.get_task_instances()}
    failed = sorted(name for name, state in states.items() if state == "failed")
    steps = {task.job_name: states[task.task_id] for task in dag.tasks if hasattr(task, "job_name")}
    error = f"failed: {', '.join(failed)}" if failed else ""
    return _tell(request, str(getattr(run.state, "value", run.state)), error, steps, states)


def _tell(
    request: dict[str, Any], state: str, error: str, steps: dict[str, str], tasks: dict[str, str] | None = None
) -> int:
    said = {"state": state, "error": error, "steps": steps, "tasks": tasks or {}}
    Path(request["result"]).write_text(json.dumps(said), "utf-8")
    return 0 if state == "success" else 1


def _play_triggered_runs(request: dict[str, Any]) -> None:
    pipelines: Any = sys.modules.get("dataplatform_runtime.pipelines")
    if pipelines is None:
        return
    trigger = pipelines.trigger_run

    def trigger_and_play(dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        trigger(dag_id, run_id, conf)
        if _state(dag_id, run_id) == "queued":
            _set_state(dag_id, run_id, _play(request, dag_id, conf))

    pipelines.trigger_run = trigger_and_play


def _play(request: dict[str, Any], dag_id: str, conf: dict[str, Any]) -> str:
    """Run a DAG of the folder in a process and a home of its own; its state."""
    above = Path(os.environ["AIRFLOW_HOME"]) / "triggered"
    above.mkdir(exist_ok=True)
    home = above / str(len(list(above.iterdir())) + 1)
    home.mkdir()
    shutil.copyfile(request["database"], home / "airflow.db")
    asked, result = home / "request.json", home / "result.json"
    asked.write_text(json.dumps({**request, "dag_id": dag_id, "conf": conf, "result": str(result)}), "utf-8")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }
    subprocess.run([sys.executable, __file__, str(asked)], env=environment, check=False)
    try:
        return str(json.loads(result.read_text("utf-8"))["state"])
    except (OSError, ValueError):
        return "failed"


def _database() -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db", timeout=20))


def _state(dag_id: str, run_id: str) -> str | None:
    with _database() as database:
        query = "SELECT state FROM dag_run WHERE dag_id = ? AND run_id = ?"
        found = database.execute(query, (dag_id, run_id)).fetchone()
    return None if found is None else str(found[0])


def _set_state(dag_id: str, run_id: str, state: str) -> None:
    """End a run as the scheduler would have."""
    with _database() as database:
        database.execute("UPDATE dag_run SET state = ? WHERE dag_id = ? AND run_id = ?", (state, dag_id, run_id))
        database.commit()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
