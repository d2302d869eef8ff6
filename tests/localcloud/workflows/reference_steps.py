"""Cases of the language reference: steps, flow, errors, parallel steps and limits.

Each has the page it follows from, below https://cloud.google.com/workflows/docs/reference/ (`quotas` is
https://cloud.google.com/workflows/quotas), an id, the source, the argument, and what becomes of it.
"""

from __future__ import annotations

from typing import Any

from tests.localcloud.workflows.reference_kinds import Fails, Raises, Refused


def many(count: int, form: str) -> str:
    """The form, numbered, as the items of a flow list."""
    return ", ".join(form.replace("#", str(n)) for n in range(count))


ASSIGN = "syntax/variables"
CALLS = "syntax/calls"
SWITCH = "syntax/conditions"
JUMPS = "syntax/jumps"
LOOPS = "syntax/iteration"
SUB = "syntax/subworkflows"
CATCH = "syntax/catching-errors"
RAISE = "syntax/raising-errors"
RETRY = "syntax/retrying"
TYPES = "syntax/error-types"
PARALLEL = "syntax/parallel-steps"
ARGS = "syntax/runtime-arguments"
STEPS = "syntax/steps"
LIMITS = "quotas"
RETURN = "syntax/completing"

BACKOFF = "backoff: {initial_delay: 1, max_delay: 4, multiplier: 2}"

STEP_CASES: list[tuple[str, str, str, Any, Any]] = [
    # Steps and jumps
    ("a list of steps", STEPS, "- a: {return: 1}", None, 1),
    ("main with steps", STEPS, "main: {steps: [{a: {return: 1}}]}", None, 1),
    ("json", STEPS, '{"main": {"steps": [{"a": {"return": "${1 + 1}"}}]}}', None, 2),
    ("any step name", STEPS, "- '1. Fetch & go!': {return: 1}", None, 1),
    ("one name in two workflows", STEPS, "main: {steps: [{i: {call: f}}]}\nf: {steps: [{i: {return: 1}}]}", None, None),
    ("a name twice", STEPS, "- a: {next: end}\n- a: {return: 1}", None, Refused("used twice")),
    ("no step", STEPS, "main: {steps: []}", None, Refused("at least one step")),
    ("no main", STEPS, "f: {steps: [{a: {return: 1}}]}", None, Refused("'main' is not defined")),
    ("an unknown key", STEPS, "- a: {returns: 1}", None, Refused("unexpected key 'returns'")),
    ("two kinds in a step", STEPS, "- a: {return: 1, raise: x}", None, Refused("cannot have both")),
    ("next", JUMPS, "- a: {next: c}\n- b: {return: b}\n- c: {return: c}", None, "c"),
    ("next back", JUMPS, "- a: {next: c}\n- b: {return: b}\n- c: {next: b}", None, "b"),
    ("next end", JUMPS, "- a: {next: end}\n- b: {return: b}", None, None),
    ("unknown next", JUMPS, "- a: {next: zz}", None, Refused("step 'zz', which is not defined")),
    (
        "next of another workflow",
        JUMPS,
        "main: {steps: [{a: {next: b}}]}\nf: {steps: [{b: {return: 1}}]}",
        None,
        Refused("not defined in workflow 'main'"),
    ),
    (
        "next out of nested steps",
        JUMPS,
        "- a: {steps: [{b: {next: d}}, {c: {return: c}}]}\n- d: {return: d}",
        None,
        "d",
    ),
    ("break outside a loop", JUMPS, "- a: {next: break}", None, Refused("only be used inside a 'for' loop")),
    ("continue outside a loop", JUMPS, "- a: {next: continue}", None, Refused("only be used inside a 'for' loop")),
    ("return a map", RETURN, "- a: {return: {x: '${1 + 1}', y: [z]}}", None, {"x": 2, "y": ["z"]}),
    ("no return", RETURN, "- a: {assign: [{x: 1}]}", None, None),
    ("return bytes", RETURN, "- a: {return: '${text.encode(\"a\")}'}", None, Fails("TypeError")),
    # Variables
    ("assign in order", ASSIGN, "- a: {assign: [{x: 1}, {y: '${x + 1}'}]}\n- b: {return: '${y}'}", None, 2),
    ("a list's element", ASSIGN, "- a: {assign: [{l: [1, 2]}, {'l[1]': 5}]}\n- b: {return: '${l}'}", None, [1, 5]),
    (
        "an element by expression",
        ASSIGN,
        "- a: {assign: [{l: [1, 2]}, {i: 0}, {'l[i + 1]': 5}]}\n- b: {return: '${l}'}",
        None,
        [1, 5],
    ),
    (
        "an element of a nested list",
        ASSIGN,
        "- a: {assign: [{l: [[1, 2], [3]]}, {'l[0][1]': 9}]}\n- b: {return: '${l}'}",
        None,
        [[1, 9], [3]],
    ),
    ("beyond the list", ASSIGN, "- a: {assign: [{l: [1]}, {'l[1]': 5}]}", None, Fails("IndexError")),
    (
        "a map's keys",
        ASSIGN,
        "- a: {assign: [{m: {}}, {m.a: 1}, {'m[\"b\"]': 2}, {k: c}, {'m[k + \"d\"]': 3}]}\n- b: {return: '${m}'}",
        None,
        {"a": 1, "b": 2, "cd": 3},
    ),
    (
        "a key of a nested map",
        ASSIGN,
        "- a: {assign: [{m: {n: {x: 1}}}, {m.n.y: 2}]}\n- b: {return: '${m}'}",
        None,
        {"n": {"x": 1, "y": 2}},
    ),
    ("a key of what is not there", ASSIGN, "- a: {assign: [{m: {}}, {m.n.y: 2}]}", None, Fails("KeyError")),
    ("a key of a number", ASSIGN, "- a: {assign: [{m: 5}, {m.n: 2}]}", None, Fails("TypeError")),
    (
        "passed by value",
        ASSIGN,
        "- a: {assign: [{x: {n: 1}}, {y: '${x}'}, {y.n: 2}]}\n- b: {return: ['${x}', '${y}']}",
        None,
        [{"n": 1}, {"n": 2}],
    ),
    ("text around an expression is text", ASSIGN, "- a: {assign: [{x: 1}]}\n- b: {return: 'v ${x}'}", None, "v ${x}"),
    ("a wrong target", ASSIGN, "- a: {assign: [{'1x': 1}]}", None, Refused("invalid assignment target")),
    ("an expression as target", ASSIGN, "- a: {assign: [{'${x}': 1}]}", None, Refused("written without ${}")),
    (
        "an unassigned variable",
        ASSIGN,
        "- a: {next: c}\n- b: {assign: [{x: 1}]}\n- c: {return: '${x}'}",
        None,
        Fails("KeyError"),
    ),
    # Runtime arguments
    ("the argument", ARGS, "main: {params: [args], steps: [{a: {return: '${args.name}'}}]}", {"name": "Ada"}, "Ada"),
    ("a list as argument", ARGS, "main: {params: [args], steps: [{a: {return: '${args[1]}'}}]}", [1, 2], 2),
    ("no argument", ARGS, "main: {params: [args], steps: [{a: {return: '${args}'}}]}", None, None),
    (
        "a missing key",
        ARGS,
        "main: {params: [args], steps: [{a: {return: '${args.zz}'}}]}",
        {"a": 1},
        Fails("KeyError"),
    ),
    (
        "an optional key",
        ARGS,
        "main: {params: [args], steps: [{a: {return: '${default(map.get(args, \"zz\"), 5)}'}}]}",
        {},
        5,
    ),
    ("two parameters of main", ARGS, "main: {params: [a, b], steps: [{c: {return: 1}}]}", None, Refused("at most one")),
    # Subworkflows
    (
        "named arguments",
        SUB,
        (
            "main: {steps: [{a: {call: f, args: {x: 1, y: 2}, result: r}}, {b: {return: '${r}'}}]}\n"
            "f: {params: [x, y], steps: [{c: {return: '${x - y}'}}]}"
        ),
        None,
        -1,
    ),
    (
        "a default",
        SUB,
        (
            "main: {steps: [{a: {call: f, args: {first: Ada}, result: r}}, {b: {return: '${r}'}}]}\n"
            "f: {params: [first, last: Unknown], steps: [{c: {return: '${first + \" \" + last}'}}]}"
        ),
        None,
        "Ada Unknown",
    ),
    (
        "in an expression",
        SUB,
        (
            'main: {steps: [{a: {return: \'${f("Sherlock", "Holmes")}\'}}]}\n'
            "f: {params: [a, b, c: England], steps: [{d: {return: '${a + b + c}'}}]}"
        ),
        None,
        "SherlockHolmesEngland",
    ),
    ("no result", SUB, "main: {steps: [{a: {call: f}}]}\nf: {steps: [{b: {return: 1}}]}", None, None),
    (
        "a missing argument",
        SUB,
        "main: {steps: [{a: {call: f}}]}\nf: {params: [x], steps: [{b: {return: 1}}]}",
        None,
        Refused("argument 'x' is missing"),
    ),
    (
        "an unknown argument",
        SUB,
        "main: {steps: [{a: {call: f, args: {y: 1}}}]}\nf: {params: [x: 1], steps: [{b: {return: 1}}]}",
        None,
        Refused("has no parameter 'y'"),
    ),
    ("an unknown subworkflow", SUB, "- a: {call: nobody}", None, Refused("neither a function of the standard library")),
    (
        "next end in a subworkflow returns",
        SUB,
        (
            "main: {steps: [{a: {call: f, result: r}}, {b: {return: ['${r}', after]}}]}\n"
            "f: {steps: [{c: {next: end}}, {d: {return: 1}}]}"
        ),
        None,
        [None, "after"],
    ),
    (
        "variables are its own",
        SUB,
        (
            "main: {steps: [{a: {assign: [{x: 1}]}}, {b: {call: f}}, {c: {return: '${x}'}}]}\n"
            "f: {steps: [{d: {assign: [{x: 2}]}}]}"
        ),
        None,
        1,
    ),
    # Calls
    (
        "a library function",
        CALLS,
        "- a: {call: text.to_upper, args: {source: a}, result: r}\n- b: {return: '${r}'}",
        None,
        "A",
    ),
    (
        "a wrong argument name",
        CALLS,
        "- a: {call: text.split, args: {source: a, regex: b}}",
        None,
        Refused("has no parameter 'regex'"),
    ),
    (
        "a missing one",
        CALLS,
        "- a: {call: text.split, args: {source: a}}",
        None,
        Refused("argument 'separator' is missing"),
    ),
    ("a wrong result", CALLS, "- a: {call: sys.now, result: 5}", None, Refused("invalid variable name 5")),
    ("sleep", "stdlib/sys/sleep", "- a: {call: sys.sleep, args: {seconds: 5}}\n- b: {return: 1}", None, 1),
    ("a negative sleep", "stdlib/sys/sleep", "- a: {call: sys.sleep, args: {seconds: -1}}", None, Fails("ValueError")),
    ("a sleep of text", "stdlib/sys/sleep", "- a: {call: sys.sleep, args: {seconds: a}}", None, Fails("TypeError")),
    ("a log of nothing", "stdlib/sys/log", "- a: {call: sys.log, args: {severity: INFO}}", None, Fails("TypeError")),
    (
        "a severity",
        "stdlib/sys/log",
        "- a: {call: sys.log, args: {text: a, severity: LOUD}}",
        None,
        Fails("ValueError"),
    ),
    (
        "http without a host",
        "stdlib/http/get",
        "- a: {call: http.get, args: {url: nowhere}}",
        None,
        Fails("ValueError"),
    ),
    (
        "http too long",
        "stdlib/http/get",
        "- a: {call: http.get, args: {url: 'http://127.0.0.1', timeout: 1801}}",
        None,
        Fails("ValueError"),
    ),
    ("http without url", "stdlib/http/get", "- a: {call: http.get}", None, Refused("argument 'url' is missing")),
    (
        "a body of a get",
        "stdlib/http/get",
        "- a: {call: http.get, args: {url: a, body: b}}",
        None,
        Refused("has no parameter 'body'"),
    ),
    (
        "a wrong method",
        "stdlib/http/request",
        "- a: {call: http.request, args: {method: FETCH, url: 'http://127.0.0.1'}}",
        None,
        Fails("ValueError"),
    ),
    (
        "a wrong auth",
        "stdlib/http/post",
        "- a: {call: http.post, args: {url: 'http://127.0.0.1', auth: {type: Basic}}}",
        None,
        Fails("ValueError"),
    ),
    (
        "a private service",
        "stdlib/http/get",
        "- a: {call: http.get, args: {url: 'http://127.0.0.1', private_service_name: s}}",
        None,
        Fails("ValueError"),
    ),
    (
        "a callback's method",
        "stdlib/events/create_callback_endpoint",
        "- a: {call: events.create_callback_endpoint, args: {http_callback_method: FETCH}}",
        None,
        Fails("ValueError"),
    ),
    (
        "a callback in time",
        "stdlib/events/await_callback",
        (
            "- a: {call: events.create_callback_endpoint, result: c}\n- b: {call: events.await_callback, "
            "args: {callback: '${c}', timeout: 2}}"
        ),
        None,
        Fails("TimeoutError"),
    ),
    (
        "a callback of nobody",
        "stdlib/events/await_callback",
        "- b: {call: events.await_callback, args: {callback: {url: x}}}",
        None,
        Fails("ValueError"),
    ),
    # Conditions
    (
        "the first that holds",
        SWITCH,
        (
            "- a: {switch: [{condition: '${1 > 2}', return: a}, {condition: '${2 > 1}', return: b}, "
            "{condition: true, return: c}]}"
        ),
        None,
        "b",
    ),
    ("none holds", SWITCH, "- a: {switch: [{condition: false, return: a}]}\n- b: {return: b}", None, "b"),
    (
        "next where none holds",
        SWITCH,
        "- a: {switch: [{condition: false, return: a}], next: c}\n- b: {return: b}\n- c: {return: c}",
        None,
        "c",
    ),
    (
        "steps in a case",
        SWITCH,
        "- a: {switch: [{condition: true, steps: [{s: {assign: [{x: 1}]}}, {t: {return: '${x}'}}]}]}",
        None,
        1,
    ),
    (
        "assign in a case",
        SWITCH,
        "- a: {switch: [{condition: true, assign: [{x: 1}]}]}\n- b: {return: '${x}'}",
        None,
        1,
    ),
    (
        "call in a case",
        SWITCH,
        "- a: {switch: [{condition: true, call: text.to_upper, args: {source: a}, result: x}]}\n- b: {return: '${x}'}",
        None,
        "A",
    ),
    ("raise in a case", SWITCH, "- a: {switch: [{condition: true, raise: no}]}", None, Raises("no")),
    (
        "for in a case",
        SWITCH,
        (
            "- z: {assign: [{x: 0}]}\n- a: {switch: [{condition: true, for: {value: v, in: [1, 2], "
            "steps: [{s: {assign: [{x: '${x + v}'}]}}]}}]}\n- b: {return: '${x}'}"
        ),
        None,
        3,
    ),
    (
        "try in a case",
        SWITCH,
        "- a: {switch: [{condition: true, try: {raise: x}, except: {as: e, steps: [{s: {return: '${e}'}}]}}]}",
        None,
        "x",
    ),
    ("a condition of text", SWITCH, "- a: {switch: [{condition: '${\"true\"}', return: 1}]}", None, Fails("TypeError")),
    (
        "a condition that is text",
        SWITCH,
        "- a: {switch: [{condition: yes please, return: 1}]}",
        None,
        Refused("must be a boolean or an expression"),
    ),
    ("a case without effect", SWITCH, "- a: {switch: [{condition: true}]}", None, Refused("needs 'next', 'steps'")),
    # Iteration
    (
        "over a list",
        LOOPS,
        (
            "- a: {assign: [{x: 0}]}\n- b: {for: {value: v, in: [1, 2, 3], "
            "steps: [{s: {assign: [{x: '${x + v}'}]}}]}}\n- c: {return: '${x}'}"
        ),
        None,
        6,
    ),
    (
        "with an index",
        LOOPS,
        (
            "- a: {assign: [{x: []}]}\n- b: {for: {value: v, index: i, in: [a, b], "
            "steps: [{s: {assign: [{x: '${list.concat(x, string(i) + v)}'}]}}]}}\n- c: {return: '${x}'}"
        ),
        None,
        ["0a", "1b"],
    ),
    (
        "over the keys of a map",
        LOOPS,
        (
            "- a: {assign: [{m: {1: 10, 2: 20, 3: 30}}, {x: 0}]}\n- b: {for: {value: k, in: '${keys(m)}', "
            "steps: [{s: {assign: [{x: '${x + m[k]}'}]}}]}}\n- c: {return: '${x}'}"
        ),
        None,
        60,
    ),
    (
        "over a range",
        LOOPS,
        (
            "- a: {assign: [{x: 0}]}\n- b: {for: {value: v, range: [1, 9], "
            "steps: [{s: {assign: [{x: '${x + v}'}]}}]}}\n- c: {return: '${x}'}"
        ),
        None,
        45,
    ),
    (
        "over a range of expressions",
        LOOPS,
        (
            "- a: {assign: [{x: 0}, {n: 3}]}\n- b: {for: {value: v, range: ['${n - 1}', '${n}'], "
            "steps: [{s: {assign: [{x: '${x + v}'}]}}]}}\n- c: {return: '${x}'}"
        ),
        None,
        5,
    ),
    (
        "over an empty range",
        LOOPS,
        (
            "- a: {assign: [{x: 0}]}\n- b: {for: {value: v, range: [5, 1], "
            "steps: [{s: {assign: [{x: 1}]}}]}}\n- c: {return: '${x}'}"
        ),
        None,
        0,
    ),
    (
        "over a map",
        LOOPS,
        "- a: {assign: [{m: {}}]}\n- b: {for: {value: v, in: '${m}', steps: [{s: {next: continue}}]}}",
        None,
        Fails("TypeError"),
    ),
    (
        "break",
        LOOPS,
        (
            "- a: {assign: [{x: 0}]}\n- b: {for: {value: v, in: [1, 2, 3], "
            "steps: [{s: {switch: [{condition: '${v == 3}', next: break}]}}, "
            "{t: {assign: [{x: '${x + v}'}]}}]}}\n- c: {return: '${x}'}"
        ),
        None,
        3,
    ),
    (
        "continue",
        LOOPS,
        (
            "- a: {assign: [{x: 0}]}\n- b: {for: {value: v, in: [1, 2, 3], "
            "steps: [{s: {switch: [{condition: '${v == 2}', next: continue}]}}, "
            "{t: {assign: [{x: '${x + v}'}]}}]}}\n- c: {return: '${x}'}"
        ),
        None,
        4,
    ),
    (
        "a value outside its loop",
        LOOPS,
        "- b: {for: {value: v, in: [1], steps: [{s: {next: continue}}]}}\n- c: {return: '${v}'}",
        None,
        Refused("symbol 'v'"),
    ),
    (
        "a variable first assigned in a loop",
        LOOPS,
        "- b: {for: {value: v, in: [1], steps: [{s: {assign: [{x: 1}]}}]}}\n- c: {return: '${x}'}",
        None,
        Refused("symbol 'x'"),
    ),
    (
        "one name in nested loops",
        LOOPS,
        "- b: {for: {value: v, in: [1], steps: [{s: {for: {value: v, in: [1], steps: [{t: {next: break}}]}}}]}}",
        None,
        Refused("has the name of a variable outside"),
    ),
    (
        "in and range",
        LOOPS,
        "- b: {for: {value: v, in: [1], range: [1, 2], steps: [{s: {next: break}}]}}",
        None,
        Refused("both 'in' and 'range'"),
    ),
    ("return inside a loop", LOOPS, "- b: {for: {value: v, in: [1, 2], steps: [{s: {return: '${v}'}}]}}", None, 1),
    # Errors
    ("raise a string", RAISE, "- a: {raise: Something went wrong.}", None, Raises("Something went wrong.")),
    ("raise a map", RAISE, "- a: {raise: {code: 55, message: no}}", None, Raises({"code": 55, "message": "no"})),
    ("raise a list", RAISE, "- a: {raise: [1]}", None, Fails("TypeError")),
    ("catch a string", CATCH, "- a: {try: {raise: x}, except: {as: e, steps: [{b: {return: '${e}'}}]}}", None, "x"),
    (
        "catch a map",
        CATCH,
        "- a: {try: {raise: {code: 5}}, except: {as: e, steps: [{b: {return: '${e.code}'}}]}}",
        None,
        5,
    ),
    (
        "catch in several steps",
        CATCH,
        (
            "- a: {try: {steps: [{b: {assign: [{x: 1}]}}, {c: {raise: x}}]}, except: {as: e, "
            "steps: [{d: {return: '${x}'}}]}}"
        ),
        None,
        1,
    ),
    (
        "go on after an except",
        CATCH,
        "- a: {try: {raise: x}, except: {as: e, steps: [{b: {assign: [{y: 1}]}}]}}\n- c: {return: after}",
        None,
        "after",
    ),
    (
        "raise again",
        CATCH,
        "- a: {try: {raise: {code: 5}}, except: {as: e, steps: [{b: {raise: '${e}'}}]}}",
        None,
        Raises({"code": 5}),
    ),
    (
        "an error of the handler",
        CATCH,
        (
            "- a: {try: {try: {raise: x}, except: {as: e, steps: [{b: {raise: y}}]}}, except: {as: f, "
            "steps: [{c: {return: '${f}'}}]}}"
        ),
        None,
        "y",
    ),
    (
        "an except without a name",
        CATCH,
        "- a: {try: {raise: x}, except: {steps: [{b: {return: caught}}]}}",
        None,
        "caught",
    ),
    (
        "the name outside",
        CATCH,
        "- a: {try: {raise: x}, except: {as: e, steps: [{b: {next: c}}]}}\n- c: {return: '${e}'}",
        None,
        Refused("symbol 'e'"),
    ),
    ("try alone", CATCH, "- a: {try: {raise: x}}", None, Refused("'try' needs 'retry' or 'except'")),
    (
        "tags of a key error",
        TYPES,
        (
            "- a: {try: {assign: [{m: {}}, {x: '${m.a}'}]}, except: {as: e, "
            'steps: [{b: {return: \'${"KeyError" in e.tags and "LookupError" in e.tags}\'}}]}}'
        ),
        None,
        True,
    ),
    (
        "a system error has a message",
        TYPES,
        "- a: {try: {assign: [{x: '${1 / 0}'}]}, except: {as: e, steps: [{b: {return: '${len(e.message) > 0}'}}]}}",
        None,
        True,
    ),
    (
        "a refused connection",
        TYPES,
        "- a: {call: http.get, args: {url: 'http://127.0.0.1:1/'}}",
        None,
        Fails("ConnectionFailedError"),
    ),
    (
        "an error from a subworkflow",
        CATCH,
        (
            "main: {steps: [{a: {try: {call: f}, except: {as: e, "
            "steps: [{b: {return: '${e}'}}]}}}]}\nf: {steps: [{c: {raise: inner}}]}"
        ),
        None,
        "inner",
    ),
    # Retries
    (
        "retry until it works",
        RETRY,
        (
            f"- a: {{assign: [{{n: 0}}]}}\n- b: {{try: {{steps: [{{c: {{assign: [{{n: '${{n + 1}}'}}]}}}}, "
            f"{{d: {{switch: [{{condition: '${{n < 3}}', raise: x}}]}}}}]}}, retry: {{max_retries: 5, "
            f"{BACKOFF}}}}}\n- e: {{return: '${{n}}'}}"
        ),
        None,
        3,
    ),
    (
        "retry, then except",
        RETRY,
        (
            f"- a: {{assign: [{{n: 0}}]}}\n- b: {{try: {{steps: [{{c: {{assign: [{{n: '${{n + 1}}'}}]}}}}, "
            f"{{d: {{raise: x}}}}]}}, retry: {{max_retries: 2, {BACKOFF}}}, except: {{as: e, "
            f"steps: [{{f: {{return: '${{n}}'}}}}]}}}}"
        ),
        None,
        3,
    ),
    (
        "retry in vain",
        RETRY,
        f"- b: {{try: {{raise: x}}, retry: {{predicate: '${{retry.always}}', max_retries: 2, {BACKOFF}}}}}",
        None,
        Raises("x"),
    ),
    (
        "never retry",
        RETRY,
        (
            f"- a: {{assign: [{{n: 0}}]}}\n- b: {{try: {{steps: [{{c: {{assign: [{{n: '${{n + 1}}'}}]}}}}, "
            f"{{d: {{raise: x}}}}]}}, retry: {{predicate: '${{retry.never}}', max_retries: 5, {BACKOFF}}}, "
            f"except: {{as: e, steps: [{{f: {{return: '${{n}}'}}}}]}}}}"
        ),
        None,
        1,
    ),
    (
        "a predicate of one's own",
        RETRY,
        (
            f"main: {{steps: [{{a: {{assign: [{{n: 0}}]}}}}, "
            f"{{b: {{try: {{steps: [{{c: {{assign: [{{n: '${{n + 1}}'}}]}}}}, "
            f"{{d: {{raise: {{code: '${{n}}'}}}}}}]}}, retry: {{predicate: '${{p}}', max_retries: 9, {BACKOFF}}}, "
            f"except: {{as: e, steps: [{{f: {{return: '${{n}}'}}}}]}}}}}}]}}\np: {{params: [e], "
            f"steps: [{{g: {{return: '${{e.code < 4}}'}}}}]}}"
        ),
        None,
        4,
    ),
    (
        "a predicate that gives no boolean",
        RETRY,
        (
            f"main: {{steps: [{{b: {{try: {{raise: x}}, retry: {{predicate: '${{p}}', max_retries: 9, "
            f"{BACKOFF}}}}}}}]}}\np: {{params: [e], steps: [{{g: {{return: 1}}}}]}}"
        ),
        None,
        Fails("TypeError"),
    ),
    (
        "the default policy",
        RETRY,
        "- a: {try: {raise: {code: 404}}, retry: '${http.default_retry}'}",
        None,
        Raises({"code": 404}),
    ),
    (
        "a policy of expressions",
        RETRY,
        (
            "- a: {assign: [{k: 1}]}\n- b: {try: {raise: x}, retry: {max_retries: '${k}', "
            "backoff: {initial_delay: '${k}', max_delay: 2, multiplier: 1.5}}}"
        ),
        None,
        Raises("x"),
    ),
    (
        "a policy without backoff",
        RETRY,
        "- b: {try: {raise: x}, retry: {max_retries: 1}}",
        None,
        Refused("'backoff' is missing"),
    ),
    (
        "retry without try",
        RETRY,
        "- b: {raise: x, retry: '${http.default_retry}'}",
        None,
        Refused("unexpected key 'retry'"),
    ),
    # Parallel steps
    (
        "branches share a variable",
        PARALLEL,
        (
            "- a: {assign: [{x: 0}]}\n- b: {parallel: {shared: [x], "
            "branches: [{p: {steps: [{c: {assign: [{x: '${x + 1}'}]}}]}}, "
            "{q: {steps: [{d: {assign: [{x: '${x + 2}'}]}}]}}]}}\n- e: {return: '${x}'}"
        ),
        None,
        3,
    ),
    (
        "a loop shares a variable",
        PARALLEL,
        (
            "- a: {assign: [{x: 0}]}\n- b: {parallel: {shared: [x], concurrency_limit: 2, for: {value: v, "
            "in: [1, 2, 3], steps: [{c: {assign: [{x: '${x + v}'}]}}]}}}\n- e: {return: '${x}'}"
        ),
        None,
        6,
    ),
    (
        "a parallel range",
        PARALLEL,
        (
            "- a: {assign: [{x: 0}]}\n- b: {parallel: {shared: [x], for: {value: v, range: [1, 4], "
            "steps: [{c: {assign: [{x: '${x + v}'}]}}]}}}\n- e: {return: '${x}'}"
        ),
        None,
        10,
    ),
    (
        "a variable that is not shared",
        PARALLEL,
        "- a: {assign: [{x: 0}]}\n- b: {parallel: {branches: [{p: {steps: [{c: {assign: [{x: 1}]}}]}}]}}",
        None,
        Refused("only if it is listed in 'shared'"),
    ),
    (
        "reading what is not shared",
        PARALLEL,
        (
            "- a: {assign: [{x: 5}, {y: 0}]}\n- b: {parallel: {shared: [y], "
            "branches: [{p: {steps: [{c: {assign: [{y: '${x}'}]}}]}}]}}\n- d: {return: '${y}'}"
        ),
        None,
        5,
    ),
    (
        "a branch's own variable outside",
        PARALLEL,
        "- b: {parallel: {branches: [{p: {steps: [{c: {assign: [{x: 1}]}}]}}]}}\n- d: {return: '${x}'}",
        None,
        Refused("symbol 'x'"),
    ),
    (
        "an error in a branch",
        PARALLEL,
        "- b: {parallel: {branches: [{p: {steps: [{c: {raise: x}}]}}, {q: {steps: [{d: {call: sys.now}}]}}]}}",
        None,
        Fails("UnhandledBranchError"),
    ),
    (
        "continueAll lets the others end",
        PARALLEL,
        (
            "- a: {assign: [{x: 0}]}\n- b: {try: {parallel: {exception_policy: continueAll, shared: [x], "
            "branches: [{p: {steps: [{c: {raise: no}}]}}, {q: {steps: [{d: {call: sys.sleep, "
            "args: {seconds: 5}}}, {f: {assign: [{x: 7}]}}]}}]}}, except: {as: e, steps: [{g: {return: ['${x}', "
            "'${e.branches[0].id}']}}]}}"
        ),
        None,
        [7, "p"],
    ),
    (
        "another policy",
        PARALLEL,
        "- b: {parallel: {exception_policy: unhandled, branches: [{p: {steps: [{c: {raise: x}}]}}]}}",
        None,
        Refused("must be 'continueAll'"),
    ),
    (
        "an error caught inside",
        PARALLEL,
        (
            "- a: {assign: [{x: 0}]}\n- b: {parallel: {shared: [x], for: {value: v, in: [1, 0], "
            "steps: [{c: {try: {assign: [{x: '${x + 10 / v}'}]}, except: {as: e, "
            "steps: [{d: {assign: [{x: '${x + 1}'}]}}]}}}]}}}\n- f: {return: '${x}'}"
        ),
        None,
        11.0,
    ),
    (
        "nested twice",
        PARALLEL,
        (
            "- a: {assign: [{x: 0}]}\n- b: {parallel: {shared: [x], for: {value: v, in: [1, 2], "
            "steps: [{c: {parallel: {shared: [x], for: {value: w, in: [1, 2], "
            "steps: [{d: {assign: [{x: '${x + v * w}'}]}}]}}}}]}}}\n- e: {return: '${x}'}"
        ),
        None,
        9,
    ),
    (
        "return in a branch",
        PARALLEL,
        "- b: {parallel: {branches: [{p: {steps: [{c: {return: 1}}]}}]}}",
        None,
        Refused("'return' cannot be used"),
    ),
    (
        "a jump out of a branch",
        PARALLEL,
        "- b: {parallel: {branches: [{p: {steps: [{c: {next: d}}]}}]}}\n- d: {return: 1}",
        None,
        Refused("outside the parallel step"),
    ),
    (
        "branches and for",
        PARALLEL,
        (
            "- b: {parallel: {branches: [{p: {steps: [{c: {call: sys.now}}]}}], for: {value: v, in: [1], "
            "steps: [{d: {call: sys.now}}]}}}"
        ),
        None,
        Refused("either 'branches' or 'for'"),
    ),
    (
        "a limit of nothing",
        PARALLEL,
        "- b: {parallel: {concurrency_limit: 0, for: {value: v, in: [1], steps: [{d: {call: sys.now}}]}}}",
        None,
        Refused("positive integer"),
    ),
    (
        "a limit by expression",
        PARALLEL,
        (
            "- a: {assign: [{k: -1}]}\n- b: {parallel: {concurrency_limit: '${k}', for: {value: v, in: [1], "
            "steps: [{d: {call: sys.now}}]}}}"
        ),
        None,
        Fails("ValueError"),
    ),
    # Limits
    ("50 assignments", LIMITS, f"- a: {{assign: [{many(50, '{x#: #}')}]}}\n- b: {{return: '${{x49}}'}}", None, 49),
    ("51 assignments", LIMITS, f"- a: {{assign: [{many(51, '{x#: #}')}]}}", None, Refused("exceed the limit of 50")),
    (
        "50 conditions",
        LIMITS,
        f"- a: {{switch: [{many(50, '{condition: false, next: end}')}]}}\n- b: {{return: 1}}",
        None,
        1,
    ),
    (
        "51 conditions",
        LIMITS,
        f"- a: {{switch: [{many(51, '{condition: false, next: end}')}]}}",
        None,
        Refused("exceed the limit of 50"),
    ),
    (
        "11 branches",
        LIMITS,
        f"- a: {{parallel: {{branches: [{many(11, '{b#: {steps: [{s#: {call: sys.now}}]}}')}]}}}}",
        None,
        Refused("11 branches exceed the limit of 10"),
    ),
    ("400 characters", LIMITS, f"- a: {{return: '${{{'1 + ' * 99}1}}'}}", None, 100),
    ("401 characters", LIMITS, f"- a: {{return: '${{{'1 + ' * 99}100  }}'}}", None, Refused("exceeds the limit 400")),
    ("128 KB", LIMITS, "# " + "x" * 131072 + "\n- a: {return: 1}", None, Refused("exceeds the limit of 131072")),
    (
        "parallel steps three deep",
        LIMITS,
        (
            "- a: {parallel: {for: {value: u, in: [1], steps: [{b: {parallel: {for: {value: v, in: [1], "
            "steps: [{c: {parallel: {for: {value: w, in: [1], steps: [{d: {call: sys.now}}]}}}}]}}}}]}}}"
        ),
        None,
        Fails("UnhandledBranchError"),
    ),
    (
        "calls twenty deep",
        LIMITS,
        (
            "main: {steps: [{a: {return: '${f(20)}'}}]}\nf: {params: [n], "
            "steps: [{b: {switch: [{condition: '${n == 1}', return: 1}]}}, {c: {return: '${1 + f(n - 1)}'}}]}"
        ),
        None,
        20,
    ),
    (
        "calls without end",
        LIMITS,
        "main: {steps: [{a: {return: '${f(1)}'}}]}\nf: {params: [n], steps: [{c: {return: '${f(n + 1)}'}}]}",
        None,
        Fails("RecursionError"),
    ),
    (
        "a string of 256 KB",
        LIMITS,
        (
            "- a: {assign: [{s: xxxxxxxx}]}\n- b: {for: {value: v, range: [1, 15], "
            "steps: [{c: {assign: [{s: '${s + s}'}]}}]}}\n- d: {return: '${len(s)}'}"
        ),
        None,
        262144,
    ),
    (
        "a longer string",
        LIMITS,
        (
            "- a: {assign: [{s: xxxxxxxx}]}\n- b: {for: {value: v, range: [1, 16], "
            "steps: [{c: {assign: [{s: '${s + s}'}]}}]}}"
        ),
        None,
        Fails("ResourceLimitError"),
    ),
    (
        "variables of 512 KB",
        LIMITS,
        (
            "- a: {assign: [{l: []}, {s: xxxxxxxx}]}\n- b: {for: {value: v, range: [1, 14], "
            "steps: [{c: {assign: [{s: '${s + s}'}]}}]}}\n- d: {for: {value: v, range: [1, 9], "
            "steps: [{e: {assign: [{l: '${list.concat(l, s)}'}]}}]}}"
        ),
        None,
        Fails("ResourceLimitError"),
    ),
]
