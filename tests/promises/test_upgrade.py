"""A stack brought up by an earlier program, then by this one with the same stack file: nothing is replaced.

The earlier program is the newest tag's, or where there is none yet the commit that `previous.json` names. Its infra/,
components/, dataplatform/ and definitions run on the embedded cloud of today: the cloud is not what is upgraded.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.tool.test_stack import PROJECT, ROOT, Project

pytestmark = [pytest.mark.engine, pytest.mark.fresh, pytest.mark.timeout(1800)]

RECORDED = json.loads(Path(__file__).with_name("previous.json").read_text("utf-8"))


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)


def previous() -> str:
    """The commit of the previous release.

    A tag of this very commit is not previous to it. In a shallow clone, whose history does not reach that far, the test
    cannot show anything and is left out by name; .ci/run fetches the rest before.
    """
    tags = git("tag", "--merged", "HEAD", "--sort=-creatordate", "--no-contains", "HEAD").stdout.decode().split()
    commit = tags[0] if tags else str(RECORDED["commit"])
    if git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        shallow = git("rev-parse", "--is-shallow-repository").stdout.decode().strip() != "false"
        text = f"the previous release, {commit}, is not in this clone's history; get it with: git fetch --unshallow"
        if shallow:
            pytest.skip(text)
        pytest.fail(text)
    return commit


class Earlier(Project):
    """A checkout of an earlier program on the embedded cloud of this one."""

    def __init__(self, root: Path, commit: str) -> None:
        self.root = root
        root.mkdir()
        archive = git("archive", commit, "--", ":!localcloud", ":!tests", ":!docs", ":!benchmarks").stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(root, filter="data")
        for name in (".venv", "localcloud"):
            (root / name).symlink_to(ROOT / name)
        (root / ".dp").mkdir()
        (root / ".dp/engine").symlink_to((ROOT / ".dp/engine").readlink())
        dropped = ("PULUMI_", "LOCALCLOUD_", "PYTHONPATH")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        self.environment["PYTHONPATH"] = str(root)


def handed_over(earlier: Earlier, root: Path) -> Project:
    """The present program in place of the earlier one: state, cloud, stack files and definitions stay as they are."""
    present = Project(root)
    for name in ("state", "cloud"):
        (earlier.root / ".dp" / name).rename(root / ".dp" / name)
    for name in ["pipelines", *(file.name for file in ROOT.glob("Pulumi.*.yaml"))]:
        subprocess.run(["rm", "-rf", str(root / name)], check=True)
    for file in earlier.root.glob("Pulumi.*.yaml"):
        file.rename(root / file.name)
    (earlier.root / "pipelines").rename(root / "pipelines")
    return present


def resources(project: Project, stack: str) -> dict[str, Any]:
    file = project.root / f".dp/state/.pulumi/stacks/{PROJECT}/{stack}.json"
    latest = json.loads(file.read_text("utf-8"))["checkpoint"]["latest"]
    return {r["urn"]: r for r in latest["resources"] if r["custom"] and not r["type"].startswith("pulumi:")}


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_an_up_of_this_program_replaces_nothing_of_the_previous_ones(stack: str, tmp_path: Path) -> None:
    earlier = Earlier(tmp_path / "earlier", previous())
    command = [sys.executable, "-c", "import dataplatform; print(dataplatform.__file__)"]
    where = subprocess.run(
        command, env=earlier.environment, cwd=earlier.root, capture_output=True, text=True, check=True
    )
    assert Path(where.stdout.strip()).is_relative_to(earlier.root), "the earlier program would be today's"
    status, out, err = earlier.dp("up", stack, "--local")
    assert status == 0, out + err
    before = resources(earlier, stack)
    assert before

    present = handed_over(earlier, tmp_path / "present")
    status, out, err = present.dp("preview", stack, "--local", "--json", "--no-replace")
    assert status == 0, out + err
    document = json.loads(out)
    told = [f"{r['op']} {r['urn']}" for r in document["resources"] if r["op"] not in ("same", "create", "update")]
    assert not told, "an upgrade must not replace or delete: " + "\n".join(told)
    status, out, err = present.dp("up", stack, "--local", "--no-replace")
    assert status == 0, out + err
    after = resources(present, stack)
    assert {r["id"] for r in before.values()} <= {r["id"] for r in after.values()}
    status, out, err = present.dp("preview", stack, "--local", "--exit-code")
    assert status == 0, out + err
