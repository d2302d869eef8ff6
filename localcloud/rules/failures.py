"""What a check answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Failure:
    """One reason to refuse a resource's inputs: the property's path as Pulumi writes it, and the provider's words."""

    property: str
    reason: str


def examine(failure: Failure, resource_name: str) -> str:
    """The failure as the bridge hands it to the engine.

    The bridge leaves the failure's property empty and names the place in the text: with the property set, the engine
    would print the property's value, which may be secret.
    """
    if not failure.property:
        return failure.reason
    return f"{failure.reason}. Examine values at '{resource_name}.{failure.property}'."


def suggestion(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing where no known word is near."""
    candidates = list(known)
    folded = {candidate.lower(): candidate for candidate in candidates}
    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f" (did you mean '{folded[near[0]]}'?)" if near else ""
