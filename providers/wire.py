"""Pulumi's property values on the wire, and the plain values that resources work on.

On the wire a secret is an object with a signature and an unknown is a sentinel text. A resource sees plain values in
which an unknown is `UNKNOWN`; which places were secret travels beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from google.protobuf import json_format, struct_pb2

Path = tuple[str | int, ...]
"""A place in a value: keys and list indexes."""

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the wire format
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        _UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


class Unknown:
    """The type of `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __copy__(self) -> Unknown:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Unknown:
        return self


UNKNOWN: Final = Unknown()
"""A value that is not known before the update. It equals nothing but itself; test with `is` or `has_unknown`."""


def has_unknown(value: Any) -> bool:
    """Whether a value is unknown, or holds one that is."""
    if isinstance(value, Mapping):
        return any(has_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(has_unknown(part) for part in value)
    return value is UNKNOWN


def from_wire(struct: struct_pb2.Struct | None) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The plain values of a message, and the places that were secret in it."""
    if struct is None:
        return {}, ()
    value, secrets = _plain(json_format.MessageToDict(struct), ())
    return value, secrets


def _plain(value: Any, at: Path) -> tuple[Any, tuple[Path, ...]]:
    if isinstance(value, dict):
        signature = value.get(_SIGNATURE)
        if signature == _SECRET:
            return _plain(value.get("value"), at)[0], (at,)
        if signature == _OUTPUT:
            inner, inside = _plain(value.get("value", _UNKNOWN_TEXT), at)
            return inner, (at,) if value.get("secret") else inside
        parts = {key: _plain(part, (*at, key)) for key, part in value.items()}
        return {key: part for key, (part, _) in parts.items()}, tuple(p for _, ps in parts.values() for p in ps)
    if isinstance(value, list):
        elements = [_plain(part, (*at, index)) for index, part in enumerate(value)]
        return [part for part, _ in elements], tuple(p for _, ps in elements for p in ps)
    if isinstance(value, str) and value in _UNKNOWNS:
        return UNKNOWN, ()
    # The wire has one kind of number. A whole one is an int, as whoever wrote it meant it.
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value), ()
    return value, ()


def to_wire(values: Mapping[str, Any], secrets: Iterable[Path] = ()) -> struct_pb2.Struct:
    """The message of plain values, with those places marked secret; a top-level None is left out."""
    wanted = set(secrets)
    struct = struct_pb2.Struct()
    json_format.ParseDict({k: _wrapped(v, wanted, (k,)) for k, v in values.items() if v is not None}, struct)
    return struct


def _wrapped(value: Any, wanted: set[Path], at: Path) -> Any:
    if value is UNKNOWN:
        return _UNKNOWN_TEXT
    if at in wanted and value is not None:
        return {_SIGNATURE: _SECRET, "value": _wrapped(value, set(), at)}
    if isinstance(value, Mapping):
        return {key: _wrapped(part, wanted, (*at, key)) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_wrapped(part, wanted, (*at, index)) for index, part in enumerate(value)]
    return value


def texts_at(value: Any, places: Iterable[Path]) -> Iterator[str]:
    """Every text of at least four characters at or below one of the places: what no message may quote."""
    for place in places:
        found = value
        for part in place:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                break
        else:
            yield from _texts(found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str) and len(value) >= 4:
        yield value


def changed_paths(old: Any, new: Any, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every place where two values differ, with `add`, `delete` or `update`; what is unknown counts as different."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if key not in new:
                yield (*at, key), "delete"
            elif key not in old:
                yield (*at, key), "add"
            else:
                yield from changed_paths(old[key], new[key], (*at, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index >= len(new):
                yield (*at, index), "delete"
            elif index >= len(old):
                yield (*at, index), "add"
            else:
                yield from changed_paths(old[index], new[index], (*at, index))
    elif type(old) is not type(new) or old != new:
        yield at, "update"


def path_text(path: Path) -> str:
    """A place as the engine's detailed differences name it: `a.b[0]["odd key"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "a").replace("-", "a").isalnum():
            text += f".{part}" if text else part
        else:
            escaped = part.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text
