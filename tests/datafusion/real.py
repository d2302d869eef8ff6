"""The real CDAP that the tests of marker `cdap` share: one sandbox, started by whoever needs it first."""

from __future__ import annotations

import functools

from dataplatform.datafusion.sandbox import up


@functools.cache
def real_endpoint() -> str:
    """Its endpoint."""
    return up().url
