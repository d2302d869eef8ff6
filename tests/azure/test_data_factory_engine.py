"""The corpus's Data Factory in a stack, with the real engine: every byte arrives, triggers survive updates."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import faults, store
from localcloud.services import data_factory
from localcloud.world import World
from tests.azure.data_factory.support import CORPUS
from tests.azure.stacks import AZURE
from tests.tool.test_stack import Project, engine_of

pytestmark = pytest.mark.engine

FACTORY = """\
      data_factory:
        directory: adf
        release: "1.4.0"
        commit: 0123abc
        patches:
          - {linked_service: Ls_AdlsGen2_01, property: typeProperties.url, value: $lake:url}
          - {linked_service: Ls_AdlsGen2_01, property: typeProperties.accountKey, remove: true}
          - {linked_service: Ls_KeyVault, property: typeProperties.baseUrl, value: $key_vault:url}
          - linked_service: Ls_AzureSQLDW_01
            property: typeProperties.connectionString.secretName
            value: lakeEndpoint
          - linked_service: Ls_adb_01
            property: typeProperties.accessToken.secretName
            value: storageAccount
          - pipeline: P_Ingest_MelbParkingData
            activity: StandardizeData
            property: typeProperties.notebookPath
            value: /Workspace/releases/1.4.0/02_standardize
        triggers: {T_Sched: started}
        global_parameters: {environment: dev, rate: 0.5}
"""


class Stack(Project):
    """A project with the corpus's factory."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        head = (root / "Pulumi.dev.yaml").read_text().partition("    gcp:\n")[0]
        (root / "Pulumi.dev.yaml").write_text(head + AZURE + FACTORY)
        shutil.copytree(CORPUS, root / "adf")

    @property
    def world(self) -> World:
        return World(self.root / ".dp/cloud")

    def artefacts(self) -> dict[str, store.Row]:
        """What the factory holds, by the end of its id."""
        world = self.world
        try:
            with world.transaction() as tx:
                rows = store.everything(tx)
        finally:
            world.close()
        return {row.id.partition("-adf/")[2]: row for row in rows if data_factory.entity_of(row.id) is not None}

    def trigger(self) -> tuple[str | None, int]:
        row = self.artefacts()["triggers/T_Sched"]
        interval: int = data_factory.body_of(row)["typeProperties"]["recurrence"]["interval"]
        return data_factory.state_of_trigger(row), interval

    def every(self, hours: int) -> None:
        """Change the trigger's file."""
        file = self.root / "adf/trigger/T_Sched.json"
        content = json.loads(file.read_text())
        content["properties"]["typeProperties"]["recurrence"]["interval"] = hours
        file.write_text(json.dumps(content))

    def calls(self) -> list[str]:
        """What was asked of Resource Manager over REST, reads left out."""
        lines = [json.loads(line) for line in (self.root / ".dp/cloud/calls.jsonl").read_text().splitlines()]
        asked = [call for call in lines if call["type"] == "arm" and call["method"] not in ("GET", "HEAD")]
        return [f"{call['method']} {call['id'].rpartition('/')[2]}" for call in asked]

    def up(self) -> str:
        status, out, err = self.dp("up", "dev", "--local")
        assert status == 0, out + err
        return out + err


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("factory") / "project")
    made.up()
    yield made
    status, out, err = made.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert not made.cloud()


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_bytes_that_reach_azure_are_the_source_s_after_patches_by_name(stack: Stack) -> None:
    wanted: dict[str, Any] = {}
    kinds = {"pipeline": "pipelines", "dataset": "datasets", "linkedService": "linkedservices", "trigger": "triggers"}
    for file in (stack.root / "adf").rglob("*.json"):
        properties = json.loads(file.read_text())["properties"]
        properties.pop("runtimeState", None)
        properties["annotations"] = [*properties.get("annotations", []), "release:1.4.0", "commit:0123abc"]
        wanted[f"{kinds[file.parent.name]}/{file.stem}"] = properties
    lake = wanted["linkedservices/Ls_AdlsGen2_01"]["typeProperties"]
    lake["url"] = "https://acmedatadevlake.dfs.core.windows.net/"
    del lake["accountKey"]
    wanted["linkedservices/Ls_KeyVault"]["typeProperties"]["baseUrl"] = "https://acmedata-dev-kv.vault.azure.net/"
    warehouse = wanted["linkedservices/Ls_AzureSQLDW_01"]["typeProperties"]
    warehouse["connectionString"]["secretName"] = "lakeEndpoint"
    wanted["linkedservices/Ls_adb_01"]["typeProperties"]["accessToken"]["secretName"] = "storageAccount"
    (standardize,) = [
        activity
        for activity in wanted["pipelines/P_Ingest_MelbParkingData"]["activities"]
        if activity["name"] == "StandardizeData"
    ]
    standardize["typeProperties"]["notebookPath"] = "/Workspace/releases/1.4.0/02_standardize"

    found = stack.artefacts()
    assert set(found) == set(wanted)
    for name, row in found.items():
        assert canonical(data_factory.body_of(row)) == canonical(wanted[name]), name


def test_there_is_no_drift_and_the_factory_says_what_was_deployed(stack: Stack) -> None:
    status, out, err = stack.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, out + err
    assert "[DP521]" in err
    status, out, err = stack.dp("check", "dev")
    assert (status, out) == (0, "ok: dev\n")
    assert "[DP521]" in err, "what the lint warns of is told, and is no error"
    (factory,) = [r for r in stack.state()["resources"] if r["type"] == "azure-native:datafactory:Factory"]
    assert factory["inputs"]["globalParameters"] == {
        "environment": {"type": "String", "value": "dev"},
        "gitCommit": {"type": "String", "value": "0123abc"},
        "rate": {"type": "Float", "value": 0.5},
        "releaseId": {"type": "String", "value": "1.4.0"},
    }


def test_a_trigger_that_runs_survives_an_update(stack: Stack) -> None:
    assert stack.trigger() == ("Started", 1)
    before = len(stack.calls())
    stack.every(2)
    stack.up()
    assert stack.calls()[before:] == ["POST stop", "PUT T_Sched", "POST start"]
    assert stack.trigger() == ("Started", 2)


def test_a_crash_between_is_repaired_by_the_next_up(stack: Stack) -> None:
    world = stack.world
    # Stopped, not yet written: the service takes its time, and the engine and all it started are killed meanwhile.
    faults.add(world, faults.make("update", "arm:PUT*", 1, "slow=600"))
    world.close()
    stack.every(6)
    before = copy.copy(stack.calls())
    process = stack.start("up", "dev", "--local")
    deadline = time.monotonic() + 120
    while stack.calls() == before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert stack.calls()[len(before) :] == ["POST stop"]
    os.kill(engine_of(process), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode in (3, 5)
    assert stack.trigger() == ("Stopped", 2)

    stack.up()
    assert stack.trigger() == ("Started", 6)
