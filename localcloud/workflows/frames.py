"""The interpreter's state: scopes of variables, the frames of a fiber, and the fibers of an execution.

A fiber is one line of control: the execution itself, or one branch or iteration of a parallel step. Its state is a
list of frames, not Python's stack, so that steps, jumps and errors only push and pop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from localcloud.workflows import limits
from localcloud.workflows.events import StepEntry
from localcloud.workflows.failures import WorkflowError, failure
from localcloud.workflows.program import Block, For, Parallel, Routine, Step, Try
from localcloud.workflows.values import Value, memory_size


class Memory:
    """The memory all variables of an execution take, against the limit."""

    def __init__(self) -> None:
        self.used = 0

    def change(self, difference: int) -> None:
        """Account for a variable that grew or shrank. Raises a ResourceLimitError failure."""
        if difference > 0 and self.used + difference > limits.VARIABLES_BYTES:
            raise failure(
                "ResourceLimitError",
                f"memory usage limit exceeded: {self.used + difference} bytes of variables; the limit is "
                f"{limits.VARIABLES_BYTES}",
            )
        self.used += difference


class Scope:
    """Variables of a routine, a loop, an `except` block or a parallel branch.

    `shared` is None except where a parallel branch begins; there it holds the outer variables that may be assigned.
    """

    def __init__(self, memory: Memory, parent: Scope | None = None, shared: frozenset[str] | None = None) -> None:
        self.memory = memory
        self.parent = parent
        self.shared = shared
        self.values: dict[str, Value] = {}
        self.sizes: dict[str, int] = {}

    def holder(self, name: str) -> Scope | None:
        """The scope a variable is read from."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope
            scope = scope.parent
        return None

    def assign(self, name: str, value: Value) -> None:
        """Assign to the variable that is visible and writable here, else create it in this scope."""
        scope: Scope = self
        while name not in scope.values:
            if scope.parent is None or (scope.shared is not None and name not in scope.shared):
                scope = self
                break
            scope = scope.parent
        scope.store(name, value)

    def store(self, name: str, value: Value) -> None:
        """Set a variable of this very scope."""
        if isinstance(value, str) and len(value) * 4 > limits.STRING_BYTES:
            size = len(value.encode("utf-8", "surrogatepass"))
            if size > limits.STRING_BYTES:
                message = f"string of {size} bytes exceeds the limit of {limits.STRING_BYTES} bytes"
                raise failure("ResourceLimitError", message)
        size = memory_size(name) + memory_size(value)
        self.memory.change(size - self.sizes.get(name, 0))
        self.values[name] = value
        self.sizes[name] = size

    def release(self) -> None:
        """Give back the memory of this scope's variables."""
        self.memory.change(-sum(self.sizes.values()))
        self.values.clear()
        self.sizes.clear()


@dataclass(eq=False)
class SequenceFrame:
    """Runs the steps of a block. `memo` keeps what subworkflows called in the current expression have returned."""

    block: Block
    scope: Scope
    owns_scope: bool = False
    position: int = 0
    entry: StepEntry | None = None
    progress: int = 0
    after: str | None = None
    memo: list[Value] = field(default_factory=list)
    cursor: int = 0

    @property
    def step(self) -> Step:
        """The current step."""
        return self.block.steps[self.position]

    def clear(self) -> None:
        """Forget the state of the step that has ended."""
        self.entry = None
        self.progress = 0
        self.after = None
        self.memo.clear()


@dataclass(eq=False)
class LoopFrame:
    """A `for` loop between two iterations."""

    loop: For
    scope: Scope
    items: list[Value] | Range
    position: int = -1


@dataclass(frozen=True)
class Range:
    """The numbers of a `range`, its end included."""

    first: int | float
    last: int | float

    def __len__(self) -> int:
        return max(0, int((self.last - self.first) // 1) + 1)

    def __getitem__(self, index: int) -> int | float:
        return self.first + index


@dataclass(eq=False)
class TryFrame:
    """A `try` while its block runs, or while it waits to run it again."""

    action: Try
    scope: Scope
    step: Step
    predicate: Value
    max_retries: int
    delays: tuple[float, float, float]
    attempt: int = 0
    deciding: bool = False


@dataclass(eq=False)
class CallFrame:
    """A routine's activation. `deliver` takes what it returns; None for the execution's own."""

    routine: Routine
    scope: Scope
    deliver: Callable[[Value], None] | None


@dataclass(eq=False)
class JoinFrame:
    """A parallel step that waits for its branches."""

    action: Parallel
    scope: Scope
    pending: deque[tuple[str, Block, dict[str, Value]]]
    limit: int
    running: int = 0
    failures: list[tuple[str, WorkflowError]] = field(default_factory=list)
    count: int = 0


@dataclass(eq=False)
class BranchFrame:
    """The bottom of a branch's or iteration's fiber."""

    join: JoinFrame
    parent: Fiber
    id: str


Frame = SequenceFrame | LoopFrame | TryFrame | CallFrame | JoinFrame | BranchFrame


@dataclass(eq=False)
class Fiber:
    """One line of control. `skew` is how far its clock is ahead of the real one because sleeps were shortened."""

    id: int
    call_depth: int
    parallel_depth: int
    skew: float = 0.0
    frames: list[Frame] = field(default_factory=list)
    waiting: object | None = None
    """Token of what the fiber waits for; None while it can run."""
    last: tuple[str, str] = ("main", "")

    def routine(self, top: int | None = None) -> str:
        """Name of the routine it is in; `top` counts only the frames up to there."""
        frames = self.frames if top is None else self.frames[: top + 1]
        for frame in reversed(frames):
            if isinstance(frame, CallFrame):
                return frame.routine.name
            if isinstance(frame, BranchFrame):
                return frame.parent.routine()
        return "main"
