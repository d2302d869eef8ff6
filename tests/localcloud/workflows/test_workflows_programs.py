"""Whole workflows in the forms that Google's published samples and other emulators' suites use.

The forms are from GoogleCloudPlatform/workflows-samples, GoogleCloudPlatform/workflows-demos, the pages of
https://cloud.google.com/workflows/docs and lemonberrylabs/gcp-cloud-workflows-emulator; words and data are our own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.workflows.check import check_source
from localcloud.workflows.clock import Answer, VirtualClock
from localcloud.workflows.local import run
from localcloud.workflows.web import Request

BACKOFF = "backoff: {initial_delay: 0.1, max_delay: 1, multiplier: 2}"


class Shop:
    """An HTTP service: answers by the last part of the path, a list one after the other."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Answer:
        """What the request is answered with."""
        name = request.url.split("?", 1)[0].rsplit("/", 1)[-1]
        self.asked.append(f"{request.method} {name}")
        answer = self.answers[name]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Answer):
            return answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return Answer(status=status, text=json.dumps(body), content_type="application/json")


def outcome(source: str, argument: Any = None, shop: Shop | None = None, **more: Any) -> dict[str, Any]:
    """The execution of a source in no time."""
    return run(None, source, argument, clock=VirtualClock(1e9), responder=shop, **more)


def value(source: str, argument: Any = None, shop: Shop | None = None, **more: Any) -> Any:
    """What a source returns."""
    execution = outcome(source, argument, shop, **more)
    assert execution["state"] == "SUCCEEDED", execution
    return json.loads(execution["result"])


RETURNS: dict[str, tuple[str, Any, Any]] = {
    "expressions in flow lists without quotes": (
        """
main:
  params: [args]
  steps:
    - pick: {assign: [{key: city}, {both: [${args.a}, ${args.b + 1}]}]}
    - tell:
        return: {keys: [${key}, "fixed"], sum: ${both[0] + both[1]}, nested: [[${args.a}], {x: ${args.b}}]}
""",
        {"a": 1, "b": 2},
        {"keys": ["city", "fixed"], "sum": 4, "nested": [[1], {"x": 2}]},
    ),
    "quotes, commas and braces in an unquoted expression of a flow list": (
        '- a: {return: [${"x, y]"}, ${{"k":1}["k"]}, ${"}{"}, ${len([1, 2])}]}',
        None,
        ["x, y]", 1, "}{", 2],
    ),
    "an expression as the key of a flow map": (
        "- a: {assign: [{k: left}]}\n- b: {return: {${k}: 1, right: ${2}}}",
        None,
        {"left": 1, "right": 2},
    ),
    "an expression as the key of a block map": (
        '- a: {assign: [{k: left}]}\n- b:\n    return:\n      ${k}:\n        ${k + "Value"}: 5',
        None,
        {"left": {"leftValue": 5}},
    ),
    "scalars of YAML 1.2": (
        "- a: {return: [010, 0o10, 0x1F, +5, -0, 1e3, .5, 1_000, yes, off, TRUE, ~, 2026-01-01, 12:30]}",
        None,
        [10, 8, 31, 5, 0, 1000.0, 0.5, "1_000", "yes", "off", True, None, "2026-01-01", "12:30"],
    ),
    "positional arguments of a library function": (
        """
- word: {assign: [{word: "Hi"}]}
- as_data: {call: sys.log, args: [${word}, "ERROR"]}
- as_text: {call: sys.log, args: [${null}, "INFO", ${word}]}
- upper: {call: text.to_upper, args: [${word}], result: u}
- done: {return: "${u}"}
""",
        None,
        "HI",
    ),
    "a range given by one expression": (
        """
main:
  params: [text]
  steps:
    - sizes: {assign: [{size: 4}, {count: "${int(len(text) / size)}"}, {parts: []}]}
    - cut:
        for:
          value: n
          range: ${[0, count - 1]}
          steps:
            - part: {assign: [{parts: "${list.concat(parts, text.substring(text, n * size, (n + 1) * size))}"}]}
    - done: {return: "${parts}"}
""",
        "abcdefghij",
        ["abcd", "efgh"],
    ),
    "a parallel range given by one expression": (
        """
- lists: {assign: [{words: [red, green, blue]}, {found: ["", "", ""]}]}
- all:
    parallel:
      shared: [found]
      for:
        range: ${[0, len(words) - 1]}
        value: n
        steps:
          - upper: {assign: [{"found[n]": "${text.to_upper(words[n])}"}]}
- done: {return: "${found}"}
""",
        None,
        ["RED", "GREEN", "BLUE"],
    ),
    "a range that ends before it begins": (
        """
- begin: {assign: [{n: 0}]}
- each: {for: {value: v, range: [5, 1], steps: [{add: {assign: [{n: "${n + 1}"}]}}]}}
- done: {return: "${n}"}
""",
        None,
        0,
    ),
    "a range below zero": (
        """
- begin: {assign: [{l: []}]}
- each: {for: {value: v, range: [-2, 1], steps: [{add: {assign: [{l: "${list.concat(l, v)}"}]}}]}}
- done: {return: "${l}"}
""",
        None,
        [-2, -1, 0, 1],
    ),
    "polling with a jump back inside nested steps": (
        """
- begin: {assign: [{asked: 0}]}
- poll:
    steps:
      - ask: {assign: [{asked: "${asked + 1}"}]}
      - look: {switch: [{condition: "${asked == 4}", return: "${asked}"}]}
      - rest: {call: sys.sleep, args: {seconds: 5}, next: ask}
""",
        None,
        4,
    ),
    "defaults of nested maps are filled in": (
        """
main:
  params: [params]
  steps:
    - fill:
        steps:
          - zone:
              switch:
                - {condition: '${not ("zone" in params.job)}', assign: [{params.job.zone: "${params.zone}"}]}
          - size:
              switch:
                - {condition: '${not ("size" in params.job)}', assign: [{params.job.size: 3}]}
    - done: {return: "${params.job}"}
""",
        {"zone": "eu", "job": {"size": 7}},
        {"size": 7, "zone": "eu"},
    ),
    "continue and a jump inside one loop": (
        """
- init: {assign: [{tongue: {Hello: en, Ciao: it, Salut: fr, Xyzzy: none}}, {known: [en, fr, it]}, {said: []}]}
- each:
    for:
      value: word
      in: ${keys(tongue)}
      steps:
        - sort:
            switch:
              - {condition: "${not(tongue[word] in known)}", next: continue}
              - {condition: '${tongue[word] == "fr"}', next: as_is}
        - mark: {assign: [{out: '${word + "*"}'}], next: keep}
        - as_is: {assign: [{out: "${word}"}]}
        - keep: {assign: [{said: "${list.concat(said, out)}"}]}
- done: {return: "${said}"}
""",
        None,
        ["Hello*", "Ciao*", "Salut"],
    ),
    "an error in one turn of a loop": (
        """
- init: {assign: [{out: []}]}
- each:
    for:
      value: v
      in: [4, 0, 8]
      steps:
        - share:
            try: {assign: [{out: "${list.concat(out, 8 // v)}"}]}
            except: {as: e, steps: [{note: {assign: [{out: "${list.concat(out, e.tags[0])}"}]}}]}
- done: {return: "${out}"}
""",
        None,
        [2, "ZeroDivisionError", 1],
    ),
    "break leaves the inner loop only": (
        """
- init: {assign: [{out: []}]}
- outer:
    for:
      value: i
      range: [1, 3]
      steps:
        - inner:
            for:
              value: j
              range: [1, 5]
              steps:
                - stop: {switch: [{condition: "${j > 2}", next: break}]}
                - keep: {assign: [{out: "${list.concat(out, 10 * i + j)}"}]}
- done: {return: "${out}"}
""",
        None,
        [11, 12, 21, 22, 31, 32],
    ),
    "a list is concatenated as one element": ("- a: {return: '${list.concat([1], [2, 3])}'}", None, [1, [2, 3]]),
    "an inner handler's own error reaches the outer one": (
        """
- seen: {assign: [{inner: false}]}
- outer:
    try:
      steps:
        - nested:
            try: {raise: {code: 1, message: first}}
            except: {as: e, steps: [{mark: {assign: [{inner: true}]}}, {again: {raise: {code: 2, message: second}}}]}
    except: {as: f, steps: [{done: {return: ["${inner}", "${f.code}", "${f.message}"]}}]}
""",
        None,
        [True, 2, "second"],
    ),
    "raising a caught error again keeps its map": (
        """
- a:
    try:
      steps:
        - b:
            try: {raise: {code: 42, message: odd, tags: [Mine, Yours]}}
            except: {as: e, steps: [{c: {raise: "${e}"}}]}
    except: {as: f, steps: [{d: {return: ["${f}", '${"Mine" in f.tags}', '${"Other" in f.tags}']}}]}
""",
        None,
        [{"code": 42, "message": "odd", "tags": ["Mine", "Yours"]}, True, False],
    ),
    "retry runs the whole block again": (
        f"""
- init: {{assign: [{{begun: 0}}, {{ended: 0}}]}}
- again:
    try:
      steps:
        - begin: {{assign: [{{begun: "${{begun + 1}}"}}]}}
        - fail: {{switch: [{{condition: "${{begun < 3}}", raise: {{code: 503, tags: [HttpError]}}}}]}}
        - finish: {{assign: [{{ended: "${{ended + 1}}"}}]}}
    retry: {{max_retries: 5, {BACKOFF}}}
- done: {{return: ["${{begun}}", "${{ended}}"]}}
""",
        None,
        [3, 1],
    ),
    "a policy where a predicate is expected": (
        f"""
- init: {{assign: [{{n: 0}}]}}
- again:
    try:
      steps:
        - count: {{assign: [{{n: "${{n + 1}}"}}]}}
        - fail: {{raise: {{code: "${{if(n < 3, 503, 500)}}", message: down}}}}
    retry: {{predicate: "${{http.default_retry}}", max_retries: 5, {BACKOFF}}}
    except: {{as: e, steps: [{{done: {{return: ["${{n}}", "${{e.code}}"]}}}}]}}
""",
        None,
        [3, 500],
    ),
    "branches twice deep add up": (
        """
- init: {assign: [{n: 0}]}
- outer:
    parallel:
      shared: [n]
      branches:
        - left:
            steps:
              - inner:
                  parallel:
                    shared: [n]
                    for: {value: v, in: [1, 2, 3], steps: [{add_left: {assign: [{n: "${n + v}"}]}}]}
        - right: {steps: [{add_right: {assign: [{n: "${n + 10}"}]}}]}
- done: {return: "${n}"}
""",
        None,
        16,
    ),
    "a hundred iterations, two at a time": (
        """
- init: {assign: [{total: 0}]}
- all:
    parallel:
      shared: [total]
      concurrency_limit: 2
      for: {value: v, range: [1, 100], steps: [{add: {assign: [{total: "${total + v}"}]}}]}
- done: {return: "${total}"}
""",
        None,
        5050,
    ),
    "a factorial": (
        """
main: {params: [n], steps: [{a: {call: fact, args: {n: "${n}"}, result: f}}, {b: {return: "${f}"}}]}
fact:
  params: [n]
  steps:
    - small: {switch: [{condition: "${n <= 1}", return: 1}]}
    - less: {call: fact, args: {n: "${n - 1}"}, result: rest}
    - done: {return: "${n * rest}"}
""",
        6,
        720,
    ),
    "twenty calls deep": (
        """
main: {steps: [{a: {call: down, args: {n: 20}, result: r}}, {b: {return: "${r}"}}]}
down:
  params: [n]
  steps:
    - bottom: {switch: [{condition: "${n == 1}", return: 1}]}
    - deeper: {call: down, args: {n: "${n - 1}"}, result: r}
    - back: {return: "${r + 1}"}
""",
        None,
        20,
    ),
    "a subworkflow's variables are not the caller's": (
        """
main: {steps: [{a: {assign: [{x: mine}]}}, {b: {call: other, result: r}}, {c: {return: ["${x}", "${r}"]}}]}
other: {params: [who: nobody], steps: [{d: {assign: [{x: "${who}"}]}}, {e: {return: "${x}"}}]}
""",
        None,
        ["mine", "nobody"],
    ),
}


@pytest.mark.parametrize(("source", "argument", "expected"), RETURNS.values(), ids=RETURNS.keys())
def test_returns(source: str, argument: Any, expected: Any) -> None:
    # As text, so that 1, 1.0 and true are not taken for one another.
    assert json.dumps(value(source, argument), sort_keys=True) == json.dumps(expected, sort_keys=True)


FAILS: dict[str, tuple[str, str]] = {
    "twenty-one calls deep": (RETURNS["twenty calls deep"][0].replace("{n: 20}", "{n: 21}"), "RecursionError"),
    "a range of three": ("- a: {for: {value: v, range: '${[1, 2, 3]}', steps: [{b: {next: continue}}]}}", "TypeError"),
    "a range of a number": ("- a: {for: {value: v, range: '${5}', steps: [{b: {next: continue}}]}}", "TypeError"),
    "a range of words": ("- a: {for: {value: v, range: '${[\"a\", 2]}', steps: [{b: {next: continue}}]}}", "TypeError"),
    "a parallel range of a map": (
        "- a: {parallel: {for: {value: v, range: '${{\"a\": 1}}', steps: [{b: {assign: [{x: 1}]}}]}}}",
        "TypeError",
    ),
    "a parallel range without end": (
        "- a: {parallel: {for: {value: v, range: [1, 1000000000000], steps: [{b: {assign: [{x: 1}]}}]}}}",
        "ResourceLimitError",
    ),
    "sleep for more than a year": ("- a: {call: sys.sleep_until, args: {time: '2999-01-01T00:00:00Z'}}", "ValueError"),
    "sleep until a number": ("- a: {call: sys.sleep_until, args: {time: 5}}", "TypeError"),
    "a map as a retry's predicate": (
        f"- a: {{try: {{raise: x}}, retry: {{predicate: '${{{{\"a\": 1}}}}', max_retries: 1, {BACKOFF}}}}}",
        "TypeError",
    ),
}


@pytest.mark.parametrize(("source", "tag"), FAILS.values(), ids=FAILS.keys())
def test_fails(source: str, tag: str) -> None:
    execution = outcome(source)
    assert execution["state"] == "FAILED"
    assert json.loads(execution["error"]["payload"])["tags"][0] == tag


def numbered(count: int, form: str) -> str:
    """The form, numbered, as the items of a flow list."""
    return ", ".join(form.replace("#", str(n)) for n in range(count))


REFUSED: dict[str, tuple[str, str]] = {
    # https://cloud.google.com/workflows/docs/issues
    "for directly after try": (
        "- a: {try: {for: {value: v, range: [1, 2], steps: [{b: {next: continue}}]}}, retry: '${http.default_retry}'}",
        "in workflow 'main', step 'a': loop step name should not be empty",
    ),
    "a colon in an expression without quotes": (
        '- a:\n    assign:\n      - x: ${{"key": "value"}}\n',
        "mapping values are not allowed here",
    ),
    "a colon in an expression of a flow list": ('- a: {return: [${{"k": 1}}]}', "yaml: "),
    "an expression of a flow list that is not closed": ("- a: {return: [${x]}", "yaml: "),
    "text after an expression of a flow list": ("- a: {return: [${1}b]}", "yaml: "),
    # Other emulators take these; the reference does not.
    "type()": ("- a: {return: '${type(1)}'}", "symbol 'type' is neither a function"),
    "bool()": ("- a: {return: '${bool(\"true\")}'}", "symbol 'bool' is neither a function"),
    "a default in map.get": ("- a: {return: '${map.get({}, \"k\", 1)}'}", "takes 2 arguments"),
    "regex of match_regex": ("- a: {call: text.match_regex, args: {source: a, regex: b}}", "no parameter 'regex'"),
    "replacement of replace_all": (
        "- a: {call: text.replace_all, args: {source: a, substr: b, replacement: c}}",
        "no parameter 'replacement'",
    ),
    "another exception policy": (
        "- a: {parallel: {exception_policy: unhandled, for: {value: v, in: [1], steps: [{b: {assign: [{x: 1}]}}]}}}",
        "exception_policy must be 'continueAll'",
    ),
    "one step name in two branches": (
        "- a: {parallel: {branches: [{x: {steps: [{s: {next: continue}}]}}, {z: {steps: [{s: {next: continue}}]}}]}}",
        "step name 's' is used twice",
    ),
    "not in": ("- a: {return: '${1 not in [1]}'}", "mismatched input 'not'"),
    "a loop's variable after the loop": (
        "- a: {for: {value: v, in: [1], steps: [{b: {assign: [{w: 1}]}}]}}\n- c: {return: '${w}'}",
        "symbol 'w' is neither a variable",
    ),
    "a number beyond a double": ("- a: {return: 1e999}", "the number 1e999 does not fit into a double"),
    "thousands of digits": (f"- a: {{return: {'9' * 5000}}}", "does not fit into a double"),
    "a number beyond a double in an expression": ("- a: {return: '${1e999}'}", "1e999 does not fit into a double"),
    "hundreds of digits in an expression": (f"- a: {{return: '${{{'9' * 390}}}'}}", "does not fit into 64 bits"),
    # Limits that the service checks when it deploys
    "51 assignments": (f"- a: {{assign: [{numbered(51, '{v#: #}')}]}}", "51 assignments exceed the limit of 50"),
    "51 conditions": (
        f"- a: {{switch: [{numbered(51, '{condition: true, next: end}')}]}}",
        "51 conditions exceed the limit of 50",
    ),
    "11 branches": (
        f"- a: {{parallel: {{branches: [{numbered(11, '{b#: {steps: [{s#: {assign: [{x: 1}]}}]}}')}]}}}}",
        "11 branches exceed the limit of 10",
    ),
    "401 characters": (f"- a: {{return: '${{{'1 + ' * 99}10}}'}}", "exceeds the limit 400"),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(source: str, message: str) -> None:
    assert message in check_source(source)[0]


def test_figures_at_the_limits_are_accepted() -> None:
    assert check_source(f"- a: {{assign: [{numbered(50, '{v#: #}')}]}}") == []
    assert check_source(f"- a: {{switch: [{numbered(50, '{condition: true, next: end}')}]}}") == []
    expression = "1 + " * 98 + "10000"
    assert len(f"${{{expression}}}") == 400
    assert check_source(f"- a: {{return: '${{{expression}}}'}}") == []


SAGA = """
main:
  params: [args]
  steps:
    - order:
        call: http.post
        args: {url: "http://127.0.0.1/shop/orders", body: {item: "${args.item}"}}
        result: made
    - reserve:
        try:
          call: http.post
          args: {url: "http://127.0.0.1/shop/credit", body: {order: "${made.body.id}"}}
          result: credit
        retry: ${http.default_retry}
        except:
          as: e
          steps:
            - known: {switch: [{condition: "${e.code == 500}", next: reject}]}
            - unknown: {raise: "${e}"}
    - approve: {return: {state: approved, credit: "${credit.body.left}"}}
    - reject: {call: http.put, args: {url: '${"http://127.0.0.1/shop/reject/" + made.body.id}'}, result: gone}
    - rejected: {return: "${gone.body}"}
"""


def test_a_saga_goes_through_after_a_transient_error() -> None:
    shop = Shop(orders={"id": "o1"}, credit=[(503, {}), (429, {}), {"left": 5}])
    assert value(SAGA, {"item": "pen"}, shop) == {"state": "approved", "credit": 5}
    assert shop.asked == ["POST orders", "POST credit", "POST credit", "POST credit"]


def test_a_saga_undoes_what_it_did() -> None:
    shop = Shop(orders={"id": "o1"}, credit=(500, {"error": "no credit"}), o1={"state": "rejected"})
    assert value(SAGA, {"item": "pen"}, shop) == {"state": "rejected"}
    assert shop.asked == ["POST orders", "POST credit", "PUT o1"]


def test_a_saga_fails_with_what_it_does_not_know() -> None:
    shop = Shop(orders={"id": "o1"}, credit=(403, {"error": "go away"}))
    error = json.loads(outcome(SAGA, {"item": "pen"}, shop)["error"]["payload"])
    assert error == {
        "message": "HTTP server responded with error code 403",
        "tags": ["HttpError"],
        "code": 403,
        "headers": {"Content-Type": "application/json"},
        "body": {"error": "go away"},
    }


@pytest.mark.parametrize(
    ("answer", "tags", "code"),
    [
        (Answer(problem="refused"), ["ConnectionFailedError"], None),
        (Answer(problem="broken"), ["ConnectionError"], None),
        (Answer(seconds=400), ["TimeoutError"], None),
        ((404, {"a": 1}), ["HttpError"], 404),
    ],
    ids=["refused", "broken", "late", "404"],
)
def test_what_a_request_fails_with(answer: Any, tags: list[str], code: int | None) -> None:
    source = """
- ask:
    try: {call: http.get, args: {url: "http://127.0.0.1/shop/thing", timeout: 300}, result: r}
    except: {as: e, steps: [{tell: {return: ["${e.tags}", '${map.get(e, "code")}']}}]}
"""
    assert value(source, None, Shop(thing=answer)) == [tags, code]


def test_branches_call_two_services() -> None:
    source = """
- init: {assign: [{user: {}}, {items: []}]}
- both:
    parallel:
      shared: [user, items]
      branches:
        - users: {steps: [{get_user: {call: http.get, args: {url: "http://127.0.0.1/a/ada"}, result: user}}]}
        - things:
            steps:
              - get_items:
                  try: {call: http.get, args: {url: "http://127.0.0.1/b/list"}, result: items}
                  except: {as: e, steps: [{ignore: {assign: [{items: []}]}}]}
- done: {return: ["${user.body.name}", "${items}"]}
"""
    assert value(source, None, Shop(ada={"name": "Ada"}, list=(502, {}))) == ["Ada", []]


def test_errors_of_parallel_iterations_as_google_prints_them() -> None:
    source = """\
- all:
    try:
      steps:
        - odd:
            parallel:
              for:
                value: n
                range: [0, 3]
                steps: [{check: {switch: [{condition: '${n % 2 != 0}', raise: "how odd"}]}}]
    except: {as: e, steps: [{tell: {return: '${e}'}}]}
"""
    found = value(source)
    assert found["tags"] == ["UnhandledBranchError", "RuntimeError"]
    assert found["truncated"] is False
    assert [(b["id"], b["error"]["payload"]) for b in found["branches"]] == [("1", '"how odd"'), ("3", '"how odd"')]
    context = found["branches"][0]["error"]["context"]
    assert context == 'RuntimeError: "how odd"\nin step "check", routine "main", line: 9'


RUN = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run"


def test_children_pass_their_results_on() -> None:
    children = {
        "double": "main: {params: [args], steps: [{a: {return: '${args.n * 2}'}}]}",
        "wrap": "main: {params: [args], steps: [{a: {return: {got: '${args.n}'}}}]}",
    }
    source = f"""
- init: {{assign: [{{out: []}}]}}
- each:
    for:
      value: n
      in: [1, 2]
      steps:
        - one: {{call: {RUN}, args: {{workflow_id: double, argument: {{n: "${{n}}"}}}}, result: d}}
        - two: {{call: {RUN}, args: {{workflow_id: wrap, argument: {{n: "${{d}}"}}}}, result: w}}
        - keep: {{assign: [{{out: "${{list.concat(out, w.got)}}"}}]}}
- done: {{return: "${{out}}"}}
"""
    assert value(source, children=children) == [2, 4]


EXPRESSIONS: list[tuple[str, Any]] = [
    # Python reads more than a number's digits; nothing of that is in the reference.
    ('int("-42")', -42),
    ('int("+7")', 7),
    ('int("1_000")', "ValueError"),
    ('int(" 5")', "ValueError"),
    ('int("\\u0663")', "ValueError"),
    ('int("9223372036854775808")', "ValueError"),
    ('int("")', "ValueError"),
    ('double("-1.5e3")', -1500.0),
    ('double(".5")', 0.5),
    ('double("inf")', "ValueError"),
    ('double("nan")', "ValueError"),
    ('double("1e400")', "ValueError"),
    ('double("1_0")', "ValueError"),
    ('json.decode("12345678901234567890")', 1.2345678901234567e19),
    ('json.decode("9223372036854775807")', 9223372036854775807),
    ('json.decode("1e400")', "ValueError"),
    ('json.decode("NaN")', "ValueError"),
    ('json.decode("")', "ValueError"),
    # Of alternatives the longest is replaced, and no backreference is.
    ('text.replace_all_regex("oneself", "one|oneself", "x")', "x"),
    ('text.replace_all_regex("ONESELF one", "(?i)one|oneself", "x")', "x x"),
    ('text.replace_all_regex("a|b", "[|]|b", "-")', "a--"),
    ('text.replace_all_regex("(a)", "\\\\(|\\\\)", "")', "a"),
    ('text.replace_all_regex("one two", "one|two", "three")', "three three"),
    ('text.replace_all_regex("a1", "([0-9])", "\\\\1")', "a\\1"),
    ('text.replace_all_regex("ab", "", "-")', "-a-b-"),
    ('text.replace_all_regex("abxd", "x*", "-")', "-a-b-d-"),
    ('text.find_all_regex("forty four", "four|for")', [{"index": 0, "match": "for"}, {"index": 6, "match": "four"}]),
    ('text.find_all_regex("", "a")', []),
    ('time.format(1720788633, "GMT")', "2024-07-12T12:50:33.000000Z"),
    ('time.format(1720788633, "")', "2024-07-12T12:50:33.000000Z"),
    ('time.format(1720788633, "Europe/Paris")', "2024-07-12T14:50:33.000000+02:00"),
    ('time.parse("2024-07-12T14:50:33.500000+02:00")', 1720788633.5),
    ("-7 // 2", -4),
    ("-7 % 3", 2),
    ("7.5 // 2", 3.0),
    ("1.0 in [1]", True),
    ("null < 1", "TypeError"),
    ("[1, 2] < [1, 3]", "TypeError"),
    ('{"a": 1} == {"a": 1.0}', True),
    ("[1, 2][-1]", "IndexError"),
    ("[1, 2][1.0]", "TypeError"),
]


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS, ids=[e for e, _ in EXPRESSIONS])
def test_expressions(text: str, expected: Any) -> None:
    execution = outcome(json.dumps([{"a": {"return": f"${{{text}}}"}}]))
    if isinstance(expected, str) and expected.endswith("Error"):
        assert execution["state"] == "FAILED"
        assert json.loads(execution["error"]["payload"])["tags"][0] == expected
        return
    assert execution["state"] == "SUCCEEDED", execution
    found = json.loads(execution["result"])
    assert (found, type(found)) == (expected, type(expected))
