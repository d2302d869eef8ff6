"""What an execution knows about itself and whom it tells what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from localcloud.workflows.clock import REAL, Answer, Clock, Responder
from localcloud.workflows.events import LogLine, StepEntry


class Internal(Protocol):
    """The Workflows and Workflow Executions APIs of the service that runs the execution."""

    def request(self, method: str, path: str, query: str, body: dict[str, Any]) -> dict[str, Any]:
        """What a request to them is answered with. Raises ApiError."""
        ...


class Guard(Protocol):
    """Decides on requests of the workflow's service account."""

    def __call__(self, caller: str, method: str, url: str, body: bytes | None) -> Answer | None:
        """What the service refuses the request with; None where it is admitted. The URL is as the workflow wrote it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Context:
    """The surroundings of one execution. `name` is the execution's resource name."""

    name: str
    project: str
    project_number: str
    location: str
    workflow: str
    revision: str
    service_account: str
    environment: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)
    served: Mapping[str, str] = field(default_factory=dict)
    """Routes of the process itself; connectors ask `internal` instead."""
    time_scale: float = 1.0
    callback_base: str = "https://workflowexecutions.googleapis.com"
    clock: Clock = REAL
    responder: Responder | None = None
    """Answers requests in place of the network."""
    guard: Guard | None = None
    """Judges every request before it is sent; without one all are admitted."""
    internal: Internal | None = None
    """Answers the connectors of Workflows itself."""

    @property
    def execution(self) -> str:
        """The execution's id."""
        return self.name.rsplit("/", 1)[-1]

    def variables(self) -> dict[str, str]:
        """Environment variables, the service's own and the user's."""
        return {
            **self.environment,
            "GOOGLE_CLOUD_LOCATION": self.location,
            "GOOGLE_CLOUD_PROJECT_ID": self.project,
            "GOOGLE_CLOUD_PROJECT_NUMBER": self.project_number,
            "GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME": self.service_account,
            "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": self.execution,
            "GOOGLE_CLOUD_WORKFLOW_ID": self.workflow,
            "GOOGLE_CLOUD_WORKFLOW_REVISION_ID": self.revision,
        }


class Observer(Protocol):
    """Is told about steps and logs, in the execution's own thread."""

    def entry(self, entry: StepEntry) -> None:
        """A step's entry is new or has changed."""
        ...

    def log(self, line: LogLine) -> None:
        """The workflow logged a line."""
        ...

    def flush(self, current: list[dict[str, str]]) -> bool:
        """Called a few times a second and at the end; True asks the execution to cancel."""
        ...
