"""The methods of Workflows v1 and Workflow Executions v1 by their paths, without a server.

The REST doors (`server`) and the connectors of running workflows come through here. The paths are those of the
discovery documents.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from localcloud.errors import ApiError
from localcloud.workflows.store import Json

if TYPE_CHECKING:
    from localcloud.workflows.executions import ExecutionsService
    from localcloud.workflows.service import WorkflowsService

_LOCATION = r"projects/[^/]+/locations/[^/]+"
_WORKFLOW = rf"{_LOCATION}/workflows/[^/:]+"
_EXECUTION = rf"{_WORKFLOW}/executions/[^/:]+"
CALLBACK = re.compile(rf"v1/({_EXECUTION}/callbacks/[^/:]+)")
"""The address of a callback endpoint."""
_WORKFLOWS = "workflows.googleapis.com"
_EXECUTIONS = "workflowexecutions.googleapis.com"


class Query:
    """The parameters of a request's URL."""

    def __init__(self, text: str) -> None:
        self.values = {k: v[-1] for k, v in parse_qs(text, keep_blank_values=True).items()}

    def text(self, name: str) -> str:
        """A parameter, or an empty text."""
        return self.values.get(name, "")

    def page(self) -> dict[str, Any]:
        """The parameters of a listing."""
        return {"page_size": self.values.get("pageSize"), "page_token": self.values.get("pageToken")}


Handler = Callable[[str, Query, Json], Json]


class Api:
    """Both services behind their paths."""

    def __init__(self, workflows: WorkflowsService, executions: ExecutionsService) -> None:
        self.workflows = workflows
        self.executions = executions
        w, e = workflows, executions
        table: list[tuple[str, str, Handler]] = [
            ("GET", r"(projects/[^/]+)/locations", self._list_locations),
            ("GET", rf"({_LOCATION})", self._get_location),
            ("POST", rf"({_LOCATION})/workflows", self._create_workflow),
            ("GET", rf"({_LOCATION})/workflows", self._list_workflows),
            ("GET", rf"({_WORKFLOW})", lambda n, q, _: w.get(n, q.text("revisionId"))),
            ("PATCH", rf"({_WORKFLOW})", self._patch_workflow),
            ("DELETE", rf"({_WORKFLOW})", self._delete_workflow),
            ("GET", rf"({_WORKFLOW}):listRevisions", lambda n, q, _: w.list_revisions(n, **q.page())),
            ("POST", rf"({_WORKFLOW}):triggerPubsubExecution", self._not_served),
            ("GET", rf"({_LOCATION})/operations", self._list_operations),
            ("GET", rf"({_LOCATION}/operations/[^/]+)", lambda n, _q, _b: w.get_operation(n)),
            ("DELETE", rf"({_LOCATION}/operations/[^/]+)", self._delete_operation),
            ("POST", rf"({_WORKFLOW})/executions", lambda n, _q, b: e.create(n, b)),
            ("GET", rf"({_WORKFLOW})/executions", self._list_executions),
            ("GET", rf"({_EXECUTION})", lambda n, q, _: e.get(n, q.text("view"))),
            ("POST", rf"({_EXECUTION}):cancel", lambda n, _q, _b: e.cancel(n)),
            ("GET", rf"({_EXECUTION}):exportData", self._export),
            ("POST", rf"({_EXECUTION}):deleteExecutionHistory", self._delete_history),
            ("GET", rf"({_EXECUTION})/stepEntries", self._list_step_entries),
            ("GET", rf"({_EXECUTION}/stepEntries/[^/]+)", lambda n, _q, _b: e.step_entry(n)),
            ("GET", rf"({_EXECUTION})/callbacks", lambda n, _q, _b: {"callbacks": e.callbacks(n)}),
        ]
        self.routes = [(method, re.compile(f"v1/{pattern}"), handler) for method, pattern, handler in table]

    def answer(self, method: str, path: str, query: Query, body: Callable[[], Json]) -> Json:
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

    def _create_workflow(self, parent: str, query: Query, body: Json) -> Json:
        created = self.workflows.create(parent, query.text("workflowId"), body)
        return self.workflows.operation(created["name"], "create", created)

    def _list_workflows(self, parent: str, query: Query, _: Json) -> Json:
        return self.workflows.list(parent, **query.page(), filter=query.text("filter"), order_by=query.text("orderBy"))

    def _patch_workflow(self, name: str, query: Query, body: Json) -> Json:
        return self.workflows.operation(name, "update", self.workflows.patch(name, body, query.text("updateMask")))

    def _delete_workflow(self, name: str, _: Query, _body: Json) -> Json:
        self.workflows.delete(name)
        return self.workflows.operation(name, "delete", None)

    def _list_operations(self, parent: str, query: Query, _: Json) -> Json:
        return self.workflows.list_operations(parent, **query.page(), filter=query.text("filter"))

    def _delete_operation(self, name: str, _: Query, _body: Json) -> Json:
        self.workflows.delete_operation(name)
        return {}

    def _list_executions(self, parent: str, query: Query, _: Json) -> Json:
        return self.executions.list(
            parent,
            **query.page(),
            view=query.text("view"),
            filter=query.text("filter"),
            order_by=query.text("orderBy"),
        )

    def _list_step_entries(self, name: str, query: Query, _: Json) -> Json:
        return self.executions.step_entries(
            name,
            **query.page(),
            skip=query.text("skip"),
            filter=query.text("filter"),
            order_by=query.text("orderBy"),
        )

    def _delete_history(self, name: str, _: Query, _body: Json) -> Json:
        self.executions.delete_history(name)
        return {}

    def _export(self, name: str, _: Query, _body: Json) -> Json:
        return {"data": json.dumps(self.executions.get(name))}

    def _list_locations(self, project: str, _: Query, _body: Json) -> Json:
        rows = self.workflows.world.connect().execute(
            "SELECT DISTINCT parent FROM workflow_definitions WHERE parent LIKE ? ORDER BY parent", (f"{project}/%",)
        )
        return {"locations": [_location(r["parent"]) for r in rows.fetchall()]}

    def _get_location(self, name: str, _: Query, _body: Json) -> Json:
        return _location(name)

    def _not_served(self, name: str, _: Query, _body: Json) -> Json:
        raise ApiError(501, "UNIMPLEMENTED", f"The embedded cloud does not serve this method for {name}")


def _location(name: str) -> Json:
    return {"name": name, "locationId": name.rsplit("/", 1)[-1]}


class InProcess:
    """The APIs as running workflows reach them (`context.Internal`); a path may begin with `v1` or `v1beta`."""

    def __init__(self, workflows: WorkflowsService, executions: ExecutionsService) -> None:
        self._api = Api(workflows, executions)

    def request(self, method: str, path: str, query: str, body: Json) -> Json:
        """What a request is answered with. Raises ApiError."""
        path = re.sub(r"^v1beta/", "v1/", path)
        return self._api.answer(method, path, Query(query), lambda: body)
