"""Values as Pulumi's engine writes them on the wire: unknowns, secrets, outputs and assets.

Everything else in this package works on plain values. `plain` takes the wrappers off and tells which paths were secret,
so that a message can say `[secret]` where the value must not appear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What a value not known before the update is written as (the string kind, which the engine uses for all)."""

_UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the wire format, not a secret
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"

Path = tuple[str | int, ...]
"""A place in a value: keys and list indexes."""


@dataclass(frozen=True)
class Plain:
    """A resource's properties without wrappers and nulls, and which paths were secret."""

    value: dict[str, Any]
    secrets: frozenset[Path] = field(default_factory=frozenset)

    def is_secret(self, path: Path) -> bool:
        """Whether the value at a path, or one that holds it, was marked secret."""
        return any(path[: len(secret)] == secret for secret in self.secrets)


def is_unknown(value: object) -> bool:
    """Whether a plain value stands for one that is not known yet."""
    return isinstance(value, str) and value in _UNKNOWNS


def is_asset(value: object) -> bool:
    """Whether a plain value is an asset or an archive."""
    return isinstance(value, dict) and value.get(SIGNATURE) in (ASSET, ARCHIVE)


def is_archive(value: object) -> bool:
    """Whether a plain value is an archive."""
    return isinstance(value, dict) and value.get(SIGNATURE) == ARCHIVE


def has_unknown(value: object) -> bool:
    """Whether a plain value is unknown or holds an unknown."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return is_unknown(value)


def secret(value: object) -> dict[str, object]:
    """Wrap a value as a secret."""
    return {SIGNATURE: SECRET, "value": value}


def unwrap(value: Any) -> tuple[Any, bool]:
    """Take the secret and output wrappers off one value: the value below and whether it was secret."""
    hidden = False
    while isinstance(value, dict):
        signature = value.get(SIGNATURE)
        if signature == SECRET:
            hidden, value = True, value.get("value")
        elif signature == OUTPUT:
            hidden, value = hidden or bool(value.get("secret")), value.get("value", UNKNOWN)
        else:
            break
    return (UNKNOWN if is_unknown(value) else value), hidden


def plain(properties: dict[str, Any] | None) -> Plain:
    """Take all wrappers off, drop nulls (absent and null are the same) and the bridge's own `__` keys."""
    secrets: set[Path] = set()

    def walk(value: Any, path: Path) -> Any:
        value, hidden = unwrap(value)
        if hidden:
            secrets.add(path)
        if isinstance(value, dict):
            if SIGNATURE in value:
                return value
            items = ((key, walk(item, (*path, key))) for key, item in value.items() if not key.startswith("__"))
            return {key: item for key, item in items if item is not None}
        if isinstance(value, list):
            return [walk(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            return int(value)
        return value

    result = walk(dict(properties or {}), ())
    return Plain(result if isinstance(result, dict) else {}, frozenset(secrets))
