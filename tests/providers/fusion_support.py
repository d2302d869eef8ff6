"""Data Fusion's resources without an engine: a driver that keeps a state as the engine does, on an embedded CDAP."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

from dataplatform.datafusion import normalise
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.objects import by_name
from localcloud.cdap.server import Server
from providers.base import Resource, State, Values
from providers.data_fusion.endpoints import Clients
from providers.data_fusion.resources import resources
from tests.datafusion.pipelines import pipeline

NAMESPACE, PIPELINE, SCHEDULE = (f"dp-cdap:datafusion:{name}" for name in ("Namespace", "Pipeline", "Schedule"))
PREFERENCES, PROFILE, SECURE = (f"dp-cdap:datafusion:{name}" for name in ("Preferences", "Profile", "SecureKey"))
ARTIFACT, ARGUMENTS, CONNECTION = (
    f"dp-cdap:datafusion:{name}" for name in ("Artifact", "RuntimeArguments", "Connection")
)


class Refused(AssertionError):  # noqa: N818 - the test's own
    """Inputs that do not pass the check."""


@dataclass
class Driver:
    """What the engine does with a resource, one at a time."""

    server: Server
    types: dict[str, Resource]
    client: Client

    @classmethod
    def of(cls, server: Server) -> Driver:
        clients = Clients({})
        made = cls(server, resources(clients), Client(server.url, sleep=lambda _: None))
        clients._clients[server.url] = made.client
        return made

    def check(self, token: str, inputs: Values) -> Values:
        checked, failures = self.types[token].check(copy.deepcopy({"endpoint": self.server.url, **inputs}), {})
        if failures:
            raise Refused("; ".join(f"{f.property}: {f.reason}" for f in failures))
        return checked

    def create(self, token: str, **inputs: Any) -> State:
        checked = self.check(token, inputs)
        id_, outputs = self.types[token].create(checked, preview=False)
        return State(id=id_, inputs=checked, outputs=outputs)

    def diff(self, token: str, state: State, **inputs: Any) -> tuple[set[str], bool]:
        found = self.types[token].diff(state.id, state, self.check(token, inputs))
        return {".".join(str(part) for part in path) for path in found.changed}, bool(found.replaces)

    def update(self, token: str, state: State, **inputs: Any) -> State:
        checked = self.check(token, inputs)
        outputs = self.types[token].update(state.id, state, checked, preview=False)
        return State(id=state.id, inputs=checked, outputs=outputs)

    def refresh(self, token: str, state: State) -> State | None:
        return self.types[token].read(state.id, state.inputs, state.outputs)

    def delete(self, token: str, state: State) -> None:
        self.types[token].delete(state.id, state.outputs)

    def writes(self) -> list[str]:
        """The calls since the last look that could have changed something."""
        world = self.server.instance.world
        lines = world.log.read_text("utf-8").splitlines() if world.log.exists() else []
        world.log.write_text("", "utf-8")
        return [f"{c['method']} {c['id']}" for c in map(json.loads, lines) if c["method"] != "GET"]


def pipeline_inputs(name: str = "orders", table: str = "orders", namespace: str = "sales", **config: Any) -> Values:
    """The inputs of a pipeline resource."""
    body = normalise.pipeline(pipeline(name, table, **config))
    return {
        "namespace": namespace,
        "name": name,
        "artifact": body["artifact"],
        "config": by_name(body["config"]),
    }
