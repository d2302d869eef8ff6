"""What all tests share: `--accept`, which rewrites recorded outputs instead of comparing with them."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite recorded outputs with what was found")


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether recorded outputs are to be rewritten."""
    return bool(request.config.getoption("--accept"))
