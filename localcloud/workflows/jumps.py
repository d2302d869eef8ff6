"""Checks where steps jump to.

`next` may name a step of the same list or of a list further out, and a step inside a nested `steps` group, which
generated definitions in use do. It may not lead into a loop, a `try`, an `except`, a switch's case or a branch, and
nothing leads out of a parallel branch or iteration; `continue` ends one.
"""

from __future__ import annotations

from localcloud.workflows.program import (
    Block,
    Condition,
    For,
    Group,
    Parallel,
    Return,
    Routine,
    Step,
    Switch,
    Try,
    chain,
)
from localcloud.workflows.report import Report

_INTO = {
    "condition": "a case of a switch",
    "loop": "a 'for' loop",
    "try": "a 'try' block",
    "except": "an 'except' block",
    "branch": "a parallel branch",
    "iteration": "a parallel loop",
}


def check_jumps(routine: Routine, report: Report) -> None:
    """Report every jump of a routine that leads nowhere or where it may not."""
    report.workflow = routine.name
    _block(routine, routine.body, report)
    report.workflow = report.step = ""


def blocks(step: Step) -> list[Block]:
    """The blocks directly inside a step."""
    match step.action:
        case Switch(conditions):
            return [c.block for c in conditions if c.block is not None]
        case Group(block) | For(_, _, _, _, block):
            return [block]
        case Parallel(branches, loop, _, _, _, _):
            return [b.block for b in branches] + ([loop.block] if loop is not None else [])
        case Try(block, _, _, handler):
            return [block] + ([handler] if handler is not None else [])
        case _:
            return []


def _block(routine: Routine, block: Block, report: Report) -> None:
    for step in block.steps:
        report.step = step.name
        if step.next is not None:
            _check(routine, step, step.next, step, report)
        if isinstance(step.action, Switch):
            for condition in step.action.conditions:
                if condition.next is not None:
                    _check(routine, step, condition.next, condition, report)
        if isinstance(step.action, Return) and _in_parallel(block):
            report.add("'return' cannot be used inside a parallel step", step.line, step.column)
        for inner in blocks(step):
            _block(routine, inner, report)


def _in_parallel(block: Block) -> bool:
    return any(b.role in ("branch", "iteration") for b in chain(block))


def _check(routine: Routine, step: Step, target: str, place: Step | Condition, report: Report) -> None:
    message = _problem(routine, step, target)
    if message:
        report.add(message, place.line, place.column)


def _problem(routine: Routine, step: Step, target: str) -> str | None:
    leaving = chain(step.block)
    if target == "end":
        return "'next: end' cannot be used inside a parallel step" if _in_parallel(step.block) else None
    if target in ("break", "continue"):
        for block in leaving:
            if block.role == "loop":
                return None
            if block.role in ("branch", "iteration"):
                return None if target == "continue" else "'next: break' cannot be used in a parallel step"
        return f"'next: {target}' can only be used inside a 'for' loop"
    if target not in routine.labels:
        return f"'next' names step '{target}', which is not defined in workflow '{routine.name}'"
    entering = chain(routine.labels[target].block)
    common = next(b for b in leaving if b in entering)
    for block in leaving[: leaving.index(common)]:
        if block.role in ("branch", "iteration"):
            return f"'next' leads to step '{target}' outside the parallel step"
    for block in entering[: entering.index(common)]:
        if block.role != "group":
            return f"'next' leads to step '{target}' inside {_INTO[block.role]}"
    return None
