"""What the tests of rights need of pytest."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # The provider's SDK warns of its own misspelt functions when its modules are imported; none of them is ours to fix.
    config.addinivalue_line("filterwarnings", r"ignore:gcp\.\S+ has been deprecated:DeprecationWarning")
