"""What changed in a pipeline's meaning between two plans.

Text, the order of keys, numbers in quotes, defaults written out, JOB_IDs and the numbers of levels and threads mean
nothing to a run; none of them alone is a change. Steps are known by their name. Order is compared as what must have
ended before what, among the steps that both plans have.

Deliberately absent: the target and the source of a plan, and its name: they say where it runs and where it was read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from itertools import pairwise
from typing import Any

from dataplatform.compile.plan import FusionRuns, Level, Operation, Parameter, Plan, Step
from dataplatform.show.changes import Change, Kind, as_dicts
from dataplatform.show.diff_text import render
from dataplatform.show.words import masked

__all__ = ["Change", "as_dicts", "diff", "render"]

_NOT_MEANT = frozenset({"id", "job_id", "job_name", "properties", "parameters"})
"""Fields of a step that are not compared as they are."""
_PLAN_NOT_MEANT = frozenset({"name", "levels", "target", "source"})
_ABSENT = object()


@dataclass(frozen=True)
class _Place:
    level: int
    thread: int
    index: int
    level_id: str
    thread_id: str

    def shown(self) -> str:
        return f"level {self.level_id}, thread {self.thread_id}"

    def before(self, other: _Place) -> bool:
        """Whether a step here must have ended before one there starts."""
        if self.level != other.level:
            return self.level < other.level
        return self.thread == other.thread and self.index < other.index


def diff(old: Plan, new: Plan) -> tuple[Change, ...]:
    """The changes from one plan to another: of the pipeline, then of steps in the order of the plans, then of edges."""
    before, after = _places(old), _places(new)
    old_steps = {step.id: step for step in old.steps()}
    new_steps = {step.id: step for step in new.steps()}
    names = {name: name for name in old_steps if name in new_steps}
    renamed = _renamed(old_steps, new_steps, before, after)
    names |= renamed
    changes = list(_pipeline(old, new))
    moved = _moved(names, before, after)
    for name, step in old_steps.items():
        if name not in names:
            detail = _direct(old.levels, before, name)
            changes.append(Change(kind="step", action="removed", subject=name, old=before[name].shown(), after=detail))
            continue
        now = names[name]
        if name != now:
            changes.append(Change(kind="step", action="renamed", subject=now, field="name", old=name, new=now))
        if name in moved:
            was, place = before[name].shown(), after[now].shown()
            changes.append(Change(kind="step", action="moved", subject=now, field="place", old=was, new=place))
        changes += _fields(now, step, new_steps[now])
    known = frozenset(names.values())
    for name in new_steps:
        if name not in known:
            detail = _direct(new.levels, after, name)
            changes.append(Change(kind="step", action="added", subject=name, new=after[name].shown(), after=detail))
    return (*changes, *_edges(old, new, names, before, after))


def _places(plan: Plan) -> dict[str, _Place]:
    return {
        step.id: _Place(i, j, k, level.id, thread.id)
        for i, level in enumerate(plan.levels)
        for j, thread in enumerate(level.threads)
        for k, step in enumerate(thread.steps)
    }


def _text(value: object) -> str:
    """JSON data as text that is equal exactly where the data is: 1, 1.0, true and "1" are four things."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _plain(value: object) -> Any:
    if isinstance(value, tuple) and all(isinstance(item, Parameter) for item in value):
        return {item.name: {key: part for key, part in asdict(item).items() if key != "name"} for item in value}
    if isinstance(value, Operation):
        values = {_dotted(path): name for path, name in value.values}
        return {"executor": value.executor, "arguments": dict(value.arguments), "values": values}
    if isinstance(value, FusionRuns):
        plain = {key: part for key, part in asdict(value).items() if key != "written"}
        return plain | {"arguments": dict(value.arguments)}
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _pipeline(old: Plan, new: Plan) -> Iterator[Change]:
    for item in fields(Plan):
        was, now = _plain(getattr(old, item.name)), _plain(getattr(new, item.name))
        if item.name in ("engines", "tags"):
            was, now = sorted(was), sorted(now)
        if item.name not in _PLAN_NOT_MEANT and was != now:
            yield from _values("pipeline", "", item.name, was, now, ())


def _fields(name: str, old: Step, new: Step) -> Iterator[Change]:
    for item in fields(Step):
        if item.name not in _NOT_MEANT:
            was, now = _plain(getattr(old, item.name)), _plain(getattr(new, item.name))
            yield from _values("step", name, item.name, was, now, ())
    yield from _values("step", name, "properties", dict(old.properties), dict(new.properties), ())
    filled = {_dotted(path): "the run's parameter " + parameter for path, parameter in old.parameters}
    fills = {_dotted(path): "the run's parameter " + parameter for path, parameter in new.parameters}
    for path in sorted({*filled, *fills}):
        if (path in filled) != (path in fills):
            yield from _values("step", name, path, filled.get(path, "text"), fills.get(path, "text"), ())


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(("properties", *map(str, path)))


def _values(kind: Kind, subject: str, path: str, old: object, new: object, keys: tuple[str, ...]) -> Iterator[Change]:
    """The differences of two values, each at the deepest mapping that holds it."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            was, now = old.get(key, _ABSENT), new.get(key, _ABSENT)
            yield from _values(kind, subject, f"{path}.{key}", was, now, (*keys, str(key)))
        return
    if old is _ABSENT:
        yield Change(kind=kind, action="added", subject=subject, field=path, new=masked(new, keys))
    elif new is _ABSENT:
        yield Change(kind=kind, action="removed", subject=subject, field=path, old=masked(old, keys))
    elif _text(old) != _text(new):
        was, now = masked(old, keys), masked(new, keys)
        yield Change(kind=kind, action="changed", subject=subject, field=path, old=was, new=now)


def _same_work(old: Step, new: Step) -> bool:
    return not any(True for _ in _fields("", old, new))


def _renamed(
    old: Mapping[str, Step], new: Mapping[str, Step], before: Mapping[str, _Place], after: Mapping[str, _Place]
) -> dict[str, str]:
    """Steps of which all but the name is equal, their level and thread included; each is one of the other's."""
    gone = [name for name in old if name not in new]
    come = [name for name in new if name not in old]
    pairs: dict[str, str] = {}
    for name in gone:
        fit = [
            other
            for other in come
            if other not in pairs.values()
            and before[name].shown() == after[other].shown()
            and _same_work(old[name], new[other])
        ]
        if fit:
            pairs[name] = min(
                fit,
                key=lambda other: (
                    old[name].job_id != new[other].job_id, abs(before[name].index - after[other].index), other,
                ),
            )  # fmt: skip
    return pairs


def _moved(names: Mapping[str, str], before: Mapping[str, _Place], after: Mapping[str, _Place]) -> frozenset[str]:
    """Steps that are with other steps than before; a level or thread that only has another number has not moved."""
    levels = _matched(Counter((before[old].level, after[new].level) for old, new in names.items()))
    threads = _matched(
        Counter(
            ((before[old].level, before[old].thread), (after[new].level, after[new].thread))
            for old, new in names.items()
            if levels.get(before[old].level) == after[new].level
        )
    )
    return frozenset(
        old
        for old, new in names.items()
        if threads.get((before[old].level, before[old].thread)) != (after[new].level, after[new].thread)
    )


def _matched(shared: Counter[tuple[Any, Any]]) -> dict[Any, Any]:
    """One for one, those first that share most steps, and among equals those that come first."""
    pairs: dict[Any, Any] = {}
    for (one, other), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    return pairs


def _direct(levels: tuple[Level, ...], places: Mapping[str, _Place], name: str) -> tuple[str, ...]:
    """The steps that a step waits for directly."""
    place = places[name]
    if place.index:
        return (levels[place.level].threads[place.thread].steps[place.index - 1].id,)
    above = levels[place.level - 1].threads if place.level else ()
    return tuple(thread.steps[-1].id for thread in above if thread.steps)


def _edges(
    old: Plan, new: Plan, names: Mapping[str, str], before: Mapping[str, _Place], after: Mapping[str, _Place]
) -> Iterator[Change]:
    """Orders that hold on one side only, among the steps of both; what follows from other orders is not repeated."""
    back = {now: was for was, now in names.items()}
    for first, second in _covering(old, frozenset(names)):
        if not after[names[first]].before(after[names[second]]):
            yield Change(kind="edge", action="removed", subject=names[second], after=(names[first],))
    for first, second in _covering(new, frozenset(back)):
        if not before[back[first]].before(before[back[second]]):
            yield Change(kind="edge", action="added", subject=second, after=(first,))


def _covering(plan: Plan, kept: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The direct orders of the plan that is left when only some steps are kept."""
    last: list[str] = []
    for level in plan.levels:
        threads = [[step.id for step in thread.steps if step.id in kept] for thread in level.threads]
        threads = [thread for thread in threads if thread]
        for thread in threads:
            yield from ((first, thread[0]) for first in last)
            yield from pairwise(thread)
        if threads:
            last = [thread[-1] for thread in threads]
