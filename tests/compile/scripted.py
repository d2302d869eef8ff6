"""A server that answers as executors do, call by call from a table, for engines that run in real time."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from dataplatform.compile.reference import Answer, Outcome, Phase
from tests.compile.observed import Executors


@dataclass(frozen=True)
class Arrived:
    """One call, in the order of arrival."""

    step: str
    phase: Phase
    answer: Answer


@dataclass
class Server:
    """A running server: `url` is that of the functions' host."""

    tables: dict[str, Executors]
    url: str = ""
    told: list[dict[str, str]] = field(default_factory=list)
    """Calls that are no step's: what a failed run sets off."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def calls(self) -> dict[str, list[Arrived]]:
        """Pipeline → its calls."""
        with self.lock:
            return {
                name: [Arrived(call.step, call.phase, call.answer) for call in table.calls]
                for name, table in self.tables.items()
            }


class _Handler(BaseHTTPRequestHandler):
    server_state: ClassVar[Server]
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    timeout = 60

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state = self.server_state
        if "call_type" not in body:
            state.told.append(body)
            body = None
        with state.lock:
            answer = Answer(text="ok") if body is None else state.tables[body["workflow_name"]].answer(body, 0)
        if answer.status == 0:
            self.close_connection = True
            return
        data = answer.text.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is http.server's)
        """Say nothing."""


@contextlib.contextmanager
def serve(outcomes: Mapping[str, Mapping[str, Outcome]]) -> Iterator[Server]:
    """Serve on 127.0.0.1; `outcomes` has a table for each pipeline."""
    state = Server({name: Executors(table) for name, table in outcomes.items()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_state": state}))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
