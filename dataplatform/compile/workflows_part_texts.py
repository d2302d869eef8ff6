"""The texts of a pipeline in parts: the workflow that runs the parts, and the parts (see `workflows_parts`).

A level, a step and a thread are dumped once and stand in every text that is tried as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dataplatform.compile import workflows
from dataplatform.compile import workflows_library as library
from dataplatform.compile.names import ascii_words
from dataplatform.compile.plan import Level, Plan, Step, Thread
from dataplatform.compile.workflows import STEP_INDENT, Data, routine_head
from dataplatform.compile.workflows_library import Variant
from dataplatform.compile.yaml_text import Inline, dump


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What one part runs of a level: whole threads side by side, or some steps of one thread."""

    level: Level
    first: int
    """Index of the first thread in its level."""
    threads: tuple[Thread, ...]

    @property
    def indexes(self) -> list[int]:
        """Of the threads in their level."""
        return list(range(self.first, self.first + len(self.threads)))


class PartTexts:
    """The parts of one plan as text."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._names = workflows.run_steps(plan)
        self._run_steps: dict[Variant, str] = {}
        self._steps: dict[str, str] = {}
        self._threads: dict[tuple[str, int], str] = {}

    def whole(self) -> str:
        """The workflow that runs all of it."""
        head, tail = workflows.whole_head(self._plan), workflows.whole_tail(self._plan, self._names)
        return "".join([*head, *self._levels, *tail])

    @cached_property
    def _levels(self) -> tuple[str, ...]:
        return workflows.level_texts(self._plan, self._names)

    @cached_property
    def _end_level(self) -> str:
        return dump({"end_level": library.end_level()})

    @cached_property
    def _frame(self) -> tuple[str, str]:
        """What every part begins and ends with."""
        return workflows.heading(self._plan), workflows.tail(len(self._plan.steps()))

    def levels(self, first: int, count: int) -> str:
        """The part that runs so many levels."""
        levels = self._plan.levels[first : first + count]
        narrow = [len(level.threads) for level in levels if len(level.threads) <= workflows.MAX_BRANCHES]
        threads: list[Data] = [{f"t{number}": None} for number in range(1, max(narrow, default=0) + 1)]
        begin: list[Data] = [
            {"fresh": Inline(failed=False, steps=[])},
            {"done": Inline(failures=[], steps=[])},
            *threads,
        ]
        finish = {"return": Inline(failed=False, steps="${done.steps}")}
        head, tail = self._frame
        return "".join(
            [
                head,
                _LEVELS_MAIN,
                routine_head("run_levels", ["run"]),
                dump([{"init": {"assign": begin}}], STEP_INDENT),
                *self._levels[first : first + count],
                dump([{"finish": finish}], STEP_INDENT),
                *self._subworkflows((step for level in levels for step in _steps(level.threads)), len(narrow) < count),
                self._end_level,
                tail,
            ]
        )

    def piece(self, piece: Piece) -> str:
        """The part that runs some of a level."""
        count, head, tail = len(piece.threads), *self._frame
        alone = count == 1
        body = self._calls(piece) if alone else self._loop(piece)
        told = ["${t1}"] if alone else [f"${{outcomes[{index}]}}" for index in piece.indexes]
        steps = _steps(piece.threads)
        return "".join(
            [
                head,
                routine_head("main", ["args"]),
                *body,
                dump([{"finish": {"return": Inline(threads=told)}}], STEP_INDENT),
                *self._subworkflows(steps, not alone),
                tail,
            ]
        )

    def _calls(self, piece: Piece) -> list[str]:
        """The steps of one thread, from where it had come."""
        (thread,) = piece.threads
        begin: list[Data] = [{"run": "${args.run}"}, {"t1": Inline(failed="${args.failed}", steps=[])}]
        for step in thread.steps:
            if step.id not in self._steps:
                self._number_steps(piece.level)
        return [dump([{"init": {"assign": begin}}], STEP_INDENT), *(self._steps[step.id] for step in thread.steps)]

    def _number_steps(self, level: Level) -> None:
        unique = workflows.labels()
        for thread in level.threads:
            for step in thread.steps:
                call = workflows.step_call(
                    self._plan, level, thread, step, self._names, before="${t1}", result="t1", unique=unique
                )
                self._steps[step.id] = dump([call], STEP_INDENT)

    def _loop(self, piece: Piece) -> list[str]:
        """Whole threads, as data."""
        unique = workflows.labels()
        unique("threads")
        begin = {"assign": [{"run": "${args.run}"}, {"outcomes": [None] * len(piece.level.threads)}]}
        # The list of threads is written as text that was made before: its items are the same in any part.
        items = "".join(self._thread(piece.level, thread, index) for thread, index in _numbered(piece))
        pad = " " * STEP_INDENT
        return [
            dump([{"init": begin}], STEP_INDENT),
            f"{pad}- threads:\n{pad}    assign:\n{pad}      - threads:\n{items}",
            dump([workflows.thread_loop(piece.level, "level", unique)], STEP_INDENT),
        ]

    def _thread(self, level: Level, thread: Thread, index: int) -> str:
        key = level.id, index
        if key not in self._threads:
            data = workflows.thread_data(self._plan, thread, index, self._names)
            self._threads[key] = dump([data], STEP_INDENT + 10)
        return self._threads[key]

    def _subworkflows(self, steps: Iterable[Step], threads: bool) -> list[str]:
        wanted = {workflows.variant_of(step) for step in steps}
        names = {variant: name for variant, name in self._names.items() if variant in wanted}
        for variant, name in names.items():
            if variant not in self._run_steps:
                self._run_steps[variant] = dump({name: workflows.run_step_of(variant)})
        found = [self._run_steps[variant] for variant in names]
        if any(variant.jobs for variant in names):
            found.append(dump({"job_is_over": library.job_is_over()}))
        if threads:
            numbers = {n: name for n, (variant, name) in enumerate(self._names.items()) if variant in wanted}
            found.append(dump({"run_thread": library.run_thread(numbers)}))
        return found


def _steps(threads: Iterable[Thread]) -> Iterable[Step]:
    return (step for thread in threads for step in thread.steps)


def _numbered(piece: Piece) -> Iterable[tuple[Thread, int]]:
    return zip(piece.threads, piece.indexes, strict=True)


def plan_of_piece(plan: Plan, piece: Piece) -> Plan:
    """What a piece would be as a pipeline, to count what it costs."""
    return replace(plan, levels=(Level(id=piece.level.id, threads=piece.threads),))


def _levels_main() -> str:
    """What a part of levels does around them: a failure of theirs is an outcome, anything else is an error."""
    told = Inline(failed=True, message="${e.message}", steps="${e.steps}")
    is_ours = '${get_type(e) == "map" and "failures" in e}'
    handler: list[Data] = [
        {"is_ours": {"switch": [{"condition": is_ours, "next": "failed"}], "next": "other"}},
        {"failed": {"return": told}},
        {"other": {"raise": "${e}"}},
    ]
    call: Data = {"call": "run_levels", "args": Inline(run="${args.run}"), "result": "outcome"}
    steps: list[Mapping[str, object]] = [
        {"levels": {"try": call, "except": {"as": "e", "steps": handler}}},
        {"finish": {"return": "${outcome}"}},
    ]
    return dump({"main": {"params": ["args"], "steps": steps}})


_LEVELS_MAIN = _levels_main()


def label_of(level: Level) -> str:
    """The name of the step that runs a level."""
    return f"level_{ascii_words(level.id) or 'x'}"


def literals(threads: Sequence[Thread]) -> list[str]:
    """The ids of threads as values."""
    return [workflows.literal(thread.id) for thread in threads]
