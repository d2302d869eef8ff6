"""Which keys a step of which TYPE has, what they must name, and what NEXT may say.

Checked on the tree, so that one wrong step does not hide the others' mistakes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dataplatform.config.document import Node, Path
from dataplatform.config.executors import REGISTRY
from dataplatform.config.pipeline import StepFile
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

STEP_KEYS = frozenset(info.alias or name for name, info in StepFile.model_fields.items())

_EXECUTOR_KEYS = ("FUNCTION_ID_NAME", "FUNCTION_NAME", "COMPOSER_STEP", "FUNCTION_STATUS_NAME")
_STARTING = ("FUNCTION_ID_NAME", "FUNCTION_NAME", "COMPOSER_STEP")
_POLLING = ("FUNCTION_STATUS_NAME", "WAIT_TIME_SECONDS", "ASYNC_TIMEOUT_LOOP_IN_MINUTES")

_FOREIGN: dict[str, dict[str, tuple[str, str]]] = {
    "async": {
        "FUNCTION_NAME": ("belongs to TYPE sync", "name the executor in FUNCTION_ID_NAME, or write TYPE sync"),
        "workflows_name": ("belongs to TYPE workflows", "take it out, or write TYPE workflows"),
    },
    "sync": {
        **dict.fromkeys(
            (*_POLLING, "RUN"), ("has no meaning for TYPE sync, which is one call", "take it out, or use TYPE async")
        ),
        "workflows_name": ("belongs to TYPE workflows", "take it out, or write TYPE workflows"),
    },
    "workflows": dict.fromkeys(
        (*_EXECUTOR_KEYS, "CALL_RETRY", "RUN"),
        (
            "has no meaning for TYPE workflows, which calls no executor",
            "take it out, and name the pipeline in workflows_name",
        ),
    ),
}
"""TYPE → key that a step of it cannot have → why, and what would be right."""


def check_step(root: Node, step: Node, path: Path, executors: Collection[str]) -> None:
    """What a step's TYPE asks of its other keys."""
    node = step.child("TYPE")
    kind = "async" if node is None else node.scalar
    named = _executors(root, step, path, executors)
    if not isinstance(kind, str) or kind not in _FOREIGN:
        return
    for key, (reason, remedy) in _FOREIGN[kind].items():
        value = step.child(key)
        if value is not None and not (value.kind == "scalar" and value.scalar in (None, "")):
            root.report("DP314", (*path, key), f"the key {reason}", remedy, key=True)
    if kind == "workflows":
        target = step.child("workflows_name")
        if (target is None or target.scalar in (None, "")) and not _misspelt(step):
            root.report("DP321", path, "the step names no pipeline", "add workflows_name, the pipeline to run")
        return
    starting = [(key, named[key]) for key in _STARTING if key in named and key not in _FOREIGN[kind]]
    for key, name in starting[1:]:
        first, other = starting[0]
        if name != other:
            message = f"{first} is {shown(other)} and {key} is {shown(name)}"
            root.report("DP314", (*path, key), message, "name the same executor, or keep one of the two")
            break
    if not any(step.child(key) is not None for key in _STARTING) and not _misspelt(step):
        example = "FUNCTION_NAME" if kind == "sync" else "FUNCTION_ID_NAME"
        remedy = f"add {example} (or COMPOSER_STEP), such as dataform-tag-executor"
        root.report("DP321", path, "the step names no executor", remedy)
    _check_run(root, step, path, kind, starting)
    for key in _STARTING:
        value = step.child(key)
        empty = value is not None and value.kind == "scalar" and value.scalar in (None, "") and not value.flawed
        if value is not None and empty and (value.scalar is None or not starting):
            root.report("DP321", (*path, key), f"{key} names no executor", "name one, or leave the key out")


def _check_run(root: Node, step: Node, path: Path, kind: str, starting: Sequence[tuple[str, str]]) -> None:
    """Whether the executor can be run as the step's TYPE and RUN ask."""
    if not starting:
        return
    key, name = starting[0]
    executor = REGISTRY.get(name)
    service = executor is not None and not executor.function
    node = step.child("RUN")
    chosen = node.scalar if node is not None else None
    if service and kind == "sync":
        message = f"{name} starts a job that is then asked after, and TYPE sync is one call"
        root.report("DP329", (*path, key), message, "write TYPE async and name it in FUNCTION_ID_NAME")
    elif service and chosen == "http":
        message = f"there is no function {shown(name)} that could be called"
        root.report("DP329", (*path, "RUN"), message, "take RUN out: the engine runs the service's job itself")
    elif chosen == "operators" and not (executor is not None and executor.operator):
        able = ", ".join(sorted(name for name, known in REGISTRY.items() if known.operator))
        message = f"no operator of Airflow's providers does what {shown(name)} does"
        root.report("DP329", (*path, "RUN"), message, f"write RUN: http, or name one of {able}")
    status = step.child("FUNCTION_STATUS_NAME")
    asks = status.scalar if status is not None else None
    if service and isinstance(asks, str) and asks not in ("", name):
        message = f"{name} is asked itself how its job is, and FUNCTION_STATUS_NAME is {shown(asks)}"
        root.report("DP314", (*path, "FUNCTION_STATUS_NAME"), message, "take it out")


def _misspelt(step: Node) -> bool:
    return any(key not in STEP_KEYS for key in step.entries)


def _executors(root: Node, step: Node, path: Path, executors: Collection[str]) -> dict[str, str]:
    """Key → executor, of those that are named; an unknown one is told."""
    named: dict[str, str] = {}
    for key in _EXECUTOR_KEYS:
        node = step.child(key)
        if node is None or node.flawed or not isinstance(node.scalar, str):
            continue
        if node.scalar == "" and key == "FUNCTION_NAME":
            continue
        named[key] = node.scalar
        if node.scalar not in executors:
            root.report(
                "DP311",
                (*path, key),
                f"unknown executor {shown(node.scalar)}",
                f"{nearest(node.scalar[:100], executors)} Others are registered in gcp.executors.functions",
            )
    return named


def check_next(root: Node, steps: Path, below: Node | None) -> None:
    """NEXT says what the order of the file says already, or is refused: a jump has no meaning in threads.

    Args:
        root: The document.
        steps: Where the steps of a thread are.
        below: The threads of the next level, where the last step of this thread has one step that follows it.
    """
    found = root.at(steps)
    items = found.items if found is not None else []
    ids = [_job_id(step) for step in items]
    after = None
    if below is not None and len(below.items) == 1:
        first = below.items[0].child("STEPS")
        after = _job_id(first.items[0]) if first is not None and first.items else None
    for index, step in enumerate(items):
        node = step.child("NEXT")
        if node is None or node.flawed or node.kind != "scalar" or node.scalar in (None, ""):
            continue
        wanted, natural = str(node.scalar), ids[index + 1] if index + 1 < len(ids) else after
        if wanted == natural:
            continue
        path = (*steps, index, "NEXT")
        if natural is None:
            message = f"NEXT is {shown(wanted)}, and no single step follows this one: it is the last of its thread"
            root.report("DP322", path, message, "leave NEXT out: a level starts when all threads before it have ended")
        else:
            message = f"NEXT is {shown(wanted)}, and the step that follows is {shown(natural)}"
            remedy = f"write {natural}, put the steps in the order they shall run, or leave NEXT out"
            root.report("DP322", path, message, remedy)


def _job_id(step: Node) -> str | None:
    node = step.child("JOB_ID")
    return str(node.scalar) if node is not None and node.kind == "scalar" and node.scalar is not None else None
