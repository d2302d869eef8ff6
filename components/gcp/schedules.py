"""How Cloud Scheduler wants what a schedule says."""

from __future__ import annotations

from datetime import timedelta


def seconds(value: timedelta) -> str:
    """A duration as Google's APIs write it, `180s`."""
    return f"{int(value.total_seconds())}s"


def cron_of(cron: str) -> str:
    """The expression with Sunday written as 0: Cloud Scheduler's days of the week are 0 to 6, cron knows 7 too."""
    *others, days = cron.split()
    return " ".join([*others, ",".join(dict.fromkeys(_part(part) for part in days.split(",")))])


def _part(part: str) -> str:
    span, slash, step = part.partition("/")
    first, dash, last = span.partition("-")
    if "7" not in (first, last):
        return part
    if not dash:
        return "0"
    days = range(int(first), 8, int(step) if slash else 1)
    return ",".join(str(day % 7) for day in days)
