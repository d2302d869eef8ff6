"""BigQuery's REST API of the embedded cloud, asked as its discovery document says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud import faults
from localcloud.bigquery import sql
from localcloud.workflows.server import Server, serve
from localcloud.world import World
from tests.bigquery.support import (
    CONFIGURATION,
    PROJECT,
    STAFF,
    ask,
    google,
    insert,
    make_dataset,
    make_table,
    new_project,
    query,
    values,
)

TABLE = f"`{PROJECT}.cdf_output.configuration`"
ROWS: list[dict[str, Any]] = [
    {"business_unit": "hr", "data_source": "engineer", "is_active": True},
    {"business_unit": "hr", "data_source": 'it\'s "größe" `x`', "is_active": "false"},
    {"business_unit": "sales", "data_source": None, "is_active": None},
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("world"))
    new_project(made)
    client = google(made)
    make_dataset(client, "cdf_output", "EU")
    make_dataset(client, "far", "us-west1")
    make_table(client, "cdf_output", "configuration", CONFIGURATION)
    make_table(client, "cdf_output", "staff", STAFF)
    make_table(client, "far", "staff", STAFF)
    view = f"SELECT business_unit FROM {TABLE} WHERE is_active"
    make_table(client, "cdf_output", "live", [], view={"query": view, "useLegacySql": False})
    return made


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Server]:
    with serve(world) as running:
        assert insert(running, "cdf_output", "configuration", ROWS) == {"kind": "bigquery#tableDataInsertAllResponse"}
        yield running


def refusal(answer: tuple[int, Any]) -> tuple[int, str, str]:
    status, body = answer
    assert status == body["error"]["code"], body
    return status, body["error"]["errors"][0]["reason"], body["error"]["message"]


def test_tables_are_those_of_the_stack(server: Server) -> None:
    status, found = ask(server, "GET", "datasets/cdf_output/tables/configuration")
    assert status == 200
    assert found["numRows"] == "3"
    assert found["location"] == "EU"
    assert [(field["name"], field["type"]) for field in found["schema"]["fields"]] == [
        ("business_unit", "STRING"),
        ("data_source", "STRING"),
        ("is_active", "BOOLEAN"),
    ]
    _, listed = ask(server, "GET", "datasets/cdf_output/tables")
    assert {table["tableReference"]["tableId"] for table in listed["tables"]} == {"configuration", "staff", "live"}
    _, datasets = ask(server, "GET", "datasets")
    assert {(one["id"], one["location"]) for one in datasets["datasets"]} == {
        (f"{PROJECT}:cdf_output", "EU"),
        (f"{PROJECT}:far", "us-west1"),
    }


def test_rows_come_back_as_the_api_writes_them(server: Server) -> None:
    _, first = ask(server, "GET", "datasets/cdf_output/tables/configuration/data", maxResults="2")
    assert first["totalRows"] == "3"
    assert values(first) == [["hr", "engineer", "true"], ["hr", 'it\'s "größe" `x`', "false"]]
    path = "datasets/cdf_output/tables/configuration/data"
    _, second = ask(server, "GET", path, pageToken=first["pageToken"], selectedFields="is_active,business_unit")
    assert values(second) == [[None, "sales"]]
    assert "pageToken" not in second


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"SELECT business_unit, is_active FROM {TABLE} WHERE is_active = TRUE", [["hr", "true"]]),
        ("select * from cdf_output.configuration where data_source = 'it\\'s \"größe\" `x`'", [ROWS[1]]),
        (f"SELECT configuration.business_unit FROM {PROJECT}.cdf_output.configuration WHERE is_active", [["hr"]]),
        (f"SELECT c.`business_unit` AS b, COUNT(*) AS n FROM {TABLE} AS c GROUP BY 1 ORDER BY n DESC -- x", None),
        (f'WITH a AS (SELECT * FROM {TABLE}) SELECT data_source FROM a WHERE business_unit = "sales"', [[None]]),
        ("SELECT * FROM cdf_output.live", [["hr"]]),
        ("SELECT 1 AS one, 1.5, 'x'", [["1", "1.5", "x"]]),
    ],
)
def test_queries(server: Server, text: str, expected: Any) -> None:
    status, found = query(server, text)
    assert status == 200, found
    assert found["jobComplete"] is True
    if expected == [ROWS[1]]:
        expected = [["hr", 'it\'s "größe" `x`', "false"]]
    assert values(found) == (expected if expected is not None else [["hr", "2"], ["sales", "1"]])


def test_types_of_results_are_those_of_the_columns(server: Server) -> None:
    _, found = query(server, f"SELECT is_active, COUNT(*) AS n, 2.5 FROM {TABLE} GROUP BY is_active")
    fields = found["schema"]["fields"]
    assert [(field["name"], field["type"]) for field in fields] == [
        ("is_active", "BOOLEAN"),
        ("n", "INTEGER"),
        ("f2_", "FLOAT"),
    ]


def test_parameters_are_bound_and_never_part_of_the_text(server: Server) -> None:
    given: dict[str, Any] = {
        "parameterMode": "NAMED",
        "queryParameters": [
            {"name": "unit", "parameterType": {"type": "STRING"}, "parameterValue": {"value": "hr' OR 1=1 --"}}
        ],
    }
    _, found = query(server, f"SELECT * FROM {TABLE} WHERE business_unit = @unit", **given)
    assert found["totalRows"] == "0"


def test_a_dataset_is_looked_for_in_the_location_of_the_job(server: Server) -> None:
    assert refusal(query(server, f"SELECT * FROM {TABLE}", "US")) == (
        404,
        "notFound",
        f"Not found: Dataset {PROJECT}:cdf_output was not found in location US",
    )
    status, found = query(server, f"SELECT * FROM {TABLE}", None)
    assert (status, found["jobReference"]["location"]) == (200, "EU")
    assert query(server, f"SELECT * FROM {TABLE}", "eu")[0] == 200
    status, reason, _ = refusal(query(server, "SELECT * FROM far.staff JOIN cdf_output.staff USING (id)", "us-west1"))
    assert (status, reason) == (404, "notFound")
    assert refusal(query(server, "SELECT 1", "everywhere!"))[:2] == (400, "invalid")


def test_jobs_have_names_and_are_found_in_their_place(server: Server) -> None:
    reference = {"projectId": PROJECT, "jobId": "far-1", "location": "us-west1"}
    configuration = {"query": {"query": "SELECT COUNT(*) FROM far.staff", "useLegacySql": False}}
    body = {"jobReference": reference, "configuration": configuration}
    status, job = ask(server, "POST", "jobs", body)
    assert (status, job["status"]["state"]) == (200, "RUNNING")
    assert refusal(ask(server, "POST", "jobs", body))[:2] == (409, "duplicate")
    assert refusal(ask(server, "GET", "jobs/far-1"))[2] == f"Not found: Job {PROJECT}:far-1"
    assert ask(server, "GET", "jobs/far-1", location="us-west1")[1]["status"] == {"state": "DONE"}
    assert values(ask(server, "GET", "queries/far-1", location="us-west1")[1]) == [["0"]]
    _, listed = ask(server, "GET", "jobs")
    assert f"{PROJECT}:us-west1.far-1" in {one["id"] for one in listed["jobs"]}


def test_a_job_that_fails_is_a_job_and_its_results_are_its_failure(server: Server) -> None:
    reference = {"projectId": PROJECT, "jobId": "wrong-1", "location": "US"}
    configuration = {"query": {"query": f"TRUNCATE TABLE {TABLE}", "useLegacySql": False}}
    status, _ = ask(server, "POST", "jobs", {"jobReference": reference, "configuration": configuration})
    assert status == 200
    _, job = ask(server, "GET", "jobs/wrong-1", location="US")
    assert job["status"]["state"] == "DONE"
    assert job["status"]["errorResult"]["reason"] == "notFound"
    assert refusal(ask(server, "GET", "queries/wrong-1", location="US"))[0] == 404
    assert ask(server, "GET", "datasets/cdf_output/tables/configuration")[1]["numRows"] == "3"


def test_rows_are_changed_and_taken_away(server: Server) -> None:
    insert(server, "cdf_output", "staff", [{"id": "1", "name": "Ada"}, {"id": 2, "name": "Bo"}, {"id": 3}])
    changed = query(server, "UPDATE cdf_output.staff SET name = CONCAT(name, '!') WHERE id = 1")
    assert changed[1]["numDmlAffectedRows"] == "1"
    assert query(server, "INSERT cdf_output.staff (id, name) VALUES (4, 'Cy')")[1]["numDmlAffectedRows"] == "1"
    assert query(server, "DELETE FROM `cdf_output.staff` WHERE id IN (2, 3)")[1]["numDmlAffectedRows"] == "2"
    assert values(query(server, "SELECT * FROM cdf_output.staff ORDER BY id")[1]) == [["1", "Ada!"], ["4", "Cy"]]
    assert query(server, "SELECT * FROM cdf_output.staff", dryRun=True)[0] == 200
    assert query(server, "TRUNCATE TABLE cdf_output.staff", dryRun=True)[0] == 200
    assert query(server, "SELECT * FROM cdf_output.staff")[1]["totalRows"] == "2"
    assert query(server, "TRUNCATE TABLE cdf_output.staff")[0] == 200
    assert query(server, "SELECT * FROM cdf_output.staff")[1]["totalRows"] == "0"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELEC 1", "invalidQuery"),
        ("SELECT nothing FROM cdf_output.staff", "invalidQuery"),
        ("SELECT 1; SELECT 2", "invalidQuery"),
        ("DELETE FROM cdf_output.staff", "invalidQuery"),
        ("DROP TABLE cdf_output.staff", "invalidQuery"),
        ("TRUNCATE TABLE cdf_output.live", "invalidQuery"),
        ("SELECT * FROM staff", "invalidQuery"),
        ("SELECT * FROM cdf_output.none", "notFound"),
        ("SELECT * FROM none.staff", "notFound"),
        ("SELECT * FROM a.b.c.d", "invalidQuery"),
        ("SELECT 'open", "invalidQuery"),
        ("INSERT INTO cdf_output.staff (id, name) VALUES (NULL, 'x')", "invalidQuery"),
        ("", "invalidQuery"),
    ],
)
def test_wrong_statements_are_refused_and_change_nothing(server: Server, text: str, reason: str) -> None:
    status, said, message = refusal(query(server, text))
    assert (status, said) == (404 if reason == "notFound" else 400, reason)
    assert message
    assert query(server, "SELECT * FROM cdf_output.staff")[1]["totalRows"] == "0"


def test_rows_that_do_not_fit_are_named_and_stop_the_others(server: Server) -> None:
    rows: list[dict[str, Any]] = [{"id": 1}, {"id": "one"}, {"name": "nobody"}, {"id": 2, "wrong": 1}]
    answer = insert(server, "cdf_output", "staff", rows)
    told = {item["index"]: item["errors"][0] for item in answer["insertErrors"]}
    assert told[0]["reason"] == "stopped"
    assert "id" in told[1]["message"]
    assert told[2]["message"] == "Missing required field: id."
    assert told[3]["message"] == "no such field: wrong."
    assert query(server, "SELECT * FROM cdf_output.staff")[1]["totalRows"] == "0"


def test_what_is_not_served_says_so(server: Server) -> None:
    assert refusal(ask(server, "POST", "jobs", {"configuration": {"load": {}}}))[:2] == (400, "invalid")
    legacy = ask(server, "POST", "queries", {"query": "SELECT 1"})
    assert "useLegacySql" in refusal(legacy)[2]
    assert refusal(ask(server, "GET", "models"))[0] == 404
    assert refusal(ask(server, "POST", "queries", ["x"]))[:2] == (400, "parseError")


def test_a_fault_hits_and_is_recorded(server: Server, world: World) -> None:
    faults.add(world, faults.make("create", "bigquery:POST", 1, "fail=503", 1))
    assert query(server, "SELECT 1")[0] == 503
    assert query(server, "SELECT 1")[0] == 200
    assert '"type": "bigquery"' in world.log.read_text("utf-8")


@pytest.mark.parametrize(
    "body",
    [
        {"query": 5},
        {"query": "SELECT 1", "useLegacySql": False, "queryParameters": 5},
        {"query": "SELECT 1", "useLegacySql": False, "queryParameters": [{}]},
        {"query": "SELECT 1", "useLegacySql": False, "defaultDataset": "x"},
        {"query": "SELECT 1", "useLegacySql": False, "maxResults": "x"},
        {"query": "INSERT VALUES (1)", "useLegacySql": False},
        {"query": "SELECT \ud800", "useLegacySql": False},
    ],
)
def test_bodies_of_another_shape_are_refused(server: Server, body: dict[str, Any]) -> None:
    assert ask(server, "POST", "queries", body)[0] == 400


def test_a_statement_without_an_end_is_ended(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "MAX_STEPS", 1_000_000)
    endless = "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT COUNT(*) FROM a"
    assert refusal(query(server, endless))[:2] == (403, "resourcesExceeded")
    assert query(server, "SELECT 1")[0] == 200
