"""`dp up`, `preview` and `down` with the real engine: convergence after kills, refusals, exit statuses, Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "data-platform"

pytestmark = pytest.mark.engine


class Project:
    """A project of its own that shares the checkout's code, environment and engine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        for file in ROOT.glob("Pulumi*.yaml"):
            shutil.copy(file, root)
        shutil.copytree(ROOT / "pipelines", root / "pipelines")
        # The program finds its project by its own place, so that is copied; all else it imports from the environment.
        shutil.copytree(ROOT / "infra", root / "infra", ignore=shutil.ignore_patterns("__pycache__"))
        for name in (".venv", "localcloud", "providers"):
            (root / name).symlink_to(ROOT / name)
        (root / ".dp").mkdir()
        (root / ".dp/engine").symlink_to((ROOT / ".dp/engine").readlink())
        dropped = ("PULUMI_", "LOCALCLOUD_")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dataplatform.cli", "--root", str(self.root), *arguments],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def dp(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=600)
        assert "Traceback" not in out + err, out + err
        return process.returncode, out, err

    def cloud(self) -> set[tuple[str, str]]:
        if not (self.root / ".dp/cloud").exists():
            return set()
        command = [sys.executable, "-c", "from localcloud.cli import main; main()", "ls", "--json"]
        home = {"LOCALCLOUD_HOME": str(self.root / ".dp/cloud")}
        done = subprocess.run(command, env=self.environment | home, capture_output=True, text=True, check=True)
        return {(entry["type"], entry["id"]) for entry in json.loads(done.stdout)}

    @property
    def checkpoint(self) -> Path:
        return self.root / f".dp/state/.pulumi/stacks/{PROJECT}/dev.json"

    def state(self) -> dict[str, Any]:
        latest: dict[str, Any] = json.loads(self.checkpoint.read_text())["checkpoint"]["latest"]
        return latest

    def assert_converged(self) -> None:
        status, out, err = self.dp("up", "dev", "--local")
        assert status == 0, out + err
        state = self.state()
        assert not state.get("pending_operations")
        known = {(r["type"], r.get("id")) for r in state["resources"] if r.get("custom")}
        assert self.cloud() <= known
        status, out, err = self.dp("preview", "dev", "--local", "--exit-code")
        assert status == 0, out + err


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path / "project")
    yield made
    assert "Traceback" not in "".join(f.read_text() for f in (made.root / ".dp").glob("log/*-fault.txt"))


def created(process: subprocess.Popen[str], count: int) -> None:
    """Wait until `dp` has shown that many created resources."""
    assert process.stdout is not None
    seen = 0
    while seen < count:
        line = process.stdout.readline()
        assert line, "it ended before it came to that"
        seen += " created " in line


def engine_of(process: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


@pytest.mark.parametrize("count", [6, 34, 60])
def test_a_killed_engine_is_followed_by_an_up_that_converges(project: Project, count: int) -> None:
    process = project.start("up", "dev", "--local")
    created(process, count)
    os.kill(engine_of(process), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "the engine was killed" in err
    assert "dp up dev --local" in err
    project.assert_converged()


def test_a_killed_dp_leaves_no_engine_behind_and_the_next_up_converges(project: Project) -> None:
    process = project.start("up", "dev", "--local")
    created(process, 20)
    engine = engine_of(process)
    process.kill()
    process.communicate()
    project.assert_converged()
    assert not Path(f"/proc/{engine}").exists()


def slow_composer(project: Project) -> None:
    """Composer's environment takes its time: an `up` cannot end before a busy machine has interrupted it."""
    command = [sys.executable, "-m", "localcloud.cli"]
    home = project.environment | {"LOCALCLOUD_HOME": str(project.root / ".dp/cloud")}
    fault = ["fault", "add", "--on", "create", "--match", "gcp:composer/environment:Environment", "slow=30"]
    for arguments in (["init", "--project", "acme-data-dev"], fault):
        subprocess.run([*command, *arguments], env=home, check=True, capture_output=True)


def test_ctrl_c_lets_in_flight_work_end_and_says_how_to_go_on(project: Project) -> None:
    slow_composer(project)
    process = project.start("up", "dev", "--local")
    created(process, 10)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 5
    assert "stopping" in out
    assert "go on with: dp up dev --local" in err
    assert not list((project.root / ".dp/state/.pulumi/locks").rglob("*.json"))
    project.assert_converged()


def test_up_is_idempotent_and_down_leaves_nothing(project: Project) -> None:
    status, out, _ = project.dp("up", "dev", "--local", "--json")
    document = json.loads(out)
    assert (status, document["ok"], document["version"]) == (0, True, 1)
    assert document["changes"] == {"create": len(document["resources"])}
    project.assert_converged()
    status, out, _ = project.dp("down", "dev", "--local", "--json")
    assert status == 0
    assert json.loads(out)["changes"] == {"delete": len(document["resources"])}
    assert project.cloud() == set()
    assert not project.checkpoint.exists()
    status, out, _ = project.dp("down", "dev", "--local")
    assert status == 0
    assert "nothing to destroy" in out


def test_a_mass_delete_is_refused_until_its_count_is_named(project: Project) -> None:
    assert project.dp("up", "dev", "--local")[0] == 0
    before = project.cloud()
    stack = project.root / "Pulumi.dev.yaml"
    text = stack.read_text()
    start, end = text.index("      lake:\n"), text.index("      secrets:\n")
    text = text[:start] + text[end:]
    # What uses the lake goes with it.
    start, end = text.index("        deploy:\n"), text.index("      composer:\n")
    stack.write_text(text[:start] + text[end:])
    (project.root / "pipelines/orders_arrived.yaml").unlink()
    status, _, err = project.dp("up", "dev", "--local")
    assert status == 1
    assert "nothing was changed" in err
    assert "--allow-deletes" in err
    assert project.cloud() == before
    count = err.split("--allow-deletes ")[1].split()[0]
    status, _, err = project.dp("up", "dev", "--local", "--allow-deletes", count)
    assert status == 0, err
    assert not any(kind == "gcp:storage/bucket:Bucket" for kind, _ in project.cloud())


def test_a_lock_that_is_held_is_status_4_and_names_its_owner(project: Project) -> None:
    holder = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    try:
        folder = project.root / f".dp/state/.pulumi/locks/organization/{PROJECT}/dev"
        folder.mkdir(parents=True)
        content = {
            "pid": holder.pid,
            "username": "ann",
            "hostname": os.uname().nodename,
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1)),
        }
        (folder / "x.json").write_text(json.dumps(content))
        status, out, _ = project.dp("up", "dev", "--local", "--json")
        document = json.loads(out)
        assert status == document["exit"] == 4
        assert f"ann@{os.uname().nodename}, process {holder.pid}" in document["error"]
    finally:
        holder.kill()
        holder.wait()
    assert project.dp("preview", "dev", "--local")[0] == 0


def test_a_wrong_passphrase_is_one_sentence_and_status_4(project: Project) -> None:
    status, _, err = project.dp("up", "dev", "--local", PULUMI_CONFIG_PASSPHRASE="another")
    assert status == 4
    assert "passphrase" in err
    assert len(err.strip().splitlines()) == 1


def test_a_torn_state_is_healed(project: Project) -> None:
    assert project.dp("up", "dev", "--local")[0] == 0
    whole = project.checkpoint.read_bytes()
    project.checkpoint.with_name("dev.json.attrs").write_text("")
    project.checkpoint.write_bytes(whole[: len(whole) // 2])
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, out + err
    assert "the state file was damaged; restored from" in out
    project.assert_converged()


def test_what_the_cloud_refuses_is_named_and_the_rest_is_told(project: Project) -> None:
    """The service refuses one bucket: that is named, what was made stays, and the next up goes on."""
    fault = "create *::lake-curated 1 fail=403"
    status, _, err = project.dp("up", "dev", "--local", LOCALCLOUD_FAULT=fault)
    assert status == 5, err
    assert "lake-curated (gcp:storage/bucket:Bucket): " in err
    project.assert_converged()
