"""A real CDAP for tests: one at a time on this machine, with data of its own, gone afterwards."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dataplatform.datafusion import sandbox
from tools.cdap import obtain


def require_cdap() -> None:
    """Skip where Java or Maven is missing, saying so; in CI that is a failure."""
    try:
        kept = obtain.directory() / obtain.name(obtain.find_java())
        if not kept.is_dir():
            obtain.find_maven()
    except obtain.NotHadError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"the tests of marker cdap cannot run: {reason}")
        pytest.skip(f"the tests of marker cdap are left out: {reason}")


@contextmanager
def real_cdap(home: Path) -> Iterator[sandbox.Sandbox]:
    """A fresh sandbox in `home`, stopped at the end. Others that ask meanwhile, in any process, wait."""
    require_cdap()
    obtain.directory().mkdir(parents=True, exist_ok=True)
    with (obtain.directory() / ".lock-tests").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        running = sandbox.up(home, fresh=True)
        try:
            yield running
        finally:
            sandbox.down(home)
