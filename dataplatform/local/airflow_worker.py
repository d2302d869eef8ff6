"""Runs inside an Airflow environment, started by `airflow_run.py`: one DAG file, one `dag.test()`, one result file.

It imports Airflow and nothing of ours; the DAG finds `dataplatform_runtime` beside itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(file: str, dag_id: str, result: str) -> int:
    """Run the DAG and write `{"state", "error", "tasks"}`."""
    from airflow.models import DagBag

    sys.path.insert(0, str(Path(file).parent))
    bag = DagBag(dag_folder=file, include_examples=False)
    if dag_id not in bag.dags:
        said = "; ".join(str(error).strip().splitlines()[-1] for error in bag.import_errors.values())
        text = said or f"the file has no DAG {dag_id}"
        Path(result).write_text(json.dumps({"state": "failed", "error": text, "tasks": {}}), "utf-8")
        return 1
    dag = bag.dags[dag_id]
    state, error, tasks = "failed", "", {}
    try:
        run = dag.test()
        state = str(getattr(run.state, "value", run.state))
        tasks = {ti.task_id: str(getattr(ti.state, "value", ti.state)) for ti in run.get_task_instances()}
        failed = sorted(name for name, value in tasks.items() if value == "failed")
        error = f"failed: {', '.join(failed)}" if failed else ""
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
        raise
    finally:
        Path(result).write_text(json.dumps({"state": state, "error": error, "tasks": tasks}), "utf-8")
    return 0 if state == "success" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
