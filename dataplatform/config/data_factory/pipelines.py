"""What can be wrong inside a pipeline: names and order of activities, their types, limits."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator

from dataplatform.config.data_factory.activities import Activity, activities_of, inside, waits_for
from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.expressions import LANGUAGE
from dataplatform.config.data_factory.folder import Artefact
from dataplatform.config.document import Node, Path
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

MAX_ACTIVITIES = 120
MAX_PARAMETERS = 50
"""Data Factory's limits (2024-03): activities with inner ones, parameters of a pipeline."""

_BLANK = {
    "DatabricksNotebook": ("notebookPath",),
    "DatabricksSparkPython": ("pythonFile",),
    "DatabricksSparkJar": ("mainClassName",),
    "DatabricksJob": ("jobId",),
    "SqlServerStoredProcedure": ("storedProcedureName",),
    "WebActivity": ("url",),
    "WebHook": ("url",),
    "AzureFunctionActivity": ("functionName",),
}
"""Activity type → what of `typeProperties` must say something."""

_CONDITIONS = ("Succeeded", "Failed", "Skipped", "Completed")
_WORKSPACE = ("SynapseNotebook", "SparkJob")
"""Types that Data Factory has too, but only by a linked service to a Synapse workspace."""


def judge_pipeline(pipeline: Artefact, found: Found) -> None:
    """Tell what is wrong with one pipeline, apart from its references and expressions."""
    root = pipeline.node
    listed = root.at(("properties", "activities"))
    if listed is not None and listed.kind != "sequence":
        found.tell(
            "DP505", root, ("properties", "activities"), "the activities are not a list", "write [ … ]", key=True
        )
        return
    activities = list(activities_of(root))
    for path in _not_objects(root):
        found.tell("DP505", root, path, "an activity is an object", 'write {"name": …, "type": …}')
    if len(activities) > MAX_ACTIVITIES:
        found.tell("DP533", root, ("properties", "activities"),
                   f"{len(activities)} activities, inner ones included; a pipeline takes {MAX_ACTIVITIES}",
                   "move some into a pipeline of their own and run it with ExecutePipeline", key=True)  # fmt: skip
    for key, what in (("parameters", "parameters"), ("variables", "variables")):
        declared = root.at(("properties", key))
        if declared is not None and declared.kind == "mapping" and len(declared.entries) > MAX_PARAMETERS:
            found.tell("DP533", root, ("properties", key),
                       f"{len(declared.entries)} {what}; a pipeline takes {MAX_PARAMETERS}",
                       "give some together, as one object or array", key=True)  # fmt: skip
    _names(root, activities, found)
    _order(root, activities, found)
    for activity in activities:
        _type(root, activity, found)
        _variable(root, activity, found)


def _not_objects(root: Node) -> Iterator[Path]:
    listed = root.at(("properties", "activities"))
    for index, item in enumerate(listed.items if listed is not None else ()):
        if item.kind != "mapping":
            yield ("properties", "activities", index)


def _names(root: Node, activities: list[Activity], found: Found) -> None:
    first: dict[str, Activity] = {}
    for activity in activities:
        if not activity.name.strip():
            found.tell("DP510", root, activity.path, "an activity has no name", 'add "name"')
            continue
        other = first.setdefault(activity.name, activity)
        if other is not activity:
            line = root.position_of((*other.path, "name")).line
            found.tell("DP510", root, (*activity.path, "name"),
                       f"a second activity of the name {shown(activity.name)}",
                       f"rename one of them, in what depends on it too: the first is in line {line}")  # fmt: skip


def _order(root: Node, activities: list[Activity], found: Found) -> None:
    beside: dict[Path, dict[str, Activity]] = {}
    for activity in activities:
        beside.setdefault(activity.scope, {}).setdefault(activity.name, activity)
    everywhere = {activity.name for activity in activities}
    for activity in activities:
        known = beside[activity.scope]
        for path, name in waits_for(activity):
            if name == activity.name:
                found.tell("DP511", root, path, f"{shown(name)} depends on itself", "take this dependency out")
            elif name not in known:
                where = "stands in another activity" if name in everywhere else "is not an activity of this pipeline"
                remedy = (
                    "depend on the activity that it stands in"
                    if name in everywhere
                    else nearest(name[:100], known.keys() - {activity.name})
                )
                found.tell("DP511", root, path, f"{shown(name)} {where}", remedy)
        _conditions(root, activity, found)
    for known in beside.values():
        graph = {
            name: sorted({other for _, other in waits_for(activity) if other in known and other != name})
            for name, activity in known.items()
        }
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            circle: list[str] = error.args[1]
            last = known[circle[0]]
            place = next((path for path, name in waits_for(last) if name in circle), last.path)
            found.tell("DP512", root, place, f"activities wait for each other in a circle: {' → '.join(circle)}",
                       "take one of the dependencies out")  # fmt: skip


def _conditions(root: Node, activity: Activity, found: Found) -> None:
    listed = activity.node.child("dependsOn")
    if listed is None or listed.kind != "sequence":
        return
    for index, item in enumerate(listed.items):
        path = (*activity.path, "dependsOn", index)
        if item.kind != "mapping" or item.child("activity") is None:
            found.tell("DP505", root, path, "a dependency names no activity",
                       'write {"activity": …, "dependencyConditions": ["Succeeded"]}')  # fmt: skip
            continue
        conditions = item.child("dependencyConditions")
        for number, condition in enumerate(conditions.items if conditions is not None else ()):
            if condition.scalar not in _CONDITIONS:
                remedy = nearest(str(condition.scalar)[:40], _CONDITIONS)
                place = (*path, "dependencyConditions", number)
                found.tell("DP505", root, place, f"{shown(condition.scalar)} is not a condition", remedy)


def _type(root: Node, activity: Activity, found: Found) -> None:
    kind = activity.type
    known = LANGUAGE["activities"]
    product = LANGUAGE["other_products"].get(kind)
    if not kind:
        found.tell("DP505", root, activity.path, f"the activity {shown(activity.name)} has no type", 'add "type"')
        return
    place = (*activity.path, "type")
    if product is not None:
        found.tell("DP506", root, place, f"{shown(kind)} is an activity of {product}",
                   "use one that Data Factory has; it would refuse the pipeline")  # fmt: skip
    elif kind in _WORKSPACE and activity.node.child("linkedServiceName") is None:
        found.tell("DP506", root, place, f"{shown(kind)} without a linked service runs in Synapse alone",
                   'add "linkedServiceName" of an AzureSynapseArtifacts linked service')  # fmt: skip
    elif kind not in known:
        same = next((name for name in known if name.lower() == kind.lower()), None)
        remedy = f"did you mean '{same}'?" if same else nearest(kind[:80], known)
        found.tell("DP519", root, place, f"{shown(kind)} is not a type of activity that is known here", remedy)
    for key in _BLANK.get(kind, ()):
        value = activity.node.at(("typeProperties", key))
        inner = value.child("value") if value is not None and value.kind == "mapping" else value
        missing = value is None and key in ("notebookPath", "pythonFile")
        if missing or (inner is not None and isinstance(inner.scalar, str) and not inner.scalar.strip()):
            path: Path = (*activity.path, "typeProperties", key)
            if value is None and found.replaced(root, path):
                continue
            found.tell("DP524", root, path, f"{shown(activity.name)} has no {key}",
                       "write it, or patch it by the activity's name in the stack")  # fmt: skip
    if kind in ("ForEach", "Until") and inside(activity, kind):
        found.tell("DP505", root, place, f"a {kind} stands in a {kind}, which Data Factory refuses",
                   "move the inner one into a pipeline of its own and run it with ExecutePipeline")  # fmt: skip


def _variable(root: Node, activity: Activity, found: Found) -> None:
    """SetVariable and AppendVariable name a variable without an expression."""
    if activity.type not in ("SetVariable", "AppendVariable"):
        return
    name = activity.node.at(("typeProperties", "variableName"))
    if name is None or not isinstance(name.scalar, str) or name.scalar == "pipelineReturnValue":
        return
    declared = root.at(("properties", "variables"))
    known = declared.entries if declared is not None and declared.kind == "mapping" else {}
    if name.scalar not in known and not name.scalar.startswith("@"):
        found.tell("DP513", root, (*activity.path, "typeProperties", "variableName"),
                   f"the pipeline has no variable {shown(name.scalar)}",
                   nearest(name.scalar[:100], known) if known else 'declare it under "variables"')  # fmt: skip
