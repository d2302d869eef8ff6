"""Pulumi's property values on the wire, and their plain form.

On the wire a secret is an object with a signature, an unknown is a sentinel string, an asset is an object with another
signature. Services work on plain values; which paths were secret travels beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2

from localcloud.rules.wire import OUTPUT, SECRET, SIGNATURE, UNKNOWN, Path, is_unknown


def to_dict(struct: struct_pb2.Struct | None) -> dict[str, Any]:
    """The message as plain data; whole numbers come back as int."""
    return dict(json_format.MessageToDict(struct)) if struct is not None else {}


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Plain data as the message. None values are left out: the wire's null and absence mean the same to the SDK."""
    struct = struct_pb2.Struct()
    json_format.ParseDict({k: v for k, v in values.items() if v is not None}, struct)
    return struct


def strip(value: Any, at: Path = ()) -> tuple[Any, tuple[Path, ...]]:
    """The plain value, and the paths of what was secret in it."""
    if isinstance(value, dict):
        signature = value.get(SIGNATURE)
        if signature == SECRET:
            inner, _ = strip(value.get("value"), at)
            return inner, (at,)
        if signature == OUTPUT:
            inner, inside = strip(value.get("value", UNKNOWN), at)
            return inner, (at,) if value.get("secret") else inside
        parts = {k: strip(v, (*at, k)) for k, v in value.items()}
        return {k: v for k, (v, _) in parts.items()}, tuple(p for _, ps in parts.values() for p in ps)
    if isinstance(value, list):
        elements = [strip(v, (*at, i)) for i, v in enumerate(value)]
        return [v for v, _ in elements], tuple(p for _, ps in elements for p in ps)
    return value, ()


def wrap(value: Any, paths: Iterable[Path], at: Path = ()) -> Any:
    """The value for the wire: what lies at one of the paths is marked secret."""
    wanted = set(paths)
    return _wrap(value, wanted, at) if wanted else value


def _wrap(value: Any, wanted: set[Path], at: Path) -> Any:
    if at in wanted and value is not None and not is_unknown(value):
        return {SIGNATURE: SECRET, "value": value}
    if isinstance(value, dict):
        return {k: _wrap(v, wanted, (*at, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_wrap(v, wanted, (*at, i)) for i, v in enumerate(value)]
    return value


def redact(value: Any, paths: Iterable[Path], at: Path = ()) -> Any:
    """The value for a log: `[secret]` at each of the paths, long texts cut."""
    wanted = set(paths)
    if at in wanted or (isinstance(value, dict) and value.get(SIGNATURE) == SECRET):
        return "[secret]"
    if isinstance(value, dict):
        return {k: redact(v, wanted, (*at, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [redact(v, wanted, (*at, i)) for i, v in enumerate(value)]
    if isinstance(value, str) and len(value) > 500:
        return f"{value[:100]}… ({len(value)} characters)"
    return value


def texts_at(value: Any, paths: Iterable[Path], at: Path = ()) -> Iterator[str]:
    """Every text of at least four characters below one of the paths: what no message may quote."""
    wanted = set(paths)
    inside = at in wanted
    if isinstance(value, dict):
        for k, v in value.items():
            yield from texts_at(v, {(*at, k)} if inside else wanted, (*at, k))
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from texts_at(v, {(*at, i)} if inside else wanted, (*at, i))
    elif inside and isinstance(value, str) and len(value) >= 4:
        yield value


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text with each of the secrets replaced, the longest first."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text
