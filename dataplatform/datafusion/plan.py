"""What a push has to do, in which order. Pure: nothing is read or changed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

from dataplatform.datafusion import normalise
from dataplatform.datafusion.compare import Change, compare
from dataplatform.datafusion.errors import RefusedError
from dataplatform.datafusion.model import (
    DEFAULT_SCHEDULE,
    NEVER_PUSHED,
    ORDER,
    SYSTEM,
    Export,
    Json,
    Key,
    Kind,
    pipeline_key,
)
from dataplatform.datafusion.read import Snapshot

Action = Literal["create", "update", "delete"]
_DELETES = 100
_OF_PIPELINE = frozenset({Kind.PIPELINE_PREFERENCES, Kind.RUNTIME_ARGUMENTS, Kind.SCHEDULE, Kind.TRIGGER})
FIFTH = 0.2
"""More deletes than this part of what is there want a word."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One object to change. Steps of one phase do not depend on each other."""

    key: Key
    action: Action
    body: Json = field(default_factory=dict)
    parent: str = ""
    """Of a pipeline: the version this change is made to; if another one has come since, CDAP refuses."""
    schedule: Literal["same", "moved", "gone"] = "same"
    """Of a pipeline: what becomes of the schedule its configuration asks for."""

    @property
    def phase(self) -> int:
        """Steps run phase by phase: what others need first, what needs others is deleted first."""
        place = ORDER[self.key.kind]
        return 2 * _DELETES - place if self.action == "delete" else place

    def __str__(self) -> str:
        return f"{self.action} {self.key}"

    def as_dict(self) -> Json:
        """Plain data."""
        key = self.key
        part = {"part": key.part} if key.part else {}
        return {"action": self.action, "kind": str(key.kind), "namespace": key.namespace, "name": key.name, **part}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to push."""

    replace: bool = False
    """Everything again, also what is the same (S0's full replace)."""
    prune: bool = False
    """Delete what the files do not have."""
    doomed: Collection[str] = ()
    """Namespaces to delete as a whole: named on the command line, with no files."""
    names: Callable[[str], bool] = field(default=lambda name: True)
    """Which pipelines."""
    chosen: bool = False
    """Whether only some pipelines are meant: then nothing else is touched."""


def plan(desired: Export, snapshot: Snapshot, options: Options) -> list[Step]:
    """The steps that make the instance hold what is desired."""
    steps = []
    have = snapshot.export
    for key, body in desired.items():
        if not _pushable(key) or not _meant(key, options):
            continue
        there = _there(key, snapshot)
        if there and not options.replace and same(key, body, desired, snapshot):
            continue
        if key.kind == Kind.ARTIFACT and there and options.replace and not body["properties"]:
            continue  # the jar of a version cannot be replaced
        before = have.get(key, {})
        steps.append(
            Step(
                key=key,
                action="update" if there else "create",
                body=body,
                parent=snapshot.app_versions.get(key, ""),
                schedule=_schedule_of(before, body) if key.kind == Kind.PIPELINE and there else "same",
            )
        )
    if options.prune:
        steps += [Step(key=key, action="delete", body=have[key]) for key in _gone(desired, snapshot, options)]
    steps += [Step(key=Key(namespace=name, kind=Kind.NAMESPACE), action="delete") for name in options.doomed]
    return sorted(steps, key=lambda step: (step.phase, step.key.sort_key()))


def _pushable(key: Key) -> bool:
    return key.kind not in NEVER_PUSHED and not (
        key.namespace == SYSTEM and key.kind in (Kind.ARTIFACT, Kind.NAMESPACE)
    )


def _meant(key: Key, options: Options) -> bool:
    owner = pipeline_key(key)
    if owner is not None:
        return options.names(owner.name)
    return not options.chosen or key.kind == Kind.NAMESPACE


def _there(key: Key, snapshot: Snapshot) -> bool:
    return key in snapshot.export or key in snapshot.schedules


def same(key: Key, body: Json, desired: Export, snapshot: Snapshot) -> bool:
    """Whether the instance has the object as it is desired."""
    have = snapshot.export.get(key)
    if key.kind in (Kind.SCHEDULE, Kind.TRIGGER):
        owner = pipeline_key(key)
        config = desired.get(owner, {}).get("config") if owner else None
        wanted = normalise.schedule(body, config)
        # What comes with a pipeline, suspended, is left out of an export.
        return wanted == (have or {"pipeline": key.name, "name": key.part, "status": "SUSPENDED"})
    if have is None:
        return False
    if key.kind == Kind.ARTIFACT:
        return bool(have["properties"] == body["properties"])
    return have == body


def _schedule_of(before: Json, after: Json) -> Literal["same", "moved", "gone"]:
    old, new = (normalise.derived_schedule(body.get("config", {})) for body in (before, after))
    if "trigger" in old and "trigger" not in new:
        return "gone"
    return "same" if old == new else "moved"


def _gone(desired: Export, snapshot: Snapshot, options: Options) -> list[Key]:
    covered = {key.namespace for key in desired}
    found = []
    for key in snapshot.export:
        if key in desired or key.namespace not in covered or not _pushable(key) or key.kind == Kind.NAMESPACE:
            continue
        if key.kind == Kind.SCHEDULE and key.part == DEFAULT_SCHEDULE:
            continue  # comes with its pipeline; whether it runs is nobody's business who has no file for it
        if key.kind in _OF_PIPELINE and pipeline_key(key) not in desired:
            continue  # goes with its pipeline
        if _meant(key, options):
            found.append(key)
    return found


def changes(desired: Export, snapshot: Snapshot, steps: list[Step]) -> list[Change]:
    """What the steps change, by meaning."""
    keys = {step.key for step in steps}
    return compare(
        {k: v for k, v in snapshot.export.items() if k in keys}, {k: v for k, v in desired.items() if k in keys}
    )


def guard(steps: list[Step], snapshot: Snapshot, allowed: int | None) -> None:
    """Refuse a deletion of many things unless the number is given.

    Raises:
        RefusedError: when more than a fifth, or all of a kind, would go.
    """
    deletes = [step for step in steps if step.action == "delete"]
    if not deletes or (allowed is not None and len(deletes) <= allowed):
        return
    there = Counter(key.kind for key in snapshot.export)
    going = Counter(step.key.kind for step in deletes)
    total = sum(n for kind, n in there.items() if kind not in NEVER_PUSHED)
    whole = [kind for kind, n in going.items() if n > 1 and n >= there[kind]]
    many = len(deletes) > 1 and (len(deletes) > FIFTH * total or bool(whole))
    if many or Kind.NAMESPACE in going:
        names = ", ".join(str(step.key) for step in deletes[:3]) + (", …" if len(deletes) > 3 else "")
        raise RefusedError(
            f"this would delete {len(deletes)} of the {total} objects there ({names}); "
            f"say --allow-deletes {len(deletes)} if that is meant"
        )
