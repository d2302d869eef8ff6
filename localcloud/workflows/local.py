"""Run one definition without deploying it: nothing is stored, the caller hears of every step."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping

from localcloud.workflows import recorder
from localcloud.workflows.check import DeployError, compile_source
from localcloud.workflows.clock import REAL, Clock, Responder
from localcloud.workflows.context import Context
from localcloud.workflows.events import LogLine, StepEntry, StepEvent
from localcloud.workflows.executions import finish, run_machine
from localcloud.workflows.machine import Machine
from localcloud.workflows.store import Json, WorldLike, invalid, project_number, timestamp
from localcloud.workflows.values import json_text

__all__ = ["StepEvent", "run"]


class _Listener:
    """Passes steps and log lines on."""

    def __init__(
        self, execution: str, on_event: Callable[[StepEvent], None] | None, on_log: Callable[[LogLine], None] | None
    ) -> None:
        self.execution = execution
        self.on_event = on_event
        self.on_log = on_log
        self.current: list[dict[str, str]] = []

    def entry(self, entry: StepEntry) -> None:
        if self.on_event is not None:
            self.on_event(recorder.event(self.execution, entry))

    def log(self, line: LogLine) -> None:
        if self.on_log is not None:
            self.on_log(line)

    def flush(self, current: list[dict[str, str]]) -> bool:
        self.current = current
        return False


def run(
    world: WorldLike | None,
    source: str,
    argument: Json | None,
    *,
    routes: Mapping[str, str] | None = None,
    time_scale: float = 1.0,
    on_event: Callable[[StepEvent], None] | None = None,
    on_log: Callable[[LogLine], None] | None = None,
    project: str = "local",
    location: str = "local",
    workflow: str = "local",
    service_account: str = "workflow@local.iam.gserviceaccount.com",
    environment: Mapping[str, str] | None = None,
    clock: Clock = REAL,
    responder: Responder | None = None,
) -> Json:
    """Run a definition in the calling thread; the execution as the API's JSON.

    `world` only gives the project's number and may be None. `argument` None means that none is given. Raises ApiError
    400 with the deploy-time problems, one a line, where the service would refuse the definition. With a VirtualClock
    and a responder the run takes no time and needs no network.
    """
    try:
        program = compile_source(source)
    except DeployError as error:
        raise invalid(str(error)) from None
    text = json_text(argument)
    now = timestamp(time.time())
    name = f"projects/{project}/locations/{location}/workflows/{workflow}/executions/{uuid.uuid4()}"
    body: Json = {
        "name": name,
        "createTime": now,
        "startTime": now,
        "state": "ACTIVE",
        "argument": text,
        "workflowRevisionId": "000001-000",
    }
    context = Context(
        name=name,
        project=project,
        project_number=project_number(world, project) if world is not None else project,
        location=location,
        workflow=workflow,
        revision="000001-000",
        service_account=service_account,
        environment=environment or {},
        routes=routes or {},
        time_scale=time_scale,
        clock=clock,
        responder=responder,
    )
    listener = _Listener(name, on_event, on_log)
    state, result, failed = run_machine(Machine(program, context, listener), argument, given=argument is not None)
    finish(body, state, result=result, error=failed)
    body["status"] = {"currentSteps": listener.current}
    return body
