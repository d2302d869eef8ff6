"""Check: would the provider take these inputs?

Three layers, each silent where an earlier one already spoke about the same property: the SDK's types (`schema`), the
provider's field table (`limits`, `relations`), and the provider's rules in code (`code_rules`). What only the service
refuses (bucket names, regions) is not checked here, as in life: see `names`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.rules import autonaming, code_rules, limits, relations, schema, sdk
from localcloud.rules.failures import Failure
from localcloud.rules.paths import get, parse, render
from localcloud.rules.tables import Node, Property, ResourceTable, known, table
from localcloud.rules.wire import Path, Plain, is_asset, is_unknown, plain


@dataclass(frozen=True)
class CheckResult:
    """Inputs as given, the reasons to refuse them, and what is worth a warning."""

    inputs: dict[str, Any]
    failures: tuple[Failure, ...]
    warnings: tuple[Failure, ...] = ()


def check(
    token: str,
    inputs: dict[str, Any],
    *,
    olds: dict[str, Any] | None = None,
    provider_config: Mapping[str, str] | None = None,
) -> CheckResult:
    """Check a resource's inputs as they are on the wire.

    Args:
        token: the resource type.
        inputs: what the engine sent; unknowns, secrets and outputs at any depth.
        olds: the inputs of the last update, None on create and on replacement.
        provider_config: the provider's own configuration (`project`, `region`, `zone`). Where it is None, a project or
            region missing on both is not reported.
    """
    if not known(token) and not sdk.known(token):
        return CheckResult(inputs, (Failure("", f"unrecognized resource type (Check): {token}"),))
    found = plain(inputs)
    if not known(token):
        return CheckResult(inputs, schema.check(token, found))
    resource = table(token)
    overlong = autonaming.too_long(token, inputs)
    failures = [failure for failure in _schema_failures(resource, found) if not _overlaid(resource, found, failure)]
    spoken = frozenset(failure.property for failure in failures)
    for failure in _table_failures(resource, found, plain(olds).value if olds else None, provider_config, spoken):
        if failure.property not in spoken and failure not in failures:
            failures.append(failure)
    if overlong is not None and resource.auto_name is not None:
        failures.append(Failure(resource.auto_name.field, overlong))
    return CheckResult(inputs, tuple(failures), tuple(_deprecated(resource, found)))


def _schema_failures(resource: ResourceTable, found: Plain) -> tuple[Failure, ...]:
    return schema.check(resource.token, found, resource.tf_path) if sdk.known(resource.token) else ()


def _overlaid(resource: ResourceTable, found: Plain, failure: Failure) -> bool:
    """A number where the SDK says string only because Pulumi shows the provider's integer as one (workspace ids)."""
    path = parse(failure.property)
    node, value = resource.node(path), get(found.value, path)
    # plain() has made whole floats integers, so a fraction stays refused.
    number = isinstance(value, int) and not isinstance(value, bool)
    return number and resource.bridged and node is not None and node.prop is not None and node.prop.type == "int"


def _table_failures(
    resource: ResourceTable,
    found: Plain,
    olds: dict[str, Any] | None,
    config: Mapping[str, str] | None,
    spoken: frozenset[str],
) -> Iterator[Failure]:
    for path, node, block in blocks(resource.root, found.value):
        for name, child in node.children.items():
            if child.prop is not None and render((*path, name)) not in spoken:
                yield from _property(resource, child.prop, (*path, name), block.get(name), found)
    if resource.bridged:
        yield from relations.check(resource, found.value)
    yield from code_rules.check(resource.token, found.value, olds)
    if config is not None:
        yield from code_rules.places(resource.token, resource.properties, resource.id_format, found.value, config)


def blocks(
    node: Node, value: Any, path: Path = (), *, element: bool = False
) -> Iterator[tuple[Path, Node, dict[str, Any]]]:
    """Every object in a value, with its place and its node (list elements and map values share their parent's)."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from blocks(node, item, (*path, index), element=True)
    elif isinstance(value, dict) and not is_asset(value):
        if node.prop is not None and node.prop.is_map and not element:
            for key, item in value.items():
                yield from blocks(node, item, (*path, key), element=True)
            return
        yield path, node, value
        for name, child in node.children.items():
            if value.get(name) is not None:
                yield from blocks(child, value[name], (*path, name))


def _property(resource: ResourceTable, prop: Property, path: Path, value: Any, found: Plain) -> Iterator[Failure]:
    place = render(path)
    if value is None:
        # azure-native's required ones are the SDK's; its table merges a union's variants into one list.
        if resource.bridged and prop.required and not prop.facts.get("sdkOptional") and not prop.has_default:
            yield Failure(place, schema.missing_argument(resource.tf_path(path)))
        return
    if is_unknown(value):
        return
    field = resource.tf_path(path)
    if prop.output_only and resource.bridged:
        yield Failure(
            place,
            f'Value for unconfigurable attribute. Can\'t configure a value for "{field}": its value will be decided '
            "automatically based on the result of applying this configuration.",
        )
        return
    shown = "[secret]" if found.is_secret(path) or prop.hidden else _text(value)
    for reason in (limits.bridged if resource.bridged else limits.azure)(
        prop, value, field if resource.bridged else place, shown
    ):
        yield Failure(place, reason)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _deprecated(resource: ResourceTable, found: Plain) -> Iterator[Failure]:
    for path, node, block in blocks(resource.root, found.value):
        for name, child in node.children.items():
            if child.prop is not None and child.prop.facts.get("deprecated") and block.get(name) is not None:
                yield Failure(render((*path, name)), f"deprecated: {child.prop.facts['deprecated']}")
