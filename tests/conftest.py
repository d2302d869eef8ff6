"""What all tests share: `--accept`, which rewrites recorded outputs instead of comparing with them."""

from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    """What runs in the background of a shell has SIGINT ignored, and so has all that it starts; tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite recorded outputs with what was found")


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether recorded outputs are to be rewritten."""
    return bool(request.config.getoption("--accept"))
