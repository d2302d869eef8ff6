"""BigQuery's API below `/bigquery/v2/` of `localcloud serve`, by the paths of its discovery document."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from localcloud import store
from localcloud.bigquery import tables
from localcloud.bigquery.jobs import Jobs
from localcloud.bigquery.tables import Json
from localcloud.cdap.http import JSON, Reply, Request
from localcloud.cdap.server import LostReply
from localcloud.errors import ApiError
from localcloud.faults import Fault, Faults
from localcloud.services.bigquery import DATASET, TABLE
from localcloud.store import Row
from localcloud.world import World

PREFIX = "/bigquery/v2/"
API = "bigquery.googleapis.com"
_METHODS = {"GET": "read", "PUT": "update", "PATCH": "update", "POST": "create", "DELETE": "delete"}
_WORDS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS"}
_PROJECT = r"projects/(?P<project>[^/]+)"
_DATASET = rf"{_PROJECT}/datasets/(?P<dataset>[^/]+)"
_TABLE = rf"{_DATASET}/tables/(?P<table>[^/]+)"


class BigQueryDoor:
    """The API of a world's tables."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults(world)
        self.jobs = Jobs(world)
        tables.create_tables(world)
        routes: tuple[tuple[str, str, Callable[..., Json]], ...] = (
            ("GET", f"{_PROJECT}/datasets", self._datasets),
            ("GET", _DATASET, self._dataset),
            ("GET", f"{_DATASET}/tables", self._tables),
            ("GET", _TABLE, self._table),
            ("GET", f"{_TABLE}/data", self._data),
            ("POST", f"{_TABLE}/insertAll", self._insert_all),
            ("GET", f"{_PROJECT}/jobs", lambda request, project: self.jobs.all(project, request.query)),
            ("POST", f"{_PROJECT}/jobs", lambda request, project: self.jobs.insert(project, _body(request))),
            ("POST", f"{_PROJECT}/queries", lambda request, project: self.jobs.query(project, _body(request))),
            ("GET", rf"{_PROJECT}/jobs/(?P<job>[^/]+)", self._job),
            ("POST", rf"{_PROJECT}/jobs/(?P<job>[^/]+)/cancel", self._cancel),
            ("GET", rf"{_PROJECT}/queries/(?P<job>[^/]+)", self._results),
        )
        self._routes = [(method, re.compile(PREFIX + pattern), handler) for method, pattern, handler in routes]

    def answer(self, request: Request) -> Reply:
        """Answer a request to a path below `/bigquery/v2/`. Raises LostReply where a fault swallows the answer."""
        urn = f"bigquery:{request.method} {request.path}"
        fault = self.faults.due(_METHODS.get(request.method, "invoke"), f"bigquery:{request.method}", urn)
        try:
            self.faults.before(fault)
            reply = _reply(200, self._answer(request))
        except ApiError as error:
            reply = _refusal(error)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # A body of another shape than the API's. The real service says which part; this says what it tripped over.
            reply = _refusal(ApiError(400, "invalid", f"Invalid value: {type(error).__name__}: {error}"))
        self._record(request, reply, fault)
        self.faults.after(fault)
        if fault is not None and fault.action == "drop":
            raise LostReply
        return reply

    def _answer(self, request: Request) -> Json:
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match is not None and method == request.method:
                parts = {name: unquote(text) for name, text in match.groupdict().items()}
                self._admit(parts["project"])
                return handler(request, **parts)
        raise ApiError(404, "notFound", f"The requested URL {request.path} was not found on this server.")

    def _admit(self, project: str) -> None:
        tx = self.world.connect()
        if store.project_number(tx, project) is None:
            raise tables.not_found(f"Project {project}")
        if not store.api_enabled(tx, project, API):
            message = f"BigQuery API has not been used in project {project} before or it is disabled."
            raise ApiError(403, "accessNotConfigured", message)

    def _record(self, request: Request, reply: Reply, fault: Fault | None) -> None:
        """One line of the log. Bodies are left out: they hold data."""
        entry: Json = {"method": request.method, "type": "bigquery", "id": request.path, "status": reply.status}
        entry["outcome"] = "ok" if reply.status < 400 else "error"
        if reply.status >= 400:
            entry["message"] = json.loads(reply.body)["error"]["message"]
        if fault is not None:
            entry["fault"] = fault.action
        self.world.record(entry)

    # Datasets and tables

    def _datasets(self, request: Request, project: str) -> Json:
        found = [row for row in self._below(f"projects/{project}/datasets", DATASET) if row.project == project]
        part, token = tables.page([_dataset_shown(row) for row in found], request.query)
        listed: Json = {"kind": "bigquery#datasetList", "datasets": list(part)}
        return listed | ({"nextPageToken": token} if token else {})

    def _dataset(self, request: Request, project: str, dataset: str) -> Json:
        return _dataset_shown(tables.require_dataset(self.world.connect(), project, dataset))

    def _tables(self, request: Request, project: str, dataset: str) -> Json:
        tx = self.world.connect()
        home = tables.require_dataset(tx, project, dataset)
        found = self._below(f"{home.id}/tables", TABLE)
        part, token = tables.page([_table_shown(tx, row) for row in found], request.query)
        listed: Json = {"kind": "bigquery#tableList", "tables": list(part), "totalItems": len(found)}
        return listed | ({"nextPageToken": token} if token else {})

    def _table(self, request: Request, project: str, dataset: str, table: str) -> Json:
        tx = self.world.connect()
        tables.require_table(tx, project, dataset, table)
        row = store.find(tx, TABLE, f"projects/{project}/datasets/{dataset}/tables/{table}")
        assert row is not None
        return _table_shown(tx, row)

    def _below(self, prefix: str, token: str) -> list[Row]:
        return [row for row in store.below(self.world.connect(), prefix) if row.token == token]

    # Rows

    def _data(self, request: Request, project: str, dataset: str, table: str) -> Json:
        tx = self.world.connect()
        found = tables.require_table(tx, project, dataset, table)
        if found.view is not None:
            raise ApiError(400, "invalid", f"Cannot list a table of type VIEW: {found.path}")
        wanted = [name for name in request.query.get("selectedFields", "").split(",") if name]
        known = {column.name.lower(): column for column in found.columns}
        unknown = next((name for name in wanted if name.lower() not in known), None)
        if unknown is not None:
            raise ApiError(400, "invalid", f"No such field: {unknown}")
        columns = [known[name.lower()] for name in wanted] or list(found.columns)
        everything = tables.rows(tx, found)
        part, token = tables.page(everything, request.query)
        micros = request.query.get("formatOptions.useInt64Timestamp") in ("true", "True")
        cells = [{"f": [tables.cell(c, row.get(c.name), micros=micros) for c in columns]} for row in part]
        listed: Json = {"kind": "bigquery#tableDataList", "totalRows": str(len(everything)), "rows": cells}
        return listed | ({"pageToken": token} if token else {})

    def _insert_all(self, request: Request, project: str, dataset: str, table: str) -> Json:
        body = _body(request)
        given = body.get("rows")
        if not isinstance(given, list) or not all(isinstance(item, dict) for item in given) or not given:
            raise ApiError(400, "invalid", "Empty request: rows are missing")
        errors: list[Json] = []
        good: list[Json] = []
        with self.world.transaction() as tx:
            found = tables.require_table(tx, project, dataset, table)
            for index, item in enumerate(given):
                try:
                    ignore = bool(body.get("ignoreUnknownValues"))
                    good.append(tables.checked(found, item.get("json") or {}, ignore_unknown=ignore))
                except ValueError as error:
                    told = {"reason": "invalid", "location": "", "debugInfo": "", "message": str(error)}
                    errors.append({"index": index, "errors": [told]})
            if errors and not body.get("skipInvalidRows"):
                stopped = {"reason": "stopped", "location": "", "debugInfo": "", "message": ""}
                wrong = {error["index"] for error in errors}
                errors += [{"index": n, "errors": [stopped]} for n in range(len(given)) if n not in wrong]
                good = []
            tables.append(tx, found, good)
        return {"kind": "bigquery#tableDataInsertAllResponse", **({"insertErrors": errors} if errors else {})}

    # Jobs

    def _job(self, request: Request, project: str, job: str) -> Json:
        return self.jobs.get(project, job, request.query.get("location"))

    def _cancel(self, request: Request, project: str, job: str) -> Json:
        return self.jobs.cancel(project, job, request.query.get("location"))

    def _results(self, request: Request, project: str, job: str) -> Json:
        return self.jobs.results(project, job, request.query)


def _body(request: Request) -> Json:
    try:
        found = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ApiError(400, "parseError", "Parse Error: a JSON object is expected")
    return found


def _reply(status: int, body: Json) -> Reply:
    return Reply(status=status, body=json.dumps(body).encode(), content_type=f"{JSON}; charset=UTF-8")


def _refusal(error: ApiError) -> Reply:
    told = {"message": error.message, "domain": "global", "reason": error.code}
    word = _WORDS.get(error.status, "INTERNAL")
    return _reply(
        error.status, {"error": {"code": error.status, "message": error.message, "errors": [told], "status": word}}
    )


def _dataset_shown(row: Row) -> Json:
    _, project, _, dataset = row.id.split("/")
    outputs = row.outputs
    found: Json = {
        "kind": "bigquery#dataset",
        "id": f"{project}:{dataset}",
        "datasetReference": {"projectId": project, "datasetId": dataset},
        "location": outputs.get("location") or "US",
        "labels": outputs.get("labels") or {},
        "creationTime": str(outputs.get("creationTime", 0)),
    }
    return found | {key: outputs[key] for key in ("description", "friendlyName") if outputs.get(key)}


def _table_shown(tx: sqlite3.Connection, row: Row) -> Json:
    _, project, _, dataset, _, name = row.id.split("/")
    table = tables.require_table(tx, project, dataset, name)
    outputs = row.outputs
    found: Json = {
        "kind": "bigquery#table",
        "id": table.path,
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": name},
        "type": outputs.get("type", "TABLE"),
        "schema": {"fields": [column.shown() for column in table.columns]},
        "numRows": str(tables.count(tx, table)),
        "numBytes": "0",
        "location": table.location,
        "labels": outputs.get("labels") or {},
        "creationTime": str(outputs.get("creationTime", 0)),
        "lastModifiedTime": str(outputs.get("lastModifiedTime", 0)),
    }
    extra: dict[str, Any] = {key: outputs[key] for key in ("description", "view") if outputs.get(key)}
    return found | extra
