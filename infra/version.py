"""The version of the compiler, as deployed texts carry it."""

from __future__ import annotations

COMPILER = "data-platform 0.1.0"
"""Raise it whenever the compiled text of an unchanged definition changes: a reviewer then sees why all DAGs update."""
