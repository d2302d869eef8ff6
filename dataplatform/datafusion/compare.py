"""What differs between two exports, told by meaning: stages, properties, connections, schedules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dataplatform.datafusion.model import Export, Json, Key, Kind

Action = Literal["added", "removed", "changed", "renamed"]
Path = tuple[str, ...]
MISSING = object()
"""Stands for a value that is not there."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One value that differs. `old` and `new` are MISSING where there is none."""

    path: Path
    old: Any
    new: Any

    def words(self) -> str:
        """One line for a person."""
        what = describe(self.path)
        if self.old is MISSING:
            return f"+ {what}: {_short(self.new)}"
        if self.new is MISSING:
            return f"- {what}: {_short(self.old)}"
        return f"~ {what}: {_short(self.old)} → {_short(self.new)}"

    def as_dict(self) -> Json:
        """Plain data."""
        return {
            "path": list(self.path),
            **({} if self.old is MISSING else {"old": self.old}),
            **({} if self.new is MISSING else {"new": self.new}),
        }


@dataclass(frozen=True, kw_only=True)
class Change:
    """One object that differs."""

    key: Key
    action: Action
    fields: tuple[Field, ...] = field(default=())
    before: Key | None = None
    """What it was called."""

    def lines(self) -> list[str]:
        """Text for a person."""
        sign = {"added": "+", "removed": "-", "changed": "~", "renamed": "~"}[self.action]
        note = f" (was {self.before.name})" if self.before is not None else ""
        return [f"{sign} {self.key}{note}", *(f"    {f.words()}" for f in self.fields)]

    def as_dict(self) -> Json:
        """Plain data."""
        return {
            "kind": str(self.key.kind),
            "namespace": self.key.namespace,
            "name": self.key.name,
            **({"part": self.key.part} if self.key.part else {}),
            "action": self.action,
            **({"was": self.before.name} if self.before is not None else {}),
            "fields": [f.as_dict() for f in self.fields],
        }


def compare(old: Export, new: Export) -> list[Change]:
    """The changes that make `old` into `new`, in the order of kinds and names."""
    gone = {key: body for key, body in old.items() if key not in new}
    come = {key: body for key, body in new.items() if key not in old}
    found = [
        Change(key=key, action="changed", fields=tuple(fields(old[key], body)))
        for key, body in new.items()
        if key in old and old[key] != body
    ]
    for key in [k for k in come if k.kind == Kind.PIPELINE]:
        before = next((k for k in gone if _same_pipeline(k, gone[k], key, come[key])), None)
        if before is not None:
            found.append(Change(key=key, action="renamed", before=before))
            del come[key], gone[before]
    found += [Change(key=key, action="added") for key in come]
    found += [Change(key=key, action="removed") for key in gone]
    return sorted(found, key=lambda c: c.key.sort_key())


def _same_pipeline(a: Key, old: Json, b: Key, new: Json) -> bool:
    return a.kind == b.kind and a.namespace == b.namespace and {**old, "name": ""} == {**new, "name": ""}


def fields(old: Any, new: Any) -> list[Field]:
    """The values that differ. A stage that was only given another name is one difference."""
    a, b = flatten(old), flatten(new)
    found = [
        Field(path=path, old=a.get(path, MISSING), new=b.get(path, MISSING))
        for path in sorted({*a, *b})
        if a.get(path, MISSING) != b.get(path, MISSING)
    ]
    return _renamed_stages(_whole_items(found, a, b))


def _whole_items(found: list[Field], a: Mapping[Path, Any], b: Mapping[Path, Any]) -> list[Field]:
    """A stage or connection that is wholly new or gone is told as one thing."""
    made: dict[Path, Field] = {}
    for one in found:
        head = one.path[:3]
        if len(one.path) > 3 and one.path[0] == "config" and one.path[1] in ("stages", "connections"):
            others = a if one.old is MISSING else b if one.new is MISSING else None
            if others is not None and not any(path[:3] == head for path in others):
                mine = b if one.old is MISSING else a
                whole = {"/".join(p[3:]): v for p, v in mine.items() if p[:3] == head}
                made[head] = (
                    Field(path=head, old=MISSING, new=whole)
                    if others is a
                    else Field(path=head, old=whole, new=MISSING)
                )
                continue
        made[one.path] = one
    return list(made.values())


def _renamed_stages(found: list[Field]) -> list[Field]:
    """One stage gone and one come with the same content: renamed."""
    stages = [f for f in found if len(f.path) == 3 and f.path[:2] == ("config", "stages")]
    result = list(found)
    for come in [f for f in stages if f.old is MISSING]:
        same = [f for f in stages if f.new is MISSING and f in result and _content(f.old) == _content(come.new)]
        if len(same) == 1:
            result.remove(same[0])
            result[result.index(come)] = Field(
                path=("config", "stages", come.path[2], "name"), old=same[0].path[2], new=come.path[2]
            )
    return result


def _content(stage: Any) -> Any:
    return {k: v for k, v in stage.items() if k not in ("name", "id") and not k.startswith("inputSchema")}


def flatten(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Leaves by path. Items of lists go by their name (stages), their ends (connections), else by their place."""
    if isinstance(value, str) and path and path[-1] in ("schema", "value") and value[:1] == "{":
        value = _schema(value)
    if isinstance(value, dict) and value:
        return {p: v for k, child in value.items() for p, v in flatten(child, (*path, str(k))).items()}
    if isinstance(value, list) and value:
        return {p: v for k, child in _named(value) for p, v in flatten(child, (*path, k)).items()}
    return {path: value}


def _schema(text: str) -> Any:
    """A record schema as a mapping of its fields, for a difference that names them."""
    try:
        read = json.loads(text)
        return {"field " + str(f["name"]): f["type"] for f in read["fields"]} if "fields" in read else text
    except (ValueError, TypeError, KeyError):
        return text


def _named(items: list[Any]) -> list[tuple[str, Any]]:
    names = [_item_name(item) for item in items]
    known = [name for name in names if name is not None]
    if len(known) == len(items) and len(set(known)) == len(known):
        return [(name, item) for name, item in zip(known, items, strict=True)]
    return [(str(i), item) for i, item in enumerate(items)]


def _item_name(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("from"), str) and isinstance(item.get("to"), str):
        port = item.get("port", item.get("condition"))
        return f"{item['from']} → {item['to']}" + (f" ({port})" if port is not None else "")
    name = item.get("name")
    return name if isinstance(name, str) else None


def describe(path: Path) -> str:
    """A path in words."""
    if path[:2] == ("config", "stages") and len(path) > 2:
        rest = [p for p in path[3:] if p != "plugin"]
        stage = f"stage '{path[2]}'"
        if rest[:1] == ["properties"] and len(rest) > 1:
            return f"{stage}, property '{'.'.join(rest[1:])}'"
        return f"{stage}, {'.'.join(rest)}" if rest else stage
    if path[:2] == ("config", "connections") and len(path) > 2:
        return f"connection {path[2]}"
    if path[:2] == ("provisioner", "properties") and len(path) > 2:
        return f"property '{path[2]}'" + ("" if path[3:] in ((), ("value",)) else f", {'.'.join(path[3:])}")
    if path[:1] == ("config",) and len(path) > 1:
        return ".".join(path[1:])
    if path[:1] in (("preferences",), ("arguments",)) and len(path) > 1:
        return f"'{'.'.join(path[1:])}'"
    return ".".join(path) or "the object"


def _short(value: Any) -> str:
    if isinstance(value, dict) and "plugin/name" in value:
        return f"{value['plugin/name']} ({value.get('plugin/type', 'plugin')})"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 100 else text[:97] + "…"
