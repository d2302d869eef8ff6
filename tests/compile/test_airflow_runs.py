"""Compiled DAGs in real Airflow: they load without a complaint, and dag.test() does what the definition means.

One process of each Airflow loads and runs everything that is asked here; 3.x gets a smoke set, for it takes two seconds
a task.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from dataplatform.compile import airflow
from dataplatform.local.executors import Call, JobScript, serve
from tests.compile import real_airflow

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

SAMPLES = (
    "demo_pipeline_cloud_workflows",
    "demo_pipeline_composer",
    "etl_example_0",
    "workflow_single_thread_1_level",
)
ON_2 = (
    "ok",
    "fail",
    "both_fail",
    "last_fails",
    "startfail",
    "bad_id",
    "lost_start",
    "never",
    "transient",
    "continue",
    "continue_twice_and_last",
    "continue_after_failure",
    "wide",
)
ON_3 = ("fail", "continue_after_failure")
HOSTILE = ["größe", "1st", "class", "'); import os #", "{{ ti }}", "${x}", '"""', "a-b", "a.b", "ジョブ"]

ADOPTING = """\
from datetime import datetime, timedelta, timezone
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow.models.dag import DAG
from dataplatform_runtime.operators import ExecutorStepOperator

with DAG(dag_id="retries", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)):
    for job in ("retries_never", "retries_failed", "retries_lost"):
        ExecutorStepOperator(
            task_id=job, job_name=job, pipeline="p", level="1", thread="1", function="f", poll_interval=20, timeout=40,
            intermediate_url="https://x.cloudfunctions.net/i", retries=1, retry_delay=timedelta(0),
        )
"""


@dataclasses.dataclass
class Ran:
    major: int
    document: dict[str, Any]
    calls: Sequence[Call]

    def run(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.document["runs"][name]
        return found


@pytest.fixture(scope="module", params=[2, 3])
def ran(request: pytest.FixtureRequest, make: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    major = request.param
    home = tmp_path_factory.mktemp(f"airflow{major}")
    scenarios = ON_2 if major == 2 else ON_3
    hostile = make.plan([[list(HOSTILE)]], name="hostile name é")
    plans = [make.scenario(name) for name in ON_2] + [make.sample(name) for name in SAMPLES] + [hostile]
    files = {f"{plan.name}.py": airflow.render(plan) for plan in plans}
    wanted = [*scenarios, "demo_pipeline_composer", "retries"]
    if major == 2:
        wanted += [name for name in SAMPLES if name not in wanted] + [airflow.dag_id(hostile)]
    dates = {"query_variables": {"start_date": "2025-03-01", "extra": 1}, "end_date": "2025-03-02"}
    asked = [{"dag_id": name, "conf": dates if name == "demo_pipeline_composer" else None} for name in wanted]
    script = make.script(scenarios) | {
        "retries_never": JobScript(outcome="never"),
        "retries_failed": JobScript(outcome="failed"),
        "retries_lost": JobScript(outcome="lost_start"),
    }
    with serve(script) as executors:
        document = real_airflow.run(major, home, {**files, "retries.py": ADOPTING}, asked, executors.url)
        yield Ran(major, document, executors.calls)


def test_every_dag_loads_without_error_or_warning(ran: Ran) -> None:
    assert ran.document["version"].startswith("2.11." if ran.major == 2 else "3.2.")
    assert ran.document["import_errors"] == {}
    assert ran.document["warnings"] == []
    assert {*ON_2, *SAMPLES, "retries"} < set(ran.document["dags"])
    assert ran.document["dags"]["ok"]["tags"] == ["data-platform"]
    assert "pipelines/ok.json" in ran.document["dags"]["ok"]["doc"]


def test_runs_do_what_the_definition_means(ran: Ran, make: Any) -> None:
    for name in ON_2 if ran.major == 2 else ON_3:
        run, scenario = ran.run(name), make.scenarios[name]
        assert run["state"] == scenario.state, run["log"]
        make.check_calls(name, ran.calls)
        for task, state in run["tasks"].items():
            job = task.rsplit(".", 1)[1].removeprefix(f"{name}_")
            if job in scenario.steps:
                assert state == {"not run": "upstream_failed"}.get(scenario.steps[job], scenario.steps[job]), task


def test_a_failure_names_the_step(ran: Ran) -> None:
    place = "pipeline fail, level 1, thread 1, step fail_a: the status call failed: HTTP status 500: Exception : "
    assert place in ran.run("fail")["log"]


def test_samples_run_in_the_order_of_the_file(ran: Ran) -> None:
    names = SAMPLES if ran.major == 2 else ("demo_pipeline_composer",)
    assert {ran.run(name)["state"] for name in names} == {"success"}
    calls = [call for call in ran.calls if call.body["workflow_name"] == "demo_pipeline_composer"]
    ends = {call.job_name: call.time for call in calls}
    starts = {call.job_name: call.time for call in reversed(calls)}
    last = "run_dataform_tag"
    assert set(ends) == {"sample_serverless_spark_mainframe_ingestion", "sample_jdbc_dataflow_ingestion", last}
    assert starts[last] > max(time for name, time in ends.items() if name != last)
    assert {call.function for call in calls} == {
        "dataproc-serverless-job-executor",
        "dataflow-flextemplate-job-executor",
        "dataform-tag-executor",
    }


def test_what_executors_get(ran: Ran) -> None:
    body = next(call.body for call in ran.calls if call.body["workflow_name"] == "demo_pipeline_composer")
    assert body["query_variables"] == {"start_date": "2025-03-01", "end_date": "2025-03-02", "extra": 1}
    assert body["step_properties"] == {"jobs_definitions_bucket": "acme-data-dev-jobs"}
    assert body["workflow_properties"] == {}
    assert body["execution_id"].startswith("manual__")
    other = next(call.body for call in ran.calls if call.body["workflow_name"] == "fail")
    assert other["query_variables"] == {"start_date": "2024-12-31", "end_date": "2025-01-01"}


def test_a_retry_adopts_a_running_job_starts_a_failed_one_anew_and_stops_where_it_cannot_know(ran: Ran) -> None:
    run = ran.run("retries")
    assert run["state"] == "failed"
    starts = [call.job_name for call in ran.calls if call.call_type == "get_id"]
    assert {name: starts.count(name) for name in starts if name.startswith("retries")} == {
        "retries_never": 1,
        "retries_failed": 2,
        "retries_lost": 1,
    }
    assert sum(call.job_name == "retries_never" and call.call_type == "get_status" for call in ran.calls) == 4
    assert "adopted job aef_retries-never_1 of an earlier try" in run["log"]
    assert "look whether it runs, then delete the Airflow variable dataplatform_runtime.job." in run["log"]


def test_any_job_name_runs(ran: Ran) -> None:
    (name,) = (name for name in ran.document["dags"] if name.startswith("hostile"))
    assert len(ran.document["dags"][name]["tasks"]) == len(HOSTILE)
    if ran.major == 3:
        return
    assert ran.run(name)["state"] == "success", ran.run(name)["log"]
    calls = [call for call in ran.calls if call.body["workflow_name"] == "hostile name é"]
    assert [call.job_name for call in calls if call.call_type == "get_id"] == HOSTILE
