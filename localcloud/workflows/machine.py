"""The interpreter: runs a program's fibers one step at a time until the execution has ended.

All fibers of an execution share one thread, so a step is atomic and a shared variable needs no lock. What takes time
does not run here: a sleep is an entry in the list of timers, an HTTP request runs in a thread of its own and posts its
outcome. Cancelling wakes the loop at once, whatever it waits for.

Sleeps and retry delays are multiplied by `time_scale`; `sys.now` runs ahead by what they were shortened, so a deadline
computed from it is met after the same number of polls as in real time.
"""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from localcloud.workflows import limits, web
from localcloud.workflows.actions import Actions, SuspendError, bind
from localcloud.workflows.callbacks import Callbacks
from localcloud.workflows.connectors.calls import perform_connector
from localcloud.workflows.context import Context, Observer
from localcloud.workflows.events import StepEntry
from localcloud.workflows.failures import TraceElement, WorkflowError, failure
from localcloud.workflows.frames import (
    BranchFrame,
    CallFrame,
    Fiber,
    Frame,
    JoinFrame,
    LoopFrame,
    Memory,
    Scope,
    SequenceFrame,
    TryFrame,
)
from localcloud.workflows.program import Block, Group, Program, Routine, chain
from localcloud.workflows.values import Value

_FLUSH_SECONDS = 0.2


class CancelledError(Exception):
    """Raised out of `run` when the execution was cancelled."""


@dataclass(frozen=True)
class _Outcome:
    fiber: Fiber
    token: object
    finish: Callable[[], None]


class Machine:
    """One execution of a program."""

    def __init__(self, program: Program, context: Context, observer: Observer) -> None:
        self.program = program
        self.context = context
        self.observer = observer
        self.memory = Memory()
        self.actions = Actions(self)
        self.callbacks = Callbacks()
        self.ready: deque[Fiber] = deque()
        self.timers: list[tuple[float, int, _Outcome]] = []
        self.inbox: queue.SimpleQueue[_Outcome | None] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        self.interrupted = False
        self.abort: dict[object, Callable[[], None]] = {}
        self.joins: list[tuple[Fiber, JoinFrame]] = []
        self.slots = limits.CONCURRENT_BRANCHES
        self.unhandled = 0
        self.steps = 0
        self.fibers = 0
        self.sequence = 0
        self.live: dict[int, Fiber] = {}
        self.ended = False
        self.result: Value = None
        self.failure: WorkflowError | None = None
        self._flushed = 0.0

    # The loop

    def run(self, argument: Value, *, given: bool) -> Value:
        """Run `main`; what it returns. Raises WorkflowError, or CancelledError."""
        main = self.program.main
        fiber = self.new_fiber(0, 0, 0.0)
        try:
            values: dict[str, Value] = {}
            for parameter in main.parameters:
                use_default = not given and parameter.default is not None
                values[parameter.name] = parameter.default.value if use_default and parameter.default else argument
            self.enter(fiber, main, values, None)
            self.ready.append(fiber)
            self._loop()
        except CancelledError:
            self._cancel_all()
            raise
        finally:
            for abort in self.abort.values():
                abort()
            self.observer.flush(self.current_steps(fiber))
        if self.failure is not None:
            raise self.failure
        return self.result

    def cancel(self) -> None:
        """Ask the execution to end; may be called from any thread."""
        self.cancelled.set()
        self.inbox.put(None)

    def _loop(self) -> None:
        while not self.ended:
            if self.cancelled.is_set():
                raise CancelledError
            if self.ready:
                self._advance(self.ready.popleft())
                if not self.inbox.empty():
                    self._collect(0)
            else:
                self._collect(self._patience())
            self._due()
            if time.monotonic() - self._flushed > _FLUSH_SECONDS:
                self._flush()

    def _patience(self) -> float:
        self._flush()
        if not self.timers:
            return _FLUSH_SECONDS
        if not self.abort:
            self.context.clock.skip(self.timers[0][0])
        return min(_FLUSH_SECONDS, max(0.0, self.timers[0][0] - self.context.clock.monotonic()))

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        root = self.live.get(0)
        if self.observer.flush(self.current_steps(root)):
            self.cancelled.set()

    def _collect(self, patience: float) -> None:
        try:
            outcome = self.inbox.get(timeout=patience) if patience > 0 else self.inbox.get_nowait()
        except queue.Empty:
            return
        if outcome is not None:
            self._resume(outcome)

    def _due(self) -> None:
        now = self.context.clock.monotonic()
        while self.timers and self.timers[0][0] <= now:
            self._resume(heapq.heappop(self.timers)[2])

    def _resume(self, outcome: _Outcome) -> None:
        fiber = outcome.fiber
        if fiber.waiting is not outcome.token:
            return
        fiber.waiting = None
        self.abort.pop(outcome.token, None)
        self.guard(fiber, outcome.finish)
        self.schedule(fiber)

    def schedule(self, fiber: Fiber) -> None:
        """Let a fiber run again, if it can."""
        if fiber.frames and fiber.waiting is None and fiber not in self.ready:
            self.ready.append(fiber)

    def guard(self, fiber: Fiber, action: Callable[[], None]) -> None:
        """Do something on behalf of a fiber; an error becomes the fiber's."""
        try:
            action()
        except WorkflowError as error:
            self.unwind(fiber, error)
        except RecursionError:
            self.unwind(fiber, failure("ResourceLimitError", "a value is nested too deeply"))

    def _advance(self, fiber: Fiber) -> None:
        self.guard(fiber, lambda: self._step(fiber))
        self.schedule(fiber)

    def _step(self, fiber: Fiber) -> None:
        frame = fiber.frames[-1]
        if not isinstance(frame, SequenceFrame):
            raise AssertionError(f"a fiber cannot run in {type(frame).__name__}")
        if frame.position >= len(frame.block.steps):
            self.complete(fiber)
            return
        step = frame.step
        if frame.entry is None:
            self.steps += 1
            if self.steps > limits.STEPS_PER_EXECUTION:
                message = f"the limit of {limits.STEPS_PER_EXECUTION} steps per execution is exceeded"
                raise failure("ResourceLimitError", message)
            self.begin(fiber, frame)
        try:
            self.actions.perform(fiber, frame, step)
        except SuspendError as call:
            memo = frame.memo
            if call.routine is None:
                perform_connector(self, fiber, call.path, call.values, memo.append)
            else:
                self.enter(fiber, call.routine, bind(call.routine, call.values), memo.append)

    # Waiting

    def wait(self, fiber: Fiber, seconds: float, finish: Callable[[], None]) -> None:
        """Let a fiber sleep for scaled seconds, then finish."""
        token = object()
        fiber.waiting = token
        scaled = seconds * self.context.time_scale

        def done() -> None:
            fiber.skew += seconds - scaled
            finish()

        self.timers_push(scaled, _Outcome(fiber, token, done))

    def timers_push(self, seconds: float, outcome: _Outcome) -> None:
        """Add a timer."""
        self.sequence += 1
        heapq.heappush(self.timers, (self.context.clock.monotonic() + seconds, self.sequence, outcome))

    def background(
        self, fiber: Fiber, work: Callable[[], Value], abort: Callable[[], None], finish: Callable[[Value], None]
    ) -> None:
        """Let a fiber wait for work that runs in a thread of its own."""
        token = object()
        fiber.waiting = token
        self.abort[token] = abort

        def run() -> None:
            try:
                value = work()
            except WorkflowError as error:
                caught = error
                self.inbox.put(_Outcome(fiber, token, lambda: _throw(caught)))
            except Exception as error:
                internal = failure("SystemError", f"{type(error).__name__}: {error}")
                self.inbox.put(_Outcome(fiber, token, lambda: _throw(internal)))
            else:
                self.inbox.put(_Outcome(fiber, token, lambda: finish(value)))

        threading.Thread(target=run, daemon=True, name="workflow-http").start()

    def exchange(
        self,
        fiber: Fiber,
        request: web.Request,
        deliver: Callable[[Value], None],
        failed: Callable[[WorkflowError], None] | None = None,
    ) -> None:
        """Send a request and let the fiber wait; an error goes to `failed`, where given, else becomes the fiber's."""
        responder = self.context.responder

        def outcome(work: Callable[[], Value]) -> Callable[[], None]:
            try:
                value = work()
            except WorkflowError as error:
                caught = error
                return lambda: (failed or _throw)(caught)
            return lambda: deliver(value)

        guard = self.context.guard
        refused = guard and guard(self.context.service_account, request.method, request.asked, request.body)
        if refused:
            self.wait(fiber, 0.0, lambda: outcome(partial(web.respond, request, refused))())
            return
        if responder is None:
            self.background(fiber, lambda: outcome(partial(web.send, request)), request.abort, lambda finish: finish())
            return
        request.at = self.context.clock.time()
        answer = responder(request)
        seconds = min(answer.seconds, request.timeout)
        self.wait(fiber, seconds, lambda: outcome(partial(web.respond, request, answer))())

    def hold(self, fiber: Fiber, timeout: float, late: Callable[[], None]) -> Callable[[Callable[[], None]], None]:
        """Let a fiber wait for something from outside; the returned function delivers it, from any thread."""
        token = object()
        fiber.waiting = token
        self.timers_push(timeout * self.context.time_scale, _Outcome(fiber, token, late))
        return lambda finish: self.inbox.put(_Outcome(fiber, token, finish))

    # Frames

    def new_fiber(self, call_depth: int, parallel_depth: int, skew: float) -> Fiber:
        """A fiber without frames."""
        fiber = Fiber(self.fibers, call_depth, parallel_depth, skew)
        self.live[fiber.id] = fiber
        self.fibers += 1
        return fiber

    def enter(
        self, fiber: Fiber, routine: Routine, values: dict[str, Value], deliver: Callable[[Value], None] | None
    ) -> None:
        """Call a routine."""
        # `main` itself is not a call: twenty calls may be open in it.
        if fiber.call_depth > limits.CALL_DEPTH:
            raise failure("RecursionError", f"maximum call stack depth of {limits.CALL_DEPTH} exceeded")
        scope = Scope(self.memory)
        for name, value in values.items():
            scope.store(name, value)
        fiber.call_depth += 1
        fiber.frames += [CallFrame(routine, scope, deliver), SequenceFrame(routine.body, scope)]

    def push(self, fiber: Fiber, block: Block, scope: Scope, *, owns_scope: bool = False) -> None:
        """Run a block inside the current step."""
        fiber.frames.append(SequenceFrame(block, scope, owns_scope))

    def pop(self, fiber: Fiber, error: WorkflowError | None = None) -> Frame:
        """Remove the top frame; an entry of its that is still open ends with it."""
        frame = fiber.frames.pop()
        if isinstance(frame, SequenceFrame):
            if frame.entry is not None:
                self.end(frame, error)
            if frame.owns_scope:
                frame.scope.release()
        elif isinstance(frame, LoopFrame):
            frame.scope.release()
        elif isinstance(frame, CallFrame):
            fiber.call_depth -= 1
            frame.scope.release()
        return frame

    def complete(self, fiber: Fiber) -> None:
        """The top frame has ended normally: pop it and let the one below go on."""
        self.pop(fiber)
        top = fiber.frames[-1]
        if isinstance(top, SequenceFrame):
            self.finish(fiber, top)
        elif isinstance(top, LoopFrame):
            self.iterate(fiber, top)
        elif isinstance(top, CallFrame):
            self.leave(fiber, None)
        elif isinstance(top, BranchFrame):
            self.end_branch(fiber, top, None)
        else:
            self.complete(fiber)

    def finish(self, fiber: Fiber, frame: SequenceFrame) -> None:
        """The current step of the top frame has ended: go on to the next one."""
        step = frame.step
        target = frame.after or step.next
        self.end(frame, None)
        frame.clear()
        if target is None:
            frame.position += 1
        else:
            self.jump(fiber, target)

    def iterate(self, fiber: Fiber, frame: LoopFrame) -> None:
        """Begin the loop's next iteration, or end the loop."""
        frame.position += 1
        if frame.position >= len(frame.items):
            self.complete(fiber)
            return
        frame.scope.store(frame.loop.value, frame.items[frame.position])
        if frame.loop.index is not None:
            frame.scope.store(frame.loop.index, frame.position)
        self.push(fiber, frame.loop.block, frame.scope)

    def leave(self, fiber: Fiber, value: Value) -> None:
        """Return from the current routine."""
        while not isinstance(frame := self.pop(fiber), CallFrame):
            pass
        if frame.deliver is not None:
            frame.deliver(value)
            return
        self.result = value
        self.ended = True

    def jump(self, fiber: Fiber, target: str) -> None:
        """Go to `end`, `break`, `continue` or a step."""
        if target == "end":
            self.leave(fiber, None)
            return
        if target in ("break", "continue"):
            self._jump_in_loop(fiber, target)
            return
        routine = self.program.routines[fiber.routine()]
        step = routine.labels[target]
        path = chain(step.block)
        while True:
            frame = fiber.frames[-1]
            if isinstance(frame, SequenceFrame) and frame.block in path:
                break
            self.pop(fiber)
        if frame.entry is not None:
            self.end(frame, None)
        frame.clear()
        for block in reversed(path[: path.index(frame.block)]):
            owner = block.owner
            assert owner is not None
            assert isinstance(owner.action, Group)
            frame.position = owner.index
            self.begin(fiber, frame)
            frame = SequenceFrame(block, frame.scope)
            fiber.frames.append(frame)
        frame.position = step.index

    def _jump_in_loop(self, fiber: Fiber, target: str) -> None:
        while True:
            frame = fiber.frames[-1]
            if isinstance(frame, LoopFrame):
                if target == "continue":
                    self.iterate(fiber, frame)
                else:
                    self.complete(fiber)
                return
            if isinstance(frame, BranchFrame):
                self.end_branch(fiber, frame, None)
                return
            self.pop(fiber)

    # Errors

    def unwind(self, fiber: Fiber, error: WorkflowError) -> None:
        """Carry an error to the `try` that handles it, else out of the fiber."""
        if not error.trace:
            error.trace = self._trace(fiber)
        while fiber.frames:
            top = fiber.frames[-1]
            if isinstance(top, TryFrame) and not top.deciding:
                self.guard(fiber, partial(self.actions.caught, fiber, top, error))
                return
            if isinstance(top, BranchFrame):
                self.end_branch(fiber, top, error)
                return
            self.pop(fiber, error)
        self.failure = error
        self.ended = True

    def _trace(self, fiber: Fiber) -> tuple[TraceElement, ...]:
        found: list[TraceElement] = []
        wanted = True
        for number in range(len(fiber.frames) - 1, -1, -1):
            frame = fiber.frames[number]
            if isinstance(frame, SequenceFrame) and wanted and frame.position < len(frame.block.steps):
                step = frame.step
                found.append(TraceElement(fiber.routine(number), step.name, step.line, step.column))
                wanted = False
            elif isinstance(frame, CallFrame):
                wanted = True
        return tuple(found)

    # Parallel steps

    def fork(self, fiber: Fiber, join: JoinFrame) -> None:
        """Start a parallel step's branches, as many as the limits allow."""
        fiber.frames.append(join)
        fiber.waiting = join
        self.joins.append((fiber, join))
        if fiber.parallel_depth:
            # A branch that only waits for its own branches does not take a place, else two levels could lock up.
            self.slots += 1
        self._pump()

    def _pump(self) -> None:
        for parent, join in list(self.joins):
            while join.pending and join.running < join.limit and self.slots > 0:
                self._spawn(parent, join, *join.pending.popleft())

    def _spawn(self, parent: Fiber, join: JoinFrame, name: str, block: Block, values: dict[str, Value]) -> None:
        join.running += 1
        self.slots -= 1
        child = self.new_fiber(parent.call_depth, parent.parallel_depth + 1, parent.skew)
        child.last = parent.last
        scope = Scope(self.memory, join.scope, frozenset(join.action.shared))
        child.frames += [BranchFrame(join, parent, name), SequenceFrame(block, scope, owns_scope=True)]

        def begin() -> None:
            for key, value in values.items():
                scope.store(key, value)

        self.guard(child, begin)
        self.schedule(child)

    def end_branch(self, fiber: Fiber, frame: BranchFrame, error: WorkflowError | None) -> None:
        """A branch or iteration has ended."""
        while fiber.frames:
            self.pop(fiber, error)
        del self.live[fiber.id]
        join, parent = frame.join, frame.parent
        join.running -= 1
        self.slots += 1
        parent.skew = max(parent.skew, fiber.skew)
        if error is not None:
            join.count += 1
            self.unhandled += 1
            if self.unhandled <= limits.UNHANDLED_EXCEPTIONS:
                join.failures.append((frame.id, error))
        if join.running or join.pending:
            self._pump()
            return
        self.joins = [(f, j) for f, j in self.joins if j is not join]
        if parent.parallel_depth:
            self.slots -= 1
        self._pump()
        parent.waiting = None
        self.guard(parent, lambda: self._joined(parent, join))
        self.schedule(parent)

    def _joined(self, parent: Fiber, join: JoinFrame) -> None:
        if join.count == 0:
            self.complete(parent)
            return
        parent.frames.pop()
        raise WorkflowError(
            {
                "message": "UnhandledBranchError: One or more branches or iterations encountered an unhandled runtime "
                "error",
                "tags": ["UnhandledBranchError", "RuntimeError"],
                "branches": [{"id": name, "error": error.as_error()} for name, error in join.failures],
                "truncated": join.count > len(join.failures),
            }
        )

    # Entries

    def begin(self, fiber: Fiber, frame: SequenceFrame) -> None:
        """Open the entry of the current step."""
        step = frame.step
        routine = fiber.routine()
        parent = next(
            (f.entry.id for f in reversed(fiber.frames) if f is not frame and isinstance(f, SequenceFrame) and f.entry),
            None,
        )
        now = self.context.clock.time()
        kind = self.actions.kind(step)
        frame.entry = StepEntry(self.steps, routine, step.name, kind, now, now, parent=parent, fiber=fiber.id)
        fiber.last = (routine, step.name)
        self.observer.entry(frame.entry)

    def end(self, frame: SequenceFrame, error: WorkflowError | None) -> None:
        """Close the entry of the current step."""
        entry = frame.entry
        if entry is None:
            return
        entry.updated = self.context.clock.time()
        entry.state = "STATE_SUCCEEDED" if error is None else "STATE_FAILED"
        entry.exception = error.as_error()["payload"] if error is not None else None  # type: ignore[assignment]
        frame.entry = None
        self.observer.entry(entry)

    def _cancel_all(self) -> None:
        for fiber in self.live.values():
            for frame in reversed(fiber.frames):
                if isinstance(frame, SequenceFrame) and frame.entry is not None:
                    frame.entry.state = "STATE_CANCELLED"
                    frame.entry.updated = time.time()
                    self.observer.entry(frame.entry)

    def current_steps(self, root: Fiber | None) -> list[dict[str, str]]:
        """The steps that run now, or the last one."""
        waiting_for_branches = [f for f in self.live.values() if f.frames and not isinstance(f.frames[-1], JoinFrame)]
        fibers = waiting_for_branches or ([root] if root is not None else [])
        return [{"routine": f.last[0], "step": f.last[1]} for f in fibers if f.last[1]]


def _throw(error: WorkflowError) -> None:
    raise error
