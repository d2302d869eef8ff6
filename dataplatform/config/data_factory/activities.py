"""The activities of a pipeline, those inside of others included, with their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dataplatform.config.document import Node, Path

CONTAINERS = ("ForEach", "IfCondition", "Switch", "Until", "Validation")
_INNER = ("activities", "ifTrueActivities", "ifFalseActivities", "defaultActivities")
"""Lists of activities in `typeProperties`; a Switch has them in its `cases` too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Activity:
    """One activity."""

    name: str
    """Empty where it has none."""
    type: str
    node: Node
    path: Path
    """From the root of its file."""
    parent: Activity | None
    """The one that it stands in."""
    scope: Path
    """The list that it stands in."""


def activities_of(root: Node) -> Iterator[Activity]:
    """Every activity of a pipeline's file, outer ones first."""
    yield from _in_list(root, ("properties", "activities"), None)


def _in_list(root: Node, path: Path, parent: Activity | None) -> Iterator[Activity]:
    listed = root.at(path)
    if listed is None or listed.kind != "sequence":
        return
    for index, node in enumerate(listed.items):
        if node.kind != "mapping":
            continue
        found = Activity(
            name=_text(node, "name"),
            type=_text(node, "type"),
            node=node,
            path=(*path, index),
            parent=parent,
            scope=path,
        )
        yield found
        inside = (*path, index, "typeProperties")
        for key in _INNER:
            yield from _in_list(root, (*inside, key), found)
        cases = root.at((*inside, "cases"))
        if cases is not None and cases.kind == "sequence":
            for number in range(len(cases.items)):
                yield from _in_list(root, (*inside, "cases", number, "activities"), found)


def inside(activity: Activity, type_: str) -> bool:
    """Whether an activity stands, however deep, in one of a type."""
    parent = activity.parent
    while parent is not None:
        if parent.type == type_:
            return True
        parent = parent.parent
    return False


def waits_for(activity: Activity) -> list[tuple[Path, str]]:
    """Names of the activities that an activity depends on, with their places."""
    listed = activity.node.child("dependsOn")
    found: list[tuple[Path, str]] = []
    for index, item in enumerate(listed.items if listed is not None else ()):
        name = item.child("activity")
        if name is not None and isinstance(name.scalar, str):
            found.append(((*activity.path, "dependsOn", index, "activity"), name.scalar))
    return found


def _text(node: Node, key: str) -> str:
    child = node.child(key)
    return child.scalar if child is not None and isinstance(child.scalar, str) else ""
