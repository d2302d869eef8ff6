"""Cloud Run services and jobs: revisions, addresses, and the secrets a container reads.

A revision is not ready when its account may not read a secret it names; the service says so when it is deployed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from localcloud import iam, store
from localcloud.errors import ApiError
from localcloud.services import identity
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

_SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a resource type
_SHORT = {"central": "c", "east": "e", "west": "w", "north": "n", "south": "s", "northeast": "n", "southeast": "s"}


class CloudRun(GoogleResource):
    """A service or a job."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Secrets and networks."""
        self._admit(call, values, str(values["project"]))

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """A change is a new revision, which needs the same."""
        self._admit(call, values, str(row.project))

    def _admit(self, call: Call, values: dict[str, Any], project: str) -> None:
        template = values.get("template") or {}
        template = template.get("template") or template
        number = store.project_number(call.tx, project)
        account = identity.last(str(template.get("serviceAccount") or ""))
        account = account or f"{number}-compute@developer.gserviceaccount.com"
        _admit_shape(values, template)
        for secret, version in _secrets(template):
            self._admit_secret(call, project, account, secret, version)

    def _admit_secret(self, call: Call, project: str, account: str, secret: str, version: str) -> None:
        owner = secret.split("/")[1] if secret.startswith("projects/") else project
        owner = store.project_by_number(call.tx, owner) or owner
        if store.project_number(call.tx, owner) is None:
            return
        path = f"projects/{owner}/secrets/{identity.last(secret)}"
        row = store.find(call.tx, _SECRET, path)
        shown = f"projects/{store.project_number(call.tx, owner)}/secrets/{identity.last(secret)}/versions/{version}"
        below = store.below(call.tx, str(row.outputs["name"])) if row is not None else []
        there = any(r.id.rpartition("/")[2] == version for r in below) if version.isdigit() else bool(below)
        if row is None or not there:
            raise ApiError(400, "FAILED_PRECONDITION", f"Secret {shown} was not found")
        if not iam.allowed(call.tx, f"serviceAccount:{account}", "secretmanager.versions.access", path):
            raise ApiError(
                400,
                "FAILED_PRECONDITION",
                f"Permission denied on secret: {shown} for Revision service account {account}. The service account used"
                " must be granted the 'Secret Manager Secret Accessor' role (roles/secretmanager.secretAccessor) at the"
                " secret, project or higher level.",
            )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The revision, the address, and what the service sets where nothing was said."""
        project, location, name = (resource_id.split("/")[n] for n in (1, 3, 5))
        number = store.project_number(call.tx, project)
        generation = int(str(old.outputs.get("generation") or 1)) + 1 if old is not None else 1
        made: dict[str, Any] = {
            "generation": str(generation),
            "observedGeneration": str(generation),
            "reconciling": False,
            "launchStage": values.get("launchStage") or "GA",
            "effectiveAnnotations": values.get("annotations") or {},
            "creator": "",
            "lastModifier": "",
        }
        if "services" not in resource_id.split("/"):
            return {**made, "executionCount": old.outputs.get("executionCount", 0) if old is not None else 0}
        digest = hashlib.sha256(resource_id.encode()).hexdigest()
        code = location.split("-")[0][0] + _SHORT.get(location.split("-")[-1].rstrip("0123456789"), "x")
        uri = f"https://{name}-{digest[:10]}-{code}.a.run.app"
        revision = hashlib.sha256(f"{resource_id}#{generation}".encode()).hexdigest()[:3]
        revision = (values.get("template") or {}).get("revision") or f"{name}-{generation:05d}-{revision}"
        template = values.get("template") or {}
        return {
            **made,
            "uri": uri,
            "urls": [f"https://{name}-{number}.{location}.run.app", uri],
            "latestCreatedRevision": f"{resource_id}/revisions/{revision}",
            "latestReadyRevision": f"{resource_id}/revisions/{revision}",
            "ingress": values.get("ingress") or "INGRESS_TRAFFIC_ALL",
            "traffics": values.get("traffics") or [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
            "trafficStatuses": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
            "terminalConditions": [{"type": "Ready", "state": "CONDITION_SUCCEEDED"}],
            "template": {
                "timeout": "300s",
                "maxInstanceRequestConcurrency": 80,
                "serviceAccount": f"{number}-compute@developer.gserviceaccount.com",
                **template,
            },
        }


def _admit_shape(values: dict[str, Any], template: dict[str, Any]) -> None:
    """Traffic adds up, mounts have their volumes, and the least is no more than the most."""
    shares = [int(t.get("percent") or 0) for t in values.get("traffics") or ()]
    wrong = ""
    if shares and sum(shares) != 100:
        wrong = f"Traffic percent must sum to 100, and not to {sum(shares)}."
    volumes = {v.get("name") for v in template.get("volumes") or ()}
    mounts = [m.get("name") for c in template.get("containers") or () for m in c.get("volumeMounts") or ()]
    missing = next((name for name in mounts if name not in volumes), None)
    if missing is not None:
        wrong = f"template.containers.volume_mounts: volume mount name '{missing}' does not match any volume."
    for scaling in (template.get("scaling") or {}, values.get("scaling") or {}):
        least, most = scaling.get("minInstanceCount") or 0, scaling.get("maxInstanceCount") or 0
        if most and least > most:
            wrong = f"min_instance_count {int(least)} must not be greater than max_instance_count {int(most)}."
    if wrong:
        raise ApiError(400, "INVALID_ARGUMENT", wrong)


def _secrets(template: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The secrets and versions a template names."""
    for block in _blocks(template):
        reference = block.get("secretKeyRef")
        if isinstance(reference, dict) and isinstance(reference.get("secret"), str):
            yield reference["secret"], str(reference.get("version") or "latest")
        mounted = block.get("secret")
        if isinstance(mounted, dict) and isinstance(mounted.get("secret"), str):
            for item in mounted.get("items") or [{}]:
                yield mounted["secret"], str(item.get("version") or "latest")


def _blocks(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _blocks(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _blocks(inner)
