"""The labels every resource carries: one value, made once, passed on explicitly.

A transform that adds labels would not run where the program is only recorded, so a review would not see them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Labels:
    """Label keys and values, sorted by key."""

    items: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, own: Mapping[str, str], *, environment: str, stack: str) -> Labels:
        """The labels of a stack: its owner's, and which environment and stack a resource belongs to.

        The three of ours win over the owner's of the same key: ownership is told by them.
        """
        ours = {"environment": environment, "managed-by": "pulumi", "stack": stack}
        return cls(tuple(sorted({**own, **ours}.items())))

    def as_dict(self) -> dict[str, str]:
        """A new dict, as a resource's `labels` wants it."""
        return dict(self.items)
