"""All Data Fusion instances of a world on one port: what `localcloud serve` serves below `/datafusion/`."""

from __future__ import annotations

import threading
from dataclasses import replace

from localcloud.cdap import google
from localcloud.cdap.http import Reply, Request
from localcloud.cdap.instance import Instance
from localcloud.cdap.instances import GoogleApi
from localcloud.cdap.server import ANY_TOKEN, UNAUTHORIZED, Door, admitted
from localcloud.world import World

PREFIX = "/datafusion/"


class DataFusionDoors:
    """Google's API at `/datafusion/v1/…`, each instance at `/datafusion/HOST/…`. Every request needs a token."""

    def __init__(self, world: World, time_scale: float = 1.0, token: str | None = ANY_TOKEN) -> None:
        self.world = world
        self.token = token
        self.time_scale = time_scale
        self._google = GoogleApi(world, time_scale)
        self._doors: dict[str, Door] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        """Answer a request to a path below `/datafusion/`."""
        rest = request.path.removeprefix(PREFIX)
        head, _, tail = rest.partition("/")
        if head in ("v1", "v1beta1"):
            if not admitted(request, self.token):
                return UNAUTHORIZED
            return self._google.answer(replace(request, path=f"/{rest}"))
        door = self.door(head)
        if door is None or not f"{tail}/".startswith("api/"):
            return Reply(status=404, body=f"there is no Data Fusion instance at {head}".encode())
        return door.answer(replace(request, path=f"/{tail}".removeprefix("/api") or "/"))

    def door(self, host: str) -> Door | None:
        """The instance whose API endpoint has that host."""
        instance = google.hosts(self.world).get(host)
        if instance is None:
            return None
        name = google.shelf_name(self.world, instance)
        with self._lock:
            found = self._doors.get(name)
            if found is None:
                settings = google.settings_of(self.world, instance, self.time_scale)
                found = self._doors[name] = Door(Instance(self.world, name, settings), self.token)
        return found
