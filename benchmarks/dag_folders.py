"""The DAG folders that `dag_parse.py` compares: the same pipelines, written in each of the ways.

A pipeline has 10 steps that each run one saved query, in four levels: two threads of two steps, one of two, three of
one and one of one. By hand and for the peers its edges are what a person would write: a level's first steps wait for
the last ones of the level before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from dataplatform.compile import airflow
from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Target
from dataplatform.compile.runtime import runtime_files
from dataplatform.config.check import load_definition

LEVELS = ((2, 2), (2,), (1, 1, 1), (1,))
"""Steps of each thread of each level."""
STEPS = sum(map(sum, LEVELS))
BUCKET = "acme-data-dev-composer"
BIGQUERY = "airflow.providers.google.cloud.operators.bigquery.BigQueryInsertJobOperator"
TARGET = Target(
    project="acme-data-dev",
    region="europe-west1",
    intermediate_url="https://europe-west1-acme-data-dev.cloudfunctions.net/orch-framework-intermediate",
    jobs_definitions_bucket="acme-data-dev-jobs",
)
RETRY = {"max_retries": 5, "initial_delay": 2, "max_delay": 60, "multiplier": 2}
EXECUTOR = "bq-saved-query-executor"


@dataclass(frozen=True)
class Task:
    """A step of a pipeline, its place, and the steps it waits for."""

    name: str
    level: str
    thread: str
    after: tuple[str, ...]


def pipeline_name(number: int) -> str:
    """The name of one of the pipelines: the DAG's id in every way of writing it."""
    return f"sales_{number:03}"


def tasks(number: int) -> list[Task]:
    """The steps of a pipeline with their edges."""
    found: list[Task] = []
    before: tuple[str, ...] = ()
    for level, threads in enumerate(LEVELS, 1):
        ends: list[str] = []
        for thread, steps in enumerate(threads, 1):
            after = before
            for step in range(1, steps + 1):
                name = f"load_{number:03}_{level}_{thread}_{step}"
                found.append(Task(name, str(level), str(thread), after))
                after = (name,)
            ends.extend(after)
        before = tuple(ends)
    return found


def query(task: Task) -> str:
    """What the step runs, where the way of writing it holds the text."""
    return f"CALL reporting.{task.name}()"


def compiled(folder: Path, pipelines: int) -> None:
    """Definitions in our JSON, compiled: what `dp compile` and `pulumi up` make of them."""
    sources = folder.with_name(f"{folder.name}-definitions")
    sources.mkdir(parents=True)
    for number in range(pipelines):
        levels = []
        for level, threads in enumerate(LEVELS, 1):
            inside = []
            for thread in range(1, len(threads) + 1):
                steps = [
                    {"JOB_ID": task.name, "JOB_NAME": task.name, "TYPE": "async", "COMPOSER_STEP": EXECUTOR}
                    for task in tasks(number)
                    if (task.level, task.thread) == (str(level), str(thread))
                ]
                inside.append({"THREAD_ID": str(thread), "STEPS": steps})
            levels.append({"LEVEL_ID": str(level), "THREADS": inside})
        source = sources / f"{pipeline_name(number)}.json"
        _write(source, json.dumps({"engine": "composer", "definition": levels}, indent=2))
        definition, problems = load_definition(source)
        if definition is None:
            raise ValueError(f"the benchmark's own definition is refused: {problems.items}")
        _write(folder / f"{pipeline_name(number)}.py", airflow.render(build_plan(definition, TARGET)))
    _runtime(folder)


_HAND_HEAD = """\
from datetime import datetime, timedelta, timezone

{imports}
with DAG(
    {name!r},
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["sales"],
    default_args={{"owner": "sales", "retries": 0}},
):
"""
_HAND_STEP = """\
    {variable} = ExecutorStepOperator(
        task_id={name!r},
        pipeline={pipeline!r},
        level={level!r},
        thread={thread!r},
        job_name={name!r},
        function={executor!r},
        intermediate_url=INTERMEDIATE,
        poll_interval=30,
        timeout=3600,
        step_properties={{"jobs_definitions_bucket": {bucket!r}}},
        call_retry={retry!r},
        execution_timeout=timedelta(seconds=4144),
    )
"""
_HAND_QUERY = """\
    {variable} = BigQueryInsertJobOperator(
        task_id={name!r},
        project_id={project!r},
        location={region!r},
        configuration={{"query": {{"query": {query!r}, "useLegacySql": False}}}},
        execution_timeout=timedelta(seconds=4144),
    )
"""
# A line of the file itself, so that the DAG processor imports the module once and not in every fork.
_HAND_IMPORT = {2: "from airflow.models.dag import DAG\n", 3: "from airflow.sdk import DAG\n"}


def by_hand(kind: str, version: int) -> Callable[[Path, int], None]:
    """A writer of plain files: `steps` of our operator's class, or BigQuery `queries` by Airflow's own operator."""
    imports = _HAND_IMPORT[version]
    if kind == "steps":
        imports += "from dataplatform_runtime.operators import ExecutorStepOperator\n\n"
        imports += f"INTERMEDIATE = {TARGET.intermediate_url!r}\n"
    else:
        module, _, name = BIGQUERY.rpartition(".")
        imports += f"from {module} import {name}\n"

    def write(folder: Path, pipelines: int) -> None:
        for number in range(pipelines):
            lines = [_HAND_HEAD.format(imports=imports, name=pipeline_name(number))]
            for task in tasks(number):
                template = _HAND_STEP if kind == "steps" else _HAND_QUERY
                lines.append(
                    template.format(
                        variable=task.name, name=task.name, pipeline=pipeline_name(number), level=task.level,
                        thread=task.thread, executor=EXECUTOR, bucket=TARGET.jobs_definitions_bucket, retry=RETRY,
                        project=TARGET.project, region=TARGET.region, query=query(task),
                    )
                )  # fmt: skip
                if task.after:
                    lines.append(f"    [{', '.join(task.after)}] >> {task.name}\n")
            _write(folder / f"{pipeline_name(number)}.py", "".join(lines))
        if kind == "steps":
            _runtime(folder)

    return write


DAG_FACTORY_LOADER = """\
# The DAG processor looks into files that have the words airflow and dag.
from pathlib import Path

from dagfactory import load_yaml_dags

load_yaml_dags(globals_dict=globals(), config_filepath=str(Path(__file__).with_suffix(".yml")))
"""


def dag_factory(kind: str) -> Callable[[Path, int], None]:
    """A writer for dag-factory, a loader and a YAML file for each DAG, with the operators that `by_hand` takes."""

    def step(pipeline: str, task: Task) -> dict[str, object]:
        if kind == "queries":
            return {
                "operator": BIGQUERY,
                "project_id": TARGET.project,
                "location": TARGET.region,
                "configuration": {"query": {"query": query(task), "useLegacySql": False}},
            }
        return {
            "operator": "dataplatform_runtime.operators.ExecutorStepOperator",
            "pipeline": pipeline,
            "level": task.level,
            "thread": task.thread,
            "job_name": task.name,
            "function": EXECUTOR,
            "intermediate_url": TARGET.intermediate_url,
            "poll_interval": 30,
            "timeout": 3600,
            "step_properties": {"jobs_definitions_bucket": TARGET.jobs_definitions_bucket},
            "call_retry": RETRY,
        }

    def write(folder: Path, pipelines: int) -> None:
        for number in range(pipelines):
            name = pipeline_name(number)
            listed = [
                {"task_id": task.name, **step(name, task), "dependencies": list(task.after)} for task in tasks(number)
            ]
            dag = {
                "schedule": None,
                "catchup": False,
                "max_active_runs": 1,
                "tags": ["sales"],
                "default_args": {"owner": "sales", "retries": 0, "start_date": "2024-01-01"},
                "tasks": listed,
            }
            _write(folder / f"{name}.yml", yaml.safe_dump({name: dag}, sort_keys=False))
            _write(folder / f"{name}.py", DAG_FACTORY_LOADER)
        if kind == "steps":
            _runtime(folder)

    return write


ORCHESTRATION_LOADER = """\
# airflow | dag
from orchestration_pipelines_lib.api import generate

generate({file!r}, globals())
"""
MOUNT = '''\
"""Airflow imports this when it starts: the DAG folder is where Composer would have mounted its bucket.

The library knows one place for that, /home/airflow/gcs/, which is not here. Its other calls stay as they are, the one
that asks the bucket whether the object is there among them; they go to STORAGE_EMULATOR_HOST.
"""
import os

from orchestration_pipelines_lib.utils.file_manager import (
    FileManager,
    OrchestrationPipelinesFileNotFoundError,
)


def get_blob_reference(self, resolved_path):
    if not self.exists(resolved_path):
        raise OrchestrationPipelinesFileNotFoundError(f"File not found: '{resolved_path}'")
    name = os.path.relpath(resolved_path, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    reference = f"gs://{os.environ['GCS_BUCKET']}/dags/{name}"
    if not self.exists(reference):
        raise OrchestrationPipelinesFileNotFoundError(f"File not found: '{reference}'")
    return reference


FileManager.get_blob_reference = get_blob_reference
'''


def orchestration_pipelines(folder: Path, pipelines: int) -> None:
    """Google's YAML and the stub that its README shows, for each DAG."""
    for number in range(pipelines):
        name = pipeline_name(number)
        actions = []
        for task in tasks(number):
            sql = {
                "name": task.name,
                "query": {"inline": query(task)},
                "engine": {"bigquery": {"location": TARGET.region}},
            }
            if task.after:
                sql["dependsOn"] = list(task.after)
            actions.append({"sql": sql})
        pipeline = {
            "modelVersion": "1.0",
            "pipelineId": name,
            "runner": "airflow",
            "owner": "sales",
            "defaults": {"projectId": TARGET.project, "location": TARGET.region, "retryPolicy": {"maxRetries": 0}},
            "actions": actions,
        }
        _write(folder / f"{name}.yml", yaml.safe_dump(pipeline, sort_keys=False))
        _write(folder / f"{name}.py", ORCHESTRATION_LOADER.format(file=f"{name}.yml"))


def _runtime(folder: Path) -> None:
    for path, text in runtime_files().items():
        _write(folder / path, text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
