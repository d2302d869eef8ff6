"""Dataproc clusters: their buckets, their machines, and the network they stand in."""

from __future__ import annotations

from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import synthesis
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

_BUCKET = "gcp:storage/bucket:Bucket"
DEFAULT_IMAGE = "2.2-debian12"
"""What the service picks where no image version is given; changes with its releases."""


class Cluster(GoogleResource):
    """A cluster of machines."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Buckets, and how many machines."""
        self._admit(call, values.get("clusterConfig") or {})

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit(call, values.get("clusterConfig") or {})

    def _admit(self, call: Call, config: dict[str, Any]) -> None:
        for name in ("stagingBucket", "tempBucket"):
            bucket = config.get(name)
            if isinstance(bucket, str) and bucket and store.find(call.tx, _BUCKET, bucket) is None:
                raise ApiError(404, "notFound", f"Google Cloud Storage bucket does not exist '{bucket}'.")
        masters = (config.get("masterConfig") or {}).get("numInstances")
        if masters is not None and int(masters) not in (1, 3):
            raise ApiError(
                400, "INVALID_ARGUMENT", f"Cluster must have 1 or 3 master instances, and not {int(masters)}."
            )
        workers = (config.get("workerConfig") or {}).get("numInstances")
        properties = (config.get("softwareConfig") or {}).get("overrideProperties") or {}
        single = str(properties.get("dataproc:dataproc.allow.zero.workers")).lower() == "true"
        if workers is not None and int(workers) < (0 if single else 2) and config.get("clusterType") != "SINGLE_NODE":
            raise ApiError(
                400,
                "INVALID_ARGUMENT",
                "Invalid value for worker count: standard clusters need at least two primary workers.",
            )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Names of buckets and machines, and what the service sets where nothing was said."""
        project, region, name = (resource_id.split("/")[n] for n in (1, 3, 5))
        if values.get("virtualClusterConfig"):
            return {}
        config = dict(values.get("clusterConfig") or {})
        number = store.project_number(call.tx, project)
        made = f"{region}-{number}-{synthesis.number(project, region) % 10**8:08d}"
        machines = config.get("masterConfig") or {}
        count = int(machines.get("numInstances") or 1)
        properties = (config.get("softwareConfig") or {}).get("overrideProperties") or {}
        workers = config.get("workerConfig") or {}
        least = 0 if str(properties.get("dataproc:dataproc.allow.zero.workers")).lower() == "true" else 2
        least = 0 if config.get("clusterType") == "SINGLE_NODE" else least
        working = int(workers["numInstances"] if workers.get("numInstances") is not None else least)
        config.update(
            bucket=config.get("stagingBucket") or f"dataproc-staging-{made}",
            tempBucket=config.get("tempBucket") or f"dataproc-temp-{made}",
            masterConfig={
                "machineType": "n1-standard-4",
                **machines,
                "numInstances": count,
                "instanceNames": [f"{name}-m"] if count == 1 else [f"{name}-m-{n}" for n in range(count)],
            },
            workerConfig={
                "machineType": "n1-standard-4",
                **workers,
                "numInstances": working,
                "instanceNames": [f"{name}-w-{n}" for n in range(working)],
            },
            softwareConfig={
                "imageVersion": DEFAULT_IMAGE,
                "properties": properties,
                **(config.get("softwareConfig") or {}),
            },
        )
        if config.get("endpointConfig"):
            config["endpointConfig"] = {"httpPorts": {}, **config["endpointConfig"]}
        return {"clusterConfig": config}
