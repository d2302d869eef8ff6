"""How Databricks wants what a schedule says: a Quartz expression.

Quartz has seconds before the five fields, counts the days of the week from 1 for Sunday, and wants `?` for the one of
the two fields of days that says nothing. https://docs.databricks.com/azure/jobs/ and the documentation of CronTrigger.
"""

from __future__ import annotations

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def quartz_of(cron: str) -> str:
    """A cron expression of five fields, of which at most one says a day, as Quartz writes it."""
    minute, hour, day, month, weekday = cron.split()
    if weekday == "*":
        return f"0 {minute} {hour} {day} {month} ?"
    return f"0 {minute} {hour} ? {month} {_weekdays(weekday)}"


def _weekdays(field: str) -> str:
    """Days of the week by name: numbers mean others in Quartz, and a range there may not end on Sunday."""
    found: dict[int, None] = {}
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = ("0", "-", "6") if span == "*" else span.partition("-")
        begin, end = _number(first), _number(last) if dash else _number(first)
        found.update(dict.fromkeys(day % 7 for day in range(begin, end + 1, int(step or 1))))
    return ",".join(_DAYS[day] for day in sorted(found))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _DAYS.index(text)
