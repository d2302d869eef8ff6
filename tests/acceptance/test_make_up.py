"""The main job, end to end, as a new user runs it: `make up` in a fresh checkout, and what may go wrong after that.

The tests of this module run in order on one checkout: each says what it needs and leaves the stack up.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import CANARIES, Checkout

pytestmark = [pytest.mark.engine, pytest.mark.airflow, pytest.mark.fresh, pytest.mark.xdist_group("acceptance")]

IDENTITY = "gcp:projects/serviceIdentity:ServiceIdentity"
DEFINITION = "pipelines/demo_pipeline_cloud_workflows.json"
OUTSIDE = ("pulumi:", "dp-cdap:", "dp-azure:keyvault:PurgedVault")
"""Types of which there is nothing in the cloud's inventory: the last one is the promise to purge a vault."""


def same_in_state_and_cloud(checkout: Checkout, *stacks: str) -> None:
    """The embedded cloud holds what the states know, once, and nothing else.

    A service identity is Google's own account: it is made when asked for and never deleted, so no inventory lists it.
    What a Data Fusion instance holds is in the instance, not in the cloud's inventory.
    """
    known = sorted(
        (r["type"], r["id"])
        for stack in stacks
        for r in checkout.state(stack)
        if r.get("custom") and not r["type"].startswith(OUTSIDE) and r["type"] != IDENTITY
    )
    assert sorted((r["type"], r["id"]) for r in checkout.cloud()) == known


BROWSER_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=2000",
    "--enable-logging=stderr",
]


@pytest.fixture(scope="module")
def browser() -> str:
    """Chromium. Where a machine has none, what needs it is left out by name; CI installs it and fails without it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None and os.environ.get("CI"):
        pytest.fail("CI must have chromium")
    if found is None:
        pytest.skip("chromium is not installed: nobody looks at the page")
    return found


@pytest.fixture(scope="module")
def up(checkout: Checkout) -> Checkout:
    """The checkout after `make up`, with secrets of our own instead of the samples."""
    checkout.run("python3", "tools/setup.py", "--for", "up")
    for name, value in CANARIES.items():
        checkout.pulumi("stack", "init", "dev", check=False)
        checkout.pulumi("config", "set", "--stack", "dev", "--secret", f"data-platform:{name}", value)
    done = checkout.run("make", "up")
    (checkout.root / ".dp" / "make-up.txt").write_text(done.stdout + done.stderr, "utf-8")
    return checkout


def test_make_up_ends_with_outputs_runs_and_the_page(up: Checkout) -> None:
    printed = (up.root / ".dp" / "make-up.txt").read_text("utf-8")
    closing = printed[printed.index("stack dev: ") :]
    assert "data_fusion_instance = dev-core" in closing
    assert re.search(r"demo_pipeline_cloud_workflows on Cloud Workflows: succeeded, 3 of 3 steps", closing)
    assert re.search(r"demo_pipeline_composer on Airflow: succeeded, 3 of 3 steps", closing)
    assert (up.root / ".dp" / "page.html").is_file()
    assert str(up.root / ".dp" / "page.html") in closing
    same_in_state_and_cloud(up, "dev")


def test_the_page_works_in_a_browser(up: Checkout, tmp_path: Path, browser: str) -> None:
    """It opens from disk with its script running: the search leaves what is asked for, and nothing is complained of."""
    typed = (
        '<script>search.value = "hawk_key"; search.dispatchEvent(new Event("input"));'
        "document.title = [...document.querySelectorAll('ul.tree .leaf')]"
        ".filter((leaf) => !leaf.closest('[hidden]')).length;</script></body>"
    )
    copy = tmp_path / "page.html"
    copy.write_text((up.root / ".dp" / "page.html").read_text("utf-8").replace("</body>", typed), "utf-8")
    done = subprocess.run(
        [browser, *BROWSER_FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", copy.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    assert "<title>3</title>" in done.stdout, "the secret, its version and its reader"
    for pipeline in ("demo_pipeline_cloud_workflows", "demo_pipeline_composer"):
        assert re.search(rf"succeeded.{{0,200}}{pipeline}", done.stdout, re.DOTALL)


def test_make_up_again_changes_nothing(up: Checkout) -> None:
    began = time.monotonic()
    assert "nothing to change" in up.run("make", "up").stdout
    print(f"a second make up took {time.monotonic() - began:.0f} s")
    up.pulumi("preview", "--stack", "dev", "--expect-no-changes")


def test_no_secret_value_is_anywhere(up: Checkout) -> None:
    """Not in the state, the logs, the page or what was printed; only the embedded Secret Manager keeps it."""
    found = []
    for path in up.root.rglob("*"):
        ours = not {".venv", ".venvs", "tests"}.intersection(path.relative_to(up.root).parts)
        if path.is_file() and ours:
            content = path.read_bytes()
            found += [str(path.relative_to(up.root)) for value in CANARIES.values() if value.encode() in content]
    world = {".dp/cloud/world.db", ".dp/cloud/world.db-wal"}
    assert set(found) <= world
    assert set(found), "the values never reached Secret Manager"
    preview = up.pulumi("preview", "--stack", "dev", "--diff", "--show-sames").stdout
    plan = up.dp("plan", "dev", "--json").stdout
    assert not [value for value in CANARIES.values() if value in preview + plan]


def test_editing_one_step_updates_its_dag_and_its_workflow_only(up: Checkout) -> None:
    up.edit(DEFINITION, '"WAIT_TIME_SECONDS": "20"', '"WAIT_TIME_SECONDS": "25"')
    assert up.changes("dev") == {
        "dags-demo_pipeline_cloud_workflows": "update",
        "workflows-demo_pipeline_cloud_workflows": "update",
    }
    assert "2 update" in up.dp("up", "dev", "--local").stdout
    up.pulumi("preview", "--stack", "dev", "--expect-no-changes")


def test_what_is_deleted_behind_the_engine_is_seen_and_put_back(up: Checkout) -> None:
    (dag,) = (up.root / ".dp" / "cloud" / "buckets").glob("*/dags/demo_pipeline_composer.py")
    dag.unlink()
    assert "dags-demo_pipeline_composer" in up.pulumi("refresh", "--stack", "dev", "--yes").stdout
    assert up.changes("dev") == {"dags-demo_pipeline_composer": "create"}
    up.dp("up", "dev", "--local")
    assert dag.is_file()
    same_in_state_and_cloud(up, "dev")


def test_renaming_data_fusion_is_a_replacement_that_wants_a_word(up: Checkout) -> None:
    up.edit("Pulumi.dev.yaml", "edition: developer", "edition: developer\n        name: renamed")
    assert up.changes("dev")["data-fusion"] in ("replace", "create-replacement", "delete-replaced")
    preview = up.dp("preview", "dev", "--local")
    assert "replace" in preview.stdout
    refused = up.dp("up", "dev", "--local", check=False)
    assert refused.returncode == 1
    assert "--allow-deletes" in refused.stderr
    up.edit("Pulumi.dev.yaml", "edition: developer\n        name: renamed", "edition: developer")
    up.pulumi("preview", "--stack", "dev", "--expect-no-changes")


@pytest.mark.parametrize("stack", ["base", "qa", "prod"])
def test_the_other_stacks_come_up_and_stay_as_they_are(up: Checkout, stack: str) -> None:
    up.dp("up", stack, "--local")
    up.pulumi("preview", "--stack", stack, "--expect-no-changes")


def test_a_protected_instance_is_not_replaced(up: Checkout) -> None:
    up.edit("Pulumi.prod.yaml", "edition: enterprise", "edition: enterprise\n        name: renamed")
    refused = up.pulumi("preview", "--stack", "prod", check=False)
    assert refused.returncode != 0
    assert "protect" in refused.stdout + refused.stderr
    up.edit("Pulumi.prod.yaml", "edition: enterprise\n        name: renamed", "edition: enterprise")


def test_a_mistake_is_told_and_changes_nothing(up: Checkout) -> None:
    before = up.cloud()
    up.edit("Pulumi.dev.yaml", "size: small", "sise: small")
    refused = up.run("make", "up", check=False)
    assert refused.returncode != 0
    assert "unknown key 'sise'; did you mean 'size'?" in refused.stderr
    assert re.search(r"^Pulumi\.dev\.yaml:\d+:\d+: error: ", refused.stderr, re.MULTILINE)
    assert "Traceback" not in refused.stdout + refused.stderr
    assert up.cloud() == before
    up.edit("Pulumi.dev.yaml", "sise: small", "size: small")


def test_a_wrong_passphrase_is_told_in_a_sentence(up: Checkout) -> None:
    dp = str(up.root / ".venv" / "bin" / "dp")
    refused = up.run(dp, "up", "dev", "--local", check=False, variables={"PULUMI_CONFIG_PASSPHRASE": "not it"})
    assert refused.returncode == 4
    assert "passphrase" in refused.stderr
    assert "Traceback" not in refused.stderr
    same_in_state_and_cloud(up, "base", "dev", "qa", "prod")


def test_make_down_leaves_nothing(up: Checkout) -> None:
    up.dp("down", "qa", "--local")
    up.dp("down", "base", "--local")
    up.edit("Pulumi.prod.yaml", "protect: true", "protect: false")
    up.dp("up", "prod", "--local")
    up.dp("down", "prod", "--local")
    up.run("make", "down")
    assert up.pulumi("stack", "ls", "--json").stdout.strip() == "[]"
    assert not (up.root / ".dp" / "cloud" / "world.db").exists()


@pytest.mark.parametrize("moment", ["first", "middle", "late"])
def test_killed_at_any_moment_it_converges(up: Checkout, moment: str) -> None:
    """`kill -9` of the CLI while `make up` runs; the cloud is slow so that the kill lands inside operations."""
    seed = os.environ.get("DATAPLATFORM_SEED", str(random.SystemRandom().randrange(10**6)))
    chance = random.Random(f"{seed}{moment}")
    print(f"DATAPLATFORM_SEED={seed}")
    wanted = {"first": 1, "middle": 30, "late": 60}[moment] + chance.randrange(10)
    log = up.root / ".dp" / "cloud" / "calls.jsonl"
    environment = up.environment() | {"LOCALCLOUD_DELAY": "0.1"}
    with subprocess.Popen(
        ["make", "up"], cwd=up.root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        while running.poll() is None and _creates(log) < wanted:
            time.sleep(0.02)
        killed = [_kill(pid) for pid in _engines(up.root)]
        running.wait(timeout=120)
    assert any(killed), "there was no engine to kill"
    assert running.returncode != 0
    again = up.run("make", "up")
    assert "pipeline runs:" in again.stdout
    same_in_state_and_cloud(up, "dev")
    up.pulumi("preview", "--stack", "dev", "--expect-no-changes")
    up.run("make", "down")


def _creates(log: Path) -> int:
    try:
        lines = log.read_text("utf-8").splitlines()
    except OSError:
        return 0
    return sum(1 for line in lines if '"method": "create"' in line and not json.loads(line).get("preview"))


def _engines(root: Path) -> list[int]:
    """Processes of the Pulumi CLI that work on the checkout."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name = Path((entry / "cmdline").read_bytes().split(b"\0")[0].decode()).name
            here = (entry / "cwd").resolve().is_relative_to(root)
        except OSError:
            continue
        if name == "pulumi" and here:
            found.append(int(entry.name))
    return found


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
