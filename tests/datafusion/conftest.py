"""A CDAP for every test: the embedded one always, a real one under the marker `cdap`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from dataplatform.datafusion.client import Client
from dataplatform.datafusion.errors import ConflictError
from localcloud.cdap.instance import Settings
from localcloud.cdap.server import Server, serve
from localcloud.world import World

_SERIAL = itertools.count(1)


@dataclass(kw_only=True)
class Cdap:
    """An instance to test against. Namespaces it gives out are deleted in the end."""

    endpoint: str
    server: Server | None
    """The embedded one, for faults and latency; None for the real one."""
    made: list[str] = field(default_factory=list)

    def client(self, concurrency: int = 8) -> Client:
        return Client(self.endpoint, concurrency=concurrency, timeout=120.0)

    def namespace(self, stem: str = "team") -> str:
        """The name of a namespace that nobody has; it is not made."""
        name = f"{stem}_{next(_SERIAL)}_{id(self) % 9973}"
        self.made.append(name)
        return name

    def clean(self) -> None:
        client = self.client()
        there = {space["name"] for space in client.get("namespaces")}
        for name in there & set(self.made):
            for profile in client.get("namespaces", name, "profiles"):
                if profile["status"] == "ENABLED":
                    client.call("POST", ("namespaces", name, "profiles", profile["name"], "disable"))
            self._delete(client, name)

    def _delete(self, client: Client, name: str) -> None:
        """A run that was told to stop takes some seconds, and CDAP keeps the namespace as long."""
        for attempt in range(60):
            try:
                client.call("DELETE", ("unrecoverable", "namespaces", name))
                return
            except ConflictError:
                if attempt == 59:
                    raise
                time.sleep(1.0)


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def embedded(world: World) -> Iterator[Server]:
    with serve(world, "core", settings=Settings(time_scale=0.01)) as server:
        yield server


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.cdap)])
def cdap(request: pytest.FixtureRequest) -> Iterator[Cdap]:
    """Both kinds, one after the other."""
    if request.param == "embedded":
        server: Server = request.getfixturevalue("embedded")
        yield Cdap(endpoint=server.url, server=server)
        return
    from tests.datafusion.real import real_endpoint

    found = Cdap(endpoint=real_endpoint(), server=None)
    yield found
    found.clean()
