"""Finding what a stack's patches hit, by name. A patch that hits nothing, or more than one thing, is a mistake."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dataplatform.config.azure.data_factory import DataFactory, Item, Patch, property_path, target_of
from dataplatform.config.data_factory.activities import activities_of
from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.folder import Artefact, FactoryFolder
from dataplatform.config.data_factory.kinds import BUILT_IN, BY_KEY
from dataplatform.config.data_factory.lint import exported_as_started, pipelines_of
from dataplatform.config.data_factory.references import named_in
from dataplatform.config.document import Node, Path
from dataplatform.config.text import shown
from dataplatform.diagnostics import Position, nearest

Place = Callable[[Path], tuple[Position, str]]
"""From a path below `azure.data_factory` to its place in the stack file, and the line there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Hit:
    """One place of one artefact that a patch changes."""

    artefact: Artefact
    path: Path
    """From the root of its file."""
    patch: Patch
    index: int = 0
    """Of the patch in the stack file."""


def find_patches(
    factory: FactoryFolder, config: DataFactory, references: Collection[str], place: Place, found: Found
) -> list[Hit]:
    """The places that the patches of a stack hit; what they miss is told at the patch."""
    hits: list[Hit] = []
    taken: dict[tuple[int, Path], int] = {}
    for index, patch in enumerate(config.patches):
        at: Path = ("patches", index)

        def tell(code: str, key: str, message: str, remedy: str, at: Path = at) -> None:
            position, source = place((*at, key))
            found.at(code, position, message, remedy, path=f"data_factory.patches[{at[1]}].{key}", source=source)

        for reference in references_in(patch.value):
            if reference not in references:
                tell("DP542", "value", f"{shown(reference)} is not known", nearest(reference[:80], references))
        hit = _find(factory, patch, tell)
        if hit is None:
            continue
        for (artefact, path), other in taken.items():
            if artefact == id(hit.artefact) and (path[: len(hit.path)] == hit.path or hit.path[: len(path)] == path):
                tell("DP541", "property", f"patch {other + 1} changes this too", "keep one of them")
                break
        else:
            taken[(id(hit.artefact), hit.path)] = index
            hits.append(replace(hit, index=index))
    return hits


def judge_values(factory: FactoryFolder, hits: Sequence[Hit], place: Place, found: Found) -> None:
    """Tell of patches that lead an artefact to one that is not there."""
    for hit in hits:
        if hit.patch.remove:
            continue
        value: object = hit.patch.value
        if hit.path[-1] == "referenceName":
            kind = hit.artefact.node.at((*hit.path[:-1], "type"))
            value = {"referenceName": value, "type": kind.scalar if kind is not None else None}
        for known, name in named_in(value):
            if name.startswith("$") or name in BUILT_IN.get(known.key, ()) or factory.find(known.key, name) is not None:
                continue
            position, source = place(("patches", hit.index, "value"))
            message = f"there is no {known.name} {shown(name)} in the folder"
            remedy = nearest(name[:100], factory.names(known.key))
            at = f"data_factory.patches[{hit.index}].value"
            found.at("DP507", position, message, remedy, path=at, source=source)


def references_in(value: Any) -> Iterator[str]:
    """The references of a patch's value: texts that begin with one dollar."""
    if isinstance(value, str):
        if value.startswith("$") and not value.startswith("$$"):
            yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from references_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from references_in(part)


def _find(factory: FactoryFolder, patch: Patch, tell: Callable[[str, str, str, str], None]) -> Hit | None:
    key, name = target_of(patch)
    artefact = factory.find(key, name)
    kind = BY_KEY[key].name
    if artefact is None:
        tell("DP540", key, f"there is no {kind} {shown(name)} in the folder", nearest(name[:100], factory.names(key)))
        return None
    base: Path = ("properties",)
    owner = f"the {kind} {shown(artefact.name)}"
    if patch.activity is not None:
        activities = list(activities_of(artefact.node))
        named = [activity for activity in activities if activity.name == patch.activity]
        if not named:
            remedy = nearest(patch.activity[:100], {activity.name for activity in activities})
            tell("DP540", "activity", f"{owner} has no activity {shown(patch.activity)}", remedy)
            return None
        if len(named) > 1:
            message = f"{owner} has {len(named)} activities of the name {shown(patch.activity)}"
            tell("DP541", "activity", message, "give each activity a name of its own")
            return None
        base = named[0].path
        owner = f"the activity {shown(patch.activity)}"
    path = _walk(artefact.node, base, patch, owner, tell)
    return None if path is None else Hit(artefact=artefact, path=path, patch=patch)


def _walk(root: Node, base: Path, patch: Patch, owner: str, tell: Callable[[str, str, str, str], None]) -> Path | None:
    path = base
    steps = property_path(patch.property)
    for number, step in enumerate(steps):
        node = root.at(path)
        last = number == len(steps) - 1
        if isinstance(step, Item):
            chosen = _chosen(node, step)
            said = f"{step.key}={step.value}" if step.value is not None else step.key
            if len(chosen) != 1:
                code, what = ("DP540", "has no item") if not chosen else ("DP541", f"has {len(chosen)} items")
                remedy = "choose an item by what it says" if not chosen else "choose one by more of what it says"
                known = _choices(node, step)
                tell(code, "property", f"'{_shown(steps[:number])}' of {owner} {what} [{said}]",
                     nearest(step.value or step.key, known) if known and not chosen else remedy)  # fmt: skip
                return None
            path = (*path, chosen[0])
        elif node is not None and node.kind == "mapping" and step in node.entries:
            if last and patch.add:
                tell("DP541", "property", f"{owner} has '{patch.property}' already",
                     "leave 'add' out to replace its value")  # fmt: skip
                return None
            path = (*path, step)
        elif patch.add and (node is None or node.kind == "mapping"):
            path = (*path, step)
        else:
            known = list(node.entries) if node is not None and node.kind == "mapping" else []
            within = f" in '{_shown(steps[:number])}'" if number else ""
            near = nearest(step, known) if known else "it holds no names"
            remedy = near if near.startswith("did you") else f"{near}; write 'add: true' to add it"
            tell("DP540", "property", f"{owner} has no {shown(step)}{within}", remedy)
            return None
    return path


def _chosen(node: Node | None, step: Item) -> list[int]:
    if node is None or node.kind != "sequence":
        return []
    chosen = []
    for index, item in enumerate(node.items):
        value = item.at(tuple(step.key.split(".")))
        if value is not None and (step.value is None or str(value.scalar) == step.value):
            chosen.append(index)
    return chosen


def _choices(node: Node | None, step: Item) -> list[str]:
    items = node.items if node is not None and node.kind == "sequence" else []
    if step.value is None:
        return sorted({key for item in items if item.kind == "mapping" for key in item.entries})
    values = (item.at(tuple(step.key.split("."))) for item in items)
    return sorted({str(value.scalar) for value in values if value is not None and value.kind == "scalar"})


def _shown(steps: Sequence[str | Item]) -> str:
    text = ""
    for step in steps:
        if isinstance(step, Item):
            text += f"[{step.key}={step.value}]" if step.value is not None else f"[{step.key}]"
        else:
            text += f".{step}" if text else step
    return text


def judge_names(
    factory: FactoryFolder, config: DataFactory, references: Collection[str], place: Place, found: Found
) -> None:
    """Tell of what else a stack names that the folder does not have, and of triggers it says nothing of."""

    def tell(code: str, path: Path, message: str, remedy: str) -> None:
        position, source = place(path)
        found.at(code, position, message, remedy, path="data_factory." + ".".join(map(str, path)), source=source)

    for name, wish in config.triggers.items():
        trigger = factory.find("trigger", name)
        if trigger is None:
            tell("DP543", ("triggers", name), f"there is no trigger {shown(name)} in the folder",
                 nearest(name[:100], factory.names("trigger")))  # fmt: skip
        elif wish == "started" and not pipelines_of(trigger):
            tell("DP528", ("triggers", name), f"the trigger {shown(name)} has no pipeline, and cannot be started",
                 "give it one, or write stopped")  # fmt: skip
    named = {name.lower() for name in config.triggers}
    for artefact in factory.artefacts:
        if artefact.kind.key == "trigger" and exported_as_started(artefact) and artefact.name.lower() not in named:
            found.tell("DP544", artefact.node, ("properties", "runtimeState"),
                       f"the trigger {shown(artefact.name)} was exported as started, and will be stopped here",
                       f"write 'triggers: {{{artefact.name}: started}}' (or stopped) in the stack")  # fmt: skip
    for name, link in config.databricks.items():
        service = factory.find("linked_service", name)
        links = [a.name for a in factory.artefacts if a.kind.key == "linked_service" and a.type == "AzureDatabricks"]
        if service is None:
            tell("DP543", ("databricks", name), f"there is no linked service {shown(name)} in the folder",
                 nearest(name[:100], links))  # fmt: skip
        elif service.type != "AzureDatabricks":
            tell("DP543", ("databricks", name), f"the linked service {shown(name)} is of type {shown(service.type)}",
                 f"name one of type AzureDatabricks: {', '.join(links) or 'there is none'}")  # fmt: skip
        for key, value in link.model_dump().items():
            for reference in references_in(value):
                if reference not in references:
                    at = ("databricks", name, key) if key in link.model_fields_set else ("databricks", name)
                    tell("DP542", at, f"{shown(reference)} is not known", nearest(reference[:80], references))
    for name, value in config.global_parameters.items():
        for reference in references_in(value):
            if reference not in references:
                tell("DP542", ("global_parameters", name), f"{shown(reference)} is not known",
                     nearest(reference[:80], references))  # fmt: skip
