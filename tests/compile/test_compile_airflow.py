"""The text of compiled DAGs: no code but the skeleton's, and dependencies that mean what the definition says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from typing import Any

import pytest

from dataplatform.compile import airflow, workflows
from dataplatform.compile.plan import Plan, Retry
from dataplatform.compile.runtime import runtime_files
from dataplatform.diagnostics import InputError

HOSTILE = [
    "load-orders",
    "1st",
    "class",
    "größe",
    "ジョブ",
    "😀",
    "'); import os; os.abort() #",
    '"""',
    "''' + x + '''",
    "a\\",
    "a\nb",
    "{{ ti }}",
    "${x}",
    "\u2028",
    "x.md",
]


def calls(text: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]


def operators(text: str) -> list[dict[str, Any]]:
    """The literal arguments of each step's operator."""
    return [
        {
            keyword.arg: ast.literal_eval(keyword.value)
            for keyword in call.keywords
            if keyword.arg and keyword.arg != "execution_timeout"
        }
        for call in calls(text)
        if isinstance(call.func, ast.Name) and call.func.id == "ExecutorStepOperator"
    ]


def edges(text: str) -> set[tuple[str, str]]:
    """Upstream → downstream by variable name."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
            assert isinstance(node.right, ast.Name)
            left = node.left.elts if isinstance(node.left, ast.List) else [node.left]
            found |= {(name.id, node.right.id) for name in left if isinstance(name, ast.Name)}
    return found


def test_golden(sample: Plan, golden: Any) -> None:
    golden(f"{sample.name}.dag.txt", airflow.render(sample))


def test_same_plan_same_bytes_in_ascii(sample: Plan) -> None:
    text = airflow.render(sample)
    assert text == airflow.render(sample)
    assert text.isascii()
    assert sample.source.sha256 in text
    assert sample.source.file in text


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_data(make: Any, name: str) -> None:
    properties = ((name, [name, {"k": name}, 1.5, None, True]),)
    plan = make.plan([[[make.step(name, properties=properties), "b"]]], name=name)
    text = airflow.render(plan)
    assert text.isascii()
    first, second = operators(text)
    assert first["job_name"] == name
    assert first["step_properties"] == {"jobs_definitions_bucket": "acme-data-dev-jobs", **dict(properties)}
    assert second["task_id"] == "b"
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,110}", first["task_id"])
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", airflow.dag_id(plan))
    allowed = {"DAG", "TaskGroup", "ExecutorStepOperator", "EmptyOperator", "Param", "datetime", "timedelta"}
    assert {call.func.id for call in calls(text) if isinstance(call.func, ast.Name)} <= allowed
    assert all(isinstance(call.func, ast.Name) for call in calls(text))


def test_nothing_is_called_at_module_level_but_the_dag(sample: Plan) -> None:
    module = ast.parse(airflow.render(sample))
    kinds = [type(node) for node in module.body]
    assert kinds == [ast.ImportFrom, ast.Try, ast.ImportFrom, ast.With]


def test_task_ids_do_not_depend_on_other_steps(make: Any) -> None:
    alone = operators(airflow.render(make.plan([[["größe"]]])))[0]["task_id"]
    among = [
        step["task_id"] for step in operators(airflow.render(make.plan([[["grosse", "größe", "groesse", "grö ße"]]])))
    ]
    assert among[1] == alone
    assert len(set(among)) == 4


def test_long_names_stay_apart(make: Any) -> None:
    names = ["x" * 150 + "a", "x" * 150 + "b"]
    ids = [step["task_id"] for step in operators(airflow.render(make.plan([[names]])))]
    assert len(set(ids)) == 2
    assert all(len(found) <= 100 for found in ids)


def test_dependencies_of_levels_threads_and_steps(make: Any) -> None:
    text = airflow.render(make.plan([[["a", "b"], ["c"]], [["d"], ["e"]]]))
    assert edges(text) == {
        ("step_1", "step_2"),
        ("step_2", "level_1_ended"),
        ("step_3", "level_1_ended"),
        ("level_1_ended", "step_4"),
        ("level_1_ended", "step_5"),
        ("step_4", "level_2_ended"),
        ("step_5", "level_2_ended"),
    }


def test_edges_grow_with_the_threads_not_with_their_square(make: Any) -> None:
    text = airflow.render(make.plan([[[f"a{n}"] for n in range(25)], [[f"b{n}"] for n in range(25)]]))
    assert len(edges(text)) == 75
    assert "max_active_tasks=25," in text


def test_what_follows_a_step_that_may_fail_waits_for_its_gate_and_for_what_came_before(make: Any) -> None:
    may_fail = make.step("b", continue_if_fail=True)
    text = airflow.render(make.plan([[["a", may_fail, "c"]]]))
    assert edges(text) == {
        ("step_1", "step_2"),
        ("step_2", "step_2_ended"),
        ("step_1", "step_3"),
        ("step_2_ended", "step_3"),
    }
    assert 'step_2_ended = EmptyOperator(task_id="b_ended", trigger_rule="all_done")' in text


def test_timeouts_are_ordered(make: Any) -> None:
    plan = make.plan([[[make.step("a", timeout=700), make.step("b", timeout=50)], ["c"]]])
    text = airflow.render(plan)
    seconds = [int(found) for found in re.findall(r"execution_timeout=timedelta\(seconds=(\d+)\)", text)]
    (run,) = (int(found) for found in re.findall(r"dagrun_timeout=timedelta\(seconds=(\d+)\)", text))
    assert [step.timeout < task for step, task in zip(plan.steps(), seconds, strict=True)] == [True] * 3
    assert run > sum(seconds)


def test_retries_are_those_of_the_plan(make: Any) -> None:
    text = airflow.render(make.plan([[["a", make.step("b", retry=Retry(max_retries=9))]]]))
    assert [step["call_retry"]["max_retries"] for step in operators(text)] == [5, 9]
    assert '"retries": 0,' in text


def test_a_name_too_long_is_refused_not_cut(make: Any) -> None:
    with pytest.raises(InputError, match="would have 251 characters, and Airflow takes 250"):
        airflow.render(make.plan([[["a"]]], name="x" * 251))


def test_runtime_files_are_complete_and_hidden_from_the_search_for_dags() -> None:
    files = runtime_files()
    names = {name.rsplit("/", 1)[1] for name in files}
    assert {"__init__.py", "compat.py", "operators.py", "protocol.py"} <= names
    ignored = files["dataplatform_runtime/.airflowignore"].split()
    assert set(ignored) == {name for name in names if name.endswith(".py")}
    for text in files.values():
        assert "import dataplatform." not in text
        assert "from dataplatform." not in text


def test_bytes_do_not_depend_on_the_hash_seed(sample: Plan) -> None:
    program = (
        "import pickle, sys, hashlib\n"
        "from dataplatform.compile import airflow, workflows\n"
        "plan = pickle.loads(sys.stdin.buffer.read())\n"
        "print(hashlib.sha256((airflow.render(plan) + workflows.render(plan)).encode()).hexdigest())\n"
    )
    import hashlib
    import pickle

    wanted = hashlib.sha256((airflow.render(sample) + workflows.render(sample)).encode()).hexdigest()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=pickle.dumps(sample),
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            check=True,
        )
        assert done.stdout.decode().strip() == wanted
