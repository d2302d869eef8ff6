"""The trigger provider as the engine runs it: started through the language host's RunPlugin, against a small ARM."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.azure.data_factory_trigger import DataFactoryTrigger
from tests.engine_support import ROOT, EngineFailedError, EngineStack, Sandbox
from tests.providers.arm_server import ArmServer

pytestmark = pytest.mark.engine

FACTORY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/f"
ID = f"{FACTORY}/triggers/T_Sched"
PROPERTIES: dict[str, Any] = {
    "annotations": [],
    "runtimeState": "Stopped",
    "pipelines": [{"pipelineReference": {"referenceName": "P", "type": "PipelineReference"}}],
    "type": "ScheduleTrigger",
    "typeProperties": {
        "recurrence": {
            "frequency": "Hour",
            "interval": 1,
            "startTime": "2019-02-01T05:28:00.000Z",
            "timeZone": "UTC",
        }
    },
}


@pytest.fixture
def server() -> Iterator[ArmServer]:
    with ArmServer() as running:
        yield running


@pytest.fixture
def sandbox(tmp_path: Path, server: ArmServer) -> Sandbox:
    plugin = ROOT / "providers" / "azure"
    (tmp_path / "Pulumi.yaml").write_text(
        f"name: sandbox\nruntime: python\nplugins:\n  providers:\n    - name: dp-azure\n      path: {plugin}\n",
        "utf-8",
    )
    return Sandbox(tmp_path, {"DP_ARM_ENDPOINT": server.url})


def stack(sandbox: Sandbox, *, interval: int = 1, active: bool = True, **more: Any) -> EngineStack:
    properties = copy.deepcopy(PROPERTIES)
    properties["typeProperties"]["recurrence"]["interval"] = interval
    properties.update(more)

    def program() -> None:
        trigger = DataFactoryTrigger(
            "t", factory_id=FACTORY, trigger_name="T_Sched", properties=properties, active=active
        )
        pulumi.export("state", trigger.runtime_state)

    return sandbox.stack(program)


def test_a_trigger_that_runs_survives_an_update(sandbox: Sandbox, server: ArmServer) -> None:
    world = server.world
    assert stack(sandbox).preview()["create"] == 2
    assert world.calls == [], "a preview of a new trigger asks nothing"

    first = stack(sandbox)
    first.up()
    assert world.verbs() == ["PUT", "start"]
    assert world.states == {ID: "Started"}
    assert first.outputs() == {"state": "Started"}
    assert stack(sandbox).up() == {"same": 2}

    world.calls.clear()
    assert stack(sandbox, interval=2).up()["update"] == 1
    assert world.verbs() == ["stop", "PUT", "start"]
    assert world.states == {ID: "Started"}
    assert world.triggers[ID]["typeProperties"]["recurrence"]["interval"] == 2

    world.calls.clear()
    assert stack(sandbox, interval=2, active=False).up()["update"] == 1
    assert world.verbs() == ["stop", "PUT"]

    assert stack(sandbox, interval=2).up()["update"] == 1
    world.calls.clear()
    last = stack(sandbox, interval=2)
    assert last.refresh().get("update", 0) == 0
    assert last.destroy()["delete"] == 2
    assert world.verbs() == ["stop", "DELETE"]
    assert world.triggers == {}
    assert world.versions == {"api-version=2018-06-01"}


def test_every_key_of_the_definition_arrives(sandbox: Sandbox, server: ArmServer) -> None:
    parameters: dict[str, Any] = {
        "runtime_state": "kept",
        "trigger_name": "@trigger().name",
        "factoryId": "",
        "empty": {},
        "none": None,
        "list": [1, 1.5, None, True, "2:4", {"a_b": {"cD": []}}],
        "odd key[0].x": 'ü " \\ \n',
        "windowStart": {"value": "@trigger().scheduledTime", "type": "Expression"},
    }
    pipelines = [{"pipelineReference": {"referenceName": "P", "type": "PipelineReference"}, "parameters": parameters}]
    stack(sandbox, pipelines=pipelines, description="").up()
    sent = server.world.triggers[ID]
    wanted = {key: value for key, value in PROPERTIES.items() if key != "runtimeState"}
    assert sent == {**wanted, "pipelines": pipelines, "description": ""}
    assert stack(sandbox, pipelines=pipelines, description="").up() == {"same": 2}


def test_what_happened_outside_is_seen_and_put_right(sandbox: Sandbox, server: ArmServer) -> None:
    world = server.world
    stack(sandbox).up()
    world.states[ID] = "Stopped"
    assert stack(sandbox).refresh()["update"] == 1
    assert stack(sandbox).up()["update"] == 1
    assert world.states == {ID: "Started"}

    with world.triggers.edited(ID) as body:
        body["typeProperties"]["recurrence"]["interval"] = 7
    assert stack(sandbox).refresh()["update"] == 1
    assert stack(sandbox).up()["update"] == 1
    assert world.triggers[ID]["typeProperties"]["recurrence"]["interval"] == 1

    del world.triggers[ID]
    assert stack(sandbox).refresh()["delete"] == 1
    assert stack(sandbox).up()["create"] == 1
    assert world.states == {ID: "Started"}


@pytest.mark.parametrize("verb", ["stop", "PUT", "start"])
def test_a_refusal_at_any_step_is_repaired_by_the_next_up(sandbox: Sandbox, server: ArmServer, verb: str) -> None:
    world = server.world
    stack(sandbox).up()
    world.fail.append((verb, 400, "BadRequest", "Not today."))
    with pytest.raises(EngineFailedError, match=r"Not today\. \(400 BadRequest\)"):
        stack(sandbox, interval=2).up()
    left = world.states[ID]
    assert left == ("Started" if verb == "stop" else "Stopped")

    assert stack(sandbox, interval=2).up()["update"] == 1
    assert world.states == {ID: "Started"}
    assert world.triggers[ID]["typeProperties"]["recurrence"]["interval"] == 2
    assert stack(sandbox, interval=2).up() == {"same": 2}


def test_a_first_start_that_fails_leaves_a_trigger_the_next_up_starts(sandbox: Sandbox, server: ArmServer) -> None:
    world = server.world
    world.fail.append(("start", 400, "BadRequest", "Not today."))
    with pytest.raises(EngineFailedError, match="written but not started"):
        stack(sandbox).up()
    assert world.states == {ID: "Stopped"}
    assert stack(sandbox).up()["update"] == 1
    assert world.states == {ID: "Started"}


def test_a_run_killed_between_two_steps_is_repaired(sandbox: Sandbox, server: ArmServer) -> None:
    """What a killed engine leaves: the trigger as some step left it, and a state that knows nothing of the update."""
    world = server.world
    stack(sandbox).up()
    before = stack(sandbox).stack.export_stack()
    for written in (1, 2):
        world.states[ID] = "Stopped"
        with world.triggers.edited(ID) as body:
            body["typeProperties"]["recurrence"]["interval"] = written
        killed = stack(sandbox, interval=2)
        killed.stack.import_stack(before)
        assert killed.up()["update"] == 1
        assert world.states == {ID: "Started"}
        assert world.triggers[ID]["typeProperties"]["recurrence"]["interval"] == 2


def test_a_trigger_that_a_lost_run_made_is_taken_over(sandbox: Sandbox, server: ArmServer) -> None:
    world = server.world
    stack(sandbox).up()
    world.calls.clear()
    again = stack(sandbox, interval=3)
    again.stack.workspace.remove_stack("dev", force=True)
    again = stack(sandbox, interval=3)
    assert again.up()["create"] == 2
    assert world.verbs() == ["stop", "PUT", "start"]
    assert world.states == {ID: "Started"}


def test_a_tumbling_window_is_replaced_where_it_cannot_change(sandbox: Sandbox, server: ArmServer) -> None:
    def window(start: str, retries: int) -> EngineStack:
        return stack(
            sandbox,
            type="TumblingWindowTrigger",
            typeProperties={
                "frequency": "Hour",
                "interval": 24,
                "startTime": start,
                "maxConcurrency": 1,
                "retryPolicy": {"count": retries},
            },
        )

    world = server.world
    window("2026-01-01T00:00:00Z", 1).up()
    assert window("2026-01-01T00:00:00.000Z", 1).up() == {"same": 2}, "one moment in two spellings"
    assert window("2026-01-01T00:00:00Z", 2).up()["update"] == 1
    world.calls.clear()
    assert window("2026-02-01T00:00:00Z", 2).up()["replace"] == 1
    assert world.verbs() == ["stop", "DELETE", "PUT", "start"]


def test_mistakes_are_told_before_anything_is_done(sandbox: Sandbox, server: ArmServer) -> None:
    def wrong() -> None:
        DataFactoryTrigger("a", factory_id="f", trigger_name="T#", properties={"pipelines": []}, active=True)

    with pytest.raises(EngineFailedError) as told:
        sandbox.stack(wrong).up()
    text = str(told.value)
    assert "give the factory's resource id" in text
    assert "give a name of 1 to 260 characters" in text
    assert "give the trigger's properties with their type" in text
    assert server.world.calls == []
