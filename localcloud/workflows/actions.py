"""What each kind of step does.

An expression that calls a subworkflow cannot wait for it: the first evaluation raises SuspendError, the machine runs
the subworkflow, and the expression is evaluated again with the value it returned at hand. Everything else an
expression can do has no effect, so evaluating it twice changes nothing.
"""

from __future__ import annotations

import uuid
from collections import deque
from typing import TYPE_CHECKING

from localcloud.workflows import connectors, library, limits
from localcloud.workflows import expressions as ex
from localcloud.workflows.blocking import perform_blocking
from localcloud.workflows.connectors.calls import perform_connector
from localcloud.workflows.evaluate import evaluate, list_index, member
from localcloud.workflows.failures import WorkflowError, failure, key_error, type_error, value_error
from localcloud.workflows.frames import Fiber, JoinFrame, LoopFrame, Range, Scope, SequenceFrame, TryFrame
from localcloud.workflows.program import (
    Assign,
    Block,
    Call,
    Constant,
    Dynamic,
    For,
    Group,
    Jump,
    ListTemplate,
    MapTemplate,
    Parallel,
    Raise,
    RetryPolicy,
    Return,
    Routine,
    Step,
    Switch,
    Template,
    Try,
)
from localcloud.workflows.values import FunctionRef, Value, is_number, type_name

if TYPE_CHECKING:
    from localcloud.workflows.machine import Machine

_KINDS: dict[type, str] = {
    Assign: "STEP_ASSIGN",
    Switch: "STEP_SWITCH",
    For: "STEP_FOR",
    Return: "STEP_RETURN",
    Raise: "STEP_RAISE",
    Try: "STEP_TRY_RETRY_EXCEPT",
    Jump: "STEP_GOTO",
    Group: "STEP_TYPE_UNSPECIFIED",
}


class SuspendError(Exception):
    """Raised out of an expression that must call a subworkflow, or a connector's helper, first."""

    def __init__(self, path: str, routine: Routine | None, values: list[Value]) -> None:
        super().__init__(path)
        self.path = path
        self.routine = routine
        self.values = values


class _Environment:
    """What a step's expressions are evaluated in."""

    def __init__(self, machine: Machine, fiber: Fiber, frame: SequenceFrame) -> None:
        self.machine = machine
        self.fiber = fiber
        self.frame = frame

    def has_variable(self, name: str) -> bool:
        return self.frame.scope.holder(name) is not None

    def lookup(self, name: str) -> Value:
        holder = self.frame.scope.holder(name)
        if holder is None:
            raise failure("KeyError", f"variable not found: {name}")
        return holder.values[name]

    def constant(self, path: str) -> Value:
        if path in library.CONSTANTS:
            return library.CONSTANTS[path]
        if path in self.machine.program.routines or path in library.FUNCTIONS:
            return FunctionRef(path)
        raise KeyError(path)

    def call(self, path: str, arguments: list[Value]) -> Value:
        routine = self.machine.program.routines.get(path)
        if routine is not None or path.startswith(connectors.PREFIX):
            if self.frame.cursor < len(self.frame.memo):
                self.frame.cursor += 1
                return self.frame.memo[self.frame.cursor - 1]
            raise SuspendError(path, routine, arguments)
        return self.machine.actions.library(self.fiber, library.FUNCTIONS[path], arguments)


def bind(routine: Routine, arguments: list[Value] | dict[str, Value]) -> dict[str, Value]:
    """A routine's variables from arguments and defaults."""
    names = [p.name for p in routine.parameters]
    if isinstance(arguments, list):
        if len(arguments) > len(names):
            raise type_error(
                f"subworkflow '{routine.name}' takes at most {len(names)} arguments; got: {len(arguments)}"
            )
        arguments = dict(zip(names, arguments, strict=False))
    found: dict[str, Value] = {}
    for parameter in routine.parameters:
        if parameter.name in arguments:
            found[parameter.name] = arguments[parameter.name]
        elif parameter.default is not None:
            found[parameter.name] = parameter.default.value
        else:
            raise type_error(f"subworkflow '{routine.name}': argument '{parameter.name}' is missing")
    return found


class Actions:
    """The steps' effects on a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def kind(self, step: Step) -> str:
        """The API's name of a step's type."""
        match step.action:
            case Call(path, _, _, _, _):
                if path in self.machine.program.routines:
                    return "STEP_SUBWORKFLOW_CALL"
                return "STEP_CONNECTOR_CALL" if path.startswith(connectors.PREFIX) else "STEP_STD_LIB_CALL"
            case Parallel(_, loop, _, _, _, _):
                return "STEP_PARALLEL_FOR" if loop is not None else "STEP_PARALLEL_BRANCH"
            case action:
                return _KINDS[type(action)]

    # Values

    def value(self, fiber: Fiber, frame: SequenceFrame, template: Template) -> Value:
        """Evaluate one template of the current step; may raise SuspendError."""
        frame.cursor = 0
        value = self._template(_Environment(self.machine, fiber, frame), template)
        frame.memo.clear()
        return value

    def _template(self, environment: _Environment, template: Template) -> Value:
        match template:
            case Constant(value):
                return value
            case Dynamic(expression, _, _):
                return evaluate(expression, environment)
            case ListTemplate(items):
                return [self._template(environment, i) for i in items]
            case MapTemplate(entries):
                found: dict[str, Value] = {}
                for key_template, value_template in entries:
                    key = self._template(environment, key_template)
                    if not isinstance(key, str):
                        raise type_error(f"a map's key must be a string; got: {type_name(key)}")
                    found[key] = self._template(environment, value_template)
                return found

    def library(self, fiber: Fiber, function: library.Function, arguments: list[Value]) -> Value:
        """Call a function that does not block."""
        given = library.arrange(function, arguments)
        match function.name:
            case "sys.now":
                return self.machine.context.clock.time() + fiber.skew
            case "uuid.generate":
                return str(uuid.uuid4())
            case "sys.get_env":
                return self._environment_variable(*given)
            case _:
                return library.compute(function, given)

    def _environment_variable(self, name: Value, default: Value = None) -> Value:
        for what, text in (("name", name), ("default", default)):
            if not isinstance(text, str) and (what == "name" or text is not None):
                raise type_error(f"sys.get_env: {what} must be a string; got: {type_name(text)}")
        variables = self.machine.context.variables()
        if name in variables:
            return variables[name]
        if default is None:
            raise key_error(str(name))
        return default

    # Steps

    def perform(self, fiber: Fiber, frame: SequenceFrame, step: Step) -> None:
        """Do what a step does, or begin it."""
        match step.action:
            case Assign() as action:
                self._assign(fiber, frame, action)
            case Call() as action:
                self._call(fiber, frame, action)
            case Switch() as action:
                self._switch(fiber, frame, action)
            case Return(value):
                result = self.value(fiber, frame, value)
                self.machine.end(frame, None)
                self.machine.leave(fiber, result)
            case Raise(value):
                raise self._raised(self.value(fiber, frame, value))
            case Group(block):
                self.machine.push(fiber, block, frame.scope)
            case For() as action:
                items = self._items(fiber, frame, action)
                loop = LoopFrame(action, Scope(self.machine.memory, frame.scope), items)
                fiber.frames.append(loop)
                self.machine.iterate(fiber, loop)
            case Parallel() as action:
                self._parallel(fiber, frame, action)
            case Try() as action:
                self._try(fiber, frame, action, step)
            case Jump():
                self.machine.finish(fiber, frame)

    def _raised(self, value: Value) -> WorkflowError:
        if not isinstance(value, str | dict):
            return type_error(f"raise takes a string or a map; got: {type_name(value)}")
        return WorkflowError(value, raised=not _is_system_error(value))

    def _assign(self, fiber: Fiber, frame: SequenceFrame, action: Assign) -> None:
        while frame.progress < len(action.assignments):
            assignment = action.assignments[frame.progress]
            frame.cursor = 0
            environment = _Environment(self.machine, fiber, frame)
            value = self._template(environment, assignment.value)
            _store(assignment.target, value, environment)
            frame.memo.clear()
            frame.progress += 1
        self.machine.finish(fiber, frame)

    def _call(self, fiber: Fiber, frame: SequenceFrame, action: Call) -> None:
        frame.cursor = 0
        environment = _Environment(self.machine, fiber, frame)
        given: list[Value] | dict[str, Value]
        if isinstance(action.arguments, dict):
            given = {name: self._template(environment, t) for name, t in action.arguments.items()}
        else:
            given = [self._template(environment, t) for t in action.arguments]
        frame.memo.clear()

        def deliver(value: Value) -> None:
            if action.result is not None:
                frame.scope.assign(action.result, value)
            self.machine.finish(fiber, frame)

        routine = self.machine.program.routines.get(action.path)
        if routine is not None:
            self.machine.enter(fiber, routine, bind(routine, given), deliver)
            return
        if action.path.startswith(connectors.PREFIX):
            perform_connector(self.machine, fiber, action.path, given, deliver)
            return
        function = library.FUNCTIONS[action.path]
        arguments = library.arrange(function, given)
        if function.blocking:
            named = dict(zip(function.parameters, arguments, strict=False))
            perform_blocking(self.machine, fiber, function.name, named, deliver)
        else:
            deliver(self.library(fiber, function, arguments))

    def _switch(self, fiber: Fiber, frame: SequenceFrame, action: Switch) -> None:
        while frame.progress < len(action.conditions):
            condition = action.conditions[frame.progress]
            chosen = self.value(fiber, frame, condition.test)
            if not isinstance(chosen, bool):
                raise type_error(f"a condition must be a boolean; got: {type_name(chosen)}")
            if chosen:
                frame.after = condition.next
                if condition.block is None:
                    self.machine.finish(fiber, frame)
                else:
                    self.machine.push(fiber, condition.block, frame.scope)
                return
            frame.progress += 1
        self.machine.finish(fiber, frame)

    def _items(self, fiber: Fiber, frame: SequenceFrame, action: For) -> list[Value] | Range:
        if action.items is not None:
            items = self.value(fiber, frame, action.items)
            if not isinstance(items, list):
                raise type_error(f"'in' of a for loop must be a list; got: {type_name(items)}")
            return items
        assert action.bounds is not None
        return _range(self.value(fiber, frame, action.bounds))

    def _parallel(self, fiber: Fiber, frame: SequenceFrame, action: Parallel) -> None:
        if fiber.parallel_depth >= limits.PARALLEL_DEPTH:
            message = f"parallel steps are nested more than {limits.PARALLEL_DEPTH} deep"
            raise failure("ParallelNestingError", message)
        parts = [action.limit or Constant(limits.CONCURRENT_BRANCHES)]
        loop = action.loop
        if loop is not None:
            parts.append(loop.items or loop.bounds or Constant(None))
        limit, *rest = self.value(fiber, frame, ListTemplate(tuple(parts)))
        if not isinstance(limit, int) or isinstance(limit, bool):
            raise type_error(f"concurrency_limit must be an integer; got: {type_name(limit)}")
        if limit < 1:
            raise value_error(f"concurrency_limit must be positive; got: {limit}")
        pending = deque(self._iterations(loop, rest[0])) if loop is not None else deque(_branches(action))
        if not pending:
            self.machine.finish(fiber, frame)
            return
        self.machine.fork(fiber, JoinFrame(action, frame.scope, pending, min(limit, limits.CONCURRENT_BRANCHES)))

    def _iterations(self, loop: For, source: Value) -> list[tuple[str, Block, dict[str, Value]]]:
        items: list[Value] | Range
        if loop.bounds is not None:
            items = _range(source)
        elif isinstance(source, list):
            items = source
        else:
            raise type_error(f"'in' of a for loop must be a list; got: {type_name(source)}")
        if len(items) > limits.STEPS_PER_EXECUTION:
            # Each iteration is a step at least; listing the iterations of a huge range would take all memory first.
            message = f"the limit of {limits.STEPS_PER_EXECUTION} steps per execution is exceeded"
            raise failure("ResourceLimitError", message)
        found: list[tuple[str, Block, dict[str, Value]]] = []
        for number in range(len(items)):
            values: dict[str, Value] = {loop.value: items[number]}
            if loop.index is not None:
                values[loop.index] = number
            found.append((str(number), loop.block, values))
        return found

    # try, retry, except

    def _try(self, fiber: Fiber, frame: SequenceFrame, action: Try, step: Step) -> None:
        policy: Value = None
        if isinstance(action.retry, RetryPolicy):
            r = action.retry
            parts = (r.predicate or Constant(None), r.max_retries, r.initial_delay, r.max_delay, r.multiplier)
            predicate, retries, *delays = self.value(fiber, frame, ListTemplate(parts))
            policy = _policy(predicate, retries, delays)
        elif action.retry is not None:
            policy = _named_policy(self.value(fiber, frame, action.retry))
        predicate, retries, delays = policy or (None, 0, (0.0, 0.0, 0.0))
        fiber.frames.append(TryFrame(action, frame.scope, step, predicate, retries, delays))
        self.machine.push(fiber, action.block, frame.scope)

    def caught(self, fiber: Fiber, frame: TryFrame, error: WorkflowError) -> None:
        """An error has reached a `try`."""
        if frame.attempt >= frame.max_retries:
            self._handle(fiber, frame, error)
            return

        def decide(retry: Value) -> None:
            frame.deciding = False
            if not isinstance(retry, bool):
                fiber.frames.pop()
                raise type_error(f"a retry predicate must return a boolean; got: {type_name(retry)}")
            if retry:
                self._retry(fiber, frame)
            else:
                self._handle(fiber, frame, error)

        if frame.predicate is None:
            decide(True)
            return
        frame.deciding = True
        routine = self.machine.program.routines.get(frame.predicate.name)
        if routine is None:
            function = library.FUNCTIONS[frame.predicate.name]
            decide(library.compute(function, library.arrange(function, [error.payload])))
        else:
            self.machine.enter(fiber, routine, bind(routine, [error.payload]), decide)

    def _retry(self, fiber: Fiber, frame: TryFrame) -> None:
        initial, longest, multiplier = frame.delays
        try:
            delay = min(initial * multiplier**frame.attempt, longest)
        except OverflowError:
            delay = longest
        frame.attempt += 1
        self.machine.wait(fiber, delay, lambda: self.machine.push(fiber, frame.action.block, frame.scope))

    def _handle(self, fiber: Fiber, frame: TryFrame, error: WorkflowError) -> None:
        fiber.frames.pop()
        if frame.action.handler is None:
            raise error
        scope = Scope(self.machine.memory, frame.scope)
        self.machine.push(fiber, frame.action.handler, scope, owns_scope=True)
        if frame.action.error is not None:
            scope.store(frame.action.error, error.payload)


def _range(bounds: Value) -> Range:
    if not isinstance(bounds, list) or len(bounds) != 2:
        what = f"a list of {len(bounds)}" if isinstance(bounds, list) else type_name(bounds)
        raise type_error(f"'range' must be a list of two numbers; got: {what}")
    for bound in bounds:
        if not is_number(bound):
            raise type_error(f"a bound of 'range' must be a number; got: {type_name(bound)}")
    return Range(*bounds)


def _branches(action: Parallel) -> list[tuple[str, Block, dict[str, Value]]]:
    return [(b.name, b.block, {}) for b in action.branches]


def _is_system_error(value: Value) -> bool:
    """Whether a raised map is an error map of the system's that is raised again."""
    return isinstance(value, dict) and isinstance(value.get("tags"), list) and isinstance(value.get("message"), str)


def _policy(predicate: Value, retries: Value, delays: list[Value]) -> tuple[Value, int, tuple[float, float, float]]:
    if isinstance(predicate, dict) and isinstance(predicate.get("predicate"), FunctionRef):
        # Public workflows write `predicate: ${http.default_retry}`.
        predicate = predicate["predicate"]
    if predicate is not None and not isinstance(predicate, FunctionRef):
        raise type_error(f"a retry predicate must be a function or a subworkflow; got: {type_name(predicate)}")
    if not isinstance(retries, int) or isinstance(retries, bool):
        raise type_error(f"max_retries must be an integer; got: {type_name(retries)}")
    for name, delay in zip(("initial_delay", "max_delay", "multiplier"), delays, strict=True):
        if not is_number(delay):
            raise type_error(f"{name} must be a number; got: {type_name(delay)}")
        if delay < 0:
            raise value_error(f"{name} must not be negative; got: {delay}")
    return predicate, retries, (float(delays[0]), float(delays[1]), float(delays[2]))


def _named_policy(value: Value) -> tuple[Value, int, tuple[float, float, float]]:
    if not isinstance(value, dict):
        raise type_error(f"retry must be a policy; got: {type_name(value)}")
    backoff = member(value, "backoff")
    delays = [member(backoff, key) for key in ("initial_delay", "max_delay", "multiplier")]
    return _policy(value.get("predicate"), member(value, "max_retries"), delays)


def _store(target: ex.Expression, value: Value, environment: _Environment) -> None:
    """Assign to a variable, or to a key or an element inside one, copying the containers on the way."""
    path: list[Value] = []
    node = target
    while not isinstance(node, ex.Name):
        if isinstance(node, ex.Member):
            path.append(node.key)
            node = node.target
        else:
            assert isinstance(node, ex.Index)
            path.append(evaluate(node.key, environment))
            node = node.target
    path.reverse()
    if path:
        value = _replaced(environment.lookup(node.name), path, value)
    environment.frame.scope.assign(node.name, value)


def _replaced(container: Value, path: list[Value], value: Value) -> Value:
    key, rest = path[0], path[1:]
    if isinstance(container, dict):
        if not isinstance(key, str):
            raise type_error(f"a map's key must be a string; got: {type_name(key)}")
        if rest and key not in container:
            raise key_error(key)
        return {**container, key: _replaced(container[key], rest, value) if rest else value}
    if isinstance(container, list):
        index = list_index(container, key)
        changed = list(container)
        changed[index] = _replaced(container[index], rest, value) if rest else value
        return changed
    raise type_error(f"cannot assign to an element of a value of type {type_name(container)}")
