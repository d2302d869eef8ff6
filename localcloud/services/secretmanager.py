"""Secret Manager: secrets and their versions. Payloads are kept in the world, as a cloud keeps them."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules.wire import is_unknown
from localcloud.services import checks, synthesis
from localcloud.services.base import Call, State
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a resource type
_LIMIT = 65536


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ApiError(400, "INVALID_ARGUMENT", f"Invalid time: '{text}'.") from None


class Secret(GoogleResource):
    """A secret: a name with a replication policy."""

    client_only: tuple[str, ...] = ("deletionProtection", "ttl")

    def known_at_plan(self, call: Call, values: dict[str, Any]) -> dict[str, Any]:
        """Annotations as they will be."""
        own = values.get("annotations")
        return {"effectiveAnnotations": own or {}} if not is_unknown(own) else {}

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Customer-managed keys, topics, times."""
        self._admit_keys(call, values, str(values["project"]))
        self._admit_times(values, None)
        self._admit_topics(call, values, str(values["project"]))
        self._admit_aliases(call, values, None)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit_keys(call, values, str(row.project))
        self._admit_times(values, row.outputs)
        self._admit_topics(call, values, str(row.project))
        self._admit_aliases(call, values, row)

    def _admit_aliases(self, call: Call, values: dict[str, Any], row: Row | None) -> None:
        """A name is for a version that is there."""
        for alias, version in (values.get("versionAliases") or {}).items():
            name = f"{row.outputs['name']}/versions/{version}" if row is not None else ""
            if not name or store.find(call.tx, "gcp:secretmanager/secretVersion:SecretVersion", name) is None:
                raise ApiError(
                    400,
                    "INVALID_ARGUMENT",
                    f"Version alias '{alias}' stands for version {version}, which the secret does not have.",
                )

    def _admit_times(self, values: dict[str, Any], old: dict[str, Any] | None) -> None:
        """How long it lives, and when it is to be renewed; a time that was there already may have passed."""
        if values.get("ttl") and values.get("expireTime"):
            raise ApiError(400, "INVALID_ARGUMENT", "Only one of expire_time and ttl can be set.")
        rotation = values.get("rotation") or {}
        period, first = rotation.get("rotationPeriod"), rotation.get("nextRotationTime")
        if period and not first:
            raise ApiError(400, "INVALID_ARGUMENT", "next_rotation_time must be set when rotation_period is set.")
        if period and not 3600 <= float(str(period).removesuffix("s")) <= 3_155_760_000:
            raise ApiError(400, "INVALID_ARGUMENT", "rotation_period must be between 1 hour and 100 years.")
        before = old or {}
        for text, was in ((first, (before.get("rotation") or {}).get("nextRotationTime")), (
            values.get("expireTime"), before.get("expireTime"))):  # fmt: skip
            if text and text != was and _moment(str(text)) < time.time():
                raise ApiError(400, "INVALID_ARGUMENT", f"{text} lies in the past; it must be in the future.")
        if rotation and not values.get("topics"):
            raise ApiError(400, "INVALID_ARGUMENT", "Topics must be set when rotation is set.")
        delay = values.get("versionDestroyTtl")
        if delay and not 86400 <= float(str(delay).removesuffix("s")) <= 1000 * 86400:
            raise ApiError(400, "INVALID_ARGUMENT", "version_destroy_ttl must be between 24 hours and 1000 days.")
        if sum(len(str(k)) + len(str(v)) for k, v in (values.get("annotations") or {}).items()) > 16384:
            raise ApiError(400, "INVALID_ARGUMENT", "The total size of annotations must be less than 16 KiB.")

    def _admit_topics(self, call: Call, values: dict[str, Any], project: str) -> None:
        """A topic must be there, and the service's agent allowed to publish to it."""
        for topic in values.get("topics") or ():
            name = str(topic.get("name", ""))
            if not re.fullmatch(r"projects/[^/]+/topics/[^/]+", name):
                raise ApiError(400, "INVALID_ARGUMENT", f"Topic '{name}' is not of the form projects/*/topics/*.")
            email = checks.agent(call, project, "secretmanager")
            there = store.find(call.tx, "gcp:pubsub/topic:Topic", name) is not None
            if not there or not checks.may_publish(call, name, email, project):
                raise ApiError(
                    400,
                    "FAILED_PRECONDITION",
                    f"The Secret Manager service identity 'serviceAccount:{email}' does not have permission"
                    f" 'pubsub.topics.publish' on '{name}', or the topic does not exist.",
                )

    def _admit_keys(self, call: Call, values: dict[str, Any], project: str) -> None:
        replication = values.get("replication") or {}
        automatic, managed = replication.get("auto"), replication.get("userManaged")
        if (automatic is None) == (managed is None):
            raise ApiError(
                400, "INVALID_ARGUMENT", "Secret replication must be set to either automatic or user managed."
            )
        wanted = [("global", (automatic or {}).get("customerManagedEncryption"))]
        replicas = (managed or {}).get("replicas", ())
        wanted += [(str(r.get("location")), r.get("customerManagedEncryption")) for r in replicas]
        for location, encryption in wanted:
            key = (encryption or {}).get("kmsKeyName")
            if not key:
                continue
            email = checks.agent(call, project, "secretmanager")
            refusal = ApiError(
                400,
                "FAILED_PRECONDITION",
                f"Secret Manager service identity 'serviceAccount:{email}' does not have permission"
                f" 'cloudkms.cryptoKeyVersions.useToEncrypt' on CryptoKey '{key}', or the key does not exist.",
            )
            checks.require_key(call, str(key), location=location, email=email, refusal=refusal)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The full name has the project's number."""
        project = str(old.project if old is not None else values["project"])
        number = store.project_number(call.tx, project)
        made: dict[str, Any] = {"name": f"projects/{number}/secrets/{resource_id.rpartition('/')[2]}"}
        ttl = values.get("ttl")
        if ttl and not values.get("expireTime") and old is None:
            made["expireTime"] = synthesis.timestamp(time.time() + float(str(ttl).removesuffix("s")))
        return made

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Secret Manager."""
        return ApiError(409, "ALREADY_EXISTS", f"Secret [{resource_id}] already exists.")


class SecretVersion(GoogleResource):
    """A version: its number comes from the service, its payload never changes."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Add a version to an existing secret."""
        values = self.resolve(call, inputs)
        secret = str(values["secret"])
        if not secret.startswith("projects/"):
            secret = f"projects/{call.settings.project}/secrets/{secret}"
        parts = secret.split("/")
        project = checks.require_project(call, parts[1])
        checks.require_api(call, project, self.api)
        parent = f"projects/{project}/secrets/{parts[3]}" if len(parts) == 4 else secret
        holder = store.find(call.tx, SECRET, parent)
        if holder is None:
            raise ApiError(404, "NOT_FOUND", f"Secret [{secret}] not found or has no versions.")
        payload = values.get("secretData", values.get("secretDataWo"))
        if not isinstance(payload, str) or not payload:
            raise ApiError(400, "INVALID_ARGUMENT", "The secret payload must not be empty.")
        if len(payload.encode()) > _LIMIT:
            raise ApiError(400, "INVALID_ARGUMENT", f"The secret payload is larger than {_LIMIT} bytes.")
        number = call.world.next_value(f"version|{holder.key}|{holder.created}")
        name = f"{holder.outputs['name']}/versions/{number}"
        now = time.time()
        outputs = {
            **values,
            "secret": secret,
            "name": name,
            "version": str(number),
            "createTime": synthesis.timestamp(now),
            "destroyTime": "",
        }
        outputs.pop("secretDataWo", None)
        row = Row(name, self.token, project, f"{self.token}|{name}", inputs, outputs, call.secrets, "user", now, now)
        store.insert(call.tx, row)
        return State(name, inputs, outputs, call.secrets)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """An update switches the version on or off."""
        kept = ("name", "version", "createTime", "destroyTime", "secret")
        return {name: old.outputs[name] for name in kept} if old is not None else {}

    def observe(self, call: Call, row: Row) -> Row | None:
        """A version goes with its secret."""
        match = re.fullmatch(r"projects/(\d+)/secrets/([^/]+)/versions/\d+", row.id)
        project = store.project_by_number(call.tx, match.group(1)) if match else None
        if match is None or store.find(call.tx, SECRET, f"projects/{project}/secrets/{match.group(2)}") is None:
            store.remove(call.tx, row)
            return None
        return row

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """`DISABLE` leaves a disabled version behind, the default destroys it."""
        if outputs.get("deletionPolicy") == "DISABLE":
            row = store.find(call.tx, self.token, resource_id)
            if row is not None:
                store.replace(call.tx, row, row.inputs, {**row.outputs, "enabled": False}, row.secrets)
                store.keep(call.tx, row)
            return
        super().delete(call, resource_id, outputs)
