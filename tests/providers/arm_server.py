"""A Resource Manager of one kind of thing, Data Factory triggers, with the service's rules about their state.

A started trigger refuses PUT and DELETE; start and stop are POSTs; `runtimeState` is read-only and Stopped at first.
Texts are the service's, as seen in public logs. On request it is slow to settle, fails a call, or drops one.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class World:
    """The triggers, by id, and what was asked."""

    triggers: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    fail: list[tuple[str, int, str, str]] = field(default_factory=list)
    """Waiting refusals: verb or action, status, code, message; each once."""
    settling: int = 0
    """So many reads after a start or a stop still tell the state before."""
    versions: set[str] = field(default_factory=set)
    hold: str = ""
    """The verb or action that is done and not answered until `release` is set."""
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    _late: dict[str, list[str]] = field(default_factory=dict)

    def verbs(self) -> list[str]:
        """What changed something: PUT, DELETE, start, stop."""
        return [verb for verb, _ in self.calls if verb != "GET"]

    def answer(self, verb: str, id_: str, body: bytes) -> tuple[int, dict[str, Any]]:
        self.calls.append((verb, id_))
        for index, (wanted, status, code, message) in enumerate(self.fail):
            if wanted == verb:
                del self.fail[index]
                return status, {"error": {"code": code, "message": message}}
        there = id_ in self.triggers
        if verb == "PUT":
            if there and self.states[id_] == "Started":
                return 400, _error(
                    "TriggerEnabledCannotUpdate",
                    "Cannot update enabled Trigger; the trigger needs to be disabled first. ",
                )
            self.bodies.append(body)
            self.triggers[id_] = json.loads(body)["properties"]
            self.states.setdefault(id_, "Stopped")
            return 200, self.shown(id_)
        if not there:
            return 404, _error("EntityNotFound", f"The trigger {id_.rsplit('/', 1)[-1]} is not found.")
        if verb == "DELETE":
            if self.states[id_] == "Started":
                return 400, _error(
                    "TriggerEnabledCannotUpdate",
                    "Cannot update enabled Trigger; the trigger needs to be disabled first. ",
                )
            del self.triggers[id_], self.states[id_]
            return 200, {}
        if verb in ("start", "stop"):
            if self.settling:
                self._late[id_] = [self.states[id_]] * self.settling
            self.states[id_] = "Started" if verb == "start" else "Stopped"
            return 200, {}
        return 200, self.shown(id_)

    def shown(self, id_: str) -> dict[str, Any]:
        late = self._late.get(id_)
        state = late.pop() if late else self.states[id_]
        return {"id": id_, "name": id_.rsplit("/", 1)[-1], "properties": {**self.triggers[id_], "runtimeState": state}}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


class ArmServer:
    """The world over HTTP; `with ArmServer() as server` and speak to `server.url`."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        outer = self.world
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                path, _, query = self.path.partition("?")
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                verb = self.command
                if verb == "POST":
                    path, _, verb = path.rpartition("/")
                with lock:
                    outer.versions.add(query)
                    status, answer = outer.answer(verb, path, body)
                if verb == outer.hold:
                    outer.held.set()
                    outer.release.wait(60)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with contextlib.suppress(OSError):  # whoever asked may have been killed
                    self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ArmServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()
