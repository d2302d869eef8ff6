"""What changes in a resource of a plugin of ours, judged by the plugin itself.

The plugins' `check` and `diff` are pure: they call nobody, and need neither a cloud nor a credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from providers.azure.resources import resources as azure
from providers.base import Resource, State, detailed
from providers.data_fusion.resources import resources as data_fusion
from providers.wire import UNKNOWN, path_text

_UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@cache
def _resources() -> dict[str, Resource]:
    return {**azure(), **data_fusion()}


def known(token: str) -> bool:
    """Whether a type is one of a plugin of ours."""
    return token in _resources()


def changes(
    token: str, id_: str, was: Mapping[str, Any], outputs: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[dict[str, str], set[str]]:
    """Place → the engine's kind of change, and the places that replace. Values as they go over the wire."""
    resource = _resources()[token]
    inputs, failures = resource.check(_values(now), _values(was))
    if failures:
        inputs = _values(now)
    found = resource.diff(id_, State(id=id_, inputs=_values(was), outputs=_values(outputs)), inputs)
    return detailed(found), {path_text(path) for path in found.replaces}


def _values(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _values(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_values(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # as the engine hands numbers to plugins
    return UNKNOWN if value == _UNKNOWN_TEXT else value
