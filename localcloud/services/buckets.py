"""What a bucket's settings go with, and what its retention keeps.

Source: Google's documentation of Cloud Storage, "Bucket Lock", "Soft delete", "Autoclass" and "Object Lifecycle
Management"; the words are the service's where they are known.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import files
from localcloud.services.base import Call
from localcloud.store import Row

BUCKET = "gcp:storage/bucket:Bucket"
_CENTURY = 36525 * 86400
_UPLOADS = frozenset({"age", "matchesPrefixes", "matchesSuffixes"})


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid", message)


def _period(policy: Any) -> int:
    return int(float(str((policy or {}).get("retentionPeriod") or 0)))


def admit_settings(values: Mapping[str, Any]) -> None:
    """Retention, soft deletion, autoclass and lifecycle rules, each by itself and together."""
    policy = values.get("retentionPolicy")
    if policy is not None:
        if not 1 <= _period(policy) <= _CENTURY:
            raise _invalid("The retention period must be between 1 second and 100 years.")
        if (values.get("versioning") or {}).get("enabled") is True:
            raise _invalid("Object Versioning and a retention policy cannot both be enabled for a bucket.")
    folders = (values.get("hierarchicalNamespace") or {}).get("enabled") is True
    if folders and values.get("uniformBucketLevelAccess") is not True:
        raise _invalid("Hierarchical namespace can only be enabled when uniform bucket-level access is enabled.")
    kept = (values.get("softDeletePolicy") or {}).get("retentionDurationSeconds")
    if kept is not None and int(kept) != 0 and not 7 * 86400 <= int(kept) <= 90 * 86400:
        raise _invalid("Soft delete retention duration must be 0 or between 7 and 90 days.")
    autoclass = values.get("autoclass") or {}
    if autoclass.get("terminalStorageClass") not in (None, "", "NEARLINE", "ARCHIVE"):
        raise _invalid(f"Invalid terminal storage class: '{autoclass['terminalStorageClass']}'.")
    chosen = autoclass.get("enabled") is True
    if chosen and str(values.get("storageClass", "STANDARD")) != "STANDARD":
        raise _invalid("A bucket with Autoclass must have the default storage class STANDARD.")
    for rule in values.get("lifecycleRules") or ():
        _admit_rule(rule, chosen=chosen)


def _admit_rule(rule: Mapping[str, Any], *, chosen: bool) -> None:
    action, condition = rule.get("action") or {}, rule.get("condition") or {}
    given = {name for name, value in condition.items() if value not in (None, "", [], {}, False)}
    kind = action.get("type")
    if kind not in ("Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"):
        raise _invalid(f"Invalid lifecycle action: '{kind}'.")
    if not given:
        raise _invalid("A lifecycle rule must have at least one condition.")
    if (kind == "SetStorageClass") != bool(action.get("storageClass")):
        raise _invalid("A storage class belongs to the action SetStorageClass, and it must have one.")
    if kind == "AbortIncompleteMultipartUpload" and given - _UPLOADS:
        raise _invalid("AbortIncompleteMultipartUpload takes the conditions age, matchesPrefix and matchesSuffix only.")
    if chosen and (kind == "SetStorageClass" or "matchesStorageClasses" in given):
        raise _invalid("A lifecycle rule of a bucket with Autoclass must not set or match storage classes.")


def admit_lock(bucket: str, before: Any, after: Any) -> None:
    """A locked policy can only be made longer."""
    if not (before or {}).get("isLocked"):
        return
    if _period(after) < _period(before):
        words = "Cannot reduce retention duration of a locked Retention Policy" if after else "Cannot remove a locked"
        raise ApiError(403, "forbidden", f"{words}{'' if after else ' Retention Policy'} for bucket '{bucket}'.")


def admit_removal(call: Call, bucket: str, name: str) -> None:
    """An object under retention is neither deleted nor overwritten."""
    row, held = store.find(call.tx, BUCKET, bucket), files.stat(call, bucket, name)
    until = _kept_until(row, held.generation) if row is not None and held is not None else 0.0
    if until > time.time():
        moment = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
        raise ApiError(
            403,
            "retentionPolicyNotMet",
            f"Object '{bucket}/{name}' is subject to bucket's retention policy or object retention and cannot be"
            f" deleted or overwritten until {moment}",
        )


def retained(call: Call, row: Row) -> bool:
    """Whether the bucket holds an object that must be kept still."""
    held = (files.stat(call, row.id, name) for name in files.names(call, row.id)) if _has_policy(row) else ()
    return any(_kept_until(row, found.generation) > time.time() for found in held if found is not None)


def _has_policy(row: Row) -> bool:
    return bool(row.outputs.get("retentionPolicy"))


def _kept_until(row: Row, generation: int) -> float:
    # A generation is the moment the object was made, in microseconds.
    return generation / 1e6 + _period(row.outputs.get("retentionPolicy")) if _has_policy(row) else 0.0
