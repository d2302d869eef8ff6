"""Rules between properties: conflicts, exactly one of, at least one of, required with.

A rule of a nested property applies where the block that holds it is given. Each group of properties is reported once,
though Terraform says it again for every member. A value that is not known yet may turn out to be there: only what is
wrong whatever it becomes is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localcloud.rules.failures import Failure
from localcloud.rules.paths import get, render
from localcloud.rules.tables import Property, ResourceTable
from localcloud.rules.wire import Path, is_unknown

_KINDS = ("conflictsWith", "exactlyOneOf", "atLeastOneOf", "requiredWith")


def _steps(path: str) -> Path:
    return tuple(path.split("."))


class _Group:
    """The members of a rule and which of them are given."""

    def __init__(self, table: ResourceTable, value: dict[str, Any], members: list[str]) -> None:
        self.members = members
        self.names = sorted(table.tf_path(_steps(member)) for member in members)
        self.given: list[str] = []
        self.open = False
        for member in members:
            found = _lookup(value, _steps(member))
            if is_unknown(found):
                self.open = True
            elif found is not None and found != []:
                self.given.append(table.tf_path(_steps(member)))

    @property
    def listed(self) -> str:
        return ",".join(self.names)


def _lookup(value: Any, path: Path) -> Any:
    for step in path:
        if is_unknown(value):
            return value
        value = get(value, (step,))
    return value


def check(table: ResourceTable, value: dict[str, Any]) -> Iterator[Failure]:
    """All broken rules of a resource's plain inputs."""
    done: set[tuple[str, frozenset[str]]] = set()
    for path, prop in table.properties.items():
        if "[]" in path or "{}" in path or not any(kind in prop.facts for kind in _KINDS):
            continue
        parent = get(value, _steps(path)[:-1])
        if not isinstance(parent, dict):
            continue
        for kind in _KINDS:
            if kind in prop.facts:
                yield from _rule(table, value, prop, kind, done)


def _rule(
    table: ResourceTable, value: dict[str, Any], prop: Property, kind: str, done: set[tuple[str, frozenset[str]]]
) -> Iterator[Failure]:
    references = [str(reference) for reference in prop.facts[kind]]
    members = list(dict.fromkeys([prop.path, *references]))
    own = table.tf_path(_steps(prop.path))
    place = render(_steps(prop.path))
    if kind == "conflictsWith":
        mine = _lookup(value, _steps(prop.path))
        if mine is None or mine == [] or is_unknown(mine):
            return
        for reference in references:
            other = _lookup(value, _steps(reference))
            key = (kind, frozenset((prop.path, reference)))
            if (
                reference != prop.path
                and other is not None
                and other != []
                and not is_unknown(other)
                and key not in done
            ):
                done.add(key)
                yield Failure(
                    place,
                    f'Conflicting configuration arguments. "{own}": conflicts with {table.tf_path(_steps(reference))}',
                )
        return
    if kind == "requiredWith":
        mine = _lookup(value, _steps(prop.path))
        group = _Group(table, value, members)
        missing = [member for member in members if _lookup(value, _steps(member)) is None]
        if mine is not None and missing:
            yield Failure(place, f'Missing required argument. "{own}": all of `{group.listed}` must be specified')
        return
    key = (kind, frozenset(members))
    if key in done:
        return
    done.add(key)
    group = _Group(table, value, members)
    if not group.given and not group.open:
        what = "Invalid combination of arguments" if kind == "exactlyOneOf" else "Missing required argument"
        yield Failure(place, f'{what}. "{own}": one of `{group.listed}` must be specified')
    elif kind == "exactlyOneOf" and len(group.given) > 1:
        yield Failure(
            place,
            f'Invalid combination of arguments. "{own}": only one of `{group.listed}` can be specified, '
            f"but `{','.join(sorted(group.given))}` were specified.",
        )
