"""The real Pulumi CLI against an embedded cloud of its own, for tests.

`Sandbox` is a folder with a state, a world and the environment both need; `EngineStack` a stack in it, whose program is
a function of the test (Automation API, inline). The CLI is $PULUMI_BIN, else that of `tools/engine.py`, else PATH's.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation as auto

from localcloud import store
from localcloud.services.google import DEFAULT_APIS
from localcloud.world import World

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ROOT / "localcloud" / "plugins" / "bin"


@functools.lru_cache(maxsize=1)
def engine_bin() -> Path | None:
    """The folder of a `pulumi` executable, None where this machine has none."""
    named = os.environ.get("PULUMI_BIN")
    if named:
        path = Path(named)
        return path if path.is_dir() else path.parent
    found = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "engine.py"), "path"], capture_output=True, text=True, check=False
    )
    folder = Path(found.stdout.strip().splitlines()[-1]) if found.returncode == 0 and found.stdout.strip() else None
    if folder is not None and (folder / "pulumi").exists():
        return folder
    on_path = shutil.which("pulumi")
    return Path(on_path).parent if on_path else None


def require_engine() -> Path:
    """The engine's folder; the test fails where there is none, because skipping would hide that nothing was shown."""
    folder = engine_bin()
    if folder is None:
        pytest.fail("there is no Pulumi CLI: run `make setup`, or set PULUMI_BIN")
    return folder


@dataclass
class Sandbox:
    """A state, a world and the environment for both, below one folder."""

    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = require_engine()
        (self.home / "state").mkdir(parents=True, exist_ok=True)
        (self.home / "bin").mkdir(exist_ok=True)
        link = self.home / "bin" / "pulumi"
        if not link.exists():
            link.symlink_to(self.engine / "pulumi")

    @property
    def cloud(self) -> Path:
        """The world's folder."""
        return self.home / "cloud"

    @property
    def environment(self) -> dict[str, str]:
        """What the CLI and the plugins it starts are given."""
        return {
            "PATH": os.pathsep.join([str(PLUGINS), str(self.engine), os.environ["PATH"]]),
            "PULUMI_HOME": str(self.home / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{self.home / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "embedded-cloud",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "LOCALCLOUD_HOME": str(self.cloud),
            **self.extra,
        }

    def world(self) -> World:
        """The world, opened."""
        return World(self.cloud)

    def project(self, name: str) -> None:
        """Create a project in the world."""
        world = self.world()
        with world.transaction() as tx:
            store.create_project(tx, name, DEFAULT_APIS)
        world.close()

    def calls(self, method: str | None = None) -> list[dict[str, Any]]:
        """The log, or its calls of one method."""
        lines = (self.cloud / "calls.jsonl").read_text(encoding="utf-8").splitlines()
        calls = [json.loads(line) for line in lines]
        return [call for call in calls if method in (None, call["method"])]

    def stack(
        self, program: Callable[[], None], config: Mapping[str, str] | None = None, name: str = "dev"
    ) -> EngineStack:
        """A stack whose program is the function; the same name again is the same stack with another program."""
        options = auto.LocalWorkspaceOptions(
            work_dir=str(self.home),
            env_vars=self.environment,
            pulumi_command=auto.PulumiCommand(root=str(self.home)),
        )
        stack = auto.create_or_select_stack(name, project_name="sandbox", program=program, opts=options)
        for key, value in (config or {}).items():
            stack.set_config(key, auto.ConfigValue(value))
        return EngineStack(stack)


class EngineFailedError(Exception):
    """A command of the CLI that failed; carries all it printed."""


@dataclass
class EngineStack:
    """Commands of the CLI on one stack. Counts are by operation: `{"create": 2, "same": 5}`."""

    stack: auto.Stack

    def preview(self) -> dict[str, int]:
        """`pulumi preview`."""
        return self._run(lambda: dict(self.stack.preview().change_summary))

    def up(self) -> dict[str, int]:
        """`pulumi up`."""
        return self._run(lambda: dict(self.stack.up().summary.resource_changes or {}))

    def refresh(self) -> dict[str, int]:
        """`pulumi refresh`."""
        return self._run(lambda: dict(self.stack.refresh().summary.resource_changes or {}))

    def destroy(self) -> dict[str, int]:
        """`pulumi destroy`."""
        return self._run(lambda: dict(self.stack.destroy().summary.resource_changes or {}))

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return {name: output.value for name, output in self.stack.outputs().items()}

    def state(self) -> dict[str, Any]:
        """`pulumi stack export`."""
        return dict(self.stack.export_stack().deployment or {})

    def _run(self, command: Callable[[], dict[Any, int]]) -> dict[str, int]:
        try:
            changes = command()
        except auto.CommandError as error:
            raise EngineFailedError(str(error)) from None
        finally:
            _close_loops()
        # The keys are OpType members or texts, depending on the command.
        return {str(getattr(op, "value", op)): count for op, count in changes.items()}


def _close_loops() -> None:
    """End what the SDK's language server leaves behind after a command of an inline program.

    That is an open event loop, which pytest would take for ours; and after a command that failed half-way a loop that
    still runs, in a thread Python would wait for at its end, for ever.
    """
    loops = [found for found in gc.get_objects() if isinstance(found, asyncio.AbstractEventLoop)]
    for loop in loops:
        if loop.is_running():
            loop.call_soon_threadsafe(loop.stop)
    deadline = time.monotonic() + 5
    while any(loop.is_running() for loop in loops) and time.monotonic() < deadline:
        time.sleep(0.01)
    for loop in loops:
        if not loop.is_running():
            loop.close()
