"""Cloud Data Fusion instances."""

from __future__ import annotations

import hashlib
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

DEFAULT_VERSION = "6.11.1"
"""What the service picks where no version is given; changes with its releases."""


class Instance(GoogleResource):
    """An instance. Its editions, its network and its key are checked as the service does."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Network of a private instance, key, topic."""
        project, region = str(values["project"]), str(values["region"])
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
                f" {checks.ENCRYPTER}, as well as the Cloud Storage and Dataproc service agents.",
            )
            for service in ("datafusion", "storage", "dataproc"):
                # The instance keeps its data in Cloud Storage and runs on Dataproc: their agents use the key as well.
                agent = checks.agent(call, project, service)
                if service == "datafusion" or store.principal_exists(call.tx, agent):
                    checks.require_key(call, str(key), location=region, email=agent, refusal=refusal)

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
