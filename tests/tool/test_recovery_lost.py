"""A lost state, a lost reply, a plugin that dies and a delete that is refused, with the real engine: `dp up` converges.

One stack lives through several of them in a row, because each `up` takes seconds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataplatform.local.engine_env import engine_env
from tests.tool.test_stack import Project

pytestmark = pytest.mark.engine

CANARIES = ("sample-hawk-key-of-dev", "sample-orders-database-password-of-dev")
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path / "project")
    yield made
    leaked = [
        str(file)
        for part in ("state", "log", "last", "page.html")
        for file in [made.root / ".dp" / part, *(made.root / ".dp" / part).rglob("*")]
        if file.is_file() and any(canary.encode() in file.read_bytes() for canary in CANARIES)
    ]
    assert not leaked


def localcloud(project: Project, *arguments: str) -> str:
    command = [sys.executable, "-m", "localcloud.cli", "--home", str(project.root / ".dp/cloud"), *arguments]
    return subprocess.run(command, env=project.environment, capture_output=True, text=True, check=True).stdout


def up(project: Project, stack: str = "dev") -> str:
    """`dp up`, which must succeed and print no secret."""
    status, out, err = project.dp("up", stack, "--local")
    assert status == 0, out + err
    assert not any(canary in out + err for canary in CANARIES)
    return out


def assert_no_changes(project: Project, stack: str = "dev") -> None:
    """Plain pulumi sees nothing to do."""
    pulumi = [str(project.root / ".dp/engine/pulumi"), "preview", "--expect-no-changes", "--stack", stack]
    environment = project.environment | engine_env(project.root, local=True, base=project.environment)
    done = subprocess.run(pulumi, cwd=project.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def held(project: Project, stack: str = "dev") -> set[tuple[str, str]]:
    """What the state says is in the cloud."""
    latest = json.loads(project.checkpoint.with_name(f"{stack}.json").read_text())["checkpoint"]["latest"]
    assert not latest.get("pending_operations")
    found = [(r["type"], r["id"]) for r in latest["resources"] if r["custom"] and not r["type"].startswith("pulumi:")]
    assert len(found) == len(set(found))
    return set(found)


def test_a_lost_state_is_found_again_and_a_neighbour_is_left_alone(project: Project) -> None:
    up(project)
    declared = held(project)
    dev_cloud = project.cloud()
    up(project, "base")
    up(project, "qa")
    both, qa_holds, base_holds = project.cloud(), held(project, "qa"), held(project, "base")
    (project.root / ".dp/state").rename(project.root / ".dp/kept")

    # One of all is missing in the cloud too. The other stack is as lost, and is left alone.
    gone = "projects/acme-data-dev/locations/europe-west1/workflows/demo_pipeline_composer"
    localcloud(project, "rm", gone)
    out = up(project)
    # A plugin of ours makes what is missing and takes over what is there as it is to be, so that is a create too.
    own = len([1 for kind, _ in declared if kind.startswith("dp-")])
    assert f"adopted {len(declared) - own - 6} more" in out, out
    assert f"{own + 1} create, " in out
    assert f"{len(declared) - own - 1} unchanged" in out
    assert held(project) == declared
    assert project.cloud() == both
    assert not held(project) & qa_holds
    assert_no_changes(project)

    # With its neighbour back, each can go and come again alone, the rings that a cloud never lets go included.
    for stack in ("qa", "base"):
        state = project.checkpoint.with_name(f"{stack}.json")
        shutil.copy(project.root / ".dp/kept" / state.relative_to(project.root / ".dp/state"), state)
    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert "nothing is left in acme-data-dev, which was reset" in out
    assert project.cloud() == both - dev_cloud
    # The name of a vault that was deleted stays taken: the new one has a name of its own.
    file = project.root / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("soft_delete_days: 7", "soft_delete_days: 7\n        generation: 2", 1))
    out = up(project)
    assert "adopted" not in out
    # A service counts on: the new Composer environment has a bucket of its own, as it would in life.
    assert len(held(project)) == len(declared)
    assert held(project) >= project.cloud() - qa_holds - base_holds
    assert_no_changes(project, "qa")


def test_lost_replies_dead_plugins_and_refused_deletes_converge(project: Project) -> None:
    # The reply to a create is lost: the key ring, whose name never comes free again, is there, and nobody was told.
    localcloud(project, "fault", "add", "--on", "create", "--match", "*::kms-ring", "drop")
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 5, out + err
    assert "kms-ring (gcp:kms/keyRing:KeyRing): " in err
    lost = ("gcp:kms/keyRing:KeyRing", "projects/acme-data-dev/locations/europe-west1/keyRings/data-platform-dev")
    assert f"the cloud made 1 thing ({lost[1]} ({lost[0]})) without our hearing of it" in err
    assert lost in project.cloud() - held(project)

    # The next run adopts it, and has its plugin die when a secret's value was stored.
    localcloud(project, "fault", "add", "--on", "create", "--match", VERSION, "die=after")
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 5, out + err
    assert "adopted kms-ring (gcp:kms/keyRing:KeyRing)" in out
    assert "without our hearing of it" in err

    out = up(project)
    assert held(project) >= project.cloud()
    assert lost in held(project)
    assert len([1 for kind, _ in project.cloud() if kind == VERSION]) == 2
    assert_no_changes(project)

    # A refused delete is named and stays in the state; the next down finishes.
    localcloud(project, "fault", "add", "--on", "delete", "--match", "*::lake-landing", "fail=503")
    status, out, err = project.dp("down", "dev", "--local")
    assert status in (3, 5), out + err
    assert "lake-landing (gcp:storage/bucket:Bucket): " in err
    assert ("gcp:storage/bucket:Bucket", "acme-data-dev-dev-landing") in held(project) & project.cloud()
    # Directories go with their filesystem, which is deleted later.
    there = {one for one in project.cloud() if one[0] != "dp-azure:storage:Directory"}
    assert held(project) >= there, out + err
    # Down does not need the state either.
    shutil.rmtree(project.root / ".dp/state")
    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert "adopted " in out
    assert "the embedded cloud is empty and was reset" in out
    assert project.cloud() == set()
    assert not project.checkpoint.exists()
