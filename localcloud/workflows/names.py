"""Checks names at deploy: variables, functions, arguments, and what parallel steps may write.

Scopes by https://cloud.google.com/workflows/docs/reference/syntax/variables: a variable that is first assigned in a
`for` loop or an `except` block exists only there, and reading it elsewhere is an error at deploy; so is a loop's own
variable that an enclosing scope has already (…/syntax/iteration). In a parallel step a variable of the surrounding
scope can be read, but assigned only if `shared` lists it (…/syntax/parallel-steps).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from localcloud.workflows import connectors, library
from localcloud.workflows import expressions as ex
from localcloud.workflows.program import (
    Assign,
    Block,
    Call,
    Constant,
    Dynamic,
    For,
    Group,
    Parallel,
    Program,
    Raise,
    RetryPolicy,
    Return,
    Routine,
    Step,
    Switch,
    Template,
    Try,
    templates,
)
from localcloud.workflows.report import Report


@dataclass
class _Scope:
    """Variables of one scope: `declared` anywhere in it, `assigned` up to here. `shared` marks a parallel step."""

    parent: _Scope | None
    declared: set[str]
    assigned: set[str] = field(default_factory=set)
    shared: frozenset[str] | None = None

    def sees(self, name: str) -> bool:
        """Whether the name is a variable here."""
        return name in self.declared or (self.parent is not None and self.parent.sees(name))


def check_names(program: Program, report: Report) -> None:
    """Report every unknown name, wrong argument and forbidden assignment of a program."""
    for routine in program.routines.values():
        report.workflow = routine.name
        _Checker(program, report).routine(routine)
    report.workflow = report.step = ""


def _declared(block: Block) -> set[str]:
    """Names assigned in a block, nested scopes excepted."""
    found: set[str] = set()
    for step in block.steps:
        match step.action:
            case Assign(assignments):
                found |= {a.target.name for a in assignments if isinstance(a.target, ex.Name)}
            case Call(_, _, str() as result, _, _):
                found.add(result)
            case Switch(conditions):
                for condition in conditions:
                    found |= _declared(condition.block) if condition.block is not None else set()
            case Group(inner) | Try(inner, _, _, _):
                found |= _declared(inner)
    return found


class _Checker:
    def __init__(self, program: Program, report: Report) -> None:
        self.program = program
        self.report = report

    def routine(self, routine: Routine) -> None:
        names = {p.name for p in routine.parameters}
        self.block(routine.body, _Scope(None, _declared(routine.body) | names, set(names)))

    def block(self, block: Block, scope: _Scope) -> None:
        for step in block.steps:
            outer, self.report.step = self.report.step, step.name
            self.step(step, scope)
            self.report.step = outer

    def step(self, step: Step, scope: _Scope) -> None:
        match step.action:
            case Assign(assignments):
                for a in assignments:
                    self.values([a.value], scope, f"assigning '{_shown(a.target)}'")
                    self.target(a.target, scope, a.line, a.column)
            case Call() as call:
                self.call(call, scope)
            case Switch(conditions):
                for c in conditions:
                    self.values([c.test], scope, "evaluating condition")
                    if c.block is not None:
                        self.block(c.block, scope)
            case Return(value):
                self.values([value], scope, "evaluating return value")
            case Raise(value):
                self.values([value], scope, "evaluating raised value")
            case Group(inner):
                self.block(inner, scope)
            case For() as loop:
                self.loop(loop, scope, None, step)
            case Parallel() as parallel:
                self.parallel(parallel, scope, step)
            case Try() as attempt:
                self.attempt(attempt, scope)

    def loop(self, loop: For, scope: _Scope, shared: frozenset[str] | None, step: Step) -> None:
        sources = [t for t in (loop.items, loop.bounds) if t is not None]
        self.values(sources, scope, "evaluating 'for'")
        names = {n for n in (loop.value, loop.index) if n is not None}
        for name in sorted(names):
            if scope.sees(name):
                message = f"loop variable '{name}' has the name of a variable outside the loop"
                self.report.add(message, step.line, step.column)
        self.block(loop.block, _Scope(scope, _declared(loop.block) | names, set(names), shared))

    def parallel(self, parallel: Parallel, scope: _Scope, step: Step) -> None:
        if parallel.limit is not None:
            self.values([parallel.limit], scope, "evaluating concurrency_limit")
        for name in parallel.shared:
            if not scope.sees(name):
                self.report.add(f"shared variable '{name}' is not defined", parallel.line, parallel.column)
        shared = frozenset(parallel.shared)
        for branch in parallel.branches:
            self.block(branch.block, _Scope(scope, _declared(branch.block), set(), shared))
        if parallel.loop is not None:
            self.loop(parallel.loop, scope, shared, step)

    def attempt(self, attempt: Try, scope: _Scope) -> None:
        match attempt.retry:
            case RetryPolicy() as policy:
                parts = (
                    policy.predicate,
                    policy.max_retries,
                    policy.initial_delay,
                    policy.max_delay,
                    policy.multiplier,
                )
                self.values([p for p in parts if p is not None], scope, "evaluating retry")
                self.predicate(policy.predicate)
            case None:
                pass
            case template:
                self.values([template], scope, "evaluating retry")
        self.block(attempt.block, scope)
        if attempt.handler is not None:
            names = {attempt.error} if attempt.error is not None else set()
            self.block(attempt.handler, _Scope(scope, _declared(attempt.handler) | names, set(names)))

    def predicate(self, template: Template | None) -> None:
        """A subworkflow used as predicate takes the error and nothing else."""
        if not isinstance(template, Dynamic) or not isinstance(template.expression, ex.Name):
            return
        routine = self.program.routines.get(template.expression.name)
        if routine is not None:
            required = [p for p in routine.parameters if p.default is None]
            if not routine.parameters or len(required) > 1:
                message = f"subworkflow '{routine.name}' cannot be a predicate: it must take one parameter"
                self.report.add(message, template.line, template.column)

    # Assignments

    def target(self, target: ex.Expression, scope: _Scope, line: int, column: int) -> None:
        root = target
        while isinstance(root, ex.Member | ex.Index):
            if isinstance(root, ex.Index):
                self.expression(root.key, scope, f"assigning '{_shown(target)}'", line, column)
            root = root.target
        assert isinstance(root, ex.Name)
        if target is not root and not scope.sees(root.name):
            self.unknown(root.name, f"assigning '{_shown(target)}'", line, column)
        else:
            self.assigned(root.name, scope, line, column)

    def assigned(self, name: str, scope: _Scope, line: int, column: int) -> None:
        crossed: list[frozenset[str]] = []
        here: _Scope | None = scope
        while here is not None:
            if name in here.assigned:
                if not all(name in shared for shared in crossed):
                    message = (
                        f"variable '{name}' is of the surrounding scope; a parallel step can assign it only if it is "
                        "listed in 'shared'"
                    )
                    self.report.add(message, line, column)
                return
            if here.shared is not None:
                crossed.append(here.shared)
            here = here.parent
        scope.assigned.add(name)

    # Calls

    def call(self, call: Call, scope: _Scope) -> None:
        given = call.arguments
        values = list(given.values()) if isinstance(given, dict) else list(given)
        self.values(values, scope, "evaluating args")
        problem = self.call_problem(call)
        if problem:
            self.report.add(problem, call.line, call.column)
        if call.result is not None:
            self.assigned(call.result, scope, call.line, call.column)

    def call_problem(self, call: Call) -> str | None:
        given = call.arguments
        routine = self.program.routines.get(call.path)
        if routine is None and call.path.startswith(connectors.PREFIX):
            return connectors.problem(call.path, given.keys() if isinstance(given, dict) else len(given))
        if routine is None:
            function = library.FUNCTIONS.get(call.path)
            if function is None:
                return _unknown_function(call.path)
            names, required = function.parameters, list(function.parameters[: function.required])
            what = f"function '{call.path}'"
        else:
            names = tuple(p.name for p in routine.parameters)
            required = [p.name for p in routine.parameters if p.default is None]
            what = f"subworkflow '{call.path}'"
        if isinstance(given, tuple):
            if not len(required) <= len(given) <= len(names):
                return f"{what} takes {_count(len(required), len(names))}; got {len(given)}"
            return None
        unknown = [n for n in given if n not in names]
        if unknown:
            known = ", ".join(names) or "none"
            return f"{what} has no parameter '{unknown[0]}'; its parameters: {known}"
        missing = [n for n in required if n not in given]
        return f"{what}: argument '{missing[0]}' is missing" if missing else None

    # Expressions

    def values(self, found: list[Template], scope: _Scope, what: str) -> None:
        for template in found:
            if isinstance(template, Constant):
                continue
            for dynamic in templates(template):
                self.expression(dynamic.expression, scope, what, dynamic.line, dynamic.column)

    def expression(self, node: ex.Expression, scope: _Scope, what: str, line: int, column: int) -> None:
        match node:
            case ex.Name(name):
                if not scope.sees(name) and name not in self.program.routines and name not in library.FUNCTIONS:
                    self.unknown(name, what, line, column)
            case ex.Member(target, _):
                path = ex.dotted_path(node)
                if path is None or scope.sees(path.split(".", 1)[0]):
                    self.expression(target, scope, what, line, column)
                elif not _constant(path):
                    root = path.split(".", 1)[0]
                    if root in library.MODULES:
                        self.report.add(f"error {what}: '{path}' is not in the standard library", line, column)
                    else:
                        self.unknown(root, what, line, column)
            case ex.Call(path, arguments):
                problem = self.function_problem(path, len(arguments))
                if problem:
                    self.report.add(f"error {what}: {problem}", line, column)
                for argument in arguments:
                    self.expression(argument, scope, what, line, column)
            case ex.Index(first, second) | ex.Binary(_, first, second):
                self.expression(first, scope, what, line, column)
                self.expression(second, scope, what, line, column)
            case ex.Unary(_, operand):
                self.expression(operand, scope, what, line, column)
            case ex.ListLiteral(items):
                for item in items:
                    self.expression(item, scope, what, line, column)
            case ex.MapLiteral(entries):
                for pair in entries:
                    for item in pair:
                        self.expression(item, scope, what, line, column)

    def function_problem(self, path: str, given: int) -> str | None:
        routine = self.program.routines.get(path)
        if routine is not None:
            required = sum(p.default is None for p in routine.parameters)
            if not required <= given <= len(routine.parameters):
                return f"subworkflow '{path}' takes {_count(required, len(routine.parameters))}; got {given}"
            return None
        helper = connectors.HELPERS.get(path)
        if helper is not None and helper.in_expressions:
            return connectors.problem(path, given)
        if path.startswith(connectors.PREFIX):
            found = connectors.problem(path, given) if helper is None and connectors.find(path) is None else None
            return found or f"connector '{path}' blocks and can only be called by a call step, not in an expression"
        function = library.FUNCTIONS.get(path)
        if function is None:
            return _unknown_function(path)
        if function.blocking:
            return f"function '{path}' blocks and can only be called by a call step, not in an expression"
        if not function.required <= given <= len(function.parameters):
            return f"function '{path}' {library.count_message(function, given)}"
        return None

    def unknown(self, name: str, what: str, line: int, column: int) -> None:
        self.report.add(f"error {what}: symbol '{name}' is neither a variable nor a sub-workflow name", line, column)


def _constant(path: str) -> bool:
    """Whether a dotted path is, or begins with, a constant or function of the library."""
    parts = path.split(".")
    if path in library.FUNCTIONS:
        return True
    return any(".".join(parts[:n]) in library.CONSTANTS for n in range(1, len(parts) + 1))


def _unknown_function(path: str) -> str:
    return f"symbol '{path}' is neither a function of the standard library nor a sub-workflow name"


def _count(required: int, most: int) -> str:
    wanted = str(most) if required == most else f"{required} to {most}"
    return f"{wanted} argument{'' if wanted == '1' else 's'}"


def _shown(target: ex.Expression) -> str:
    match target:
        case ex.Name(name):
            return name
        case ex.Member(inner, key):
            return f"{_shown(inner)}.{key}"
        case ex.Index(inner, _):
            return f"{_shown(inner)}[…]"
        case _:
            return "value"
