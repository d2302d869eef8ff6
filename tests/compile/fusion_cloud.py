"""An embedded cloud with a Data Fusion instance, a pipeline in it, and a BigQuery dataset with configuration tables."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dataplatform.compile import airflow
from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan
from dataplatform.config.check import load_definition
from dataplatform_runtime.cdap_runs import Pipeline
from localcloud.cdap import google, runs, scenario
from localcloud.cdap.instance import Instance
from localcloud.workflows.server import Server, serve
from localcloud.world import World
from tests.bigquery.support import CONFIGURATION, PROJECT, insert, make_dataset, make_table, new_project
from tests.bigquery.support import google as provider
from tests.cdap.calls import play, put
from tests.cdap.pipelines import app
from tests.compile.conftest import TARGET

REGION = "europe-west1"
INSTANCE = "dev-core"
NAME = "cloudsql-bigquery_v4"
DIES = "dies"
"""A second pipeline, for the DAG whose worker dies."""
REFERENCES = (
    ("datafusion:core", INSTANCE),
    ("stack:project", PROJECT),
    ("stack:region", REGION),
)
Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Cloud:
    """What the tests look at."""

    world: World
    server: Server
    host: str

    @property
    def environment(self) -> dict[str, str]:
        """What leads the runtime here."""
        return {
            "DATA_FUSION_EMULATOR_HOST": f"{self.server.url}/datafusion",
            "BIGQUERY_EMULATOR_HOST": self.server.url,
            "DATAPLATFORM_TIME_SCALE": "0.05",
        }

    @property
    def cdap(self) -> Instance:
        """The instance behind its API."""
        (name,) = google.hosts(self.world).values()
        return Instance(self.world, google.shelf_name(self.world, name))

    def table(self, name: str, rows: Sequence[Mapping[str, Any]], active: str = "BOOL") -> None:
        """A configuration table; `active` is the type of its last column."""
        columns = [*CONFIGURATION[:2], {"name": "is_active", "type": active}]
        make_table(provider(self.world), "cdf_output", name, columns)
        if rows:
            answer = insert(self.server, "cdf_output", name, [dict(row) for row in rows])
            assert "insertErrors" not in answer, answer

    def script(self, name: str, **outcome: Any) -> None:
        """What the next run with that `data_source` comes to."""
        scenario.add(self.cdap, scenario.Outcome(arguments={"data_source": name}, **outcome))

    def runs(self, name: str | None = None) -> list[Json]:
        """The runs with that `data_source`, or all, the oldest first: arguments, status, start and end."""
        cdap, found = self.cdap, []
        below = [item for app in (NAME, DIES) for item in cdap.shelf.below("run", f"default/{app}")]
        for _, _, body in below:
            arguments = json.loads(body["arguments"])
            if name is None or arguments.get("data_source") == name:
                at = runs.state(body, cdap.clock())
                end = at.end if at.end is not None and at.end <= cdap.clock() else None
                found.append({"arguments": arguments, "status": at.status, "begin": body["starting"], "end": end})
        return sorted(found, key=lambda run: float(run["begin"]))


@contextlib.contextmanager
def cloud(home: Path, time_scale: float = 0.1) -> Iterator[Cloud]:
    """The cloud, with an empty output table `staff`. `time_scale` is that of runs."""
    world = World(home)
    new_project(world, more=[google.API])
    client = provider(world)
    make_dataset(client, "cdf_output", "EU")
    make_table(client, "cdf_output", "staff", [{"name": "id", "type": "INT64"}])
    inputs = {"name": INSTANCE, "project": PROJECT, "region": REGION, "type": "DEVELOPER"}
    client.create("gcp:datafusion/instance:Instance", inputs, "core")
    with serve(world, time_scale=time_scale) as server:
        (host,) = google.hosts(world)
        version = google.settings_of(world, next(iter(google.hosts(world).values()))).version
        body = app(artifact={"name": "cdap-data-pipeline", "version": version, "scope": "SYSTEM"})
        path = f"/datafusion/{host}/api/v3/namespaces/default/apps"
        deployed = [put(f"{path}/{name}", body, headers={"Authorization": "Bearer x"}) for name in (NAME, DIES)]
        assert [answer.status for answer in play(server.url, deployed)] == [200, 200]
        yield Cloud(world, server, host)


def row(name: str, active: Any = True, unit: str = "hr") -> Json:
    """A row of a configuration."""
    return {"business_unit": unit, "data_source": name, "is_active": active}


def pipeline() -> Pipeline:
    """The pipeline, as the runtime has it."""
    return Pipeline(project=PROJECT, location=REGION, instance=INSTANCE, namespace="default", name=NAME)


def definition(**changes: Any) -> Json:
    """A definition as data; a change of `parameters` or `runs` adds to them."""
    parameters = {
        "cdf_instance": "$datafusion:core",
        "cdf_location": "$stack:region",
        "cdf_pipeline_name": NAME,
        "cdf_pipeline_timeout_seconds": 60,
        "bq_location": "EU",
        "dag_retry_interval_minutes": 0,
    } | changes.pop("parameters", {})
    made = {"kind": "datafusion", "parameters": {k: v for k, v in parameters.items() if v is not ...}}
    return {**made, "runs": {"poll_seconds": 1, "retries": 0, **changes.pop("runs", {})}, **changes}


def plan(folder: Path, name: str, data: Mapping[str, Any], references: Sequence[tuple[str, str]] = REFERENCES) -> Plan:
    """The plan of a definition in a file of that name."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(data))
    found, problems = load_definition(file, root=folder)
    assert found is not None, problems.render()
    return build_plan(found, dataclasses.replace(TARGET, references=tuple(references)))


def dag(folder: Path, name: str, data: Mapping[str, Any]) -> str:
    """The DAG's text."""
    return airflow.render(plan(folder, name, data))


def dying(text: str, how: str) -> str:
    """A DAG whose first task that waits for a run of `DIES` does this instead, once: `how` is a statement."""
    return f"""{text}

import os
import signal
from pathlib import Path

from dataplatform_runtime import cdap_runs

_WAIT = cdap_runs.Runs.wait


def _die_once(self, run, timeout, poll):
    mark = Path(os.environ["AIRFLOW_HOME"]) / "died"
    if self.pipeline.name == {DIES!r} and not mark.exists():
        mark.touch()
        {how}
    return _WAIT(self, run, timeout, poll)


cdap_runs.Runs.wait = _die_once
"""
