"""What the embedded CDAP does that a conversation with a real one cannot show: outcomes, faults, tokens, editions."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import faults
from localcloud.cdap import gsonlike, scenario
from localcloud.cdap.instance import Settings, time_uuid
from localcloud.cdap.server import Server, serve
from localcloud.world import World
from tests.cdap.calls import Answer, Call, delete, get, play, post, put
from tests.cdap.pipelines import app, config

_FLOW = "/v3/namespaces/default/apps/p/workflows/DataPipelineWorkflow"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(world: World, clock: Clock) -> Iterator[Server]:
    with serve(world, "sandbox", clock=clock) as running:
        play(running.url, [put("/v3/namespaces/default/apps/p", app())])
        yield running


def ask(server: Server, call: Call) -> Answer:
    return play(server.url, [call])[0]


def started(server: Server, **arguments: str) -> str:
    answer = ask(
        server,
        post(
            "/v3/namespaces/default/start",
            [{"appId": "p", "programType": "workflow", "programId": "DataPipelineWorkflow", "runtimeargs": arguments}],
        ),
    )
    return str(json.loads(answer.body)[0]["runId"])


def status_of(server: Server, run: str) -> str:
    answer = ask(server, get(f"{_FLOW}/runs/{run}"))
    return str(json.loads(answer.body)["status"]) if answer.status == 200 else str(answer.status)


def test_a_run_goes_on_with_the_clock(server: Server, clock: Clock) -> None:
    run = started(server)
    seen = []
    for _ in range(12):
        seen.append(status_of(server, run))
        clock.now += 0.25
    assert list(dict.fromkeys(seen)) == ["PENDING", "STARTING", "RUNNING", "COMPLETED"]


def test_a_run_outlives_the_server(world: World, clock: Clock) -> None:
    with serve(world, "sandbox", clock=clock) as first:
        play(first.url, [put("/v3/namespaces/default/apps/p", app())])
        run = started(first)
    clock.now += 60
    with serve(world, "sandbox", clock=clock) as second:
        assert status_of(second, run) == "COMPLETED"


def test_time_scale_makes_runs_longer_or_ends_them_at_once(world: World, clock: Clock) -> None:
    with serve(world, "fast", clock=clock, settings=Settings(time_scale=0)) as fast:
        play(fast.url, [put("/v3/namespaces/default/apps/p", app())])
        assert status_of(fast, started(fast)) == "COMPLETED"
    with serve(world, "slow", clock=clock, settings=Settings(time_scale=10)) as slow:
        play(slow.url, [put("/v3/namespaces/default/apps/p", app())])
        run = started(slow)
        clock.now += 10
        assert status_of(slow, run) == "RUNNING"


def test_outcomes_are_used_up_in_order(server: Server, clock: Clock) -> None:
    scenario.add(server.instance, scenario.Outcome(app="other", end="KILLED"))
    scenario.add(server.instance, scenario.Outcome(app="p*", arguments={"row": "2"}, end="FAILED", times=2))
    runs = {row: started(server, row=row) for row in ("1", "2")}
    again = [started(server, row="2") for _ in range(2)]
    clock.now += 60
    assert {row: status_of(server, run) for row, run in runs.items()} == {"1": "COMPLETED", "2": "FAILED"}
    assert [status_of(server, run) for run in again] == ["FAILED", "COMPLETED"]
    assert [o["app"] for o in json.loads(ask(server, get("/sandbox/outcomes")).body)] == ["other"]


def test_a_failure_comes_after_running_and_says_why(server: Server, clock: Clock) -> None:
    scenario.add(server.instance, scenario.Outcome(end="FAILED", message="the source is gone"))
    run = started(server)
    clock.now += 1
    assert status_of(server, run) == "RUNNING"
    clock.now += 60
    assert status_of(server, run) == "FAILED"
    assert "the source is gone" in ask(server, get(f"{_FLOW}/runs/{run}/logs")).body


def test_a_run_is_hidden_at_first(server: Server) -> None:
    scenario.add(server.instance, scenario.Outcome(hidden=2))
    run = started(server)
    assert [status_of(server, run) for _ in range(3)] == ["404", "404", "PENDING"]


def test_a_run_without_an_end_goes_on_until_it_is_stopped(server: Server, clock: Clock) -> None:
    scenario.add(server.instance, scenario.Outcome(seconds=None))
    run = started(server)
    clock.now += 1_000_000
    assert status_of(server, run) == "RUNNING"
    assert ask(server, post(f"{_FLOW}/runs/{run}/stop")).status == 200
    assert status_of(server, run) == "STOPPING"
    clock.now += 1
    assert status_of(server, run) == "KILLED"
    assert ask(server, post(f"{_FLOW}/runs/{run}/stop")).status == 400


def test_a_rejected_run_has_never_begun(server: Server, clock: Clock) -> None:
    scenario.add(server.instance, scenario.Outcome(end="REJECTED"))
    run = started(server)
    clock.now += 60
    record = json.loads(ask(server, get(f"{_FLOW}/runs/{run}")).body)
    assert record["status"] == "REJECTED"
    assert "start" not in record


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"end": "DONE"}, "unknown end 'DONE'; expected one of: COMPLETED, FAILED, KILLED, REJECTED"),
        ({"seconds": "x"}, "'seconds' is a number that is not negative"),
        ({"secnds": 1}, "unknown field 'secnds'; expected one of: app, arguments"),
        ("[1]", "expected an object with the fields of an outcome, or a list of such"),
        ("{", "End of input at line 1 column 2"),
    ],
)
def test_a_bad_outcome_is_refused(server: Server, body: Any, message: str) -> None:
    answer = ask(server, post("/sandbox/outcomes", body))
    assert answer.status == 400
    assert message in answer.body


def test_outcomes_over_http(server: Server, clock: Clock) -> None:
    assert ask(server, post("/sandbox/outcomes", [{"end": "FAILED"}, {"end": "KILLED"}])).status == 200
    runs = [started(server) for _ in range(2)]
    clock.now += 60
    assert [status_of(server, run) for run in runs] == ["FAILED", "KILLED"]
    ask(server, post("/sandbox/outcomes", {"end": "FAILED", "times": None}))
    assert ask(server, delete("/sandbox/outcomes")).status == 200
    assert json.loads(ask(server, get("/sandbox/outcomes")).body) == []


def test_a_token_is_asked_for_and_can_expire(world: World) -> None:
    with serve(world, "sandbox", token="first") as server:

        def status(header: str | None) -> int:
            headers = {"Authorization": header} if header else {}
            return ask(server, get("/v3/namespaces", headers=headers)).status

        assert [status(h) for h in (None, "Bearer", "Basic first", "Bearer other", "Bearer first")] == [401] * 4 + [200]
        server.door.token = "second"
        assert [status("Bearer first"), status("bearer second")] == [401, 200]


def test_a_basic_instance_has_one_namespace(world: World) -> None:
    with serve(world, "basic", settings=Settings(edition="BASIC")) as server:
        answer = ask(server, put("/v3/namespaces/team", {}))
        assert answer.status == 403
        assert "Basic edition has only 'default'" in answer.body
        assert len(json.loads(ask(server, get("/v3/namespaces")).body)) == 1


def test_namespaces_stay_where_the_reset_is_off(world: World) -> None:
    with serve(world, "locked", settings=Settings(unrecoverable=False)) as server:
        ask(server, put("/v3/namespaces/z1", {}))
        answer = ask(server, delete("/v3/unrecoverable/namespaces/z1"))
        assert answer.status == 403
        assert answer.body == (
            "Namespace 'z1' cannot be deleted because 'enable.unrecoverable.reset' is not enabled. Please enable it"
            " and restart CDAP Master."
        )


def test_two_instances_of_a_world_share_nothing(world: World) -> None:
    with serve(world, "one") as one, serve(world, "two") as two:
        ask(one, put("/v3/namespaces/team", {}))
        assert ask(two, get("/v3/namespaces/team")).status == 404


def test_values_of_secure_keys_are_in_no_log(server: Server, world: World) -> None:
    path = "/v3/namespaces/default/securekeys"
    play(
        server.url,
        [
            put(f"{path}/k", {"data": "s3cret-value", "description": "d"}),
            get(f"{path}/k"),
            put(f"{path}/BAD", {"data": "s3cret-value"}),
            put(f"{path}/k", '{"data": "s3cret-value'),
            put("/v3/namespaces/nope/securekeys/k", {"data": "s3cret-value"}),
        ],
    )
    log = world.log.read_text("utf-8")
    assert f"{path}/k" in log
    assert "s3cret-value" not in log


def test_faults_fail_and_swallow_answers(server: Server, world: World) -> None:
    faults.add(world, faults.make("*", "cdap:PUT /v3/namespaces/a", 1, "fail=503"))
    assert ask(server, put("/v3/namespaces/a", {})).status == 503
    assert ask(server, get("/v3/namespaces/a")).status == 404
    faults.add(world, faults.make("update", "cdap:PUT", 1, "drop"))
    with pytest.raises(ConnectionError):
        ask(server, put("/v3/namespaces/b", {}))
    assert ask(server, get("/v3/namespaces/b")).status == 200


def test_deployments_at_once_are_versions_one_after_another(server: Server) -> None:
    answers: list[Answer] = []

    def deploy() -> None:
        answers.append(ask(server, put("/v3/namespaces/default/apps/cc", app(config(schedule=...)))))

    threads = [threading.Thread(target=deploy) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = json.loads(ask(server, get("/v3/namespaces/default/apps/cc/versions")).body)
    assert sorted(versions) == sorted(json.loads(a.body)["version"] for a in answers)
    assert len(set(versions)) == 6


def test_plugins_and_profiles_of_google_are_there_in_an_instance_only(world: World) -> None:
    files = {"name": "GCSFile", "type": "batchsource", "properties": {"path": "gs://b", "format": "csv"}}
    table = {"name": "BigQueryTable", "type": "batchsink", "properties": {"dataset": "d", "table": "t"}}
    stages = [{"name": "A", "plugin": files}, {"name": "B", "plugin": table}]
    body = app(config(stages=stages, connections=[{"from": "A", "to": "B"}]))
    with serve(world, "sandbox") as plain:
        assert "Plugin named 'GCSFile'" in ask(plain, put("/v3/namespaces/default/apps/g", body)).body
    with serve(world, "google", settings=Settings(offer="data_fusion")) as google:
        assert ask(google, put("/v3/namespaces/default/apps/g", body)).status == 200
        names = [p["name"] for p in json.loads(ask(google, get("/v3/profiles")).body)]
        assert names == ["native", "dataproc", "autoscaling-dataproc"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1024.0, "1024.0"),
        (12345678901.0, "1.2345678901E10"),
        (1234567.0, "1234567.0"),
        (12345678.0, "1.2345678E7"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (-1.5, "-1.5"),
        (0.0, "0.0"),
        (1e20, "1.0E20"),
        (100.25, "100.25"),
    ],
)
def test_doubles_are_written_as_java_writes_them(value: float, text: str) -> None:
    assert gsonlike.java_double(value) == text
    assert gsonlike.dumps(gsonlike.doubles(gsonlike.parse(repr(value)))) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("{a:1,'b':\"x\"}", {"a": 1, "b": "x"}),
        ("[1,,true]", [1, None, True]),
        ("// note\n{/* x */}", {}),
        ('"\\u00e9\\n\\ud83d\\ude00"', "é\n😀"),
        ("{a=1;b=>2}", {"a": 1, "b": 2}),
    ],
)
def test_what_gson_takes_for_json(text: str, value: object) -> None:
    assert gsonlike.plain(gsonlike.parse(text)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{bad json", "Expected ':' at line 1 column 7 path $.bad"),
        ("{bad", "End of input at line 1 column 5"),
        ("[1", "End of input at line 1 column 3"),
        ('{"a": "x', "Unterminated string at line 1 column 9 path $.a"),
        ("{} {}", "JSON document was not fully consumed."),
    ],
)
def test_what_gson_says_of_what_is_no_json(text: str, message: str) -> None:
    with pytest.raises(gsonlike.GsonError) as caught:
        gsonlike.parse(text)
    assert caught.value.message == message


def test_versions_are_named_by_their_time() -> None:
    made = [time_uuid(1_800_000_000.0) for _ in range(3)]
    assert len(set(made)) == 3
    assert all(version[14] == "1" for version in made)


@pytest.mark.parametrize("name", ["bad%20name", "bad.name", "na%C3%AFve"])
def test_an_app_s_name_is_judged_before_its_body_is_read(server: Server, name: str) -> None:
    """Not in the conversation: the real one answers 400, or 500 where the body was still on its way."""
    answer = ask(server, put(f"/v3/namespaces/default/apps/{name}", app()))
    assert answer.status == 400
    assert "Invalid app name" in str(answer.body)
