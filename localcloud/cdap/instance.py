"""One instance of CDAP: what it is called, what it was made as, its clock and its entries."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.cdap import catalog
from localcloud.cdap.http import CdapError, Json, not_found
from localcloud.cdap.store import Shelf, create_tables
from localcloud.world import World

NAMESPACE = re.compile(r"[a-zA-Z0-9_]+")
DEFAULT = "default"
_EPOCH_1582 = 0x01B21DD213814000
_VERSION_LOCK = threading.Lock()
_LAST_VERSION = [0]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an instance was made."""

    version: str = catalog.VERSION
    edition: str = "ENTERPRISE"
    """BASIC has the namespace `default` alone."""
    offer: str = catalog.SANDBOX
    """Which artifacts it comes with: `sandbox` (what a real CDAP from its published parts has) or `data_fusion`."""
    unrecoverable: bool = True
    """`enable.unrecoverable.reset`: whether namespaces can be deleted."""
    user: str = "root"
    """Who deploys and starts, as `change.author` tells."""
    time_scale: float = 1.0
    """Multiplies the time runs take; 0 ends them at once."""
    latency: float = 0.0
    """Seconds every request waits."""


class Instance:
    """An instance in a world. Handlers get it; it knows no HTTP server."""

    def __init__(
        self, world: World, name: str, settings: Settings | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.world = world
        self.name = name
        self.settings = settings or Settings()
        self.clock = clock
        create_tables(world)
        self.shelf = Shelf(world, name)
        with world.transaction():
            if self.shelf.get("namespace", "", DEFAULT) is None:
                self._begin()

    def _begin(self) -> None:
        self.shelf.put(
            "namespace",
            "",
            DEFAULT,
            {
                "name": DEFAULT,
                "identity": DEFAULT,
                "description": "This is the default namespace, which is automatically created, and is always"
                " available.",
                "generation": 0,
                "config": {"scheduler.queue.name": ""},
            },
        )
        self.shelf.put(
            "profile",
            "system",
            "native",
            {
                "name": "native",
                "label": "native",
                "description": "Runs programs locally on the cluster",
                "scope": "SYSTEM",
                "status": "ENABLED",
                "provisioner": {"name": "native", "properties": [], "totalProcessingCpusLabel": "Custom"},
                "created": int(self.clock()),
            },
        )
        if self.settings.offer == catalog.DATA_FUSION:
            for profile in catalog.dataproc_profiles(int(self.clock())):
                self.shelf.put("profile", "system", profile["name"], profile)
        self.load_system_artifacts()

    def load_system_artifacts(self) -> None:
        """Put those system artifacts back that are not there."""
        for artifact in catalog.artifacts(self.settings.offer, self.settings.version):
            name = f"{artifact['name']} {artifact['version']}"
            if self.shelf.get("artifact", "system", name) is None:
                self.shelf.put("artifact", "system", name, artifact)

    def namespace(self, name: str) -> Json:
        """The namespace; 404 where it is not there, 500 where the name can be none (so CDAP)."""
        if not NAMESPACE.fullmatch(name):
            raise CdapError(500, f"Invalid namespace ID: {name}. Should only contain alphanumeric characters or _.")
        found: Json | None = self.shelf.get("namespace", "", name)
        if found is None:
            raise not_found(f"namespace:{name}")
        return found

    def has_namespace(self, name: str) -> bool:
        """Whether it is there."""
        return self.shelf.get("namespace", "", name) is not None

    def millis(self) -> int:
        """Now, in milliseconds since 1970."""
        return int(self.clock() * 1000)


def time_uuid(seconds: float) -> str:
    """A UUID of version 1 whose time is that, later than any given before: versions and runs are named so."""
    with _VERSION_LOCK:
        ticks = max(int(seconds * 10_000_000) + _EPOCH_1582, _LAST_VERSION[0] + 1)
        _LAST_VERSION[0] = ticks
    low, middle, high = ticks & 0xFFFFFFFF, (ticks >> 32) & 0xFFFF, (ticks >> 48) & 0x0FFF
    clock = uuid.uuid4().int & 0x3FFF
    return str(uuid.UUID(fields=(low, middle, high | 0x1000, (clock >> 8) | 0x80, clock & 0xFF, 0x02FC00000001)))
