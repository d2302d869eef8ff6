"""A plan against a state: what an up would change, told without an engine, a cloud or a credential.

The state is an export (`pulumi stack export`, secrets left encrypted). The program is recorded with the state's outputs
for answers, and its inputs are compared with the state's by the providers' own field tables, those the embedded cloud
judges by. Deliberately absent: drift, which only the cloud knows; secret values; what the program asks a provider for
while it runs. They are not compared, and what was left out is counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataplatform.local.costs import Cost, cost
from dataplatform.local.errors import StateError
from dataplatform.local.fields import Field, fields_of

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What would happen to one resource."""

    urn: str
    type: str
    name: str
    op: str
    """`create`, `update`, `replace` or `delete`."""
    fields: tuple[Field, ...] = ()
    protect: bool = False

    @property
    def cost(self) -> Cost | None:
        """What it costs, where that is known."""
        return cost(self.type, self.op, [one.path for one in self.fields])

    def as_dict(self) -> dict[str, Any]:
        """The change for a machine."""
        told = self.cost
        return {
            "urn": self.urn,
            "type": self.type,
            "name": self.name,
            "op": self.op,
            "fields": [one.as_dict() for one in self.fields],
            "cost": told.as_dict() if told is not None else None,
            "protected": self.protect,
        }


@dataclass
class State:
    """The resources of an export, and what the recording finds by them."""

    resources: Mapping[str, Mapping[str, Any]]
    """By URN."""
    seen: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    """URNs whose outputs are not those of the state any more: new ones and replaced ones."""
    planned: list[Planned] = field(default_factory=list)
    not_compared: int = 0
    """Values that could not be compared: secrets, and what only a provider can tell."""

    def register(
        self,
        urn: str,
        token: str,
        custom: bool,
        inputs: Mapping[str, Any],
        depends: Mapping[str, Iterable[str]],
        aliases: Iterable[str] = (),
    ) -> tuple[str, Mapping[str, Any]]:
        """Judge one registration; returns the id and the outputs to answer with (empty: not known).

        Args:
            urn: Of the resource.
            token: Its type.
            custom: Whether it is a provider's resource.
            inputs: As they go over the wire, with the engine's marks for what is unknown or secret.
            depends: URNs that each property comes from.
            aliases: URNs that it may have had; the first that the state knows is meant.
        """
        held = next((one for one in (urn, *aliases) if one in self.resources), urn)
        self.seen.update((urn, held))
        old = self.resources.get(held)
        if old is None:
            self.changed.add(urn)
            if custom and not token.startswith("pulumi:"):
                self._plan(urn, token, "create")
            return "", {}
        if not custom:
            return "", {}
        if token.startswith("pulumi:"):
            return str(old.get("id") or ""), {}
        found, replaces = self._compare(token, old, inputs, depends)
        if replaces:
            self.changed.add(urn)
            self._plan(urn, token, "replace", found, bool(old.get("protect")))
            return "", {}
        if found:
            self._plan(urn, token, "update", found)
        return str(old.get("id") or ""), _merged(_outputs(old.get("outputs") or {}), inputs)

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What a provider's function answers; None: not known without a cloud."""
        return None

    def finish(self) -> list[Planned]:
        """All that would change; what the program registers no more would be deleted."""
        for urn, old in self.resources.items():
            token = str(old.get("type", ""))
            if urn in self.seen or not old.get("custom") or token.startswith("pulumi:") or old.get("external"):
                continue
            self._plan(urn, token, "delete", protect=bool(old.get("protect")))
        return sorted(self.planned, key=lambda one: one.urn)

    def _plan(self, urn: str, token: str, op: str, fields: tuple[Field, ...] = (), protect: bool = False) -> None:
        name = urn.rpartition("::")[2]
        self.planned.append(Planned(urn=urn, type=token, name=name, op=op, fields=fields, protect=protect))

    def _compare(
        self, token: str, old: Mapping[str, Any], inputs: Mapping[str, Any], depends: Mapping[str, Iterable[str]]
    ) -> tuple[tuple[Field, ...], bool]:
        from dataplatform.local import plan_plugins
        from localcloud import rules

        was = {key: value for key, value in (old.get("inputs") or {}).items() if key != "__defaults"}
        now = {key: value for key, value in inputs.items() if key != "__defaults"}
        stale = {name for name, urns in depends.items() if self.changed.intersection(urns)}
        was, now = self._comparable(was, now, stale)
        outputs = old.get("outputs") or {}
        checked = rules.check(token, now, olds=was).inputs if rules.known(token) else now
        if plan_plugins.known(token):
            changed, fixed = plan_plugins.changes(token, str(old.get("id") or ""), was, outputs, now)
        else:
            found = rules.diff(token, was, outputs, checked)
            changed, fixed = {path: str(kind) for path, kind in found.detailed.items()}, set(found.replaces)
        fields = fields_of(
            {
                "old": {"inputs": was, "outputs": old.get("outputs")},
                "new": {"inputs": checked},
                "detailedDiff": {path: {"diffKind": kind} for path, kind in changed.items()},
                "keys": fixed,
            }
        )
        return fields, bool(fixed)

    def _comparable(
        self, was: dict[str, Any], now: dict[str, Any], stale: Iterable[str]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Both without what cannot be compared: secrets, and what is unknown though nothing it comes from changes."""
        stale = set(stale)
        hidden = [path for path in _leaves(now) if _masked(_at(was, path)) or _masked(_at(now, path))]
        hidden += [
            path
            for path in _leaves(now)
            if _at(now, path) == UNKNOWN and path[0] not in stale and _at(was, path) is not None
        ]
        hidden += [path for path in _leaves(was) if _masked(_at(was, path))]
        for path in dict.fromkeys(hidden):
            self.not_compared += 1
            now = _replaced(now, path, _at(was, path))
        return was, now


def _masked(value: Any) -> bool:
    return isinstance(value, dict) and _SIGNATURE in value


def _leaves(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict) and not _masked(value):
        return [path for key, inner in value.items() for path in _leaves(inner, (*at, key))]
    if isinstance(value, list):
        return [path for index, inner in enumerate(value) for path in _leaves(inner, (*at, index))]
    return [at] if at else []


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        held = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if not held:
            return None
        value = value[part]
    return value


def _replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy with the value at the path replaced; None takes a key away."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, list) and isinstance(first, int):
        if first >= len(value):
            return value
        return [_replaced(inner, rest, new) if index == first else inner for index, inner in enumerate(value)]
    inner = _replaced((value or {}).get(first), rest, new)
    kept = {key: held for key, held in (value or {}).items() if key != first}
    return kept if inner is None else {**kept, first: inner}


def _outputs(value: Any) -> Any:
    """The state's outputs as an answer: a secret one is unknown to us."""
    if isinstance(value, dict):
        return UNKNOWN if _SIGNATURE in value else {key: _outputs(inner) for key, inner in value.items()}
    return [_outputs(inner) for inner in value] if isinstance(value, list) else value


def _merged(outputs: Any, inputs: Any) -> Any:
    """The state's outputs with what the program says now; what it does not know yet stays as it was."""
    if isinstance(outputs, dict) and isinstance(inputs, dict) and not _masked(inputs):
        return outputs | {key: _merged(outputs.get(key), inner) for key, inner in inputs.items()}
    return outputs if outputs is not None and (inputs == UNKNOWN or _masked(inputs)) else inputs


def read(file: Path) -> State:
    """The state of an export, or of a stack's file of the file backend.

    Raises:
        StateError: when it cannot be read as one.
    """
    try:
        document = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as problem:
        raise StateError(f"{file} cannot be read as an exported state: {problem}") from None
    held = document if isinstance(document, dict) else {}
    deployment = held.get("deployment") or (held.get("checkpoint") or {}).get("latest")
    if not isinstance(deployment, dict):
        raise StateError(f"{file} is no exported state; make one with: pulumi stack export --stack STACK --file FILE")
    return State({r["urn"]: r for r in deployment.get("resources") or [] if "urn" in r})


def told(planned: Iterable[Planned]) -> list[str]:
    """The changes for a person."""
    signs = {"create": "+", "update": "~", "replace": "!", "delete": "-"}
    lines = []
    for one in planned:
        cost_of = one.cost
        told_cost = f"  ({cost_of.line()})" if cost_of is not None and cost_of.line() else ""
        refused = (
            "  which the stack refuses: it is protected" if one.protect and one.op in ("replace", "delete") else ""
        )
        verb = one.op.upper() if one.op == "replace" else one.op
        lines.append(f"  {signs[one.op]} {one.type}  {one.name}  {verb}{told_cost}{refused}")
        lines += [f"      {change.line()}" for change in one.fields]
    return lines
