"""A checkout of its own for the whole run, set up by `make` as a new user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CANARIES = {"hawk_key": "canary-5b1f-Hawk/key+1", "orders_db_password": "canary-77aa-Orders&password"}


@dataclass(frozen=True)
class Checkout:
    """A copy of the working tree's files, with nothing set up."""

    root: Path

    def run(
        self, *command: str, check: bool = True, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there; with `check`, a failure fails the test with what was printed."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment() | dict(variables or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def environment(self) -> dict[str, str]:
        """This process's environment without what would point at another checkout."""
        ours = ("VIRTUAL_ENV", "UV_", "PULUMI_", "LOCALCLOUD_", "DATAPLATFORM_", "PYTEST_", "MAKE", "MFLAGS")
        return {k: v for k, v in os.environ.items() if not k.startswith(ours)}

    def dp(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `dp`."""
        return self.run(str(self.root / ".venv" / "bin" / "dp"), *arguments, check=check)

    def dp_env(self) -> dict[str, str]:
        """What `dp env` prints."""
        variables: dict[str, str] = json.loads(self.dp("env", "--json").stdout)["variables"]
        return variables

    def pulumi(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run plain `pulumi` in the environment of `dp env`."""
        return self.run("pulumi", *arguments, "--non-interactive", check=check, variables=self.dp_env())

    def changes(self, stack: str) -> dict[str, str]:
        """What plain `pulumi preview` would do: resource name to operation, without what stays as it is."""
        done = self.pulumi("preview", "--stack", stack, "--json", check=False)
        steps = json.loads(done.stdout)["steps"]
        return {step["urn"].rpartition("::")[2]: step["op"] for step in steps if step["op"] not in ("same", "read")}

    def state(self, stack: str) -> list[dict[str, Any]]:
        """The resources in the stack's state."""
        exported = json.loads(self.pulumi("stack", "export", "--stack", stack).stdout)
        resources: list[dict[str, Any]] = exported["deployment"].get("resources") or []
        return resources

    def cloud(self) -> list[dict[str, Any]]:
        """What programs have created in the embedded cloud."""
        listed: list[dict[str, Any]] = json.loads(
            self.run(str(self.root / ".venv" / "bin" / "localcloud"), "ls", "--json", variables=self.dp_env()).stdout
        )
        return listed

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace the first occurrence of a text in a file."""
        path = self.root / file
        text = path.read_text("utf-8")
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """The working tree's files (also those not committed yet), copied into an empty folder."""
    root = tmp_path_factory.mktemp("fresh") / "data-platform"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    yield Checkout(root)
    shutil.rmtree(root, ignore_errors=True)
