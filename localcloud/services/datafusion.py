"""Cloud Data Fusion instances."""

from __future__ import annotations

import hashlib
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks
from localcloud.services.base import Call
from localcloud.services.composer_limits import window_problem
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

DEFAULT_VERSION = "6.11.1"
"""What the service picks where no version is given; changes with its releases."""
SUPPORTED = (6, 10)
"""The oldest version that a new instance can have ("Version support policy"; 6.9 ended on 2025-03-31)."""
_PUBLISHER = "roles/pubsub.publisher"


class Instance(GoogleResource):
    """An instance. Its editions, its network and its key are checked as the service does."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Network of a private instance, key, topic."""
        project, region = str(values["project"]), str(values["region"])
        self._admit_settings(values)
        version = _minor(values.get("version"))
        if version is not None and version < SUPPORTED:
            raise ApiError(400, "INVALID_ARGUMENT", f"Version {values['version']} is not supported for new instances.")
        topic = (values.get("eventPublishConfig") or {}).get("topic")
        if topic:
            self._admit_topic(call, project, str(topic))
        network = values.get("networkConfig") or {}
        if values.get("privateInstance") is True and not network:
            raise ApiError(400, "INVALID_ARGUMENT", "network_config is required for a private instance.")
        key = (values.get("cryptoKeyConfig") or {}).get("keyReference")
        if key:
            email = checks.agent(call, project, "datafusion")
            refusal = ApiError(
                400,
                "FAILED_PRECONDITION",
                f"Cloud Data Fusion service account {email} does not have permission to use key {key}; grant it"
                f" {checks.ENCRYPTER}, as well as the Cloud Storage service agent.",
            )
            for service in ("datafusion", "storage"):
                # The instance keeps its data in Cloud Storage, whose agent uses the key as well; for the clusters of
                # its pipelines no grant is asked when it is made (…_dataFusionInstanceCmekExample has these two).
                agent = checks.agent(call, project, service)
                if service == "datafusion" or store.principal_exists(call.tx, agent):
                    checks.require_key(call, str(key), location=region, email=agent, refusal=refusal)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """Editions stay what they are; a version only rises."""
        del call
        self._admit_settings(values)
        before, after = _numbers(row.outputs.get("version")), _numbers(values.get("version"))
        if after and before and after < before[: len(after)]:
            message = f"Downgrading from {row.outputs['version']} to {values['version']} is not supported."
            raise ApiError(400, "INVALID_ARGUMENT", message)

    def _admit_settings(self, values: dict[str, Any]) -> None:
        """What an edition does not have, revisions of other versions, windows that are too short."""
        edition = str(values.get("type") or "BASIC")
        if values.get("enableRbac") is True and edition != "ENTERPRISE":
            message = f"RBAC is only available in the ENTERPRISE edition, and the instance is {edition}."
            raise ApiError(400, "INVALID_ARGUMENT", message)
        if values.get("zone") and edition != "DEVELOPER":
            raise ApiError(400, "INVALID_ARGUMENT", "zone can only be set for instances of the DEVELOPER edition.")
        revision, version = str(values.get("patchRevision") or ""), str(values.get("version") or "")
        if revision and version and not revision.startswith(f"{version}."):
            raise ApiError(400, "INVALID_ARGUMENT", f"Patch revision {revision} is not one of version {version}.")
        window = ((values.get("maintenancePolicy") or {}).get("maintenanceWindow") or {}).get("recurringTimeWindow")
        wrong = window_problem(window, most=12) if window else None
        if wrong:
            raise ApiError(400, "INVALID_ARGUMENT", wrong)

    def _admit_topic(self, call: Call, project: str, topic: str) -> None:
        """The topic is there, and the service's agent may publish to it."""
        if not checks.exists(call, topic):
            raise ApiError(404, "NOT_FOUND", f"Resource not found (resource={topic}).")
        agent = f"serviceAccount:{checks.agent(call, project, 'datafusion')}"
        owner = topic.split("/")[1]
        # In its own project nothing is asked: the acceptance test of the Terraform provider has a topic and no grant
        # (TestAccDataFusionInstance_dataFusionInstanceEventExample).
        if owner != project and not any(
            store.granted(call.tx, place, _PUBLISHER, agent) for place in (topic, f"projects/{owner}")
        ):
            message = f"{agent.partition(':')[2]} is missing the role {_PUBLISHER} on {topic}."
            raise ApiError(403, "PERMISSION_DENIED", message)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Endpoints, bucket and accounts of the tenant project."""
        if old is not None:
            kept = (
                "apiEndpoint",
                "gcsBucket",
                "p4ServiceAccount",
                "serviceAccount",
                "serviceEndpoint",
                "tenantProjectId",
            )
            return {"version": old.outputs["version"], **{k: old.outputs[k] for k in kept}} | (
                {"version": values["version"]} if values.get("version") else {}
            )
        project, region, name = str(values["project"]), str(values["region"]), str(values["name"])
        serial = call.world.next_value("datafusion")
        digest = hashlib.sha256(f"{resource_id}#{serial}".encode()).hexdigest()
        tenant = f"{digest[:15]}-tp"
        short = "".join(part[0] for part in region.split("-")) + region[-1]
        host = f"{name}-{project}-dot-{short}.datafusion.googleusercontent.com"
        email = checks.agent(call, project, "datafusion")
        return {
            "apiEndpoint": f"https://{host}/api",
            "serviceEndpoint": f"https://{host}",
            "gcsBucket": f"df-{int(digest[:12], 16)}-{digest[12:36]}",
            "p4ServiceAccount": email,
            "serviceAccount": f"cloud-datafusion-management-sa@{tenant}.iam.gserviceaccount.com",
            "tenantProjectId": tenant,
            "state": "RUNNING",
            "stateMessage": "",
            "version": values.get("version") or DEFAULT_VERSION,
            "patchRevision": values.get("patchRevision", ""),
            "zone": values.get("zone") or f"{region}-b",
            "displayName": values.get("displayName", ""),
        }


def _numbers(version: Any) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in str(version or "").split("."))
    except ValueError:
        return ()


def _minor(version: Any) -> tuple[int, ...] | None:
    return _numbers(version)[:2] or None
