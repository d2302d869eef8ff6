"""Replacements that depend on values: what the providers decide in code over the plan.

Each rule says, for one changed path, whether the change replaces (True), updates in place (False) or is none at all
(None). Each is what the `customizeDiff` hooks the tables name for the resource do.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.rules.code_rules import IMAGE_VERSION, is_composer_3
from localcloud.rules.paths import get, render
from localcloud.rules.tables import ResourceTable

if TYPE_CHECKING:
    from localcloud.rules.diff import Change

Decide = Callable[["Change", dict[str, Any], dict[str, Any]], bool | None]


def apply(resource: ResourceTable, changes: list[Change], old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """The changes with the conditional rules of the resource type applied."""
    rules = _RULES.get(resource.token, {})
    result: list[Change] = []
    for change in changes:
        place = render(change.path)
        decide = next(
            (rule for path, rule in rules.items() if place == path or place.startswith((f"{path}.", f"{path}["))), None
        )
        verdict: bool | None = change.replace
        if decide is not None:
            verdict = decide(change, old, new)
        elif resource.provider == "databricks":
            verdict = _databricks(resource, change)
        if verdict is not None:
            result.append(replace(change, replace=verdict))
    return result


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _shrinks(change: Change, _old: dict[str, Any], _new: dict[str, Any]) -> bool:
    before, after = _number(change.old), _number(change.new)
    return before is not None and after is not None and after < before


def _composer_network(_change: Change, _old: dict[str, Any], new: dict[str, Any]) -> bool:
    return not is_composer_3(get(new, IMAGE_VERSION))


def _range_moves(change: Change, _old: dict[str, Any], _new: dict[str, Any]) -> bool:
    """Growing a subnetwork's range is in place; shrinking or moving it is not."""
    try:
        before = ipaddress.ip_network(str(change.old), strict=False)
        after = ipaddress.ip_network(str(change.new), strict=False)
    except ValueError:
        return True
    if isinstance(before, ipaddress.IPv4Network) and isinstance(after, ipaddress.IPv4Network):
        return not before.subnet_of(after)
    return True


def _sql_disk(change: Change, old: dict[str, Any], new: dict[str, Any]) -> bool | None:
    if not _shrinks(change, old, new):
        return False
    settings = new.get("settings")
    autoresize = settings.get("diskAutoresize", True) if isinstance(settings, dict) else True
    return None if autoresize else True


def _retention(change: Change, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Unlocking a retention policy, also by taking it away."""
    if change.path not in (("retentionPolicy",), ("retentionPolicy", "isLocked")):
        return False
    return get(old, ("retentionPolicy", "isLocked")) is True and get(new, ("retentionPolicy", "isLocked")) is not True


def _switchover(change: Change, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """A change of master replaces unless a replica that is listed on the old primary takes over."""
    del old
    replicas = new.get("replicaNames")
    return not (isinstance(replicas, list) and change.new in replicas)


def _columns(text: Any) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return [column for column in found if isinstance(column, dict)] if isinstance(found, list) else None


_WIDER = {
    "INTEGER": ("INT64", "INTEGER", "NUMERIC", "BIGNUMERIC", "FLOAT", "FLOAT64", "DECIMAL", "BIGDECIMAL"),
    "INT64": ("INT64", "INTEGER", "NUMERIC", "BIGNUMERIC", "FLOAT", "FLOAT64", "DECIMAL", "BIGDECIMAL"),
    "NUMERIC": ("NUMERIC", "BIGNUMERIC", "FLOAT", "FLOAT64", "DECIMAL", "BIGDECIMAL"),
    "FLOAT": ("FLOAT", "FLOAT64"),
    "FLOAT64": ("FLOAT", "FLOAT64"),
    "BOOLEAN": ("BOOLEAN", "BOOL"),
    "BOOL": ("BOOLEAN", "BOOL"),
    "RECORD": ("RECORD", "STRUCT"),
    "STRUCT": ("RECORD", "STRUCT"),
}


def _schema(change: Change, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """A BigQuery schema changes in place by adding nullable columns, widening, relaxing, or dropping top-level ones."""
    before, after = _columns(change.old), _columns(change.new)
    if before is None or after is None:
        return before is not None and change.new is not None
    external = old.get("externalDataConfiguration") is not None or new.get("externalDataConfiguration") is not None
    return not _in_place(before, after, top=not external)


def schema_in_place(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    """Whether the columns of a table of BigQuery's own can become these without a new table."""
    return _in_place(before, after, top=True)


def _in_place(before: list[dict[str, Any]], after: list[dict[str, Any]], *, top: bool) -> bool:
    left = {str(column.get("name", "")).lower(): column for column in before}
    right = {str(column.get("name", "")).lower(): column for column in after}
    dropped, added = left.keys() - right.keys(), right.keys() - left.keys()
    if dropped and (not top or added):
        return False
    if any(str(right[name].get("mode", "NULLABLE")).upper() == "REQUIRED" for name in added):
        return False
    return all(_column_in_place(left[name], right[name]) for name in left.keys() & right.keys())


def _column_in_place(before: dict[str, Any], after: dict[str, Any]) -> bool:
    old_type, new_type = (str(column.get("type", "")).upper() for column in (before, after))
    if new_type != old_type and new_type not in _WIDER.get(old_type, ()):
        return False
    old_mode, new_mode = (str(column.get("mode") or "NULLABLE").upper() for column in (before, after))
    if new_mode != old_mode and (old_mode, new_mode) != ("REQUIRED", "NULLABLE"):
        return False
    return _in_place(before.get("fields") or [], after.get("fields") or [], top=False)


def _databricks(resource: ResourceTable, change: Change) -> bool:
    """What Databricks resources force in code: another workspace, and the properties the table lists."""
    if change.path[0] == "providerConfig" and resource.customize_diff.startswith(
        "providerConfig.workspaceId change: replace"
    ):
        return True
    if resource.token == "databricks:index/catalog:Catalog" and change.path[0] == "options":  # noqa: S105 - a type token
        return change.path[1:2] != ("authorized_paths",)
    return change.replace or str(change.path[0]) in resource.facts.get("customizeDiffForces", ())


_RULES: Mapping[str, Mapping[str, Decide]] = {
    "gcp:composer/environment:Environment": {
        "config.nodeConfig.network": _composer_network,
        "config.nodeConfig.subnetwork": _composer_network,
    },
    "gcp:compute/subnetwork:Subnetwork": {"ipCidrRange": _range_moves},
    "gcp:compute/disk:Disk": {"size": _shrinks},
    "gcp:vpcaccess/connector:Connector": {"minInstances": _shrinks, "maxInstances": _shrinks},
    "gcp:sql/databaseInstance:DatabaseInstance": {"settings.diskSize": _sql_disk, "masterInstanceName": _switchover},
    "gcp:storage/bucket:Bucket": {"retentionPolicy": _retention},
    "gcp:bigquery/table:Table": {"schema": _schema},
}
