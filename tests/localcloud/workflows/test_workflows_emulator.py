"""The cases of the reference against `workflows-emulator` of PyPI, where that one follows the reference.

It runs in `.venvs/emulator`, made of the dependency group of that name, because it has no licence and brings 80
packages. Where the environment is missing the test is skipped by name, except in CI (`CI=true`), where it fails.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from localcloud.workflows.local import run
from tests.localcloud.workflows.reference_kinds import Refused
from tests.localcloud.workflows.reference_steps import LIMITS, RETRY
from tests.localcloud.workflows.test_workflows_reference import CASES, typed

ROOT = Path(__file__).parents[3]
EMULATOR = ROOT / ".venvs" / "emulator" / "bin" / "python"

WRONG: dict[str, tuple[str, ...]] = {
    "64-bit integers do not overflow": ("9223372036854775808", "9223372036854775807 + 1"),
    "booleans, null and upper-case operators are not known in expressions": (
        "true",
        "TRUE",
        "FALSE",
        "null",
        "t AND NOT t",
        "not t OR t",
        "true or 1 / 0 == 1",
        "false and 1 / 0 == 1",
        "false and false or true",
        "true or false and false",
        "true == 1",
        "n == null",
        '[1, "a", i, null]',
        "string(true)",
        '"a" + true',
        'true + "a"',
        'base64.encode(text.encode("a"), false)',
    ),
    "an expression with a brace or an escaped quote is cut": (
        '[1, {"a": 2}] == [1, {"a": 2}]',
        '{"x": i, key: 2}',
        'json.decode("{\\"a\\": [1, 2.5, null]}")',
        'get_type(json.encode({"a": 1}))',
        'json.encode_to_string({"b": 1, "a": [true, null]})',
        'json.encode_to_string({"a": 1}, true)',
        'map.merge({"a": 1, "b": 1}, {"b": 2})',
        'map.merge({"a": {"x": 1}}, {"a": {"y": 2}})',
        'map.merge_nested({"a": {"x": 1}}, {"a": {"y": 2}})',
    ),
    "types have Python's names": (
        "get_type(1)",
        "get_type(1.5)",
        "get_type(t)",
        "get_type(m)",
        "get_type(b)",
        "get_type(sys.now())",
    ),
    "operators follow Python, not the table of conversions": (
        "1 and t",
        "not n",
        '1 + "a"',
        '2.5 + "a"',
        '"a" + 1',
        '"a" + 1.5',
        "l + l",
        '"a" * 2',
        "l[-1]",
        '"a" in s',
        "double(t)",
        "string(n)",
        "string(m)",
    ),
    "if() is a syntax error": ('if(i > 5, "big", "small")', 'if(i > 50, "big", "small")', 'if(n, "yes", "no")'),
    "null becomes the text None": (
        'map.get(m, "zz")',
        'map.get(m, ["zz", "d"])',
        'map.get(n, "a")',
        "next end in a subworkflow returns",
        "no argument",
    ),
    "bytes are texts, and hash is missing": (
        "text.decode(b)",
        "base64.encode(b)",
        "json.encode_to_string(b)",
        "return bytes",
        'base64.encode(hash.compute_checksum(text.encode(""), "SHA256"))',
        'base64.encode(hash.compute_hmac(text.encode("key"), text.encode("data"), "MD5"))',
    ),
    "functions of the library give something else": (
        'text.find_all("banana", "an")',
        'text.find_all_regex("a1b22", "[0-9]+")',
        'text.substring("Hello", 3, 9)',
        'text.url_encode("a b&c/é")',
        'text.url_decode("a%20b+c")',
        'text.url_decode("%zz")',
        'time.format(0, "Europe/Berlin")',
        'time.parse("1970-01-01T00:01:00Z")',
        'time.parse("1970-01-01T01:00:00+01:00")',
        'sys.get_env("GOOGLE_CLOUD_PROJECT_ID")',
        'sys.get_env("NOPE")',
        "retry.always(n)",
        "retry.never(n)",
        "retry.default_backoff.max_delay",
        "a log of nothing",
        "math.min(3, 7.5)",
    ),
    "text around an expression is replaced": ("text around an expression is text",),
    "subworkflows cannot be called in expressions": ("in an expression",),
    "loops take anything": ("over a map",),
    "an except needs a name": ("an except without a name",),
    "a missing key of a map cannot be caught, and a held lock hangs the next assignment": (
        "tags of a key error",
        "an error caught inside",
    ),
    "nested parallel loops lose updates": ("nested twice",),
}
"""Where the emulator differs from the reference, and how."""

_WRONG = frozenset(name for names in WRONG.values() for name in names)
# Needs a network, an address or real seconds of waiting there.
_APART = ("sleep", "callback", "http.", "events.", "uuid")


def shared_cases() -> list[tuple[str, str, Any, Any]]:
    """The cases that both can run."""
    return [
        (name, source, argument, expected)
        for name, section, source, argument, expected in CASES
        if not isinstance(expected, Refused)
        and name not in _WRONG
        and section not in (LIMITS, RETRY)
        and not any(word in source for word in _APART)
    ]


def test_the_emulator_of_pypi_agrees() -> None:
    if not EMULATOR.exists():
        message = "workflows-emulator is not installed: uv venv .venvs/emulator, then its group `emulator`"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(message)
        pytest.skip(message)
    cases = shared_cases()
    assert len(cases) >= 180
    driver = Path(__file__).with_name("emulator_driver.py")
    given = json.dumps([{"source": source, "argument": argument} for _, source, argument, _ in cases])
    found = subprocess.run(
        [EMULATOR, driver], input=given, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert found.returncode == 0, found.stderr
    differences = []
    for (name, source, argument, _), theirs in zip(cases, json.loads(found.stdout), strict=True):
        execution = run(None, source, argument, time_scale=0.001)
        ours = ["value", json.loads(execution["result"])] if execution["state"] == "SUCCEEDED" else ["error"]
        if typed(ours) != typed(theirs[: len(ours)]):
            differences.append((name, ours, theirs))
    assert differences == []


def test_the_list_of_differences_names_cases() -> None:
    assert {name for name, *_ in CASES} >= _WRONG
