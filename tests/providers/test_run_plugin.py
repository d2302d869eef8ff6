"""A provider that Pulumi.yaml names by its path: how it starts, fails, and ends with the engine, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.azure.data_factory_trigger import DataFactoryTrigger
from tests.engine_support import ROOT, EngineFailedError, Sandbox
from tests.providers.arm_server import ArmServer

pytestmark = pytest.mark.engine

FACTORY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/f"
ID = f"{FACTORY}/triggers/T"
PROGRAM = f"""\
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from components.azure.data_factory_trigger import DataFactoryTrigger
pipeline = {{"pipelineReference": {{"referenceName": "P", "type": "PipelineReference"}}}}
properties = {{"type": "ScheduleTrigger", "pipelines": [pipeline], "typeProperties": {{"n": os.environ["N"]}}}}
DataFactoryTrigger("t", factory_id={FACTORY!r}, trigger_name="T", properties=properties, active=True)
"""


def write_project(home: Path, plugin: str) -> None:
    (home / "Pulumi.yaml").write_text(
        "name: sandbox\n"
        f"runtime:\n  name: python\n  options:\n    virtualenv: {ROOT / '.venv'}\n"
        f"plugins:\n  providers:\n    - name: dp-azure\n      path: {plugin}\n",
        "utf-8",
    )
    (home / "__main__.py").write_text(PROGRAM, "utf-8")


def write_plugin(home: Path, body: str, virtualenv: str) -> None:
    (home / "plug").mkdir()
    (home / "plug" / "PulumiPlugin.yaml").write_text(
        f"runtime:\n  name: python\n  options:\n    virtualenv: {virtualenv}\n", "utf-8"
    )
    (home / "plug" / "__main__.py").write_text(body, "utf-8")


@pytest.mark.parametrize(
    ("body", "virtualenv", "words"),
    [
        ("import nothing_there", str(ROOT / ".venv"), "No module named 'nothing_there'"),
        ("raise SystemExit(3)", str(ROOT / ".venv"), "exit status 3"),
        ("", "../none", "has no Python; run the project's set-up"),
    ],
)
def test_a_plugin_that_does_not_start_says_why(tmp_path: Path, body: str, virtualenv: str, words: str) -> None:
    write_plugin(tmp_path, body, virtualenv)
    write_project(tmp_path, "./plug")

    def program() -> None:
        DataFactoryTrigger("t", factory_id=FACTORY, trigger_name="T", properties={"type": "ScheduleTrigger"})

    with pytest.raises(EngineFailedError, match=words):
        Sandbox(tmp_path).stack(program).preview()


def test_a_plugin_is_given_its_environment_and_finds_its_own_virtualenv(tmp_path: Path) -> None:
    """`virtualenv` is relative to the plugin's folder; variables of the engine's caller reach it."""
    (tmp_path / "venv").symlink_to(ROOT / ".venv")
    body = "import os, sys; sys.exit(f\"{sys.prefix} {os.environ['VIRTUAL_ENV']} {os.environ['MARK']}\")"
    write_plugin(tmp_path, body, "../venv")
    write_project(tmp_path, "./plug")

    def program() -> None:
        DataFactoryTrigger("t", factory_id=FACTORY, trigger_name="T", properties={"type": "ScheduleTrigger"})

    with pytest.raises(EngineFailedError) as told:
        Sandbox(tmp_path, {"MARK": "handed-on"}).stack(program).preview()
    assert f"{tmp_path / 'venv'} {tmp_path / 'venv'} handed-on" in str(told.value)


@pytest.fixture
def server() -> Iterator[ArmServer]:
    with ArmServer() as running:
        yield running


def plugins_of(home: Path) -> list[int]:
    """Processes of the plugin that were started for this sandbox."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit():
                continue
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if b"providers/azure" in command and str(home).encode() in environment:
            found.append(int(entry.name))
    return found


@pytest.mark.parametrize("at", ["stop", "PUT", "start"])
def test_an_engine_killed_at_any_step_leaves_no_plugin_and_the_next_up_repairs(
    tmp_path: Path, server: ArmServer, at: str
) -> None:
    write_project(tmp_path, str(ROOT / "providers" / "azure"))
    sandbox = Sandbox(tmp_path, {"DP_ARM_ENDPOINT": server.url})
    pulumi = str(sandbox.engine / "pulumi")
    environment = {**os.environ, **sandbox.environment}
    command = [pulumi, "up", "--yes", "--skip-preview", "--stack", "dev", "--non-interactive"]

    def up(number: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=tmp_path, env={**environment, "N": str(number)}, capture_output=True, text=True, check=False
        )

    made = subprocess.run([pulumi, "stack", "init", "dev"], cwd=tmp_path, env=environment, check=False)
    assert made.returncode == 0
    first = up(1)
    assert first.returncode == 0, first.stdout + first.stderr
    assert server.world.states == {ID: "Started"}

    server.world.hold = at
    with (tmp_path / "log").open("w") as log:
        killed = subprocess.Popen(command, cwd=tmp_path, env={**environment, "N": "2"}, stdout=log, stderr=log)
        assert server.world.held.wait(60), (tmp_path / "log").read_text("utf-8")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    deadline = time.monotonic() + 15
    while plugins_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert plugins_of(tmp_path) == [], "a plugin goes on without its engine"
    server.world.hold = ""
    server.world.release.set()

    lock = subprocess.run([pulumi, "cancel", "--yes", "--stack", "dev"], cwd=tmp_path, env=environment, check=False)
    assert lock.returncode == 0
    again = up(2)
    assert again.returncode == 0, again.stdout + again.stderr
    assert server.world.states == {ID: "Started"}
    assert server.world.triggers[ID]["typeProperties"] == {"n": "2"}
