"""The tags every resource carries: one value, made once, passed on explicitly, as labels on Google Cloud are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tags:
    """Tag names and values, sorted by name."""

    items: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, own: Mapping[str, str], *, environment: str, stack: str) -> Tags:
        """The tags of a stack: its owner's, and which environment and stack a resource belongs to.

        The three of ours win over the owner's of the same name: ownership is told by them.
        """
        ours = {"environment": environment, "managed-by": "pulumi", "stack": stack}
        return cls(tuple(sorted({**own, **ours}.items())))

    def as_dict(self) -> dict[str, str]:
        """A new dict, as a resource's `tags` wants it."""
        return dict(self.items)
