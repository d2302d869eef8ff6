"""Expressions: a table of what each one is, by the pages of the language reference named beside the groups."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from typing import Any

import pytest

from localcloud.workflows.check import check_source
from localcloud.workflows.expressions import ExpressionError, is_expression, parse
from localcloud.workflows.values import memory_size

VARIABLES = """
          - i: 7
          - d: 2.5
          - s: "text"
          - t: true
          - n: null
          - l: [1, 2.0, "three", [4]]
          - m: {a: 1, "b c": {d: [10, 20]}, nothing: null, in: 5}
          - key: "a"
"""

VALUES: list[tuple[str, Any]] = [
    # syntax/datatypes: literals
    ("1", 1),
    ("0", 0),
    ("-1", -1),
    ("9223372036854775807", 9223372036854775807),
    ("-9223372036854775808", -9223372036854775808),
    ("1.5", 1.5),
    ("1e3", 1000.0),
    ("2.5e-1", 0.25),
    ('""', ""),
    ('"a"', "a"),
    (r'"a\"b"', 'a"b'),
    (r'"a\\b"', "a\\b"),
    (r'"line\nline"', "line\nline"),
    (r'"\u00e9"', "é"),
    (r'"\ud83d\ude00"', "😀"),
    ('"}"', "}"),
    ('"${x}"', "${x}"),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("null", None),
    ("[]", []),
    ('[1, "a", null]', [1, "a", None]),
    ("{}", {}),
    ('{"a": 1, "b": [2]}', {"a": 1, "b": [2]}),
    # syntax/expressions: variables, members, indexes
    ("i", 7),
    ("m.a", 1),
    ('m["a"]', 1),
    ("m[key]", 1),
    ('m["b c"].d[1]', 20),
    ("m.nothing", None),
    ("m.in", 5),
    ("l[0]", 1),
    ("l[3][0]", 4),
    ("l[i - 7]", 1),
    # syntax/datatypes: + on numbers and strings
    ("1 + 2", 3),
    ("1 + 2.0", 3.0),
    ("1.5 + 1.5", 3.0),
    ('"a" + "b"', "ab"),
    ('"a" + 1', "a1"),
    ('1 + "a"', "1a"),
    ('"a" + 1.5', "a1.5"),
    ('"a" + true', "atrue"),
    ('false + "a"', "falsea"),
    # arithmetic
    ("5 - 7", -2),
    ("2 * 3", 6),
    ("2 * 1.5", 3.0),
    ("7 / 2", 3.5),
    ("6 / 2", 3.0),
    ("7 // 2", 3),
    ("-7 // 2", -4),
    ("7.5 // 2", 3.0),
    ("7 % 3", 1),
    ("7.5 % 2", 1.5),
    ("-i", -7),
    ("--i", 7),
    ("-d", -2.5),
    # precedence
    ("2 + 3 * 4", 14),
    ("(2 + 3) * 4", 20),
    ("2 - 3 - 4", -5),
    ("100 / 10 / 2", 5.0),
    ("-2 * 3", -6),
    ("1 + 1 == 2", True),
    ("1 < 2 and 2 < 3", True),
    ("true or false and false", True),
    ("(true or false) and false", False),
    ("not false and false", False),
    ("not (false and false)", True),
    ("not not true", True),
    ("not t == false", True),
    # comparison
    ("1 == 1.0", True),
    ('1 == "1"', False),
    ("true == 1", False),
    ("null == null", True),
    ("null == 0", False),
    ('null == ""', False),
    ("n == null", True),
    ("1 != 2", True),
    ("[1, 2] == [1, 2.0]", True),
    ("[1] == [2]", False),
    ('{"a": 1} == {"a": 1}', True),
    ("1 < 1.5", True),
    ("2 <= 2", True),
    ("3 > 2", True),
    ("2 >= 3", False),
    ('"a" < "b"', True),
    ('"b" <= "a"', False),
    # in
    ("2 in [1, 2]", True),
    ("2.0 in [1, 2]", True),
    ('"2" in [1, 2]', False),
    ('"a" in m', True),
    ('"x" in m', False),
    ('not ("x" in m)', True),
    ("null in [null]", True),
    # logical operators: short circuit, upper case
    ("false and m.missing", False),
    ("true or m.missing", True),
    ("true AND false", False),
    ("true OR false", True),
    ("NOT true", False),
    # stdlib/expression-helpers
    ('int("12")', 12),
    ("int(2.9)", 2),
    ("int(-2.9)", -2),
    ("int(3)", 3),
    ('double("2.7")', 2.7),
    ("double(2)", 2.0),
    ("string(1)", "1"),
    ("string(1.7)", "1.7"),
    ("string(true)", "true"),
    ('string("a")', "a"),
    ('len("añ😀")', 3),
    ("len(l)", 4),
    ("len(m)", 4),
    ("keys(m)", ["a", "b c", "nothing", "in"]),
    ("default(n, 5)", 5),
    ("default(i, 5)", 7),
    ('default(map.get(m, "missing"), "none")', "none"),
    ("if(t, 1, 2)", 1),
    ("if(false, 1, 2)", 2),
    ("if(null, 1, 2)", 2),
    ("if(i > 5, if(i > 6, 1, 2), 3)", 1),
    ("get_type(1)", "integer"),
    ("get_type(1.0)", "double"),
    ('get_type("")', "string"),
    ("get_type(true)", "boolean"),
    ("get_type(null)", "null"),
    ("get_type([])", "list"),
    ("get_type({})", "map"),
    ('get_type(text.encode("a"))', "bytes"),
    # stdlib/map
    ('map.get(m, "a")', 1),
    ('map.get(m, ["b c", "d"])', [10, 20]),
    ('map.get(m, ["b c", "x", "y"])', None),
    ('map.get(i, "a")', None),
    ('map.delete({"a": 1, "b": 2}, "a")', {"b": 2}),
    ('map.delete({"a": 1}, "x")', {"a": 1}),
    ('map.merge({"a": 1, "b": {"c": 1}}, {"b": {"d": 2}})', {"a": 1, "b": {"d": 2}}),
    ('map.merge_nested({"b": {"c": 1}}, {"b": {"d": 2}})', {"b": {"c": 1, "d": 2}}),
    # stdlib/list
    ("list.concat([1], 2)", [1, 2]),
    ("list.concat([1], [2])", [1, [2]]),
    ("list.prepend([1], 0)", [0, 1]),
    # stdlib/math
    ("math.abs(-3)", 3),
    ("math.abs(-1.5)", 1.5),
    ("math.max(1, 2.5)", 2.5),
    ("math.min(1, 2.5)", 1),
    ("math.floor(2.7)", 2),
    ("math.floor(-2.1)", -3),
    # stdlib/text
    ('text.to_upper("aé")', "AÉ"),
    ('text.to_lower("AÉ")', "aé"),
    ('text.split("a,b,,c", ",")', ["a", "b", "", "c"]),
    ('text.split("ab", "")', ["a", "b"]),
    ('text.substring("hello", 1, 3)', "el"),
    ('text.replace_all("aXbX", "X", "-")', "a-b-"),
    ('text.replace_all_regex("one two", "one|two", "three")', "three three"),
    (r'text.replace_all_regex("ab", "(a)", "\\1")', r"\1b"),
    ('text.match_regex("hello", "l+o$")', True),
    ('text.match_regex("hello", "^x")', False),
    ('text.find_all("abcab", "ab")', [{"index": 0, "match": "ab"}, {"index": 3, "match": "ab"}]),
    (
        'text.find_all_regex("HelloWorld", "Hello|World")',
        [{"index": 0, "match": "Hello"}, {"index": 5, "match": "World"}],
    ),
    ('text.url_encode("a b/ü")', "a%20b%2F%C3%BC"),
    ('text.url_encode_plus("a b")', "a+b"),
    ('text.url_decode("a%20b+c")', "a b c"),
    ('text.decode(text.encode("é"))', "é"),
    # stdlib/json, base64, hash
    ('json.encode_to_string({"b": 1, "a": [null, true]})', '{"a":[null,true],"b":1}'),
    ('json.encode_to_string({"a": 1}, true)', '{\n    "a": 1\n}'),
    ('json.encode_to_string({"a": 1}, {"prefix": "> ", "indent": "  "})', '{\n>   "a": 1\n> }'),
    (r'json.decode("{\"a\": [1, 2.5]}")', {"a": [1, 2.5]}),
    ('json.decode(json.encode("x"))', "x"),
    ('base64.encode(text.encode("Hello"))', "SGVsbG8="),
    ('base64.encode(text.encode("Hello"), false)', "SGVsbG8"),
    ('text.decode(base64.decode("SGVsbG8="))', "Hello"),
    (
        'base64.encode(hash.compute_checksum(text.encode("Hello World", "UTF-8"), "SHA256"))',
        "pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=",
    ),
    (
        'base64.encode(hash.compute_hmac(text.encode("key"), text.encode("Hello World"), "SHA256"))',
        "QidPcoCDkuWLV9co1+PA5RY+rwfRZdwDEF9iq74afRE=",
    ),
    # stdlib/time, sys, uuid
    ("time.format(1720788633)", "2024-07-12T12:50:33.000000Z"),
    ('time.format(1720788633, "GMT")', "2024-07-12T12:50:33.000000Z"),
    ('time.format(1720788633, "Europe/Paris")', "2024-07-12T14:50:33.000000+02:00"),
    ('time.parse("2024-07-12T12:50:33.000000Z")', 1720788633.0),
    ("len(uuid.generate())", 36),
    ("sys.now() > 1700000000", True),
    ('sys.get_env("GOOGLE_CLOUD_WORKFLOW_ID")', "local"),
    ('sys.get_env("MISSING", "fallback")', "fallback"),
    # retry helpers as values
    ("http.default_retry.max_retries", 5),
    ("retry.default_backoff.multiplier", 1.25),
]

FAILURES: list[tuple[str, str]] = [
    ("m.missing", "KeyError"),
    ('m["missing"]', "KeyError"),
    ("l[4]", "IndexError"),
    ("l[-1]", "IndexError"),
    ("l[1.0]", "TypeError"),
    ('l["0"]', "TypeError"),
    ("m[0]", "TypeError"),
    ("i.a", "TypeError"),
    ("n.a", "TypeError"),
    ("i[0]", "TypeError"),
    ('"abc"[0]', "TypeError"),
    ("true + 1", "TypeError"),
    ('"a" + null', "TypeError"),
    ('"a" + [1]', "TypeError"),
    ('"a" - "b"', "TypeError"),
    ('"a" * 2', "TypeError"),
    ("[1] + [2]", "TypeError"),
    ("null + 1", "TypeError"),
    ("-s", "TypeError"),
    ("-t", "TypeError"),
    ('not "a"', "TypeError"),
    ("not 1", "TypeError"),
    ("1 and true", "TypeError"),
    ("true and 1", "TypeError"),
    ("null or true", "TypeError"),
    ('not "x" in m', "TypeError"),
    ('1 < "2"', "TypeError"),
    ("true < false", "TypeError"),
    ("null < 1", "TypeError"),
    ("[1] < [2]", "TypeError"),
    ("1 in 5", "TypeError"),
    ('"a" in "abc"', "TypeError"),
    ("1 in null", "TypeError"),
    ("1 in m", "TypeError"),
    ("1 / 0", "ZeroDivisionError"),
    ("1 // 0", "ZeroDivisionError"),
    ("1 % 0", "ZeroDivisionError"),
    ("1.0 / 0.0", "ZeroDivisionError"),
    ("9223372036854775807 + 1", "ValueError"),
    ("9223372036854775807 * 2", "ValueError"),
    ("9223372036854775808", "ValueError"),
    ("1e308 * 10", "ValueError"),
    ('int("x")', "ValueError"),
    ('int("1.5")', "ValueError"),
    ("int(true)", "TypeError"),
    ("int(null)", "TypeError"),
    ("int(1e300)", "ValueError"),
    ('double("x")', "ValueError"),
    ("string(null)", "TypeError"),
    ("string([1])", "TypeError"),
    ("len(5)", "TypeError"),
    ("keys([1])", "TypeError"),
    ('if("x", 1, 2)', "TypeError"),
    ("map.get(m, 5)", "TypeError"),
    ('map.delete(l, "a")', "TypeError"),
    ('list.concat("a", 1)', "TypeError"),
    ('math.max("a", 1)', "TypeError"),
    ('json.decode("{")', "ValueError"),
    ("json.decode(5)", "TypeError"),
    ('json.encode(text.encode("a"))', "ValueError"),
    ('base64.decode("*")', "ValueError"),
    ('base64.encode("a")', "TypeError"),
    ('hash.compute_checksum(text.encode("a"), "CRC")', "ValueError"),
    ('text.substring("abc", 2, 1)', "ValueError"),
    ('text.substring("abc", 0, 9)', "ValueError"),
    ('text.match_regex("a", "(")', "ValueError"),
    ('text.match_regex("a", "(?=a)")', "ValueError"),
    ("text.to_upper(1)", "TypeError"),
    ('time.format(0, "Nowhere/Town")', "ValueError"),
    ('time.parse("yesterday")', "ValueError"),
    ('sys.get_env("MISSING")', "KeyError"),
    ("sys.get_env(5)", "TypeError"),
    ('{"a": 1}[null]', "TypeError"),
    ("{1: 2}", "TypeError"),
]

SYNTAX: list[tuple[str, str]] = [
    ("", "expression is empty"),
    ("   ", "expression is empty"),
    ("1 +", "expecting an operand"),
    ("* 1", "expecting an operand"),
    ("1 2", "expecting <EOF>"),
    ("(1", "expecting ')'"),
    ("a[0", "expecting ']'"),
    ("[1, ", "expecting an operand"),
    ("f(1,)", "expecting an operand"),
    ("'a'", "token recognition error at: '''"),
    ('"a', "token recognition error at: '\"'"),
    ("a ? b : c", "token recognition error at: '?'"),
    ("a = 1", "token recognition error at: '='"),
    ("a && b", "token recognition error at: '&'"),
    ("!a", "token recognition error at: '!'"),
    ("2 ** 3", "expecting an operand"),
    ("1 if true else 2", "expecting <EOF>"),
    ("lambda: 1", "expecting <EOF>"),
    ('"x" not in m', "expecting <EOF>"),
    ("a.", "expecting a name"),
    ("a.1", "mismatched input"),
    ("and", "expecting an operand"),
    ("a} and ${b", "token recognition error at: '$'"),
    ("a} b", "mismatched input '}'"),
    ("99999999999999999999", "does not fit into 64 bits"),
    (r'"\q"', "unknown escape"),
    ("f(1)(2)", "only a function can be called"),
]


def workflow(expression: str) -> str:
    """A workflow that returns an expression, as a single-quoted scalar so that no YAML rule gets at it."""
    quoted = "${" + expression + "}"
    return (
        "main:\n  steps:\n    - init:\n        assign:"
        + VARIABLES
        + "    - result:\n        return: '"
        + quoted.replace("'", "''")
        + "'\n"
    )


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[e for e, _ in VALUES])
def test_value(run: Any, expression: str, expected: Any) -> None:
    value = run(workflow(expression)).value
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(("expression", "tag"), FAILURES, ids=[e for e, _ in FAILURES])
def test_failure(run: Any, expression: str, tag: str) -> None:
    ran = run(workflow(expression))
    assert ran.tags[0] == tag
    assert ran.execution["error"]["context"].endswith('in step "result", routine "main", line: 13')


@pytest.mark.parametrize(("expression", "message"), SYNTAX, ids=[e or "empty" for e, _ in SYNTAX])
def test_syntax_error_is_refused_at_deploy(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(expression)
    assert message in caught.value.message
    problems = check_source(workflow(expression))
    assert len(problems) == 1
    assert message in problems[0]
    assert problems[0].startswith("main.workflows.yaml:14:17: parse error: in workflow 'main', step 'result': ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("${a}", True), ("${}", True), ("a ${b}", False), ("${a} b", False), ("$a", False), (" ${a}", False), ("", False)],
)
def test_what_is_an_expression(text: str, expected: bool) -> None:
    assert is_expression(text) is expected


def test_text_around_an_expression_is_text(run: Any) -> None:
    assert run("- a: {assign: [{x: 1}]}\n- b: {return: 'x is ${x}'}").value == "x is ${x}"


def test_system_errors_have_the_services_words(run: Any) -> None:
    ran = run(workflow('"a" in n'))
    assert ran.error == {"message": "The argument of 'in' must be a dict or an array; got: null", "tags": ["TypeError"]}
    assert run(workflow("m.taskCount")).error == {
        "message": "KeyError: key not found: taskCount",
        "tags": ["KeyError", "LookupError"],
    }


def test_a_long_expression_is_refused() -> None:
    longest = "1" + " + 1" * 99
    assert len("${" + longest + "}") == 400
    assert check_source(workflow(longest)) == []
    assert "expression of 401 characters exceeds the limit 400" in check_source(workflow(longest + " "))[0]


def test_memory_is_counted_as_the_reference_says() -> None:
    text = "This is a string of 28 bytes"
    assert memory_size(text) == 36
    assert memory_size({"a": [1, 2.0, True]}) == 8 + 9 + 8 + 24
    assert memory_size("é") == 10
    assert memory_size(None) == 8


def test_double_results_stay_doubles(run: Any) -> None:
    assert run(workflow("6 / 2")).execution["result"] == "3.0"
    assert math.isclose(run(workflow("0.1 + 0.2")).value, 0.3)


def test_a_plugin_that_meets_no_workflow_does_not_pay_for_the_parser() -> None:
    code = (
        "import sys; import localcloud.services.workflows, localcloud.workflows.executions; "
        "assert not {'lark', 'localcloud.workflows.grammar'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_parsing_is_quick_and_done_once() -> None:
    expressions = [f'not ("HttpError" in e{n}.tags) and e{n}.code == 404 + int("{n}") * 2' for n in range(200)]
    parse(expressions[0])
    begin = time.perf_counter()
    parsed = [parse(e) for e in expressions]
    each = (time.perf_counter() - begin) / len(expressions)
    # 0.1 ms alone; the limit leaves room for a machine that does other things too.
    assert each < 0.003
    assert all(parse(e) is p for e, p in zip(expressions, parsed, strict=True))
