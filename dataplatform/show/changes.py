"""What a difference of two plans consists of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["pipeline", "step", "edge"]
Action = Literal["added", "removed", "renamed", "moved", "changed"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference. Values are JSON data without secrets: two different secrets both read `[secret]`."""

    kind: Kind
    action: Action
    subject: str
    """The step's name (its new one where it was renamed); empty for the pipeline itself."""
    field: str = ""
    """What of it changed, such as `timeout` or `properties.table`; for an edge empty."""
    old: Any = None
    new: Any = None
    after: tuple[str, ...] = ()
    """Steps that directly come before it: for an added or removed step, and one step for an edge."""


def as_dicts(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    """The changes as JSON data."""
    return [{**asdict(change), "after": list(change.after)} for change in changes]
