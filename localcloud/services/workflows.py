"""Cloud Workflows through the provider: the same workflows its REST API serves."""

from __future__ import annotations

from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row
from localcloud.workflows.service import WorkflowsService

_FIELDS = {
    "description": "description",
    "serviceAccount": "serviceAccount",
    "sourceContents": "sourceContents",
    "cryptoKeyName": "cryptoKeyName",
    "callLogLevel": "callLogLevel",
    "executionHistoryLevel": "executionHistoryLevel",
    "userEnvVars": "userEnvVars",
    "effectiveLabels": "labels",
}
"""Pulumi's property -> the API's field; the update mask is made of these."""
_READ = ("createTime", "updateTime", "revisionId", "state")


class Workflow(GoogleResource):
    """A workflow. The service of the REST API holds it; the row here holds what the program said."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The key's grant."""
        self._admit_key(call, values, str(values["project"]), str(values["region"]))

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit_key(call, values, str(row.project), str(row.outputs["region"]))

    def _admit_key(self, call: Call, values: dict[str, Any], project: str, region: str) -> None:
        key = values.get("cryptoKeyName")
        if key:
            email = checks.agent(call, project, "workflows")
            refusal = ApiError(
                400,
                "FAILED_PRECONDITION",
                f"Workflows service agent {email} does not have permission to use the Cloud KMS key {key}.",
            )
            checks.require_key(call, str(key), location=region, email=email, refusal=refusal)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Let the service make or change it, and show what it answers."""
        service = WorkflowsService(call.world)
        body = {field: values[name] for name, field in _FIELDS.items() if values.get(name) not in (None, "")}
        if old is None:
            parent, _, workflow_id = resource_id.rpartition("/workflows/")
            answer = service.create(parent, workflow_id, body)
        else:
            answer = service.patch(resource_id, body, ",".join(_FIELDS.values()))
        return _shown(values, answer)

    def observe(self, call: Call, row: Row) -> Row | None:
        """As the service has it: it may have been changed or deleted over REST."""
        try:
            answer = WorkflowsService(call.world).get(row.id)
        except ApiError as error:
            if error.status != 404:
                raise

            store.remove(call.tx, row)
            return None
        outputs = {**row.outputs, **_shown(row.outputs, answer)}
        inputs = dict(row.inputs)
        for name, field in _FIELDS.items():
            if name in inputs and answer.get(field) not in (None, "") and not _same(name, inputs[name], answer[field]):
                inputs[name] = outputs[name] = answer[field]
        return Row(**{**row.__dict__, "inputs": inputs, "outputs": outputs})

    def withdraw(self, call: Call, row: Row) -> None:
        """Delete it in the service."""
        WorkflowsService(call.world).delete(row.id)
        super().withdraw(call, row)


def _same(name: str, ours: Any, theirs: Any) -> bool:
    if name == "serviceAccount":
        return str(ours).rpartition("/")[2] == str(theirs).rpartition("/")[2]
    return bool(ours == theirs)


def _shown(values: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    shown = {name: answer[name] for name in _READ if name in answer}
    if answer.get("serviceAccount"):
        shown["serviceAccount"] = answer["serviceAccount"]
    for name in ("callLogLevel", "executionHistoryLevel"):
        if answer.get(name):
            shown[name] = answer[name]
    return shown
