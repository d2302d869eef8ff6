"""The texts of a pipeline in parts: the workflow that runs the parts, and the parts (see `workflows_parts`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dataplatform.compile import workflows
from dataplatform.compile import workflows_library as library
from dataplatform.compile.names import Unique, ascii_words
from dataplatform.compile.plan import Level, Plan, Thread
from dataplatform.compile.workflows import Data
from dataplatform.compile.yaml_text import Inline, dump

Piece = tuple[tuple[int, Thread], ...]
"""Threads of one level, or runs of steps of them, that one part runs; with each thread's index in its level."""
Fits = Callable[[Piece], bool]

RUN = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run"
LONGEST_PART = 31_536_000
"""Seconds that a connector may be told to wait: a year, which is what an execution may last."""


@dataclass(frozen=True, kw_only=True)
class LevelsCall:
    """A part that runs levels."""

    workflow: str


@dataclass(frozen=True, kw_only=True)
class LanesCall:
    """A level whose threads are run by parts; a lane is one part after the other."""

    level: Level
    lanes: tuple[tuple[tuple[str, Piece], ...], ...]


Call = LevelsCall | LanesCall


def parent(plan: Plan, calls: tuple[Call, ...]) -> str:
    """The workflow that runs the parts, in order."""
    unique = workflows.labels()
    steps = workflows.opening(plan, 0, unique)
    for number, call in enumerate(calls, start=1):
        if isinstance(call, LevelsCall):
            steps += _levels_call(call, number, unique)
        else:
            steps += _lanes_call(call, unique)
    steps.append(workflows.closing())
    workflow: Data = {"main": {"params": ["args"], "steps": steps}}
    if plan.parameters:
        workflow["read_parameters"] = library.read_parameters()
    if any(isinstance(call, LevelsCall) for call in calls):
        workflow["end_part"] = _end_part()
    if any(isinstance(call, LanesCall) for call in calls):
        workflow["run_piece"] = _run_piece()
        workflow["end_level"] = library.end_level(plan.on_failure)
    workflow["run_part"] = _run_part(plan.on_failure)
    workflow["joined"] = _joined()
    workflow["explain"] = library.explain()
    workflow["shown"] = library.shown()
    return workflows.heading(plan) + dump(workflow)


def levels_part(fragment: Plan) -> str:
    """The part that runs the levels of a plan."""
    names = workflows.run_steps(fragment)
    unique = workflows.labels()
    for reserved in ("levels", "ended", "other", "failed"):
        unique(reserved)
    wide = any(len(level.threads) > workflows.MAX_BRANCHES for level in fragment.levels)
    narrow = [len(level.threads) for level in fragment.levels if len(level.threads) <= workflows.MAX_BRANCHES]
    pairs = [
        {"run": "${args.run}"},
        {"fresh": Inline(failed=False, steps=[])},
        {"done": Inline(failures=[], steps=[])},
        *({f"t{number}": None} for number in range(1, max(narrow, default=0) + 1)),
    ]
    body = [step for level in fragment.levels for step in workflows.level_steps(fragment, level, names, unique)]
    told = Inline(failed=True, message="${e.message}", failures="${e.failures}", steps="${e.steps}")
    raised = [
        {
            "ended": {
                "switch": [{"condition": '${get_type(e) == "map" and "failures" in e}', "next": "failed"}],
                "next": "other",
            }
        },
        {"failed": {"return": told}},
        {"other": {"raise": "${e}"}},
    ]
    steps: list[Data] = [
        {"init": {"assign": pairs}},
        {"levels": {"try": {"steps": body}, "except": {"as": "e", "steps": raised}}},
        {"finish": {"return": Inline(failed=False, failures="${done.failures}", steps="${done.steps}")}},
    ]
    workflow: Data = {"main": {"params": ["args"], "steps": steps}, **workflows.subworkflows(fragment, names)}
    if wide:
        workflow["run_thread"] = library.run_thread(tuple(names.values()))
    workflow["end_level"] = library.end_level(fragment.on_failure)
    workflow["explain"] = library.explain()
    workflow["shown"] = library.shown()
    return workflows.heading(fragment) + dump(workflow)


def threads_part(fragment: Plan) -> str:
    """The part that runs the threads of a plan's only level, each from where it had come."""
    names = workflows.run_steps(fragment)
    unique = workflows.labels()
    unique("threads")
    (level,) = fragment.levels
    count = len(level.threads)
    befores: list[Data] = [{f"t{n + 1}": Inline(failed=f"${{args.failed[{n}]}}", steps=[])} for n in range(count)]
    branches = []
    for number, thread in enumerate(level.threads, start=1):
        before = f"${{t{number}}}"
        calls = [
            workflows.step_call(fragment, level, thread, step, names, before, f"t{number}", unique)
            for step in thread.steps
        ]
        branches.append({unique(f"thread_{ascii_words(thread.id) or 'x'}"): {"steps": calls}})
    body: list[Data]
    if count == 1:
        ((_, only),) = branches[0].items()
        body = only["steps"]
    else:
        shared = [f"t{n + 1}" for n in range(count)]
        body = [{"threads": {"parallel": {"shared": shared, "branches": branches}}}]
    steps: list[Data] = [
        {"init": {"assign": [{"run": "${args.run}"}, *befores]}},
        *body,
        {"finish": {"return": Inline(threads=[f"${{t{n + 1}}}" for n in range(count)])}},
    ]
    workflow: Data = {"main": {"params": ["args"], "steps": steps}, **workflows.subworkflows(fragment, names)}
    workflow["explain"] = library.explain()
    workflow["shown"] = library.shown()
    return workflows.heading(fragment) + dump(workflow)


def _levels_call(call: LevelsCall, number: int, unique: Unique) -> list[Data]:
    label = unique(f"part_{number}")
    run = {"call": "run_part", "args": Inline(run="${run}", workflow=call.workflow, argument=Inline(run="${run}"))}
    end = Inline(run="${run}", done="${done}", outcome="${outcome}")
    return [
        {label: {**run, "result": "outcome"}},
        {unique(f"{label}_end"): {"call": "end_part", "args": end, "result": "done"}},
    ]


def _lanes_call(call: LanesCall, unique: Unique) -> list[Data]:
    level = call.level
    label = unique(f"level_{ascii_words(level.id) or 'x'}")
    lanes = [
        [Inline(workflow=name, threads=[index for index, _ in piece]) for name, piece in lane] for lane in call.lanes
    ]
    place = Inline(level=workflows.literal(level.id), threads=[workflows.literal(t.id) for t in level.threads])
    arguments = Inline(run="${run}", piece="${piece}", place="${place}", outcomes="${outcomes}")
    pieces = {
        "value": "piece",
        "in": "${lane}",
        "steps": [
            {unique(f"{label}_piece"): {"call": "run_piece", "args": arguments, "result": "found"}},
            {
                unique(f"{label}_take"): {
                    "for": {
                        "value": "taken",
                        "in": "${found}",
                        "steps": [{unique(f"{label}_take_one"): {"assign": [{"outcomes[taken.index]": "${taken}"}]}}],
                    }
                }
            },
        ],
    }
    loop = {"value": "lane", "in": "${lanes}", "steps": [{unique(f"{label}_lane"): {"for": pieces}}]}
    begun = [Inline(failed=False, steps=[]) for _ in level.threads]
    end = Inline(run="${run}", done="${done}", threads="${outcomes}")
    return [
        {unique(f"{label}_lanes"): {"assign": [{"outcomes": begun}, {"lanes": lanes}, {"place": place}]}},
        {label: {"parallel": {"shared": ["outcomes"], "concurrency_limit": workflows.MAX_CONCURRENT, "for": loop}}},
        {unique(f"{label}_end"): {"call": "end_level", "args": end, "result": "done"}},
    ]


def _run_part(on_failure: str | None) -> Data:
    """Run a part to its end. One that could not be run is an outcome too, and the function for failures is told."""
    call = {
        "call": RUN,
        "args": {
            "workflow_id": "${workflow}",
            "argument": "${argument}",
            "connector_params": Inline(timeout=LONGEST_PART),
        },
        "result": "outcome",
    }
    words = '${"pipeline " + run.pipeline + " failed; its part " + workflow + " could not be run: " + reason}'
    lost = Inline(failed=True, message="${message}", failures=["${message}"], steps=[])
    return {
        "params": ["run", "workflow", "argument"],
        "steps": [
            {
                "run_it": {
                    "try": call,
                    "except": {
                        "as": "e",
                        "steps": [
                            {
                                "why": {
                                    "call": "explain",
                                    "args": Inline(e="${e}", phase="execution"),
                                    "result": "reason",
                                }
                            },
                            {"lost": {"assign": [{"message": words}, {"outcome": lost}]}},
                            {"log_lost": {"call": "sys.log", "args": Inline(text="${message}", severity="ERROR")}},
                            *(library.notify(on_failure) if on_failure else []),
                        ],
                    },
                }
            },
            {"run_part_end": {"return": "${outcome}"}},
        ],
    }


def _end_part() -> Data:
    """Gather what a part has done, and raise where it has failed."""
    failed = {
        "message": "${outcome.message}",
        "pipeline": "${run.pipeline}",
        "state": "failed",
        "failures": "${failures}",
        "steps": "${steps}",
    }
    return {
        "params": ["run", "done", "outcome"],
        "steps": [
            _join("gather_steps", "${done.steps}", "${outcome.steps}", "steps"),
            _join("gather_failures", "${done.failures}", "${outcome.failures}", "failures"),
            {"judge": {"switch": [{"condition": "${outcome.failed}", "next": "fail"}], "next": "end_part_end"}},
            {"fail": {"raise": failed}},
            {"end_part_end": {"return": Inline(failures="${failures}", steps="${steps}")}},
        ],
    }


def _run_piece() -> Data:
    """Run a part with some threads of a level; returns their outcomes, each with its thread's index."""
    lost = Inline(
        level="${place.level}",
        thread="${place.threads[piece.threads[0]]}",
        step="${piece.workflow}",
        state="failed",
        polls=0,
        error="${part.message}",
    )
    taken = Inline(index="${index}", failed="${part.threads[number].failed}", steps="${steps}")
    return {
        "params": ["run", "piece", "place", "outcomes"],
        "steps": [
            {"begin": {"assign": [{"failed": []}, {"found": []}, {"number": 0}]}},
            {
                "each_before": {
                    "for": {
                        "value": "index",
                        "in": "${piece.threads}",
                        "steps": [
                            {"before": {"assign": [{"failed": "${list.concat(failed, outcomes[index].failed)}"}]}}
                        ],
                    }
                }
            },
            {
                "run_threads": {
                    "call": "run_part",
                    "args": Inline(
                        run="${run}",
                        workflow="${piece.workflow}",
                        argument=Inline(run="${run}", failed="${failed}"),
                    ),
                    "result": "part",
                }
            },
            {"was_run": {"switch": [{"condition": '${"threads" in part}', "next": "each_thread"}], "next": "lost"}},
            {"lost": {"assign": [{"state": lost}, {"part.threads": []}]}},
            {
                "each_lost": {
                    "for": {
                        "value": "index",
                        "in": "${piece.threads}",
                        "steps": [
                            {
                                "lost_one": {
                                    "assign": [
                                        {"ended": Inline(failed=True, steps=[])},
                                        {"part.threads": "${list.concat(part.threads, ended)}"},
                                    ]
                                }
                            }
                        ],
                    }
                }
            },
            {"first_lost": {"assign": [{"part.threads[0].steps": ["${state}"]}]}},
            {
                "each_thread": {
                    "for": {
                        "value": "index",
                        "in": "${piece.threads}",
                        "steps": [
                            _join("join_one", "${outcomes[index].steps}", "${part.threads[number].steps}", "steps"),
                            {
                                "take_one": {
                                    "assign": [
                                        {"taken": taken},
                                        {"found": "${list.concat(found, taken)}"},
                                        {"number": "${number + 1}"},
                                    ]
                                }
                            },
                        ],
                    }
                }
            },
            {"run_piece_end": {"return": "${found}"}},
        ],
    }


def _join(label: str, first: str, second: str, result: str) -> Data:
    return {label: {"call": "joined", "args": Inline(first=first, second=second), "result": result}}


def _joined() -> Data:
    """Two lists as one. The language's own function adds one item."""
    return {
        "params": ["first", "second"],
        "steps": [
            {"begin": {"assign": [{"whole": "${first}"}]}},
            {
                "each": {
                    "for": {
                        "value": "item",
                        "in": "${second}",
                        "steps": [{"add": {"assign": [{"whole": "${list.concat(whole, item)}"}]}}],
                    }
                }
            },
            {"joined_end": {"return": "${whole}"}},
        ],
    }
