"""A pipeline that is too large for one workflow: a workflow that runs others, each of them a part of the pipeline.

What has a limit is one source and one execution. Consecutive levels that fit into both go into one part; a level that
does not is run in lanes, parts that run at the same time, each with some of its threads; a thread that does not is a
lane of several parts, one after the other. The parts are found greedily in the definition's order, so the same plan
gives the same parts. A part is given the run's values and tells how its steps ended; it does not fail itself, so that
the whole fails once, with one message, whichever part the reason is in.

What does not fit even alone is refused with the figure: one step whose polls exceed what an execution may run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from dataplatform.compile import workflows, workflows_services
from dataplatform.compile import workflows_part_texts as texts
from dataplatform.compile.names import stable_id
from dataplatform.compile.plan import Level, Plan, Step, Thread
from dataplatform.diagnostics import Diagnostics, InputError, Position


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one workflow may be. The service's where nothing else is said."""

    source_bytes: int = workflows.MAX_SOURCE_BYTES
    executed_steps: int = workflows.MAX_EXECUTED_STEPS
    branches: int = workflows.MAX_BRANCHES


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """One workflow of a pipeline."""

    workflow_id: str
    text: str
    steps: tuple[str, ...]
    """Ids of the plan's steps that it runs itself."""


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Consecutive levels that one part runs."""

    levels: tuple[Level, ...]


@dataclass(frozen=True, kw_only=True)
class Lanes:
    """A level that several parts run."""

    level: Level
    lanes: tuple[tuple[texts.Piece, ...], ...]


Unit = Levels | Lanes
T = TypeVar("T")


class TooLargeError(Exception):
    """Raised when a step does not fit into a workflow of its own."""

    def __init__(self, step: Step, size: int, executed: int) -> None:
        super().__init__(step.id)
        self.step, self.size, self.executed = step, size, executed


def render_all(plan: Plan, limits: Limits = Limits()) -> tuple[Rendered, ...]:
    """The workflows of a pipeline: the one it is run by, and its parts where it has any.

    Raises:
        InputError: the pipeline exceeds a limit of the service that no split meets.
    """
    rendered, found = attempt(plan, {}, limits)
    if found:
        raise InputError(found)
    return rendered


def problems(plan: Plan, places: Mapping[str, Position], limits: Limits = Limits()) -> Diagnostics:
    """What of this plan the service would refuse or could not run. `places` has the position of each job name."""
    return attempt(plan, places, limits)[1]


def attempt(
    plan: Plan, places: Mapping[str, Position], limits: Limits = Limits()
) -> tuple[tuple[Rendered, ...], Diagnostics]:
    """The workflows of a pipeline, and what the service would refuse about them."""
    rendered: tuple[Rendered, ...] = ()
    found = workflows_services.problems(plan, places)
    if found:
        return rendered, found
    found = workflows.name_problems(plan, places)
    whole = Position(plan.source.file)
    try:
        rendered = _rendered(plan, limits)
    except TooLargeError as error:
        place = places.get(error.step.job_name, whole)
        if error.executed > limits.executed_steps:
            found.add(
                "DP401",
                place,
                f"polling this step to its timeout would execute {error.executed:,} steps, and Cloud Workflows ends an"
                f" execution after {limits.executed_steps:,}",
                "raise WAIT_TIME_SECONDS or shorten the timeout",
            )
        else:
            found.add(
                "DP401",
                place,
                f"a workflow of this step alone has {error.size:,} bytes, and Cloud Workflows takes"
                f" {limits.source_bytes:,}",
                "shorten STEP_PROPERTIES",
            )
    except _TooManyPartsError as error:
        found.add(
            "DP401",
            whole,
            f"the workflow that runs this pipeline's {error.parts} parts has {error.size:,} bytes, and Cloud Workflows"
            f" takes {limits.source_bytes:,}",
            "make several pipelines of it",
        )
    return rendered, found


def part_id(plan: Plan, number: int) -> str:
    """The id of a part, numbered from 1."""
    suffix = f"-part-{number}"
    name = workflows.workflow_id(plan)
    longest = workflows.MAX_ID - len(suffix)
    return (name if len(name) <= longest else stable_id(name, keep="_-", longest=longest)) + suffix


class _TooManyPartsError(Exception):
    def __init__(self, parts: int, size: int) -> None:
        super().__init__(parts)
        self.parts, self.size = parts, size


def _rendered(plan: Plan, limits: Limits) -> tuple[Rendered, ...]:
    whole = workflows.text_of(plan)
    steps = tuple(step.id for step in plan.steps())
    if _fits(whole, plan, limits):
        return (Rendered(workflow_id=workflows.workflow_id(plan), text=whole, steps=steps),)
    units = _split(plan, limits)
    parts: list[Rendered] = []
    calls: list[texts.Call] = []
    for unit in units:
        if isinstance(unit, Levels):
            name = part_id(plan, len(parts) + 1)
            fragment = replace(plan, levels=unit.levels)
            parts.append(_part(name, texts.levels_part(fragment), fragment))
            calls.append(texts.LevelsCall(workflow=name))
            continue
        lanes: list[tuple[tuple[str, texts.Piece], ...]] = []
        for lane in unit.lanes:
            named: list[tuple[str, texts.Piece]] = []
            for piece in lane:
                name = part_id(plan, len(parts) + 1)
                fragment = _of_piece(plan, unit.level, piece)
                parts.append(_part(name, texts.threads_part(fragment), fragment))
                named.append((name, piece))
            lanes.append(tuple(named))
        calls.append(texts.LanesCall(level=unit.level, lanes=tuple(lanes)))
    parent = texts.parent(plan, tuple(calls))
    size = len(parent.encode())
    if size > max(limits.source_bytes, _LEAST_PARENT):
        raise _TooManyPartsError(len(parts), size)
    return (Rendered(workflow_id=workflows.workflow_id(plan), text=parent, steps=()), *parts)


_LEAST_PARENT = 24_000
"""What a workflow that runs parts takes in any case: limits below it are those of a test."""


def _part(name: str, text: str, fragment: Plan) -> Rendered:
    return Rendered(workflow_id=name, text=text, steps=tuple(step.id for step in fragment.steps()))


def _fits(text: str, fragment: Plan, limits: Limits) -> bool:
    return len(text.encode()) <= limits.source_bytes and workflows.executed_steps(fragment) <= limits.executed_steps


def _of_piece(plan: Plan, level: Level, piece: texts.Piece) -> Plan:
    return replace(plan, levels=(Level(id=level.id, threads=tuple(thread for _, thread in piece)),))


def _split(plan: Plan, limits: Limits) -> Iterable[Unit]:
    """The units in order: as many levels together as fit, a level that does not in lanes."""

    def fits(levels: Sequence[Level]) -> bool:
        fragment = replace(plan, levels=tuple(levels))
        return _fits(texts.levels_part(fragment), fragment, limits)

    units: list[Unit] = []
    rest = list(plan.levels)
    while rest:
        count = _most(rest, fits)
        if count:
            units.append(Levels(levels=tuple(rest[:count])))
        else:
            count = 1
            units.append(_lanes(plan, rest[0], limits))
        rest = rest[count:]
    return units


def _lanes(plan: Plan, level: Level, limits: Limits) -> Lanes:
    def fits(piece: texts.Piece) -> bool:
        fragment = _of_piece(plan, level, piece)
        return _fits(texts.threads_part(fragment), fragment, limits)

    lanes: list[tuple[texts.Piece, ...]] = []
    rest = list(enumerate(level.threads))
    while rest:
        count = _most(rest[: limits.branches], lambda some: fits(tuple(some)))
        if count:
            lanes.append((tuple(rest[:count]),))
        else:
            count = 1
            lanes.append(_chain(plan, level, rest[0], fits))
        rest = rest[count:]
    return Lanes(level=level, lanes=tuple(lanes))


def _chain(plan: Plan, level: Level, numbered: tuple[int, Thread], fits: texts.Fits) -> tuple[texts.Piece, ...]:
    index, thread = numbered
    pieces: list[texts.Piece] = []
    rest = thread.steps

    def piece(steps: tuple[Step, ...]) -> texts.Piece:
        return ((index, replace(thread, steps=steps)),)

    while rest:
        count = _most(rest, lambda steps: fits(piece(tuple(steps))))
        if not count:
            alone = _of_piece(plan, level, piece(rest[:1]))
            raise TooLargeError(rest[0], len(texts.threads_part(alone).encode()), workflows.executed_steps(alone))
        pieces.append(piece(rest[:count]))
        rest = rest[count:]
    return tuple(pieces)


def _most(items: Sequence[T], fits: Callable[[Sequence[T]], bool]) -> int:
    """How many of the first items fit, 0 where not even one does; what fits with more fits with less."""
    least, most = 0, len(items)
    while least < most:
        middle = (least + most + 1) // 2
        if fits(items[:middle]):
            least = middle
        else:
            most = middle - 1
    return least
