"""An exported Data Factory → what is deployed: bodies as they were, apart from what the stack changes by name.

Pure. Every artefact's `properties` reach Azure Resource Manager with every key and value they have in their file;
what differs is listed: patches, the rewriting of Databricks linked services, and annotations. References of the stack
(`$databricks:url`) are put in last, so that a value only known at deployment may stand for one.
"""

from __future__ import annotations

import graphlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataplatform.config.azure.data_factory import DatabricksLink, DataFactory
from dataplatform.config.data_factory.check import NEW_CLUSTER, RELEASE_PARAMETERS, REWRITTEN, CheckedFactory
from dataplatform.config.data_factory.folder import Artefact, FactoryFolder
from dataplatform.config.data_factory.references import named_in
from dataplatform.config.document import Path
from dataplatform.diagnostics import Diagnostics, InputError, Position

API_VERSION = "2018-06-01"


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is deployed."""

    id: str
    commit: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class FactoryObject:
    """One artefact as it is deployed."""

    kind: str
    """`pipeline`, `linked_service` and so on."""
    name: str
    api_type: str
    """`Microsoft.DataFactory/factories/pipelines`."""
    body: dict[str, Any]
    """With `properties`."""
    depends_on: tuple[str, ...]
    """Keys (`kind:name`) of the artefacts that must be there before, and be deleted after."""
    source: str
    """File it is from."""
    sha256: str
    """Of the body, with references of the stack as written."""

    @property
    def key(self) -> str:
        """`kind:name`, unique in a factory."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, kw_only=True, eq=False)
class FactoryPlan:
    """What is deployed into a factory."""

    objects: tuple[FactoryObject, ...]
    """In an order in which each can be created."""
    active_triggers: frozenset[str]
    """Names of the triggers that are to run."""
    global_parameters: dict[str, dict[str, Any]]
    """Of the factory: name → `{type, value}`."""

    def find(self, kind: str, name: str) -> FactoryObject:
        """The object of a kind and name."""
        return next(found for found in self.objects if found.kind == kind and found.name == name)


def compile_factory(
    checked: CheckedFactory,
    config: DataFactory,
    *,
    context: Mapping[str, object] | None = None,
    release: Release | None = None,
) -> FactoryPlan:
    """Compile a checked factory.

    Args:
        checked: As `check_factory` returned it.
        config: The stack's `azure.data_factory`.
        context: Reference → what stands for it. One that is not in it is an error of the check.
        release: Annotated where the stack says so.

    Raises:
        InputError: when the check found a mistake.
    """
    if checked.errors:
        raise InputError(checked.errors)
    values = dict(context or {})
    marks = release if config.annotate else None
    trees = {artefact: _patched(artefact, checked, config) for artefact in checked.folder.artefacts}
    graph = {artefact: _needs(artefact, tree, checked.folder) for artefact, tree in trees.items()}
    objects = [_object(artefact, trees[artefact], values, marks, graph[artefact]) for artefact in _ordered(graph)]
    triggers = {name.lower() for name, wish in config.triggers.items() if wish == "started"}
    return FactoryPlan(
        objects=tuple(objects),
        active_triggers=frozenset(o.name for o in objects if o.kind == "trigger" and o.name.lower() in triggers),
        global_parameters=_global_parameters(checked, config, values, marks),
    )


def _needs(artefact: Artefact, tree: object, folder: FactoryFolder) -> set[Artefact]:
    """What an artefact refers to as it is deployed: a patch may lead it elsewhere."""
    found = {folder.find(kind.key, name) for kind, name in named_in(tree)}
    if artefact.kind.key == "managed_private_endpoint":
        found.add(folder.find("managed_virtual_network", artefact.name.partition("/")[0]))
    return {other for other in found if other is not None and other is not artefact}


def _ordered(graph: Mapping[Artefact, set[Artefact]]) -> list[Artefact]:
    """Topological; among those that could come next, by kind and name.

    Raises:
        InputError: when patches lead artefacts to each other in a circle. One of the folder itself the check has told.
    """
    sorter = graphlib.TopologicalSorter(graph)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        circle: list[Artefact] = list(reversed(error.args[1]))
        told = Diagnostics()
        way = " → ".join(artefact.name for artefact in circle)
        told.add(
            "DP509",
            Position(circle[0].file),
            f"with the stack's patches artefacts refer to each other in a circle: {way}",
            "take one of the references out: none of them could be created first",
        )
        raise InputError(told) from None
    ready: list[Artefact] = []
    ordered: list[Artefact] = []
    while sorter.is_active():
        ready.extend(sorter.get_ready())
        ready.sort(key=lambda a: (a.kind.order, a.name), reverse=True)
        artefact = ready.pop()
        ordered.append(artefact)
        sorter.done(artefact)
    return ordered


def _patched(artefact: Artefact, checked: CheckedFactory, config: DataFactory) -> dict[str, Any]:
    """An artefact's `properties` with what the stack changes in them, references of the stack as such."""
    tree: dict[str, Any] = artefact.node.value()
    removed: list[Path] = []
    for hit in checked.hits:
        if hit.artefact is not artefact:
            continue
        if hit.patch.remove:
            removed.append(hit.path)
        else:
            _put(tree, hit.path, _marked(hit.patch.value))
    # Last, and items of lists from their end: an index found in the file must still be true.
    for path in sorted(removed, key=_backwards, reverse=True):
        _take(tree, path)
    properties: dict[str, Any] = tree["properties"]
    if artefact.kind.key == "linked_service":
        link = next((k for n, k in config.databricks.items() if n.lower() == artefact.name.lower()), None)
        if link is not None:
            _rewrite(properties, link)
    return properties


def _object(
    artefact: Artefact,
    properties: dict[str, Any],
    values: Mapping[str, object],
    release: Release | None,
    needs: set[Artefact],
) -> FactoryObject:
    if release is not None and artefact.kind.annotated:
        _annotate(properties, release)
    written = json.dumps(properties, sort_keys=True, separators=(",", ":"), default=_text)
    return FactoryObject(
        kind=artefact.kind.key,
        name=artefact.name,
        api_type=f"Microsoft.DataFactory/factories/{artefact.kind.api}",
        body={"properties": _resolved(properties, values)},
        depends_on=tuple(f"{a.kind.key}:{a.name}" for a in sorted(needs, key=lambda a: (a.kind.order, a.name))),
        source=artefact.file,
        sha256=hashlib.sha256(written.encode()).hexdigest(),
    )


@dataclass(frozen=True)
class _Reference:
    """A reference of the stack in place of a value. A text of the export that begins with a dollar is none."""

    name: str


def _marked(value: Any) -> Any:
    """A value of the stack with its references told from texts."""
    if isinstance(value, str):
        if value.startswith("$$"):
            return value[1:]
        return _Reference(value) if value.startswith("$") else value
    if isinstance(value, dict):
        return {key: _marked(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_marked(part) for part in value]
    return value


def _resolved(value: Any, values: Mapping[str, object]) -> Any:
    if isinstance(value, _Reference):
        return values[value.name]
    if isinstance(value, dict):
        return {key: _resolved(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolved(part, values) for part in value]
    return value


def _text(value: object) -> str:
    assert isinstance(value, _Reference)
    return value.name


def _backwards(path: Path) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in path)


def _put(tree: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {}) if isinstance(tree, dict) else tree[part]
    tree[path[-1]] = value


def _take(tree: Any, path: Path) -> None:
    for part in path[:-1]:
        tree = tree[part]
    del tree[path[-1]]


def _rewrite(properties: dict[str, Any], link: DatabricksLink) -> None:
    """A linked service to Databricks that uses the factory's managed identity: no token is kept anywhere."""
    settings: dict[str, Any] = properties.setdefault("typeProperties", {})
    for key in list(settings):
        new_cluster = link.existing_cluster_id is not None and key.startswith(NEW_CLUSTER)
        if key in REWRITTEN or new_cluster:
            del settings[key]
    settings["domain"] = _marked(link.domain)
    settings["authentication"] = "MSI"
    settings["workspaceResourceId"] = _marked(link.workspace_resource_id)
    if link.existing_cluster_id is not None:
        settings["existingClusterId"] = _marked(link.existing_cluster_id)


def _annotate(properties: dict[str, Any], release: Release) -> None:
    kept = properties.get("annotations", [])
    if not isinstance(kept, list):
        return  # not ours to put right, nor to lose
    marks = [f"release:{release.id}", *([f"commit:{release.commit}"] if release.commit else [])]
    properties["annotations"] = [*kept, *marks]


_TYPES = {str: "String", bool: "Bool", int: "Int", float: "Float", list: "Array", dict: "Object"}


def _global_parameters(
    checked: CheckedFactory, config: DataFactory, values: Mapping[str, object], release: Release | None
) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for name, (root, way) in checked.folder.global_parameters().items():
        node = root.at(way)
        assert node is not None
        merged[name] = node.value()
    for name, value in config.global_parameters.items():
        kind = merged.get(name, {}).get("type") or _TYPES.get(type(value), "String")
        merged[name] = {"type": kind, "value": _resolved(_marked(value), values)}
    if release is not None:
        for name, text in zip(RELEASE_PARAMETERS, (release.id, release.commit), strict=True):
            merged[name] = {"type": "String", "value": text}
    return merged
