"""Running pipelines: start, wait, stop, what ran, and its log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dataplatform.datafusion.client import Client
from dataplatform.datafusion.errors import (
    ApiError,
    DataFusionError,
    NotFoundError,
    RefusedError,
    UnknownNameError,
)
from dataplatform.datafusion.model import Json, program_of
from dataplatform.datafusion.pool import gather
from dataplatform.datafusion.read import program_path
from dataplatform.diagnostics import nearest

ENDED = frozenset({"COMPLETED", "FAILED", "KILLED", "REJECTED"})
_UNKNOWN_FOR = 30.0
"""Seconds in which a run that was just started may not be known yet."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """The program of one pipeline."""

    client: Client
    namespace: str
    pipeline: str
    kind: str
    """As paths spell it: workflows, spark."""
    name: str
    batch_kind: str
    """As the batch calls spell it: workflow, spark."""

    @property
    def path(self) -> tuple[str, ...]:
        """Segments of the program's path."""
        return ("namespaces", self.namespace, "apps", self.pipeline, self.kind, self.name)

    def run(self, run_id: str) -> Json:
        """A run's record."""
        record: Json = self.client.get(*self.path, "runs", run_id)
        return record

    def runs(self, limit: int) -> list[Json]:
        """The last runs, the newest first."""
        listed: list[Json] = self.client.get(*self.path, "runs", limit=str(limit))
        return listed


def program(client: Client, namespace: str, pipeline: str) -> Program:
    """Find a pipeline's program.

    Raises:
        UnknownNameError: when there is no such pipeline, with the nearest name.
    """
    try:
        detail = client.get("namespaces", namespace, "apps", pipeline)
    except ApiError as problem:
        if problem.code not in (400, 404):
            raise
        raise _unknown(client, namespace, pipeline) from problem
    kind, name = program_path(detail)
    batch, _ = program_of(detail)
    return Program(client=client, namespace=namespace, pipeline=pipeline, kind=kind, name=name, batch_kind=batch)


def _unknown(client: Client, namespace: str, pipeline: str) -> UnknownNameError:
    try:
        names = [app["name"] for app in client.get("namespaces", namespace, "apps")]
    except ApiError:
        spaces = [space["name"] for space in client.get("namespaces")]
        return UnknownNameError(f"the instance has no namespace '{namespace}'; {nearest(namespace, spaces)}")
    elsewhere = [space for space in _namespaces(client) if _has(client, space, pipeline)]
    if elsewhere:
        text = f"{', '.join(elsewhere)} {'has' if len(elsewhere) == 1 else 'have'} one: --namespace {elsewhere[0]}"
        return UnknownNameError(f"{namespace} has no pipeline '{pipeline}'; {text}")
    return UnknownNameError(f"{namespace} has no pipeline '{pipeline}'; {nearest(pipeline, names)}")


def _namespaces(client: Client) -> list[str]:
    return sorted(str(space["name"]) for space in client.get("namespaces"))


def _has(client: Client, namespace: str, pipeline: str) -> bool:
    try:
        client.get("namespaces", namespace, "apps", pipeline)
    except ApiError:
        return False
    return True


def start(found: Program, arguments: Mapping[str, str]) -> str:
    """Start a run; returns its id. Never tried twice: two starts make two runs."""
    asked = {
        "appId": found.pipeline,
        "programType": found.batch_kind,
        "programId": found.name,
        "runtimeargs": dict(arguments),
    }
    # The call for many tells the run's id; the call for one answers nothing.
    (answer,) = found.client.json("POST", ("namespaces", found.namespace, "start"), body=[asked], retry=False)
    if answer.get("statusCode") != 200 or not answer.get("runId"):
        raise DataFusionError(
            f"{found.namespace}/{found.pipeline} was not started: {answer.get('error', 'no reason given')}"
        )
    return str(answer["runId"])


def wait(
    found: Program,
    run_id: str,
    *,
    timeout: float,
    say: Callable[[str], None],
    poll: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
) -> Json:
    """Wait until a run has ended, telling each change of its state; returns its record.

    Raises:
        DataFusionError: when it has not ended in time. The run goes on.
    """
    began = clock()
    last, told = "", began
    while True:
        try:
            record = found.run(run_id)
        except NotFoundError:
            # Right after a start CDAP may not know the run yet.
            if clock() - began > _UNKNOWN_FOR:
                raise
            record = {"status": "PENDING"}
        status, spent = str(record["status"]), clock() - began
        if status != last or clock() - told >= 30:
            say(f"{found.namespace}/{found.pipeline} {status} after {spent:.0f} s")
            last, told = status, clock()
        if status in ENDED:
            return record
        if spent >= timeout:
            raise DataFusionError(
                f"{found.namespace}/{found.pipeline} is still {status} after {timeout:.0f} s; run {run_id} goes on: "
                "stop it with dp datafusion stop, or wait longer with --timeout"
            )
        found.client.sleep(min(poll, max(0.05, timeout - spent)))


def stop(found: Program, run_id: str | None) -> list[str]:
    """Stop a run, or all that are running; returns their ids.

    Raises:
        RefusedError: when nothing is running.
    """
    if run_id is not None:
        targets = [run_id]
    else:
        targets = [str(run["runid"]) for run in found.runs(100) if run["status"] not in ENDED]
    stopped = []
    for target in targets:
        try:
            found.client.call("POST", (*found.path, "runs", target, "stop"), retry=True)
            stopped.append(target)
        except ApiError as problem:
            if problem.code not in (400, 404):
                raise
            if run_id is not None:
                raise RefusedError(
                    f"{found.namespace}/{found.pipeline} has no run {run_id} that is running"
                ) from problem
    if not stopped:
        raise RefusedError(f"{found.namespace}/{found.pipeline} is not running")
    return stopped


def status(client: Client, namespace: str, pipelines: list[str], limit: int) -> list[Json]:
    """The last runs of pipelines, of all where none is named."""
    if not pipelines:
        try:
            apps = client.get("namespaces", namespace, "apps")
        except NotFoundError as problem:
            raise _unknown(client, namespace, "") from problem
        programs = [_of_record(client, namespace, app) for app in apps]
    else:
        programs = gather(lambda name: program(client, namespace, name), pipelines, client.concurrency)

    def one(found: Program) -> Json:
        try:
            listed = found.runs(limit)
        except NotFoundError:
            listed = []  # an application that is no pipeline
        return {"namespace": namespace, "pipeline": found.pipeline, "runs": [_shown(run) for run in listed]}

    return gather(one, programs, client.concurrency)


def _of_record(client: Client, namespace: str, app: Json) -> Program:
    kind, name = program_path(app)
    return Program(
        client=client, namespace=namespace, pipeline=app["name"], kind=kind, name=name, batch_kind=program_of(app)[0]
    )


def _shown(run: Json) -> Json:
    """A run without its arguments, which may hold what nobody else is to see."""
    shown = {"id": run["runid"], "status": run["status"]}
    for name, field in (("started", "starting"), ("running", "start"), ("ended", "end")):
        if run.get(field):
            shown[name] = datetime.fromtimestamp(run[field], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return shown


def logs(found: Program, run_id: str | None) -> tuple[str, str]:
    """A run's id and log; of the last run where none is named.

    Raises:
        RefusedError: when it has never run.
    """
    if run_id is None:
        last = found.runs(1)
        if not last:
            raise RefusedError(f"{found.namespace}/{found.pipeline} has never run")
        run_id = str(last[0]["runid"])
    else:
        found.run(run_id)
    answer = found.client.call(
        "GET", (*found.path, "runs", run_id, "logs"), query={"format": "text", "escape": "false"}
    )
    return run_id, answer.body.decode("utf-8", "replace")
