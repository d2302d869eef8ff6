"""CDAP's API on a local port, for one instance."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from localcloud.cdap import router
from localcloud.cdap.http import JSON, Reply, Request
from localcloud.cdap.instance import Instance, Settings
from localcloud.errors import ApiError
from localcloud.faults import Fault, Faults
from localcloud.listener import Listener
from localcloud.world import World

_BODY_LIMIT = 512 * 1024 * 1024
_METHODS = {"GET": "read", "PUT": "update", "POST": "create", "DELETE": "delete"}
ANY_TOKEN = "*"  # noqa: S105 - it stands for all of them
UNAUTHORIZED = Reply(
    status=401,
    body=b'{"error":{"code":401,"message":"Request had invalid authentication credentials. Expected OAuth 2 access'
    b' token, login cookie or other valid authentication credential.","status":"UNAUTHENTICATED"}}',
    content_type=JSON,
)


def admitted(request: Request, token: str | None) -> bool:
    """Whether a request carries the token: that one, any one (`ANY_TOKEN`), or none is asked for (None)."""
    if token is None:
        return True
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and bool(given) and token in (ANY_TOKEN, given)


class LostReply(Exception):  # noqa: N818 - it is no error of ours: the client is to see none of the answer
    """Raised to close a connection without an answer."""


class Door:
    """One instance behind its token and its faults, without a socket."""

    def __init__(self, instance: Instance, token: str | None = None) -> None:
        self.instance = instance
        self.token = token
        """The bearer token every request must carry; None lets everybody in, `*` asks for any token at all."""
        self.faults = Faults(instance.world)

    def answer(self, request: Request) -> Reply:
        """Answer a request. Raises LostReply where a fault swallows the answer."""
        if self.instance.settings.latency:
            time.sleep(self.instance.settings.latency)
        if not admitted(request, self.token):
            return UNAUTHORIZED
        urn = f"cdap:{request.method} {request.path}"
        fault = self.faults.due(_METHODS.get(request.method, "invoke"), f"cdap:{request.method}", urn)
        try:
            self.faults.before(fault)
        except ApiError as error:
            return Reply(status=error.status, body=error.message.encode(), content_type="text/plain; charset=utf-8")
        reply = router.answer(self.instance, request)
        self._record(request, reply, fault)
        self.faults.after(fault)
        if fault is not None and fault.action == "drop":
            raise LostReply
        return reply

    def _record(self, request: Request, reply: Reply, fault: Fault | None) -> None:
        """One line of the log. Bodies are left out: they may hold secure keys."""
        entry = {
            "method": request.method,
            "type": f"cdap:{self.instance.name}",
            "id": request.path,
            "status": reply.status,
            "outcome": "ok" if reply.status < 400 else "error",
        }
        if reply.status >= 400:
            entry["message"] = reply.body.decode("utf-8", "replace")
        if fault is not None:
            entry["fault"] = fault.action
        self.instance.world.record(entry)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "embedded-cloud"
    disable_nagle_algorithm = True
    door: Door

    def handle(self) -> None:
        """Serve one client's connection, in a thread of its own that has its own connection to the database."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True
        finally:
            self.door.instance.world.connect().close()

    def _serve(self) -> None:
        serve_request(self, self.door.answer, self.path)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Requests are not printed."""


def serve_request(handler: BaseHTTPRequestHandler, respond: Callable[[Request], Reply], target: str) -> None:
    """Read the request whose line and headers `handler` has read, and write what `respond` says to `target`."""
    try:
        length = int(handler.headers.get("Content-Length") or 0)
    except ValueError:
        length = -1
    if not 0 <= length <= _BODY_LIMIT:
        handler.close_connection = True
        write(handler, Reply(status=413))
        return
    parts = urlsplit(target)
    request = Request(
        method=handler.command,
        path=parts.path,
        query={k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True).items()},
        headers={k.lower(): v for k, v in handler.headers.items()},
        body=handler.rfile.read(length),
    )
    try:
        reply = respond(request)
    except LostReply:
        handler.close_connection = True
        handler.connection.close()
        return
    write(handler, reply)


def write(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Send an answer."""
    handler.send_response(reply.status)
    if reply.content_type is not None:
        handler.send_header("Content-Type", reply.content_type)
    handler.send_header("Content-Length", str(len(reply.body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(reply.body)


class Server(Listener):
    """A running server. `url` stands for the instance's API endpoint; `instance` is what is behind it."""

    def __init__(self, door: Door, port: int) -> None:
        super().__init__(type("Handler", (_Handler,), {"door": door}), port)
        self.door = door
        self.instance = door.instance


def serve(
    world: World,
    instance: str,
    port: int = 0,
    token: str | None = None,
    *,
    settings: Settings | None = None,
    clock: Callable[[], float] = time.time,
) -> Server:
    """Serve an instance on 127.0.0.1; port 0 takes a free one.

    `token` is what requests must carry as a bearer token (`*`: any); it can be changed at `Server.door.token`, which is
    how a token expires. `settings` says edition, version, what the instance offers, the time scale of runs and the
    latency; without it, those of the world's Data Fusion instance of that id, if it is one.
    """
    from localcloud.cdap.google import settings_of, shelf_name

    made = Instance(world, shelf_name(world, instance), settings or settings_of(world, instance), clock)
    return Server(Door(made, token), port)
