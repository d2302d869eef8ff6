"""A checked workflow as the interpreter runs it: routines, blocks of steps and the steps' actions.

Made by `builder`; nothing here changes once it is built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from localcloud.workflows.expressions import Expression
from localcloud.workflows.values import Value

Role = Literal["body", "group", "condition", "loop", "try", "except", "branch", "iteration"]


@dataclass(frozen=True)
class Constant:
    """A value without expressions."""

    value: Value


@dataclass(frozen=True)
class Dynamic:
    """A string of the source that is one expression."""

    expression: Expression
    line: int
    column: int


@dataclass(frozen=True)
class ListTemplate:
    """A list with expressions in it."""

    items: tuple[Template, ...]


@dataclass(frozen=True)
class MapTemplate:
    """A map with expressions in it, among its keys too."""

    entries: tuple[tuple[Template, Template], ...]


Template = Constant | Dynamic | ListTemplate | MapTemplate


@dataclass(eq=False)
class Block:
    """Steps that run one after the other. `owner` is the step that holds the block; None for a routine's body."""

    role: Role
    owner: Step | None
    steps: list[Step] = field(default_factory=list)


@dataclass(eq=False)
class Step:
    """One step with its place. `next` is where it goes on when it has ended; None is the following step."""

    name: str
    line: int
    column: int
    block: Block
    index: int
    action: Action = field(init=False)
    next: str | None = None

    def __post_init__(self) -> None:
        self.action = Jump()


@dataclass(frozen=True)
class Assignment:
    """One `target: value`."""

    target: Expression
    value: Template
    line: int
    column: int


@dataclass(frozen=True)
class Assign:
    """`assign`."""

    assignments: tuple[Assignment, ...]


@dataclass(frozen=True)
class Call:
    """`call`: a subworkflow or a library function, with named or positional arguments."""

    path: str
    arguments: dict[str, Template] | tuple[Template, ...]
    result: str | None
    line: int
    column: int


@dataclass(frozen=True)
class Condition:
    """One case of a switch."""

    test: Template
    block: Block | None
    next: str | None
    line: int
    column: int


@dataclass(frozen=True)
class Switch:
    """`switch`."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Return:
    """`return`."""

    value: Template


@dataclass(frozen=True)
class Raise:
    """`raise`."""

    value: Template


@dataclass(frozen=True)
class Group:
    """`steps` inside a step."""

    block: Block


@dataclass(frozen=True)
class For:
    """`for`: over a list (`items`) or between two numbers (`bounds`, a list of two or an expression that gives one)."""

    value: str
    index: str | None
    items: Template | None
    bounds: Template | None
    block: Block


@dataclass(frozen=True)
class Branch:
    """One named branch."""

    name: str
    block: Block


@dataclass(frozen=True)
class Parallel:
    """`parallel`: branches or a loop."""

    branches: tuple[Branch, ...]
    loop: For | None
    shared: tuple[str, ...]
    limit: Template | None
    line: int
    column: int


@dataclass(frozen=True)
class RetryPolicy:
    """A written-out `retry`; each part may be an expression."""

    predicate: Template | None
    max_retries: Template
    initial_delay: Template
    max_delay: Template
    multiplier: Template


@dataclass(frozen=True)
class Try:
    """`try` with `retry` or `except` or both. `error` is the name the error is bound to."""

    block: Block
    retry: RetryPolicy | Template | None
    error: str | None
    handler: Block | None


@dataclass(frozen=True)
class Jump:
    """A step that only has `next`."""


Action = Assign | Call | Switch | Return | Raise | Group | For | Parallel | Try | Jump


@dataclass(frozen=True)
class Parameter:
    """A parameter of a routine; `default` is None where it must be given."""

    name: str
    default: Constant | None


@dataclass(eq=False)
class Routine:
    """`main` or a subworkflow."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Block
    line: int
    column: int
    labels: dict[str, Step] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Program:
    """All routines of a source."""

    routines: dict[str, Routine]

    @property
    def main(self) -> Routine:
        """The routine that an execution starts."""
        return self.routines["main"]


def templates(template: Template) -> list[Dynamic]:
    """All expressions of a template."""
    match template:
        case Dynamic():
            return [template]
        case ListTemplate(items):
            return [d for i in items for d in templates(i)]
        case MapTemplate(entries):
            return [d for k, v in entries for part in (k, v) for d in templates(part)]
        case Constant():
            return []


def chain(block: Block) -> list[Block]:
    """The block and those it lies in, innermost first."""
    found = [block]
    while found[-1].owner is not None:
        found.append(found[-1].owner.block)
    return found
