"""Cloud Monitoring and log-based metrics: channels, alert policies, dashboards.

Filters are read as far as their form goes: which metric, which resource, and that labels are written as labels. Names
are the service's own numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, synthesis
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

METRIC = "gcp:logging/metric:Metric"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"

_CHANNEL_LABELS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "email": (frozenset({"email_address"}), frozenset()),
    "pubsub": (frozenset({"topic"}), frozenset()),
    "sms": (frozenset({"number"}), frozenset()),
    "slack": (frozenset({"channel_name"}), frozenset({"authToken"})),
    "pagerduty": (frozenset(), frozenset({"serviceKey"})),
    "webhook_tokenauth": (frozenset({"url"}), frozenset()),
    "webhook_basicauth": (frozenset({"url", "username"}), frozenset({"password"})),
}
"""Type of a channel -> the labels it has, and the sensitive ones."""
_USER_METRIC = "logging.googleapis.com/user/"
_METRIC_TYPE = re.compile(r'\bmetric\.type\s*=\s*"([^"]+)"')
_RESOURCE_TYPE = re.compile(r'\bresource\.type\s*=\s*"[^"]+"')
_METRIC_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+/[A-Za-z0-9_./%-]+")
_TERM = re.compile(
    r"(NOT\s+)?(metric\.type|resource\.type|project|group\.id"
    r"|(metric|resource)\.labels?\.[A-Za-z_][A-Za-z0-9_]*|metadata\.[A-Za-z_.]+)\s*(=|!=|:|>=|<=|>|<)\s*"
    r'("(?:[^"\\]|\\.)*"|monitoring\.regex\.full_match\("(?:[^"\\]|\\.)*"\)|starts_with\("[^"]*"\)|[A-Za-z0-9_.]+)'
)


def filter_problem(text: str) -> str | None:
    """What is wrong with a filter of time series, None where nothing is."""
    rest = re.sub(r"[()]", " ", _TERM.sub(" ", text)) if text.count("(") == text.count(")") else text
    wrong = [word for word in rest.split() if word not in ("AND", "OR")]
    if wrong:
        return f'Field filter had an invalid value of "{text}": syntax error near "{wrong[0]}".'
    types = _METRIC_TYPE.findall(text)
    if len(types) != 1:
        return f'Field filter had an invalid value of "{text}": must specify a restriction on "metric.type".'
    if not _METRIC_NAME.fullmatch(types[0]):
        return f'Field filter had an invalid value of "{text}": "{types[0]}" is no type of a metric.'
    return None


def _admit_filter(call: Call, text: str, project: str, *, resource: bool) -> None:
    """A filter names a metric that there is, and the kind of resource it is of."""
    problem = filter_problem(text)
    if problem is not None:
        raise ApiError(400, "INVALID_ARGUMENT", problem)
    if resource and not _RESOURCE_TYPE.search(text):
        raise ApiError(
            400,
            "INVALID_ARGUMENT",
            f'Field filter had an invalid value of "{text}": must specify a restriction on "resource.type" in the'
            ' filter; see "https://cloud.google.com/monitoring/api/resources" for a list of available resource types.',
        )
    metric = _METRIC_TYPE.findall(text)[0]
    if metric.startswith(_USER_METRIC):
        name = metric.removeprefix(_USER_METRIC)
        known = (row for row in store.everything(call.tx) if row.token == METRIC and row.project == project)
        if not any(row.outputs["name"] == name for row in known):
            raise ApiError(
                404,
                "NOT_FOUND",
                f'Cannot find metric that matches type = "{metric}". If a metric was created recently, it could take up'
                " to 10 minutes to become available. Please try again soon.",
            )


class Metric(GoogleResource):
    """A log-based metric."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The form of its filter."""
        text = str(values.get("filter") or "")
        quoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
        if not text.strip() or '"' in quoted or quoted.count("(") != quoted.count(")"):
            raise ApiError(400, "INVALID_ARGUMENT", f"Unparseable filter: syntax error: {text}")

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self.admit(call, values, row.id)

    def key(self, values: Any, resource_id: str) -> str:
        """Its id is its name alone, which is unique in its project."""
        return f"{self.token}|{values.get('project')}|{resource_id}"

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Cloud Logging."""
        return ApiError(409, "alreadyExists", f"Metric {resource_id} already exists")

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """It counts entries where nothing else is said."""
        return {
            "metricDescriptor": values.get("metricDescriptor")
            or {"metricKind": "DELTA", "valueType": "INT64", "unit": "1"}
        }


class NotificationChannel(GoogleResource):
    """A channel of a type the service has, with the labels of that type."""

    def check_name(self, values: Mapping[str, Any]) -> None:
        """Its `labels` say where it goes; those that are labels are the user's."""
        super().check_name({**values, "labels": values.get("userLabels")})

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Type and labels; the agent that publishes comes with the first topic."""
        self._admit(values)
        if values["type"] == "pubsub":
            checks.make_agent(call, str(values["project"]), "monitoring")

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit(values)

    def _admit(self, values: dict[str, Any]) -> None:
        kind = str(values.get("type"))
        if kind not in _CHANNEL_LABELS:
            raise ApiError(400, "INVALID_ARGUMENT", f'Field "type" had an invalid value of "{kind}": unknown type.')
        plain, sensitive = _CHANNEL_LABELS[kind]
        given = {name for name, value in (values.get("labels") or {}).items() if value}
        hidden = {name for name, value in (values.get("sensitiveLabels") or {}).items() if value}
        if given != plain or not sensitive <= hidden:
            wrong = min((given ^ plain) | (sensitive - hidden))
            raise ApiError(
                400,
                "INVALID_ARGUMENT",
                f"Field \"notification_channel.labels['{wrong}']\" is not as the type {kind} has it.",
            )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Its name is its id; most types need no verification."""
        return {"name": resource_id, "verificationStatus": ""}

    def admit_delete(self, call: Call, row: Row) -> None:
        """Not while a policy tells it, unless that is forced: then the policies let go of it."""
        users = [
            policy
            for policy in store.everything(call.tx)
            if policy.token == POLICY and row.id in (policy.outputs.get("notificationChannels") or [])
        ]
        if users and row.outputs.get("forceDelete") is not True:
            raise ApiError(
                400,
                "FAILED_PRECONDITION",
                f"Cannot delete notification channel {row.id} because it is still referenced by {users[0].id}.",
            )


class AlertPolicy(GoogleResource):
    """A policy: conditions on metrics that exist, told to channels that exist."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Conditions, and how long they last."""
        self._admit(call, values, str(values["project"]))

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit(call, values, str(row.project))

    def _admit(self, call: Call, values: dict[str, Any], project: str) -> None:
        conditions = values.get("conditions") or []
        if not 1 <= len(conditions) <= 6:
            raise ApiError(400, "INVALID_ARGUMENT", "An alerting policy has 1 to 6 conditions.")
        for condition in conditions:
            for kind in ("conditionThreshold", "conditionAbsent"):
                if isinstance(condition.get(kind), dict):
                    self._admit_condition(call, condition[kind], project)

    def _admit_condition(self, call: Call, condition: dict[str, Any], project: str) -> None:
        _admit_filter(call, str(condition.get("filter") or ""), project, resource=True)
        duration = _seconds(condition.get("duration"))
        if duration is None or duration % 60 or duration > 84600:
            raise ApiError(
                400,
                "INVALID_ARGUMENT",
                "Field duration must be a multiple of 60 seconds, and at most 23 hours 30 minutes.",
            )
        if condition.get("comparison") not in (None, "COMPARISON_GT", "COMPARISON_LT"):
            raise ApiError(400, "INVALID_ARGUMENT", "Only COMPARISON_LT and COMPARISON_GT are supported currently.")
        for aggregation in condition.get("aggregations") or []:
            period = _seconds(aggregation.get("alignmentPeriod"))
            if period is None or period < 60 or period % 60:
                raise ApiError(
                    400, "INVALID_ARGUMENT", "Field aggregation.alignment_period must be a multiple of 60 seconds."
                )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Its name, and those of its conditions."""
        conditions = [
            {**condition, "name": f"{resource_id}/conditions/{synthesis.number(resource_id, n)}"}
            for n, condition in enumerate(values.get("conditions") or [])
        ]
        return {"name": resource_id, "conditions": conditions}


class Dashboard(GoogleResource):
    """A dashboard: JSON with a name and one layout."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Its JSON, and the filters in it."""
        self._admit(call, values, str(values["project"]))

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit(call, values, str(row.project))

    def _admit(self, call: Call, values: dict[str, Any], project: str) -> None:
        try:
            found = json.loads(str(values.get("dashboardJson")))
        except ValueError:
            raise ApiError(400, "INVALID_ARGUMENT", "Invalid JSON payload received.") from None
        layouts = {"gridLayout", "mosaicLayout", "rowLayout", "columnLayout"}
        if not isinstance(found, dict) or not found.get("displayName") or len(layouts & set(found)) != 1:
            raise ApiError(400, "INVALID_ARGUMENT", "Field displayName and exactly one layout are required.")
        unknown = set(found) - layouts - {"displayName", "dashboardFilters", "labels", "name", "etag"}
        if unknown:
            raise ApiError(400, "INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{min(unknown)}"')
        for text in _filters(found):
            _admit_filter(call, text, project, resource=False)


def _filters(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "timeSeriesFilter" and isinstance(inner, dict):
                yield str(inner.get("filter") or "")
            else:
                yield from _filters(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _filters(inner)


def _seconds(text: Any) -> int | None:
    match = re.fullmatch(r"(\d+)s", str(text or ""))
    return int(match[1]) if match else None
