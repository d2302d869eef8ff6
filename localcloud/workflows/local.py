"""Run one definition without deploying it: nothing is stored, the caller hears of every step."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import threading
import time
import uuid
from collections.abc import Callable, Mapping

from localcloud.workflows import recorder
from localcloud.workflows.check import DeployError, compile_source
from localcloud.workflows.clock import REAL, Clock, Responder, VirtualClock
from localcloud.workflows.context import Context
from localcloud.workflows.events import LogLine, StepEntry, StepEvent
from localcloud.workflows.executions import finish, run_machine
from localcloud.workflows.machine import Machine
from localcloud.workflows.program import Program
from localcloud.workflows.store import Json, WorldLike, invalid, not_found, project_number, timestamp
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

    def of(self, execution: str) -> _Listener:
        """The same listener for a child's execution."""
        return _Listener(execution, self.on_event, self.on_log)

    def entry(self, entry: StepEntry) -> None:
        if self.on_event is not None:
            self.on_event(recorder.event(self.execution, entry))

    def log(self, line: LogLine) -> None:
        if self.on_log is not None:
            self.on_log(line)

    def flush(self, current: list[dict[str, str]]) -> bool:
        self.current = current
        return False


class _Children:
    """The Executions API of a run without a service: workflows given as text, executions kept in memory.

    In virtual time a child is run to its end when it is created, by a clock of its own that begins at the parent's
    time; it shows as active until the parent's clock has come as far. In real time it runs in a thread.
    """

    def __init__(self, context: Context, sources: Mapping[str, str], listener: _Listener) -> None:
        self.context = dataclasses.replace(context, internal=self)
        self.programs = {name: compile_source(text) for name, text in sources.items()}
        self.listener = listener
        self.executions: dict[str, tuple[float, Json]] = {}

    def request(self, method: str, path: str, query: str, body: Json) -> Json:
        """Create or read an execution. Raises ApiError."""
        name = path.split("/", 1)[1]
        if method == "GET" and name in self.executions:
            ends, execution = self.executions[name]
            return execution if ends <= self.context.clock.time() else {"name": name, "state": "ACTIVE"}
        parent = name.removesuffix("/executions")
        program = self.programs.get(parent.rsplit("/", 1)[-1])
        if method != "POST" or program is None:
            raise not_found(parent)
        return self._start(parent, program, body)

    def _start(self, parent: str, program: Program, body: Json) -> Json:
        name = f"{parent}/executions/{uuid.uuid4()}"
        now = timestamp(time.time())
        execution = {**body, "name": name, "createTime": now, "startTime": now, "state": "ACTIVE"}
        virtual = isinstance(self.context.clock, VirtualClock)
        clock = VirtualClock(self.context.clock.time()) if virtual else self.context.clock
        inner = copy.copy(self)
        inner.context = dataclasses.replace(
            self.context, name=name, workflow=parent.rsplit("/", 1)[-1], clock=clock, internal=inner
        )
        machine = Machine(program, inner.context, self.listener.of(name))
        given = "argument" in body
        self.executions[name] = (math.inf, execution)

        def work() -> None:
            state, result, failed = run_machine(machine, json.loads(body.get("argument", "null")), given=given)
            ended = dict(execution)
            finish(ended, state, result=result, error=failed)
            self.executions[name] = (clock.time(), ended)

        if virtual:
            work()
        else:
            threading.Thread(target=work, daemon=True, name="child-execution").start()
        return execution


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
    children: Mapping[str, str] | None = None,
) -> Json:
    """Run a definition in the calling thread; the execution as the API's JSON.

    `world` only gives the project's number and may be None. `argument` None means that none is given. Raises ApiError
    400 with the deploy-time problems, one a line, where the service would refuse the definition. With a VirtualClock
    and a responder the run takes no time and needs no network. `children` are the texts of workflows, by their ids,
    that this one may execute through the connectors of Workflow Executions.
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
    if children:
        try:
            context = dataclasses.replace(context, internal=_Children(context, children, listener))
        except DeployError as error:
            raise invalid(str(error)) from None
    state, result, failed = run_machine(Machine(program, context, listener), argument, given=argument is not None)
    finish(body, state, result=result, error=failed)
    body["status"] = {"currentSteps": listener.current}
    return body
