"""What the tests of the program share: the recorded stacks, and ways to look at them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from dataplatform.local.plan_recorder import UNKNOWN_MARKER, RecordedResource, record

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("dev", "qa", "prod")


@cache
def recorded(stack: str) -> tuple[RecordedResource, ...]:
    """The stack of this checkout; recorded once for all tests."""
    return tuple(record(ROOT, stack))


def of_type(resources: Iterable[RecordedResource], *tokens: str) -> list[RecordedResource]:
    """Those of the types."""
    return [r for r in resources if r.type in tokens]


def by_name(resources: Iterable[RecordedResource]) -> dict[str, RecordedResource]:
    """By type and logical name."""
    return {f"{r.type}::{r.name}": r for r in resources}


def ancestors(resource: RecordedResource, resources: Iterable[RecordedResource]) -> set[str]:
    """URNs of everything the resource waits for."""
    known = {r.urn: r for r in resources}
    found: set[str] = set()
    waiting = list(resource.dependencies)
    while waiting:
        urn = waiting.pop()
        if urn not in found:
            found.add(urn)
            waiting.extend(known[urn].dependencies)
    return found


def checkout(to: Path, *, stacks: Mapping[str, str] | None = None) -> Path:
    """A copy of the project's data: Pulumi files and definitions. `stacks` gives texts of stack files to change."""
    to.mkdir(parents=True, exist_ok=True)
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(file, to / file.name)
    shutil.copytree(ROOT / "pipelines", to / "pipelines")
    for stack, text in (stacks or {}).items():
        (to / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")
    return to


def stack_text(stack: str, *changes: tuple[str, str]) -> str:
    """The stack file's text with pieces of it replaced; each piece must be there."""
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, f"'{old}' is not in Pulumi.{stack}.yaml"
        text = text.replace(old, new, 1)
    return text


__all__ = [
    "ROOT",
    "STACKS",
    "UNKNOWN_MARKER",
    "ancestors",
    "by_name",
    "checkout",
    "of_type",
    "recorded",
    "stack_text",
]
