"""What is pushed to an empty instance comes back byte by byte."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest

from dataplatform.datafusion import normalise, service
from dataplatform.datafusion.errors import ConflictError
from dataplatform.datafusion.macros import Environment
from dataplatform.datafusion.model import DEFAULT_SCHEDULE, SYSTEM, Json, Key, Kind
from dataplatform.datafusion.service import Selection
from tests.datafusion.conftest import Cdap
from tests.datafusion.pipelines import PLUGINS, as_saved_in_ui, export_of, generated, pipeline, tree, write

NOTHING = Environment()


def push(cdap: Cdap, folder: Path, **options: Any) -> list[str]:
    prepared = service.prepare(cdap.client(), folder, NOTHING, Selection(), **options)
    result = prepared.apply()
    assert result.error() is None, result.error()
    return [str(step) for step in result.done]


def pull(cdap: Cdap, folder: Path, namespace: str) -> dict[str, bytes]:
    service.pull(cdap.client(), folder, NOTHING, Selection(namespaces=[namespace]))
    return tree(folder)


@pytest.mark.parametrize("first", range(0, 40, 8))
def test_generated_pipelines_come_back_byte_by_byte(cdap: Cdap, tmp_path: Path, first: int) -> None:
    namespace = cdap.namespace()
    write(tmp_path / "files", export_of(namespace, *(generated(first + i) for i in range(8))))
    assert len(push(cdap, tmp_path / "files")) == 9
    assert pull(cdap, tmp_path / "pulled", namespace) == tree(tmp_path / "files")
    assert push(cdap, tmp_path / "files") == []
    assert push(cdap, tmp_path / "pulled") == []


def everything(namespace: str) -> dict[Key, Json]:
    """One object of every kind that can be pushed to an instance without jars."""

    def key(kind: Kind, name: str = "", part: str = "") -> Key:
        return Key(namespace=namespace, kind=kind, name=name, part=part)

    first = {"namespace": namespace, "application": "first", "version": "-SNAPSHOT"}
    first |= {"type": "Workflow", "entity": "PROGRAM", "program": "DataPipelineWorkflow"}
    trigger = {"type": "PROGRAM_STATUS", "programId": first, "programStatuses": ["COMPLETED"]}
    base: Json = {
        "program": {"programName": "DataPipelineWorkflow", "programType": "WORKFLOW"},
        "properties": {"k": "v é"},
        "constraints": [{"type": "CONCURRENCY", "maxConcurrency": 2, "waitUntilMet": False}],
        "timeoutMillis": 1000,
        "description": "d",
    }
    profile: Json = {"name": "small", "label": "S", "description": "D", "status": "DISABLED"}
    profile |= {"provisioner": {"name": "native", "properties": [{"name": "b", "value": "1", "isEditable": True}]}}
    draft = normalise.draft({**pipeline("half done"), "id": "some id"})
    plugin = {"name": "File", "type": "connector", "category": "File", "properties": {"p": "x=1 & é"}}
    connection = {"name": "lake one", "description": "d", "plugin": {**plugin, "artifact": dict(PLUGINS)}}
    return export_of(namespace, pipeline("first"), pipeline("second", schedule="0 3 * * *")) | {
        key(Kind.DRAFT, "half done", "some id"): draft,
        key(Kind.CONNECTION, "lake one"): normalise.connection(connection),
        key(Kind.PREFERENCES): {"preferences": {"a": "1", "ü": "x=1 & <b>"}},
        key(Kind.PROFILE, "small"): normalise.profile(profile),
        key(Kind.PIPELINE_PREFERENCES, "first"): {"pipeline": "first", "preferences": {"p": "1"}},
        key(Kind.RUNTIME_ARGUMENTS, "second"): {"pipeline": "second", "arguments": {"r": "1"}},
        key(Kind.SCHEDULE, "first", DEFAULT_SCHEDULE): {
            "pipeline": "first",
            "name": DEFAULT_SCHEDULE,
            "status": "SCHEDULED",
        },
        key(Kind.SCHEDULE, "first", "night"): normalise.schedule(
            {
                **base,
                "pipeline": "first",
                "name": "night",
                "status": "SCHEDULED",
                "trigger": {"type": "TIME", "cronExpression": "0 3 * * *"},
            }
        ),
        key(Kind.TRIGGER, "second", "after first"): normalise.schedule(
            {**base, "pipeline": "second", "name": "after first", "status": "SCHEDULED", "trigger": trigger}
        ),
    }


def test_every_kind_comes_back_byte_by_byte(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    write(tmp_path / "files", everything(namespace))
    push(cdap, tmp_path / "files")
    assert pull(cdap, tmp_path / "pulled", namespace) == tree(tmp_path / "files")
    assert push(cdap, tmp_path / "pulled") == []


def test_every_kind_is_changed_and_comes_back_byte_by_byte(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    folder = tmp_path / "files"
    made = everything(namespace)
    write(folder, made)
    push(cdap, folder)
    changed = copy.deepcopy(made)
    for key, body in changed.items():
        match key.kind:
            case Kind.PIPELINE:
                body["config"]["stages"][0]["plugin"]["properties"]["note"] = "größer & <b>"
            case Kind.PREFERENCES | Kind.PIPELINE_PREFERENCES:
                body["preferences"] = {"other": "ü=1"}
            case Kind.RUNTIME_ARGUMENTS:
                body["arguments"] = {"other": "ü=1"}
            case Kind.PROFILE:
                body["status"] = "ENABLED"
            case Kind.SCHEDULE | Kind.TRIGGER if key.part != DEFAULT_SCHEDULE:
                body["properties"] = {"k": "w"}
            case Kind.SCHEDULE:
                body["status"] = "SUSPENDED"
            case Kind.CONNECTION:
                body["plugin"]["properties"]["p"] = "y=2"
        if "description" in body:
            body["description"] = "geändert"
    folder = tmp_path / "changed"
    write(folder, changed)
    done = push(cdap, folder)
    assert {step.partition(" ")[0] for step in done} == {"update"}
    assert len(done) == len(made)
    pulled = pull(cdap, tmp_path / "pulled", namespace)
    # A schedule that comes with its pipeline, suspended, says nothing that the pipeline does not.
    bare = f"{namespace}/schedules/first@{DEFAULT_SCHEDULE}.json"
    assert pulled == {place: data for place, data in tree(folder).items() if place != bare}
    assert push(cdap, folder) == []


def test_what_belongs_to_the_instance_comes_back_byte_by_byte(cdap: Cdap, tmp_path: Path) -> None:
    name = cdap.namespace("big")  # of a profile: one that nobody has
    profile: Json = {"name": name, "label": "Big", "description": "für alle", "status": "DISABLED"}
    profile |= {
        "provisioner": {"name": "native", "properties": [{"name": "b", "value": "x=1 & é", "isEditable": False}]}
    }
    preferences = Key(namespace=SYSTEM, kind=Kind.PREFERENCES)
    written = {
        Key(namespace=SYSTEM, kind=Kind.PROFILE, name=name): normalise.profile(profile),
        preferences: {"preferences": {f"{name}.ü": "x=1 & <b>"}},
    }
    client = cdap.client()
    try:
        write(tmp_path / "files", written)
        assert len(push(cdap, tmp_path / "files")) == 2
        pulled = pull(cdap, tmp_path / "pulled", SYSTEM)
        files = tree(tmp_path / "files")
        assert {place: pulled[place] for place in files} == files
        assert push(cdap, tmp_path / "files") == []
        changed = {**profile, "label": "Bigger", "status": "ENABLED"}
        write(
            tmp_path / "files",
            written | {Key(namespace=SYSTEM, kind=Kind.PROFILE, name=name): normalise.profile(changed)},
        )
        assert push(cdap, tmp_path / "files") == [f"update profile {name}"]
        files = tree(tmp_path / "files")
        assert {place: pull(cdap, tmp_path / "pulled", SYSTEM)[place] for place in files} == files
    finally:
        client.call("DELETE", ("preferences",))
        with contextlib.suppress(ConflictError):
            client.call("POST", ("profiles", name, "disable"))
        client.call("DELETE", ("profiles", name))


def test_edits_renames_and_saves_of_the_user_interface(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    folder = tmp_path / "files"
    bodies = [generated(i) for i in range(100, 104)]
    write(folder, export_of(namespace, *bodies))
    push(cdap, folder)
    pull(cdap, folder, namespace)
    before = tree(folder)

    # A save in the user interface that changes nothing but the places of boxes changes no file.
    client = cdap.client()
    for body in bodies:
        saved = as_saved_in_ui(body, seed=7)
        client.call("PUT", ("namespaces", namespace, "apps", body["name"]), body=saved)
    assert pull(cdap, folder, namespace) == before

    # One that changes a property changes one line of one file.
    edited = as_saved_in_ui(bodies[0], seed=8)
    edited["config"]["maxConcurrentRuns"] = 9
    client.call("PUT", ("namespaces", namespace, "apps", bodies[0]["name"]), body=edited)
    after = pull(cdap, folder, namespace)
    (changed,) = [name for name in after if after[name] != before.get(name)]
    old, new = before[changed].decode().splitlines(), after[changed].decode().splitlines()
    assert [line for line in new if line not in old] == ['    "maxConcurrentRuns": 9,']

    # A pipeline that got another name, and a stage that did.
    renamed = copy.deepcopy(bodies[1]) | {"name": "renamed-to"}
    body = copy.deepcopy(bodies[2])
    old_name = body["config"]["connections"][0]["from"]
    for stage in body["config"]["stages"]:
        stage["name"] = "Ren amed/ß" if stage["name"] == old_name else stage["name"]
    for connection in body["config"]["connections"]:
        connection["from"] = "Ren amed/ß" if connection["from"] == old_name else connection["from"]
    client.call("DELETE", ("namespaces", namespace, "apps", bodies[1]["name"]))
    client.call("PUT", ("namespaces", namespace, "apps", "renamed-to"), body=renamed)
    client.call("PUT", ("namespaces", namespace, "apps", body["name"]), body=body)
    last = pull(cdap, folder, namespace)
    assert f"{namespace}/pipelines/renamed-to.json" in last
    assert f"{namespace}/pipelines/{bodies[1]['name']}.json" not in last
    assert push(cdap, folder) == []

    # To another, empty place, and back.
    elsewhere = cdap.namespace("elsewhere")
    moved = tmp_path / "moved"
    for name, data in last.items():
        target = moved / name.replace(namespace, elsewhere, 1)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.replace(namespace.encode(), elsewhere.encode()))
    push(cdap, moved)
    assert pull(cdap, tmp_path / "back", elsewhere) == tree(moved)


def test_old_versions_are_pulled_when_asked_for_and_never_pushed(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    folder = tmp_path / "files"
    for table in ("one", "two", "three"):
        write(folder, export_of(namespace, pipeline("p", table)))
        push(cdap, folder)
    service.pull(cdap.client(), folder, NOTHING, Selection(namespaces=[namespace]), versions=-1)
    assert len(list((folder / namespace / "versions").iterdir())) == 2
    assert push(cdap, folder) == []
    # A pull that does not ask for history leaves it.
    service.pull(cdap.client(), folder, NOTHING, Selection(namespaces=[namespace]))
    assert len(list((folder / namespace / "versions").iterdir())) == 2
