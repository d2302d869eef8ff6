"""Reads a definition's tree into a Program and reports what the syntax does not allow.

By https://cloud.google.com/workflows/docs/reference/syntax and its pages per step type. Names and jumps are checked
afterwards, in `names` and `jumps`. A step may have any name: "Workflows doesn't enforce a naming convention for step
names" (…/syntax/steps).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from localcloud.workflows import limits
from localcloud.workflows.expressions import ExpressionError, is_expression, parse, parse_target
from localcloud.workflows.program import (
    Action,
    Assign,
    Assignment,
    Block,
    Branch,
    Call,
    Condition,
    Constant,
    Dynamic,
    For,
    Group,
    Jump,
    ListTemplate,
    MapTemplate,
    Parallel,
    Parameter,
    Program,
    Raise,
    RetryPolicy,
    Return,
    Role,
    Routine,
    Step,
    Switch,
    Template,
    Try,
)
from localcloud.workflows.report import Report
from localcloud.workflows.source import Node

_KINDS: dict[str, frozenset[str]] = {
    "assign": frozenset({"next"}),
    "call": frozenset({"args", "result", "next"}),
    "switch": frozenset({"next"}),
    "for": frozenset({"next"}),
    "parallel": frozenset({"next"}),
    "try": frozenset({"retry", "except", "next"}),
    "steps": frozenset({"next"}),
    "return": frozenset(),
    "raise": frozenset(),
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ROUTINE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_RESERVED = frozenset({"end", "break", "continue"})
_WORDS = frozenset({"true", "false", "null", "and", "or", "not", "in"})
_NULL = Constant(None)


def build(root: Node, report: Report) -> Program:
    """The program of a source tree. What could not be read is left out; the report says what."""
    if root.is_list:
        return Program({"main": _RoutineBuilder(report, "main", root).steps_only(root)})
    if not root.is_map:
        report.at(root, f"a workflow must be a list of steps or a map of workflows; got {root.kind()}")
        return Program({})
    routines: dict[str, Routine] = {}
    for name, node in root.data.items():
        report.workflow = name
        if not _ROUTINE_NAME.fullmatch(name):
            report.at(root.keys[name], f"invalid workflow name '{name}'")
        routines[name] = _RoutineBuilder(report, name, root.keys[name]).routine(node)
        report.step = ""
    report.workflow = ""
    if "main" not in routines:
        report.at(root, "workflow 'main' is not defined")
    return Program(routines)


class _RoutineBuilder:
    def __init__(self, report: Report, name: str, place: Node) -> None:
        self.report = report
        self.built = Routine(name, (), Block("body", None), place.line, place.column)

    def error(self, node: Node, message: str) -> None:
        self.report.at(node, message)

    def steps_only(self, node: Node) -> Routine:
        self.report.workflow = self.built.name
        self.fill(self.built.body, node)
        self.report.workflow = self.report.step = ""
        return self.built

    def routine(self, node: Node) -> Routine:
        if not node.is_map:
            self.error(node, f"a workflow must be a map with 'steps'; got {node.kind()}")
            return self.built
        self.unknown_keys(node, ("params", "steps"), "workflow")
        if (params := node.get("params")) is not None:
            self.built.parameters = tuple(self.parameters(params))
        if (steps := node.get("steps")) is None:
            self.error(node, "'steps' is missing")
        else:
            self.fill(self.built.body, steps)
        return self.built

    def parameters(self, node: Node) -> Iterable[Parameter]:
        if not node.is_list:
            self.error(node, f"'params' must be a list; got {node.kind()}")
            return
        seen: set[str] = set()
        optional = False
        for item in node.data:
            default: Constant | None = None
            name = item.data
            if item.is_map and len(item.data) == 1:
                ((name, value),) = item.data.items()
                template = self.template(value)
                if not isinstance(template, Constant):
                    self.error(value, f"the default value of parameter '{name}' must be a constant")
                    template = _NULL
                default = template
            if not isinstance(name, str) or not self.variable_name(item, name):
                continue
            if name in seen:
                self.error(item, f"parameter '{name}' is defined twice")
            if optional and default is None:
                self.error(item, f"parameter '{name}' without a default follows one with a default")
            optional = optional or default is not None
            seen.add(name)
            yield Parameter(name, default)
        if self.built.name == "main" and len(node.data) > 1:
            self.error(node, "workflow 'main' takes at most one parameter, the execution's argument")

    def variable_name(self, node: Node, name: object) -> bool:
        if isinstance(name, str) and _VARIABLE.fullmatch(name) and name.lower() not in _WORDS:
            return True
        shown = node.kind() if not isinstance(name, str) else f"'{name}'"
        self.error(
            node,
            f"invalid variable name {shown}: letters, digits and underscores, starting with a letter or underscore",
        )
        return False

    def unknown_keys(self, node: Node, known: Iterable[str], what: str) -> None:
        allowed = sorted(known)
        for key in node.data:
            if key not in allowed:
                self.error(node.keys[key], f"unexpected key '{key}' in {what}; expected: {', '.join(allowed)}")

    # Steps

    def fill(self, block: Block, node: Node) -> None:
        if not node.is_list:
            self.error(node, f"'steps' must be a list of steps; got {node.kind()}")
            return
        if not node.data:
            self.error(node, "a list of steps must have at least one step")
        for item in node.data:
            if not item.is_map or len(item.data) != 1:
                self.error(item, f"a step must be a map with one key, its name; got {self.shape(item)}")
                continue
            ((name, body),) = item.data.items()
            self.step(block, name, item.keys[name], body)

    @staticmethod
    def shape(node: Node) -> str:
        return f"a map with {len(node.data)} keys" if node.is_map else node.kind()

    def step(self, block: Block, name: str, place: Node, body: Node) -> None:
        outer, self.report.step = self.report.step, name
        step = Step(name, place.line, place.column, block, len(block.steps))
        block.steps.append(step)
        if not name.strip():
            self.error(place, "a step's name cannot be empty")
        elif name in _RESERVED:
            self.error(place, f"'{name}' is reserved and cannot name a step")
        if name in self.built.labels:
            first = self.built.labels[name].line
            self.error(
                place, f"step name '{name}' is used twice in workflow '{self.built.name}' (first in line {first})"
            )
        else:
            self.built.labels[name] = step
        step.action = self.action(step, body)
        step.next = self.next_of(body)
        self.report.step = outer

    def next_of(self, body: Node) -> str | None:
        node = body.get("next")
        if node is None:
            return None
        if not isinstance(node.data, str):
            self.error(node, f"'next' must be a step's name; got {node.kind()}")
            return None
        return node.data

    def action(self, step: Step, body: Node) -> Action:
        if not body.is_map:
            self.error(body, f"a step must be a map with one of {', '.join(_KINDS)}; got {body.kind()}")
            return Jump()
        kinds = [k for k in _KINDS if k in body.data]
        if len(kinds) > 1:
            self.error(body.keys[kinds[1]], f"a step cannot have both '{kinds[0]}' and '{kinds[1]}'")
        if not kinds:
            self.unknown_keys(body, ("next", *_KINDS) if body.data.keys() != {"next"} else ("next",), "step")
            if "next" not in body.data:
                self.error(body, f"a step needs one of {', '.join(_KINDS)} or next")
            return Jump()
        kind = kinds[0]
        self.unknown_keys(body, _KINDS[kind] | {*kinds}, f"'{kind}' step")
        node = body.data[kind]
        match kind:
            case "assign":
                return self.assign(node)
            case "call":
                return self.call(body)
            case "switch":
                return self.switch(step, node)
            case "for":
                return self.loop(step, node, "loop") or Jump()
            case "parallel":
                return self.parallel(step, node)
            case "try":
                return self.attempt(step, body)
            case "steps":
                return Group(self.block("group", step, node))
            case "return":
                return Return(self.template(node))
            case _:
                return Raise(self.template(node))

    def block(self, role: Role, owner: Step, node: Node) -> Block:
        block = Block(role, owner)
        self.fill(block, node)
        return block

    def single(self, role: Role, owner: Step, body: Node, extra: frozenset[str]) -> Block:
        """A block of one step without a name of its own: the shorthand of `try` and of a switch's case."""
        block = Block(role, owner)
        step = Step(owner.name, body.line, body.column, block, 0)
        block.steps.append(step)
        data = {k: v for k, v in body.data.items() if k not in extra}
        step.action = self.action(step, Node(data, body.line, body.column, body.keys))
        return block

    def assign(self, node: Node) -> Assign:
        if not node.is_list:
            self.error(node, f"'assign' must be a list; got {node.kind()}")
            return Assign(())
        if not node.data:
            self.error(node, "'assign' must have at least one assignment")
        if len(node.data) > limits.ASSIGNMENTS_PER_STEP:
            self.error(node, f"{len(node.data)} assignments exceed the limit of {limits.ASSIGNMENTS_PER_STEP} per step")
        found: list[Assignment] = []
        for item in node.data:
            if not item.is_map or len(item.data) != 1:
                self.error(item, f"an assignment must be a map with one key; got {self.shape(item)}")
                continue
            ((target, value),) = item.data.items()
            place = item.keys[target]
            template = self.template(value)
            try:
                if is_expression(target):
                    raise ExpressionError(f"'{target}': the left side of an assignment is written without ${{}}")
                parsed = parse_target(target)
            except ExpressionError as error:
                self.error(place, f"invalid assignment target '{target}': {error.message}")
                continue
            found.append(Assignment(parsed, template, place.line, place.column))
        return Assign(tuple(found))

    def call(self, body: Node) -> Call:
        node = body.data["call"]
        path = node.data if isinstance(node.data, str) else ""
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", path):
            self.error(node, f"'call' must name a function or a subworkflow; got {node.kind()}")
        arguments: dict[str, Template] | tuple[Template, ...] = {}
        args = body.get("args")
        if args is not None and args.is_map:
            arguments = {k: self.template(v) for k, v in args.data.items()}
        elif args is not None and args.is_list:
            arguments = tuple(self.template(v) for v in args.data)
        elif args is not None and args.data is not None:
            self.error(args, f"'args' must be a map or a list; got {args.kind()}")
        result = body.get("result")
        name = None
        if result is not None and self.variable_name(result, result.data):
            name = result.data
        return Call(path, arguments, name, node.line, node.column)

    def switch(self, step: Step, node: Node) -> Switch:
        if not node.is_list or not node.data:
            self.error(
                node, f"'switch' must be a list of conditions; got {'an empty list' if node.is_list else node.kind()}"
            )
            return Switch(())
        if len(node.data) > limits.CONDITIONS_PER_SWITCH:
            self.error(
                node, f"{len(node.data)} conditions exceed the limit of {limits.CONDITIONS_PER_SWITCH} per switch"
            )
        return Switch(tuple(c for item in node.data if (c := self.condition(step, item)) is not None))

    def condition(self, step: Step, node: Node) -> Condition | None:
        if not node.is_map or "condition" not in node.data:
            self.error(node, "each case of a switch must be a map with 'condition'")
            return None
        test = self.template(node.data["condition"])
        if isinstance(test, Constant) and not isinstance(test.value, bool):
            self.error(
                node.data["condition"],
                f"a condition must be a boolean or an expression; got {node.data['condition'].kind()}",
            )
        rest = node.data.keys() - {"condition", "next"}
        if not rest and "next" not in node.data:
            self.error(node, "a case of a switch needs 'next', 'steps', 'return', 'raise', 'assign' or 'call'")
        block = None
        if "steps" in rest:
            self.unknown_keys(node, ("condition", "steps", "next"), "a case of a switch")
            block = self.block("condition", step, node.data["steps"])
        elif rest:
            self.unknown_keys(
                node,
                ("condition", "next", *_KINDS, "args", "result", "retry", "except"),
                "a case of a switch",
            )
            block = self.single("condition", step, node, frozenset({"condition", "next"}))
        return Condition(test, block, self.next_of(node), node.line, node.column)

    def loop(self, step: Step, node: Node, role: Role) -> For | None:
        if not node.is_map:
            self.error(node, f"'for' must be a map; got {node.kind()}")
            return None
        self.unknown_keys(node, ("value", "index", "in", "range", "steps"), "'for'")
        value, index = node.get("value"), node.get("index")
        if value is None:
            self.error(node, "'value' is missing in 'for'")
        elif not self.variable_name(value, value.data):
            value = None
        if index is not None and not self.variable_name(index, index.data):
            index = None
        if index is not None and value is not None and index.data == value.data:
            self.error(index, f"'value' and 'index' have the same name '{value.data}'")
        items, bounds = node.get("in"), node.get("range")
        if (items is None) == (bounds is None):
            self.error(
                node,
                "'for' needs either 'in' or 'range'" if items is None else "'for' cannot have both 'in' and 'range'",
            )
        if bounds is not None and index is not None:
            self.error(index, "'index' cannot be used with 'range'")
        if (steps := node.get("steps")) is None:
            self.error(node, "'steps' is missing in 'for'")
        block = self.block(role, step, steps) if steps is not None else Block(role, step)
        return For(
            value.data if value is not None else "_",
            index.data if index is not None else None,
            self.items(items) if items is not None else None,
            self.bounds(bounds) if bounds is not None else None,
            block,
        )

    def items(self, node: Node) -> Template:
        template = self.template(node)
        if isinstance(template, Constant) and not isinstance(template.value, list):
            self.error(node, f"'in' must be a list or an expression; got {node.kind()}")
        if isinstance(template, MapTemplate):
            self.error(node, "'in' must be a list or an expression; got a map")
        return template

    def bounds(self, node: Node) -> Template:
        if isinstance(node.data, str) and is_expression(node.data):
            return self.template(node)
        if not node.is_list or len(node.data) != 2:
            self.error(node, f"'range' must be a list of two numbers or an expression; got {node.kind()}")
            return _NULL
        first, last = (self.template(n) for n in node.data)
        for bound, place in zip((first, last), node.data, strict=True):
            number = isinstance(bound, Constant) and isinstance(bound.value, int | float)
            if not isinstance(bound, Dynamic) and (not number or isinstance(place.data, bool)):
                self.error(place, f"a bound of 'range' must be a number or an expression; got {place.kind()}")
        return ListTemplate((first, last))

    def parallel(self, step: Step, node: Node) -> Action:
        if not node.is_map:
            self.error(node, f"'parallel' must be a map; got {node.kind()}")
            return Jump()
        self.unknown_keys(node, ("branches", "for", "shared", "concurrency_limit", "exception_policy"), "'parallel'")
        branches, loop = node.get("branches"), node.get("for")
        if (branches is None) == (loop is None):
            self.error(node, "'parallel' needs either 'branches' or 'for', and only one of them")
        policy = node.get("exception_policy")
        if policy is not None and policy.data != "continueAll":
            self.error(policy, f"exception_policy must be 'continueAll'; got {policy.kind()}")
        limit = node.get("concurrency_limit")
        template = self.template(limit) if limit is not None else None
        if limit is not None and isinstance(template, Constant):
            count = template.value
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                self.error(limit, f"concurrency_limit must be a positive integer or an expression; got {limit.kind()}")
        found = tuple(self.branches(step, branches)) if branches is not None else ()
        iteration = self.loop(step, loop, "iteration") if loop is not None else None
        return Parallel(found, iteration, tuple(self.shared(node.get("shared"))), template, node.line, node.column)

    def branches(self, step: Step, node: Node) -> Iterable[Branch]:
        if not node.is_list or not node.data:
            self.error(
                node, f"'branches' must be a list of branches; got {'an empty list' if node.is_list else node.kind()}"
            )
            return
        if len(node.data) > limits.BRANCHES_PER_STEP:
            self.error(
                node, f"{len(node.data)} branches exceed the limit of {limits.BRANCHES_PER_STEP} per parallel step"
            )
        seen: set[str] = set()
        for item in node.data:
            if not item.is_map or len(item.data) != 1:
                self.error(item, f"a branch must be a map with one key, its name; got {self.shape(item)}")
                continue
            ((name, body),) = item.data.items()
            if not name.strip():
                self.error(item, "a branch's name cannot be empty")
            if name in seen:
                self.error(item, f"branch name '{name}' is used twice in one parallel step")
            seen.add(name)
            if not body.is_map or "steps" not in body.data:
                self.error(body, f"branch '{name}' must be a map with 'steps'")
                continue
            self.unknown_keys(body, ("steps",), "a branch")
            yield Branch(name, self.block("branch", step, body.data["steps"]))

    def shared(self, node: Node | None) -> Iterable[str]:
        if node is None:
            return
        if not node.is_list:
            self.error(node, f"'shared' must be a list of variables; got {node.kind()}")
            return
        for item in node.data:
            if self.variable_name(item, item.data):
                yield item.data

    def attempt(self, step: Step, body: Node) -> Try:
        node = body.data["try"]
        if node.is_map and "steps" in node.data:
            self.unknown_keys(node, ("steps",), "'try'")
            block = self.block("try", step, node.data["steps"])
        elif node.is_map and "for" in node.data:
            # https://cloud.google.com/workflows/docs/issues, "Placement of for directly after try".
            self.error(
                node.keys["for"], "loop step name should not be empty: give 'for' a named step in 'steps' of 'try'"
            )
            block = Block("try", step)
        elif node.is_map and node.data:
            block = self.single("try", step, node, frozenset())
        else:
            self.error(node, f"'try' must be a step or a map with 'steps'; got {node.kind()}")
            block = Block("try", step)
        retry, handler = body.get("retry"), body.get("except")
        if retry is None and handler is None:
            self.error(body, "'try' needs 'retry' or 'except'")
        error, handler_block = self.handler(step, handler) if handler is not None else (None, None)
        return Try(block, self.retry(retry) if retry is not None else None, error, handler_block)

    def handler(self, step: Step, node: Node) -> tuple[str | None, Block | None]:
        if not node.is_map:
            self.error(node, f"'except' must be a map; got {node.kind()}")
            return None, None
        self.unknown_keys(node, ("as", "steps"), "'except'")
        name = node.get("as")
        if name is not None and not self.variable_name(name, name.data):
            name = None
        steps = node.get("steps")
        block = self.block("except", step, steps) if steps is not None else Block("except", step)
        return (name.data if name is not None else None), block

    def retry(self, node: Node) -> RetryPolicy | Template:
        template = self.template(node) if isinstance(node.data, str) else None
        if isinstance(template, Dynamic):
            return template
        if not node.is_map:
            self.error(node, f"'retry' must be a policy such as ${{http.default_retry}} or a map; got {node.kind()}")
            return _NULL
        self.unknown_keys(node, ("predicate", "max_retries", "backoff"), "'retry'")
        predicate = node.get("predicate")
        wanted = self.template(predicate) if predicate is not None else None
        if predicate is not None and not isinstance(wanted, Dynamic):
            self.error(
                predicate,
                f"'predicate' must be an expression such as ${{http.default_retry_predicate}}; got {predicate.kind()}",
            )
        backoff = node.get("backoff")
        if backoff is None:
            self.error(node, "'backoff' is missing in 'retry'")
            backoff = Node({}, node.line, node.column, {})
        elif isinstance(backoff.data, str) and is_expression(backoff.data):
            return MapTemplate(
                (
                    (Constant("predicate"), wanted or _NULL),
                    (Constant("max_retries"), self.number(node, "max_retries", "'retry'")),
                    (Constant("backoff"), self.template(backoff)),
                )
            )
        elif not backoff.is_map:
            self.error(backoff, f"'backoff' must be a map; got {backoff.kind()}")
            backoff = Node({}, node.line, node.column, {})
        else:
            self.unknown_keys(backoff, ("initial_delay", "max_delay", "multiplier"), "'backoff'")
        return RetryPolicy(
            wanted,
            self.number(node, "max_retries", "'retry'"),
            *(self.number(backoff, key, "'backoff'") for key in ("initial_delay", "max_delay", "multiplier")),
        )

    def number(self, node: Node, key: str, what: str) -> Template:
        value = node.get(key)
        if value is None:
            if node.data:
                self.error(node, f"'{key}' is missing in {what}")
            return _NULL
        template = self.template(value)
        if isinstance(template, Dynamic):
            return template
        number = template.value if isinstance(template, Constant) else None
        wrong = not isinstance(number, int | float) or isinstance(number, bool) or number < 0
        if wrong or (key == "max_retries" and not isinstance(number, int)):
            self.error(value, f"'{key}' must be a number that is not negative, or an expression; got {value.kind()}")
        return template

    # Values

    def template(self, node: Node) -> Template:
        """A value of the source, with its expressions parsed."""
        if node.is_list:
            items = tuple(self.template(n) for n in node.data)
            if all(isinstance(i, Constant) for i in items):
                return Constant([i.value for i in items if isinstance(i, Constant)])
            return ListTemplate(items)
        if node.is_map:
            entries = tuple((self.text(k, node.keys[k]), self.template(v)) for k, v in node.data.items())
            if all(isinstance(k, Constant) and isinstance(v, Constant) for k, v in entries):
                return Constant(
                    {k.value: v.value for k, v in entries if isinstance(k, Constant) and isinstance(v, Constant)}
                )
            return MapTemplate(entries)
        return self.text(node.data, node) if isinstance(node.data, str) else Constant(node.data)

    def text(self, text: str, place: Node) -> Template:
        if not is_expression(text):
            if len(text.encode("utf-8", "surrogatepass")) > limits.STRING_BYTES:
                self.error(place, f"a string exceeds the limit of {limits.STRING_BYTES} bytes")
            return Constant(text)
        if len(text) > limits.EXPRESSION_CHARACTERS:
            self.error(
                place,
                f"expression of {len(text)} characters exceeds the limit {limits.EXPRESSION_CHARACTERS}: {text[:40]}",
            )
        try:
            return Dynamic(parse(text[2:-1]), place.line, place.column)
        except ExpressionError as error:
            self.error(place, f"error parsing expression '{text[:80]}': {error.message}")
        except RecursionError:
            self.error(place, "error parsing expression: too deeply nested")
        return _NULL
