"""What a change costs: an update, a replacement, or updates one after the other, and how long each is known to take.

The table is costs.json: each duration with its source. What is not in it takes seconds to a few minutes, and nothing is
said of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from dataplatform.local.errors import RefusedError
from dataplatform.local.events import REPLACING, Operation, Run

REPLACE, UPDATE, SERIAL = "replace", "update", "serial updates"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one operation costs."""

    how: str
    """`create`, `update`, `serial updates`, `replace` or `delete`."""
    typical: tuple[int, int] | None = None
    """Minutes, from and to, where somebody has measured it."""
    limit: int | None = None
    """Minutes after which the provider gives up."""
    patches: int = 1
    """How many requests the provider makes one after the other, each waited for."""
    lost: str = ""
    """What a replacement loses."""
    source: str = ""

    def line(self) -> str:
        """The cost in a few words, empty where nothing is known."""
        parts = []
        if self.patches > 1:
            parts.append(f"{self.patches} updates one after the other")
        if self.typical:
            low, high = self.typical
            parts.append(f"about {low} min" if low == high else f"{low} to {high} min")
        elif self.limit:
            parts.append(f"up to {self.limit} min")
        if self.lost:
            parts.append(self.lost)
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The cost for a machine."""
        return {
            "how": self.how,
            "typical_minutes": list(self.typical) if self.typical else None,
            "limit_minutes": self.limit,
            "requests": self.patches,
            "lost": self.lost or None,
            "source": self.source or None,
        }


@cache
def table() -> Mapping[str, Any]:
    """Costs by resource token."""
    text = resources.files("dataplatform.local").joinpath("costs.json").read_text("utf-8")
    return {token: entry for token, entry in json.loads(text).items() if ":" in token}


def cost_of(operation: Operation) -> Cost | None:
    """What the operation costs; None where nothing is to be said of it."""
    return cost(operation.type, operation.op, [one.path for one in operation.fields])


def cost(token: str, op: str, paths: list[str]) -> Cost | None:
    """The same from its parts: the resource's type, the engine's operation and the paths that change.

    Of every change it is said whether it is an update, updates one after the other or a replacement; how long it takes
    and what it loses, where the table knows.
    """
    known = table().get(token, {})
    if op in REPLACING or op == "replace":
        create, delete = known.get("create", {}), known.get("delete", {})
        return Cost(
            how=REPLACE,
            typical=_range(create),
            limit=(create.get("limit") or 0) + (delete.get("limit") or 0) or None,
            lost=known.get("replacing", ""),
            source=create.get("source", ""),
        )
    verb = {"create": "create", "update": "update", "delete": "delete"}.get(op)
    if verb is None or (not known and verb != "update"):
        return None
    entry = known.get(verb, {})
    patches = _patches(known, paths) if verb == "update" else 1
    typical = _range(entry)
    return Cost(
        how=SERIAL if patches > 1 else verb,
        typical=(typical[0] * patches, typical[1] * patches) if typical else None,
        limit=entry.get("limit", 0) * patches or None,
        patches=patches,
        source=entry.get("source", ""),
    )


def _range(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    found = entry.get("typical")
    return (found[0], found[1]) if found else None


def _patches(known: Mapping[str, Any], paths: list[str]) -> int:
    """How many requests an update is: fields of one group go together."""
    groups = [g if isinstance(g, list) else [g] for g in (known.get("patches") or {}).get("fields") or []]
    if not groups:
        return 1
    touched = {next((g[0] for g in groups if _within(path, g)), path) for path in paths}
    return max(1, len(touched))


def _within(path: str, fields: list[str]) -> bool:
    return any(path == field or path.startswith((f"{field}.", f"{field}[")) for field in fields)


def refuse_replacements(run: Run, stack: str) -> None:
    """With `--no-replace`: any replacement is an error.

    Raises:
        RefusedError: when the run replaces something; names what, because of what, and at what cost.
    """
    found = [o for o in run.operations.values() if o.custom and o.op == "replace"]
    if not found:
        return
    lines = []
    for operation in sorted(found, key=lambda o: o.urn):
        told = cost_of(operation)
        because = f" because of {', '.join(operation.keys)}" if operation.keys else ""
        what = f" ({told.line()})" if told is not None and told.line() else ""
        lines.append(f"  {operation.type} {operation.name}{because}{what}")
    raise RefusedError(
        f"--no-replace: {len(found)} of {stack} would be replaced; nothing was changed:\n" + "\n".join(lines)
    )
