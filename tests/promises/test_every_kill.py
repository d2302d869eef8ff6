"""`kill -9` at every operation of an `up`, a lost reply after each kind of create, refused deletes: the real engine.

Each wave of operations that can be under way at once is held by the embedded cloud, half of them before the change and
half after it, until the test kills the engine; the next `dp up` heals that and runs into the next wave. So one world
lives through a kill at every operation of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataplatform.local.engine_env import engine_env
from dataplatform.local.leftovers import leftovers
from localcloud import faults
from localcloud.world import World
from tests.infra.inventory import recorded
from tests.promises.bringup import SERVED
from tests.tool.test_stack import Project, engine_of

pytestmark = [
    pytest.mark.engine,
    pytest.mark.fresh,
    # Minutes on a busy machine: slowness is no failure.
    pytest.mark.timeout(1800),
    # pulumi_gcp.storage warns of a misspelt function of its own when it is imported.
    pytest.mark.filterwarnings(r"ignore:gcp\.\S+ has been deprecated:DeprecationWarning"),
]

STILL = 1.5
"""Seconds without another operation that say that a wave is whole. A slower machine has smaller waves, and more."""
WIDE = {"PULUMI_PARALLEL": "64"}
"""As many operations at once as there are threads in a plugin, so that a wave is all that is ready."""
ON = {**WIDE, "PULUMI_CONTINUE_ON_ERROR": "true"}
"""What does not depend on what failed is done all the same, so that one run meets many faults."""
CANARIES = ("sample-hawk-key-of-", "sample-orders-database-password-of-")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path / "project")
    yield made
    leaked = [
        str(file)
        for part in ("state", "log", "last")
        for file in (made.root / ".dp" / part).rglob("*")
        if file.is_file() and any(canary.encode() in file.read_bytes() for canary in CANARIES)
    ]
    assert not leaked


def kinds(stack: str) -> list[str]:
    """The types of the stack that the embedded cloud's plugins serve."""
    return sorted({r.type for r in recorded(stack) if r.custom and r.type.partition(":")[0] in SERVED})


def world_of(project: Project, stack: str) -> World:
    """The world that `dp up` would begin with."""
    command = [str(project.root / ".venv/bin/python"), "-m", "localcloud.cli", "init", "--project"]
    home = {"LOCALCLOUD_HOME": str(project.root / ".dp/cloud")}
    subprocess.run([*command, f"acme-data-{stack}"], env=project.environment | home, check=True, capture_output=True)
    return World(project.root / ".dp/cloud")


def waiting(world: World) -> int:
    """Faults that did not happen yet."""
    return int(world.connect().execute("SELECT count(*) FROM faults").fetchone()[0])


def held(project: Project, stack: str) -> list[tuple[str, str]]:
    """What the state says is in the cloud."""
    file = project.checkpoint.with_name(f"{stack}.json")
    latest = json.loads(file.read_text("utf-8"))["checkpoint"]["latest"]
    assert not latest.get("pending_operations")
    return sorted(
        (r["type"], r["id"])
        for r in latest.get("resources") or []
        if r["custom"] and r["type"].partition(":")[0] in SERVED
    )


def assert_whole(project: Project, stack: str, expected: int) -> None:
    """Cloud and state hold what is declared, once; a preview of plain pulumi has nothing to do."""
    there = held(project, stack)
    assert len(there) == len(set(there)) == expected
    assert {one for one in project.cloud() if one[0].partition(":")[0] in SERVED} <= set(there)
    pulumi = [str(project.root / ".dp/engine/pulumi"), "preview", "--expect-no-changes", "--stack", stack]
    environment = project.environment | engine_env(project.root, local=True, base=project.environment)
    done = subprocess.run(pulumi, cwd=project.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def declared(stack: str) -> int:
    """How many resources the program declares that the embedded cloud's plugins serve."""
    return sum(1 for r in recorded(stack) if r.custom and r.type.partition(":")[0] in SERVED)


def killed_in_the_next_wave(project: Project, world: World, *, both: bool) -> int:
    """`dp up` until its operations hang, then `kill -9` of the engine, and with `both` of `dp` before it.

    Returns how many operations it hit; none: the command ended by itself, and well.
    """
    before = waiting(world)
    process = project.start("up", "dev", "--local", **WIDE)
    left, since = before, time.monotonic()
    while process.poll() is None:
        if (now := waiting(world)) != left:
            left, since = now, time.monotonic()
        if left < before and time.monotonic() - since > STILL:
            engine = engine_of(process)
            if both:
                process.kill()
            os.kill(engine, signal.SIGKILL)
            break
        time.sleep(0.05)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in out + err, out + err
    if before == left:
        assert process.returncode == 0, out + err
    else:
        assert process.returncode == (-signal.SIGKILL if both else 5), out + err
    return before - left


def test_killed_at_every_operation_of_an_up_it_converges(project: Project) -> None:
    """Promise 4: each create of dev is cut off once, before or after it was done; once the state is lost on top."""
    expected = declared("dev")
    world = world_of(project, "dev")
    for resource in recorded("dev"):
        if resource.custom and resource.type.partition(":")[0] in SERVED:
            when = ("before", "after")[zlib.crc32(resource.name.encode()) % 2]
            faults.add(world, faults.make("create", f"*{resource.type}::{resource.name}", 1, f"hold={when}"))
    assert waiting(world) == expected
    waves = []
    for wave in range(expected):
        hit = killed_in_the_next_wave(project, world, both=wave % 2 == 1)
        if not hit:
            break
        waves.append(hit)
        if wave == 3:
            shutil.rmtree(project.root / ".dp/state")
    print(f"{len(waves)} kills, operations under way at each: {waves}")
    assert sum(waves) == expected
    assert waiting(world) == 0
    world.close()
    assert not leftovers(project.root)
    assert_whole(project, "dev", expected)


def test_a_reply_lost_after_each_kind_of_create_is_healed(project: Project) -> None:
    """Promise 4: the first create of each type is done, its answer lost. Other stacks' types: test_lost_replies.py."""
    expected, types = declared("dev"), kinds("dev")
    world = world_of(project, "dev")
    for token in types:
        faults.add(world, faults.make("create", token, 1, "drop"))
    runs = 0
    while waiting(world):
        left = waiting(world)
        # Told to go on, the SDK tells with its own traceback which outputs it lacks.
        process = project.start("up", "dev", "--local", **ON)
        out, err = process.communicate(timeout=300)
        runs += 1
        assert process.returncode == 5, out + err
        assert err.count("the connection was lost before the reply came") == left - waiting(world)
    status, out, err = project.dp("up", "dev", "--local", **WIDE)
    print(f"{len(types)} lost replies in {runs} runs")
    assert status == 0, out + err
    assert "adopted " in out
    world.close()
    assert_whole(project, "dev", expected)


def test_deletes_that_are_refused_are_named_and_the_next_down_goes_on(project: Project) -> None:
    """Promise 3: k of n deletes answer 403, for several k; nothing is forgotten, and the exit is not 0."""
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, out + err
    expected = len(held(project, "dev"))
    for k in (1, 3, 17):
        world = World(project.root / ".dp/cloud")
        faults.add(world, faults.make("delete", "*", 2, "fail=403", k))
        status, out, err = project.dp("down", "dev", "--local", **ON)
        assert status in (3, 5), out + err
        refused = k - sum(row["nth"] + row["times"] - 1 - row["seen"] for row in _rows(world))
        assert err.count("The caller does not have permission") == refused > 0, err
        there = held(project, "dev")
        assert refused <= len(there) <= expected
        assert {one for one in project.cloud() if one[0].partition(":")[0] in SERVED} <= set(there)
        with world.transaction() as tx:
            tx.execute("DELETE FROM faults")
        world.close()
    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert project.cloud() == set()
    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert "nothing to destroy" in out


def _rows(world: World) -> list[dict[str, int]]:
    return [dict(row) for row in world.connect().execute("SELECT * FROM faults").fetchall()]
