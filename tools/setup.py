"""Set a checkout up: `python3 tools/setup.py [--for up|test]`.

It brings uv where there is none, makes the Python environments from uv.lock, and obtains the engine; the two run at
the same time, because one waits for the network while the other compiles. What is already as it should be is not
touched: a second set-up only compares digests. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import engine
from tools.engine_common import NotHadError, Version, parse_version
from tools.progress import Progress

ROOT = Path(__file__).resolve().parent.parent

_PACKAGES = "lib/python3*/site-packages/"
UV_PACKAGE = "uv==0.13.8"
"""What is installed into .dp/uv where PATH has no uv that is new enough."""


@dataclass(frozen=True)
class Environment:
    """A Python environment of this checkout, made by one `uv sync`."""

    name: str
    folder: str
    options: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()
    """Packages whose import reads all of them, for seconds: compiled here, where Python may not keep what it compiles
    (PYTHONDONTWRITEBYTECODE, a read-only checkout)."""


ENVIRONMENTS = {
    "python": Environment("python", ".venv", compiled=("pulumi_databricks",)),
    "airflow2": Environment("airflow2", ".venvs/airflow2", ("--only-group", "airflow2")),
    "airflow3": Environment("airflow3", ".venvs/airflow3", ("--only-group", "airflow3")),
    "airflow2-operators": Environment(
        "airflow2-operators", ".venvs/airflow2-operators", ("--only-group", "airflow2-operators")
    ),
    "airflow3-operators": Environment(
        "airflow3-operators", ".venvs/airflow3-operators", ("--only-group", "airflow3-operators")
    ),
    "emulator": Environment("emulator", ".venvs/emulator", ("--only-group", "emulator")),
    "spark": Environment("spark", ".venvs/spark", ("--only-group", "spark")),
}
PURPOSES = {
    "up": ("python", "airflow2"),
    "test": ("python", "airflow2", "airflow3", "airflow2-operators", "airflow3-operators", "emulator", "spark"),
}


def find_uv(root: Path, progress: Progress) -> str:
    """A uv that is new enough: of PATH, else our own in .dp/uv.

    Raises:
        NotHadError: when neither can be had.
    """
    import tomllib

    required = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["required-version"]
    needed = parse_version(required.lstrip(">=~ "))
    own = root / ".dp" / "uv" / "bin" / "uv"
    for candidate in (shutil.which("uv"), str(own)):
        if candidate and os.access(candidate, os.X_OK) and (_uv_version(candidate) or Version(0, 0, 0)) >= needed:
            return candidate
    progress.say("uv", f"no uv {needed} or newer on PATH; installing {UV_PACKAGE} into .dp/uv")
    shutil.rmtree(own.parent.parent, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(own.parent.parent)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise NotHadError(
            "uv: this Python cannot make an environment (ensurepip is missing); install the package python3-venv, or uv"
        )
    pip = [str(own.parent / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", UV_PACKAGE]
    _run("uv", pip, root, dict(os.environ), progress)
    return str(own)


def _uv_version(uv: str) -> Version | None:
    try:
        done = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=20, check=True)
        return parse_version(done.stdout.split()[1])
    except (OSError, subprocess.SubprocessError, NotHadError, IndexError):
        return None


def digest(root: Path, environment: Environment) -> str:
    """What an environment is made from."""
    hashed = hashlib.sha256(repr((environment, sys.version_info[:2])).encode())
    for name in ("pyproject.toml", "uv.lock"):
        hashed.update((root / name).read_bytes())
    return hashed.hexdigest()


def up_to_date(root: Path, environment: Environment) -> bool:
    """Whether the environment was made from what pyproject.toml and uv.lock say now."""
    stamp = root / ".dp" / "stamps" / environment.name
    try:
        return (
            stamp.read_text("utf-8") == digest(root, environment)
            and (root / environment.folder / "bin" / "python").exists()
        )
    except OSError:
        return False


def sync(root: Path, uv: str, environment: Environment, progress: Progress) -> None:
    """Make an environment from uv.lock."""
    stamp = root / ".dp" / "stamps" / environment.name
    wanted = digest(root, environment)
    variables = {**os.environ, "UV_PROJECT_ENVIRONMENT": environment.folder, "UV_NO_PROGRESS": "1"}
    variables.pop("VIRTUAL_ENV", None)
    command = [uv, "sync", "--frozen", *environment.options]
    if sys.version_info < (3, 13):  # what requires-python allows; else uv looks for one itself
        command += ["--python", sys.executable]
    started = time.monotonic()
    _run(environment.name, command, root, variables, progress)
    if environment.compiled:
        packages = [
            str(at) for name in environment.compiled for at in (root / environment.folder).glob(_PACKAGES + name)
        ]
        python = str(root / environment.folder / "bin" / "python")
        _run(environment.name, [python, "-m", "compileall", "-q", *packages], root, variables, progress)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted, "utf-8")
    progress.say(environment.name, f"{environment.folder} is ready ({time.monotonic() - started:.0f} s)")


def _run(job: str, command: list[str], root: Path, variables: dict[str, str], progress: Progress) -> None:
    progress.state(job, "starting")
    tail: deque[str] = deque(maxlen=12)
    with subprocess.Popen(
        command, cwd=root, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if text := re.sub(r"\x1b\[[0-9;]*m", "", line).strip():
                tail.append(text)
                progress.state(job, text[:70])
    progress.done(job)
    if process.returncode:
        raise NotHadError(f"{job}: {' '.join(command[:3])} ended with {process.returncode}:\n  " + "\n  ".join(tail))


def setup(root: Path, purpose: str, progress: Progress) -> list[str]:
    """Do all of it; returns what failed."""
    wanted = [ENVIRONMENTS[name] for name in PURPOSES[purpose]]
    stale = [environment for environment in wanted if not up_to_date(root, environment)]
    failures: list[str] = []
    (root / ".dp").mkdir(exist_ok=True)
    uv = find_uv(root, progress) if stale else ""

    def environments() -> None:
        for environment in stale:
            try:
                sync(root, uv, environment, progress)
            except NotHadError as reason:
                failures.append(str(reason))
                return

    thread = threading.Thread(target=environments, daemon=True)
    thread.start()
    try:
        engine.ensure(root, progress)
    except NotHadError as reason:
        failures.append(f"engine: {reason}")
    thread.join()
    return failures


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="tools/setup.py", description="Set this checkout up.")
    parser.add_argument("--for", dest="purpose", choices=sorted(PURPOSES), default="test", help="what it is needed for")
    args = parser.parse_args(argv)
    if sys.version_info < (3, 11):  # noqa: UP036 - this is what says so to an older Python
        have = sys.version.split()[0]
        print(f"setup: this is Python {have}; run it with 3.11 or 3.12: make PYTHON=python3.11 …", file=sys.stderr)
        return 3
    started = time.monotonic()
    try:
        with Progress() as progress:
            failures = setup(ROOT, args.purpose, progress)
    except NotHadError as reason:
        failures = [str(reason)]
    except KeyboardInterrupt:
        print("setup: stopped; what was ready stays; go on with: make setup", file=sys.stderr)
        return 130
    if failures:
        print("\n".join(failures), file=sys.stderr)
        return 3
    took = time.monotonic() - started
    try:
        known = json.loads((ROOT / ".dp" / "engine.json").read_text("utf-8"))["engine"]["seconds"]
    except (OSError, ValueError, KeyError):
        known = 0.0
    alone = f"; obtaining the engine took {known:.0f} s when it was done here" if known else ""
    print(f"setup: ready in {took:.1f} s{alone}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
