"""`bq-saved-query-executor`: a query that is saved in a Dataform repository, or stands in the properties.

The query is at `definitions/<workflow>/<JOB_NAME>.sqlx`. Query variables are parameters of the query, `@start_date`;
where the name stands alone, as in queries written for AEF, its value stands there in quotes, once.
"""

from __future__ import annotations

import base64
import re
import uuid

from executors.contract import Call, ExecutorError
from executors.http import Api, home_project, home_region, segment
from executors.jobs import merged

NAME = "bq-saved-query-executor"
_CONFIG = re.compile(r"\s*config\s*\{")


def run(call: Call) -> str:
    """Start the query and return `aef_<name>_<number>`, or return the state of its job."""
    call = merged(call, NAME, required=False)
    location = call.text("location", home_region())
    project = call.text("project_id", home_project())
    api = Api("bigquery")
    if call.job_id is not None:
        found = api.get(f"bigquery/v2/projects/{segment(project)}/jobs/{segment(call.job_id)}", {"location": location})
        status = found.get("status") or {}
        return "FAILED" if status.get("errorResult") else str(status.get("state", ""))
    job_id = f"aef_{words(call.workflow)}_{words(call.job)}_{uuid.uuid4().hex}"
    body = {
        "jobReference": {"projectId": project, "jobId": job_id, "location": location},
        "configuration": {
            # Each run is a job of its own: its labels tell what it was for, and its cost.
            "labels": {"workflow": label(call.workflow), "job": label(call.job)},
            "query": {
                "query": with_values(_query(call), call),
                "useLegacySql": False,
                "priority": "BATCH",
                "parameterMode": "NAMED",
                "queryParameters": [
                    {"name": name, "parameterType": {"type": "STRING"}, "parameterValue": {"value": value}}
                    for name, value in sorted(call.variables.items())
                ],
            },
        },
    }
    api.post(f"bigquery/v2/projects/{segment(project)}/jobs", body)
    return job_id


def _query(call: Call) -> str:
    if isinstance(call.properties.get("query"), str):
        return call.text("query")
    repository = (
        f"projects/{segment(call.text('dataform_project_id'))}/locations/{segment(call.text('dataform_location'))}"
        f"/repositories/{segment(call.text('repository_name'))}"
    )
    path = call.text("file_path", f"definitions/{call.workflow}/{call.job}.sqlx")
    found = Api("dataform").get(f"v1beta1/{repository}:readFile", {"path": path})
    try:
        return base64.b64decode(found["contents"]).decode("utf-8")
    except (KeyError, ValueError):
        raise ExecutorError(f"the repository has no text at {path}") from None


def with_values(query: str, call: Call) -> str:
    """The query without Dataform's `config`, with the values of variables whose names stand alone."""
    query = without_config(query)
    for name, value in call.variables.items():
        quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        # Not part of another word, of a path or of a parameter, and not a call.
        pattern = rf"(?<![\w@.`'\"]){re.escape(name)}(?![\w`'\"]|\s*\()"
        query = quoted.join(re.split(pattern, query))
    return query


def without_config(query: str) -> str:
    """The query without the block that tells Dataform what kind of file it is."""
    match = _CONFIG.match(query)
    if match is None:
        return query
    depth = 0
    for index in range(match.end() - 1, len(query)):
        depth += {"{": 1, "}": -1}.get(query[index], 0)
        if depth == 0:
            return query[index + 1 :]
    raise ExecutorError("the query's config block does not end")


def words(text: str) -> str:
    """The text as part of a job's id."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:200]


def label(text: str) -> str:
    """The text as a label's value."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower())[:63]
