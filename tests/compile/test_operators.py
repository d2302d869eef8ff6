"""Steps that operators of Airflow's providers run, in real Airflow: the same meaning as over HTTP.

The operators, hooks and triggers are the providers' own; what they ask is answered by `service_apis`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile import airflow
from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan
from dataplatform.config.check import load_definition
from tests.compile import real_airflow, service_apis
from tests.compile.conftest import TARGET

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

DATES = {"start_date": "2025-03-01", "end_date": "2025-03-02"}
JOBS: dict[str, dict[str, Any]] = {
    "dataform-tag-executor": {
        "dataform_location": "europe-west1",
        "dataform_project_id": "p",
        "repository_name": "repo",
        "branch": "release",
        "tags": ["NAME"],
    },
    "dataflow-flextemplate-job-executor": {
        "dataflow_location": "europe-west1",
        "dataflow_template_name": "Jdbc_to_BigQuery_Flex",
        "dataflow_template_version": "latest",
        "dataflow_job_params": {"name": "NAME", "outputTable": "p:d.t"},
        "dataflow_temp_bucket": "temp",
        "dataflow_max_workers": "4",
        "network": "core",
    },
    "dataproc-serverless-job-executor": {
        "dataproc_serverless_project_id": "p",
        "dataproc_serverless_region": "europe-west1",
        "jar_file_location": "gs://jars/x.jar",
        "spark_app_main_class": "com.example.Main",
        "spark_args": ["NAME", "{{ ds }}"],
        "dataproc_serverless_runtime_version": "2.2",
        "spark_app_properties": {"spark.executor.cores": 4},
        "subnetwork": "regions/europe-west1/subnetworks/core",
    },
    "bq-saved-query-executor": {"query": "-- NAME\nselect 1"},
    "bigquery-query": {"query": "-- NAME\nselect * from t where day = @start_date", "location": "EU"},
    "cloud-run-job": {"cloud_run_job": "NAME", "args": ["--day", "$run:end_date"], "env": {"RUN": "$run:id"}},
    "data-fusion-pipeline": {
        "instance_name": "core",
        "pipeline_name": "NAME",
        "runtime_args": {"day": "$run:start_date", "limit": "$parameter:limit"},
    },
    "databricks-run-now": {"databricks_job_id": "NAME", "job_parameters": {"x": "{{ ds }}"}},
    "data-factory-pipeline": {
        "resource_group_name": "rg",
        "factory_name": "f",
        "pipeline_name": "NAME",
        "parameters": {"day": "$run:start_date"},
    },
}
EVERY = tuple(JOBS)
NAMES = {"databricks-run-now": "7"}
"""Names of jobs that are not those of their steps."""


def named(value: Any, name: str) -> Any:
    """Job parameters with a job's name in them."""
    return json.loads(json.dumps(value).replace("NAME", name))


def step(executor: str, how: str = "ok", **more: Any) -> dict[str, Any]:
    """A step whose job does what its name says."""
    name = f"{executor}-{how}"
    job = NAMES.get(executor, name)
    properties = named(JOBS[executor], job)
    return {
        "JOB_ID": name,
        "JOB_NAME": name,
        "COMPOSER_STEP": executor,
        "WAIT_TIME_SECONDS": 1,
        "TIMEOUT_SECONDS": 90,
        "STEP_PROPERTIES": properties,
        **more,
    }


def plan_of(folder: Path, name: str, levels: list[list[list[dict[str, Any]]]], *, deferrable: bool = False) -> Plan:
    """The plan of a definition that says `run: operators`."""
    text = {
        "engine": "composer",
        "run": "operators",
        "parameters": {"limit": {"type": "integer", "default": 5}},
        "definition": [
            {
                "LEVEL_ID": number,
                "THREADS": [{"THREAD_ID": n, "STEPS": steps} for n, steps in enumerate(level, start=1)],
            }
            for number, level in enumerate(levels, start=1)
        ],
    }
    file = folder / f"{name}.json"
    for level in levels:
        for thread in level:
            for found in thread:
                if found["COMPOSER_STEP"] in list(JOBS)[:4] and "STEP_PROPERTIES" in found:
                    where = folder / "jobs" / found["COMPOSER_STEP"]
                    where.mkdir(parents=True, exist_ok=True)
                    (where / f"{found['JOB_NAME']}.json").write_text(json.dumps(found.pop("STEP_PROPERTIES")))
    file.write_text(json.dumps(text))
    definition, problems = load_definition(file, root=folder)
    assert definition is not None, problems.render()
    return build_plan(definition, dataclasses.replace(TARGET, deferrable=deferrable))


RETRIES = {"count": 1, "delay_seconds": 0, "multiplier": 1}
LATE = tuple(name for name in EVERY if name not in ("databricks-run-now", "bq-saved-query-executor"))
AGAIN = tuple(name for name in EVERY if name != "databricks-run-now")
ADOPTED = ("data-fusion-pipeline", "bigquery-query", "cloud-run-job")


def plans(folder: Path) -> dict[str, Plan]:
    """Every plan that is run here, by name."""
    half = len(EVERY) // 2
    may_fail = [
        [step(name, "fails", CONTINUE_IF_FAIL=True)] for name in LATE if name not in ("cloud-run-job", "bigquery-query")
    ]
    fails = [
        [step("cloud-run-job", "fails"), step("cloud-run-job", "skipped")],
        [step("bigquery-query", "fails", CONTINUE_IF_FAIL=True), step("bigquery-query", "follows")],
        *may_fail,
    ]
    late = [[step(name, "never", TIMEOUT_SECONDS=3, RETRIES=RETRIES)] for name in LATE]
    deferred = [[step(name, "deferred")] for name in ("bigquery-query", "cloud-run-job", "data-factory-pipeline")]
    last = [[step("databricks-run-now", "deferred")], [step("bigquery-query", "deferred_fails")]]
    levels = {
        "every": [[[step(name)] for name in EVERY[:half]], [[step(name)] for name in EVERY[half:]]],
        "fails": [fails, [[step("bigquery-query", "skipped")]]],
        "again": [[[step(name, "fails_once", RETRIES=RETRIES)] for name in AGAIN]],
        "late": [late],
        "adopts": [[[step(name, "adopted_late")] for name in ADOPTED]],
        "smoke": [[[step("bigquery-query", "smoke"), step("data-fusion-pipeline", "smoke_fails")]]],
        "refused": [[[step(n, "refused", RETRIES=RETRIES)] for n in ("bigquery-query", "data-fusion-pipeline")]],
    }
    found = {name: plan_of(folder, name, level) for name, level in levels.items()}
    found["deferred"] = plan_of(folder, "deferred", [deferred, last], deferrable=True)
    return found


@dataclasses.dataclass
class Ran:
    major: int
    document: dict[str, Any]
    services: service_apis.Services
    plans: dict[str, Plan]

    def states(self, dag: str) -> dict[str, str]:
        """Task id without its groups → state."""
        return {name.rsplit(".", 1)[1]: state for name, state in self.document["runs"][dag]["tasks"].items()}

    def log(self, dag: str) -> str:
        """What the tasks wrote."""
        return str(self.document["runs"][dag]["log"])


ON_3 = ("smoke", "deferred")


@pytest.fixture(scope="module", params=[2, 3])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    major = request.param
    home = tmp_path_factory.mktemp(f"operators{major}")
    made = plans(tmp_path_factory.mktemp("definitions"))
    wanted = list(made) if major == 2 else list(ON_3)
    files = {f"{name}.py": airflow.render(plan) for name, plan in made.items()}
    with service_apis.serve() as services:
        google = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "p"}}
        port = int(services.url.rsplit(":", 1)[1])
        bricks = {"conn_type": "databricks", "host": "127.0.0.1", "schema": "http", "port": port, "password": "none"}
        more = {
            "SERVICES_URL": services.url,
            "BIGQUERY_EMULATOR_HOST": services.url,
            "GCE_METADATA_HOST": services.url.removeprefix("http://"),
            "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(google),
            "AIRFLOW_CONN_DATABRICKS_DEFAULT": json.dumps(bricks),
            **_earlier(services, "adopts", wanted.index("adopts") if "adopts" in wanted else 0),
        }
        asked = [{"dag_id": name, "conf": DATES} for name in wanted]
        document = real_airflow.run(
            major, home, files, asked, services.url, kind="-operators", driver="services_driver.py", more=more
        )
        yield Ran(major, document, services, made)


def _earlier(services: service_apis.Services, dag: str, number: int) -> dict[str, str]:
    """What earlier tries of the tasks of `adopts` have left behind, as Airflow variables in the environment."""
    fusion = services.begin("cdap", "data-fusion-pipeline-adopted_late", {})
    query = service_apis.Job("", "bigquery", "bigquery-query-adopted_late", {})
    services.ours["dp-earlier"] = query
    found = {}
    for thread, (name, job) in enumerate(zip(ADOPTED, (fusion.id, "dp-earlier", None), strict=True), start=1):
        who = {
            "dag_id": dag,
            "run_id": f"manual__2025-01-01T00:{number:02}:00+00:00",
            "task_id": f"level_1.thread_{thread}.{name}-adopted_late",
            "map_index": -1,
            "job_name": f"{name}-adopted_late",
        }
        digest = hashlib.sha256(json.dumps(who, sort_keys=True).encode()).hexdigest()[:40]
        key = f"AIRFLOW_VAR_DATAPLATFORM_RUNTIME.JOB.{digest.upper()}"
        found[key] = json.dumps({**who, "async_job_id": job})
    return found


def _on_2(ran: Ran) -> None:
    if ran.major == 3:
        pytest.skip("3.x runs a smoke set")


def test_every_dag_loads_without_a_complaint(ran: Ran) -> None:
    assert ran.document["import_errors"] == {}
    assert ran.document["warnings"] == []
    assert set(ran.plans) == set(ran.document["dags"])


def test_every_executor_runs_in_the_order_of_the_levels(ran: Ran) -> None:
    _on_2(ran)
    assert set(ran.states("every").values()) == {"success"}, ran.log("every")
    jobs = [ran.services.of("job7" if name in NAMES else f"{name}-ok")[0] for name in EVERY]
    order = list(ran.services.jobs.values())
    half = len(EVERY) // 2
    assert max(order.index(job) for job in jobs[:half]) < min(order.index(job) for job in jobs[half:])


def test_what_services_are_told(ran: Ran) -> None:
    _on_2(ran)
    asked = {name: ran.services.of("job7" if name in NAMES else f"{name}-ok")[0].asked for name in EVERY}
    query = asked["bigquery-query"]["configuration"]["query"]
    assert query["queryParameters"] == [
        {"name": "start_date", "parameterType": {"type": "DATE"}, "parameterValue": {"value": "2025-03-01"}}
    ]
    assert asked["bigquery-query"]["jobReference"]["location"] == "EU"
    assert asked["bq-saved-query-executor"]["configuration"]["query"]["priority"] == "BATCH"
    (container,) = asked["cloud-run-job"]["overrides"]["containerOverrides"]
    assert container["args"] == ["--day", "2025-03-02"]
    assert container["env"][0]["value"].startswith("manual__")
    assert asked["data-fusion-pipeline"]["runtimeargs"] == {"day": "2025-03-01", "limit": "5"}
    assert asked["databricks-run-now"]["job_parameters"] == {"x": "{{ ds }}"}
    assert asked["data-factory-pipeline"]["parameters"] == {"day": "2025-03-01"}
    compiled = next(body for _, path, body in ran.services.calls if path == "/dataform/compile")
    assert compiled["compilation_result"]["git_commitish"] == "release"
    assert compiled["compilation_result"]["code_compilation_config"]["vars"] == DATES
    launch = asked["dataflow-flextemplate-job-executor"]["launchParameter"]
    assert launch["containerSpecGcsPath"] == ("gs://dataflow-templates-europe-west1/latest/flex/Jdbc_to_BigQuery_Flex")
    assert launch["environment"] == {"tempLocation": "gs://temp/dataflow/temp", "maxWorkers": 4, "network": "core"}
    assert launch["jobName"].startswith("dp-dataflowflextemplate-")
    batch = asked["dataproc-serverless-job-executor"]["batch"]
    assert batch["spark_batch"]["args"] == ["dataproc-serverless-job-executor-ok", "{{ ds }}"]
    assert batch["runtime_config"]["properties"] == {"spark.executor.cores": "4"}
    assert batch["environment_config"]["execution_config"]["subnetwork_uri"] == (
        "projects/p/regions/europe-west1/subnetworks/core"
    )


def test_a_failure_ends_its_thread_and_the_run_and_lets_the_other_threads_run(ran: Ran) -> None:
    _on_2(ran)
    states = ran.states("fails")
    assert ran.document["runs"]["fails"]["state"] == "failed"
    assert {name for name, state in states.items() if state == "failed"} == {
        *(f"{name}-fails" for name in LATE),
    }, ran.log("fails")
    assert states["cloud-run-job-skipped"] == states["bigquery-query-skipped"] == "upstream_failed"
    assert states["bigquery-query-follows"] == "success"
    assert "pipeline fails, level 1, thread 1, step cloud-run-job-fails: " in ran.log("fails")
    assert all(len(ran.services.of(f"{name}-fails")) == 1 for name in LATE)


def test_retries_run_a_job_again_that_has_ended(ran: Ran) -> None:
    _on_2(ran)
    states = ran.states("again")
    assert {states[f"{name}-fails_once"] for name in AGAIN} == {"success"}, ran.log("again")
    assert {name: len(ran.services.of(f"{name}-fails_once")) for name in AGAIN} == dict.fromkeys(AGAIN, 2)


def test_a_refused_start_is_tried_again_too(ran: Ran) -> None:
    _on_2(ran)
    assert set(ran.states("refused").values()) == {"failed", "upstream_failed"}
    posts = [body for method, path, body in ran.services.calls if method == "POST" and "refused" in json.dumps(body)]
    assert len(posts) == 4


def test_a_job_is_not_run_again_after_the_timeout(ran: Ran) -> None:
    _on_2(ran)
    states = ran.states("late")
    assert {states[f"{name}-never"] for name in LATE} == {"failed"}
    jobs = {name: ran.services.of(f"{name}-never") for name in LATE}
    assert {name: len(found) for name, found in jobs.items()} == dict.fromkeys(LATE, 1), ran.log("late")
    cancelled = {name for name, (job,) in jobs.items() if job.cancelled}
    assert cancelled == set(LATE) - {"cloud-run-job", "data-fusion-pipeline"}
    assert ran.log("late").count("no success within 3 seconds") >= len(LATE)


def test_a_second_try_adopts_the_job_of_the_first_or_says_that_it_cannot_know(ran: Ran) -> None:
    _on_2(ran)
    states = ran.states("adopts")
    assert states["data-fusion-pipeline-adopted_late"] == "success", ran.log("adopts")
    assert states["bigquery-query-adopted_late"] == "success", ran.log("adopts")
    assert states["cloud-run-job-adopted_late"] == "failed"
    assert "an earlier try may have started the job; look whether it runs" in ran.log("adopts")
    assert len(ran.services.of("data-fusion-pipeline-adopted_late")) == 1
    assert len(ran.services.of("bigquery-query-adopted_late")) == 1
    assert ran.services.of("cloud-run-job-adopted_late") == []


def test_deferred_tasks_end_as_their_jobs_do(ran: Ran) -> None:
    states = ran.states("deferred")
    ended = {name: state for name, state in states.items() if name != "ended"}
    assert ended.pop("bigquery-query-deferred_fails") == "failed"
    assert set(ended.values()) == {"success"}, ran.log("deferred")
    jobs = {job.id for name in ("deferred", "deferred_fails") for job in ran.services.of(f"bigquery-query-{name}")}
    results = [path for _, path, _ in ran.services.calls if "/queries/" in path]
    # The trigger asks after the job; an operator that waits itself asks for the query's results.
    assert len(jobs) == 2
    assert not [path for path in results if any(job in path for job in jobs)]


def test_smoke(ran: Ran) -> None:
    assert ran.states("smoke") == {"bigquery-query-smoke": "success", "data-fusion-pipeline-smoke_fails": "failed"}
    (job,) = ran.services.of("data-fusion-pipeline-smoke_fails")
    assert job.asked["runtimeargs"] == {"day": "2025-03-01", "limit": "5"}
