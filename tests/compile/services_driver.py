"""`airflow_driver`, with the providers' clients pointed at one server: the outermost place where each can be.

Everything above that is the provider's own: operators, hooks, triggers, and the client libraries of what speaks HTTP.
SERVICES_URL names the server. Cloud Run's client is given its REST transport. Dataform, Dataproc and Data Factory have
clients that insist on gRPC or on TLS; in their place stand the few methods that the hooks call, which ask the server
and answer in the library's own types.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import os
import sys
import types
import urllib.request
from pathlib import Path
from typing import Any

from airflow_driver import main  # type: ignore[import-not-found]

URL = os.environ["SERVICES_URL"]


def _library(name: str) -> Any:
    """A module that only the environment of the operators has."""
    return importlib.import_module(name)


def _beam() -> None:
    """Names that Dataflow's hook imports from Beam's provider, where that is not installed: templates use none."""
    if importlib.util.find_spec("airflow.providers.apache") is None:
        for name in (
            "airflow.providers.apache",
            "airflow.providers.apache.beam",
            "airflow.providers.apache.beam.hooks",
        ):
            sys.modules[name] = types.ModuleType(name)
        found: Any = types.ModuleType("airflow.providers.apache.beam.hooks.beam")
        for name in ("BeamHook", "BeamRunnerType", "beam_options_to_args"):
            setattr(found, name, types.SimpleNamespace(DataflowRunner="DataflowRunner"))
        found.BeamHook = lambda runner: types.SimpleNamespace(runner=runner)
        sys.modules[found.__name__] = found


def _ask(path: str, body: Any) -> Any:
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def _google() -> None:
    from airflow.providers.google.cloud.hooks.cloud_run import CloudRunAsyncHook, CloudRunHook
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook

    options = _library("google.api_core.client_options").ClientOptions(api_endpoint=URL)
    anonymous = _library("google.auth.credentials").AnonymousCredentials()
    GoogleBaseHook.get_client_options = lambda *_, **__: options
    run = _library("google.cloud.run_v2")
    jobs = run.JobsClient(credentials=anonymous, transport="rest", client_options=options)
    CloudRunHook.get_conn = lambda *_, **__: jobs

    async def operation(self: Any, operation_name: str, **_: Any) -> Any:
        client = jobs.transport.operations_client
        return await asyncio.to_thread(client.get_operation, operation_name)

    CloudRunAsyncHook.get_operation = operation


class Dataform:
    """The methods of Dataform's client."""

    def create_compilation_result(self, *, request: Any, **_: Any) -> Any:
        """Compile."""
        result = _library("google.cloud.dataform_v1beta1").CompilationResult
        asked = _plain(result, request["compilation_result"])
        return result(name=_ask("/dataform/compile", {**request, "compilation_result": asked})["name"])

    def create_workflow_invocation(self, *, request: Any, **_: Any) -> Any:
        """Run."""
        invocation = _library("google.cloud.dataform_v1beta1").WorkflowInvocation
        asked = _plain(invocation, request["workflow_invocation"])
        return invocation(name=_ask("/dataform/run", {**request, "workflow_invocation": asked})["name"])

    def get_workflow_invocation(self, *, request: Any, **_: Any) -> Any:
        """Ask after it."""
        invocation = _library("google.cloud.dataform_v1beta1").WorkflowInvocation
        return invocation(name=request["name"], state=_ask("/dataform/get", request)["state"])

    def cancel_workflow_invocation(self, *, request: Any, **_: Any) -> None:
        """End it."""
        _ask("/dataform/cancel", request)


class Dataproc:
    """The methods of the client of Dataproc's batches."""

    def create_batch(self, *, request: Any, **_: Any) -> Any:
        """Create a batch."""
        exceptions = _library("google.api_core.exceptions")
        batch = _library("google.cloud.dataproc_v1").Batch
        asked = _plain(batch, request["batch"])
        found = _ask("/dataproc/create", {**request, "batch": asked})
        if found.get("exists"):
            raise exceptions.AlreadyExists("there is a batch of that name")
        metadata = types.SimpleNamespace(batch=found["name"])
        cancel = lambda: _ask("/dataproc/cancel", {"name": found["name"]})  # noqa: E731
        return types.SimpleNamespace(metadata=metadata, cancel=cancel)

    def get_batch(self, *, request: Any, **_: Any) -> Any:
        """Ask after it."""
        batch = _library("google.cloud.dataproc_v1").Batch
        return batch(name=request["name"], state=_ask("/dataproc/get", request)["state"])


class DataFactory:
    """The methods of Data Factory's client, all in one."""

    def create_run(self, group: str, factory: str, pipeline: str, **more: Any) -> Any:
        """Run a pipeline."""
        asked = {"group": group, "factory": factory, "pipeline": pipeline, "parameters": more.get("parameters")}
        return types.SimpleNamespace(run_id=_ask("/adf/run", asked)["runId"])

    def get(self, group: str, factory: str, run_id: str) -> Any:
        """Ask after a run."""
        return types.SimpleNamespace(status=_ask("/adf/get", {"runId": run_id})["status"])

    def cancel(self, group: str, factory: str, run_id: str) -> None:
        """End it."""
        _ask("/adf/cancel", {"runId": run_id})


class AsyncDataFactory:
    """The same for the trigger."""

    async def get(self, group: str, factory: str, run_id: str) -> Any:
        """Ask after a run."""
        return await asyncio.to_thread(DataFactory().get, group, factory, run_id)


def _plain(kind: Any, value: Any) -> Any:
    """What the library's type makes of what it was given: an unknown key is its own error."""
    return kind.to_dict(value if isinstance(value, kind) else kind(value))


def _others() -> None:
    from airflow.providers.google.cloud.hooks.dataform import DataformHook
    from airflow.providers.google.cloud.hooks.dataproc import DataprocHook
    from airflow.providers.microsoft.azure.hooks.data_factory import (
        AzureDataFactoryAsyncHook,
        AzureDataFactoryHook,
    )

    DataformHook.get_dataform_client = lambda _: Dataform()
    DataprocHook.get_batch_client = lambda *_, **__: Dataproc()
    factory = types.SimpleNamespace(pipelines=DataFactory(), pipeline_runs=DataFactory())
    AzureDataFactoryHook.get_conn = lambda _: factory

    async def connection(self: Any) -> Any:
        return types.SimpleNamespace(pipeline_runs=AsyncDataFactory())

    AzureDataFactoryAsyncHook.get_async_conn = connection


if __name__ == "__main__":
    _beam()
    _google()
    _others()
    document = main(sys.argv[1], sys.argv[2])
    Path(sys.argv[3]).write_text(json.dumps(document, indent=1))
