"""The workflow that runs the parts of a pipeline, and gathers what they tell (see `workflows_parts`).

It alone fails, and tells the function for failures: once, whichever part the reason is in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dataplatform.compile import workflows
from dataplatform.compile import workflows_library as library
from dataplatform.compile.names import Unique
from dataplatform.compile.plan import Level, Plan, Step, Thread
from dataplatform.compile.workflows import Data
from dataplatform.compile.workflows_part_texts import Piece, label_of, literals
from dataplatform.compile.yaml_text import Inline, dump

RUN = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run"
MAX_LOOK = 60
"""Seconds between two looks of the connector at a part that has run for five minutes, unless that is told."""
MAX_FAILURES = 100
"""Failures that are told in words; what of further ones is kept is that the step has failed. The log has all."""
MAX_MESSAGE = 20_000
"""Characters of a message after which no further failure is named in it."""
ARGUMENT = 8_000
"""Bytes of what a run is given."""
FEW_LOOKS = 1000
"""As many looks as a part may cost: a step of the execution each."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part to be run."""

    workflow: str
    longest: int
    """Seconds that it runs at the most."""

    @property
    def look(self) -> int:
        """Seconds between two looks at it when it has run for long."""
        return max(MAX_LOOK, self.longest // FEW_LOOKS)

    @property
    def looks(self) -> int:
        """How often it is looked at, at the most: at first ever later, then in turns."""
        return 25 + self.longest // self.look


@dataclass(frozen=True, kw_only=True)
class LanesCall:
    """A level whose threads are run by parts; a lane is one part after the other."""

    level: Level
    lanes: tuple[tuple[tuple[Part, Piece], ...], ...]


Call = Part | LanesCall
"""A part that runs levels, or a level that parts run."""


def parts_of(calls: Sequence[Call]) -> list[Part]:
    """All parts, in the order of the definition."""
    found: list[Part] = []
    for call in calls:
        found += [call] if isinstance(call, Part) else [part for lane in call.lanes for part, _ in lane]
    return found


def executed_steps(plan: Plan, calls: Sequence[Call]) -> int:
    """The most steps that running the parts takes: looks at them, and what gathers the outcome of each step."""
    return 40 + 8 * len(plan.parameters) + 12 * len(plan.steps()) + sum(40 + part.looks for part in parts_of(calls))


def memory(plan: Plan, calls: Sequence[Call], largest: int) -> int:
    """Bytes of variables that the outcomes may take; `largest` is the most steps of a part or a thread.

    A value counts for 8 bytes and its own size (reference, "Memory usage"): an entry for 141 beside its names and the
    job's id. Those of a part or a thread are there twice for a moment, those of all parts of a level that end at once
    as well. The words of the first failures come to it; not those of more in a level that parts run, which have to
    wait there until it is gathered.
    """
    words = len(plan.name) + 120 + library.error_text(len(plan.steps()))
    kept, most = 0, 0
    for level in plan.levels:
        entries = [_entry(level, thread, step) for thread in level.threads for step in thread.steps]
        size = sum(entries)
        in_lanes = any(isinstance(call, LanesCall) and call.level is level for call in calls)
        most = max(most, kept + size + (size if in_lanes else largest * size // max(len(entries), 1)))
        kept += size
    return most + 2 * MAX_FAILURES * words + MAX_MESSAGE + ARGUMENT


def _entry(level: Level, thread: Thread, step: Step) -> int:
    job_id = 45 if step.kind != "workflows" and step.operation is None else 160
    return 141 + len(f"{level.id}{thread.id}{step.job_name}") + job_id


def parent(plan: Plan, calls: Sequence[Call]) -> str:
    """The workflow that runs the parts, in order."""
    unique = workflows.labels()
    steps = workflows.opening(plan, 0, unique)
    for is_lanes, some in itertools.groupby(calls, lambda call: isinstance(call, LanesCall)):
        if is_lanes:
            for call in some:
                steps += _lanes_call(call, plan.on_failure, unique) if isinstance(call, LanesCall) else []
        else:
            steps += _parts_in_turn([call for call in some if isinstance(call, Part)], plan.on_failure, unique)
    steps.append(workflows.closing())
    workflow: Data = {"main": {"params": ["args"], "steps": steps}}
    if plan.parameters:
        workflow["read_parameters"] = library.read_parameters()
    if any(isinstance(call, LanesCall) for call in calls):
        workflow["run_lanes"] = _run_lanes()
    if plan.on_failure:
        workflow["notify"] = {"params": ["run", "message"], "steps": library.notify(plan.on_failure)}
    workflow["run_part"] = _run_part()
    return workflows.heading(plan) + dump(workflow) + workflows.tail(len(plan.steps()))


def _parts_in_turn(parts: Sequence[Part], on_failure: str | None, unique: Unique) -> list[Data]:
    """Run parts that have levels, gather what each has done, and raise where it has failed.

    All in one routine: what a subworkflow is given is a copy, and the steps of a large pipeline fit into the memory
    of an execution, but not many times.
    """
    label = unique("parts")

    def name(word: str) -> str:
        return unique(f"{label}_{word}")

    argument = Inline(run="${run}")
    run = Inline(run="${run}", workflow="${part.workflow}", look="${part.look}", argument=argument)
    lost = _assign(name("lost"), ("done.failures", "${list.concat(done.failures, outcome.lost)}"))
    notify: list[Data] = [{name("notify"): _NOTIFY}] if on_failure else []
    loop: list[Data] = [
        {name("run"): {"call": "run_part", "args": run, "result": "outcome"}},
        _take("${outcome.steps}", name, []),
        {name("judge"): {"switch": [{"condition": "${not outcome.failed}", "next": "continue"}]}},
        _assign(name("failed"), ("message", "${outcome.message}")),
        {name("is_lost"): {"switch": [{"condition": '${"lost" in outcome}', "steps": [lost]}]}},
        *notify,
        {name("fail"): {"raise": _FAILED}},
    ]
    data = [Inline(workflow=part.workflow, look=part.look) for part in parts]
    return [
        _assign(name("data"), ("parts", data)),
        {label: {"for": {"value": "part", "in": "${parts}", "steps": loop}}},
    ]


_FEW = f"${{len(done.failures) < {MAX_FAILURES}}}"
_NOTIFY: Data = {"call": "notify", "args": Inline(run="${run}", message="${message}")}
_FAILED = {
    "message": "${message}",
    "pipeline": "${run.pipeline}",
    "state": "failed",
    "failures": "${done.failures}",
    "steps": "${done.steps}",
}


def _assign(name: str, *pairs: tuple[str, object]) -> Data:
    return {name: {"assign": [{key: value} for key, value in pairs]}}


def _each(item: str, items: str, name: str, variable: str, value: str) -> Data:
    return {"for": {"value": item, "in": items, "steps": [_assign(name, (variable, value))]}}


def _lanes_call(call: LanesCall, on_failure: str | None, unique: Unique) -> list[Data]:
    level = call.level
    label = unique(label_of(level))
    lanes = [
        [Inline(workflow=part.workflow, look=part.look, threads=piece.indexes) for part, piece in lane]
        for lane in call.lanes
    ]
    place = Inline(level=workflows.literal(level.id), threads=literals(level.threads))
    begun = [Inline(failed=False, steps=[]) for _ in level.threads]
    arguments = Inline(run="${run}", place="${place}", lanes="${lanes}", outcomes="${outcomes}")
    return [
        _assign(unique(f"{label}_lanes"), ("outcomes", begun), ("lanes", lanes), ("place", place)),
        {label: {"call": "run_lanes", "args": arguments, "result": "outcomes"}},
        *_gather(len(level.threads), on_failure, label, unique),
    ]


def _take(states: str, name: Callable[[str], str], more: list[Data]) -> Data:
    """Gather the states of steps into `done`, and do more for each that has failed; the first keep their words."""
    tell = _assign(name("tell"), ("done.failures", "${list.concat(done.failures, state.error)}"))
    forget = _assign(name("forget"), ("kept", '${map.delete(state, "error")}'))
    words: list[Data] = [{"condition": _FEW, "steps": [tell]}, {"condition": True, "steps": [forget]}]
    error: Data = {
        "condition": '${state.state == "failed"}',
        "steps": [*more, {name("is_one_of_few"): {"switch": words}}],
    }
    steps: list[Data] = [
        _assign(name("keep"), ("kept", "${state}")),
        {name("had_error"): {"switch": [error]}},
        _assign(name("gather"), ("done.steps", "${list.concat(done.steps, kept)}")),
    ]
    return {name("steps"): {"for": {"value": "state", "in": states, "steps": steps}}}


def _gather(threads: int, on_failure: str | None, label: str, unique: Unique) -> list[Data]:
    """Gather the threads of a level, and raise where one of them has failed.

    In the routine that has them, and each given up as soon as it is gathered: see `_parts_in_turn`.
    """

    def name(word: str) -> str:
        return unique(f"{label}_{word}")

    say = _assign(name("say"), ("message", '${message + "; " + state.error}'))
    short: Data = {"condition": f"${{len(message) < {MAX_MESSAGE}}}", "steps": [say]}
    each_thread: list[Data] = [
        _assign(
            name("take"),
            ("thread", "${outcomes[index]}"),
            ("outcomes[index]", None),
            ("failed", "${failed or thread.failed}"),
        ),
        _take("${thread.steps}", name, [{name("is_short"): {"switch": [short]}}]),
    ]
    over = name("over")
    notify: list[Data] = [{name("notify"): _NOTIFY}] if on_failure else []
    return [
        _assign(name("begin_end"), ("failed", False), ("message", '${"pipeline " + run.pipeline + " failed"}')),
        {name("threads"): {"for": {"value": "index", "range": [0, threads - 1], "steps": each_thread}}},
        {name("judge"): {"switch": [{"condition": "${not failed}", "next": over}]}},
        *notify,
        {name("fail"): {"raise": _FAILED}},
        _assign(over, ("outcomes", None)),
    ]


def _run_lanes() -> Data:
    """Run the parts of a level; returns what became of its threads. `outcomes` is how they begin."""
    arguments = Inline(
        run="${run}",
        workflow="${piece.workflow}",
        look="${piece.look}",
        argument=Inline(run="${run}", failed="${outcomes[piece.threads[0]].failed}"),
    )
    place = '"pipeline " + run.pipeline + ", level " + place.level + ", thread " + place.threads[piece.threads[0]]'
    error = f'${{{place} + ": the part " + piece.workflow + " could not be run: " + part.reason}}'
    entry = Inline(
        level="${place.level}",
        thread="${place.threads[piece.threads[0]]}",
        step="${piece.workflow}",
        state="failed",
        polls=0,
        error="${error}",
    )
    steps = "outcomes[piece.threads[0]].steps"
    is_lost: Data = {"switch": [{"condition": '${"lost" in part}', "next": "lost"}], "next": "first_thread"}
    keep = _each(
        *("state", "${part.threads[number].steps}", "take_step"),
        *("outcomes[index].steps", "${list.concat(outcomes[index].steps, state)}"),
    )
    take: list[Data] = [
        _assign("take_thread", ("outcomes[index].failed", "${part.threads[number].failed}")),
        {"take_steps": keep},
        _assign("next_thread", ("number", "${number + 1}")),
    ]
    lose = _each("index", "${piece.threads}", "lose_thread", "outcomes[index].failed", "${true}")
    pieces: list[Data] = [
        {"run_piece": {"call": "run_part", "args": arguments, "result": "part"}},
        {"was_run": is_lost},
        _assign("lost", ("error", error), ("entry", entry), (steps, f"${{list.concat({steps}, entry)}}")),
        {"lose_threads": {**lose, "next": "continue"}},
        _assign("first_thread", ("number", 0)),
        {"take_threads": {"for": {"value": "index", "in": "${piece.threads}", "steps": take}}},
    ]
    lane: Data = {"each_piece": {"for": {"value": "piece", "in": "${lane}", "steps": pieces}}}
    loop: Data = {"value": "lane", "in": "${lanes}", "steps": [lane]}
    parallel: Data = {"shared": ["outcomes"], "concurrency_limit": workflows.MAX_CONCURRENT, "for": loop}
    return {
        "params": ["run", "place", "lanes", "outcomes"],
        "steps": [{"each_lane": {"parallel": parallel}}, {"run_lanes_end": {"return": "${outcomes}"}}],
    }


def _run_part() -> Data:
    """Run a part to its end. That it could not be run is an outcome too, with the reason as `lost`."""
    call: Data = {
        "call": RUN,
        "args": {
            "workflow_id": "${workflow}",
            "argument": "${argument}",
            "connector_params": {
                "timeout": workflows.MAX_SECONDS,
                "polling_policy": Inline(initial_delay=1, max_delay="${look}", multiplier="${5.0 / 4}"),
            },
        },
        "result": "outcome",
    }
    has_ended = '${get_type(e) == "map" and get_type(map.get(e, "operation")) == "map"}'
    why: Data = {"e": "${e}", "phase": "execution"}
    error = '${"pipeline " + run.pipeline + ": its part " + workflow + " could not be run: " + reason}'
    outcome = Inline(failed=True, lost="${error}", reason="${reason}", message="${message}", steps=[])
    message = '${"pipeline " + run.pipeline + " failed; " + error}'
    handler: list[Data] = [
        {"why": {"call": "explain", "args": why, "result": "reason"}},
        {"has_ended": {"switch": [{"condition": has_ended, "next": "its_error"}], "next": "lost"}},
        {"its_error": {"call": "shown", "args": {"value": '${map.get(e.operation, "error")}'}, "result": "told"}},
        _assign("with_error", ("reason", '${reason + ": " + told}')),
        _assign("lost", ("error", error), ("message", message), ("outcome", outcome)),
        {"log_lost": {"call": "sys.log", "args": Inline(text="${error}", severity="ERROR")}},
    ]
    return {
        "params": ["run", "workflow", "look", "argument"],
        "steps": [
            # Of an `except` block, what is assigned outside is kept.
            _assign("begin", ("outcome", None)),
            {"run_it": {"try": call, "except": {"as": "e", "steps": handler}}},
            {"run_part_end": {"return": "${outcome}"}},
        ],
    }
