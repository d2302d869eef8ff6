"""What surrounds the engine, without it: locks, events, the guard, recovery, traces, the page."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dataplatform.local import guard, leftovers, locks, page, recovery
from dataplatform.local.errors import StateError
from dataplatform.local.events import Operation, Run, Tail
from dataplatform.local.executors import Call
from dataplatform.local.page_data import collect, mask, save_last
from dataplatform.local.trace import Follower, RunTrace, StepTrace, load_runs

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "CANARY"}


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:dev::data-platform::{kind}::{name}"


def lock_file(state: Path, **changes: Any) -> Path:
    folder = state / ".pulumi/locks/organization/data-platform/dev"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".123456789Z"
    content = {"pid": os.getpid(), "username": "ann", "hostname": socket.gethostname(), "timestamp": stamp, **changes}
    file = folder / f"{len(list(folder.iterdir()))}.json"
    file.write_text(json.dumps(content))
    return file


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


def test_the_lock_of_a_process_that_is_gone_is_taken_over(tmp_path: Path) -> None:
    file = lock_file(tmp_path, pid=dead_pid())
    taken = locks.take_over(tmp_path, "data-platform", "dev")
    assert [lock.file for lock in taken] == [file]
    assert not file.exists()


def test_the_lock_of_a_process_whose_number_was_given_again_is_taken_over(tmp_path: Path) -> None:
    lock_file(tmp_path, timestamp="2020-01-01T00:00:00.5+01:00")
    assert len(locks.take_over(tmp_path, "data-platform", "dev")) == 1


@pytest.mark.parametrize("changes", [{}, {"hostname": "elsewhere", "pid": 1}])
def test_a_lock_that_may_be_held_names_its_owner(tmp_path: Path, changes: dict[str, Any]) -> None:
    file = lock_file(tmp_path, **changes)
    with pytest.raises(StateError) as refused:
        locks.take_over(tmp_path, "data-platform", "dev")
    assert file.exists()
    for part in (
        "ann@",
        changes.get("hostname", socket.gethostname()),
        str(changes.get("pid", os.getpid())),
        "since 20",
    ):
        assert part in str(refused.value)
    assert refused.value.status == 4


def test_a_torn_lock_is_taken_over_once_it_is_old(tmp_path: Path) -> None:
    file = lock_file(tmp_path)
    file.write_text('{"pid": 1')
    with pytest.raises(StateError):
        locks.take_over(tmp_path, "data-platform", "dev")
    os.utime(file, (time.time() - 60, time.time() - 60))
    assert len(locks.take_over(tmp_path, "data-platform", "dev")) == 1


def test_events_cut_in_the_middle_of_a_line_are_read_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = Tail(log)
    assert list(tail.new()) == []
    log.write_bytes(b'{"sequence": 1}\n{"sequ')
    assert list(tail.new()) == [{"sequence": 1}]
    with log.open("ab") as out:
        out.write(b'ence": 2}\n')
    assert list(tail.new()) == [{"sequence": 2}]


def event(kind: str, op: str, name: str, **extra: Any) -> dict[str, Any]:
    state = {"custom": True, "id": "x"}
    return {kind: {"metadata": {"urn": urn("gcp:storage/bucket:Bucket", name), "op": op, "new": state, **extra}}}


def test_a_run_knows_what_is_in_flight_applied_and_failed() -> None:
    run = Run()
    for name in ("a", "b", "c"):
        run.read(event("resourcePreEvent", "create", name))
    run.read(event("resOutputsEvent", "create", "a"))
    run.read(event("resOpFailedEvent", "create", "b"))
    message = {"severity": "error", "urn": urn("gcp:storage/bucket:Bucket", "b"), "message": "<{%fg 1%}>409<{%reset%}>"}
    run.read({"diagnosticEvent": message})
    run.read({"diagnosticEvent": message})
    assert [o.name for o in run.in_flight()] == ["c"]
    assert [o.name for o in run.applied()] == ["a"]
    assert [o.name for o in run.failed()] == ["b"]
    assert run.errors == [(message["urn"], "409")]


def planned(op: str, kind: str, name: str, keys: tuple[str, ...] = ()) -> Operation:
    return Operation(urn(kind, name), op, True, keys=keys)


BUCKET, MEMBER = "gcp:storage/bucket:Bucket", "gcp:projects/iAMMember:IAMMember"
EXISTING = {urn(BUCKET, f"b{i}"): BUCKET for i in range(3)} | {urn(MEMBER, f"m{i}"): MEMBER for i in range(17)}


@pytest.mark.parametrize(
    ("going", "count", "reason"),
    [
        ([planned("delete", BUCKET, "b0")], 1, "deletes b0, and with it the bucket's objects"),
        ([planned("replace", BUCKET, "b0", ("location",))], 1, "replaces b0 (because of location)"),
        ([planned("delete", BUCKET, f"b{i}") for i in range(3)], 3, f"takes all 3 of {BUCKET}"),
        ([planned("delete", MEMBER, f"m{i}") for i in range(5)], 5, "takes 5 of the stack's 20 resources"),
    ],
)
def test_the_guard_wants_the_count_named(going: list[Operation], count: int, reason: str) -> None:
    verdict = guard.judge(going, EXISTING)
    assert verdict.count == count
    assert any(reason in given for given in verdict.reasons)
    assert [verdict.allows(n) for n in (None, count - 1, count, count + 1)] == [False, False, True, False]


@pytest.mark.parametrize(
    "going",
    [
        [],
        [planned("create", BUCKET, "new")],
        [planned("update", BUCKET, "b0")],
        [planned("delete", MEMBER, f"m{i}") for i in range(4)],
        [planned("delete", BUCKET, "replaced-earlier-and-pending")],
    ],
)
def test_the_guard_lets_ordinary_changes_pass(going: list[Operation]) -> None:
    assert guard.judge(going, EXISTING).allows(None)


def resource(kind: str, name: str, **extra: Any) -> dict[str, Any]:
    return {"urn": urn(kind, name), "type": kind, "custom": True, "inputs": {"name": name}, **extra}


def deployment(resources: list[dict[str, Any]], pending: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    operations = [{"type": kind, "resource": r} for kind, r in pending]
    return {"version": 3, "deployment": {"resources": resources, "pending_operations": operations}}


def test_a_pending_create_whose_object_exists_is_adopted_after_what_it_needs() -> None:
    parent = resource(MEMBER, "parent", id="p")
    later = resource(MEMBER, "later", id="l")
    state = deployment([parent, later], [("creating", resource(BUCKET, "new", dependencies=[parent["urn"]]))])
    cloud = [recovery.Found("new-id", BUCKET, {"name": "new", "more": "x"}), recovery.Found("p", MEMBER, {})]
    repaired = recovery.repair(state, state, cloud)
    body = repaired.deployment["deployment"]
    assert [(r["urn"], r["id"]) for r in body["resources"]] == [
        (parent["urn"], "p"),
        (urn(BUCKET, "new"), "new-id"),
        (later["urn"], "l"),
    ]
    assert "pending_operations" not in body
    assert (repaired.adopted, repaired.forgotten) == ((urn(BUCKET, "new"),), ())
    assert repaired.refresh == (urn(BUCKET, "new"),)
    assert state["deployment"]["pending_operations"], "the input is not changed"


def test_a_replacement_that_was_made_leaves_the_old_one_to_be_deleted() -> None:
    old = resource(BUCKET, "b", id="old")
    state = deployment([old], [("creating", {**resource(BUCKET, "b"), "inputs": {"name": "second"}})])
    repaired = recovery.repair(state, state, [recovery.Found("second-id", BUCKET, {"name": "second"})])
    found = {r["id"]: r.get("delete", False) for r in repaired.deployment["deployment"]["resources"]}
    assert found == {"second-id": False, "old": True}


def test_what_does_not_exist_or_is_not_certain_is_forgotten() -> None:
    known = resource(BUCKET, "known", id="k")
    state = deployment(
        [known],
        [("creating", resource(BUCKET, "gone")), ("creating", resource(BUCKET, "two")), ("deleting", known)],
    )
    cloud = [
        recovery.Found("k", BUCKET, {"name": "known"}),
        recovery.Found("1", BUCKET, {"name": "two"}),
        recovery.Found("2", BUCKET, {"name": "two"}),
        recovery.Found("3", MEMBER, {"name": "gone"}),
    ]
    repaired = recovery.repair(state, state, cloud)
    assert repaired.deployment["deployment"]["resources"] == [known]
    assert repaired.adopted == ()
    assert repaired.refresh == (known["urn"],)


def test_secrets_in_the_clear_are_compared_and_not_kept() -> None:
    hidden = {**resource(BUCKET, "s"), "inputs": {"name": SECRET}}
    clear = {**resource(BUCKET, "s"), "inputs": {"name": "plain"}}
    repaired = recovery.repair(
        deployment([], [("creating", hidden)]),
        deployment([], [("creating", clear)]),
        [recovery.Found("id", BUCKET, {"name": "plain"})],
    )
    assert repaired.adopted == (urn(BUCKET, "s"),)
    assert "plain" not in json.dumps(repaired.deployment)


@pytest.mark.parametrize("damage", ["", '{"version": 3, "chec'])
def test_a_damaged_state_file_is_restored_from_its_newest_whole_copy(tmp_path: Path, damage: str) -> None:
    checkpoint = tmp_path / ".pulumi/stacks/data-platform/dev.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text(damage)
    with pytest.raises(StateError, match="damaged"):
        recovery.restore_checkpoint(checkpoint)
    older = tmp_path / ".pulumi/backups/data-platform/dev/dev.1.json"
    older.parent.mkdir(parents=True)
    older.write_text('{"version": 1}')
    (checkpoint.parent / "dev.json.bak").write_text('{"version": 2}')
    assert recovery.restore_checkpoint(checkpoint) == checkpoint.parent / "dev.json.bak"
    assert json.loads(checkpoint.read_text()) == {"version": 2}
    assert recovery.restore_checkpoint(checkpoint) is None


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs processes as files")
def test_processes_of_a_dead_run_are_found_and_ended_and_those_of_a_living_one_are_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    owner = subprocess.Popen(command)
    living = f"{owner.pid}:{locks.process_start(owner.pid):.2f}:{tmp_path}"
    led = subprocess.Popen(command, env={**os.environ, leftovers.RUN_MARK: living})
    orphan = subprocess.Popen(command, env={**os.environ, leftovers.RUN_MARK: f"{dead_pid()}:1.00:{tmp_path}"})
    try:
        # A process has no environment for the moment in which it becomes another program.
        for started in (led, orphan):
            while not Path(f"/proc/{started.pid}/environ").read_bytes():
                time.sleep(0.01)
        assert leftovers.leftovers(tmp_path) == [orphan.pid]
        said: list[str] = []

        def say(text: str) -> None:
            said.append(text)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "sleep", lambda _: orphan.poll())
            leftovers.end_leftovers(tmp_path, say, patience=0.2)
        assert str(orphan.pid) in said[0]
        assert led.poll() is None
    finally:
        for process in (owner, led, orphan):
            process.kill()
            process.wait()


def call(kind: str, status: int, answer: str, at: float) -> Call:
    return Call(
        time=at, call_type=kind, job_name="s", function="f", body={}, headers={}, path="/", status=status, answer=answer
    )


def test_a_trace_follows_the_calls() -> None:
    trace = RunTrace("p", "workflows", [StepTrace("s", "f", "1", "1"), StepTrace("t", "f", "2", "1")])
    follower = Follower(trace, 10.0)
    calls = [call("get_id", 200, "aef_1", 11.0), call("get_status", 200, "running", 12.0)]
    assert [word for _, word in follower.take(calls)] == ["started", "polling"]
    calls.append(call("get_status", 200, "success", 13.5))
    assert [word for _, word in follower.take(calls)] == ["succeeded"]
    assert follower.take(calls) == []
    assert trace.finish("succeeded") == []
    step, other = trace.steps
    assert (step.state, step.started, step.ended, step.polls, step.job) == ("succeeded", 1.0, 3.5, 2, "aef_1")
    assert other.state == "not run"


def test_a_step_whose_status_never_was_a_success_has_failed(tmp_path: Path) -> None:
    trace = RunTrace("p", "airflow", [StepTrace("s", "f", "1", "1")])
    follower = Follower(trace, 0.0)
    follower.take([call("get_id", 200, "aef_1", 1.0), call("get_status", 500, "Exception : x", 2.0)])
    assert [step.id for step in trace.finish("failed", "step s failed")] == ["s"]
    trace.save(tmp_path)
    (tmp_path / ".dp/runs/torn.json").write_text("{")
    loaded = load_runs(tmp_path)
    assert [(r.pipeline, r.state, r.steps[0].state, r.steps[0].said) for r in loaded] == [
        ("p", "failed", "failed", "Exception : x")
    ]


class Collected(HTMLParser):
    """Names of the elements and the texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def test_the_page_escapes_everything_masks_secrets_and_loads_nothing(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>\'&'
    stack = {
        "urn": urn("pulumi:pulumi:Stack", "data-platform-dev"),
        "type": "pulumi:pulumi:Stack",
        "outputs": {"plain": evil, "deep": {"list": [SECRET]}, "secret": SECRET},
    }
    component = {"urn": urn("dp:gcp:Lake", evil), "type": "dp:gcp:Lake", "parent": stack["urn"]}
    bucket = {**resource(BUCKET, evil, id=evil, parent=component["urn"]), "outputs": {"password": "CANARY"}}
    checkpoint = tmp_path / ".dp/state/.pulumi/stacks/data-platform/dev.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text(json.dumps({"checkpoint": {"latest": {"resources": [stack, component, bucket]}}}))
    error = {"resource": evil, "type": evil, "message": evil}
    save_last(tmp_path, "dev", {"command": "up", "resources": [], "errors": [error], "changes": {}})
    step = StepTrace(evil, evil, evil, evil, "failed", 0.0, 1.0, 3, said=evil, job=evil)
    RunTrace("p", "airflow", [step], "failed", evil).save(tmp_path)

    text = page.render(collect(tmp_path, "dev", "data-platform"))
    assert "CANARY" not in text
    assert "[secret]" in text
    found = Collected(text)
    assert [tag for tag, _ in found.elements].count("script") == 1, "only our own"
    for tag, attributes in found.elements:
        assert not {"src", "onload", "onclick"} & attributes.keys(), tag
        assert not (attributes.get("href") or "#").startswith("http")
        assert tag not in {"link", "iframe", "img"}
    assert {"main", "nav", "h1", "label"} <= {tag for tag, _ in found.elements}
    assert text.count("&lt;script&gt;") >= 8


def test_masking_reaches_every_depth() -> None:
    assert mask({"a": [1, SECRET], "b": "x"}) == ({"a": [1, "[secret]"], "b": "x"}, True)
    assert mask({"b": ["x"]}) == ({"b": ["x"]}, False)
