"""Runs of a Data Fusion pipeline, started, found again and stopped, against the embedded cloud and without Airflow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform_runtime.bigquery_jobs import Jobs, QueryError, table_name
from dataplatform_runtime.cdap_runs import KEY, Pipeline, RunFailedError, RunLateError, Runs, keys_of, last_error
from dataplatform_runtime.google_rest import Rest, RestError, instance_url
from localcloud import faults
from tests.bigquery.support import PROJECT, insert
from tests.compile.fusion_cloud import NAME, Cloud, cloud, pipeline, row

ARGUMENTS = {"business_unit": "hr", "data_source": "one"}
KEYS = keys_of(("dag", "run", "task", 0), ARGUMENTS, 0)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with cloud(tmp_path, time_scale=0.05) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


def started(runs: Runs, keys: tuple[str, str] = KEYS) -> tuple[Any, bool]:
    key, task = keys
    return runs.start_or_adopt(key, ARGUMENTS, task=task)


def test_a_run_is_started_once_for_its_key(at: Cloud) -> None:
    at.script("one", seconds=None)
    run, adopted = started(Runs(pipeline()))
    again, found = started(Runs(pipeline()))
    assert (adopted, found) == (False, True)
    assert run.id == again.id
    assert len(at.runs("one")) == 1
    assert at.runs("one")[0]["arguments"][KEY] == KEYS[0]


def test_a_start_whose_answer_is_lost_is_found(at: Cloud) -> None:
    said: list[str] = []
    faults.add(at.world, faults.make("create", "cdap:POST", 1, "drop", 1))
    _, adopted = started(Runs(pipeline(), say=said.append))
    assert adopted
    assert "had no answer" in said[0]
    assert len(at.runs("one")) == 1


def test_a_start_that_was_surely_not_heard_is_sent_again(at: Cloud) -> None:
    faults.add(at.world, faults.make("create", "cdap:POST", 1, "fail=503", 2))
    _, adopted = started(Runs(pipeline()))
    assert not adopted
    assert len(at.runs("one")) == 1


def test_questions_without_an_answer_are_asked_again(at: Cloud) -> None:
    runs = Runs(pipeline())
    run, _ = started(runs)
    faults.add(at.world, faults.make("read", "cdap:GET", 1, "fail=502", 3))
    runs.wait(run, 60, 1)
    assert at.runs("one")[0]["status"] == "COMPLETED"


def test_a_longer_silence_fails_nothing_while_the_run_has_time(at: Cloud) -> None:
    said: list[str] = []
    runs = Runs(pipeline(), say=said.append, sleep=lambda _: None)
    run, _ = started(runs)
    faults.add(at.world, faults.make("read", "cdap:GET", 1, "fail=503", 12))
    assert runs.look(run, 3600, seen=False) == (False, False)
    assert "could not be asked after" in said[-1]
    with pytest.raises(RestError):
        runs.look(run, 0, seen=False)


def test_a_failed_run_is_followed_by_a_new_one_and_a_completed_one_is_not(at: Cloud) -> None:
    at.script("one", end="FAILED", message="no such table")
    runs = Runs(pipeline())
    run, _ = started(runs)
    with pytest.raises(RunFailedError, match="ended as FAILED: no such table"):
        runs.wait(run, 60, 1)
    second, adopted = started(runs)
    assert not adopted
    runs.wait(second, 60, 1)
    third, adopted = started(runs)
    assert adopted
    assert third.id == second.id


def test_clearing_a_task_runs_anew_but_never_beside_a_run_that_goes_on(at: Cloud) -> None:
    runs = Runs(pipeline())
    run, _ = started(runs)
    runs.wait(run, 60, 1)
    cleared = keys_of(("dag", "run", "task", 0), ARGUMENTS, 4)
    at.script("one", seconds=None)
    second, adopted = started(runs, cleared)
    assert not adopted
    assert second.id != run.id
    third, adopted = started(runs, keys_of(("dag", "run", "task", 0), ARGUMENTS, 8))
    assert adopted
    assert third.id == second.id


def test_a_run_of_the_dag_that_was_deleted_and_made_again_runs_anew(at: Cloud) -> None:
    runs = Runs(pipeline())
    run, _ = started(runs)
    runs.wait(run, 60, 1)
    again, adopted = started(runs, keys_of(("dag", "run", "task", 0), ARGUMENTS, 0, "1795255035848"))
    assert not adopted
    assert again.id != run.id


def test_a_run_that_is_being_stopped_ends_before_the_next_begins(at: Cloud) -> None:
    at.script("one", seconds=None)
    runs = Runs(pipeline())
    run, _ = started(runs)
    runs.stop(run.id, wait=False)
    _, adopted = started(runs)
    assert not adopted
    first, second = at.runs("one")
    assert first["status"] == "KILLED"
    assert first["end"] <= second["begin"]


def test_a_late_run_is_stopped_even_where_cdap_did_not_know_it_at_first(at: Cloud) -> None:
    at.script("one", seconds=None, hidden=4)
    runs = Runs(pipeline())
    run, _ = started(runs)
    with pytest.raises(RunLateError, match=r"no success within 0\.1 seconds; run .* was stopped"):
        runs.wait(run, 0.1, 1)
    assert at.runs("one")[0]["status"] == "KILLED"


def test_a_run_that_ends_while_it_is_to_be_stopped_is_what_it_is(at: Cloud) -> None:
    runs = Runs(pipeline())
    run, _ = started(runs)
    deadline = time.monotonic() + 30
    while at.runs("one")[0]["status"] != "COMPLETED":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert runs.stop(run.id) == "COMPLETED"
    assert runs.look(run, 0, seen=True) == (True, True)


def test_two_that_start_the_same_share_a_run_or_tell_apart(at: Cloud) -> None:
    """Two tries never run at once in Airflow; where the rows differ the runs do."""
    found: list[str] = []

    def work(name: str) -> None:
        arguments = {"data_source": name}
        key, task = keys_of(("dag", "run", "task", 0), arguments, 0)
        found.append(Runs(pipeline()).start_or_adopt(key, arguments, task=task)[0].id)
        at.world.connect().close()

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instance": "none"}, "HTTP status 404"),
        ({"name": "none"}, "HTTP status 404"),
        ({"namespace": "none"}, "HTTP status 404"),
        ({"project": "acme-else-1"}, "HTTP status"),
    ],
)
def test_what_is_not_there_is_said(at: Cloud, changes: dict[str, str], words: str) -> None:
    wanted = Pipeline(**{**vars(pipeline()), **changes})
    with pytest.raises(RestError, match=words):
        started(Runs(wanted))


def test_arguments_never_reach_a_message(at: Cloud) -> None:
    said: list[str] = []
    secret = "CANARY-hunter2"
    faults.add(at.world, faults.make("create", "cdap:POST", 1, "fail=500", 9))
    runs = Runs(pipeline(), say=said.append, sleep=lambda _: None)
    with pytest.raises(RestError) as refused:
        runs.start_or_adopt(KEYS[0], {"password": secret}, task=KEYS[1])
    assert secret not in f"{refused.value} {said}"


LOG = """\
2026-11-21 00:33:55,491 - INFO  [WorkflowDriver:x@448] - Pipeline 'a' is started with arguments {password=CANARY}
2026-11-21 00:33:59,258 - ERROR [SparkRunner-phase-1:x@98] - Spark Program 'phase-1' failed.
java.util.concurrent.ExecutionException: java.lang.RuntimeException
\tat java.lang.Thread.run(Thread.java:840)
Caused by: java.lang.RuntimeException: outer
Caused by: java.sql.SQLException: no table at jdbc:mysql://h/db?user=u&password=CANARY&x=1
2026-11-21 00:33:59,300 - WARN  [x] - Caused by: nothing
"""


def test_the_reason_is_the_last_error_of_the_log_and_its_cause() -> None:
    said = last_error(LOG)
    assert said == (
        "Spark Program 'phase-1' failed. Caused by: java.sql.SQLException: no table at "
        "jdbc:mysql://h/db?user=u&password=***&x=1"
    )
    assert last_error("") == last_error("no log of CDAP's") == ""


def test_tokens_go_to_googles_hosts_alone(at: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert instance_url("https://x.datafusion.googleusercontent.com/api").startswith(at.server.url)
    monkeypatch.delenv("DATA_FUSION_EMULATOR_HOST")
    for url in ("https://attacker.example/api", "http://datafusion.googleapis.com/v1", "https://xgoogleapis.com/"):
        with pytest.raises(RestError, match="is not a host of Google's"):
            Rest().call("GET", url)


def test_a_view_of_the_run_and_its_log(at: Cloud) -> None:
    runs = Runs(pipeline())
    run, _ = started(runs)
    links = runs.links(run.id)
    assert links["logs"].startswith(f"https://{at.host}/api/v3/namespaces/default/apps/{NAME}/workflows/")
    assert run.id in links["view"]


def test_statements_are_run_once_for_their_name_and_in_their_place(at: Cloud) -> None:
    at.table("configuration", [row(f"r-{n}") for n in range(3)])
    table = table_name(PROJECT, "cdf_output", "configuration")
    jobs = Jobs(PROJECT, "EU")
    found = list(jobs.run(f"SELECT data_source FROM {table} ORDER BY 1", "job-1"))
    assert found == [{"data_source": f"r-{n}"} for n in range(3)]
    insert(at.server, "cdf_output", "configuration", [row("r-3")])
    assert len(list(jobs.run(f"SELECT data_source FROM {table}", "job-1"))) == 3
    assert len(list(jobs.run(f"SELECT data_source FROM {table}", "job-2"))) == 4
    faults.add(at.world, faults.make("create", "bigquery:POST", 1, "drop", 1))
    assert list(jobs.run(f"TRUNCATE TABLE {table}", "job-3")) == []
    assert list(jobs.run(f"SELECT * FROM {table}", "job-4")) == []
    with pytest.raises(QueryError, match="was not found in location US"):
        list(Jobs(PROJECT, "US").run(f"SELECT * FROM {table}", "job-5"))
    with pytest.raises(QueryError, match="HTTP status 400"):
        list(jobs.run("SELEC 1", "job-6"))


@pytest.mark.parametrize(
    "name",
    [("a", "d", "t"), (PROJECT, "d-d", "t"), (PROJECT, "d", "t`; DROP"), (PROJECT, "d", ""), (PROJECT, "d", "a.b")],
)
def test_a_name_that_is_none_is_refused_before_it_is_sql(name: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a BigQuery"):
        table_name(*name)
