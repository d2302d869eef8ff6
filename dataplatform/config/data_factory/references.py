"""References between artefacts: which there are, whether they lead somewhere, and what they give along."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.folder import Artefact, FactoryFolder
from dataplatform.config.data_factory.kinds import BUILT_IN, BY_KEY, BY_REFERENCE, Kind
from dataplatform.config.document import Node, Path
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """One `{"referenceName": …, "type": "…Reference"}`."""

    kind: Kind
    name: str
    path: Path
    """Of the reference's object, from the root of its file."""
    node: Node


def references_of(artefact: Artefact) -> Iterator[Reference]:
    """The references of an artefact that are written as such and of a known kind."""
    for path, node in objects(artefact.node):
        name, kind = node.child("referenceName"), node.child("type")
        if name is None or kind is None or not isinstance(name.scalar, str) or not isinstance(kind.scalar, str):
            continue
        known = BY_REFERENCE.get(kind.scalar)
        if known is not None and not name.scalar.startswith("@"):
            yield Reference(kind=known, name=name.scalar, path=path, node=node)


def named_in(value: object) -> Iterator[tuple[Kind, str]]:
    """Kind and name of everything that plain data refers to."""
    if isinstance(value, dict):
        name, kind = value.get("referenceName"), value.get("type")
        known = BY_REFERENCE.get(kind) if isinstance(kind, str) else None
        if known is not None and isinstance(name, str) and not name.startswith("@"):
            yield known, name
        for part in value.values():
            yield from named_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from named_in(part)


def objects(root: Node) -> Iterator[tuple[Path, Node]]:
    """Every object below a node, itself included."""
    stack: list[tuple[Path, Node]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if node.kind == "mapping":
            yield path, node
            stack.extend(((*path, name), child) for name, (_, child) in reversed(node.entries.items()))
        elif node.kind == "sequence":
            stack.extend(((*path, index), child) for index, child in reversed(list(enumerate(node.items))))


def dependencies(factory: FactoryFolder, artefact: Artefact) -> list[Artefact]:
    """The artefacts that one refers to, each once, by kind and name."""
    found: dict[int, Artefact] = {}
    for reference in references_of(artefact):
        other = factory.find(reference.kind.key, reference.name)
        if other is not None and other is not artefact:
            found[id(other)] = other
    if artefact.kind.key == "managed_private_endpoint":
        network = factory.find("managed_virtual_network", artefact.name.partition("/")[0])
        if network is not None:
            found[id(network)] = network
    return sorted(found.values(), key=lambda a: (a.kind.order, a.name))


def judge_references(factory: FactoryFolder, found: Found) -> None:
    """Tell of references that lead nowhere, of parameters they give wrongly, and of circles."""
    for artefact in factory.artefacts:
        for path, node in objects(artefact.node):
            if "referenceName" in node.entries:
                _written(artefact, path, node, found)
        for reference in references_of(artefact):
            _leads(factory, artefact, reference, found)
    _circles(factory, found)


def _written(artefact: Artefact, path: Path, node: Node, found: Found) -> None:
    name, kind = node.child("referenceName"), node.child("type")
    assert name is not None
    if not isinstance(name.scalar, str) and name.kind == "scalar":
        found.tell("DP508", artefact.node, (*path, "referenceName"), "the name of a reference is text",
                   "write the artefact's name in double quotes")  # fmt: skip
    elif isinstance(name.scalar, str) and not name.scalar.strip():
        found.tell("DP508", artefact.node, (*path, "referenceName"), "the reference names nothing",
                   "write the artefact's name, or leave the reference out")  # fmt: skip
    if kind is None:
        found.tell("DP508", artefact.node, path, "the reference has no type",
                   'add "type", such as "LinkedServiceReference"')  # fmt: skip
    elif not isinstance(kind.scalar, str) or not kind.scalar.endswith("Reference") or _misspelt(kind.scalar):
        message = f"{shown(kind.scalar)} is not a type of reference"
        found.tell("DP508", artefact.node, (*path, "type"), message, nearest(str(kind.scalar)[:80], BY_REFERENCE))


def _misspelt(kind: str) -> bool:
    """Whether a type of reference is nearly one of those known; others, as to a Synapse notebook, are let be."""
    return kind not in BY_REFERENCE and bool(difflib.get_close_matches(kind, BY_REFERENCE, n=1, cutoff=0.88))


def _leads(factory: FactoryFolder, artefact: Artefact, reference: Reference, found: Found) -> None:
    kind, name = reference.kind, reference.name
    if not name.strip() or name in BUILT_IN.get(kind.key, ()):
        return
    target = factory.find(kind.key, name)
    if target is None:
        elsewhere = [k.name for k in BY_KEY.values() if k is not kind and factory.find(k.key, name)]
        remedy = (
            f"there is a {elsewhere[0]} of that name; change the reference's type"
            if elsewhere
            else f"add {kind.folder}/{name}.json, or correct the name; {nearest(name[:100], factory.names(kind.key))}"
        )
        found.tell("DP507", artefact.node, (*reference.path, "referenceName"),
                   f"there is no {kind.name} {shown(name)} in the folder", remedy)  # fmt: skip
        return
    if kind.key in ("dataset", "linked_service", "pipeline"):
        _parameters(artefact, reference, target, found)


def _parameters(artefact: Artefact, reference: Reference, target: Artefact, found: Found) -> None:
    """Compare what a reference gives with what its target declares."""
    holder, way = reference.node, reference.path
    if target.kind.key == "pipeline":
        # A pipeline's parameters stand beside the reference to it.
        way = reference.path[:-1]
        beside = artefact.node.at(way)
        if not reference.path or reference.path[-1] not in ("pipeline", "pipelineReference") or beside is None:
            return
        holder = beside
    given = holder.child("parameters")
    given_names: Mapping[str, object] = given.entries if given is not None and given.kind == "mapping" else {}
    if given is not None and given.kind == "scalar" and given.scalar is not None:
        return
    declared = target.properties.child("parameters")
    known = declared.entries if declared is not None and declared.kind == "mapping" else {}
    for name in given_names:
        if name not in known:
            message = f"the {target.kind.name} {shown(target.name)} has no parameter {shown(name)}"
            remedy = nearest(name[:100], known) if known else "take it out: it has none"
            found.tell("DP518", artefact.node, (*way, "parameters", name), message, remedy, key=True)
    if artefact.kind.key == "linked_service" or _in_data_flow(artefact, reference):
        # A data flow's datasets get their parameters where it is executed.
        return
    for name, (_, parameter) in known.items():
        if name not in given_names and parameter.child("defaultValue") is None:
            message = f"the parameter {shown(name)} of the {target.kind.name} {shown(target.name)} is not given"
            remedy = f"give it under 'parameters', or give it a defaultValue in {target.file}"
            at = (*way, "parameters") if given is not None and given.kind == "mapping" else reference.path
            found.tell("DP518", artefact.node, at, message, remedy, key=bool(at) and isinstance(at[-1], str))


def _in_data_flow(artefact: Artefact, reference: Reference) -> bool:
    return artefact.kind.key == "data_flow" or reference.kind.key == "data_flow"


def _circles(factory: FactoryFolder, found: Found) -> None:
    """Tell of each circle once, at the reference that closes it."""
    done: set[int] = set()
    told: set[frozenset[int]] = set()
    for start in factory.artefacts:
        trail: list[Artefact] = []
        pending: list[tuple[Artefact, Iterator[Artefact]]] = []

        def enter(
            artefact: Artefact,
            trail: list[Artefact] = trail,
            pending: list[tuple[Artefact, Iterator[Artefact]]] = pending,
        ) -> None:
            trail.append(artefact)
            pending.append((artefact, iter(dependencies(factory, artefact))))

        if id(start) in done:
            continue
        enter(start)
        while pending:
            artefact, others = pending[-1]
            other = next(others, None)
            if other is None:
                pending.pop()
                trail.pop()
                done.add(id(artefact))
            elif any(other is passed for passed in trail):
                index = next(i for i, passed in enumerate(trail) if passed is other)
                circle = trail[index:]
                if frozenset(map(id, circle)) not in told:
                    told.add(frozenset(map(id, circle)))
                    _tell_circle(artefact, other, circle, found)
            elif id(other) not in done:
                enter(other)
    for artefact in factory.artefacts:
        for reference in references_of(artefact):
            if reference.kind is artefact.kind and reference.name.lower() == artefact.name.lower():
                found.tell("DP509", artefact.node, (*reference.path, "referenceName"),
                           f"the {artefact.kind.name} {shown(artefact.name)} refers to itself",
                           "refer to another one: neither could be created first")  # fmt: skip


def _tell_circle(artefact: Artefact, other: Artefact, circle: list[Artefact], found: Found) -> None:
    place: Path = next(
        (
            (*r.path, "referenceName")
            for r in references_of(artefact)
            if r.kind is other.kind and r.name.lower() == other.name.lower()
        ),
        (),
    )
    way = " → ".join([*(a.name for a in circle), circle[0].name])
    found.tell("DP509", artefact.node, place, f"artefacts refer to each other in a circle: {way}",
               "take one of the references out: none of them could be created first")  # fmt: skip
