"""Composer environments (Managed Service for Apache Airflow), their buckets, user workloads."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules.wire import UNKNOWN
from localcloud.services import checks, composer_limits, storage, synthesis
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

ENVIRONMENT = "gcp:composer/environment:Environment"
DEFAULT_IMAGE = "composer-3-airflow-2.11.1-build.14"
"""What the service picks where no image version is given; changes with its releases."""

INTERNAL_RANGE = "100.64.128.0/20"
"""The range inside of an environment of the third generation that names none."""


class Environment(GoogleResource):
    """An environment. The service makes its bucket, which stays when the environment is deleted."""

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """Inside `config`, what the service makes is unknown until then."""
        planned = super().plan(call, inputs, old)
        config = planned.get("config")
        if isinstance(config, dict):
            held = (old or {}).get("config") or {}
            planned["config"] = {
                **config,
                **{name: held.get(name, UNKNOWN) for name in ("dagGcsPrefix", "airflowUri", "gkeCluster")},
            }
        return planned

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Identity, key, bucket."""
        project, region = str(values["project"]), str(values["region"])
        config = values.get("config") or {}
        node = config.get("nodeConfig") or {}
        image = str((config.get("softwareConfig") or {}).get("imageVersion") or DEFAULT_IMAGE)
        agent = f"serviceAccount:{checks.agent(call, project, 'composer')}"
        if not node.get("serviceAccount") and "composer-3" in image:
            raise ApiError(
                400,
                "INVALID_ARGUMENT",
                "Composer 3 environments need a service account in nodeConfig.serviceAccount: there is no default one.",
            )
        account = str(node.get("serviceAccount") or "").rpartition("/")[2]
        worker = f"serviceAccount:{account}"
        place = f"projects/{project}"
        # checks.foreign: an account of a project outside this world cannot be looked at.
        if account and not checks.foreign(call, account):
            roles = ("roles/composer.worker", "roles/editor", "roles/owner")
            if not any(store.granted(call.tx, place, role, worker) for role in roles):
                raise ApiError(
                    400,
                    "FAILED_PRECONDITION",
                    f"The service account {account} is missing the role roles/composer.worker on project {project}.",
                )
        extended = "roles/composer.ServiceAgentV2Ext"
        if "composer-2" in image and not (
            store.granted(call.tx, place, extended, agent)
            or store.granted(call.tx, f"{place}/serviceAccounts/{account}", extended, agent)
        ):
            raise ApiError(
                400,
                "FAILED_PRECONDITION",
                f"Cloud Composer Service Agent ({agent.partition(':')[2]}) is missing the role {extended}.",
            )
        if composer_limits.gone(image):
            raise ApiError(400, "INVALID_ARGUMENT", f"Image version {image} is not available for new environments.")
        _refuse(config, image)
        key = (config.get("encryptionConfig") or {}).get("kmsKeyName")
        if key:
            self._admit_key(call, project, region, str(key), "composer-3" in image)

    def _admit_key(self, call: Call, project: str, region: str, key: str, third: bool) -> None:
        """The agents of every service under an environment use the key (cloud.google.com/composer, "Use CMEK")."""
        wanted = (
            ["composer", "storage"]
            if third
            else ["composer", "storage", "artifactregistry", "container", "pubsub", "compute"]
        )
        for service in wanted:
            email = checks.agent(call, project, service)
            refusal = ApiError(
                400,
                "FAILED_PRECONDITION",
                f"CMEK key {key} cannot be used: service account {email} does not have the role {checks.ENCRYPTER}"
                " on it.",
            )
            checks.require_key(call, key, location=region, email=email, refusal=refusal)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Names of bucket, web server and cluster; sizes and versions the service picks."""
        config = {**(values.get("config") or {})}
        software = {"imageVersion": DEFAULT_IMAGE, **(config.get("softwareConfig") or {})}
        software["imageVersion"] = composer_limits.resolved(str(software["imageVersion"]))
        if "composer-3" in software["imageVersion"] and config.get("nodeConfig"):
            config["nodeConfig"] = {"composerInternalIpv4CidrBlock": INTERNAL_RANGE, **config["nodeConfig"]}
        if old is not None:
            held = old.outputs["config"]
            given = str((config.get("softwareConfig") or {}).get("imageVersion") or "")
            if given == (old.inputs.get("config") or {}).get("softwareConfig", {}).get("imageVersion", given):
                # An environment keeps its build until it is upgraded.
                software["imageVersion"] = held["softwareConfig"]["imageVersion"]
            config.update({name: held[name] for name in ("dagGcsPrefix", "airflowUri", "gkeCluster")})
            config["softwareConfig"] = software
            return {"config": config, "storageConfig": old.outputs["storageConfig"]}
        project, region, name = str(values["project"]), str(values["region"]), str(values["name"])
        serial = call.world.next_value("composer")
        digest = hashlib.sha256(f"{resource_id}#{serial}".encode()).hexdigest()[:8]
        given = str((values.get("storageConfig") or {}).get("bucket") or "").removeprefix("gs://")
        bucket = given or f"{region}-{name[:30].rstrip('-')}-{digest}-bucket"
        config.update(
            dagGcsPrefix=f"gs://{bucket}/dags",
            airflowUri=f"https://{digest}{name[:8]}-dot-{region}.composer.googleusercontent.com",
            gkeCluster=f"projects/{project}/locations/{region}/clusters/{region}-{name[:20]}-{digest}-gke",
            softwareConfig=software,
            environmentSize=config.get("environmentSize") or "ENVIRONMENT_SIZE_SMALL",
        )
        return {"config": config, "storageConfig": {"bucket": bucket}}

    def settle(self, call: Call, row: Row, old: Row | None) -> None:
        """The service makes the bucket, with the environment's label on it; a given bucket must be there."""
        if old is not None:
            return
        bucket = str(row.outputs["storageConfig"]["bucket"])
        if store.find(call.tx, storage.BUCKET, bucket) is not None:
            return
        if (row.inputs.get("storageConfig") or {}).get("bucket"):
            raise ApiError(404, "NOT_FOUND", f"Bucket {bucket} does not exist.")
        checks.make_agent(call, str(row.project), "storage")
        now = time.time()
        region = str(row.outputs["region"])
        labels = {"goog-composer-environment": str(row.outputs["name"]), "goog-composer-location": region}
        key = (row.outputs["config"].get("encryptionConfig") or {}).get("kmsKeyName")
        inputs: dict[str, Any] = {
            "name": bucket,
            "location": region.upper(),
            "project": row.project,
            "labels": labels,
            "uniformBucketLevelAccess": True,
        }
        if key:
            inputs["encryption"] = {"defaultKmsKeyName": key}
        outputs = {
            **inputs,
            "forceDestroy": False,
            "storageClass": "STANDARD",
            "publicAccessPrevention": "inherited",
            "selfLink": f"https://www.googleapis.com/storage/v1/b/{bucket}",
            "url": f"gs://{bucket}",
            "projectNumber": store.project_number(call.tx, str(row.project)),
            "timeCreated": synthesis.timestamp(now),
            "updated": synthesis.timestamp(now),
            "effectiveLabels": labels,
            "pulumiLabels": {},
        }
        store.insert(
            call.tx,
            Row(bucket, storage.BUCKET, row.project, f"bucket|{bucket}", inputs, outputs, (), "composer", now, now),
        )

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """An environment is not moved from Composer 2 to 3, nor from Airflow 2 to 3, nor back to an older one."""
        before = str(row.outputs["config"]["softwareConfig"]["imageVersion"])
        config = values.get("config") or {}
        after = str((config.get("softwareConfig") or {}).get("imageVersion") or before)
        if ("composer-3" in before) != ("composer-3" in after):
            raise ApiError(400, "INVALID_ARGUMENT", f"Upgrade from {before} to {after} is not supported.")
        old, new = composer_limits.airflow_of(before), composer_limits.airflow_of(after)
        if old[:1] != new[:1]:
            message = f"In-place upgrades from Airflow {old[0]} to Airflow {new[0]} are not supported."
            raise ApiError(400, "INVALID_ARGUMENT", f"{message} Create a new environment instead.")
        if new < old[: len(new)]:
            raise ApiError(400, "INVALID_ARGUMENT", f"Downgrading from {before} to {after} is not supported.")
        _refuse(config, after)


def _refuse(config: dict[str, Any], image: str) -> None:
    wrong = list(composer_limits.refusals(config, image))
    if wrong:
        raise ApiError(400, "INVALID_ARGUMENT", " ".join(wrong))


class UserWorkload(GoogleResource):
    """A secret or config map of an environment's cluster: the environment must be there, and be of Composer 3."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """What the service refuses for other generations."""
        parent = "/".join(resource_id.split("/")[:-2])
        row = store.find(call.tx, ENVIRONMENT, parent)
        image = str(row.outputs["config"]["softwareConfig"]["imageVersion"]) if row is not None else ""
        if "composer-3" not in image:
            raise ApiError(400, "FAILED_PRECONDITION", f"User workloads need Composer 3; {parent} runs {image}.")
