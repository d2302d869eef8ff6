"""Differences of texts: workflows' sources and DAG files, as unified diffs that stay readable."""

from __future__ import annotations

import difflib

MAX_LINES = 60
"""Lines of a difference that are shown; what is cut is counted."""


def text_diff(name: str, old: str, new: str) -> list[str]:
    """The lines that differ with two around them, without the headers of a patch."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), n=2, lineterm=""))[2:]
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    shown = lines if len(lines) <= MAX_LINES else [*lines[:MAX_LINES], f"… and {len(lines) - MAX_LINES} lines more"]
    return [f"{name}: {added} lines added, {removed} removed", *(f"  {line}" for line in shown)] if lines else []
