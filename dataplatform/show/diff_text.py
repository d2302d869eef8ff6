"""A difference of two plans as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator

from dataplatform.config.text import escaped
from dataplatform.show.changes import Change
from dataplatform.show.words import count, duration, listed, shown_value

_SIGNS = {"added": "+", "removed": "-", "renamed": "~", "moved": "~", "changed": "~"}
_SECONDS = frozenset(
    {"poll_interval", "timeout"} | {f"{r}.{d}" for r in ("retry", "job_retry") for d in ("initial_delay", "max_delay")}
)
_WORDS = {
    "poll_interval": "pause before each status call",
    "continue_if_fail": "thread goes on when it fails",
    "status_executor": "executor of the status calls",
    "kind": "type",
    "on_failure": "function that is told of a failed run",
    "pool": "Airflow pool",
    "job_retry": "repetitions of the job",
    "job_retry.max_retries": "most repetitions of the job",
    "job_retry.initial_delay": "pause before the first repetition of the job",
    "job_retry.max_delay": "longest pause before a repetition of the job",
    "job_retry.multiplier": "growth of the pauses between repetitions of the job",
    "retry.max_retries": "most retries of a call",
    "retry.initial_delay": "pause before the first retry",
    "retry.max_delay": "longest pause before a retry",
    "retry.multiplier": "growth of the pauses between retries",
}
_MOST = 8
"""So many steps are named in a row."""


def render(changes: tuple[Change, ...]) -> str:
    """The changes as text, with how many they are; `no change in meaning` where there are none."""
    if not changes:
        return "no change in meaning\n"
    lines = [_line(change) for change in changes if change.kind != "edge"]
    lines += _edges(changes)
    return "\n".join([*lines, count(len(changes), "change")]) + "\n"


def _line(change: Change) -> str:
    sign = _SIGNS[change.action]
    what = f"step {escaped(change.subject)}" if change.kind == "step" else "pipeline"
    if change.kind == "step" and not change.field:
        place = change.new if change.action == "added" else change.old
        waits = f", after {_named(change.after)}" if change.after else ""
        return f"{sign} {what}: {change.action} ({escaped(str(place))}{waits})"
    if change.action == "renamed":
        return f"{sign} {what}: renamed, was {escaped(str(change.old))}; so is its job parameter file"
    if change.action == "moved":
        return f"{sign} {what}: moved from {escaped(str(change.old))} to {escaped(str(change.new))}"
    name = escaped(_WORDS.get(change.field, change.field))
    if change.action == "added":
        return f"{sign} {what}: {name} added: {_value(change.field, change.new)}"
    if change.action == "removed":
        return f"{sign} {what}: {name} removed, was {_value(change.field, change.old)}"
    old, new = _value(change.field, change.old), _value(change.field, change.new)
    return f"{sign} {what}: {name} {old} → {new}" + (" (another value)" if old == new else "")


def _value(field: str, value: object) -> str:
    if field in _SECONDS and isinstance(value, int):
        return duration(value)
    if not field.startswith("properties"):
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return escaped(value)
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return escaped(listed(value))
    return shown_value(value)


def _edges(changes: tuple[Change, ...]) -> Iterator[str]:
    """One line for each step and what it waits for, or waits for no longer."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        if change.kind == "edge":
            grouped.setdefault((change.subject, change.action), []).extend(change.after)
    for (subject, action), first in grouped.items():
        verb = "now waits for" if action == "added" else "no longer waits for"
        yield f"{_SIGNS[action]} step {escaped(subject)}: {verb} {_named(tuple(first))}"


def _named(steps: tuple[str, ...]) -> str:
    names = [escaped(name) for name in steps]
    return listed(names if len(names) <= _MOST else [*names[:_MOST], f"{len(names) - _MOST} others"])
