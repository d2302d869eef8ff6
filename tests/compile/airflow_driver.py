"""Runs inside an Airflow environment: loads the DAG folder, runs DAGs with dag.test(), prints one JSON document.

Usage: python airflow_driver.py FOLDER REQUEST.json RESULT.json, with {"run": [{"dag_id", "conf", "children"}]}.
`children` is the state that runs get which the DAG triggers, for no scheduler is here to run them.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sqlite3
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def main(folder: str, request: str) -> dict[str, Any]:
    wanted = json.loads(Path(request).read_text())
    import airflow

    major = int(airflow.__version__.split(".")[0])
    if major == 2:
        # Without this a second dag.test() on SQLite fails for a table of the FAB provider.
        with contextlib.suppress(ImportError):
            import airflow.providers.fab.auth_manager.models
    from airflow.models.dagbag import DagBag

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        bag = DagBag(folder, include_examples=False)
    names = {str(Path(folder)), "dataplatform_runtime"}
    ours = [str(w.message) for w in seen if any(name in str(w.filename) for name in names)]
    result: dict[str, Any] = {
        "version": airflow.__version__,
        "import_errors": bag.import_errors,
        "warnings": ours,
        "dags": {
            dag.dag_id: {
                "tasks": {t.task_id: sorted(t.downstream_task_ids) for t in dag.tasks},
                "tags": sorted(t for t in dag.tags if not t.startswith("airflow")),
                "doc": dag.doc_md,
            }
            for dag in bag.dags.values()
        },
        "runs": {},
    }
    for number, item in enumerate(wanted.get("run", [])):
        if item.get("children"):
            _known(bag, major)
        with _children(item["dag_id"], item.get("children")) as children:
            result["runs"][item["dag_id"]] = _run(bag.dags[item["dag_id"]], item.get("conf"), number, major)
        result["runs"][item["dag_id"]]["children"] = children
    return result


def _known(bag: Any, major: int) -> None:
    """Put all DAGs into the database, where the processor would have put them."""
    if major == 2:
        bag.sync_to_db()
        return
    from airflow.dag_processing.dagbag import sync_bag_to_db

    with contextlib.suppress(ImportError):
        from airflow.models.dagbundle import DagBundleModel
        from airflow.utils.session import create_session

        with create_session() as session:
            if session.get(DagBundleModel, "testing") is None:
                session.add(DagBundleModel(name="testing"))
    sync_bag_to_db(bag, "testing", None)


@contextlib.contextmanager
def _children(parent: str, state: str | None) -> Iterator[list[dict[str, Any]]]:
    """End the runs of other DAGs that are queued, as a scheduler would after a while."""
    found: list[dict[str, Any]] = []
    if state is None:
        yield found
        return
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.2):
            with contextlib.closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db", timeout=20)) as db:
                query = "SELECT dag_id, run_id FROM dag_run WHERE dag_id <> ? AND state = 'queued'"
                for dag_id, run_id in db.execute(query, (parent,)).fetchall():
                    found.append({"dag_id": dag_id, "run_id": run_id})
                    db.execute("UPDATE dag_run SET state = ? WHERE run_id = ?", (state, run_id))
                db.commit()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _run(dag: Any, conf: Any, number: int, major: int) -> dict[str, Any]:
    day = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    date = {"execution_date": day} if major == 2 else {"logical_date": day}
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            run = dag.test(run_conf=conf, **date)
        states = {ti.task_id: str(getattr(ti.state, "value", ti.state)) for ti in run.get_task_instances()}
        state = str(getattr(run.state, "value", run.state))
        return {"state": state, "tasks": states, "log": log.getvalue()[-1_000_000:]}
    except Exception:
        return {"state": "error", "tasks": {}, "log": log.getvalue()[-1_000_000:] + traceback.format_exc()}
    finally:
        logging.getLogger().removeHandler(handler)


if __name__ == "__main__":
    document = main(sys.argv[1], sys.argv[2])
    Path(sys.argv[3]).write_text(json.dumps(document, indent=1))
