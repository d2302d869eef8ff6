"""What expressions name: parameters, variables, activities, functions, and their date formats."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from dataplatform.config.data_factory.activities import Activity, activities_of, inside, waits_for
from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.expressions import (
    DATE_FUNCTIONS,
    FUNCTIONS,
    MAX_EXPRESSION,
    PIPELINE_VARIABLES,
    Call,
    MalformedError,
    calls,
    expressions,
    twelve_hour,
)
from dataplatform.config.data_factory.folder import Artefact
from dataplatform.config.document import Node, Path
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

_PROSE = frozenset({"description", "annotations", "script", "scriptLines", "folder"})
"""Keys below which no text is an expression."""


@dataclass(frozen=True, kw_only=True)
class _Scope:
    """What the expressions of one artefact may name."""

    artefact: Artefact
    parameters: Collection[str] = ()
    variables: Collection[str] = ()
    globals: Collection[str] = ()
    activities: dict[str, Activity] = field(default_factory=dict)
    by_path: tuple[Activity, ...] = ()


def judge_expressions(artefact: Artefact, globals_: Collection[str], found: Found) -> None:
    """Tell what is wrong in the expressions of one artefact."""
    kind = artefact.kind.key
    activities = tuple(activities_of(artefact.node)) if kind == "pipeline" else ()
    scope = _Scope(
        artefact=artefact,
        parameters=_declared(artefact.node, "parameters"),
        variables=_declared(artefact.node, "variables"),
        globals=globals_,
        activities={activity.name: activity for activity in reversed(activities)},
        by_path=activities,
    )
    for path, wrapped, text in _texts(artefact.node):
        for expression in expressions(text):
            if len(expression) > MAX_EXPRESSION:
                message = f"an expression of {len(expression)} characters; Data Factory takes {MAX_EXPRESSION}"
                found.tell("DP533", artefact.node, path, message, "divide it: compute parts of it in variables")
                continue
            try:
                called = calls(expression)
            except MalformedError as why:
                if wrapped:
                    found.tell("DP515", artefact.node, path, f"the expression is not well-formed: {why}",
                               "correct it; texts stand in single quotes, and a quote inside of one twice")  # fmt: skip
                continue
            for call in called:
                _judge(scope, path, call, found)


def _among(name: str, known: Collection[str]) -> bool:
    """Whether a name is one of those known; the expression language does not mind the case."""
    return name.lower() in {other.lower() for other in known}


def _declared(root: Node, key: str) -> list[str]:
    holder = root.at(("properties", key))
    return list(holder.entries) if holder is not None and holder.kind == "mapping" else []


def _texts(root: Node) -> Iterator[tuple[Path, bool, str]]:
    """Every text that may hold an expression, and whether it is marked as one (`"type": "Expression"`)."""
    for path, key, node in root.walk():
        if isinstance(node.scalar, str) and "@" in node.scalar and not _PROSE.intersection(path):
            holder = root.at(path[:-1])
            marked = holder.child("type") if holder is not None and key == "value" else None
            yield path, marked is not None and marked.scalar == "Expression", node.scalar


def _judge(scope: _Scope, path: Path, call: Call, found: Found) -> None:
    root, kind = scope.artefact.node, scope.artefact.kind.key
    name = call.name.lower()

    def missing(code: str, what: str, wanted: str, known: Collection[str], declare: str) -> None:
        remedy = nearest(wanted[:100], known) if known else declare
        found.tell(code, root, path, f"there is no {what} {shown(wanted)}", remedy)

    if name not in FUNCTIONS:
        found.tell("DP516", root, path, f"{shown(call.name)} is not a function that is known here",
                   nearest(call.name[:80], FUNCTIONS.values()))  # fmt: skip
    elif name == "pipeline" and kind in ("pipeline", "trigger"):
        _pipeline(scope, path, call, found)
    elif name == "variables" and kind == "pipeline" and call.texts and call.texts[0] is not None:
        if not _among(call.texts[0], scope.variables):
            missing("DP513", "variable", call.texts[0], scope.variables, 'declare it under "variables"')
    elif name in ("dataset", "linkedservice") and call.then and call.then[0] is not None:
        own = "dataset" if name == "dataset" else "linked_service"
        if kind == own and not _among(call.then[0], scope.parameters):
            missing("DP513", "parameter", call.then[0], scope.parameters, 'declare it under "parameters"')
    elif name == "activity" and kind == "pipeline" and call.texts and call.texts[0] is not None:
        _activity(scope, path, call.texts[0], found)
    elif name == "item" and kind == "pipeline":
        at = _holding(scope, path)
        if at is not None and at.type not in ("ForEach", "Filter") and not inside(at, "ForEach"):
            found.tell("DP513", root, path, "item() stands outside of a ForEach",
                       "move the activity into one, or name what is meant")  # fmt: skip
    elif name in DATE_FUNCTIONS:
        for text in call.texts:
            right = twelve_hour(text) if text else None
            if right:
                found.tell("DP521", root, path,
                           f"the format {shown(text)} tells the hours of a half day: 01:00 and 13:00 look the same",
                           f"write '{right}'")  # fmt: skip


def _pipeline(scope: _Scope, path: Path, call: Call, found: Found) -> None:
    root = scope.artefact.node
    if not call.then or call.then[0] is None:
        return
    first = call.then[0]
    if first.lower() not in PIPELINE_VARIABLES:
        found.tell("DP513", root, path, f"pipeline() has no {shown(first)}",
                   nearest(first[:80], PIPELINE_VARIABLES.values()))  # fmt: skip
        return
    if len(call.then) < 2 or call.then[1] is None or scope.artefact.kind.key != "pipeline":
        return
    name = call.then[1]
    if first.lower() == "parameters" and not _among(name, scope.parameters):
        remedy = nearest(name[:100], scope.parameters) if scope.parameters else 'declare it under "parameters"'
        found.tell("DP513", root, path, f"the pipeline has no parameter {shown(name)}", remedy)
    elif first.lower() == "globalparameters" and not _among(name, scope.globals):
        remedy = nearest(name[:100], scope.globals) if scope.globals else "declare it in factory/ or in the stack"
        found.tell("DP513", root, path, f"there is no global parameter {shown(name)}", remedy)


def _holding(scope: _Scope, path: Path) -> Activity | None:
    """The innermost activity that holds a place."""
    holding = [a for a in scope.by_path if path[: len(a.path)] == a.path]
    return max(holding, key=lambda a: len(a.path), default=None)


def _activity(scope: _Scope, path: Path, name: str, found: Found) -> None:
    root = scope.artefact.node
    target = scope.activities.get(name) or next((a for a in scope.by_path if _among(name, [a.name])), None)
    if target is None:
        found.tell("DP514", root, path, f"the pipeline has no activity {shown(name)}",
                   nearest(name[:100], scope.activities))  # fmt: skip
        return
    here = _holding(scope, path)
    if here is None or target in _before(scope, here):
        return
    if here is target or (here.type == "Until" and path[len(here.path) :][:2] == ("typeProperties", "expression")):
        if here is not target or here.type == "Until":
            return
        found.tell("DP517", root, path, f"{shown(name)} reads its own output", "read another activity's")
        return
    found.tell("DP517", root, path, f"{shown(here.name)} reads {shown(name)}, which need not have run before it",
               f"add {shown(name)} to what {shown(here.name)} depends on")  # fmt: skip


def _before(scope: _Scope, activity: Activity) -> set[Activity]:
    """The activities that have ended when one begins: what it depends on, and what those it stands in depend on."""
    done: set[Activity] = set()
    level: Activity | None = activity
    while level is not None:
        waiting = [level]
        while waiting:
            for _, name in waits_for(waiting.pop()):
                other = scope.activities.get(name)
                if other is not None and other not in done:
                    done.add(other)
                    waiting.append(other)
        level = level.parent
    return done
