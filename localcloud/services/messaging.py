"""Pub/Sub subscriptions: where messages go, and whether who writes them there may.

The service looks at both when a subscription is made or changed: the acceptance tests of the Terraform provider grant
its agent before any subscription into a table or a bucket (resource_pubsub_subscription_test.go).
"""

from __future__ import annotations

import json
import re
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

_TABLE = re.compile(r"([^.:]+)[.:]([^.]+)\.([^.]+)")
_BASIC = ("roles/editor", "roles/owner")
_TABLE_WRITERS = ("roles/bigquery.dataEditor", "roles/bigquery.dataOwner", "roles/bigquery.admin", *_BASIC)
_OBJECT_WRITERS = (
    "roles/storage.admin",
    "roles/storage.objectAdmin",
    "roles/storage.objectCreator",
    "roles/storage.objectUser",
    "roles/storage.legacyBucketWriter",
    "roles/storage.legacyBucketOwner",
    *_BASIC,
)


class Subscription(GoogleResource):
    """A subscription of a topic."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Where the messages go."""
        self._admit(call, values, str(values["project"]))

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit(call, values, str(row.project))

    def _admit(self, call: Call, values: dict[str, Any], project: str) -> None:
        kinds = ("pushConfig", "bigqueryConfig", "cloudStorageConfig")
        given = [name for name in kinds if (values.get(name) or {}) and _target(values[name])]
        if len(given) > 1:
            raise ApiError(
                400, "INVALID_ARGUMENT", f"A subscription delivers in one way, not by {' and '.join(given)}."
            )
        deadline = values.get("ackDeadlineSeconds")
        if deadline is not None and int(deadline) and not 10 <= int(deadline) <= 600:
            raise ApiError(
                400, "INVALID_ARGUMENT", f"Invalid ack deadline given: {int(deadline)} (must be 10 to 600 seconds)."
            )
        self._admit_times(values)
        self._admit_push(values)
        attempts = (values.get("deadLetterPolicy") or {}).get("maxDeliveryAttempts")
        if attempts and not 5 <= int(attempts) <= 100:
            raise ApiError(
                400, "INVALID_ARGUMENT", f"Invalid maximum delivery attempts: {int(attempts)} (must be 5 to 100)."
            )
        if "bigqueryConfig" in given:
            self._admit_table(call, values["bigqueryConfig"], project)
        if "cloudStorageConfig" in given:
            self._admit_bucket(call, values["cloudStorageConfig"], project)

    def _admit_times(self, values: dict[str, Any]) -> None:
        """How long messages are kept, and how long the subscription is without anybody."""
        kept = retention(values)
        ttl = seconds((values.get("expirationPolicy") or {}).get("ttl"))
        if ttl is not None and ttl < 86400:
            raise ApiError(400, "INVALID_ARGUMENT", "The expiration ttl must be at least 1 day.")
        if ttl is not None and kept is not None and ttl < kept:
            raise ApiError(
                400, "INVALID_ARGUMENT", "The expiration ttl must not be less than the message retention duration."
            )

    def _admit_push(self, values: dict[str, Any]) -> None:
        endpoint = str((values.get("pushConfig") or {}).get("pushEndpoint") or "")
        if not endpoint:
            return
        if not endpoint.startswith("https://"):
            raise ApiError(
                400,
                "INVALID_ARGUMENT",
                f"Invalid push endpoint given (endpoint={endpoint}). Refer to"
                " https://cloud.google.com/pubsub/docs/subscriber#create for more information.",
            )
        if values.get("enableExactlyOnceDelivery") is True:
            raise ApiError(400, "INVALID_ARGUMENT", "Exactly-once delivery is not supported for push subscriptions.")

    def _admit_table(self, call: Call, config: dict[str, Any], project: str) -> None:
        name = str(config["table"])
        match = _TABLE.fullmatch(name)
        if match is None:
            raise ApiError(
                400, "INVALID_ARGUMENT", f"Invalid BigQuery table name: {name}; it is project.dataset.table."
            )
        owner, dataset, table = match.groups()
        path = f"projects/{owner}/datasets/{dataset}"
        if store.project_number(call.tx, owner) is None:
            return  # of another world's project nothing can be known
        if store.find(call.tx, "gcp:bigquery/table:Table", f"{path}/tables/{table}") is None:
            raise ApiError(404, "NOT_FOUND", f"Resource not found (resource=BigQuery table {name}).")
        places = (f"{path}/tables/{table}", path, f"projects/{owner}")
        self._admit_writer(call, config, project, places, _TABLE_WRITERS, f"BigQuery table: {name}")

    def _admit_bucket(self, call: Call, config: dict[str, Any], project: str) -> None:
        name = str(config["bucket"])
        row = store.find(call.tx, "gcp:storage/bucket:Bucket", name)
        places = (name, f"projects/{row.project if row is not None else project}")
        self._admit_writer(call, config, project, places, _OBJECT_WRITERS, f"Cloud Storage bucket: {name}")

    def _admit_writer(
        self,
        call: Call,
        config: dict[str, Any],
        project: str,
        places: tuple[str, ...],
        roles: tuple[str, ...],
        target: str,
    ) -> None:
        own = str(config.get("serviceAccountEmail") or "")
        email = own or checks.make_agent(call, project, "pubsub")
        if own and checks.foreign(call, own):
            return
        member = f"serviceAccount:{email}"
        if any(_grants(call, place, role, member) for place in places for role in roles):
            return
        raise ApiError(
            403,
            "PERMISSION_DENIED",
            f"The service account {email} is missing permissions required to write to the {target}. Grant it, for"
            f" instance, {roles[0]}.",
        )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The topic by its full name."""
        topic = str(values["topic"])
        project = resource_id.split("/")[1]
        return {"topic": topic if topic.startswith("projects/") else f"projects/{project}/topics/{topic}"}


class Schema(GoogleResource):
    """A schema of messages."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """A definition of its kind."""
        self._admit(values)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """A revision of the same kind."""
        self._admit(values)

    def _admit(self, values: dict[str, Any]) -> None:
        text = str(values.get("definition") or "")
        wrong = "it is empty" if not text.strip() else ""
        if not wrong and values.get("type") == "AVRO":
            try:
                wrong = "" if json.loads(text) else "it is empty"
            except ValueError as error:
                wrong = str(error)
        elif not wrong and values.get("type") == "PROTOCOL_BUFFER" and "message" not in text:
            wrong = "it has no message"
        if wrong:
            raise ApiError(400, "INVALID_ARGUMENT", f"Invalid schema definition: {wrong}.")


def seconds(text: Any) -> float | None:
    """A duration of the API, `1200s`; None where there is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return float(text.removesuffix("s"))
    except ValueError:
        raise ApiError(400, "INVALID_ARGUMENT", f"Invalid duration: '{text}'.") from None


def retention(values: dict[str, Any]) -> float | None:
    """How long messages are kept, of a topic or a subscription: from 10 minutes to 31 days."""
    kept = seconds(values.get("messageRetentionDuration"))
    if kept is not None and not 600 <= kept <= 31 * 86400:
        raise ApiError(
            400,
            "INVALID_ARGUMENT",
            f"Invalid message retention duration: {values['messageRetentionDuration']} (must be 10 minutes to 31"
            " days).",
        )
    return kept


def _target(config: dict[str, Any]) -> bool:
    return bool(config.get("pushEndpoint") or config.get("table") or config.get("bucket"))


def _grants(call: Call, place: str, role: str, member: str) -> bool:
    return store.granted(call.tx, place, role, member)
