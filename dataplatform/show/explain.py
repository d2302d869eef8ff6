"""A plan in words: what starts when, what waits for what, and what happens when something fails."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from dataplatform.compile.plan import Level, Plan, Retry, Step, Thread
from dataplatform.config.options import DEFAULT_OWNER
from dataplatform.config.text import escaped
from dataplatform.show import fusion
from dataplatform.show.words import (
    count,
    duration,
    engines,
    iso,
    listed,
    longest,
    masked,
    pauses,
    polls,
    shortest,
    shown_value,
)

_WIDTH = 100
_CONCURRENT = 20
"""Branches of a parallel step that Cloud Workflows runs at the same time; the others wait for a place."""


def explain(plan: Plan) -> str:
    """The plan as plain text of at most a hundred columns, long names aside."""
    if plan.fusion is not None:
        return fusion.explain(plan)
    steps = plan.steps()
    widest = max((len(level.threads) for level in plan.levels), default=0)
    retries = tuple(dict.fromkeys(step.retry for step in steps))
    lines = [
        f"Pipeline {escaped(plan.name)}, for {engines(plan.engines)}, from {escaped(plan.source.file)}",
        *_wrap(
            f"{count(len(steps), 'step')} in {count(len(plan.levels), 'level')} and "
            f"{count(sum(len(level.threads) for level in plan.levels), 'thread')}; "
            f"at most {count(widest, 'step')} at the same time."
        ),
        *_wrap(
            f"It lasts at most {duration(worst_case(plan))} ({iso(worst_case(plan))}), each step as long as its "
            f"timeout, and at least {duration(best_case(plan))}, each job ended when it is first asked about. "
            "The time of the calls themselves comes on top."
        ),
    ]
    lines += _pipeline(plan)
    before = ""
    for level in plan.levels:
        lines += ["", *_level(level, before, single=len(retries) == 1)]
        before = level.id
    lines += ["", *_failures(plan), "", *_calls(retries)]
    if widest > _CONCURRENT and "workflows" in plan.engines:
        lines += _wrap(
            f"Cloud Workflows runs {_CONCURRENT} threads at the same time; the others of a level wait for one of them "
            "to end, so a run may last longer there."
        )
    return "\n".join(lines) + "\n"


def worst_case(plan: Plan) -> int:
    """Seconds a run can last, counting each step's timeout: the longest thread of each level, one after the other."""
    return _along(plan, longest) if plan.fusion is None else fusion.worst_case(plan.fusion)


def best_case(plan: Plan) -> int:
    """Seconds a run lasts whose jobs all have ended when they are first asked about."""
    return _along(plan, shortest)


def as_dict(plan: Plan) -> dict[str, Any]:
    """The plan and its figures as JSON data, without secrets."""
    return {
        "pipeline": plan.name,
        "engines": list(plan.engines),
        "source": {"file": plan.source.file, "sha256": plan.source.sha256},
        "steps": len(plan.steps()),
        "worst_case": iso(worst_case(plan)),
        "worst_case_seconds": worst_case(plan),
        "best_case_seconds": best_case(plan),
        "description": plan.description,
        "owner": plan.owner,
        "tags": list(plan.tags),
        "schedule": {"cron": plan.schedule.cron, "timezone": plan.schedule.timezone} if plan.schedule else None,
        "parameters": {p.name: {"type": p.type, "default": masked(p.default, (p.name,))} for p in plan.parameters},
        "on_failure": plan.on_failure,
        "levels": [
            {
                "id": level.id,
                "threads": [
                    {"id": thread.id, "steps": [_step_dict(step) for step in thread.steps]} for thread in level.threads
                ],
            }
            for level in plan.levels
        ],
        **({"datafusion": fusion.as_dict(plan)} if plan.fusion is not None else {}),
    }


def _along(plan: Plan, seconds: Callable[[Step], int]) -> int:
    return sum(
        max((sum(seconds(step) for step in thread.steps) for thread in level.threads), default=0)
        for level in plan.levels
    )


def _step_dict(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "job_id": step.job_id,
        "executor": step.executor,
        "status_executor": step.status_executor,
        "poll_interval_seconds": step.poll_interval,
        "timeout_seconds": step.timeout,
        "most_polls": polls(step),
        "continue_if_fail": step.continue_if_fail,
        "properties": masked(dict(step.properties if step.operation is None else step.operation.arguments)),
        "run": "http" if step.operation is None else "operators" if step.operation.function else "service",
        "max_retries": step.retry.max_retries,
        "type": step.kind,
        "job_repetitions": step.job_retry.max_retries if step.job_retry else 0,
        "pool": step.pool,
    }


def _level(level: Level, before: str, *, single: bool) -> list[str]:
    when = (
        "starts at once" if not before else f"starts when every thread of level {before} has ended and none has failed"
    )
    threads = len(level.threads)
    how = f"its {threads} threads start together" if threads > 1 else "it has one thread"
    lines = _wrap(f"Level {level.id} {when}; {how}.")
    for thread in level.threads:
        lines += _thread(thread, single=single)
    return lines


def _thread(thread: Thread, *, single: bool) -> list[str]:
    lines = [f"  Thread {escaped(thread.id)}" + (", one step after the other" if len(thread.steps) > 1 else "")]
    for number, step in enumerate(thread.steps, 1):
        lines.append(f"    {number}. {escaped(step.job_name)}")
        said = _doing(step)
        if step.kind == "async" and step.status_executor != step.executor:
            said += f", asked about through {step.status_executor}"
        if step.kind != "sync":
            said += f"; asked about every {duration(step.poll_interval)}, at most {count(polls(step), 'time')}"
        said += f"; fails when it has not succeeded after {duration(step.timeout)}."
        if step.continue_if_fail:
            said += " When it fails, its thread goes on."
        if step.job_retry:
            shown = listed([duration(seconds) for seconds in pauses(step.job_retry)])
            said += (
                f" When it has ended badly it is run again at most {count(step.job_retry.max_retries, 'time')}, after"
            )
            said += f" {shown}, each time with the whole timeout."
        if step.pool:
            said += f" In Airflow it takes a slot of the pool {step.pool}."
        if not single:
            said += f" {_retry(step.retry)}"
        lines += _wrap(said, "       ")
        told = step.properties if step.operation is None else step.operation.arguments
        if told:
            pairs = (f"{escaped(key)} = {shown_value(masked(value, (key,)))}" for key, value in told)
            lines += _wrap(f"Properties: {', '.join(pairs)}.", "       ")
    return lines


def _doing(step: Step) -> str:
    if step.kind == "workflows":
        return f"Runs the pipeline {step.executor}"
    if step.operation is not None and not step.operation.function:
        return f"Run by the service of {step.executor}"
    by = ", on Airflow by an operator of its providers" if step.operation is not None else ""
    return f"One call of {step.executor}" if step.kind == "sync" else f"Started through {step.executor}{by}"


def _pipeline(plan: Plan) -> list[str]:
    """What holds for the pipeline as a whole, where the definition says anything of it."""
    lines = []
    if plan.description:
        lines += _wrap(plan.description)
    if plan.owner != DEFAULT_OWNER or plan.tags:
        lines += _wrap(f"Owner: {plan.owner}." + (f" Tags: {listed(list(plan.tags))}." if plan.tags else ""))
    if plan.schedule:
        lines += _wrap(f"A run begins at {plan.schedule.cron} (cron, {plan.schedule.timezone}); none is caught up.")
    for parameter in plan.parameters:
        value = shown_value(masked(parameter.default, (parameter.name,)))
        said = f": {parameter.description}" if parameter.description else ""
        lines += _wrap(f"Parameter {parameter.name} ({parameter.type}), {value} where none is given{said}")
    if plan.on_failure:
        lines += _wrap(f"The function {plan.on_failure} is called once when a run has failed.")
    return lines


def _failures(plan: Plan) -> list[str]:
    tolerated = [escaped(step.job_name) for step in plan.steps() if step.continue_if_fail]
    text = (
        "When a step fails, the later steps of its thread are skipped; the other threads of its level run to their "
        "end; then the run fails, with every failure named, and no later level starts. The job of a step that has "
        "timed out is not stopped: executors have no call for that."
    )
    lines = _wrap(text)
    if tolerated:
        name, verb = listed(tolerated), "fails" if len(tolerated) == 1 else "fail"
        lines += _wrap(f"The run goes on and may succeed when {name} {verb} (CONTINUE_IF_FAIL).")
    return lines


def _calls(retries: tuple[Retry, ...]) -> list[str]:
    text = (
        "A start call is repeated only where the job was surely not started (HTTP 429 and 503), "
        "a status call also after HTTP 502 and 504 and a broken connection."
    )
    if len(retries) == 1:
        text += f" {_retry(retries[0])}"
    return _wrap(text)


def _retry(retry: Retry) -> str:
    if not retry.max_retries:
        return "No call is repeated."
    seconds = pauses(retry)
    shown = [duration(pause) for pause in seconds[:6]]
    if len(seconds) > 6:
        shown.append(f"so on up to {duration(max(seconds))}")
    return f"A call is repeated at most {count(retry.max_retries, 'time')}, after {listed(shown)}."


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        escaped(text), _WIDTH, initial_indent=indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
