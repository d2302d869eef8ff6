"""The REST doors of Workflows v1 and Workflow Executions v1 on one local port.

With a whole world, those of Data Fusion, BigQuery and Azure Resource Manager too.

Google's own clients work with nothing but the endpoint changed; the paths are those of the discovery documents. There
is no authentication: the port listens on the loopback address only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from localcloud.arm import ArmDoor
from localcloud.arm_server import respond
from localcloud.bigquery.doors import BigQueryDoor
from localcloud.cdap.doors import DataFusionDoors
from localcloud.cdap.server import serve_request
from localcloud.errors import ApiError
from localcloud.listener import Listener
from localcloud.workflows.api import CALLBACK, Api, Query
from localcloud.workflows.connectors.calls import INTERNAL
from localcloud.workflows.executions import ExecutionsService
from localcloud.workflows.recorder import OnEvent
from localcloud.workflows.service import WorkflowsService
from localcloud.workflows.store import Json, WorldLike, invalid
from localcloud.workflows.web import decode_body
from localcloud.world import World

_BODY_LIMIT = 4 * 1024 * 1024


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "embedded-cloud"
    # Headers and body go out in two writes: with it, the second waits 40 ms for the first one's acknowledgement.
    disable_nagle_algorithm = True
    api: Api
    data_fusion: DataFusionDoors | None = None
    bigquery: BigQueryDoor | None = None
    arm: ArmDoor | None = None

    def handle(self) -> None:
        """Serve one client's connection, in a thread of its own that has its own connection to the database."""
        try:
            super().handle()
        finally:
            self.api.workflows.world.connect().close()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).lstrip("/")
        if self.data_fusion is not None and path.startswith("datafusion/"):
            serve_request(self, self.data_fusion.answer, self.path)
            return
        if self.bigquery is not None and path.startswith("bigquery/v2/"):
            serve_request(self, self.bigquery.answer, self.path)
            return
        if self.arm is not None and (path == "subscriptions" or path.startswith(("subscriptions/", "dfs/"))):
            respond(self, self.arm)
            return
        raw = self._read()
        if raw is None:
            return
        callback = CALLBACK.fullmatch(path)
        try:
            if callback is not None:
                self.api.executions.receive_callback(callback.group(1), self.command, self._callback(parts.query, raw))
                answer: Json = {}
            else:
                answer = self.api.answer(self.command, path, Query(parts.query), lambda: _json_body(raw))
        except ApiError as error:
            self._send(error.status, _error(error))
        except Exception as error:
            self._send(500, _error(ApiError(500, "INTERNAL", f"{type(error).__name__}: {error}")))
        else:
            self._send(200, answer)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_OPTIONS = do_HEAD = _serve  # noqa: N815

    def _read(self) -> bytes | None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= _BODY_LIMIT:
            self.close_connection = True
            self._send(413, _error(ApiError(413, "INVALID_ARGUMENT", f"Request of {length} bytes is too large")))
            return None
        return self.rfile.read(length)

    def _callback(self, query: str, raw: bytes) -> Json:
        body = decode_body(self.headers.get("Content-Type", ""), raw) if raw else None
        return {
            "method": self.command,
            "url": self.path,
            "query": {k: v[-1] for k, v in parse_qs(query).items()},
            "headers": dict(self.headers.items()),
            "body": body,
        }

    def _send(self, status: int, body: Json) -> None:
        content = json.dumps(body, ensure_ascii=False, indent=2).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Requests are not printed."""


def _json_body(raw: bytes) -> Json:
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise invalid("Invalid JSON payload received.") from None
    if not isinstance(body, dict):
        raise invalid("Invalid JSON payload received. An object is expected.")
    return body


def _error(error: ApiError) -> Json:
    return {"error": {"code": error.status, "message": error.message, "status": error.code}}


class Server(Listener):
    """A running server. `workflows` and `executions` are the services behind it."""

    def __init__(
        self,
        handler: type[BaseHTTPRequestHandler],
        port: int,
        workflows: WorkflowsService,
        executions: ExecutionsService,
    ) -> None:
        super().__init__(handler, port)
        self.workflows = workflows
        self.executions = executions

    def close(self) -> None:
        """Stop listening and end the executions that are still active."""
        super().close()
        self.executions.close()


def serve(
    world: WorldLike,
    port: int = 0,
    *,
    routes: Mapping[str, str] | None = None,
    time_scale: float = 1.0,
    on_event: OnEvent | None = None,
) -> Server:
    """Serve both APIs on 127.0.0.1; port 0 takes a free one.

    `routes` maps a prefix of https URLs to a local base URL for the workflows' HTTP calls. `time_scale` multiplies
    `sys.sleep`, `sys.sleep_until`, retry delays and callback timeouts.
    """
    workflows = WorkflowsService(world)
    executions = ExecutionsService(world, routes=routes, time_scale=time_scale, on_event=on_event)
    data_fusion = DataFusionDoors(world, time_scale) if isinstance(world, World) else None
    arm = ArmDoor(world) if isinstance(world, World) else None
    bigquery = BigQueryDoor(world) if isinstance(world, World) else None
    doors = {"api": Api(workflows, executions), "data_fusion": data_fusion, "arm": arm, "bigquery": bigquery}
    handler = type("Handler", (_Handler,), doors)
    server = Server(handler, port, workflows, executions)
    executions.callback_base = server.url
    for service in INTERNAL:
        # For http.* calls; connectors do not take the way over the network.
        executions.served.setdefault(service, server.url)
    return server
