"""The embedded cloud's Resource Manager with one factory, for tests of the trigger provider.

The rules are the embedded cloud's (`localcloud.arm`). Added here is what a test does to it: what is there can be looked
at and changed as somebody else in Azure would, and on request it is slow to settle, fails a call, or holds an answer
back.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud import store
from localcloud.arm import Answer, ArmDoor
from localcloud.arm_server import Server
from localcloud.services import data_factory as adf
from localcloud.services.base import Call, Settings
from localcloud.world import World as CloudWorld

FACTORY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/f"
VERSION = {"api-version": adf.API_VERSIONS[-1]}
PIPELINES = ("P", "Q")
"""What the factory holds for triggers to start."""


class World(ArmDoor):
    """The door, and what was asked of it."""

    def __init__(self, world: CloudWorld) -> None:
        super().__init__(world)
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.fail: list[tuple[str, int, str, str]] = []
        """Waiting refusals: verb or action, status, code, message; each once."""
        self.settling = 0
        """So many reads after a start or a stop still tell the state before."""
        self.versions: set[str] = set()
        self.hold = ""
        """The verb or action that is done and not answered until `release` is set."""
        self.held, self.release = threading.Event(), threading.Event()
        self.triggers, self.states = _Triggers(self), _States(self)
        self._late: dict[str, list[str]] = {}
        self._asking = threading.Lock()

    def verbs(self) -> list[str]:
        """What changed something: PUT, DELETE, start, stop."""
        return [verb for verb, _ in self.calls if verb != "GET"]

    def answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes
    ) -> Answer:
        id_, verb = (path, method) if method != "POST" else (path.rpartition("/")[0], path.rpartition("/")[2])
        with self._asking:
            self.calls.append((verb, id_))
            self.versions.update(f"{name}={value}" for name, value in query.items())
            found = self._answer(verb, id_, method, path, query, headers, raw)
        if verb == self.hold:
            self.held.set()
            self.release.wait(60)
        return found

    def _answer(
        self,
        verb: str,
        id_: str,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        raw: bytes,
    ) -> Answer:
        for index, (wanted, status, code, message) in enumerate(self.fail):
            if wanted == verb:
                del self.fail[index]
                return Answer(status, {"error": {"code": code, "message": message}})
        before = self.states.get(id_)
        found = super().answer(method, path, query, headers, raw)
        if verb == "PUT" and found.status == 200:
            self.bodies.append(raw)
        if verb in ("start", "stop") and self.settling and before is not None:
            self._late[id_] = [before] * self.settling
        if verb == "GET" and found.body is not None and self._late.get(id_):
            late = self._late[id_].pop()
            found = Answer(200, {**found.body, "properties": {**found.body["properties"], "runtimeState": late}})
        return found


@dataclass
class _View:
    """The triggers of the world, by id."""

    door: World = field(repr=False)

    def rows(self) -> dict[str, store.Row]:
        with self.door.world.transaction() as tx:
            return {row.id: row for row in store.below(tx, FACTORY) if adf.state_of_trigger(row) is not None}

    def call(self, tx: Any) -> Call:
        return Call(self.door.world, tx, Settings("azure-native", {}), adf.OURS)


class _States(_View):
    """Whether each runs."""

    def get(self, id_: str) -> str | None:
        row = self.rows().get(id_)
        return adf.state_of_trigger(row) if row is not None else None

    def __getitem__(self, id_: str) -> str:
        found = self.get(id_)
        assert found is not None, f"there is no trigger {id_}"
        return found

    def __setitem__(self, id_: str, state: str) -> None:
        row = self.rows()[id_]
        with self.door.world.transaction() as tx:
            adf.set_state(self.call(tx), row, state)

    def __eq__(self, other: object) -> bool:
        return {id_: adf.state_of_trigger(row) for id_, row in self.rows().items()} == other

    __hash__ = None  # type: ignore[assignment]


class _Triggers(_View):
    """What each says."""

    def __getitem__(self, id_: str) -> dict[str, Any]:
        return adf.body_of(self.rows()[id_])

    @contextmanager
    def edited(self, id_: str) -> Iterator[dict[str, Any]]:
        """Its body, to be changed behind everybody's back."""
        row = self.rows()[id_]
        body = adf.body_of(row)
        yield body
        with self.door.world.transaction() as tx:
            inputs = {**row.inputs, "properties": body}
            store.replace(tx, row, inputs, {**row.outputs, "properties": body}, ())

    def __delitem__(self, id_: str) -> None:
        row = self.rows()[id_]
        with self.door.world.transaction() as tx:
            store.remove(tx, row)

    def __contains__(self, id_: object) -> bool:
        return id_ in self.rows()

    def __eq__(self, other: object) -> bool:
        return {id_: adf.body_of(row) for id_, row in self.rows().items()} == other

    __hash__ = None  # type: ignore[assignment]


class ArmServer:
    """The world over HTTP; `with ArmServer() as server` and speak to `server.url`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._cloud = CloudWorld(Path(self._folder.name) / "cloud")
        self.world = World(self._cloud)
        now = time.time()
        group = FACTORY.partition("/providers/")[0]
        with self._cloud.transaction() as tx:
            for id_, token in (
                (group, "azure-native:resources:ResourceGroup"),
                (FACTORY, "azure-native:datafactory:Factory"),
            ):
                store.insert(tx, store.Row(id_, token, None, f"arm|{id_.lower()}", {}, {}, (), "user", now, now))
        raw = json.dumps({"properties": {"activities": []}}).encode()
        for name in PIPELINES:
            ArmDoor(self._cloud).answer("PUT", f"{FACTORY}/pipelines/{name}", VERSION, {}, raw)
        self._server = Server(self.world)
        self.url = self._server.url

    def __enter__(self) -> ArmServer:
        return self

    def __exit__(self, *args: object) -> None:
        self.world.release.set()
        self._server.close()
        self._cloud.close()
        self._folder.cleanup()
