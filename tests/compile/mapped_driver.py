"""`airflow_driver`, with a state for each instance of a mapped task: `start_pipelines.run[3]`."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import airflow_driver  # type: ignore[import-not-found]


def run(dag: Any, conf: Any, number: int, major: int) -> dict[str, Any]:
    """One `dag.test()`."""
    day = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    date = {"execution_date": day} if major == 2 else {"logical_date": day}
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            found = dag.test(run_conf=conf, **date)
        states = {}
        for ti in found.get_task_instances():
            name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
            states[name] = str(getattr(ti.state, "value", ti.state))
        shown = {f"{ti.task_id}[{ti.map_index}]": ti.rendered_map_index for ti in found.get_task_instances()}
        state = str(getattr(found.state, "value", found.state))
        return {"state": state, "tasks": states, "shown": shown, "log": log.getvalue()[-1_000_000:]}
    except Exception:
        return {"state": "error", "tasks": {}, "shown": {}, "log": log.getvalue()[-1_000_000:] + traceback.format_exc()}
    finally:
        logging.getLogger().removeHandler(handler)


if __name__ == "__main__":
    airflow_driver._run = run
    document = airflow_driver.main(sys.argv[1], sys.argv[2])
    Path(sys.argv[3]).write_text(json.dumps(document, indent=1))
