"""From what a service holds to the inputs a program gave: what Read answers, so that the next Diff shows drift."""

from __future__ import annotations

from typing import Any

from localcloud.rules import compare
from localcloud.rules.tables import Node, known, table
from localcloud.rules.wire import is_asset, is_unknown, secret, unwrap


def refreshed_inputs(token: str, old_inputs: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """The old inputs with the live values in their places.

    Only what the program had set is looked at. A value that differs in text but not to the provider keeps the program's
    text. What the service never gives back (write-only values, passwords, uploaded files) stays as it was; anything
    else the service no longer has is left out. Secrets stay wrapped.
    """
    root = table(token).root if known(token) else Node()
    labelled = "effectiveLabels" in root.children
    result = {}
    for key, old in old_inputs.items():
        if key.startswith("__"):
            result[key] = old
            continue
        own_keys = labelled and key in ("labels", "annotations")
        found = _project(root.children.get(key), old, live.get(key), own_keys=own_keys)
        if found is not None:
            result[key] = found
    return result


def _project(node: Node | None, old: Any, live: Any, *, own_keys: bool = False, element: bool = False) -> Any:
    value, hidden = unwrap(old)
    now, _ = unwrap(live)
    prop = None if node is None else node.prop
    if is_asset(value) or is_unknown(value) or value is None:
        return old
    if now is None:
        return (
            old if prop is not None and (prop.hidden or (hidden and not prop.computed)) else _absent(prop, value, old)
        )
    result = _projected(node, value, now, own_keys=own_keys, element=element)
    if result == value:
        return old
    return secret(result) if hidden else result


def _absent(prop: Any, value: Any, old: Any) -> Any:
    """An empty value and one the service does not mention are the same."""
    return old if value in (False, 0, "", [], {}) or (prop is not None and compare.same(value, None, prop)) else None


def _projected(node: Node | None, value: Any, now: Any, *, own_keys: bool, element: bool) -> Any:
    prop = None if node is None else node.prop
    if prop is not None and not element and compare.same(value, now, prop):
        return value
    if isinstance(value, dict) and isinstance(now, dict):
        of_map = prop is not None and prop.is_map and not element
        keys = dict.fromkeys([*value, *(now if of_map and not own_keys else ())])
        found = {}
        for key in keys:
            below = node if of_map else None if node is None else node.children.get(key)
            item = _project(below, value[key], now.get(key), element=of_map) if key in value else now[key]
            if item is not None:
                found[key] = item
        return found
    if isinstance(value, list) and isinstance(now, list):
        return _projected_list(node, value, now)
    if isinstance(value, str) and isinstance(now, bool):
        return value if value == str(now).lower() else now
    if isinstance(value, str) and isinstance(now, (int, float)):
        return value if value == str(now) else now
    if isinstance(now, str) and isinstance(value, (int, float)) and not isinstance(value, bool):
        return value if now == str(value) else now
    return now


def _projected_list(node: Node | None, value: list[Any], now: list[Any]) -> list[Any]:
    plain_old = [unwrap(item)[0] for item in value]
    if (
        node is not None
        and node.prop is not None
        and node.prop.is_set
        and len(value) == len(now)
        and all(item in now for item in plain_old)
    ):
        return value
    paired = [_project(node, old, live, element=True) for old, live in zip(value, now, strict=False)]
    return [item for item in paired if item is not None] + [_settable(node, item) for item in now[len(value) :]]


def _settable(node: Node | None, item: Any) -> Any:
    """A new element without what a program could not have set."""
    if not isinstance(item, dict) or node is None:
        return item
    outputs = {name for name, child in node.children.items() if child.prop is not None and child.prop.output_only}
    return {key: value for key, value in item.items() if key not in outputs}
