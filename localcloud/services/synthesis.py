"""Outputs a service makes up: names, links, times, tags. The same resource always has the same ones."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localcloud.rules.tables import Property


def timestamp(moment: float) -> str:
    """RFC 3339 in UTC with microseconds, as Google writes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def etag(*parts: object) -> str:
    """An entity tag that changes with its parts."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).digest()
    return base64.urlsafe_b64encode(digest[:9]).decode()


def number(*parts: object) -> int:
    """A 19-digit number that belongs to the parts."""
    digest = hashlib.sha256(json.dumps(parts, default=str).encode()).digest()
    return 10**18 + int.from_bytes(digest[:7], "big")


def value(prop: Property, resource_id: str, serial: int, inputs: Mapping[str, Any], created: float, now: float) -> Any:
    """What an output-only property holds after creation, by its name and type.

    `serial` tells a resource from an earlier one of the same id. A list is empty: nothing has happened to it yet.
    """
    name, kind = prop.name, prop.type
    lowered = name.lower()
    text = _text(lowered, name, resource_id, serial, inputs, created, now)
    if kind in ("int", "number"):
        return (
            number(resource_id, serial) if lowered.endswith(("id", "number")) else 1 if "generation" in lowered else 0
        )
    if kind == "bool":
        return False
    if kind.startswith(("list<", "set<")):
        return []
    if kind.startswith("map<") or kind == "object":
        return {}
    return text


def _text(
    lowered: str, name: str, resource_id: str, serial: int, inputs: Mapping[str, Any], created: float, now: float
) -> str:
    if lowered in ("createtime", "creationtimestamp", "creationtime", "timecreated"):
        return timestamp(created)
    if lowered in ("updatetime", "updated", "lastmodifiedtime"):
        return timestamp(now)
    if lowered in ("deletetime", "expiretime", "destroytime", "statemessage", "lastattachtimestamp"):
        return ""
    if lowered == "selflink":
        return f"https://www.googleapis.com/{resource_id}"
    if lowered == "name":
        return resource_id
    if lowered in ("uid", "uuid"):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource_id}#{serial}"))
    if "etag" in lowered or "fingerprint" in lowered:
        return etag(resource_id, inputs)
    if lowered in ("state", "lifecyclestate"):
        return "ACTIVE"
    if lowered.endswith(("id", "number")):
        return str(number(resource_id, serial))
    if lowered.endswith(("uri", "url", "endpoint")):
        host = hashlib.sha256(f"{resource_id}#{serial}".encode()).hexdigest()[:10]
        return f"https://{resource_id.rpartition('/')[2].lower()}-{host}.example.invalid"
    return ""
