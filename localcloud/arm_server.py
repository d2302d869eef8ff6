"""Resource Manager on a local port: alone, for a provider that starts it, or as part of `localcloud serve`.

`python -m localcloud.arm_server` prints its address and serves until its standard input ends, so that it goes with
whoever started it, however that one ends. There is no authentication: the port listens on the loopback address only.
"""

from __future__ import annotations

import contextlib
import json
import sys
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from localcloud.arm import Answer, ArmDoor, LostReplyError
from localcloud.errors import ApiError
from localcloud.listener import Listener, until_input_ends
from localcloud.world import World

_BODY_LIMIT = 4 * 1024 * 1024


def respond(handler: BaseHTTPRequestHandler, door: ArmDoor) -> None:
    """Read the request whose line and headers `handler` has read, and answer it."""
    try:
        length = int(handler.headers.get("Content-Length") or 0)
    except ValueError:
        length = -1
    if not 0 <= length <= _BODY_LIMIT:
        handler.close_connection = True
        _write(handler, _refused(ApiError(413, "RequestEntityTooLarge", "The request is too large.")))
        return
    raw = handler.rfile.read(length)
    parts = urlsplit(handler.path)
    query = {key.lower(): values[-1] for key, values in parse_qs(parts.query).items()}
    headers = {key.lower(): value for key, value in handler.headers.items()}
    try:
        answer = door.answer(handler.command, unquote(parts.path), query, headers, raw)
    except LostReplyError:
        handler.close_connection = True
        handler.connection.close()
        return
    except Exception as error:
        # A client must get an answer whatever happens here.
        answer = _refused(ApiError(500, "InternalServerError", f"{type(error).__name__}: {error}"))
    _write(handler, answer)


def _refused(error: ApiError) -> Answer:
    return Answer(error.status, {"error": {"code": error.code, "message": error.message}})


def _write(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    content = b"" if answer.body is None else json.dumps(answer.body, ensure_ascii=False).encode()
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    if content:
        handler.send_header("Content-Type", "application/json; charset=utf-8")
    handler.send_header("Content-Length", str(len(content)))
    # Whoever asked may have been killed.
    with contextlib.suppress(OSError):
        handler.end_headers()
        handler.wfile.write(content)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "embedded-cloud"
    disable_nagle_algorithm = True
    door: ArmDoor

    def handle(self) -> None:
        """Serve one client's connection, in a thread of its own that has its own connection to the database."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True
        finally:
            self.door.world.connect().close()

    def _serve(self) -> None:
        respond(self, self.door)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Requests are not printed."""


class Server(Listener):
    """A running server."""

    def __init__(self, door: ArmDoor, port: int = 0) -> None:
        super().__init__(type("Handler", (_Handler,), {"door": door}), port)
        self.door = door


def main() -> int:
    """Serve the world of LOCALCLOUD_HOME until standard input ends."""
    return until_input_ends(Server(ArmDoor(World())))


if __name__ == "__main__":
    sys.exit(main())
