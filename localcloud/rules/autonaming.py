"""Automatic names: what the provider calls a resource whose program does not.

The bridge records in the inputs which of them it filled in (`__defaults`), azure-native whether it may create the
replacement first (`__createBeforeDelete`). Both are kept here in the same way, because Diff decides by them whether a
replacement is created before the old resource is deleted. Keys that start with `__` are never shown by the engine.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from localcloud.rules.paths import get
from localcloud.rules.tables import AutoName, ResourceTable, known, table
from localcloud.rules.wire import unwrap

DEFAULTS = "__defaults"
CREATE_FIRST = "__createBeforeDelete"


def autoname(
    token: str,
    urn_name: str,
    random_seed: bytes,
    inputs: dict[str, Any],
    olds: dict[str, Any] | None,
    proposed: str | None = None,
) -> dict[str, Any]:
    """The inputs with the provider's name where the program gave none.

    Args:
        token: the resource type.
        urn_name: the resource's name in the program.
        random_seed: the engine's seed for this resource; the same seed gives the same name.
        inputs: what the program gave.
        olds: the inputs of the last update; a name that was automatic then is kept. None on create and on replacement,
            which therefore gets a new name.
        proposed: the name the engine's autonaming configuration proposes.
    """
    if not known(token):
        return dict(inputs)
    resource = table(token)
    result = {key: value for key, value in inputs.items() if key not in (DEFAULTS, CREATE_FIRST)}
    filled: list[str] = []
    auto = resource.auto_name
    if auto is not None and _given(result, auto.field) is None and not _excluded(resource, auto.field, result):
        old = _old_default(olds, auto.field)
        result[auto.field] = old or proposed or fresh(auto, urn_name, random_seed, _constant(resource))
        filled.append(auto.field)
    if token == "gcp:organizations/project:Project" and _given(result, "name") is None:  # noqa: S105 - a type token
        result["name"] = _old_default(olds, "name") or urn_name
        filled.append("name")
    if resource.bridged:
        result[DEFAULTS] = sorted(filled)
    elif filled and auto is not None and (auto.random or auto.uuid):
        result[CREATE_FIRST] = True
    return result


def fresh(auto: AutoName, urn_name: str, random_seed: bytes, constant: str | None = None) -> str:
    """A new name; one that would be too long is returned as it is, for Check to refuse."""
    if constant is not None:
        return constant
    digest = hashlib.sha256((random_seed or b"") + b"\0" + urn_name.encode()).digest()
    if auto.uuid:
        return str(uuid.UUID(bytes=digest[:16], version=4))
    base = urn_name.lower() if auto.lower else urn_name
    return base + (auto.separator if auto.random else "") + digest.hex()[: auto.random]


def too_long(token: str, inputs: dict[str, Any]) -> str | None:
    """The provider's complaint about an automatic name beyond its limit."""
    auto = table(token).auto_name
    name = None if auto is None else get(inputs, (auto.field,))
    if (
        auto is None
        or not auto.max
        or auto.field not in inputs.get(DEFAULTS, ())
        or not isinstance(name, str)
        or len(name) <= auto.max
    ):
        return None
    base = name[: len(name) - auto.random - len(auto.separator)]
    return f"name '{base}' plus {auto.random} random chars is longer than maximum length {auto.max}"


def is_autonamed(token: str, inputs: dict[str, Any]) -> bool:
    """Whether the resource's name came from `autoname`."""
    resource = table(token)
    if not resource.bridged:
        return bool(inputs.get(CREATE_FIRST))
    auto = resource.auto_name
    return auto is not None and auto.field in inputs.get(DEFAULTS, ())


def _given(inputs: dict[str, Any], field: str) -> Any:
    return unwrap(inputs.get(field))[0]


def _constant(resource: ResourceTable) -> str | None:
    """The only name the service takes, for singletons."""
    constant = (resource.facts.get("nameSpec") or {}).get("const")
    return None if constant is None else str(constant)


def _old_default(olds: dict[str, Any] | None, field: str) -> str | None:
    if not olds or (DEFAULTS in olds and field not in olds[DEFAULTS]):
        return None
    old = _given(olds, field)
    return old if isinstance(old, str) and old else None


def _excluded(resource: ResourceTable, field: str, inputs: dict[str, Any]) -> bool:
    """Whether the program gave a property that conflicts with the name (`namePrefix`), whichever of the two says so."""
    for name, node in resource.root.children.items():
        facts = {} if node.prop is None else node.prop.facts
        rivals = [*facts.get("conflictsWith", ()), *facts.get("exactlyOneOf", ())]
        others = rivals if name == field else [name] if field in rivals else []
        if any(other != field and _given(inputs, other) is not None for other in others):
            return True
    return False
