"""What a case of the language reference may expect besides a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fails:
    """The execution fails with an error map that carries this tag."""

    tag: str


@dataclass(frozen=True)
class Refused:
    """The source is refused at deploy with this in the message."""

    message: str


@dataclass(frozen=True)
class Raises:
    """The execution fails with this very payload."""

    payload: object
