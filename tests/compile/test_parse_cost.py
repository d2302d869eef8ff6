"""What a DAG processor pays for a compiled DAG at every parse: its fork imports no Airflow module, and no heavy one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dataplatform.compile import airflow
from dataplatform.compile.runtime import runtime_files
from tests.compile import real_airflow
from tests.compile.conftest import Make

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(300)]

DRIVER = """\
import importlib, json, sys
file = sys.argv[1]
import airflow.dag_processing.manager, airflow.dag_processing.processor
import airflow.serialization.serialized_objects as serialized
if sys.argv[2] == "3":
    import airflow.sdk.execution_time.task_runner
from airflow.utils.file import iter_airflow_imports

for module in iter_airflow_imports(file):
    importlib.import_module(module)
before = set(sys.modules)
space = {"__name__": "parsed"}
text = open(file).read().replace("with DAG(", "with (dag := DAG(", 1).replace("\\n):\\n", "\\n)):\\n", 1)
exec(compile(text, file, "exec"), space)
imported = sorted(set(sys.modules) - before)
dag = space["dag"]
kind = getattr(serialized, "DagSerialization", None) or serialized.SerializedDAG
document = kind.to_dict(dag)["dag"]
empty = {}
for task in document["tasks"]:
    task = task.get("__var", task)
    empty[task["task_id"]] = bool(task.get("_is_empty"))
print("RESULT", json.dumps({
    "imported": imported,
    "dag_params": sorted(dag.params),
    "task_params": sorted({name for task in dag.tasks for name in task.params}),
    "empty": empty,
}))
"""


@pytest.mark.parametrize("major", [2, 3])
def test_parse_imports_only_the_runtime_and_tasks_have_no_copy_of_the_params(
    tmp_path: Path, make: Make, major: int
) -> None:
    goes_on = make.step("a", continue_if_fail=True)
    plan = make.plan([[[goes_on], ["b"]], [["c"]]])
    files = {**runtime_files(), "p.py": airflow.render(plan)}
    for name, text in files.items():
        (tmp_path / "dags" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dags" / name).write_text(text)
    (tmp_path / "driver.py").write_text(DRIVER)
    done = subprocess.run(
        [str(real_airflow.airflow_python(major)), str(tmp_path / "driver.py"), str(tmp_path / "dags/p.py"), str(major)],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": str(tmp_path / "dags"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rpartition("RESULT ")[2])
    assert all(name.partition(".")[0] == "dataplatform_runtime" for name in found["imported"]), found["imported"]
    assert found["imported"]
    assert found["dag_params"] == ["end_date", "start_date", "workflow_properties"]
    assert found["task_params"] == []
    gates = {name for name, empty in found["empty"].items() if empty}
    assert gates == {"level_1.thread_1.a_ended", "level_1.ended"}
    assert len(found["empty"]) == 5
