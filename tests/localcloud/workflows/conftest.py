"""Shared by the tests of Workflows: running a text, a world in a folder, and an HTTP endpoint to call."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from localcloud.workflows.local import StepEvent
from localcloud.workflows.local import run as run_local
from localcloud.world import World


@dataclass
class Ran:
    """What became of one text."""

    execution: dict[str, Any]
    events: list[StepEvent] = field(default_factory=list)

    @property
    def state(self) -> str:
        return str(self.execution["state"])

    @property
    def value(self) -> Any:
        assert self.state == "SUCCEEDED", self.execution
        return json.loads(self.execution["result"])

    @property
    def error(self) -> Any:
        assert self.state == "FAILED", self.execution
        return json.loads(self.execution["error"]["payload"])

    @property
    def tags(self) -> list[str]:
        return list(self.error["tags"])


Run = Callable[..., Ran]


@pytest.fixture
def run() -> Run:
    """Run a text; sleeps take a thousandth of their time."""

    def do(source: str, argument: Any = None, *, time_scale: float = 0.001, **options: Any) -> Ran:
        events: list[StepEvent] = []
        execution = run_local(None, source, argument, time_scale=time_scale, on_event=events.append, **options)
        return Ran(execution, events)

    return do


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty world."""
    opened = World(tmp_path / "cloud")
    yield opened
    opened.close()


@dataclass
class Received:
    """A request the endpoint got."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Endpoint:
    """A local HTTP server. `answers` maps a path to status, content type and body, or to a list of those."""

    url: str
    received: list[Received]
    answers: dict[str, Any]
    release: threading.Event


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An HTTP server that records requests; `/slow` answers when `release` is set."""
    received: list[Received] = []
    answers: dict[str, Any] = {}
    release = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            received.append(Received(self.command, parts.path, parse_qs(parts.query), dict(self.headers.items()), body))
            if parts.path == "/slow":
                release.wait(10)
            answer = answers.get(parts.path, (200, "application/json", b'{"ok": true}'))
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            status, kind, content = answer
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                return

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield Endpoint(f"http://127.0.0.1:{server.server_address[1]}", received, answers, release)
    release.set()
    server.shutdown()
    server.server_close()
    thread.join()
