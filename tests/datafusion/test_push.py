"""A push does what differs, nothing else, in the order it is needed, and loses nothing of anybody's."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dataplatform.datafusion import normalise, service
from dataplatform.datafusion.errors import DataFusionError, PartialError, RefusedError
from dataplatform.datafusion.macros import Environment
from dataplatform.datafusion.model import DEFAULT_SCHEDULE, Json, Key, Kind
from dataplatform.datafusion.service import Selection
from dataplatform.diagnostics import InputError
from tests.datafusion.conftest import Cdap
from tests.datafusion.counting import Counting, Killed, Mortal
from tests.datafusion.pipelines import export_of, pipeline, tree, write
from tests.datafusion.test_roundtrip import everything, pull, push

NOTHING = Environment()


def prepare(cdap: Cdap, folder: Path, **options: Any) -> service.Push:
    client = options.pop("client", None) or cdap.client()
    return service.prepare(client, folder, NOTHING, options.pop("selection", Selection()), **options)


def schedule_status(cdap: Cdap, namespace: str, name: str) -> str:
    path = ("namespaces", namespace, "apps", name, "schedules", DEFAULT_SCHEDULE, "status")
    return str(cdap.client().get(*path)["status"])


def resume(cdap: Cdap, namespace: str, name: str) -> None:
    path = ("namespaces", namespace, "apps", name, "schedules", DEFAULT_SCHEDULE, "enable")
    cdap.client().call("POST", path)


def test_five_changed_of_two_hundred_take_exactly_the_calls_needed(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    count = 200 if cdap.server is not None else 20
    bodies = [pipeline(f"p{i:03}") for i in range(count)]
    write(tmp_path, export_of(namespace, *bodies))
    push(cdap, tmp_path)
    changed = [pipeline(f"p{i:03}", "other") for i in range(0, count, count // 5)]
    write(tmp_path, export_of(namespace, *bodies, *changed))

    client = Counting(cdap.endpoint, concurrency=8)
    prepared = prepare(cdap, tmp_path, client=client)
    assert client.writes == []
    assert prepared.apply().error() is None
    needed = [("PUT", f"namespaces/{namespace}/apps/{body['name']}") for body in changed]
    # A real CDAP now and then answers 500 to a body that is still on its way; the client makes that call again.
    assert cdap.server is None or client.failed == []
    assert sorted(client.writes) == sorted(needed + [call for call in client.failed if call in needed])
    reads = [call for call in client.calls if call not in client.writes and call not in client.failed]
    assert len(reads) == 2 + 1 + -(-count // 50) + 2, "version, namespaces, apps, their details, artifacts and plugins"

    client = Counting(cdap.endpoint, concurrency=8)
    assert prepare(cdap, tmp_path, client=client).apply().done == []
    assert client.writes == []


def test_a_running_schedule_runs_on_through_a_redeployment(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    write(tmp_path, export_of(namespace, pipeline("p"), pipeline("q")))
    push(cdap, tmp_path)
    for name in ("p", "q"):
        resume(cdap, namespace, name)
    write(tmp_path, export_of(namespace, pipeline("p", "other"), pipeline("q", schedule="0 6 * * *")))
    push(cdap, tmp_path)
    for name, cron in (("p", "0 1 */1 * *"), ("q", "0 6 * * *")):
        (schedule,) = cdap.client().get("namespaces", namespace, "apps", name, "schedules")
        assert schedule["status"] == "SCHEDULED"
        assert schedule["trigger"]["cronExpression"] == cron
    push(cdap, tmp_path, replace=True)
    assert [schedule_status(cdap, namespace, name) for name in ("p", "q")] == ["SCHEDULED"] * 2


def test_a_change_of_somebody_elses_is_not_overwritten(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    write(tmp_path, export_of(namespace, pipeline("p"), pipeline("q")))
    push(cdap, tmp_path)
    write(tmp_path, export_of(namespace, pipeline("p", "mine"), pipeline("q", "mine")))
    prepared = prepare(cdap, tmp_path)
    theirs = pipeline("p", "theirs")
    cdap.client().call("PUT", ("namespaces", namespace, "apps", "p"), body=theirs)
    result = prepared.apply()
    assert [str(step) for step in result.done] == [f"update pipeline {namespace}/q"]
    error = result.error()
    assert isinstance(error, PartialError)
    assert f"pipeline {namespace}/p was changed on the instance since it was read" in str(error)
    now = normalise.pipeline(cdap.client().get("namespaces", namespace, "apps", "p"))
    assert now["config"]["stages"][0]["plugin"]["properties"]["name"] == "theirs"


def before_and_after(namespace: str) -> tuple[dict[Key, Json], dict[Key, Json]]:
    """An instance with something of every kind and running schedules, and what the files make of it."""
    old = everything(namespace)
    old |= export_of(namespace, pipeline("moved"), pipeline("gone"))
    new = dict(old)
    new |= export_of(
        namespace, pipeline("first", "changed"), pipeline("moved", "other", schedule="0 9 * * *"), pipeline("fresh")
    )
    del new[Key(namespace=namespace, kind=Kind.PIPELINE, name="gone")]
    old[Key(namespace=namespace, kind=Kind.PROFILE, name="old")] = normalise.profile(
        {"name": "old", "provisioner": {"name": "native"}}
    )
    new[Key(namespace=namespace, kind=Kind.PREFERENCES)] = {"preferences": {"a": "2"}}
    fresh = Key(namespace=namespace, kind=Kind.SCHEDULE, name="fresh", part=DEFAULT_SCHEDULE)
    new[fresh] = {"pipeline": "fresh", "name": DEFAULT_SCHEDULE, "status": "SCHEDULED"}
    return old, new


@pytest.mark.slow
def test_killed_at_any_call_and_run_again_it_converges(cdap: Cdap, tmp_path: Path) -> None:
    options: dict[str, Any] = {"prune": True, "allow_deletes": 3}

    def ready(folder: Path, namespace: str) -> None:
        old, new = before_and_after(namespace)
        write(folder / "old", old)
        push(cdap, folder / "old")
        resume(cdap, namespace, "moved")
        write(folder / "new", new)

    namespace = cdap.namespace()
    ready(tmp_path, namespace)
    whole = Counting(cdap.endpoint, concurrency=1)
    assert prepare(cdap, tmp_path / "new", client=whole, **options).apply().error() is None
    total, reads = len(whole.calls), len(whole.calls) - len(whole.writes)
    assert total > 30
    assert whole.writes

    every = [(at, after) for at in range(1, total + 1) for after in (False, True)]
    # Before the first change a death changes nothing: a few of those are enough, and of a real CDAP's, which is slower.
    chosen = every[2 * reads - 40 :: 2] + every[2 * reads + 1 :: 2] if cdap.server is not None else every[-45::9]
    for at, after in chosen:
        namespace = cdap.namespace()
        folder = tmp_path / f"{at}-{after}"
        ready(folder, namespace)
        client = Mortal(cdap.endpoint, at, after=after, concurrency=1)
        with pytest.raises(Killed):
            prepare(cdap, folder / "new", client=client, **options).apply()
        assert schedule_status(cdap, namespace, "first") == "SCHEDULED", (at, after)
        assert schedule_status(cdap, namespace, "moved") == "SCHEDULED", (at, after)
        result = prepare(cdap, folder / "new", **options).apply()
        assert result.error() is None, (at, after, result.error())
        assert schedule_status(cdap, namespace, "moved") == "SCHEDULED", (at, after)
        assert schedule_status(cdap, namespace, "fresh") == "SCHEDULED", (at, after)
        found = pull(cdap, folder / "pulled", namespace)
        moved = f"{namespace}/schedules/moved@{DEFAULT_SCHEDULE}.json"
        assert json.loads(found.pop(moved))["status"] == "SCHEDULED"  # it has no file: nobody asked for it to stop
        assert found == tree(folder / "new"), (at, after)
        assert prepare(cdap, folder / "new", **options).steps == []


def test_a_lost_answer_makes_no_second_version(cdap: Cdap, tmp_path: Path) -> None:
    """The server did it and the answer never came: the push finds its own work and goes on."""
    import urllib3

    namespace = cdap.namespace()
    write(tmp_path, export_of(namespace, pipeline("p")))
    push(cdap, tmp_path)
    write(tmp_path, export_of(namespace, pipeline("p", "other"), pipeline("new")))

    class Lossy(Counting):
        def send(self, method: str, url: str, body: bytes | None, headers: Any) -> Any:
            answer = super().send(method, url, body, headers)
            if method == "PUT" and [m for m, _ in self.calls].count("PUT") <= 2:
                raise urllib3.exceptions.ProtocolError("Connection aborted")
            return answer

    client = Lossy(cdap.endpoint, concurrency=1, sleep=lambda seconds: None)
    assert prepare(cdap, tmp_path, client=client).apply().error() is None
    assert len(cdap.client().get("namespaces", namespace, "apps", "p", "versions")) == 2
    assert len(cdap.client().get("namespaces", namespace, "apps", "new", "versions")) == 1


def test_a_failure_half_way_names_what_was_done_and_what_was_not(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    bad = pipeline("bad")
    del bad["config"]["stages"][1]["plugin"]["properties"]["name"]  # only the plugin itself knows that it needs one
    night = Key(namespace=namespace, kind=Kind.SCHEDULE, name="good", part=DEFAULT_SCHEDULE)
    asked = {"pipeline": "good", "name": DEFAULT_SCHEDULE, "status": "SCHEDULED"}
    write(tmp_path, export_of(namespace, pipeline("good"), bad) | {night: asked})
    result = prepare(cdap, tmp_path).apply()
    assert [str(step.key) for step in result.done] == [f"namespace {namespace}", f"pipeline {namespace}/good"]
    error = result.error()
    assert error is not None
    assert error.status == 5
    assert f"create pipeline {namespace}/bad: " in str(error)
    assert f"not done: pipeline {namespace}/bad, schedule {namespace}/good/{DEFAULT_SCHEDULE}" in str(error)


def test_prune_deletes_what_is_gone_and_asks_before_it_deletes_much(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    write(tmp_path, everything(namespace))
    push(cdap, tmp_path)
    write(tmp_path, export_of(namespace, pipeline("second", schedule="0 3 * * *")))
    assert push(cdap, tmp_path) == []
    with pytest.raises(RefusedError, match=r"would delete \d+ of the \d+ objects there .* --allow-deletes \d+"):
        prepare(cdap, tmp_path, prune=True)
    assert prepare(cdap, tmp_path, prune=True, allow_deletes=20).apply().error() is None
    assert pull(cdap, tmp_path / "pulled", namespace) == {
        name: data for name, data in tree(tmp_path).items() if name.startswith(namespace)
    }


def test_a_namespace_is_deleted_only_when_it_is_named_and_its_profiles_go_first(cdap: Cdap, tmp_path: Path) -> None:
    kept, gone = cdap.namespace("kept"), cdap.namespace("gone")
    write(tmp_path / "gone", everything(gone))
    push(cdap, tmp_path / "gone")
    cdap.client().call("POST", ("namespaces", gone, "profiles", "small", "enable"))
    write(tmp_path / "files", export_of(kept, pipeline("p")))
    push(cdap, tmp_path / "files", prune=True)
    assert gone in {space["name"] for space in cdap.client().get("namespaces")}
    selection = Selection(namespaces=[gone])
    with pytest.raises(RefusedError, match="--allow-deletes 1"):
        prepare(cdap, tmp_path / "files", selection=selection, prune=True)
    prepared = prepare(cdap, tmp_path / "files", selection=selection, prune=True, allow_deletes=1)
    assert [str(step) for step in prepared.steps] == [f"delete namespace {gone}"]
    assert prepared.apply().error() is None
    assert gone not in {space["name"] for space in cdap.client().get("namespaces")}


def test_only_the_pipelines_that_are_named_are_pushed(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    write(tmp_path, everything(namespace))
    prepared = prepare(cdap, tmp_path, selection=Selection(names=["fir*"]))
    assert {str(step.key) for step in prepared.steps} == {
        f"namespace {namespace}",
        f"pipeline {namespace}/first",
        f"preferences of pipeline {namespace}/first",
        f"schedule {namespace}/first/{DEFAULT_SCHEDULE}",
        f"schedule {namespace}/first/night",
    }
    with pytest.raises(DataFusionError, match=r"no pipeline 'frist'; did you mean 'first'\?"):
        prepare(cdap, tmp_path, selection=Selection(names=["frist"]))


def compiled(name: str) -> bytes:
    """A Java class with nothing in it, as the compiler would write it."""

    def text(value: str) -> bytes:
        return b"\x01" + len(value).to_bytes(2, "big") + value.encode()

    pool = [b"\x07\x00\x02", text(name), b"\x07\x00\x04", text("java/lang/Object")]
    head = bytes.fromhex("cafebabe 0000 0034") + (len(pool) + 1).to_bytes(2, "big") + b"".join(pool)
    return head + bytes.fromhex("0021 0001 0003 0000 0000 0000 0000")


def jar() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n")
        file.writestr("tiny/Tiny.class", compiled("tiny/Tiny"))
    return buffer.getvalue()


def test_an_artifact_goes_with_its_jar_before_what_needs_it(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    key = Key(namespace=namespace, kind=Kind.ARTIFACT, name="tiny", part="1.0.0")
    body = normalise.artifact(
        {
            "name": "tiny",
            "version": "1.0.0",
            "parents": ["system:cdap-data-pipeline[6.0.0,7.0.0)"],
            "properties": {"k": "v"},
            "plugins": [{"type": "jdbc", "name": "tinyjdbc", "className": "tiny.Tiny", "description": "d"}],
        }
    )
    write(tmp_path / "files", export_of(namespace) | {key: body})
    with pytest.raises(InputError, match=r"its jar is not beside its file; put tiny@1\.0\.0\.jar there"):
        prepare(cdap, tmp_path / "files")
    where = tmp_path / "files" / namespace / "artifacts"
    (where / "tiny@1.0.0.jar").write_bytes(jar())
    assert len(push(cdap, tmp_path / "files")) == 2
    pulled = pull(cdap, tmp_path / "pulled", namespace)
    name = f"{namespace}/artifacts/tiny@1.0.0.json"
    assert pulled[name] == tree(tmp_path / "files")[name]
    assert push(cdap, tmp_path / "files") == []
