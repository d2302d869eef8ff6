"""`dataproc-serverless-job-executor`: a Spark batch of Dataproc Serverless."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from executors.contract import Call, ExecutorError
from executors.http import Api, segment
from executors.jobs import merged, texts

NAME = "dataproc-serverless-job-executor"


def run(call: Call) -> str:
    """Create the batch and return its id `aef-…`, or return its state."""
    call = merged(call, NAME)
    project, region = call.text("dataproc_serverless_project_id"), call.text("dataproc_serverless_region")
    home = f"v1/projects/{segment(project)}/locations/{segment(region)}/batches"
    # Dataproc's API of a region is at an address of its own, and answers for its region here too.
    api = Api("dataproc")
    if call.job_id is not None:
        return str(api.get(f"{home}/{segment(call.job_id)}").get("state", ""))
    batch_id = f"aef-{uuid.uuid4().hex}"
    api.post(home, batch(call, project, region), {"batchId": batch_id, "requestId": str(uuid.uuid4())})
    return batch_id


def batch(call: Call, project: str, region: str) -> Mapping[str, Any]:
    """The batch as the API wants it."""
    args = call.properties.get("spark_args", [])
    if not isinstance(args, list):
        raise ExecutorError("the property spark_args is not a list")
    runtime: dict[str, Any] = {"version": call.text("dataproc_serverless_runtime_version")}
    properties = call.properties.get("spark_app_properties")
    if isinstance(properties, str):
        try:
            properties = json.loads(properties) if properties.strip() else {}
        except ValueError:
            raise ExecutorError("the property spark_app_properties is not JSON") from None
    if properties:
        if not isinstance(properties, dict):
            raise ExecutorError("the property spark_app_properties is not an object")
        runtime["properties"] = texts(properties)
    execution: dict[str, Any] = {}
    if "dataproc_service_account" in call.properties:
        execution["serviceAccount"] = call.text("dataproc_service_account")
    if "subnetwork" in call.properties:
        execution["subnetworkUri"] = f"projects/{project}/{call.text('subnetwork')}"
    environment: dict[str, Any] = {"executionConfig": execution} if execution else {}
    if "spark_history_server_cluster" in call.properties:
        cluster = f"projects/{project}/regions/{region}/clusters/{call.text('spark_history_server_cluster')}"
        environment["peripheralsConfig"] = {"sparkHistoryServerConfig": {"dataprocCluster": cluster}}
    return {
        "sparkBatch": {
            "jarFileUris": [call.text("jar_file_location")],
            "mainClass": call.text("spark_app_main_class"),
            "args": [item if isinstance(item, str) else json.dumps(item) for item in args],
        },
        "runtimeConfig": runtime,
        **({"environmentConfig": environment} if environment else {}),
    }
