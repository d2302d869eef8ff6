"""The deploy-time check: each refusal, and that nothing valid is refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from localcloud.workflows import limits
from localcloud.workflows.check import check_source

GOLDEN = Path(__file__).parents[2] / "compile" / "golden"


def many(count: int, text: str) -> str:
    return ", ".join(text.replace("#", str(n)) for n in range(count))


REFUSED: dict[str, tuple[str, str, int]] = {
    # The source
    "empty": ("", "the source holds no workflow", 1),
    "only a comment": ("# nothing\n", "the source holds no workflow", 1),
    "two documents": ("- a: {return: 1}\n---\n- b: {return: 2}\n", "more than one document", 1),
    "not yaml": ("main:\n  steps:\n  - a: [1\n", "yaml: ", 4),
    "a tab": ("main:\n\tsteps: []\n", "yaml: ", 2),
    "a scalar": ("hello", "must be a list of steps or a map of workflows", 1),
    "a key twice": ("main:\n  steps: [{a: {return: 1}}]\n  steps: []\n", "key 'steps' is defined twice", 3),
    "an unknown tag": ("main:\n  steps: [{a: {return: !!python/name:os.system ''}}]\n", "unknown tag", 2),
    "too large": ("- a: {return: '" + "x" * limits.SOURCE_BYTES + "'}", "exceeds the limit of 131072 bytes", 1),
    "an alias bomb": (
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
            "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
            "main: {steps: [{x: {return: *e}}]}\n"
        ),
        "too large or too deeply nested",
        1,
    ),
    # Workflows
    "no main": ("sub: {steps: [{a: {return: 1}}]}", "workflow 'main' is not defined", 1),
    "a workflow that is a list": ("main: [{a: {return: 1}}]", "a workflow must be a map with 'steps'", 1),
    "no steps": ("main: {params: [a]}", "'steps' is missing", 1),
    "no step in steps": ("main: {steps: []}", "must have at least one step", 1),
    "steps that are a map": ("main: {steps: {a: {return: 1}}}", "'steps' must be a list of steps", 1),
    "unknown key of a workflow": (
        "main: {step: [], steps: [{a: {return: 1}}]}",
        "unexpected key 'step' in workflow",
        1,
    ),
    "params that are a map": ("main: {params: {a: 1}, steps: [{a: {return: 1}}]}", "'params' must be a list", 1),
    "two parameters of main": ("main: {params: [a, b], steps: [{a: {return: 1}}]}", "at most one parameter", 1),
    "a parameter twice": (
        "main: {steps: [{a: {return: 1}}]}\nf: {params: [x, x], steps: [{a: {return: 1}}]}",
        "parameter 'x' is defined twice",
        2,
    ),
    "a required parameter after an optional one": (
        "main: {steps: [{a: {return: 1}}]}\nf: {params: [{x: 1}, y], steps: [{a: {return: 1}}]}",
        "without a default follows",
        2,
    ),
    "a parameter's name": ("main: {params: [a-b], steps: [{a: {return: 1}}]}", "invalid variable name 'a-b'", 1),
    "a default that is an expression": (
        "main: {params: [{a: '${1}'}], steps: [{a: {return: 1}}]}",
        "must be a constant",
        1,
    ),
    "a workflow's name": (
        "main: {steps: [{a: {return: 1}}]}\n'a b': {steps: [{a: {return: 1}}]}",
        "invalid workflow name",
        2,
    ),
    # Steps
    "a step that is text": ("- a", "a step must be a map with one key", 1),
    "a step with two names": ("- a: {return: 1}\n  b: {return: 2}", "got a map with 2 keys", 1),
    "a step name twice": ("- a: {assign: [{x: 1}]}\n- a: {return: 1}", "step name 'a' is used twice", 2),
    "a step name twice in nested steps": (
        "- a:\n    steps:\n      - b: {assign: [{x: 1}]}\n- b: {return: 1}",
        "step name 'b' is used twice in workflow 'main' (first in line 3)",
        4,
    ),
    "a step's name is empty": ("- '': {return: 1}", "a step's name cannot be empty", 1),
    "a reserved step name": ("- end: {return: 1}", "'end' is reserved", 1),
    "a step without anything": ("- a: {}", "a step needs one of", 1),
    "a null step": ("- a:", "a step must be a map", 1),
    "an unknown kind": ("- a: {asign: [{x: 1}]}", "unexpected key 'asign' in step", 1),
    "two kinds": ("- a: {assign: [{x: 1}], call: sys.log}", "cannot have both 'assign' and 'call'", 1),
    "an unknown key of a step": (
        "- a: {call: sys.log, args: {text: a}, arg: 1}",
        "unexpected key 'arg' in 'call' step",
        1,
    ),
    "next with return": ("- a: {return: 1, next: end}", "unexpected key 'next' in 'return' step", 1),
    "next that is no text": ("- a: {assign: [{x: 1}], next: 5}", "'next' must be a step's name", 1),
    # assign
    "assign that is a map": ("- a: {assign: {x: 1}}", "'assign' must be a list", 1),
    "assign of nothing": ("- a: {assign: []}", "at least one assignment", 1),
    "51 assignments": (f"- a: {{assign: [{many(51, '{x#: 1}')}]}}", "51 assignments exceed the limit of 50", 1),
    "an assignment with two keys": ("- a: {assign: [{x: 1, y: 2}]}", "an assignment must be a map with one key", 1),
    "assign to a call": ("- a: {assign: [{'f()': 1}]}", "invalid assignment target", 1),
    "assign to an expression": ("- a: {assign: [{'${x}': 1}]}", "written without ${}", 1),
    "assign to a number": ("- a: {assign: [{'5': 1}]}", "invalid assignment target", 1),
    "assign into an unknown variable": ("- a: {assign: [{m.a: 1}]}", "symbol 'm' is neither a variable", 1),
    # call
    "an unknown subworkflow": ("- a: {call: nothing}", "symbol 'nothing' is neither a function", 1),
    "an unknown library function": ("- a: {call: http.fetch, args: {url: x}}", "symbol 'http.fetch' is neither", 1),
    "a connector": (
        "- a: {call: googleapis.bigquery.v2.jobs.insert, args: {project: p}}",
        "has no parameter 'project'",
        1,
    ),
    "call of an expression": ("- a: {call: '${f}'}", "'call' must name a function", 1),
    "args that are text": ("- a: {call: sys.log, args: hello}", "'args' must be a map or a list", 1),
    "an unknown argument of a subworkflow": (
        "main: {steps: [{a: {call: f, args: {x: 1, z: 2}}}]}\nf: {params: [x], steps: [{a: {return: 1}}]}",
        "subworkflow 'f' has no parameter 'z'",
        1,
    ),
    "a missing argument of a subworkflow": (
        "main: {steps: [{a: {call: f, args: {}}}]}\nf: {params: [x], steps: [{a: {return: 1}}]}",
        "argument 'x' is missing",
        1,
    ),
    "too many arguments in an expression": (
        "main: {steps: [{a: {return: '${f(1, 2)}'}}]}\nf: {params: [x], steps: [{a: {return: 1}}]}",
        "takes 1 argument; got 2",
        1,
    ),
    "an unknown argument of the library": ("- a: {call: http.get, args: {uri: x}}", "has no parameter 'uri'", 1),
    "a missing argument of the library": ("- a: {call: http.get}", "argument 'url' is missing", 1),
    "a result that is no name": ("- a: {call: sys.log, args: [x], result: a.b}", "invalid variable name 'a.b'", 1),
    # expressions
    "an unknown variable": (
        "- step1: {assign: [{varA: Hello}]}\n- step2: {return: '${varC + varA}'}",
        (
            "in workflow 'main', step 'step2': error evaluating return value: symbol 'varC' is neither a variable "
            "nor a sub-workflow name"
        ),
        2,
    ),
    "an unknown function": ("- a: {return: '${upper(1)}'}", "symbol 'upper' is neither a function", 1),
    "a method": ("- a: {assign: [{x: a}]}\n- b: {return: '${x.upper()}'}", "symbol 'x.upper' is neither", 2),
    "a blocking function": ("- a: {return: '${http.get(\"u\")}'}", "blocks and can only be called by a call step", 1),
    "a library constant that does not exist": ("- a: {return: '${http.nothing}'}", "not in the standard library", 1),
    "the wrong number of arguments": ("- a: {return: '${len(1, 2)}'}", "function 'len' takes 1 argument; got: 2", 1),
    "an error deep in data": ("- a: {return: {x: [1, {y: '${1 +}'}]}}", "error parsing expression '${1 +}'", 1),
    "an expression as a key": ("- a: {return: {'${zz}': 1}}", "symbol 'zz'", 1),
    # switch
    "a switch that is a map": ("- a: {switch: {condition: true, next: end}}", "'switch' must be a list", 1),
    "an empty switch": ("- a: {switch: []}", "got an empty list", 1),
    "51 conditions": (
        f"- a: {{switch: [{many(51, '{condition: true, next: end}')}]}}",
        "51 conditions exceed the limit of 50",
        1,
    ),
    "a case without a condition": ("- a: {switch: [{next: end}]}", "must be a map with 'condition'", 1),
    "a case without anything to do": ("- a: {switch: [{condition: true}]}", "a case of a switch needs", 1),
    "an unknown key of a case": ("- a: {switch: [{condition: true, then: end}]}", "unexpected key 'then'", 1),
    "a constant that is no boolean": (
        "- a: {switch: [{condition: 'yes', next: end}]}",
        "a condition must be a boolean",
        1,
    ),
    # jumps
    "next to nowhere": ("- a: {assign: [{x: 1}], next: b}", "'next' names step 'b', which is not defined", 1),
    "next of a case to nowhere": ("- a: {switch: [{condition: true, next: b}]}", "'next' names step 'b'", 1),
    "next to another workflow's step": (
        "main: {steps: [{a: {next: b}}]}\nf: {steps: [{b: {return: 1}}]}",
        "step 'b', which is not defined in workflow 'main'",
        1,
    ),
    "break outside a loop": ("- a: {assign: [{x: 1}], next: break}", "'next: break' can only be used inside", 1),
    "continue outside a loop": (
        "- a: {assign: [{x: 1}], next: continue}",
        "'next: continue' can only be used inside",
        1,
    ),
    "break in a parallel loop": (
        "- a: {parallel: {for: {value: v, in: [1], steps: [{b: {next: break}}]}}}",
        "cannot be used in a parallel step",
        1,
    ),
    "a jump out of a branch": (
        "- a: {parallel: {branches: [{x: {steps: [{b: {next: c}}]}}]}}\n- c: {return: 1}",
        "outside the parallel step",
        1,
    ),
    "end in a branch": (
        "- a: {parallel: {branches: [{x: {steps: [{b: {next: end}}]}}]}}",
        "'next: end' cannot be used",
        1,
    ),
    "return in a branch": (
        "- a: {parallel: {branches: [{x: {steps: [{b: {return: 1}}]}}]}}",
        "'return' cannot be used",
        1,
    ),
    "a jump into a loop": (
        "- a: {next: c}\n- b: {for: {value: v, in: [1], steps: [{c: {assign: [{x: 1}]}}]}}",
        "inside a 'for' loop",
        1,
    ),
    "a jump into a try": (
        "- a: {next: c}\n- b: {try: {steps: [{c: {raise: x}}]}, except: {as: e}}",
        "inside a 'try' block",
        1,
    ),
    "a jump into an except": (
        "- a: {next: c}\n- b: {try: {raise: x}, except: {as: e, steps: [{c: {assign: [{x: 1}]}}]}}",
        "inside an 'except' block",
        1,
    ),
    "a jump into a case": (
        "- a: {next: c}\n- b: {switch: [{condition: true, steps: [{c: {assign: [{x: 1}]}}]}]}",
        "inside a case of a switch",
        1,
    ),
    "a jump into a branch": (
        "- a: {next: c}\n- b: {parallel: {branches: [{y: {steps: [{c: {assign: [{x: 1}]}}]}}]}}",
        "inside a parallel branch",
        1,
    ),
    # for
    "a loop without value": ("- a: {for: {in: [1], steps: [{b: {next: break}}]}}", "'value' is missing", 1),
    "a loop without in and range": ("- a: {for: {value: v, steps: [{b: {next: break}}]}}", "either 'in' or 'range'", 1),
    "a loop with in and range": (
        "- a: {for: {value: v, in: [1], range: [1, 2], steps: [{b: {next: break}}]}}",
        "both 'in' and 'range'",
        1,
    ),
    "a loop without steps": ("- a: {for: {value: v, in: [1]}}", "'steps' is missing in 'for'", 1),
    "a loop over text": ("- a: {for: {value: v, in: abc, steps: [{b: {next: break}}]}}", "'in' must be a list", 1),
    "a loop over a map": ("- a: {for: {value: v, in: {x: 1}, steps: [{b: {next: break}}]}}", "'in' must be a list", 1),
    "a range of three": (
        "- a: {for: {value: v, range: [1, 2, 3], steps: [{b: {next: break}}]}}",
        "a list of two numbers",
        1,
    ),
    "a range of text": (
        "- a: {for: {value: v, range: [1, b], steps: [{b: {next: break}}]}}",
        "a bound of 'range' must be a number",
        1,
    ),
    "index with range": (
        "- a: {for: {value: v, index: i, range: [1, 2], steps: [{b: {next: break}}]}}",
        "cannot be used with 'range'",
        1,
    ),
    "value and index of one name": (
        "- a: {for: {value: v, index: v, in: [1], steps: [{b: {next: break}}]}}",
        "the same name 'v'",
        1,
    ),
    "an unknown key of a loop": (
        "- a: {for: {value: v, of: [1], in: [1], steps: [{b: {next: break}}]}}",
        "unexpected key 'of'",
        1,
    ),
    "a loop's variable outside it": (
        "- a: {for: {value: v, in: [1], steps: [{b: {assign: [{x: 1}]}}]}}\n- c: {return: '${v}'}",
        "symbol 'v' is neither a variable",
        2,
    ),
    "a variable of a loop outside it": (
        "- a: {for: {value: v, in: [1], steps: [{b: {assign: [{x: 1}]}}]}}\n- c: {return: '${x}'}",
        "symbol 'x' is neither a variable",
        2,
    ),
    "a loop variable that exists outside": (
        "- a: {assign: [{v: 1}]}\n- b: {for: {value: v, in: [1], steps: [{c: {next: break}}]}}",
        "loop variable 'v' has the name of a variable outside",
        2,
    ),
    "nested loops with one name": (
        "- b: {for: {value: v, in: [1], steps: [{c: {for: {value: v, in: [1], steps: [{d: {next: break}}]}}}]}}",
        "loop variable 'v' has the name",
        1,
    ),
    # parallel
    "parallel with branches and for": (
        "- a: {parallel: {branches: [{x: {steps: [{b: {assign: [{y: 1}]}}]}}], for: {value: v, in: [], steps: []}}}",
        "either 'branches' or 'for', and only one",
        1,
    ),
    "parallel without either": ("- a: {parallel: {shared: []}}", "either 'branches' or 'for'", 1),
    "11 branches": (
        f"- a: {{parallel: {{branches: [{many(11, '{b#: {steps: [{s#: {assign: [{x: 1}]}}]}}')}]}}}}",
        "11 branches exceed the limit of 10",
        1,
    ),
    "a branch without steps": (
        "- a: {parallel: {branches: [{x: {assign: [{y: 1}]}}]}}",
        "must be a map with 'steps'",
        1,
    ),
    "a branch name twice": (
        "- a: {parallel: {branches: [{x: {steps: [{b: {call: sys.now}}]}}, {x: {steps: [{c: {call: sys.now}}]}}]}}",
        "branch name 'x' is used twice",
        1,
    ),
    "an unknown shared variable": (
        "- a: {parallel: {shared: [zz], branches: [{x: {steps: [{b: {assign: [{y: 1}]}}]}}]}}",
        "shared variable 'zz' is not defined",
        1,
    ),
    "an outer variable that is not shared": (
        (
            "- a: {assign: [{x: 1}]}\n- b:\n    parallel:\n      branches:\n        - one:\n            steps:\n"
            "              - c: {assign: [{x: 2}]}"
        ),
        "a parallel step can assign it only if it is listed in 'shared'",
        7,
    ),
    "a result that is not shared": (
        (
            "- a: {assign: [{x: 1}]}\n"
            "- b: {parallel: {for: {value: v, in: [1], steps: [{c: {call: len, args: [abc], result: x}}]}}}"
        ),
        "only if it is listed in 'shared'",
        2,
    ),
    "shared by the outer step only": (
        (
            "- a: {assign: [{x: 1}]}\n"
            "- b: {parallel: {shared: [x], for: {value: v, in: [1], steps: [{c: {parallel: {for: {value: w, in: [1], "
            "steps: [{d: {assign: [{x: 2}]}}]}}}}]}}}"
        ),
        "only if it is listed in 'shared'",
        2,
    ),
    "a branch's variable outside it": (
        "- a: {parallel: {branches: [{x: {steps: [{b: {assign: [{y: 1}]}}]}}]}}\n- c: {return: '${y}'}",
        "symbol 'y' is neither",
        2,
    ),
    "an unknown exception policy": (
        "- a: {parallel: {exception_policy: unhandled, branches: [{x: {steps: [{b: {assign: [{y: 1}]}}]}}]}}",
        "exception_policy must be 'continueAll'",
        1,
    ),
    "a concurrency limit of zero": (
        "- a: {parallel: {concurrency_limit: 0, branches: [{x: {steps: [{b: {assign: [{y: 1}]}}]}}]}}",
        "concurrency_limit must be a positive integer",
        1,
    ),
    # try
    "try alone": ("- a: {try: {raise: x}}", "'try' needs 'retry' or 'except'", 1),
    "retry without try": (
        "- a: {call: sys.log, args: [a], retry: '${http.default_retry}'}",
        "unexpected key 'retry'",
        1,
    ),
    "except without try": ("- a: {call: sys.log, args: [a], except: {as: e}}", "unexpected key 'except'", 1),
    "an except's variable outside it": (
        "- a: {try: {raise: x}, except: {as: e}}\n- b: {return: '${e}'}",
        "symbol 'e' is neither",
        2,
    ),
    "retry that is text": ("- a: {try: {raise: x}, retry: always}", "'retry' must be a policy", 1),
    "retry without backoff": (
        "- a: {try: {raise: x}, retry: {predicate: '${retry.always}', max_retries: 3}}",
        "'backoff' is missing",
        1,
    ),
    "retry without max_retries": (
        "- a: {try: {raise: x}, retry: {backoff: {initial_delay: 1, max_delay: 2, multiplier: 2}}}",
        "'max_retries' is missing",
        1,
    ),
    "backoff without a delay": (
        "- a: {try: {raise: x}, retry: {max_retries: 1, backoff: {delay: 1, max_delay: 2, multiplier: 2}}}",
        "'initial_delay' is missing",
        1,
    ),
    "an unknown key of backoff": (
        (
            "- a: {try: {raise: x}, retry: {max_retries: 1, "
            "backoff: {initial_delay: 1, delay: 1, max_delay: 2, multiplier: 2}}}"
        ),
        "unexpected key 'delay'",
        1,
    ),
    "max_retries that is text": (
        "- a: {try: {raise: x}, retry: {max_retries: many, backoff: {initial_delay: 1, max_delay: 2, multiplier: 2}}}",
        "'max_retries' must be a number",
        1,
    ),
    "a predicate that is text": (
        (
            "- a: {try: {raise: x}, retry: {predicate: always, max_retries: 1, "
            "backoff: {initial_delay: 1, max_delay: 2, multiplier: 2}}}"
        ),
        "'predicate' must be an expression",
        1,
    ),
    "a predicate with two parameters": (
        (
            "main: {steps: [{a: {try: {raise: x}, retry: {predicate: '${p}', max_retries: 1, "
            "backoff: {initial_delay: 1, max_delay: 2, multiplier: 2}}}}]}"
            "\np: {params: [e, f], steps: [{b: {return: true}}]}"
        ),
        "cannot be a predicate",
        1,
    ),
}


@pytest.mark.parametrize(("source", "message", "line"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(source: str, message: str, line: int) -> None:
    problems = check_source(source)
    found = [p for p in problems if message in p]
    assert found, problems
    assert found[0].startswith(f"main.workflows.yaml:{line}:")
    assert "parse error: " in found[0]


ACCEPTED: dict[str, str] = {
    "50 assignments": f"- a: {{assign: [{many(50, '{x#: 1}')}]}}",
    "50 conditions": f"- a: {{switch: [{many(50, '{condition: true, next: end}')}]}}",
    "10 branches": f"- a: {{parallel: {{branches: [{many(10, '{b#: {steps: [{s#: {assign: [{x: 1}]}}]}}')}]}}}}",
    "step names with hyphens and digits": "- 1st-step_a: {assign: [{x: 1}]}",
    "step names of one kind per workflow": "main: {steps: [{a: {return: 1}}]}\nf: {steps: [{a: {return: 1}}]}",
    "one loop variable in two loops": (
        "- a: {for: {value: v, in: [1], steps: [{b: {assign: [{x: '${v}'}]}}]}}\n"
        "- c: {for: {value: v, in: [1], steps: [{d: {assign: [{x: '${v}'}]}}]}}"
    ),
    "a variable used before the line it is assigned in": (
        "- a: {next: c}\n- b: {return: '${x}'}\n- c: {assign: [{x: 1}], next: b}"
    ),
    "fractions in backoff and an expression as limit": (
        "- n: {assign: [{k: 2}]}\n"
        "- a: {try: {raise: x}, retry: {max_retries: '${k}', "
        "backoff: {initial_delay: 0.5, max_delay: 2, multiplier: 1.5}}}\n"
        "- b: {parallel: {concurrency_limit: '${k}', for: {value: v, in: [1], steps: [{c: {next: continue}}]}}}"
    ),
    "continue at the end of a branch": (
        "- a: {parallel: {branches: [{x: {steps: [{b: {assign: [{y: 1}], next: continue}}]}}]}}"
    ),
    "a variable assigned after the branch that has one of its name": (
        "- a: {parallel: {branches: [{x: {steps: [{b: {assign: [{y: 1}]}}]}}]}}\n- c: {assign: [{y: 2}]}"
    ),
    "a policy value": "- a: {try: {raise: x}, retry: '${http.default_retry_non_idempotent}'}",
    "a step name of any characters": "- 'a b.c/é': {assign: [{x: 1}]}\n- return: {return: '${x}'}",
    "except without as": "- a: {try: {raise: x}, except: {steps: [{b: {raise: y}}]}}",
    "except without steps": "- a: {try: {raise: x}, except: {as: e}}",
    "a variable named like a library module": "- a: {assign: [{text: {a: 1}}]}\n- b: {return: '${text.a}'}",
}


@pytest.mark.parametrize("source", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(source: str) -> None:
    assert check_source(source) == []


def test_all_problems_are_reported_by_line() -> None:
    source = "main:\n  steps:\n    - a: {next: x}\n    - b: {assign: [{y: '${z}'}]}\n    - b: {return: '${1 +}'}\n"
    problems = check_source(source)
    assert [p.split(":")[1] for p in problems] == ["3", "4", "5", "5"]


JUNK = [
    "null",
    "[]",
    "{}",
    "5",
    '"',
    "'",
    "${",
    "}",
    "${x}",
    "\x00",
    "\t",
    "é",
    "&a",
    "*a",
    "!x",
    "- ",
    "{a: ",
    "next",
    "\n  ",
]


def test_no_text_makes_the_check_crash() -> None:
    chance = random.Random(20)
    texts = [text for text, _, _ in REFUSED.values() if len(text) < 4000] + list(ACCEPTED.values())
    refusals = 0
    for _ in range(1500):
        text = chance.choice(texts)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(text) + 1)
            cut = at + chance.choice((0, 0, chance.randint(1, 8)))
            text = text[:at] + chance.choice(["", *JUNK]) + text[cut:]
        problems = check_source(text)
        refusals += bool(problems)
        assert all(p.startswith("main.workflows.yaml:") for p in problems)
    assert refusals > 1000


def test_what_our_compiler_writes_is_accepted() -> None:
    texts = [p.read_text() for p in sorted(GOLDEN.glob("*.workflow.yaml"))]
    assert texts
    for text in texts:
        assert check_source(text) == []


def test_every_limit_is_documented_with_its_figure_and_source() -> None:
    page = (Path(__file__).parents[3] / "docs" / "workflows_engine.md").read_text()
    for limit in limits.LIMITS:
        assert f"| {limit.words} | {limit.value:,} | {limit.enforced} |" in page
        assert limit.source
    assert limits.FIGURES["branches per parallel step"] == 10
