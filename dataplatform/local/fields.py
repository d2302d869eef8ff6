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
_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$-]*")
"""A key that needs no quotes in a path."""
_SHA256 = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_LONGEST_NAME = 80
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
    named: str = ""
    """The same with the names of what stands in lists, where they have names: `activities["Copy"].policy.retry`."""
    old: Any = None
    new: Any = None
    cause: Cause = "edit"
    replaces: bool = False
    """Whether it forces a replacement."""

    def line(self) -> str:
        """The field for a person."""
        marks = "".join([" (drift)" if self.cause == "drift" else "", " (default)" if self.cause == "default" else ""])
        where = self.named or self.path
        return f"{where}: {shown(self.old)} → {shown(self.new)}{marks}{', forces replacement' * self.replaces}"

    def as_dict(self) -> dict[str, Any]:
        """The field for a machine."""
        return {
            "path": self.path,
            "named": self.named or self.path,
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
    if not detailed and forcing and old.get("inputs") and new.get("inputs"):
        # Replaced because of something that is replaced: the engine tells why, and not what else is changed.
        detailed = {path: {} for path in _differing(old["inputs"], new["inputs"])}
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
    named = _named(path, old.get("inputs"), new.get("inputs"))
    return Field(path=path, named=named, old=_plain(was), new=_plain(now), cause=cause, replaces=replaces)


def _named(path: str, old: Any, new: Any) -> str:
    """The path with the names of what stands in lists; an index stays where it is not the same thing before and after.

    What Data Factory calls an activity's place is not what its author calls it, and indexes move when one is added.
    """
    told = ""
    for match, part in zip(_PART.finditer(path), parts(path), strict=True):
        inside = [_at_part(value, part) for value in (old, new)]
        names = {_name_of(value) for value in inside if value is not _ABSENT} if isinstance(part, int) else set()
        name = names.pop() if len(names) == 1 else None
        told += match.group() if name is None else f"[{json.dumps(name, ensure_ascii=False)}]"
        old, new = inside
    return told


def _at_part(value: Any, part: str | int) -> Any:
    held = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
    return value[part] if held else _ABSENT


def _name_of(value: Any) -> str | None:
    """What a thing in a list is called."""
    found = next((value[key] for key in ("name", "key") if key in value), None) if isinstance(value, dict) else None
    return found if isinstance(found, str) and found and len(found) <= _LONGEST_NAME and found != _UNKNOWN else None


def _differing(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Paths of what differs between two trees of inputs; a list of another length differs as a whole."""
    if isinstance(old, dict) and isinstance(new, dict) and not _masked(old) and not _masked(new):
        for key in sorted({*old, *new} - {"__defaults"}):
            plain = _PLAIN_KEY.fullmatch(key) is not None
            step = f"{'.' * bool(at)}{key}" if plain else f"[{json.dumps(key)}]"
            yield from _differing(old.get(key), new.get(key), at + step)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _differing(*pair, f"{at}[{index}]")
    elif old != new:
        yield at


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
    # The wire knows one kind of number; nobody wrote 4.0 for a 4.
    return int(value) if isinstance(value, float) and value.is_integer() else value


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
    text = _SHA256.sub(r"\1…", json.dumps(value, ensure_ascii=False, sort_keys=True))
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN // 2]} … {text[-MAX_SHOWN // 2 :]}"
