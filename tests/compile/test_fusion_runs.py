"""DAGs of `kind: datafusion` in real Airflow against the embedded cloud, which plays what each run is scripted to do.

All runs of an Airflow are in one process. 3.x takes two seconds for a task, so what its tasks go through is in fewer
DAGs there: one of all kinds of runs, one without any, two of deferred tasks. Workers that die, tasks that are
killed and the bound are those of test_fusion_scheduler.py.
"""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dataplatform_runtime.cdap_runs import KEY, Runs, keys_of
from tests.bigquery.support import ask, insert
from tests.compile import real_airflow
from tests.compile.fusion_cloud import DIES, NAME, Cloud, cloud, dag, definition, dying, pipeline, row

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

ODD = [
    "größe",
    "ジョブ",
    "it's",
    'say "x"',
    "two words",
    "a/b?c=d&e#f",
    "{{ ti }}",
    "${x}",
    "%s",
    "-- ;drop",
    "🚀",
    "a\\b",
]
BOTH = ["größe", "it's {{ ti }}", 'say "x" ${y}/b?c=d&e']
"""Those of them that run on 3.x too."""
RETRY: dict[str, Any] = {"runs": {"retries": 1}}
LATE: dict[str, Any] = {"parameters": {"cdf_pipeline_timeout_seconds": 3}, **RETRY}
POOL: dict[str, Any] = {"deferrable": True, "pool": "default_pool"}


def scenes(at: Cloud) -> dict[str, dict[str, Any]]:
    """Every definition that is run, by name; each has a configuration table of its name, and what its runs do."""
    tables: dict[str, Any] = {
        "adopts": [row("x-running"), row("x-done")],
        "succeeds": [row("s-one"), row("s-two", unit="sales"), row("s-off", False), row("s-null", None)],
        "fails": [row("f-bad"), row("f-good")],
        "late": [row("l-slow")],
        "again": [row("a-once")],
        "hidden": [row("h-404")],
        "nothing": [row("n-off", False)],
        "empty": [],
        "odd": [row(name, unit=f"unit {name}") for name in ODD],
        "dies": [row("k-dies")],
        "mixed": [row(f"3-{name}") for name in ("bad", "good", "hidden", "late", *BOTH)] + [row("3-off", False)],
        "deferred": [row("d-ok"), row("d-bad")],
        "deferred_late": [row("d-slow")],
        "too_many": [row(f"m-{n}") for n in range(4)],
        "elsewhere": [row("e-never")],
        "from_variables": [row("v-one")],
        "no_pipeline": [row("p-never")],
        "rejected": [row("r-never")],
    }
    for name, rows in tables.items():
        at.table(name, rows)
    words = [row("w-1", "true"), row("w-2", "TRUE"), row("w-3", " True "), row("w-4", "false"), row("w-5", "1")]
    at.table("words", [*words, row("w-6", "0")], "STRING")
    at.table("whole_numbers", [row("i-1", 1), row("i-2", 0)], "INT64")
    at.table("unclear", [row("u-1", "yes")], "STRING")
    at.script("f-bad", end="FAILED", seconds=1, message="Table 'hr.f-bad' has no column 'id'")
    at.script("l-slow", seconds=None, times=2)
    at.script("a-once", end="FAILED")
    at.script("h-404", hidden=3)
    at.script("d-bad", end="KILLED")
    at.script("d-slow", seconds=None)
    at.script("r-never", end="REJECTED")
    at.script("3-bad", end="FAILED", seconds=1, message="no column 'id'")
    at.script("3-hidden", hidden=3)
    at.script("3-late", seconds=None, times=2)
    made: dict[str, dict[str, Any]] = {name: {} for name in [*tables, "words", "whole_numbers", "unclear"]}
    made["succeeds"] = {"parameters": {"bq_output_table": "staff"}, "runs": {"arguments": {"day": "today"}}}
    made |= {"late": LATE, "again": RETRY}
    made["dies"] = {"parameters": {"cdf_pipeline_name": DIES}, **RETRY}
    made["mixed"] = {"parameters": {**LATE["parameters"], "bq_output_table": "staff"}, **RETRY}
    made["deferred"] = {"runs": POOL}
    made["deferred_late"] = {"runs": POOL, "parameters": {"cdf_pipeline_timeout_seconds": 3}}
    made["odd"] = {"parameters": {"bq_config_max_results": 50}}
    made["too_many"] = {"parameters": {"bq_config_max_results": 3}}
    made["elsewhere"] = {"parameters": {"bq_location": "US", "bq_output_table": "staff"}}
    made["from_variables"] = {
        "deliver": "variables",
        "variables_prefix": "hr_",
        "parameters": {"bq_location": "US", "cdf_pipeline_name": "another", "cdf_instance": "another"},
    }
    made["wrong_variables"] = {"deliver": "variables", "variables_prefix": "wrong_"}
    made["no_pipeline"] = {"parameters": {"cdf_pipeline_name": "nobody-deployed-this"}}
    made = copy.deepcopy(made)
    for name, data in made.items():
        data["parameters"] = {"bq_config_table": name, **data.get("parameters", {})}
    made["listed"] = {"parameters": {"cdf_pipeline_run_arguments": [{"data_source": "listed-1", "x": "{{ ds }}"}]}}
    return made


VARIABLES = {
    "hr_bq_location": "EU",
    "hr_cdf_pipeline_name": NAME,
    "hr_cdf_instance": "dev-core",
    "hr_bq_output_table": "staff",
    "wrong_bq_config_max_results": "many",
    "wrong_cdf_pipeline_timeout_seconds": "61",
    "wrong_dag_retry_interval_minutes": "7",
}
ON_3 = ("mixed", "nothing", "deferred", "deferred_late")


@dataclasses.dataclass
class Ran:
    major: int
    document: dict[str, Any]
    cloud: Cloud
    truncated: int

    def run(self, name: str) -> dict[str, Any]:
        if name not in self.document["runs"]:
            pytest.skip("not run on this Airflow")
        found: dict[str, Any] = self.document["runs"][name]
        return found

    def states(self, name: str) -> dict[str, str]:
        """Instance of the mapped task → state."""
        found = self.run(name)["tasks"]
        return {k.removeprefix("start_pipelines.run"): v for k, v in found.items() if k.startswith("start_pipelines")}

    def log(self, name: str) -> str:
        return str(self.run(name)["log"])

    def statuses(self, name: str) -> list[str]:
        return [str(run["status"]) for run in self.cloud.runs(name)]


@pytest.fixture(scope="module", params=[2, 3])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    major = request.param
    folder = tmp_path_factory.mktemp("definitions")
    with cloud(tmp_path_factory.mktemp("cloud")) as at:
        insert(at.server, "cdf_output", "staff", [{"id": 1}, {"id": 2}])
        made = scenes(at)
        wanted = [name for name in made if (name in ON_3 if major == 3 else name != "mixed")]
        files = {f"{name}.py": dag(folder, name, definition(**data)) for name, data in made.items()}
        files["dies.py"] = dying(files["dies.py"], "raise RuntimeError('the worker is gone')")
        if major == 2:
            _earlier(at, f"manual__2025-01-01T00:{wanted.index('adopts'):02}:00+00:00")
        more = at.environment | {f"AIRFLOW_VAR_{name.upper()}": text for name, text in VARIABLES.items()}
        document = real_airflow.run(
            major,
            tmp_path_factory.mktemp(f"fusion{major}"),
            files,
            [{"dag_id": name} for name in wanted],
            "",
            driver="mapped_driver.py",
            more=more,
        )
        left = ask(at.server, "GET", "datasets/cdf_output/tables/staff")[1]["numRows"]
        yield Ran(major, document, at, int(left))


def _earlier(at: Cloud, run_id: str) -> None:
    """Runs that tries before have started, whose workers died: one goes on for a while, one has ended meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in at.environment.items():
            patch.setenv(name, value)
        for index, name in enumerate(("x-done", "x-running")):
            at.script(name, seconds=40 if name == "x-running" else 0)
            arguments = {"business_unit": "hr", "data_source": name}
            who = ("adopts", run_id, "start_pipelines.run", index, NAME)
            moment = datetime.fromisoformat(run_id.removeprefix("manual__"))
            key, task = keys_of(who, arguments, 0, str(int(moment.timestamp() * 1000)))
            _, adopted = Runs(pipeline()).start_or_adopt(key, arguments, task=task)
            assert not adopted


def test_every_dag_loads_without_a_complaint(ran: Ran) -> None:
    assert ran.document["import_errors"] == {}
    assert ran.document["warnings"] == []
    order = {
        "start": ["truncate_table"],
        "truncate_table": ["get_configuration"],
        "get_configuration": ["filter_arguments"],
        "filter_arguments": ["start_pipelines.run"],
        "start_pipelines.run": ["end"],
        "end": [],
    }
    assert ran.document["dags"]["mixed"]["tasks"] == order
    assert {"data-platform", "data-fusion"} == set(ran.document["dags"]["succeeds"]["tags"])
    assert "succeeds.json" in ran.document["dags"]["succeeds"]["doc"]


def test_each_active_row_is_a_run_that_is_completed(ran: Ran) -> None:
    assert ran.run("succeeds")["state"] == "success", ran.log("succeeds")
    assert ran.states("succeeds") == {"[0]": "success", "[1]": "success"}
    for name, unit in (("s-one", "hr"), ("s-two", "sales")):
        (run,) = ran.cloud.runs(name)
        assert run["status"] == "COMPLETED"
        given = {key: text for key, text in run["arguments"].items() if key not in (KEY, "logical.start.time")}
        assert given == {"business_unit": unit, "data_source": name, "day": "today"}
    assert ran.cloud.runs("s-off") == ran.cloud.runs("s-null") == []
    assert ran.truncated == 0


def test_the_log_leads_to_the_run(ran: Ran) -> None:
    log = ran.log("succeeds")
    assert "started run " in log
    assert f"https://{ran.cloud.host}/api/v3/namespaces/default/apps/cloudsql-bigquery_v4/workflows/" in log
    assert "Bearer" not in log
    assert ran.run("succeeds")["shown"]["start_pipelines.run[1]"] == "sales / s-two"


def test_a_run_that_fails_after_it_was_running_fails_its_task_with_the_reason(ran: Ran) -> None:
    assert ran.run("fails")["state"] == "failed"
    assert ran.states("fails") == {"[0]": "failed", "[1]": "success"}, ran.log("fails")
    assert ran.run("fails")["tasks"]["end"] == "upstream_failed"
    assert "ended as FAILED: Table 'hr.f-bad' has no column 'id'" in ran.log("fails")


def test_all_kinds_of_runs_beside_each_other(ran: Ran) -> None:
    names = sorted(["3-bad", "3-good", "3-hidden", "3-late", *(f"3-{name}" for name in BOTH)])
    states = dict(zip(names, ran.states("mixed").values(), strict=True))
    assert states == {name: "failed" if name == "3-late" else "success" for name in names}, ran.log("mixed")
    assert [ran.statuses(f"3-{name}") for name in BOTH] == [["COMPLETED"]] * len(BOTH), "odd names are data"
    assert ran.statuses("3-bad") == ["FAILED", "COMPLETED"]
    assert ran.statuses("3-good") == ran.statuses("3-hidden") == ["COMPLETED"]
    first, second = ran.cloud.runs("3-late")
    assert first["status"] == second["status"] == "KILLED"
    assert first["end"] <= second["begin"]
    assert ran.cloud.runs("3-off") == []
    assert ran.run("mixed")["shown"][f"start_pipelines.run[{names.index('3-good')}]"] == "hr / 3-good"
    assert "ended as FAILED: no column 'id'" in ran.log("mixed")
    assert ran.truncated == 0


def test_a_try_that_went_away_leaves_its_run_to_the_next(ran: Ran) -> None:
    assert ran.run("dies")["state"] == "success", ran.log("dies")
    assert ran.statuses("k-dies") == ["COMPLETED"]
    assert "the worker is gone" in ran.log("dies")
    assert "adopted run" in ran.log("dies")


def test_a_rejected_run_fails(ran: Ran) -> None:
    assert ran.run("rejected")["state"] == "failed"
    assert "ended as REJECTED" in ran.log("rejected")


def test_a_late_run_is_stopped_before_the_next_one_starts(ran: Ran) -> None:
    assert ran.run("late")["state"] == "failed"
    first, second = ran.cloud.runs("l-slow")
    assert (first["status"], second["status"]) == ("KILLED", "KILLED")
    assert first["end"] <= second["begin"]
    assert ran.log("late").count("no success within 3 seconds; run") >= 2


def test_a_retry_after_a_failure_starts_anew(ran: Ran) -> None:
    assert ran.run("again")["state"] == "success", ran.log("again")
    assert ran.statuses("a-once") == ["FAILED", "COMPLETED"]


def test_a_try_adopts_the_run_of_a_try_whose_worker_died(ran: Ran) -> None:
    assert ran.run("adopts")["state"] == "success", ran.log("adopts")
    assert ran.statuses("x-running") == ["COMPLETED"]
    assert ran.statuses("x-done") == ["COMPLETED"]
    assert ran.log("adopts").count("adopted run") >= 2


def test_a_run_that_cdap_does_not_know_at_first_is_waited_for(ran: Ran) -> None:
    assert ran.run("hidden")["state"] == "success", ran.log("hidden")
    assert ran.statuses("h-404") == ["COMPLETED"]


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_without_an_active_row_the_runs_are_skipped_and_the_run_succeeds(ran: Ran, name: str) -> None:
    assert ran.run(name)["state"] == "success", ran.log(name)
    assert set(ran.states(name).values()) == {"skipped"}
    assert ran.run(name)["tasks"]["end"] == "success"
    assert ran.cloud.runs("n-off") == []


def test_odd_names_are_data(ran: Ran) -> None:
    assert ran.run("odd")["state"] == "success", ran.log("odd")
    assert [len(ran.cloud.runs(name)) for name in ODD] == [1] * len(ODD)
    assert {run["arguments"]["business_unit"] for name in ODD for run in ran.cloud.runs(name)} == {
        f"unit {name}" for name in ODD
    }


def test_what_counts_as_active(ran: Ran) -> None:
    ran.run("words")
    assert [len(ran.cloud.runs(f"w-{n}")) for n in range(1, 7)] == [1, 1, 1, 0, 1, 0]
    assert [len(ran.cloud.runs(f"i-{n}")) for n in range(1, 3)] == [1, 0]
    assert ran.run("unclear")["state"] == "failed"
    assert "is_active is 'yes' in a row, which is neither true nor false" in ran.log("unclear")


def test_deferred_tasks_end_as_their_runs_do(ran: Ran) -> None:
    assert ran.states("deferred") == {"[0]": "failed", "[1]": "success"}, ran.log("deferred")
    assert "ended as KILLED" in ran.log("deferred")


def test_a_deferred_task_keeps_its_runs_time(ran: Ran) -> None:
    assert ran.states("deferred_late") == {"[0]": "failed"}
    assert ran.statuses("d-slow") == ["KILLED"]
    assert "no success within 3 seconds; run" in ran.log("deferred_late")


def test_rows_beyond_the_limit_are_an_error_and_not_left_out(ran: Ran) -> None:
    assert ran.run("too_many")["state"] == "failed"
    assert "too_many has more than 3 rows" in ran.log("too_many")
    assert ran.cloud.runs("m-0") == []


def test_a_wrong_location_is_bigquerys_own_404_and_nothing_is_run(ran: Ran) -> None:
    assert ran.run("elsewhere")["tasks"]["truncate_table"] == "failed"
    assert "Not found: Dataset acme-data-dev:cdf_output was not found in location US" in ran.log("elsewhere")
    assert ran.cloud.runs("e-never") == []


def test_a_pipeline_that_is_not_there(ran: Ran) -> None:
    assert ran.run("no_pipeline")["state"] == "failed"
    assert "HTTP status 404" in ran.log("no_pipeline")


def test_values_come_from_airflow_variables_when_the_run_begins(ran: Ran) -> None:
    assert ran.run("from_variables")["state"] == "success", ran.log("from_variables")
    assert ran.statuses("v-one") == ["COMPLETED"]
    wrong = ran.run("wrong_variables")
    assert wrong["tasks"]["start"] == "failed"
    for words in (
        "wrong_bq_config_max_results is 'many', and must be a whole number",
        "wrong_cdf_pipeline_timeout_seconds is 61, and the DAG's own times are made for at most 60",
        "wrong_dag_retry_interval_minutes is 7, and the DAG was compiled with 0",
    ):
        assert words in wrong["log"]


def test_runs_may_be_listed_in_place_of_a_table(ran: Ran) -> None:
    assert ran.run("listed")["state"] == "success", ran.log("listed")
    assert "get_configuration" not in ran.run("listed")["tasks"]
    (run,) = ran.cloud.runs("listed-1")
    assert run["arguments"]["x"] == "{{ ds }}"


def test_no_run_is_left_over(ran: Ran) -> None:
    assert {run["status"] for run in ran.cloud.runs()} <= {"COMPLETED", "FAILED", "KILLED", "REJECTED"}
    keys = [run["arguments"][KEY] for run in ran.cloud.runs() if run["status"] == "COMPLETED"]
    assert len(keys) == len(set(keys))


def test_a_definition_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (dag(tmp_path, "same", definition(description="x")) for _ in range(2))
    assert one == two
    assert one.isascii()
    assert json.dumps(NAME) in one
