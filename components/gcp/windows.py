"""Weekly maintenance windows, as Google's services take them: two moments, and a recurrence."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

_FIRST_MONDAY = "2024-01-01"
"""A Monday: the window's dates only say the hours, the recurrence says the days."""
_DAYS = {
    "monday": "MO",
    "tuesday": "TU",
    "wednesday": "WE",
    "thursday": "TH",
    "friday": "FR",
    "saturday": "SA",
    "sunday": "SU",
}


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window of every week."""

    start: str
    end: str
    recurrence: str
    """RFC 5545."""


def weekly(days: Collection[str], hour: int, hours: int) -> Window:
    """The window that begins on these days at an hour (UTC) and is so many hours long."""
    end = hour + hours
    return Window(
        start=f"{_FIRST_MONDAY}T{hour:02}:00:00Z",
        end=f"2024-01-{1 + end // 24:02}T{end % 24:02}:00:00Z",
        recurrence=f"FREQ=WEEKLY;BYDAY={','.join(code for day, code in _DAYS.items() if day in days)}",
    )
