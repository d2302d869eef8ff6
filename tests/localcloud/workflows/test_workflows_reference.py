"""The language reference, case by case: `reference_expressions` and `reference_steps` hold the tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.workflows.check import check_source
from localcloud.workflows.local import run
from tests.localcloud.workflows.reference_expressions import EXPRESSION_CASES, VARIABLES
from tests.localcloud.workflows.reference_kinds import Fails, Raises, Refused
from tests.localcloud.workflows.reference_steps import STEP_CASES


def of_expression(expression: str) -> str:
    """A source that returns an expression's value."""
    return f"{VARIABLES}- result:\n    return: {json.dumps('${' + expression + '}', ensure_ascii=False)}\n"


CASES: list[tuple[str, str, str, Any, Any]] = [
    *(
        (expression or "nothing", section, of_expression(expression), None, e)
        for section, expression, e in EXPRESSION_CASES
    ),
    *STEP_CASES,
]


def typed(value: Any) -> Any:
    """The value with its types, which `==` alone does not compare: 2 is not 2.0 and 1 is not true."""
    if isinstance(value, dict):
        return {k: typed(v) for k, v in value.items()}
    return [typed(v) for v in value] if isinstance(value, list) else (type(value).__name__, value)


@pytest.mark.parametrize(
    ("section", "source", "argument", "expected"),
    [case[1:] for case in CASES],
    ids=[f"{section}: {name}" for name, section, *_ in CASES],
)
def test_reference(section: str, source: str, argument: Any, expected: Any) -> None:
    problems = check_source(source)
    if isinstance(expected, Refused):
        assert any(expected.message in p for p in problems), problems
        return
    assert problems == []
    execution = run(None, source, argument, time_scale=0.001)
    if isinstance(expected, Fails | Raises):
        assert execution["state"] == "FAILED", execution
        payload = json.loads(execution["error"]["payload"])
        if isinstance(expected, Raises):
            assert payload == expected.payload
        else:
            assert expected.tag in payload["tags"], payload
            assert payload["message"]
    else:
        assert execution["state"] == "SUCCEEDED", execution
        assert typed(json.loads(execution["result"])) == typed(expected)


def test_the_table_is_large_enough_and_names_its_sections() -> None:
    assert len(CASES) >= 250
    assert len({(name, source) for name, _, source, _, _ in CASES}) == len(CASES)
    assert all(section == "quotas" or section.startswith(("syntax/", "stdlib/")) for _, section, *_ in CASES)
