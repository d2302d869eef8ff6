"""Projects: enabled APIs, service identities, custom roles."""

from __future__ import annotations

import re
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules.wire import UNKNOWN
from localcloud.services import checks, google
from localcloud.services.base import Call, State
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row


class EnabledService(GoogleResource):
    """`projects.Service`: an API switched on. Switching it on twice is no conflict: the API is idempotent."""

    client_only: tuple[str, ...] = (
        "checkIfServiceHasUsageOnDestroy",
        "deletionPolicy",
        "disableDependentServices",
        "disableOnDestroy",
    )

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Enable the API and let the service make its agents."""
        values = self.resolve(call, inputs)
        project = checks.require_project(call, values.get("project"))
        checks.require_api(call, project, self.api)
        service = str(values["service"])
        if not re.match(r"^([a-z0-9-]+\.)+[a-z]{2,}$", service) or google.unknown_api(service):
            raise ApiError(404, "notFound", f"Service '{service}' not found or permission denied.")
        enable(call, project, service)
        return self._state(call, project, service, inputs)

    def _state(self, call: Call, project: str, service: str, inputs: dict[str, Any]) -> State:
        values = {**self.resolve(call, inputs), "project": project, "service": service}
        return State(f"{project}/{service}", inputs, values)

    def read(self, call: Call, resource_id: str) -> State | None:
        """The API, where it is enabled."""
        project, _, service = resource_id.rpartition("/")
        project = project or call.settings.project or ""
        found = call.tx.execute("SELECT 1 FROM apis WHERE project = ? AND service = ?", (project, service)).fetchone()
        if found is None:
            return None
        call.tx.execute("UPDATE apis SET origin = 'user' WHERE project = ? AND service = ?", (project, service))
        return self._state(call, project, service, {"project": project, "service": service})

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Nothing in the cloud changes: the settings say what destroying does."""
        project, _, service = resource_id.rpartition("/")
        return self._state(call, project, service, inputs)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Disable the API only where `disableOnDestroy` says so; else the cloud stays as it is."""
        project, _, service = resource_id.rpartition("/")
        if outputs.get("disableOnDestroy") is not True:
            call.tx.execute("UPDATE apis SET origin = 'kept' WHERE project = ? AND service = ?", (project, service))
            return
        users = [
            row.id
            for row in store.everything(call.tx)
            if row.project == project and row.token.startswith("gcp:") and google.api_of(row.token) == service
        ]
        if users and outputs.get("disableDependentServices") is not True:
            raise ApiError(
                400,
                "failedPrecondition",
                f"The service {service} has active resources in project {project}, such as {users[0]}.",
            )
        call.tx.execute("DELETE FROM apis WHERE project = ? AND service = ?", (project, service))


def enable(call: Call, project: str, service: str) -> None:
    """Switch an API on; agents the service makes at enablement exist from now on."""
    call.tx.execute("INSERT OR IGNORE INTO apis VALUES (?, ?, 'user')", (project, service))
    call.tx.execute("UPDATE apis SET origin = 'user' WHERE project = ? AND service = ?", (project, service))
    number = store.project_number(call.tx, project) or 0
    short = service.removesuffix(".googleapis.com")
    for pattern, role in google.AGENTS_AT_ENABLEMENT.get(short, ()):
        checks.add_agent(call, project, short, google.agent_email(pattern, number), role)


class ServiceIdentity(GoogleResource):
    """`projects.ServiceIdentity`: asks a service to make its agent. Asking again answers the same agent."""

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """The address is known after the call only."""
        return old or {"email": UNKNOWN, "member": UNKNOWN, **self.resolve(call, inputs)}

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Make the agent exist."""
        values = self.resolve(call, inputs)
        project = checks.require_project(call, values.get("project"))
        service = str(values["service"])
        checks.require_api(call, project, self.api)
        checks.require_api(call, project, service)
        short = service.removesuffix(".googleapis.com")
        if short in google.AGENTS_ON_DEMAND:
            checks.make_agent(call, project, short)
        elif short in google.AGENTS_AT_ENABLEMENT:
            enable(call, project, service)
        else:
            raise ApiError(
                400, "failedPrecondition", f"Service {service} has no service identity that the embedded cloud knows."
            )
        return self._state(call, project, service, inputs)

    def _state(self, call: Call, project: str, service: str, inputs: dict[str, Any]) -> State:
        email = checks.agent(call, project, service.removesuffix(".googleapis.com"))
        values = {**self.resolve(call, inputs), "project": project, "service": service}
        values.update(email=email, member=f"serviceAccount:{email}")
        return State(f"projects/{project}/services/{service}", inputs, values)

    def read(self, call: Call, resource_id: str) -> State | None:
        """The agent, where it exists. The provider itself reads nothing; what it shows is the same."""
        match = re.fullmatch(r"projects/([^/]+)/services/([^/]+)", resource_id)
        if match is None or store.project_number(call.tx, match.group(1)) is None:
            return None
        short = match.group(2).removesuffix(".googleapis.com")
        if short not in google.AGENTS_ON_DEMAND and short not in google.AGENTS_AT_ENABLEMENT:
            return None
        if not store.principal_exists(call.tx, checks.agent(call, match.group(1), short)):
            return None
        project, service = match.groups()
        return self._state(call, project, service, {"project": project, "service": service})

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Only its deletion policy can change."""
        return self.create(call, inputs)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Nothing. Service agents stay: there is no API to delete them."""


class CustomRole(GoogleResource):
    """`projects.IAMCustomRole`. A deleted role keeps its id for a week; creating it then undeletes it."""

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Its full name."""
        return {"name": resource_id, "deleted": False}

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """A permission is `service.resource.verb`."""
        for permission in values.get("permissions", ()):
            if not re.match(r"^[a-zA-Z0-9]+(\.[a-zA-Z0-9]+){2,}$", str(permission)):
                raise ApiError(400, "badRequest", f"Permission {permission} is not valid.")
