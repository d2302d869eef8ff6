"""Steps: what a definition does when it runs, by the language reference."""

from __future__ import annotations

import itertools
import json
import threading
import time
from typing import Any

import pytest

from localcloud.workflows import limits
from localcloud.workflows.local import StepEvent

RETURNS: dict[str, tuple[str, Any]] = {
    # The probes that the emulator on PyPI gets wrong.
    "if()": ('- a: {return: \'${if(1 < 2, "yes", "no")}\'}', "yes"),
    "return null stops": ("- a: {return: null}\n- b: {return: 2}", None),
    "null stays null": ("- a: {assign: [{x: null}]}\n- b: {return: ['${x}', '${x == null}']}", [None, True]),
    "null literal": ("- a: {return: '${null}'}", None),
    "true and false literals": ("- a: {return: ['${true}', '${false}']}", [True, False]),
    "brace in a string of an expression": ('- a: {return: \'${"a}b{" + "}"}\'}', "a}b{}"),
    "missing key is catchable": (
        """
- a: {assign: [{m: {}}]}
- b:
    try:
      assign: [{x: '${m.nope}'}]
    except:
      as: e
      steps:
        - c: {return: '${e.tags}'}
""",
        ["KeyError", "LookupError"],
    ),
    "error inside assign, then another assign": (
        """
- a:
    try:
      assign: [{x: '${1 / 0}'}]
    except: {as: e}
- b: {assign: [{y: 5}]}
- c: {return: '${y}'}
""",
        5,
    ),
    "branch-local variables": (
        """
- a: {assign: [{r: {}}]}
- b:
    parallel:
      shared: [r]
      branches:
        - one:
            steps:
              - o1: {assign: [{v: 1}]}
              - o2: {call: sys.sleep, args: {seconds: 20}}
              - o3: {assign: [{r.one: '${v}'}]}
        - two:
            steps:
              - t1: {assign: [{v: 2}]}
              - t2: {call: sys.sleep, args: {seconds: 10}}
              - t3: {assign: [{r.two: '${v}'}]}
- c: {return: '${r}'}
""",
        {"one": 1, "two": 2},
    ),
    "len of keys": ("- a: {assign: [{m: {a: 1, b: 2, c: 3}}]}\n- b: {return: '${len(keys(m))}'}", 3),
    "hash": (
        '- a: {return: \'${base64.encode(hash.compute_checksum(text.encode(""), "MD5"))}\'}',
        "1B2M2Y8AsgTpgAmY7PhCfg==",
    ),
    # Assignments
    "assign in order": ("- a: {assign: [{x: 1}, {y: '${x + 1}'}, {x: '${y * 10}'}]}\n- b: {return: '${x}'}", 20),
    "assign to a list element": (
        "- a: {assign: [{l: [1, 2, 3]}, {i: 1}, {'l[i + 1]': 9}]}\n- b: {return: '${l}'}",
        [1, 2, 9],
    ),
    "assign to map keys": (
        "- a: {assign: [{m: {}}, {m.a: 1}, {'m[\"b c\"]': 2}, {'m[\"x\" + \"y\"]': 3}]}\n- b: {return: '${m}'}",
        {"a": 1, "b c": 2, "xy": 3},
    ),
    "assign into nested containers": (
        "- a: {assign: [{m: {n: {l: [[1], [2]]}}}, {'m.n.l[1][0]': 7}, {m.n.k: 8}]}\n- b: {return: '${m}'}",
        {"n": {"l": [[1], [7]], "k": 8}},
    ),
    "values are passed by value": (
        "- a: {assign: [{x: [1]}, {y: '${x}'}, {'y[0]': 2}]}\n- b: {return: ['${x}', '${y}']}",
        [[1], [2]],
    ),
    "expressions inside data": (
        "- a: {assign: [{k: one}, {m: {'${k}': ['${len(k)}', {deep: '${k + \"!\"}'}]}}]}\n- b: {return: '${m}'}",
        {"one": [3, {"deep": "one!"}]},
    ),
    "integer keys of a map become strings": (
        "- a: {assign: [{m: {1: 10, 2: 20}}]}\n- b: {return: ['${keys(m)}', '${m[\"2\"]}']}",
        [["1", "2"], 20],
    ),
    "yaml 1.1 words stay strings": ("- a: {return: [yes, on, 2020-01-01, no]}", ["yes", "on", "2020-01-01", "no"]),
    # next, switch
    "next": ("- a: {assign: [{x: 1}], next: c}\n- b: {assign: [{x: 2}]}\n- c: {return: '${x}'}", 1),
    "a step with only next": ("- a: {next: c}\n- b: {return: 1}\n- c: {return: 2}", 2),
    "next end returns null": ("- a: {assign: [{x: 1}], next: end}\n- b: {return: '${x}'}", None),
    "no return gives null": ("- a: {assign: [{x: 1}]}", None),
    "switch takes the first match": (
        (
            "- a: {switch: [{condition: '${false}', next: c}, {condition: true, next: d}, {condition: true, next: c}]}"
            "\n- c: {return: c}\n- d: {return: d}"
        ),
        "d",
    ),
    "switch without a match goes on": (
        "- a: {switch: [{condition: false, next: c}]}\n- b: {return: b}\n- c: {return: c}",
        "b",
    ),
    "switch without a match takes the step's next": (
        "- a: {switch: [{condition: false, next: b}], next: c}\n- b: {return: b}\n- c: {return: c}",
        "c",
    ),
    "switch with steps": (
        """
- a: {assign: [{x: 1}]}
- b:
    switch:
      - condition: ${x == 1}
        steps:
          - b1: {assign: [{x: '${x + 7}'}]}
          - b2: {assign: [{x: '${x * 2}'}]}
        next: d
- c: {assign: [{x: 0}]}
- d: {return: '${x}'}
""",
        16,
    ),
    "switch with return": ("- a: {switch: [{condition: true, return: done}]}\n- b: {return: no}", "done"),
    "switch with assign": ("- a: {switch: [{condition: true, assign: [{x: 3}]}]}\n- b: {return: '${x}'}", 3),
    "jump back makes a loop": (
        """
- a: {assign: [{x: 0}]}
- b: {assign: [{x: '${x + 1}'}]}
- c: {switch: [{condition: '${x < 5}', next: b}]}
- d: {return: '${x}'}
""",
        5,
    ),
    "nested steps share the scope": (
        "- a:\n    steps:\n      - a1: {assign: [{x: 1}]}\n      - a2: {assign: [{y: 2}]}\n- b: {return: '${x + y}'}",
        3,
    ),
    "jump into and out of nested steps": (
        """
- a: {assign: [{trail: []}], next: g2}
- g:
    steps:
      - g1: {assign: [{trail: '${list.concat(trail, 1)}'}]}
      - g2: {assign: [{trail: '${list.concat(trail, 2)}'}]}
      - g3:
          steps:
            - g4: {assign: [{trail: '${list.concat(trail, 4)}'}]}
            - g5: {switch: [{condition: '${len(trail) < 4}', next: g1}]}
    next: end_step
- never: {return: never}
- end_step: {return: '${trail}'}
""",
        [2, 4, 1, 2, 4],
    ),
    # for
    "for over a list with index": (
        """
- a: {assign: [{r: []}]}
- b:
    for:
      value: v
      index: i
      in: [10, 20]
      steps:
        - c: {assign: [{r: '${list.concat(r, v + i)}'}]}
- d: {return: '${r}'}
""",
        [10, 21],
    ),
    "for over keys": (
        """
- a: {assign: [{m: {1: 10, 2: 20, 3: 30}}, {sum: 0}]}
- b: {for: {value: k, in: '${keys(m)}', steps: [{c: {assign: [{sum: '${sum + m[k]}'}]}}]}}
- d: {return: '${sum}'}
""",
        60,
    ),
    "for over a range includes the end": (
        (
            "- a: {assign: [{s: 0}]}\n- b: {for: {value: v, range: [1, 9], steps: [{c: {assign: [{s: '${s + v}'}]}}]}}"
            "\n- d: {return: '${s}'}"
        ),
        45,
    ),
    "for over an empty range and list": (
        (
            "- a: {assign: [{s: 0}]}\n- b: {for: {value: v, range: [2, 1], steps: [{c: {assign: [{s: 1}]}}]}}\n"
            "- d: {for: {value: v, in: [], steps: [{e: {assign: [{s: 2}]}}]}}\n- f: {return: '${s}'}"
        ),
        0,
    ),
    "range of doubles and expressions": (
        (
            "- a: {assign: [{r: []}, {n: 2}]}\n"
            "- b: {for: {value: v, range: [0.5, '${n}'], steps: [{c: {assign: [{r: '${list.concat(r, v)}'}]}}]}}\n"
            "- d: {return: '${r}'}"
        ),
        [0.5, 1.5],
    ),
    "break and continue": (
        """
- a: {assign: [{r: []}]}
- b:
    for:
      value: v
      in: [1, 2, 3, 4, 5]
      steps:
        - c:
            switch:
              - condition: ${v == 2}
                next: continue
              - condition: ${v == 4}
                next: break
        - d: {assign: [{r: '${list.concat(r, v)}'}]}
- e: {return: '${r}'}
""",
        [1, 3],
    ),
    "break ends the inner loop only": (
        """
- a: {assign: [{r: []}]}
- b:
    for:
      value: v
      in: [1, 2]
      steps:
        - c:
            for:
              value: w
              in: [1, 2, 3]
              steps:
                - d: {switch: [{condition: '${w == 2}', next: break}]}
                - e: {assign: [{r: '${list.concat(r, [v, w])}'}]}
- f: {return: '${r}'}
""",
        [[1, 1], [2, 1]],
    ),
    "jump out of a loop": (
        "- b: {for: {value: v, in: [1, 2], steps: [{c: {next: found}}]}}\n- d: {return: no}\n- found: {return: yes!}",
        "yes!",
    ),
    "return inside a loop": ("- b: {for: {value: v, in: [1, 2], steps: [{c: {return: '${v}'}}]}}", 1),
    "a changed list does not change the loop": (
        """
- a: {assign: [{l: [1, 2]}, {n: 0}]}
- b: {for: {value: v, in: '${l}', steps: [{c: {assign: [{l: '${list.concat(l, v)}'}, {n: '${n + 1}'}]}}]}}
- d: {return: ['${n}', '${len(l)}']}
""",
        [2, 4],
    ),
    # Subworkflows
    "subworkflow with named arguments and defaults": (
        """
main:
  steps:
    - a: {call: greet, args: {first: Ada}, result: r}
    - b: {return: '${r}'}
greet:
  params: [first, last: Lovelace]
  steps:
    - c: {return: '${first + " " + last}'}
""",
        "Ada Lovelace",
    ),
    "subworkflow with positional arguments": (
        (
            "main: {steps: [{a: {call: f, args: [1, 2], result: r}}, {b: {return: '${r}'}}]}\n"
            "f: {params: [x, y], steps: [{c: {return: '${x - y}'}}]}"
        ),
        -1,
    ),
    "subworkflows in an expression": (
        "main: {steps: [{b: {return: '${f(2) + f(f(3))}'}}]}\nf: {params: [x], steps: [{c: {return: '${x * 10}'}}]}",
        320,
    ),
    "a blocking subworkflow in an expression": (
        (
            "main: {steps: [{a: {assign: [{n: 1}, {n: '${n + f(n)}'}, {n: '${n + 1}'}]}}, {b: {return: '${n}'}}]}\n"
            "f: {params: [x], steps: [{s: {call: sys.sleep, args: {seconds: 5}}}, {c: {return: '${x * 10}'}}]}"
        ),
        12,
    ),
    "subworkflow in a condition": (
        (
            "main: {steps: [{a: {switch: [{condition: '${f(1)}', return: a}, {condition: '${f(2)}', return: b}]}}]}\n"
            "f: {params: [x], steps: [{c: {return: '${x == 2}'}}]}"
        ),
        "b",
    ),
    "variables of a subworkflow are its own": (
        (
            "main: {steps: [{a: {assign: [{x: 1}]}}, {b: {call: f}}, {c: {return: '${x}'}}]}\n"
            "f: {steps: [{d: {assign: [{x: 2}]}}]}"
        ),
        1,
    ),
    "a library call by call step": (
        "- a: {call: text.to_upper, args: {source: abc}, result: r}\n- b: {return: '${r}'}",
        "ABC",
    ),
    "recursion within the limit": (
        (
            "main: {steps: [{a: {return: '${f(18)}'}}]}\n"
            "f: {params: [n], steps: [{s: {switch: [{condition: '${n == 0}', return: 0}]}}, "
            "{r: {return: '${1 + f(n - 1)}'}}]}"
        ),
        18,
    ),
    # try, raise, retry
    "raise a string": ("- a: {try: {raise: oops}, except: {as: e, steps: [{b: {return: '${e}'}}]}}", "oops"),
    "raise a map": (
        "- a: {try: {raise: {code: 55, message: bad}}, except: {as: e, steps: [{b: {return: '${e.code}'}}]}}",
        55,
    ),
    "error inside a subworkflow is caught outside": (
        (
            "main: {steps: [{a: {try: {call: f}, except: {as: e, steps: [{b: {return: '${e.message}'}}]}}}]}\n"
            "f: {steps: [{c: {raise: {message: inner}}}]}"
        ),
        "inner",
    ),
    "raising the caught error again": (
        """
- a:
    try:
      steps:
        - b:
            try: {raise: {message: first}}
            except: {as: e, steps: [{c: {raise: '${e}'}}]}
    except: {as: e, steps: [{d: {return: '${e.message}'}}]}
""",
        "first",
    ),
    "the try's steps that ended stay done": (
        """
- a: {assign: [{x: 0}]}
- b:
    try:
      steps:
        - b1: {assign: [{x: 1}]}
        - b2: {raise: stop}
        - b3: {assign: [{x: 2}]}
    except: {as: e}
- c: {return: '${x}'}
""",
        1,
    ),
    "an except block goes on after the step": (
        (
            "- a: {try: {raise: x}, except: {as: e, steps: [{b: {assign: [{y: 1}]}}]}, next: d}\n"
            "\n- c: {return: c}\n- d: {return: d}"
        ),
        "d",
    ),
    "retry until it works": (
        """
- a: {assign: [{n: 0}]}
- b:
    try:
      steps:
        - c: {assign: [{n: '${n + 1}'}]}
        - d: {switch: [{condition: '${n < 3}', raise: {code: 503}}]}
    retry:
      predicate: ${http.default_retry_predicate}
      max_retries: 5
      backoff: {initial_delay: 1, max_delay: 60, multiplier: 2}
- e: {return: '${n}'}
""",
        3,
    ),
    "retry with the default policy, then except": (
        """
- a: {assign: [{n: 0}]}
- b:
    try:
      steps:
        - c: {assign: [{n: '${n + 1}'}]}
        - d: {raise: {code: 429}}
    retry: ${http.default_retry}
    except: {as: e}
- f: {return: '${n}'}
""",
        6,
    ),
    "no retry where the predicate says no": (
        """
- a: {assign: [{n: 0}]}
- b:
    try:
      steps:
        - c: {assign: [{n: '${n + 1}'}]}
        - d: {raise: {code: 404}}
    retry: ${http.default_retry}
    except: {as: e}
- f: {return: '${n}'}
""",
        1,
    ),
    "retry.always, retry.never and retry.default_backoff": (
        """
- a: {assign: [{n: 0}]}
- b:
    try: {steps: [{c: {assign: [{n: '${n + 1}'}]}}, {d: {raise: x}}]}
    retry: {predicate: '${retry.always}', max_retries: 2, backoff: '${retry.default_backoff}'}
    except: {as: e}
- f:
    try: {steps: [{g: {assign: [{n: '${n + 10}'}]}}, {h: {raise: x}}]}
    retry: {predicate: '${retry.never}', max_retries: 2, backoff: '${retry.default_backoff}'}
    except: {as: e}
- i: {return: '${n}'}
""",
        13,
    ),
    "retry with a predicate of one's own": (
        """
main:
  steps:
    - a: {assign: [{n: 0}]}
    - b:
        try: {steps: [{c: {assign: [{n: '${n + 1}'}]}}, {d: {raise: {code: '${n}'}}}]}
        retry:
          predicate: ${under_three}
          max_retries: 10
          backoff: {initial_delay: 0.1, max_delay: 1, multiplier: 1.5}
        except: {as: e, steps: [{f: {return: '${e.code}'}}]}
under_three:
  params: [e]
  steps:
    - a: {return: '${e.code < 3}'}
""",
        3,
    ),
    # parallel
    "parallel for with a shared list": (
        """
- a: {assign: [{sum: 0}]}
- b:
    parallel:
      shared: [sum]
      for:
        value: v
        in: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        steps:
          - c: {assign: [{sum: '${sum + v}'}]}
- d: {return: '${sum}'}
""",
        55,
    ),
    "parallel for over a range with continue": (
        """
- a: {assign: [{r: []}]}
- b:
    parallel:
      shared: [r]
      concurrency_limit: 1
      for:
        value: v
        range: [1, 4]
        steps:
          - c: {switch: [{condition: '${v == 2}', next: continue}]}
          - d: {assign: [{r: '${list.concat(r, v)}'}]}
- e: {return: '${r}'}
""",
        [1, 3, 4],
    ),
    "branches read what is outside": (
        """
- a: {assign: [{x: 5}, {y: 0}, {z: 0}]}
- b:
    parallel:
      shared: [y, z]
      branches:
        - one: {steps: [{o: {assign: [{y: '${x + 1}'}]}}]}
        - two: {steps: [{t: {assign: [{z: '${x + 2}'}]}}]}
- c: {return: ['${y}', '${z}']}
""",
        [6, 7],
    ),
    "all branches end before the step fails": (
        """
- a: {assign: [{done: false}]}
- b:
    try:
      parallel:
        shared: [done]
        branches:
          - bad: {steps: [{b1: {raise: early}}]}
          - good: {steps: [{g1: {call: sys.sleep, args: {seconds: 30}}}, {g2: {assign: [{done: true}]}}]}
    except: {as: e}
- c: {return: '${done}'}
""",
        True,
    ),
    "errors of branches are in the error map": (
        """
- b:
    try:
      parallel:
        branches:
          - bad: {steps: [{b1: {raise: {message: early}}}]}
          - good: {steps: [{g1: {call: sys.sleep, args: {seconds: 1}}}]}
          - worse: {steps: [{w1: {assign: [{x: '${1 / 0}'}]}}]}
    except:
      as: e
      steps:
        - c: {assign: [{ids: []}]}
        - d: {for: {value: f, in: '${e.branches}', steps: [{g: {assign: [{ids: '${list.concat(ids, f.id)}'}]}}]}}
        - h: {return: ['${e.tags[0]}', '${ids}', '${e.truncated}']}
""",
        ["UnhandledBranchError", ["bad", "worse"], False],
    ),
    "nested parallel steps": (
        """
- a: {assign: [{n: 0}]}
- b:
    parallel:
      shared: [n]
      for:
        value: v
        range: [1, 15]
        steps:
          - c:
              parallel:
                shared: [n]
                for:
                  value: w
                  range: [1, 15]
                  steps:
                    - d: {call: sys.sleep, args: {seconds: 1}}
                    - e: {assign: [{n: '${n + 1}'}]}
- f: {return: '${n}'}
""",
        225,
    ),
    # Scopes
    "an outer variable assigned in a loop": (
        (
            "- a: {assign: [{x: 0}]}\n- b: {for: {value: v, in: [1, 2], steps: [{c: {assign: [{x: '${v}'}]}}]}}\n"
            "- d: {return: '${x}'}"
        ),
        2,
    ),
    "an outer variable assigned in an except block": (
        (
            "- a: {assign: [{x: 0}]}\n- b: {try: {raise: e}, except: {as: e, steps: [{c: {assign: [{x: '${e}'}]}}]}}\n"
            "- d: {return: '${x}'}"
        ),
        "e",
    ),
    # Time
    "sys.now keeps step with shortened sleeps": (
        """
- a: {assign: [{start: '${sys.now()}'}]}
- b: {call: sys.sleep, args: {seconds: 100}}
- c: {assign: [{took: '${sys.now() - start}'}]}
- d: {return: '${took >= 100 and took < 101}'}
""",
        True,
    ),
    "sys.sleep_until": (
        """
- a: {assign: [{start: '${sys.now()}'}, {until: '${time.format(start + 50)}'}]}
- b: {call: sys.sleep_until, args: {time: '${until}'}}
- c: {return: '${sys.now() - start >= 49.9}'}
""",
        True,
    ),
}


@pytest.mark.parametrize(("source", "expected"), RETURNS.values(), ids=RETURNS.keys())
def test_returns(run: Any, source: str, expected: Any) -> None:
    assert run(source).value == expected


FAILS: dict[str, tuple[str, str]] = {
    "a condition that is no boolean": ("- a: {switch: [{condition: '${1}', next: a}]}", "TypeError"),
    "for over a map": (
        "- a: {assign: [{m: {}}]}\n- b: {for: {value: v, in: '${m}', steps: [{c: {next: continue}}]}}",
        "TypeError",
    ),
    "range of text": ("- a: {for: {value: v, range: ['${\"a\"}', 2], steps: [{c: {next: continue}}]}}", "TypeError"),
    "raise a number": ("- a: {raise: 5}", "TypeError"),
    "sleep for a text": ("- a: {call: sys.sleep, args: {seconds: '${\"5\"}'}}", "TypeError"),
    "sleep for too long": ("- a: {call: sys.sleep, args: {seconds: 31536001}}", "ValueError"),
    "sleep until nonsense": ("- a: {call: sys.sleep_until, args: {time: soon}}", "ValueError"),
    "log nothing": ("- a: {call: sys.log}", "TypeError"),
    "log twice": ("- a: {call: sys.log, args: {text: a, data: b}}", "TypeError"),
    "log at an unknown severity": ("- a: {call: sys.log, args: {text: a, severity: LOUD}}", "ValueError"),
    "a variable that has no value yet": (
        "- a: {switch: [{condition: true, next: c}]}\n- b: {assign: [{x: 1}]}\n- c: {return: '${x}'}",
        "KeyError",
    ),
    "endless recursion": ("main: {steps: [{a: {call: f}}]}\nf: {steps: [{b: {call: f}}]}", "RecursionError"),
    "assign beyond a list's end": ("- a: {assign: [{l: [1]}, {'l[1]': 2}]}", "IndexError"),
    "assign into a missing key": ("- a: {assign: [{m: {}}, {m.a.b: 2}]}", "KeyError"),
    "assign into a number": ("- a: {assign: [{m: 5}, {m.a: 2}]}", "TypeError"),
    "concurrency limit of zero": (
        (
            "- a: {assign: [{n: 0}]}\n"
            "- b: {parallel: {concurrency_limit: '${n}', for: {value: v, in: [1], steps: [{c: {next: continue}}]}}}"
        ),
        "ValueError",
    ),
    "parallel steps too deep, through subworkflows": (
        (
            "main: {steps: [{a: {call: f, args: [0]}}]}\n"
            "f: {params: [n], steps: [{b: {parallel: {for: {value: v, in: [1], "
            "steps: [{c: {call: f, args: ['${n + 1}']}}]}}}}]}"
        ),
        "UnhandledBranchError",
    ),
    "a predicate that returns no boolean": (
        (
            "main: {steps: [{a: {try: {raise: x}, retry: {predicate: '${p}', max_retries: 1, "
            "backoff: {initial_delay: 1, max_delay: 1, multiplier: 1}}}}]}\np: {params: [e], steps: [{b: {return: 5}}]}"
        ),
        "TypeError",
    ),
    "a predicate that fails": (
        (
            "main: {steps: [{a: {try: {raise: x}, retry: {predicate: '${p}', max_retries: 1, "
            "backoff: {initial_delay: 1, max_delay: 1, multiplier: 1}}}}]}\n"
            "p: {params: [e], steps: [{b: {return: '${1 / 0}'}}]}"
        ),
        "ZeroDivisionError",
    ),
    "bytes as the result": ("- a: {return: '${text.encode(\"a\")}'}", "TypeError"),
    "too large a string": (
        "- a: {assign: [{s: '0123456789abcdef'}, {n: 0}]}\n- b: {assign: [{s: '${s + s}'}], next: b}",
        "ResourceLimitError",
    ),
    "too much memory": (
        "- a: {assign: [{l: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}]}\n- b: {assign: [{l: ['${l}', '${l}']}], next: b}",
        "ResourceLimitError",
    ),
}


@pytest.mark.parametrize(("source", "tag"), FAILS.values(), ids=FAILS.keys())
def test_fails(run: Any, source: str, tag: str) -> None:
    assert run(source).tags[0] == tag


def test_the_nesting_error_is_inside_the_branches(run: Any) -> None:
    payload = run(FAILS["parallel steps too deep, through subworkflows"][0]).error
    for _ in range(limits.PARALLEL_DEPTH - 1):
        payload = json.loads(payload["branches"][0]["error"]["payload"])
    assert "ParallelNestingError" in payload["branches"][0]["error"]["payload"]


def test_the_step_limit(run: Any) -> None:
    started = time.monotonic()
    ran = run("- a: {assign: [{x: 1}]}\n- b: {assign: [{x: '${x + 1}'}], next: b}")
    assert ran.tags == ["ResourceLimitError"]
    assert "100000 steps" in ran.error["message"]
    assert time.monotonic() - started < 8


def test_the_argument(run: Any) -> None:
    source = "main: {params: [args], steps: [{a: {return: '${args}'}}]}"
    assert run(source, {"a": 1}).value == {"a": 1}
    assert run(source).value is None
    assert run("main: {params: [args: {b: 2}], steps: [{a: {return: '${args}'}}]}").value == {"b": 2}
    assert run("main: {steps: [{a: {return: 1}}]}", {"unused": 1}).value == 1


def test_json_source_with_tabs(run: Any) -> None:
    assert (
        run('{\n\t"main": {\n\t\t"steps": [{"a": {"return": "${\\"\\\\u00e9\\" + \\"😀\\"}"}}]\n\t}\n}').value == "é😀"
    )


def test_the_stack_trace_leads_from_the_error_to_main(run: Any) -> None:
    source = """
main:
  steps:
    - outer:
        for:
          value: v
          in: [1]
          steps:
            - call_it: {call: sub, args: {n: '${v}'}}
sub:
  params: [n]
  steps:
    - inner:
        steps:
          - boom: {return: '${n / 0}'}
"""
    error = run(source).execution["error"]
    assert error["payload"] == ('{"message":"ZeroDivisionError: division by zero","tags":["ZeroDivisionError"]}')
    assert error["context"] == (
        "ZeroDivisionError: division by zero\n"
        'in step "boom", routine "sub", line: 15\n'
        'in step "call_it", routine "main", line: 9'
    )
    assert error["stackTrace"]["elements"][1] == {
        "routine": "main",
        "step": "call_it",
        "position": {"line": "9", "column": "15", "length": "7"},
    }


def test_raised_values_as_the_execution_error(run: Any) -> None:
    error = run("- step_a: {raise: Something went wrong.}").execution["error"]
    assert error["payload"] == '"Something went wrong."'
    assert error["context"] == 'RuntimeError: "Something went wrong."\nin step "step_a", routine "main", line: 1'
    error = run("- step_a: {raise: {code: 55, message: bad}}").execution["error"]
    assert error["payload"] == '{"code":55,"message":"bad"}'
    assert error["context"].startswith('RuntimeError: {"code":55,"message":"bad"}\n')


def test_logs(run: Any) -> None:
    lines: list[Any] = []
    run(
        "- a: {call: sys.log, args: {data: {k: 1}, severity: ERROR}}\n- b: {call: sys.log, args: {text: [1]}}\n"
        "- c: {call: sys.log, args: ['x', INFO]}",
        on_log=lines.append,
    )
    assert [(line.severity, line.text, line.json, line.step) for line in lines] == [
        ("ERROR", None, {"k": 1}, "a"),
        ("DEFAULT", "[1]", None, "b"),
        ("INFO", "x", None, "c"),
    ]


def test_environment(run: Any) -> None:
    names = [
        "LOCATION",
        "PROJECT_ID",
        "WORKFLOW_ID",
        "SERVICE_ACCOUNT_NAME",
        "WORKFLOW_EXECUTION_ID",
        "WORKFLOW_REVISION_ID",
    ]
    values = ", ".join(f"'${{sys.get_env(\"GOOGLE_CLOUD_{n}\")}}'" for n in names)
    ran = run(
        f"- a: {{return: [{values}, '${{sys.get_env(\"MINE\")}}']}}",
        project="p",
        location="europe-west1",
        workflow="w",
        service_account="sa@p.iam.gserviceaccount.com",
        environment={"MINE": "yes"},
    )
    execution = ran.execution["name"].rsplit("/", 1)[1]
    assert ran.value == ["europe-west1", "p", "w", "sa@p.iam.gserviceaccount.com", execution, "000001-000", "yes"]


def test_step_events(run: Any) -> None:
    events: list[StepEvent] = run(
        "- a: {try: {steps: [{b: {raise: bad}}]}, except: {as: e, steps: [{c: {assign: [{x: 1}]}}]}}\n- d: {return: 1}"
    ).events
    assert [(e.step, e.state, e.kind) for e in events] == [
        ("a", "running", "STEP_TRY_RETRY_EXCEPT"),
        ("b", "running", "STEP_RAISE"),
        ("b", "failed", "STEP_RAISE"),
        ("c", "running", "STEP_ASSIGN"),
        ("c", "succeeded", "STEP_ASSIGN"),
        ("a", "succeeded", "STEP_TRY_RETRY_EXCEPT"),
        ("d", "running", "STEP_RETURN"),
        ("d", "succeeded", "STEP_RETURN"),
    ]
    assert events[2].error == 'RuntimeError: "bad"'
    assert all(e.duration >= 0 and e.time > 1_700_000_000 for e in events)


def _most_at_once(events: list[StepEvent], step: str) -> int:
    running = most = 0
    for event in events:
        if event.step == step:
            running += 1 if event.state == "running" else -1
            most = max(most, running)
    return most


@pytest.mark.parametrize(
    ("limit", "most"), [("", 20), ("      concurrency_limit: 3\n", 3), ("      concurrency_limit: 100\n", 20)]
)
def test_concurrency_limits(run: Any, limit: str, most: int) -> None:
    source = f"""
- a:
    parallel:
{limit}      for:
        value: v
        range: [1, 50]
        steps:
          - s: {{call: sys.sleep, args: {{seconds: 5}}}}
"""
    ran = run(source)
    assert ran.state == "SUCCEEDED"
    assert _most_at_once(ran.events, "s") == most


def test_parallel_sleeps_run_at_the_same_time(run: Any) -> None:
    source = """
- a:
    parallel:
      branches:
        - one: {steps: [{s1: {call: sys.sleep, args: {seconds: 200}}}]}
        - two: {steps: [{s2: {call: sys.sleep, args: {seconds: 200}}}]}
        - three: {steps: [{s3: {call: sys.sleep, args: {seconds: 200}}}]}
- b: {return: done}
"""
    started = time.monotonic()
    ran = run(source)
    assert ran.value == "done"
    assert time.monotonic() - started < 0.45
    assert _most_at_once([StepEvent(**{**e.__dict__, "step": "s"}) for e in ran.events if e.step[0] == "s"], "s") == 3


def test_retry_delays_grow(run: Any) -> None:
    source = """
- a:
    try: {raise: {code: 503}}
    retry:
      predicate: ${http.default_retry_predicate}
      max_retries: 4
      backoff: {initial_delay: 10, max_delay: 35, multiplier: 2}
    except: {as: e}
"""
    times = [e.time for e in run(source).events if e.kind == "STEP_RAISE" and e.state == "running"]
    delays = [(b - a) * 1000 for a, b in itertools.pairwise(times)]
    assert len(delays) == 4
    for delay, wanted in zip(delays, (10, 20, 35, 35), strict=True):
        assert wanted <= delay < wanted + 20


def test_unhandled_errors_are_capped(run: Any) -> None:
    error = run(
        "- a: {parallel: {for: {value: v, range: [1, 130], steps: [{b: {raise: '${\"e\" + string(v)}'}}]}}}"
    ).error
    assert len(error["branches"]) == limits.UNHANDLED_EXCEPTIONS
    assert error["truncated"] is True


def test_memory_of_ended_scopes_is_given_back(run: Any) -> None:
    source = """
- a: {assign: [{s: '0123456789abcdef'}, {n: 0}]}
- grow: {for: {value: v, range: [1, 12], steps: [{b: {assign: [{s: '${s + s}'}]}}]}}
- c:
    for:
      value: w
      range: [1, 50]
      steps:
        - d: {call: keep, args: {text: '${s}'}}
- e: {return: '${len(s)}'}
"""
    assert (
        run(
            "main:\n  steps:\n"
            + "\n".join(f"    {line}" for line in source.strip().split("\n"))
            + "\nkeep: {params: [text], steps: [{a: {assign: [{copy: '${text}'}]}}]}"
        ).value
        == 65536
    )


def test_interrupting_a_run_in_the_calling_thread(run: Any) -> None:
    seen = threading.Event()

    def listen(_: Any) -> None:
        seen.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("- a: {call: sys.log, args: {text: x}}", on_log=listen)
    assert seen.is_set()
