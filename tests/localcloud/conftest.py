"""A world for each test, a plugin's servicer over it, and an engine's sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import store
from localcloud.services.google import DEFAULT_APIS
from localcloud.world import World
from tests.engine_support import Sandbox
from tests.localcloud.client import Client


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world with the project `acme-dev`."""
    world = World(tmp_path / "cloud")
    with world.transaction() as tx:
        store.create_project(tx, "acme-dev", DEFAULT_APIS)
    yield world
    world.close()


@pytest.fixture
def gcp(world: World) -> Client:
    """A Google provider over the world, configured for `acme-dev` in europe-west1."""
    return Client("gcp", world, {"project": "acme-dev", "region": "europe-west1"})


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """An engine with a world that has the project `acme-dev`."""
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.project("acme-dev")
    return sandbox
