"""How plans are put into words: durations, counts, and values without their secrets."""

from __future__ import annotations

import json
from datetime import timedelta

from dataplatform.compile.plan import Engine, Retry, Step
from dataplatform.config.plaintext import plain_secret, reference, secret_key
from dataplatform.config.text import escaped
from dataplatform.config.types import iso_duration

SECRET = "[secret]"  # noqa: S105
ENGINE_NAMES: dict[Engine, str] = {"airflow": "Airflow", "workflows": "Cloud Workflows"}

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def duration(seconds: int) -> str:
    """A duration for a person: `45 s`, `1 h 30 min`, `2 d`."""
    parts = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def iso(seconds: int) -> str:
    """A duration for a machine, as ISO 8601 has it: `PT1H30M`."""
    return iso_duration(timedelta(seconds=seconds))


def count(number: int, what: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"


def engines(names: tuple[Engine, ...]) -> str:
    """The engines in words."""
    return listed([ENGINE_NAMES[name] for name in names])


def pauses(retry: Retry) -> list[int]:
    """The seconds before each repetition."""
    return [min(retry.initial_delay * retry.multiplier**n, retry.max_delay) for n in range(retry.max_retries)]


def longest(step: Step) -> int:
    """Seconds a step can last, counting its timeout and its repetitions."""
    if step.job_retry is None:
        return step.timeout
    return step.timeout * (1 + step.job_retry.max_retries) + sum(pauses(step.job_retry))


def shortest(step: Step) -> int:
    """Seconds a step lasts whose job has ended when it is first asked about."""
    return 0 if step.kind == "sync" else step.poll_interval


def times(step: Step) -> str:
    """A step's times in a few words."""
    asked = "one call" if step.kind == "sync" else f"every {duration(step.poll_interval)}"
    again = f", {step.job_retry.max_retries} more" if step.job_retry else ""
    return f"{asked}, at most {duration(step.timeout)}{again}"


def doer(step: Step) -> str:
    """What runs a step, in a few words."""
    return f"pipeline {step.executor}" if step.kind == "workflows" else step.executor


def polls(step: Step) -> int:
    """How often a step's job is asked about at most, each time it is run: the last time when its deadline has come."""
    if step.kind == "sync":
        return 0
    return -(-step.timeout // step.poll_interval)


def masked(value: object, keys: tuple[str, ...] = ()) -> object:
    """JSON data with what is, or may be, a secret replaced.

    Args:
        value: The data.
        keys: The keys on the way to it; below a secret's key everything but references is one.
    """
    if isinstance(value, dict):
        return {key: masked(item, (*keys, str(key))) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, keys) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if plain_secret(keys[-1] if keys else None, value):
        return SECRET
    below = any(secret_key(key) for key in keys)
    return SECRET if below and not (isinstance(value, str) and (reference(value) or not value.strip())) else value


def shown_value(value: object, longest: int = 200) -> str:
    """JSON data on one line, shortened."""
    text = escaped(json.dumps(value, ensure_ascii=False, sort_keys=True))
    return text if len(text) <= longest else text[: longest - 1] + "…"
