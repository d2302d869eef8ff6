"""As whom a DAG that is run on this machine calls the step executors, and whether that account may.

Where the stack is up in the embedded cloud and its Composer environment holds this very DAG, the run is one of that
environment's: its calls are those of the environment's service account, and the embedded cloud's grants decide on them.
Any other run has no account, and nobody to refuse it. Workflows need nothing of this: the embedded cloud runs them
itself, as their own account.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dataplatform.compile import airflow
from dataplatform.compile.plan import Plan
from dataplatform.local.engine_env import cloud_home
from dataplatform.local.executors import Admit

CALLER_HEADER = "x-dataplatform-emulator-caller"
"""Header in which the runtime names the account to stand-in executors; `dataplatform_runtime.protocol` has it too."""

if TYPE_CHECKING:
    from localcloud.world import World

_ENVIRONMENT = "gcp:composer/environment:Environment"


def dag_account(root: Path, plan: Plan) -> str | None:
    """The account of the Composer environment that holds this very DAG; None where there is no such environment."""
    home = cloud_home(root)
    if not home.is_dir():
        return None
    from localcloud import store
    from localcloud.world import World

    world = World(home)
    try:
        rows = [row for row in store.everything(world.connect()) if row.token == _ENVIRONMENT]
        for row in rows:
            config = row.outputs.get("config") or {}
            prefix = str(config.get("dagGcsPrefix") or "").removeprefix("gs://")
            account = str((config.get("nodeConfig") or {}).get("serviceAccount") or "").rpartition("/")[2]
            file = world.buckets / prefix / f"{plan.name}.py"
            if account and prefix and file.is_file() and file.read_text("utf-8") == airflow.render(plan):
                return account
        return None
    finally:
        world.close()


def admission(root: Path, plan: Plan) -> Admit:
    """What decides on calls of stand-ins that say whose they are: in the header, or by a workflow's token."""
    from localcloud.admission import caller_of, refusal
    from localcloud.world import World

    world = _OneConnection(World(cloud_home(root))) if cloud_home(root).is_dir() else None
    functions = plan.target.intermediate_url.rpartition("/")[0]

    def admit(headers: Mapping[str, str], path: str) -> tuple[int, str] | None:
        caller = headers.get(CALLER_HEADER) or caller_of(headers.get("authorization", ""))
        if world is None or not caller:
            return None
        with world.lock:
            refused = refusal(world, caller, "POST", functions + path)
        return (refused.status, refused.text) if refused is not None else None

    return admit


class _OneConnection:
    """A world for many short-lived threads: one connection, used by one of them at a time."""

    def __init__(self, world: World) -> None:
        self._connection = world.connect()
        self.lock = threading.Lock()

    def connect(self) -> sqlite3.Connection:
        """The connection."""
        return self._connection
