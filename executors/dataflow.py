"""`dataflow-flextemplate-job-executor`: a job of Dataflow from one of Google's flex templates."""

from __future__ import annotations

import re
import uuid
from typing import Any

from executors.contract import Call, ExecutorError
from executors.http import Api, home_project, segment
from executors.jobs import merged, texts

NAME = "dataflow-flextemplate-job-executor"
_PREFIX = "aef_"


def run(call: Call) -> str:
    """Launch the template and return `aef_<id of the job>`, or return the job's state."""
    call = merged(call, NAME)
    location = call.text("dataflow_location")
    project = call.text("dataflow_project_id", home_project())
    home = f"v1b3/projects/{segment(project)}/locations/{segment(location)}"
    api = Api("dataflow")
    if call.job_id is not None:
        found = api.get(f"{home}/jobs/{segment(call.job_id.removeprefix(_PREFIX))}")
        return str(found.get("currentState", ""))
    parameters = call.properties.get("dataflow_job_params")
    if not isinstance(parameters, dict):
        raise ExecutorError("the property dataflow_job_params is not an object")
    environment: dict[str, Any] = {"tempLocation": f"gs://{call.text('dataflow_temp_bucket')}/dataflow/temp"}
    if "dataflow_max_workers" in call.properties:
        environment["maxWorkers"] = _number(call.properties["dataflow_max_workers"])
    for key in ("network", "subnetwork"):
        if key in call.properties:
            environment[key] = call.text(key)
    version, template = call.text("dataflow_template_version"), call.text("dataflow_template_name")
    launched = api.post(
        f"{home}/flexTemplates:launch",
        {
            "launchParameter": {
                "jobName": job_name(call.job),
                "containerSpecGcsPath": f"gs://dataflow-templates-{location}/{version}/flex/{template}",
                "parameters": texts(parameters),
                "environment": environment,
            }
        },
    )
    job = launched.get("job") or {}
    if not job.get("id"):
        raise ExecutorError("Dataflow answered no job")
    return _PREFIX + str(job["id"])


def job_name(job: str) -> str:
    """A name that no other run has: Dataflow takes a second job of one name for the first."""
    plain = re.sub(r"[^a-z0-9]+", "-", job.lower()).strip("-")[:24].strip("-")
    return f"aef-{plain or 'job'}-{uuid.uuid4().hex[:10]}"


def _number(value: Any) -> int:
    text = str(value)
    if not text.isdigit():
        raise ExecutorError("the property dataflow_max_workers is not a whole number")
    return int(text)
