"""Which Databricks runtimes are still supported, by a table with its source and date (no clock is asked)."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

_KEY = re.compile(r"(?P<major>\d{1,3})\.(?P<minor>\d{1,3})\.(?:x|\d+)(?:-[\w.-]+)?")
_LIGHT = re.compile(r"apache-spark-\d.*")


@functools.lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    """The table in `runtimes.json`."""
    found = json.loads(Path(__file__).with_name("runtimes.json").read_text("utf-8"))
    return dict(found)


def runtime_problem(version: str) -> tuple[str, str] | None:
    """What is wrong with a runtime's version key (`5.5.x-scala2.11`) and what would be right, or None.

    A version newer than the table, an expression and a custom image are not judged.
    """
    data = table()
    ended = {name for name, day in data["long_term"].items() if day <= data["as_of"]}
    best = max((n for n in data["long_term"] if n not in ended), key=_number)
    remedy = f"use one with long-term support, such as {best}.x-scala2.{'13' if _number(best) >= (16, 4) else '12'}"
    if _LIGHT.fullmatch(version):
        return f"the runtime '{version}' is Databricks Light, which is no longer offered", remedy
    match = _KEY.fullmatch(version)
    if match is None:
        return None
    number = (int(match["major"]), int(match["minor"]))
    name = f"{number[0]}.{number[1]}"
    if number <= _number(data["end_of_life_through"]):
        return f"the Databricks runtime {name} has reached end of life", remedy
    if number > _number(data["newest_judged"]):
        return None
    if name in ended:
        return f"the Databricks runtime {name} is not supported since {data['long_term'][name]}", remedy
    if name not in data["long_term"]:
        return f"the Databricks runtime {name}, which has no long-term support, is not supported any more", remedy
    return None


def _number(name: str) -> tuple[int, int]:
    major, minor = name.split(".")
    return int(major), int(minor)
