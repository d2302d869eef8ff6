"""Plain-text secrets on an instance: they never reach a file, a difference or a log.

A property that gives a secret away is read as a macro that names a secure key. Whoever pulls is told which to make.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataplatform.datafusion.layout import is_secret
from dataplatform.datafusion.model import Json, Key, Kind


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """A secret that was read as a macro."""

    key: Key
    property: str
    secure_key: str

    def __str__(self) -> str:
        return (
            f"{self.key}: '{self.property}' holds a secret in plain text on the instance; it was written as "
            f"${{secure({self.secure_key})}}: keep the secret as that secure key, then push"
        )


def hide(export: Mapping[Key, Json]) -> tuple[dict[Key, Json], list[Hidden]]:
    """The export without secrets, and what was hidden."""
    hidden: list[Hidden] = []
    made = {}
    for key, body in export.items():
        if key.kind in (Kind.ARTIFACT, Kind.SECURE_KEYS):
            made[key] = body
            continue
        made[key] = _walk(body, key, "", hidden)
    return made, hidden


def _walk(value: Any, key: Key, owner: str, hidden: list[Hidden]) -> Any:
    if isinstance(value, list):
        return [_walk(v, key, owner, hidden) for v in value]
    if not isinstance(value, dict):
        return value
    name = value.get("name")
    within = name if isinstance(name, str) and "plugin" in value else owner
    made = {}
    for field, child in value.items():
        said = name if field == "value" and isinstance(name, str) else str(field)
        if isinstance(child, str) and is_secret(said, child):
            secure = _secure_name(key.name or key.namespace, within, said)
            hidden.append(Hidden(key=key, property=said, secure_key=secure))
            made[field] = f"${{secure({secure})}}"
        else:
            made[field] = _walk(child, key, within, hidden)
    return made


def _secure_name(*parts: str) -> str:
    """Secure keys have lower-case letters, digits, _ and -."""
    text = "-".join(part for part in parts if part).lower()
    return re.sub(r"[^a-z0-9_-]+", "-", text).strip("-")[:120] or "secret"
