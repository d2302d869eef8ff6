"""The lint over a factory's folder: everything that can be wrong without asking a cloud."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path as FilePath

from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.folder import Artefact, FactoryFolder, read_factory
from dataplatform.config.data_factory.pipelines import judge_pipeline
from dataplatform.config.data_factory.references import judge_references
from dataplatform.config.data_factory.scopes import judge_expressions
from dataplatform.config.data_factory.values import judge_values
from dataplatform.config.document import Node, Path
from dataplatform.config.text import kind_of, shown

MAX_PIPELINE_BYTES = 200 * 1024
MAX_JSON_BYTES = 2000 * 1024
"""Data Factory's limits (2024-03): JSON of a pipeline, and of a dataset or linked service at most."""

MAX_EXACT = 2**53
"""Numbers travel to the provider as floating-point ones; whole ones beyond this lose digits."""

_FACTORY_KEYS = frozenset({"name", "type", "properties", "apiVersion"})


def lint_factory(folder: FilePath) -> Found:
    """Read a factory's folder and judge it as it is, without a stack's patches."""
    found = Found()
    judge_factory(read_factory(folder, found), found)
    return found


def judge_factory(factory: FactoryFolder, found: Found, *, more_globals: Collection[str] = ()) -> None:
    """Tell all that is wrong with a factory.

    Args:
        factory: As it was read.
        found: Where it is recorded; its `patched` places are not judged.
        more_globals: Names of global parameters that the stack adds.
    """
    globals_ = [*factory.global_parameters(), *more_globals]
    judge_references(factory, found)
    for artefact in factory.artefacts:
        judge_values(artefact, found)
        judge_expressions(artefact, globals_, found)
        if artefact.kind.key == "pipeline":
            judge_pipeline(artefact, found)
        if artefact.kind.key == "trigger":
            _trigger(artefact, found)
        _size(artefact, found)
        _sent(artefact, found)
        settings = artefact.properties.child("typeProperties")
        if settings is not None and settings.kind != "mapping":
            found.tell("DP505", artefact.node, ("properties", "typeProperties"),
                       f"typeProperties is {kind_of(settings.value())}", "write {…}", key=True)  # fmt: skip
    for node in factory.settings:
        _settings(node, found)
    for node, way in factory.global_parameters().values():
        parameter = node.at(way)
        if parameter is None or parameter.kind != "mapping" or not {"type", "value"} <= set(parameter.entries):
            found.tell("DP505", node, way, "a global parameter has a type and a value",
                       'write {"type": "string", "value": …}', key=True)  # fmt: skip


def _settings(node: Node, found: Found) -> None:
    properties = node.child("properties")
    if properties is None:
        return  # a file of global parameters
    extra: list[Path] = [(key,) for key in node.entries if key not in _FACTORY_KEYS]
    extra += [("properties", key) for key in properties.entries if key != "globalParameters"]
    for path in extra:
        message = f"{shown(path[-1])} of the exported factory is not taken over"
        found.tell("DP546", node, path, message, "say it in the stack's azure.data_factory, or take it out", key=True)


def pipelines_of(trigger: Artefact) -> int:
    """How many pipelines a trigger starts."""
    properties = trigger.properties
    many, one = properties.child("pipelines"), properties.child("pipeline")
    count = len(many.items) if many is not None and many.kind == "sequence" else 0
    return count + (1 if one is not None and one.kind == "mapping" and one.entries else 0)


def exported_as_started(trigger: Artefact) -> bool:
    """Whether a trigger ran when it was exported."""
    state = trigger.properties.child("runtimeState")
    return state is not None and state.scalar == "Started"


def _trigger(trigger: Artefact, found: Found) -> None:
    if exported_as_started(trigger) and not pipelines_of(trigger):
        found.tell("DP528", trigger.node, ("properties", "runtimeState"),
                   "the trigger is started and has no pipeline", "give it one, or stop it")  # fmt: skip


def _sent(artefact: Artefact, found: Found) -> None:
    """What would reach Azure otherwise than it stands in the file."""
    for path, _, node in artefact.node.walk():
        value = node.scalar
        if path[:1] != ("properties",) or node.kind != "scalar":
            continue
        if value is None and artefact.kind.key != "trigger":
            message = "the value is null, and Azure's provider leaves such keys out"
            remedy = "take the key out, if Data Factory's default is meant"
            found.tell("DP547", artefact.node, path, message, remedy, key=isinstance(path[-1], str))
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_EXACT:
            found.tell("DP548", artefact.node, path, "the number has more digits than reach Azure",
                       "write it as text")  # fmt: skip


def _size(artefact: Artefact, found: Found) -> None:
    size = len(artefact.node.document.text.encode())
    most = MAX_PIPELINE_BYTES if artefact.kind.key == "pipeline" else MAX_JSON_BYTES
    if size > most:
        found.tell("DP533", artefact.node, (), f"the file has {size} bytes; Data Factory takes {most}",
                   "divide it into several")  # fmt: skip
