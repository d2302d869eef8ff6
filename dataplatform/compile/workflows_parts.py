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

from dataplatform.compile import workflows, workflows_parent, workflows_services
from dataplatform.compile.names import stable_id
from dataplatform.compile.plan import Level, Plan, Step
from dataplatform.compile.workflows_part_texts import PartTexts, Piece, plan_of_piece
from dataplatform.diagnostics import Diagnostics, InputError, Position


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one workflow may be. The service's where nothing else is said."""

    source_bytes: int = workflows.MAX_SOURCE_BYTES
    executed_steps: int = workflows.MAX_EXECUTED_STEPS


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

    first: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Lanes:
    """A level that several parts run."""

    level: Level
    lanes: tuple[tuple[Piece, ...], ...]


Unit = Levels | Lanes


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
            f"the workflow that runs this pipeline's {error.parts} parts has {error.size:,} bytes and may execute"
            f" {error.executed:,} steps, and Cloud Workflows takes {limits.source_bytes:,} and"
            f" {workflows.MAX_EXECUTED_STEPS:,}",
            "make several pipelines of it",
        )
    except _TooManyStepsError as error:
        found.add(
            "DP401",
            whole,
            f"what became of this pipeline's {len(plan.steps()):,} steps may take {error.memory:,} bytes, and Cloud"
            f" Workflows keeps {workflows.MAX_VARIABLES:,} bytes of variables",
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
    def __init__(self, parts: int, size: int, executed: int) -> None:
        super().__init__(parts)
        self.parts, self.size, self.executed = parts, size, executed


class _TooManyStepsError(Exception):
    def __init__(self, memory: int) -> None:
        super().__init__(memory)
        self.memory = memory


def _rendered(plan: Plan, limits: Limits) -> tuple[Rendered, ...]:
    texts = PartTexts(plan)
    whole = texts.whole()
    if _fits(whole, plan, limits):
        steps = tuple(step.id for step in plan.steps())
        return (Rendered(workflow_id=workflows.workflow_id(plan), text=whole, steps=steps),)
    parts: list[Rendered] = []
    calls: list[workflows_parent.Call] = []

    def part(text: str, fragment: Plan) -> workflows_parent.Part:
        name = part_id(plan, len(parts) + 1)
        parts.append(Rendered(workflow_id=name, text=text, steps=tuple(step.id for step in fragment.steps())))
        return workflows_parent.Part(workflow=name, longest=workflows.longest(fragment))

    for unit in _split(plan, texts, limits):
        if isinstance(unit, Levels):
            calls.append(part(texts.levels(unit.first, unit.count), _of_levels(plan, unit.first, unit.count)))
            continue
        lanes = tuple(
            tuple((part(texts.piece(piece), plan_of_piece(plan, piece)), piece) for piece in lane)
            for lane in unit.lanes
        )
        calls.append(workflows_parent.LanesCall(level=unit.level, lanes=lanes))
    parent = workflows_parent.parent(plan, calls)
    size, executed = len(parent.encode()), workflows_parent.executed_steps(plan, calls)
    largest = max(*(len(part.steps) for part in parts), *(len(t.steps) for level in plan.levels for t in level.threads))
    memory = workflows_parent.memory(plan, calls, largest)
    if memory > workflows.MAX_VARIABLES:
        raise _TooManyStepsError(memory)
    if size > max(limits.source_bytes, _LEAST_PARENT) or executed > workflows.MAX_EXECUTED_STEPS:
        raise _TooManyPartsError(len(parts), size, executed)
    return (Rendered(workflow_id=workflows.workflow_id(plan), text=parent, steps=()), *parts)


_LEAST_PARENT = 24_000
"""What a workflow that runs parts takes in any case: limits below it are those of a test."""


def _fits(text: str, fragment: Plan, limits: Limits) -> bool:
    return len(text) <= limits.source_bytes and workflows.executed_steps(fragment) <= limits.executed_steps


def _of_levels(plan: Plan, first: int, count: int) -> Plan:
    return replace(plan, levels=plan.levels[first : first + count])


def _split(plan: Plan, texts: PartTexts, limits: Limits) -> Iterable[Unit]:
    """The units in order: as many levels together as fit, a level that does not in lanes."""
    units: list[Unit] = []
    first = 0
    while first < len(plan.levels):

        def fits(count: int, first: int = first) -> bool:
            return _fits(texts.levels(first, count), _of_levels(plan, first, count), limits)

        count = _most(len(plan.levels) - first, fits)
        if count:
            units.append(Levels(first=first, count=count))
        else:
            units.append(_lanes(plan, plan.levels[first], texts, limits))
        first += max(count, 1)
    return units


def _lanes(plan: Plan, level: Level, texts: PartTexts, limits: Limits) -> Lanes:
    """The level's threads: as many together as fit, one that does not in pieces one after the other."""

    def piece_fits(piece: Piece) -> bool:
        return _fits(texts.piece(piece), plan_of_piece(plan, piece), limits)

    lanes: list[tuple[Piece, ...]] = []
    first = 0
    while first < len(level.threads):

        def piece(count: int, first: int = first) -> Piece:
            return Piece(level=level, first=first, threads=level.threads[first : first + count])

        count = _most(len(level.threads) - first, lambda count, piece=piece: piece_fits(piece(count)))  # type: ignore[misc]
        lanes.append((piece(count),) if count else _chain(plan, piece(1), texts, piece_fits))
        first += max(count, 1)
    return Lanes(level=level, lanes=tuple(lanes))


def _chain(plan: Plan, whole: Piece, texts: PartTexts, fits: Callable[[Piece], bool]) -> tuple[Piece, ...]:
    """The pieces of one thread."""
    (thread,) = whole.threads
    pieces: list[Piece] = []
    rest = thread.steps

    def piece(steps: Sequence[Step]) -> Piece:
        return replace(whole, threads=(replace(thread, steps=tuple(steps)),))

    while rest:
        count = _most(len(rest), lambda count, rest=rest: fits(piece(rest[:count])))  # type: ignore[misc]
        if not count:
            alone = piece(rest[:1])
            raise TooLargeError(rest[0], len(texts.piece(alone)), workflows.executed_steps(plan_of_piece(plan, alone)))
        pieces.append(piece(rest[:count]))
        rest = rest[count:]
    return tuple(pieces)


def _most(count: int, fits: Callable[[int], bool]) -> int:
    """How many of so many fit, 0 where not even one does; what fits with more fits with less."""
    least, most = 0, count
    while least < most:
        middle = (least + most + 1) // 2
        if fits(middle):
            least = middle
        else:
            most = middle - 1
    return least
