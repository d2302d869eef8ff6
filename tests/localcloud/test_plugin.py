"""The executables: how fast they start, how they end, which Python they run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.engine_support import PLUGINS

PACKAGES = ("gcp", "azure-native", "databricks", "azuread")


def start(name: Path, home: Path, **extra: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "LOCALCLOUD_HOME": str(home), **extra}
    return subprocess.Popen([str(name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("package", PACKAGES)
def test_prints_its_port_and_ends_quietly(package: str, tmp_path: Path) -> None:
    process = start(PLUGINS / f"pulumi-resource-{package}", tmp_path / "cloud")
    assert process.stdout is not None
    port = int(process.stdout.readline())
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    process.send_signal(signal.SIGINT if package == "gcp" else signal.SIGTERM)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output, errors) == (0, "", "")


def test_starts_fast_enough(tmp_path: Path) -> None:
    """A plugin starts with every command of the CLI. The best of three is taken: other tests run beside this one."""
    best = 9.0
    for _ in range(3):
        begun = time.monotonic()
        process = start(PLUGINS / "pulumi-resource-gcp", tmp_path / "cloud")
        assert process.stdout is not None
        process.stdout.readline()
        best = min(best, time.monotonic() - begun)
        process.terminate()
        process.communicate(timeout=120)
    assert best < 0.7, f"{best:.2f} s; 0.13 s were measured on two idle cores"


def test_the_four_are_one_script() -> None:
    texts = {(PLUGINS / f"pulumi-resource-{package}").read_text() for package in PACKAGES}
    assert len(texts) == 1
    assert all(os.access(PLUGINS / f"pulumi-resource-{package}", os.X_OK) for package in PACKAGES)


def test_works_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "pulumi-resource-gcp"
    link.symlink_to(PLUGINS / "pulumi-resource-gcp")
    process = start(link, tmp_path / "cloud")
    assert process.stdout is not None
    assert int(process.stdout.readline()) > 0
    process.terminate()
    process.communicate(timeout=120)


def test_says_what_is_missing(tmp_path: Path) -> None:
    """A copy outside the project, with no Python to be found."""
    folder = tmp_path / "localcloud" / "plugins" / "bin"
    folder.mkdir(parents=True)
    shutil.copy(PLUGINS / "pulumi-resource-gcp", folder)
    bare = tmp_path / "bare"
    bare.mkdir()
    for tool in ("sh", "readlink"):
        (bare / tool).symlink_to(str(shutil.which(tool)))
    process = start(folder / "pulumi-resource-gcp", tmp_path / "cloud", PATH=str(bare), LOCALCLOUD_PYTHON="")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "no Python with the project's packages" in errors


def test_a_bad_environment_is_one_sentence(tmp_path: Path) -> None:
    process = start(PLUGINS / "pulumi-resource-gcp", tmp_path / "cloud", LOCALCLOUD_DELAY="soon")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors == "localcloud: LOCALCLOUD_DELAY is 'soon': expected a number of seconds\n"
