"""A server that a provider starts for itself."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from dataplatform.local.engine_env import engine_env
from providers import companion
from providers.arm import Arm, ArmError
from providers.base import ProviderError

ROOT = Path(__file__).resolve().parents[2]
VERSION = "2018-06-01"


def test_the_embedded_clouds_resource_manager_is_started_and_ends_with_its_starter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALCLOUD_HOME", str(tmp_path / "cloud"))
    environment = engine_env(ROOT, local=True, base={})
    arm = Arm(environment)
    assert arm.base.startswith("http://127.0.0.1:")
    with pytest.raises(ArmError, match="Resource group 'g' could not be found"):
        arm.call("GET", "/subscriptions/s/resourceGroups/g", version=VERSION)
    assert Arm(environment).base == arm.base, "one server for a process"
    server = companion._held[-1]
    assert server.stdin is not None
    server.stdin.close()
    assert server.wait(60) == 0
    assert server.stdout is not None
    server.stdout.close()
    companion._started.cache_clear()


def test_an_address_of_the_users_own_is_left_alone() -> None:
    assert "DP_ARM_ENDPOINT" not in engine_env(ROOT, local=True, base={"DP_ARM_ENDPOINT": "http://localhost:1"})
    assert "DP_ARM_ENDPOINT" not in engine_env(ROOT, local=False, base={})
    assert companion.address("http://localhost:1") == "http://localhost:1"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "cannot run"),
        ("/nowhere/at/all", "cannot run"),
        ("'unclosed", "cannot run"),
        (shlex.join([sys.executable, "-c", "print('ready')"]), "gives no address"),
        (shlex.join([sys.executable, "-c", "pass"]), "gives no address"),
        (shlex.join([sys.executable, "-c", "print('http://example.org')"]), "gives no address"),
    ],
)
def test_what_gives_no_address_is_told(command: str, words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        companion.address(f"run:{command}")
