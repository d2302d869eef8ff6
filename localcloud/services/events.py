"""Cloud Scheduler and Eventarc: jobs that are due, triggers that listen.

Words of the refusals: Google's troubleshooting page of Eventarc ("Troubleshoot issues"), and of Cloud Scheduler's API
as quoted in terraform-provider-google's issues.
"""

from __future__ import annotations

import re
import zoneinfo
from typing import Any
from urllib.parse import urlsplit

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, identity
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

JOB = "gcp:cloudscheduler/job:Job"
TRIGGER = "gcp:eventarc/trigger:Trigger"
PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
STORAGE_EVENTS = tuple(
    f"google.cloud.storage.object.v1.{what}" for what in ("finalized", "deleted", "archived", "metadataUpdated")
)
_RECEIVER = "roles/eventarc.eventReceiver"
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: number for number, name in enumerate(_MONTHS, start=1)},
    {name: number for number, name in enumerate(_DAYS)},
)


class Job(GoogleResource):
    """A job: when it is due, and whom it calls as whom."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Schedule, deadline, target."""
        self._admit(values)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit(values)

    def _admit(self, values: dict[str, Any]) -> None:
        if not _is_cron(str(values.get("schedule") or "")) or not _is_zone(str(values.get("timeZone") or "Etc/UTC")):
            raise ApiError(400, "INVALID_ARGUMENT", "Schedule or time zone is invalid.")
        target = values.get("httpTarget")
        deadline = _seconds(values.get("attemptDeadline"))
        if deadline is not None and target is not None and not 15 <= deadline <= 1800:
            raise ApiError(
                400, "INVALID_ARGUMENT", "The value of attempt_deadline must be between 15 seconds and 30 minutes."
            )
        if isinstance(target, dict):
            _admit_target(target)
        message = values.get("pubsubTarget")
        if isinstance(message, dict) and not message.get("data") and not message.get("attributes"):
            raise ApiError(
                400, "INVALID_ARGUMENT", "PubsubMessage must contain either non-empty data, or at least one attribute."
            )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Whether it runs."""
        paused = values.get("paused") is True
        retry = values.get("retryConfig")
        filled = {
            "maxBackoffDuration": "3600s",
            "maxDoublings": 5,
            "maxRetryDuration": "0s",
            "minBackoffDuration": "5s",
            "retryCount": 0,
        }
        return {
            "paused": paused,
            "state": "PAUSED" if paused else "ENABLED",
            **({"retryConfig": {**filled, **retry}} if isinstance(retry, dict) else {}),
        }


def _admit_target(target: dict[str, Any]) -> None:
    address = urlsplit(str(target.get("uri") or ""))
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ApiError(400, "INVALID_ARGUMENT", f"Invalid URI: {target.get('uri')}")
    token = target.get("oauthToken")
    if token is not None and not address.hostname.endswith(".googleapis.com"):
        raise ApiError(
            400,
            "INVALID_ARGUMENT",
            "OAuth tokens may only be used with URLs of Google APIs hosted on *.googleapis.com.",
        )


def _seconds(text: Any) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(text or ""))
    return float(match[1]) if match else None


def _is_zone(name: str) -> bool:
    return name in zoneinfo.available_timezones()


def _is_cron(text: str) -> bool:
    """Five fields of unix-cron; the days of a week are 0 to 6."""
    fields = text.split()
    return len(fields) == len(_RANGES) and all(
        _is_part(part, low, high, names)
        for field, (low, high), names in zip(fields, _RANGES, _NAMES, strict=True)
        for part in field.lower().split(",")
    )


def _is_part(part: str, low: int, high: int, names: dict[str, int]) -> bool:
    match = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
    if match is None or (match[4] is not None and not 1 <= int(match[4]) <= high):
        return False
    if match[1] == "*":
        return True
    ends = [names.get(end, int(end) if end.isdigit() else -1) for end in (match[2], match[3] or match[2])]
    return low <= ends[0] <= ends[1] <= high


class Trigger(GoogleResource):
    """A trigger: what it listens to, what it starts, and who as."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Agent, criteria, destination, account."""
        project = str(values["project"])
        agent = checks.agent(call, project, "eventarc")
        if not store.granted(call.tx, f"projects/{project}", "roles/eventarc.serviceAgent", f"serviceAccount:{agent}"):
            raise ApiError(
                400,
                "FAILED_PRECONDITION",
                "Permission denied while using the Eventarc Service Agent. If you recently started to use Eventarc, it"
                " may take a few minutes before all necessary permissions are propagated to the Service Agent.",
            )
        criteria = {str(c["attribute"]): str(c["value"]) for c in values.get("matchingCriterias") or []}
        if "type" not in criteria:
            raise ApiError(400, "INVALID_ARGUMENT", "trigger.event_filters: event type is required")
        self._admit_destination(call, values, project)
        self._admit_source(call, values, project, criteria)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """Destination and account."""
        self._admit_destination(call, values, str(row.project))

    def _admit_destination(self, call: Call, values: dict[str, Any], project: str) -> None:
        destination = values.get("destination") or {}
        given = [name for name in ("workflow", "cloudRunService", "gke", "httpEndpoint") if destination.get(name)]
        if len(given) != 1:
            raise ApiError(400, "INVALID_ARGUMENT", "trigger.destination: exactly one destination must be set")
        workflow = destination.get("workflow")
        if workflow and not checks.exists(call, identity.relative(str(workflow))):
            raise ApiError(404, "NOT_FOUND", f"Workflow '{workflow}' was not found")
        account = str(values.get("serviceAccount") or "")
        if workflow and not account:
            raise ApiError(
                400, "INVALID_ARGUMENT", "trigger.service_account: a service account is required for this destination"
            )
        if account:
            checks.require_account(call, identity.last(account))

    def _admit_source(self, call: Call, values: dict[str, Any], project: str, criteria: dict[str, str]) -> None:
        kind = criteria["type"]
        topic = ((values.get("transport") or {}).get("pubsub") or {}).get("topic")
        if topic and not checks.exists(call, _topic_path(str(topic), project)):
            raise ApiError(404, "NOT_FOUND", f"Resource not found (resource={identity.last(str(topic))}).")
        if kind == PUBLISHED:
            if set(criteria) != {"type"}:
                raise ApiError(400, "INVALID_ARGUMENT", f"trigger.event_filters: {kind} has no other attributes")
            return
        account = str(values.get("serviceAccount") or "")
        member = f"serviceAccount:{identity.last(account)}"
        if not store.granted(call.tx, f"projects/{project}", _RECEIVER, member):
            raise ApiError(
                403,
                "PERMISSION_DENIED",
                f'Permission "eventarc.events.receiveEvent" denied on "{identity.last(account)}"',
            )
        if kind in STORAGE_EVENTS:
            self._admit_bucket(call, values, project, criteria)

    def _admit_bucket(self, call: Call, values: dict[str, Any], project: str, criteria: dict[str, str]) -> None:
        if set(criteria) != {"type", "bucket"}:
            raise ApiError(
                400, "INVALID_ARGUMENT", "trigger.event_filters: events of Cloud Storage are filtered by bucket only"
            )
        bucket = store.find(call.tx, "gcp:storage/bucket:Bucket", criteria["bucket"])
        if bucket is None:
            raise ApiError(404, "NOT_FOUND", f'Bucket "{criteria["bucket"]}" not found')
        place, location = str(bucket.outputs["location"]).lower(), str(values["location"]).lower()
        if place != location:
            raise ApiError(
                400,
                "INVALID_ARGUMENT",
                f'Bucket "{bucket.id}" location "{place}" does not match trigger location "{location}". Try again by'
                f' creating the trigger in "{place}".',
            )
        email = checks.agent(call, str(bucket.project), "storage")
        publishers = (
            store.granted(call.tx, f"projects/{project}", role, f"serviceAccount:{email}") for role in checks.PUBLISHERS
        )
        if not any(publishers):
            raise ApiError(
                400,
                "FAILED_PRECONDITION",
                "The Cloud Storage service account for your bucket is unable to publish to Cloud Pub/Sub topics in the"
                f" specified project. To use GCS CloudEvent triggers, the GCS service account {email} requires the"
                " Pub/Sub Publisher (roles/pubsub.publisher) IAM role in the specified project.",
            )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The subscription it listens by, and the topic where it was given none."""
        if old is not None:
            return {"transport": old.outputs["transport"]}
        project, location, name = str(values["project"]), str(values["location"]), str(values["name"])
        topic = ((values.get("transport") or {}).get("pubsub") or {}).get("topic")
        serial = call.world.next_value("eventarc") % 1000
        base = f"eventarc-{location}-{name}"
        pubsub = {
            "topic": topic or f"projects/{project}/topics/{base}-{serial:03d}",
            "subscription": f"projects/{project}/subscriptions/{base}-sub-{serial:03d}",
        }
        return {"transport": {"pubsub": pubsub}, "conditions": {}, "eventDataContentType": "application/json"}


def _topic_path(topic: str, project: str) -> str:
    return topic if topic.startswith("projects/") else f"projects/{project}/topics/{topic}"
