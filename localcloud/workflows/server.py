"""The REST doors of Workflows v1 and Workflow Executions v1 on one local port.

Google's own clients work with nothing but the endpoint changed; the paths are those of the discovery documents. There
is no authentication: the port listens on the loopback address only.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from localcloud.errors import ApiError
from localcloud.workflows.executions import ExecutionsService
from localcloud.workflows.recorder import OnEvent
from localcloud.workflows.service import WorkflowsService
from localcloud.workflows.store import Json, WorldLike, invalid

_LOCATION = r"projects/[^/]+/locations/[^/]+"
_WORKFLOW = rf"{_LOCATION}/workflows/[^/:]+"
_EXECUTION = rf"{_WORKFLOW}/executions/[^/:]+"
_CALLBACK = re.compile(rf"v1/({_EXECUTION}/callbacks/[^/:]+)")
_WORKFLOWS = "workflows.googleapis.com"
_EXECUTIONS = "workflowexecutions.googleapis.com"
_BODY_LIMIT = 4 * 1024 * 1024


class _Query:
    """The parameters of a request's URL."""

    def __init__(self, text: str) -> None:
        self.values = {k: v[-1] for k, v in parse_qs(text, keep_blank_values=True).items()}

    def text(self, name: str) -> str:
        return self.values.get(name, "")

    def page(self) -> dict[str, Any]:
        return {"page_size": self.values.get("pageSize"), "page_token": self.values.get("pageToken")}


Handler = Callable[[str, _Query, Json], Json]


class _Api:
    """Routes of both services."""

    def __init__(self, workflows: WorkflowsService, executions: ExecutionsService) -> None:
        self.workflows = workflows
        self.executions = executions
        w, e = workflows, executions
        table: list[tuple[str, str, Handler]] = [
            ("GET", r"(projects/[^/]+)/locations", self.list_locations),
            ("GET", rf"({_LOCATION})", self.get_location),
            ("POST", rf"({_LOCATION})/workflows", self.create_workflow),
            ("GET", rf"({_LOCATION})/workflows", self.list_workflows),
            ("GET", rf"({_WORKFLOW})", lambda n, q, _: w.get(n, q.text("revisionId"))),
            ("PATCH", rf"({_WORKFLOW})", self.patch_workflow),
            ("DELETE", rf"({_WORKFLOW})", self.delete_workflow),
            ("GET", rf"({_WORKFLOW}):listRevisions", lambda n, q, _: w.list_revisions(n, **q.page())),
            ("POST", rf"({_WORKFLOW}):triggerPubsubExecution", self.not_served),
            ("GET", rf"({_LOCATION})/operations", self.list_operations),
            ("GET", rf"({_LOCATION}/operations/[^/]+)", lambda n, _q, _b: w.get_operation(n)),
            ("DELETE", rf"({_LOCATION}/operations/[^/]+)", self.delete_operation),
            ("POST", rf"({_WORKFLOW})/executions", lambda n, _q, b: e.create(n, b)),
            ("GET", rf"({_WORKFLOW})/executions", self.list_executions),
            ("GET", rf"({_EXECUTION})", lambda n, q, _: e.get(n, q.text("view"))),
            ("POST", rf"({_EXECUTION}):cancel", lambda n, _q, _b: e.cancel(n)),
            ("GET", rf"({_EXECUTION}):exportData", self.export),
            ("POST", rf"({_EXECUTION}):deleteExecutionHistory", self.delete_history),
            ("GET", rf"({_EXECUTION})/stepEntries", self.list_step_entries),
            ("GET", rf"({_EXECUTION}/stepEntries/[^/]+)", lambda n, _q, _b: e.step_entry(n)),
            ("GET", rf"({_EXECUTION})/callbacks", lambda n, _q, _b: {"callbacks": e.callbacks(n)}),
        ]
        self.routes = [(method, re.compile(f"v1/{pattern}"), handler) for method, pattern, handler in table]

    def answer(self, method: str, path: str, query: _Query, body: Callable[[], Json]) -> Json:
        """What a request is answered with. Raises ApiError."""
        for wanted, pattern, handler in self.routes:
            match = pattern.fullmatch(path)
            if match is not None and wanted == method:
                self.admit(match.group(1), executions="/executions" in path)
                return handler(match.group(1), query, body())
        raise ApiError(404, "NOT_FOUND", f"The requested URL /{path} was not found on this server.")

    def admit(self, name: str, *, executions: bool) -> None:
        """Raise ApiError 403 where the world knows the project and the API is not enabled in it.

        Enabling the Workflows API enables the Executions API with it. A project that the world does not know is not
        asked about: the doors can be used on their own.
        """
        project = name.split("/")[1]
        connection = self.workflows.world.connect()
        try:
            known = connection.execute("SELECT number FROM projects WHERE id = ?", (project,)).fetchone()
            rows = connection.execute("SELECT service FROM apis WHERE project = ?", (project,)).fetchall()
        except sqlite3.OperationalError:
            return
        enabled = {row["service"] for row in rows}
        if known is None or _WORKFLOWS in enabled or (executions and _EXECUTIONS in enabled):
            return
        title, api = ("Workflow Executions API", _EXECUTIONS) if executions else ("Workflows API", _WORKFLOWS)
        raise ApiError(
            403,
            "PERMISSION_DENIED",
            f"{title} has not been used in project {known['number']} before or it is disabled. Enable it by visiting "
            f"https://console.developers.google.com/apis/api/{api}/overview?project={known['number']} then retry.",
        )

    def create_workflow(self, parent: str, query: _Query, body: Json) -> Json:
        created = self.workflows.create(parent, query.text("workflowId"), body)
        return self.workflows.operation(created["name"], "create", created)

    def list_workflows(self, parent: str, query: _Query, _: Json) -> Json:
        return self.workflows.list(parent, **query.page(), filter=query.text("filter"), order_by=query.text("orderBy"))

    def patch_workflow(self, name: str, query: _Query, body: Json) -> Json:
        return self.workflows.operation(name, "update", self.workflows.patch(name, body, query.text("updateMask")))

    def delete_workflow(self, name: str, _: _Query, _body: Json) -> Json:
        self.workflows.delete(name)
        return self.workflows.operation(name, "delete", None)

    def list_operations(self, parent: str, query: _Query, _: Json) -> Json:
        return self.workflows.list_operations(parent, **query.page(), filter=query.text("filter"))

    def delete_operation(self, name: str, _: _Query, _body: Json) -> Json:
        self.workflows.delete_operation(name)
        return {}

    def list_executions(self, parent: str, query: _Query, _: Json) -> Json:
        return self.executions.list(
            parent,
            **query.page(),
            view=query.text("view"),
            filter=query.text("filter"),
            order_by=query.text("orderBy"),
        )

    def list_step_entries(self, name: str, query: _Query, _: Json) -> Json:
        return self.executions.step_entries(
            name,
            **query.page(),
            skip=query.text("skip"),
            filter=query.text("filter"),
            order_by=query.text("orderBy"),
        )

    def delete_history(self, name: str, _: _Query, _body: Json) -> Json:
        self.executions.delete_history(name)
        return {}

    def export(self, name: str, _: _Query, _body: Json) -> Json:
        return {"data": json.dumps(self.executions.get(name))}

    def list_locations(self, project: str, _: _Query, _body: Json) -> Json:
        rows = self.workflows.world.connect().execute(
            "SELECT DISTINCT parent FROM workflow_definitions WHERE parent LIKE ? ORDER BY parent", (f"{project}/%",)
        )
        return {"locations": [_location(r["parent"]) for r in rows.fetchall()]}

    def get_location(self, name: str, _: _Query, _body: Json) -> Json:
        return _location(name)

    def not_served(self, name: str, _: _Query, _body: Json) -> Json:
        raise ApiError(501, "UNIMPLEMENTED", f"The embedded cloud does not serve this method for {name}")


def _location(name: str) -> Json:
    return {"name": name, "locationId": name.rsplit("/", 1)[-1]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "embedded-cloud"
    api: _Api

    def handle(self) -> None:
        """Serve one client's connection, in a thread of its own that has its own connection to the database."""
        try:
            super().handle()
        finally:
            self.api.workflows.world.connect().close()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).lstrip("/")
        raw = self._read()
        if raw is None:
            return
        callback = _CALLBACK.fullmatch(path)
        try:
            if callback is not None:
                self.api.executions.receive_callback(callback.group(1), self.command, self._callback(parts.query, raw))
                answer: Json = {}
            else:
                answer = self.api.answer(self.command, path, _Query(parts.query), lambda: _json_body(raw))
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
        body: Any = raw.decode("utf-8", "replace") or None
        if "json" in self.headers.get("Content-Type", ""):
            body = json.loads(raw) if raw else None
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


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # The default of five makes a burst of clients wait a second for their connection.
    request_queue_size = 128


class Server:
    """A running server. `workflows` and `executions` are the services behind it."""

    def __init__(self, http: _HttpServer, workflows: WorkflowsService, executions: ExecutionsService) -> None:
        self._http = http
        self.workflows = workflows
        self.executions = executions
        self.port: int = http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and end the executions that are still active."""
        self._http.shutdown()
        self._http.server_close()
        self.executions.close()
        self._thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
    handler = type("Handler", (_Handler,), {"api": _Api(workflows, executions)})
    http = _HttpServer(("127.0.0.1", port), handler)
    server = Server(http, workflows, executions)
    executions.callback_base = server.url
    return server
