"""Job parameter files: `gs://<jobs_definitions_bucket>/<executor>/<JOB_NAME>.json`.

A property of the step wins over a key of the file: the file says what the job is, the step what is special this time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from executors.contract import Call, ExecutorError, as_object
from executors.http import Api, segment


def job_parameters(call: Call, executor: str, *, required: bool) -> Mapping[str, Any]:
    """The keys of the job's file with the properties of the call over them.

    Raises:
        ExecutorError: there is no such file and the step says nothing either, or it is not a JSON object.
    """
    bucket = call.properties.get("jobs_definitions_bucket")
    text: str | None = None
    name = f"{executor}/{call.job}.json"
    if isinstance(bucket, str) and bucket:
        bucket = bucket.removeprefix("gs://").rstrip("/")
        text = Api("storage").text(f"storage/v1/b/{segment(bucket)}/o/{segment(name)}", {"alt": "media"})
    if text is None and required and set(call.properties) <= {"jobs_definitions_bucket"}:
        raise ExecutorError(f"there is no job parameter file gs://{bucket or '<no bucket>'}/{name}")
    return {**(as_object(text, f"the job parameter file {name}") if text is not None else {}), **call.properties}


def merged(call: Call, executor: str, *, required: bool = True) -> Call:
    """The call with its job's parameters among its properties."""
    return Call(
        workflow=call.workflow,
        job=call.job,
        properties=job_parameters(call, executor, required=required),
        variables=call.variables,
        job_id=call.job_id,
    )


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as text, as the services' maps of parameters want them."""
    return {key: value if isinstance(value, str) else _plain(value) for key, value in values.items()}


def _plain(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
