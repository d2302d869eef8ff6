"""Google resource types with a rule or two of their own beside the table."""

from __future__ import annotations

from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, google, identity
from localcloud.services.base import Call, State
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"


class ComputeResource(GoogleResource):
    """Compute Engine refuses to delete what another of its resources uses."""

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """References become self links, as the API answers them."""
        made: dict[str, Any] = {"selfLink": f"https://www.googleapis.com/compute/v1/{resource_id}"}
        for name in ("network", "subnetwork"):
            given = values.get(name)
            if isinstance(given, str) and given and not given.startswith("http"):
                made[name] = f"https://www.googleapis.com/compute/v1/{self._path(name, given, values)}"
        return made

    def _path(self, name: str, given: str, values: dict[str, Any]) -> str:
        if given.startswith("projects/"):
            return given
        place = "global/networks" if name == "network" else f"regions/{values.get('region')}/subnetworks"
        return f"projects/{values.get('project')}/{place}/{given}"

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """A network or subnetwork given by its short name must be there too."""
        for name in ("network", "subnetwork"):
            given = values.get(name)
            if isinstance(given, str) and given:
                path = self._path(name, identity.relative(given), values)
                if not checks.exists(call, path):
                    raise ApiError(404, "notFound", f"The resource '{path}' was not found")

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Compute Engine."""
        return ApiError(409, "alreadyExists", f"The resource '{resource_id}' already exists")

    def admit_delete(self, call: Call, row: Row) -> None:
        """Refuse while something refers to it."""
        for other in store.everything(call.tx):
            if other.key == row.key or other.project != row.project or not other.token.startswith("gcp:"):
                continue
            texts = {identity.relative(text) for _, text in checks.walk(other.inputs)}
            texts |= {identity.relative(text) for _, text in checks.walk(other.outputs)}
            if row.id in texts:
                raise ApiError(
                    400,
                    "resourceInUseByAnotherResource",
                    f"The {_noun(call.kind)} resource '{row.id}' is already being used by '{other.id}'",
                )


def _noun(kind: str) -> str:
    return kind[0].lower() + kind[1:]


class Topic(GoogleResource):
    """A Pub/Sub topic; the service's agent needs the key."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """How long messages are kept; the key's grant, wherever the key lies."""
        _retention(values)
        project = str(values["project"])
        email = checks.make_agent(call, project, "pubsub")
        key = values.get("kmsKeyName")
        if key:
            refusal = ApiError(
                403,
                "forbidden",
                "Cloud Pub/Sub did not have the necessary permissions configured to support this operation. Please"
                f" verify that the service account {email} was granted the Cloud KMS CryptoKey Encrypter/Decrypter role"
                " for the project containing the CryptoKey.",
            )
            location = checks.key_parts(str(key))[1]
            checks.require_key(call, str(key), location=location, email=email, refusal=refusal)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """How long messages are kept."""
        _retention(values)

    def withdraw(self, call: Call, row: Row) -> None:
        """Its subscriptions stay, of a topic that is no more: the service shows `_deleted-topic_` in its place."""
        for other in store.everything(call.tx):
            if other.token == SUBSCRIPTION and other.outputs.get("topic") == row.id:
                store.replace(
                    call.tx, other, other.inputs, {**other.outputs, "topic": "_deleted-topic_"}, other.secrets
                )
        super().withdraw(call, row)

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Pub/Sub."""
        return ApiError(409, "alreadyExists", f"Resource already exists in the project (resource={resource_id}).")


def _retention(values: dict[str, Any]) -> None:
    from localcloud.services import messaging  # it builds on the module of GoogleResource, as this one does

    messaging.retention(values)


class Project(GoogleResource):
    """`organizations.Project`: a new project of the world, with what every new project has."""

    def admitted(self, call: Call, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Project ids are unique in the world."""
        project = str(values.get("projectId", ""))
        self.check_name(values)
        if store.project_number(call.tx, project) is not None:
            raise ApiError(409, "alreadyExists", "Requested entity already exists")
        return f"projects/{project}", values

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Its number."""
        project = str(values["projectId"])
        store.create_project(call.tx, project, google.DEFAULT_APIS)
        return {"number": str(store.project_number(call.tx, project))}

    def withdraw(self, call: Call, row: Row) -> None:
        """Everything in it goes; its id is never free again."""
        project = str(row.outputs["projectId"])
        for other in store.everything(call.tx):
            if other.project == project:
                store.remove(call.tx, other)
        for table in ("apis", "principals", "bindings"):
            call.tx.execute(f"DELETE FROM {table} WHERE project = ?", (project,))  # noqa: S608 - names from above
        call.tx.execute("DELETE FROM projects WHERE id = ?", (project,))
        store.tombstone(call.tx, row.key, self.token, "project ids are never used again")
        store.remove(call.tx, row)


class Policy:
    """Authoritative `…IAMPolicy` types: not served, because they would wipe out grants that others made."""

    client_only: tuple[str, ...] = ()

    def __init__(self, token: str) -> None:
        self.token = token

    def _refuse(self) -> ApiError:
        return ApiError(
            400,
            "notServed",
            f"The embedded cloud does not serve {self.token}: use the IAMMember type, which is additive.",
        )

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """Refused at once."""
        raise self._refuse()

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refused."""
        raise self._refuse()

    def read(self, call: Call, resource_id: str) -> State | None:
        """There is none."""
        return None

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Refused."""
        raise self._refuse()

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Nothing to do."""
