"""One definition, two engines, one meaning: generated definitions do on both engines what the reference says.

A case is a definition with every shape the format allows and a table of what executors answer (`generated`). Its
workflow runs in the embedded engine and its DAG under the real runtime, both in virtual time; each must make the same
calls at the same seconds of its steps, repeat them after the same delays, time out, fail, skip and end like the
reference. Samples of the same kind of cases run in real Airflow.

A failure names the seed of its case: `DATAPLATFORM_SEED=17 pytest tests/compile/test_meaning.py` plays that case alone.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile import airflow, workflows
from dataplatform.compile.reference import StepTrace, Trace, trace
from dataplatform.compile.workflows_parts import Limits, attempt
from localcloud.workflows.check import check_source
from tests.compile import light_airflow, real_airflow, scripted
from tests.compile.engines import DagEngine, Run, in_workflows
from tests.compile.generated import MAX_LEVELS, MAX_STEPS, MAX_THREADS, Case, case
from tests.compile.observed import differences

pytestmark = pytest.mark.slow

CASES, BLOCK = 500, 50
SEED = os.environ.get("DATAPLATFORM_SEED")
BLOCKS = [range(int(SEED), int(SEED) + 1)] if SEED else [range(n, n + BLOCK) for n in range(0, CASES, BLOCK)]
ON_2, ON_3 = range(25), range(25, 30)

BUILDERS = {
    *("DAG", "Param", "TaskGroup", "EmptyOperator", "ExecutorStepOperator", "PipelineStepOperator"),
    *("CronTriggerTimetable", "NotifyFailure", "datetime", "timedelta"),
}
"""All that a DAG file may call: what the DAG is made of, and the dates and durations in it."""


@pytest.fixture(scope="module")
def in_airflow() -> Iterator[DagEngine]:
    names = ("DATAPLATFORM_EXECUTORS_EMULATOR_HOST", "DATAPLATFORM_TIME_SCALE")
    with pytest.MonkeyPatch.context() as patch, light_airflow.installed() as operators:
        for name in names:
            patch.delenv(name, raising=False)
        yield DagEngine(operators)


def compare(found: Case, reference: Trace, engine: str, run: Run) -> list[str]:
    """In what an engine's run was other than the plan means."""
    problems = differences(found.plan, found.outcomes, reference, run.trace, run.messages)
    if run.begins != reference.earliest():
        problems.append(f"steps began at {run.begins}, not at {reference.earliest()}")
    if run.structure is not None and run.structure != reference.before:
        more, less = sorted(run.structure - reference.before), sorted(reference.before - run.structure)
        problems.append(f"the order has {more} that it must not have, and lacks {less}")
    return [f"{engine}: {problem}" for problem in problems]


@pytest.mark.meaning
@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_both_engines_do_what_the_definition_means(seeds: range, in_airflow: DagEngine, tmp_path: Path) -> None:
    for seed in seeds:
        found = case(seed, tmp_path)
        reference = trace(found.plan, found.outcomes)
        problems = []
        engines: dict[str, Callable[[Any, Any], Run]] = {"Cloud Workflows": in_workflows, "Airflow": in_airflow}
        for name, engine in engines.items():
            try:
                problems += compare(found, reference, name, engine(found.plan, found.outcomes))
            except Exception as error:
                error.add_note(_again(seed))
                raise
        assert not problems, "\n".join([_again(seed), *problems])


PARTS = [Limits(executed_steps=600), Limits(executed_steps=2500), Limits(source_bytes=14_000)]
"""So small that a case becomes several workflows; what a step needs alone is refused."""


@pytest.mark.meaning
@pytest.mark.parametrize("limits", PARTS, ids=lambda one: f"{one.source_bytes} bytes, {one.executed_steps} steps")
def test_a_pipeline_in_parts_means_the_same(limits: Limits, tmp_path: Path) -> None:
    count: collections.Counter[str] = collections.Counter()
    for seed in [int(SEED)] if SEED else range(25):
        found = case(seed, tmp_path)
        rendered, problems = attempt(found.plan, {}, limits)
        if problems or len(rendered) == 1:
            count["refused" if problems else "whole"] += 1
            continue
        count["in parts"] += 1
        count["a level in lanes"] += "run_piece" in rendered[0].text
        _, *parts = rendered
        assert [name for part in parts for name in part.steps] == [step.id for step in found.plan.steps()]
        assert len({part.workflow_id for part in rendered}) == len(rendered)
        assert not [problem for text in rendered for problem in check_source(text.text)]
        reference = trace(found.plan, found.outcomes)
        run = in_workflows(found.plan, found.outcomes, limits)
        # A part is looked at in turns, so the next one begins some seconds after it has ended.
        different = compare(found, reference, "in parts", dataclasses.replace(run, begins=reference.earliest()))
        assert not different, "\n".join([_again(seed), *different])
    assert SEED or min(count["in parts"], count["a level in lanes"] * 3) >= 10, count
    assert count["refused"] < 10, count


def _again(seed: int) -> str:
    return f"to see this case alone: DATAPLATFORM_SEED={seed} pytest tests/compile/test_meaning.py"


@pytest.mark.skipif(SEED is not None, reason="one case alone")
def test_the_cases_have_everything_that_may_happen(tmp_path: Path) -> None:
    count: collections.Counter[str] = collections.Counter()
    for seed in range(CASES):
        found = case(seed, tmp_path)
        levels = found.plan.levels
        played = trace(found.plan, found.outcomes)
        count[f"run: {played.state}"] += 1
        count["levels"] += len(levels) == MAX_LEVELS
        count["threads"] += any(len(level.threads) == MAX_THREADS for level in levels)
        count["wide"] += any(len(level.threads) > workflows.MAX_BRANCHES for level in levels)
        count["long"] += any(len(thread.steps) == MAX_STEPS for level in levels for thread in level.threads)
        count["policies"] += len({step.retry for step in found.plan.steps()}) > 1
        count["schedule"] += found.plan.schedule is not None
        for step in found.plan.steps():
            _count(count, played.steps[step.id])
            count[f"kind {step.kind}"] += played.steps[step.id].state == "success"
            count["parameters"] += bool(step.parameters)
            count["hostile name"] += not step.job_name.startswith("job_")
            count["failed and went on"] += step.continue_if_fail and step.id in played.failures
    kinds = ["start call", "no job id", "status call", "unknown status", "timeout", "error answer", "ended otherwise"]
    ours = ["kind async", "kind sync", "kind workflows", "parameters", "schedule", "job run again", "again, success"]
    statuses = [f"{phase} {s}" for phase in ("start", "status") for s in (0, 200, 429, 500, 502, 503, 504)]
    wanted = [
        *("run: success", "run: failed", "levels", "threads", "wide", "long", "policies", "hostile name", "skipped"),
        *("failed and went on", "repeated 5 times", "5 polls", *kinds, *statuses, *ours),
    ]
    assert {name: count[name] for name in wanted if count[name] < 10} == {}


def _count(count: collections.Counter[str], step: StepTrace) -> None:
    count[step.state] += 1
    count["repeated 5 times"] += any(call.attempt >= 5 for call in step.calls)
    count["5 polls"] += step.polls >= 5
    again = any(call.run for call in step.calls)
    count["job run again"] += again
    count["again, success"] += again and step.state == "success"
    if step.failure:
        count[step.failure.kind] += 1
    for call in step.calls:
        count[f"{call.phase} {call.answer.status}"] += 1


def test_a_dag_file_only_builds_its_dag(tmp_path: Path) -> None:
    """At import a file calls what DAGs are made of, and nothing of that has a side effect; no name can add a call."""
    for seed in [int(SEED)] if SEED else range(0, CASES, 5):
        module = ast.parse(airflow.render(case(seed, tmp_path).plan))
        kinds = [type(node) for node in module.body]
        runtime = len(kinds) - 3
        assert kinds == [ast.ImportFrom, ast.Try, *[ast.ImportFrom] * runtime, ast.With], seed
        attempt = module.body[1]
        assert isinstance(attempt, ast.Try)
        handlers = [node for handler in attempt.handlers for node in handler.body]
        assert all(isinstance(node, ast.ImportFrom) for node in [*attempt.body, *handlers]), seed
        made = [node.func for node in ast.walk(module) if isinstance(node, ast.Call)]
        assert {name.id if isinstance(name, ast.Name) else ast.dump(name) for name in made} <= BUILDERS, seed
        odd = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.comprehension, ast.JoinedStr)
        assert not [node for node in ast.walk(module) if isinstance(node, (*odd, ast.Import, ast.Subscript))], seed
        attributes = {node.attr for node in ast.walk(module) if isinstance(node, ast.Attribute)}
        assert attributes <= {"utc"}, seed


def test_the_same_definition_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    program = (
        "import hashlib, sys\n"
        "from pathlib import Path\n"
        "from dataplatform.compile import airflow, workflows\n"
        "from tests.compile.generated import case\n"
        "digest = hashlib.sha256()\n"
        "for seed in range(20):\n"
        "    plan = case(seed, Path(sys.argv[1])).plan\n"
        "    digest.update((airflow.render(plan) + workflows.render(plan)).encode())\n"
        "print(digest.hexdigest())\n"
    )
    found = set()
    for seed in ("0", "1", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            cwd=real_airflow.ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": str(real_airflow.ROOT)},
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.airflow
@pytest.mark.timeout(900)
@pytest.mark.skipif(SEED is not None, reason="one case alone")
@pytest.mark.parametrize(("major", "seeds", "most"), [(2, ON_2, 12), (3, ON_3, 6)], ids=["airflow2", "airflow3"])
def test_real_airflow_does_what_the_definition_means(major: int, seeds: range, most: int, tmp_path: Path) -> None:
    cases = [case(seed, tmp_path, wire=True, most=most) for seed in seeds]
    with scripted.serve({found.plan.name: found.outcomes for found in cases}) as executors:
        files = {f"{found.plan.name}.py": airflow.render(found.plan) for found in cases}
        asked = [{"dag_id": airflow.dag_id(found.plan), "conf": None} for found in cases]
        document = real_airflow.run(major, tmp_path / "home", files, asked, executors.url)
        calls = executors.calls
    assert document["version"].startswith("2.11." if major == 2 else "3.2.")
    assert document["import_errors"] == {}
    assert document["warnings"] == []
    for found in cases:
        run = document["runs"][airflow.dag_id(found.plan)]
        assert _in_real_airflow(found, run, calls[found.plan.name]) == [], (found.seed, run["log"][-3000:])


def _in_real_airflow(found: Case, run: dict[str, Any], calls: list[scripted.Arrived]) -> list[str]:
    """What real Airflow did otherwise than the plan means. Its waits are scaled, so the seconds are the reference's."""
    plan, reference = found.plan, trace(found.plan, found.outcomes)
    problems = []
    if run["state"] != reference.state:
        problems.append(f"the run ended as {run['state']}, not {reference.state}")
    tasks = _task_of_job(plan)
    for step in plan.steps():
        must = reference.steps[step.id]
        state = run["tasks"][tasks[step.id]].replace("upstream_failed", "skipped")
        if state != must.state:
            problems.append(f"task {tasks[step.id]} ended as {state}, not {must.state}")
        made = [(call.phase, call.answer) for call in calls if call.step == step.id]
        wanted = [(call.phase, call.answer) for call in must.calls]
        if made != wanted:
            problems.append(f"step {json.dumps(step.id)} made the calls {made}, not {wanted}")
    index = {call.step: n for n, call in reversed(list(enumerate(calls)))}
    last = {call.step: n for n, call in enumerate(calls)}
    problems += [f"{b!r} began before {a!r} had ended" for a, b in reference.before if last[a] > index[b]]
    return problems


def _task_of_job(plan: Any) -> dict[str, str]:
    """Job name → the id of its task, as the DAG's text has it."""
    with light_airflow.installed():
        dag = light_airflow.load(airflow.render(plan))
    return {task.job_name: name for name, task in dag.tasks.items() if hasattr(task, "job_name")}
