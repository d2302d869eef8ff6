"""Diff: which inputs changed, and does the change replace the resource?

Old inputs are compared with new ones, property by property along the provider's table. Not a change: what the provider
compares loosely (`compare`), an input left out that the provider fills in itself or that equals the schema's default,
the order of a set. A value not known yet is a change, and of a property that forces replacement it is one that
replaces: Terraform plans it so, and the bridge shows it.

Drift is found the same way: Read hands back refreshed inputs (`refreshed_inputs`), which are the old inputs of the next
Diff.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localcloud.rules import compare, conditional
from localcloud.rules.autonaming import is_autonamed
from localcloud.rules.paths import covers, expand, get, parse, put, render
from localcloud.rules.tables import Node, Property, ResourceTable, known, table
from localcloud.rules.wire import Path, has_unknown, is_asset, is_unknown, plain

ADD, UPDATE, DELETE = "add", "update", "delete"
REPLACE = "-replace"


@dataclass(frozen=True)
class Diff:
    """What Diff answers."""

    changes: bool
    replaces: tuple[str, ...] = ()
    """Top-level properties whose change replaces the resource."""
    detailed: Mapping[str, str] = field(default_factory=dict)
    """Property path -> `add`, `update`, `delete`, each with `-replace` where it replaces. All are input differences."""
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Change:
    """One difference between two inputs."""

    path: Path
    kind: str
    replace: bool
    old: Any = None
    new: Any = None


def diff(
    token: str,
    old_inputs: dict[str, Any],
    old_outputs: dict[str, Any] | None,
    new_inputs: dict[str, Any],
    ignore: Sequence[str] = (),
    *,
    provider_config: Mapping[str, str] | None = None,
) -> Diff:
    """Compare a resource's old inputs with its new ones.

    Args:
        token: the resource type.
        old_inputs: the inputs of the last update, or those a refresh read back.
        old_outputs: the outputs of the last update: what the service chose for inputs that were left out.
        new_inputs: what Check let pass.
        ignore: the resource's ignoreChanges, as property paths; `*` stands for any key or index.
        provider_config: with it, a change of the provider's default project, region or zone is seen.
    """
    old, new = plain(old_inputs).value, plain(new_inputs).value
    patterns = [parse(path) for path in ignore]
    for pattern in patterns:
        for path in expand(pattern, old, new):
            new = put(new, path, get(old, path))
    if known(token):
        resource = table(token)
        outputs = plain(old_outputs).value
        found = [change for change in changes(resource, old, new) if not _already(resource, change, outputs)]
        found += _moved(resource, old, new, outputs, provider_config)
        found = conditional.apply(resource, found, old, new)
    else:
        found = list(
            _compare(
                Node(), old, new, (), _Rules(bridged=not token.startswith("azure-native:"), everything_updates=True)
            )
        )
    found = [change for change in found if not any(covers(pattern, change.path) for pattern in patterns)]
    detailed = {render(change.path): change.kind + (REPLACE if change.replace else "") for change in found}
    replaces = tuple(dict.fromkeys(str(change.path[0]) for change in found if change.replace))
    return Diff(bool(found), replaces, detailed, bool(replaces) and _delete_first(token, old, new, new_inputs))


@dataclass(frozen=True)
class _Rules:
    bridged: bool
    everything_updates: bool = False
    path_params: frozenset[str] = frozenset()


def changes(resource: ResourceTable, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """All differences by the table alone, without the conditional rules."""
    rules = _Rules(resource.bridged, path_params=frozenset(resource.path_params))
    yield from _compare(resource.root, old, new, (), rules)


def _compare(
    node: Node | None, old: Any, new: Any, path: Path, rules: _Rules, *, element: bool = False
) -> Iterator[Change]:
    prop = None if node is None else node.prop
    if _equal(prop, old, new, rules, element=element):
        return
    if is_unknown(new):
        yield Change(path, UPDATE if old is not None else ADD, _forces(node, prop, old, rules), old, new)
    elif old is None or new is None:
        whole = new if old is None else old
        kind = ADD if old is None else DELETE
        yield Change(path, kind, _forces(node, prop, whole, rules), old, new)
    elif is_asset(old) or is_asset(new):
        if not _same_asset(old, new):
            yield Change(path, UPDATE, _forces(None, prop, None, rules), old, new)
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _compare_objects(node, prop, old, new, path, rules, element=element)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _compare_lists(node, prop, old, new, path, rules)
    else:
        yield Change(path, UPDATE, _forces(node, prop, new, rules), old, new)


def _compare_objects(
    node: Node | None,
    prop: Property | None,
    old: dict[str, Any],
    new: dict[str, Any],
    path: Path,
    rules: _Rules,
    *,
    element: bool,
) -> Iterator[Change]:
    of_map = prop is not None and prop.is_map and not element
    for key in dict.fromkeys([*old, *new]):
        below = node if of_map else None if node is None else node.children.get(key)
        if below is None and prop is not None and prop.force_new:
            # The table ends here (a map's value, an open object): its parent's rule holds.
            below = Node(prop)
        found = list(_compare(below, old.get(key), new.get(key), (*path, key), rules, element=of_map))
        yield from found


def _compare_lists(
    node: Node | None, prop: Property | None, old: list[Any], new: list[Any], path: Path, rules: _Rules
) -> Iterator[Change]:
    pairs: list[tuple[int, Any, Any]]
    if prop is not None and prop.is_set:
        # Elements that are in both are the same whatever their place; the rest are compared in order.
        left = list(old)
        rest: list[tuple[int, Any]] = []
        for index, item in enumerate(new):
            match = next((other for other in left if _same_element(node, other, item, rules)), None)
            if match is None:
                rest.append((index, item))
            else:
                left.remove(match)
        pairs = [(index, left[at] if at < len(left) else None, item) for at, (index, item) in enumerate(rest)]
        pairs += [(old.index(item), item, None) for item in left[len(rest) :]]
    else:
        size = max(len(old), len(new))
        pairs = [(at, old[at] if at < len(old) else None, new[at] if at < len(new) else None) for at in range(size)]
    for index, before, after in pairs:
        yield from _compare(node, before, after, (*path, index), rules, element=True)


def _same_element(node: Node | None, old: Any, new: Any, rules: _Rules) -> bool:
    return not any(_compare(node, old, new, (), rules, element=True))


def _equal(prop: Property | None, old: Any, new: Any, rules: _Rules, *, element: bool) -> bool:
    """Whether there is nothing to do about two values."""
    if old == new:
        return not has_unknown(new)
    if is_unknown(new):
        return False
    if not rules.bridged:
        return _equal_azure(prop, old, new, rules)
    if prop is None:
        return False
    if compare.same(old, new, prop) or _weakly(prop, old, new):
        return True
    if element:
        return False
    if old is None or new is None:
        if prop.has_default:
            # Left out is the default, and saying the default is leaving it out.
            return bool((prop.default if old is None else old) == (prop.default if new is None else new))
        if new is None and prop.computed:
            return True
        given = old if new is None else new
        return given in (False, 0, "", [], {}) and prop.type != "object"
    return False


def _weakly(prop: Property, old: Any, new: Any) -> bool:
    """`"4"` and 4, `"true"` and true: Terraform's SDK turns the texts into what the property is."""
    if (
        prop.type not in ("int", "number", "bool")
        or not isinstance(old, (str, int, float))
        or not isinstance(new, (str, int, float))
    ):
        return False
    return str(old).lower() == str(new).lower()


def _equal_azure(prop: Property | None, old: Any, new: Any, rules: _Rules) -> bool:
    if prop is None or not isinstance(old, str) or not isinstance(new, str) or "." in prop.path:
        return False
    if prop.name == "location":
        return old.replace(" ", "").lower() == new.replace(" ", "").lower()
    return prop.name in rules.path_params and old.lower() == new.lower()


def _forces(node: Node | None, prop: Property | None, whole: Any, rules: _Rules) -> bool:
    """Whether a change of a value as a whole replaces: its own rule, or that of something given inside it."""
    if rules.everything_updates:
        return False
    if prop is not None and prop.force_new:
        return True
    if not rules.bridged or node is None:
        return False
    return _inside(node, whole)


def _inside(node: Node, value: Any) -> bool:
    if isinstance(value, list):
        return any(_inside(node, item) for item in value)
    if not isinstance(value, dict):
        return False
    for key, item in value.items():
        below = node.children.get(key)
        if (
            below is not None
            and below.prop is not None
            and ((below.prop.force_new and not below.prop.output_only) or _inside(below, item))
        ):
            return True
    return False


def _same_asset(old: Any, new: Any) -> bool:
    """Assets are the same by their hash; the engine leaves the contents out of old ones."""
    if not (is_asset(old) and is_asset(new)):
        return False
    if old.get("hash") and new.get("hash"):
        return bool(old["hash"] == new["hash"])
    return bool(old == new)


def _already(resource: ResourceTable, change: Change, outputs: dict[str, Any]) -> bool:
    """Nothing to plan: a computed property given what the service chose, or a write-only value (its version tells)."""
    node = resource.node(change.path)
    prop = None if node is None else node.prop
    if prop is None or not resource.bridged:
        return False
    if prop.facts.get("writeOnly"):
        return True
    if change.kind != ADD or not prop.computed:
        return False
    chosen = get(outputs, change.path)
    return chosen is not None and not is_unknown(chosen) and compare.same(chosen, change.new, prop)


def _moved(
    resource: ResourceTable,
    old: dict[str, Any],
    new: dict[str, Any],
    outputs: dict[str, Any],
    config: Mapping[str, str] | None,
) -> Iterator[Change]:
    """A new default project, region or zone of the provider moves what left it out."""
    for place, hook in (
        ("project", "DefaultProviderProject"),
        ("region", "DefaultProviderRegion"),
        ("zone", "DefaultProviderZone"),
    ):
        prop = resource.properties.get(place)
        if (
            config is None
            or prop is None
            or not prop.force_new
            or hook not in resource.customize_diff
            or new.get(place)
        ):
            continue
        was, now = old.get(place) or outputs.get(place), config.get(place)
        if was and now and not is_unknown(was) and not compare.same(was, now, prop) and was != now:
            yield Change((place,), UPDATE if old.get(place) else ADD, True, was, now)


def _delete_first(token: str, old: dict[str, Any], new: dict[str, Any], inputs: dict[str, Any]) -> bool:
    """Whether the old resource must go before its replacement is made: where both would have the same name."""
    if not known(token):
        return False
    resource = table(token)
    if resource.delete_before_replace:
        return True
    auto = resource.auto_name
    if auto is None or is_autonamed(token, inputs):
        return False
    name = new.get(auto.field)
    return (
        name is not None and not is_unknown(name) and old.get(auto.field) == name and not _elsewhere(resource, old, new)
    )


def _elsewhere(resource: ResourceTable, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """azure-native: an id differs as soon as one of its parts does, so both can live side by side."""
    if resource.bridged:
        return False
    return any(str(old.get(name, "")).lower() != str(new.get(name, "")).lower() for name in resource.path_params)
