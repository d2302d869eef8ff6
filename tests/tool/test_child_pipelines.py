"""`dp run` of pipelines that run others on Airflow: each is played by a real Airflow of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataplatform.compile.plan import Level, Plan, Source, Step, Target, Thread
from dataplatform.local import executors
from dataplatform.local.run import run
from dataplatform.local.trace import RunTrace

ROOT = Path(__file__).parents[2]
TARGET = Target(
    project="acme-data-dev",
    region="europe-west1",
    intermediate_url="https://europe-west1-acme-data-dev.cloudfunctions.net/orch-framework-intermediate",
    jobs_definitions_bucket="acme-data-dev-jobs",
)


def plan(name: str, *steps: str) -> Plan:
    """One thread of steps; `>x` is a step that runs the pipeline x."""
    job = Step(
        id="",
        job_id="J01",
        job_name="",
        executor="dataform-tag-executor",
        status_executor="dataform-tag-executor",
        poll_interval=20,
        timeout=300,
    )
    made = [
        replace(job, id=f"run_{step[1:]}", job_name=f"run_{step[1:]}", executor=step[1:], kind="workflows")
        if step.startswith(">")
        else replace(job, id=step, job_name=step)
        for step in steps
    ]
    return Plan(
        name=name,
        engines=("airflow",),
        levels=(Level(id="1", threads=(Thread(id="1", steps=tuple(made)),)),),
        target=TARGET,
        source=Source(file=f"pipelines/{name}.json", sha256="ab" * 32),
    )


MOTHER, CHILD, GRANDCHILD = (
    plan("mother", "first", ">child", "last"),
    plan("child", "first", ">grandchild"),
    plan("grandchild", "leaf"),
)


def played(root: Path, **script: executors.JobScript) -> RunTrace:
    (root / ".venvs").symlink_to(ROOT / ".venvs")
    said: list[str] = []
    trace, _ = run(root, MOTHER, "airflow", said.append, script=script, others=(CHILD, GRANDCHILD))
    return trace


@pytest.mark.airflow
@pytest.mark.timeout(300)
def test_a_pipeline_s_pipelines_run_in_airflow_too(tmp_path: Path) -> None:
    trace = played(tmp_path)
    assert trace.state == "succeeded", trace.error
    assert [step.state for step in trace.steps] == ["succeeded"] * 3
    (log,) = (tmp_path / ".dp" / "log").glob("airflow-mother-*.log")
    said = log.read_text("utf-8")
    assert "step grandchild" not in said
    assert "pipeline grandchild, level 1, thread 1, step leaf: job aef_leaf_1 succeeded" in said


@pytest.mark.airflow
@pytest.mark.timeout(300)
def test_the_failure_of_one_is_the_step_s(tmp_path: Path) -> None:
    trace = played(tmp_path, leaf=executors.JobScript(outcome="failed"))
    assert trace.state == "failed"
    assert "run_child" in trace.error
    assert [(step.id, step.state) for step in trace.steps] == [
        ("first", "succeeded"),
        ("run_child", "failed"),
        ("last", "not run"),
    ]
    (log,) = (tmp_path / ".dp" / "log").glob("airflow-mother-*.log")
    assert "pipeline mother, level 1, thread 1, step run_child: the pipeline ended as failed" in log.read_text("utf-8")
