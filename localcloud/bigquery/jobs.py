"""Jobs: statements with a name and a place. What they came to is kept with them."""

from __future__ import annotations

import json
import re
import sqlite3
import time
import uuid
from collections.abc import Mapping
from typing import Any

from localcloud.bigquery import sql, tables
from localcloud.bigquery.tables import Column, Json
from localcloud.errors import ApiError
from localcloud.world import World

_ID = re.compile(r"[A-Za-z0-9_-]{1,1024}")
_LOCATION = re.compile(r"[A-Za-z]+(-[a-z]+\d{1,2})?")
_OTHERS = ("load", "extract", "copy")


class Jobs:
    """The jobs of a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def insert(self, project: str, body: Json) -> Json:
        """`jobs.insert`: run it, and say that it is running, as the real service does."""
        configuration = body.get("configuration") or {}
        other = next((name for name in _OTHERS if name in configuration), None)
        if other is not None or not isinstance(configuration.get("query"), dict):
            what = f"Jobs of the kind {other} are not served" if other else "Required parameter is missing: query"
            raise ApiError(400, "invalid", what)
        reference = body.get("jobReference") or {}
        job = self._run(project, reference, configuration, now=False)
        return shown(job, running=not configuration.get("dryRun"))

    def query(self, project: str, body: Json) -> Json:
        """`jobs.query`: run it and answer with its first rows; a failure is the answer's own."""
        named = ("query", "useLegacySql", "defaultDataset", "queryParameters", "parameterMode")
        configuration: Json = {"query": {name: body[name] for name in named if name in body}, "jobType": "QUERY"}
        if body.get("dryRun"):
            configuration["dryRun"] = True
        reference = {"location": body["location"]} if body.get("location") else {}
        job = self._run(project, reference, configuration, now=True)
        page = {"maxResults": str(body["maxResults"])} if body.get("maxResults") is not None else {}
        micros = bool((body.get("formatOptions") or {}).get("useInt64Timestamp"))
        return {**self._results(job, page, micros), "kind": "bigquery#queryResponse"}

    def get(self, project: str, job_id: str, location: str | None) -> Json:
        """`jobs.get`."""
        return shown(self._require(project, job_id, location))

    def cancel(self, project: str, job_id: str, location: str | None) -> Json:
        """`jobs.cancel`: all jobs have ended by then."""
        job = shown(self._require(project, job_id, location))
        return {"kind": "bigquery#jobCancelResponse", "job": job}

    def results(self, project: str, job_id: str, query: Mapping[str, str]) -> Json:
        """`jobs.getQueryResults`; of a job that failed, its failure."""
        job = self._require(project, job_id, query.get("location"))
        error = job["error"]
        if error is not None:
            raise ApiError(error["code"], error["reason"], error["message"])
        return self._results(job, query, query.get("formatOptions.useInt64Timestamp") in ("true", "True"))

    def all(self, project: str, query: Mapping[str, str]) -> Json:
        """`jobs.list`, the newest first."""
        rows = self.world.connect().execute(
            "SELECT body FROM bigquery_jobs WHERE project = ? ORDER BY seq DESC", (project,)
        )
        part, token = tables.page([shown(json.loads(row["body"])) for row in rows], query)
        found: Json = {"kind": "bigquery#jobList", "jobs": list(part)}
        return found | ({"nextPageToken": token} if token else {})

    def _require(self, project: str, job_id: str, location: str | None) -> Json:
        # Without a location the real service looks in the two multi-regions alone.
        places = [location] if location else ["US", "EU"]
        for place in places:
            row = (
                self.world.connect()
                .execute(
                    "SELECT body FROM bigquery_jobs WHERE project = ? AND lower(location) = lower(?) AND id = ?",
                    (project, place, job_id),
                )
                .fetchone()
            )
            if row is not None:
                found: Json = json.loads(row["body"])
                return found
        raise tables.not_found(f"Job {project}:{f'{location}.' if location else ''}{job_id}")

    def _run(self, project: str, reference: Json, configuration: Json, *, now: bool) -> Json:
        query = configuration["query"]
        location, job_id = reference.get("location"), str(reference.get("jobId") or f"job_{uuid.uuid4().hex}")
        if not _ID.fullmatch(job_id):
            raise ApiError(400, "invalid", f'Invalid job ID "{job_id[:100]}". Job IDs must be alphanumeric (plus '
                           "underscores and dashes) and must be at most 1024 characters long.")  # fmt: skip
        if location is not None and not _LOCATION.fullmatch(str(location)):
            raise ApiError(400, "invalid", f"Invalid value for location: {str(location)[:100]} is not a valid value")
        if not isinstance(query.get("query"), str):
            raise ApiError(400, "required", "Required parameter is missing: query")
        if query.get("useLegacySql", True) is not False:
            raise ApiError(400, "invalid", "Legacy SQL is not served here: set useLegacySql to false")
        home = sql.Home(project=project, location=location, dataset=_dataset(query, project))
        dry = bool(configuration.get("dryRun"))
        error: ApiError | None = None
        result = sql.Result(kind="SELECT", location=str(location or "US"))
        with self.world.transaction() as tx:
            if not dry and location is not None and self._exists(tx, project, str(location), job_id):
                raise ApiError(409, "duplicate", f"Already Exists: Job {project}:{location}.{job_id}")
            tx.execute("SAVEPOINT statement")
            try:
                result = sql.run(tx, query["query"], home, _parameters(query))
            except ApiError as refused:
                error = refused
            except (KeyError, IndexError, TypeError, ValueError) as failed:
                error = sql.invalid(f"Not served: {type(failed).__name__}: {failed}")
            tx.execute("ROLLBACK TO statement" if dry or error else "RELEASE statement")
            if dry or error:
                tx.execute("RELEASE statement")
            if error is not None and (now or dry):
                raise error
            job = _job(project, result, job_id, configuration, error)
            if not dry:
                tx.execute(
                    "INSERT INTO bigquery_jobs(project, location, id, body) VALUES (?, ?, ?, ?)",
                    (project, job["location"], job_id, json.dumps(job)),
                )
        return job

    def _exists(self, tx: sqlite3.Connection, project: str, location: str, job_id: str) -> bool:
        found = tx.execute(
            "SELECT 1 FROM bigquery_jobs WHERE project = ? AND lower(location) = lower(?) AND id = ?",
            (project, location, job_id),
        )
        return found.fetchone() is not None

    def _results(self, job: Json, query: Mapping[str, str], micros: bool) -> Json:
        columns = tables.columns(job["columns"])
        part, token = tables.page(job["rows"], query)
        found: Json = {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": _reference(job),
            "jobComplete": True,
            "schema": {"fields": job["columns"]},
            "totalRows": str(len(job["rows"])),
            "totalBytesProcessed": "0",
            "cacheHit": False,
            "location": job["location"],
        }
        if job["kind"] == "SELECT":
            found["rows"] = [
                {"f": [tables.cell(column, value, micros=micros) for column, value in zip(columns, row, strict=True)]}
                for row in part
            ]
        if job["affected"] is not None:
            found["numDmlAffectedRows"] = str(job["affected"])
        return found | ({"pageToken": token} if token else {})


def _dataset(query: Json, project: str) -> tuple[str, str] | None:
    named = query.get("defaultDataset") or {}
    return (str(named.get("projectId") or project), str(named["datasetId"])) if named.get("datasetId") else None


def _parameters(query: Json) -> dict[str, Any]:
    """Named parameters of a query, as SQLite binds them."""
    found: dict[str, Any] = {}
    for parameter in query.get("queryParameters") or ():
        kind = str((parameter.get("parameterType") or {}).get("type", "STRING")).upper()
        value = (parameter.get("parameterValue") or {}).get("value")
        if not parameter.get("name") or kind in ("ARRAY", "STRUCT"):
            raise ApiError(400, "invalid", "Only named parameters of scalar types are served")
        column = Column(name=str(parameter["name"]), type={"INTEGER": "INT64", "BOOLEAN": "BOOL"}.get(kind, kind))
        try:
            found[column.name] = tables.kept(column, value)
        except ValueError as error:
            raise ApiError(400, "invalidQuery", str(error)) from None
    return found


def _job(project: str, result: sql.Result, job_id: str, configuration: Json, error: ApiError | None) -> Json:
    now = int(time.time() * 1000)
    told = {"code": error.status, "reason": error.code, "message": error.message} if error else None
    return {
        "project": project,
        "location": result.location,
        "id": job_id,
        "configuration": configuration,
        "created": now,
        "kind": result.kind,
        "columns": [column.shown() for column in result.columns],
        "rows": [list(row) for row in result.rows],
        "affected": result.affected,
        "error": told,
    }


def _reference(job: Json) -> Json:
    return {"projectId": job["project"], "jobId": job["id"], "location": job["location"]}


def shown(job: Json, *, running: bool = False) -> Json:
    """A job as the API shows it; `running` is what it is said to be right after its insertion."""
    times = {"creationTime": str(job["created"]), "startTime": str(job["created"])}
    query: Json = {"statementType": job["kind"], "totalBytesProcessed": "0", "cacheHit": False}
    if job["affected"] is not None:
        query["numDmlAffectedRows"] = str(job["affected"])
    status: Json = {"state": "RUNNING" if running else "DONE"}
    if job["error"] is not None and not running:
        error = {key: job["error"][key] for key in ("reason", "message")}
        status |= {"errorResult": error, "errors": [error]}
    return {
        "kind": "bigquery#job",
        "id": f"{job['project']}:{job['location']}.{job['id']}",
        "jobReference": _reference(job),
        "configuration": {"jobType": "QUERY", **job["configuration"]},
        "status": status,
        "statistics": {**times, **({} if running else {"endTime": str(job["created"])}), "query": query},
        "user_email": "user@embedded-cloud",
    }
