"""What a resource type's service is given and what it answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from localcloud.rules.wire import Path
from localcloud.store import Row
from localcloud.world import World


@dataclass(frozen=True)
class Settings:
    """Configuration of one provider instance."""

    package: str
    values: Mapping[str, Any]

    def get(self, name: str) -> str | None:
        """A setting as text, None where it is absent or empty."""
        value = self.values.get(name)
        return str(value) if value not in (None, "") else None

    @property
    def project(self) -> str | None:
        """The default project."""
        return self.get("project")

    @property
    def region(self) -> str | None:
        """The default region; that of the zone where only a zone is configured."""
        zone = self.get("zone")
        return self.get("region") or (zone.rpartition("-")[0] if zone else None)

    @property
    def zone(self) -> str | None:
        """The default zone."""
        return self.get("zone")


@dataclass
class Call:
    """One operation: the world inside its transaction, and who asks."""

    world: World
    tx: sqlite3.Connection
    settings: Settings
    token: str
    urn: str = ""
    secrets: tuple[Path, ...] = ()
    """Paths of the inputs that were secret."""

    @property
    def kind(self) -> str:
        """`Bucket` for `gcp:storage/bucket:Bucket`."""
        return self.token.rpartition(":")[2]


@dataclass(frozen=True)
class State:
    """What an operation leaves behind, as the engine gets it. All values plain."""

    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    secrets: tuple[Path, ...] = ()


class Service(Protocol):
    """The behaviour of one resource type. Refusals are ApiErrors."""

    client_only: tuple[str, ...]
    """Inputs that only the client knows and no cloud can answer: reading leaves them as they were."""

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """Outputs as far as they are known before the cloud was asked; the rest unknown. `old`: an update's outputs."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Make it."""

    def read(self, call: Call, resource_id: str) -> State | None:
        """What is there now, None where nothing is."""

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Change it in place."""

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Remove it; nothing happens where it is gone already. `outputs`: as the engine's state has them."""


def state_of(row: Row) -> State:
    """A row as the engine gets it."""
    return State(row.id, row.inputs, row.outputs, row.secrets)
