"""The table of Azure's features names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "azure_features.md"
WANTED = ("AZ1", "AZ2", "AZ3", "AZ4", "AZ5", "AZ6", "AZ12", "AZ13", "AZ14", "AZ16", "AZ17")
_TABLE = re.compile(r"(?<=<!-- features -->\n).*?(?=<!-- end -->)", re.DOTALL)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> dict[str, list[str]]:
    """Cells of each row, by the feature's number."""
    found = _TABLE.search(PAGE.read_text("utf-8"))
    assert found is not None
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()[2:] if line]
    return {line[0]: line for line in lines}


def test_every_feature_has_a_row() -> None:
    assert tuple(rows()) == WANTED


@pytest.mark.parametrize("number", WANTED)
def test_the_tests_of_a_feature_are_there(number: str) -> None:
    cells = rows()[number]
    assert len(cells) == 4
    assert all(cells)
    named = _TEST.findall(cells[3])
    assert named, "a feature is shown by at least one test"
    assert cells[3] == ", ".join(f"`{file}::{test}`" for file, test in named)
    for file, test in named:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        there = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert test in there, f"{file} has no test {test}"
        judged = [node for node in ast.walk(there[test]) if isinstance(node, ast.Assert | ast.With)]
        assert judged, f"{test} judges nothing"
