"""What an operation changes, field by field: old and new, and whether it is an edit, drift or a default.

Read from the engine's own events, in which secret values are masked already.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Cause = Literal["edit", "drift", "default"]
"""`edit`: the program says something else than before. `drift`: the cloud has something else than the state said.
`default`: neither; the provider or the service would fill in something else."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Key of Pulumi's wrapper around secrets, assets and archives."""
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands for a value that is known only once other resources exist."""
_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\.?([^.\[]+)')
_ABSENT: Any = object()

SECRET = "[secret]"  # noqa: S105 - what is shown in place of one
LATER = "known after the apply"
MAX_SHOWN = 200
"""Characters of one value in a line; a longer one is cut in the middle."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of one operation."""

    path: str
    """As the engine writes it: `config.softwareConfig.envVariables["A"]`."""
    old: Any = None
    new: Any = None
    cause: Cause = "edit"
    replaces: bool = False
    """Whether it forces a replacement."""

    def line(self) -> str:
        """The field for a person."""
        marks = "".join([" (drift)" if self.cause == "drift" else "", " (default)" if self.cause == "default" else ""])
        return f"{self.path}: {shown(self.old)} → {shown(self.new)}{marks}{', forces replacement' * self.replaces}"

    def as_dict(self) -> dict[str, Any]:
        """The field for a machine."""
        return {
            "path": self.path,
            "old": self.old,
            "new": self.new,
            "cause": self.cause,
            "forces_replacement": self.replaces,
        }


def fields_of(metadata: Mapping[str, Any], drifted: Collection[str] = ()) -> tuple[Field, ...]:
    """The fields that a step changes, in the order of their paths.

    Args:
        metadata: Of a step event, with `detailedDiff`, `diffs`, `old` and `new`.
        drifted: Paths of which a refresh before it found that the cloud has something else.
    """
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    detailed = metadata.get("detailedDiff") or {name: {} for name in metadata.get("diffs") or ()}
    forcing = set(metadata.get("keys") or ())
    return tuple(
        _field(path, entry or {}, old, new, drifted, forcing) for path, entry in sorted(detailed.items(), key=_order)
    )


def _order(item: tuple[str, Any]) -> str:
    return item[0]


def _field(
    path: str,
    entry: Mapping[str, Any],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    drifted: Collection[str],
    forcing: Collection[str],
) -> Field:
    was, now = _at(old.get("inputs"), path), _at(new.get("inputs"), path)
    declared = was is not _ABSENT or now is not _ABSENT
    cause: Cause = "edit" if declared and was != now else "default"
    if was is _ABSENT or not declared:
        # The program said nothing of it: what was there is what the cloud answered.
        answered = _at(old.get("outputs"), path)
        was = answered if was is _ABSENT else was
    if _covered(path, drifted):
        cause = "drift"
    elif declared and was == now:
        held = _at(old.get("outputs"), path)
        if held is not _ABSENT and held != now:
            cause, was = "drift", held
    if _masked(was) and _masked(now):
        cause = "edit"  # two secrets look alike to us; the engine, which sees them, says that they differ
    replaces = "replace" in str(entry.get("diffKind", "")) or path in forcing
    return Field(path=path, old=_plain(was), new=_plain(now), cause=cause, replaces=replaces)


def _masked(value: Any) -> bool:
    return isinstance(value, dict) and _SIGNATURE in value


def _covered(path: str, drifted: Collection[str]) -> bool:
    return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in drifted)


def parts(path: str) -> Iterator[str | int]:
    """The keys and indexes of a property path."""
    for match in _PART.finditer(path):
        quoted, index, name = match.groups()
        yield int(index) if index is not None else json.loads(f'"{quoted}"') if quoted is not None else name


def _at(value: Any, path: str) -> Any:
    for part in parts(path):
        held = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if held:
            value = value[part]
        else:
            return _ABSENT
    return value


def _plain(value: Any) -> Any:
    """A value without the engine's wrappers: secrets stay masked, what is unknown says so."""
    if value is _ABSENT or value is None:
        return None
    if value == _UNKNOWN:
        return LATER
    if isinstance(value, dict):
        if _SIGNATURE in value:
            return SECRET
        return {key: _plain(inner) for key, inner in value.items() if key != "__defaults"}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def unwrapped(value: Any) -> Any:
    """A value of an export with `--show-secrets`, secrets in the clear. Never to be printed."""
    if isinstance(value, dict):
        if _SIGNATURE in value:
            return json.loads(value["plaintext"]) if "plaintext" in value else SECRET
        return {key: unwrapped(inner) for key, inner in value.items()}
    return [unwrapped(inner) for inner in value] if isinstance(value, list) else value


def shown(value: Any) -> str:
    """A value in a line."""
    if value is None:
        return "(none)"
    if value in (SECRET, LATER):
        return str(value)
    if isinstance(value, str) and "\n" in value:
        return f"a text of {len(value.splitlines())} lines"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN // 2]} … {text[-MAX_SHOWN // 2 :]}"
