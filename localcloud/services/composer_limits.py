"""What the Composer service refuses of an environment's configuration, with the figures of its documentation.

Sources, read on 2026-11-21: "Scale environments" (limits of workloads, Composer 2 and 3), "Airflow configurations"
(blocked options), "Specify maintenance windows", "Composer versions" (release of 2026-08-05).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

DEFAULTS: Mapping[str, str] = {
    "composer-3-airflow-2": "composer-3-airflow-2.11.1-build.14",
    "composer-3-airflow-2.10": "composer-3-airflow-2.10.5-build.47",
    "composer-3-airflow-2.10.5": "composer-3-airflow-2.10.5-build.47",
    "composer-3-airflow-2.11": "composer-3-airflow-2.11.1-build.14",
    "composer-3-airflow-2.11.1": "composer-3-airflow-2.11.1-build.14",
    "composer-3-airflow-3": "composer-3-airflow-3.2.2-build.1",
    "composer-3-airflow-3.1": "composer-3-airflow-3.1.8-build.3",
    "composer-3-airflow-3.2": "composer-3-airflow-3.2.2-build.1",
    "composer-2-airflow-2": "composer-2.17.9-airflow-2.11.1",
    "composer-2-airflow-2.10": "composer-2.17.9-airflow-2.10.5",
    "composer-2-airflow-2.11": "composer-2.17.9-airflow-2.11.1",
}
"""What the service makes of an image version that leaves something open."""
GONE: Mapping[int, tuple[int, int, int]] = {2: (2, 10, 5), 3: (2, 10, 5)}
"""Generation -> the oldest Airflow that a new environment can have."""

_Pair = tuple[float, float]
_WORKLOAD: Mapping[int, Mapping[str, tuple[_Pair, _Pair, _Pair, _Pair | None, tuple[int, int] | None]]] = {
    # name: (cpu, memory, memory for each vCPU, storage, count)
    2: {
        "scheduler": ((0.5, 28), (0.5, 80), (1, 6.5), (0.05, 10), (1, 10)),
        "triggerer": ((0.5, 1), (0.5, 80), (1, 6.5), None, (0, 10)),
        "webServer": ((0.5, 28), (1, 80), (1, 6.5), (0.05, 10), None),
        "worker": ((0.5, 28), (0.5, 80), (1, 6.5), (0.05, 10), (1, 100)),
    },
    3: {
        "scheduler": ((0.5, 1), (1, 8), (1, 8), (0, 100), (1, 3)),
        "triggerer": ((0.5, 1), (1, 8), (1, 8), None, (0, 10)),
        "webServer": ((1, 4), (2, 32), (1, 8), (0, 100), None),
        "worker": ((0.5, 32), (1, 256), (1, 8), (0, 100), (1, 100)),
        "dagProcessor": ((0.5, 32), (1, 256), (1, 8), (0, 100), (1, 3)),
    },
}
_BLOCKED = frozenset(
    {
        "celery-broker_url",
        "celery-result_backend",
        "core-dags_folder",
        "core-fernet_key",
        "core-load_examples",
        "core-plugins_folder",
        "core-remote_logging",
        "core-sql_alchemy_conn",
        "database-sql_alchemy_conn",
        "smtp-smtp_password",
    }
)
_IMAGE = re.compile(r"^composer-(?P<composer>[\d.]+)-airflow-(?P<airflow>[\d.]+)(?:-build\.(?P<build>\d+))?")


def resolved(image: str) -> str:
    """The full version that the service gives an environment for an alias; full ones are themselves."""
    found = _IMAGE.match(image)
    if found is None or found["build"]:
        return image
    known = DEFAULTS.get(image)
    if known is not None:
        return known
    if found["composer"] == "3":
        return f"{image}-build.1"
    return image.replace("composer-2-", "composer-2.17.9-")


def airflow_of(image: str) -> tuple[int, ...]:
    """Numbers of the Airflow version."""
    found = _IMAGE.match(image)
    return tuple(int(part) for part in found["airflow"].split(".")) if found else ()


def generation_of(image: str) -> int:
    """2 or 3."""
    return 3 if "composer-3" in image else 2


def refusals(config: Mapping[str, Any], image: str) -> Iterator[str]:
    """What the service says to a new or changed configuration, one sentence each."""
    generation = generation_of(image)
    software = config.get("softwareConfig") or {}
    for name in sorted(software.get("airflowConfigOverrides") or {}):
        if name in _BLOCKED or name.startswith("cli-"):
            yield f"Property {name} is blocked and cannot be overridden."
    wrong = window_problem(config.get("maintenanceWindow") or {})
    if wrong:
        yield wrong
    for name, given in sorted((config.get("workloadsConfig") or {}).items()):
        limits = _WORKLOAD[generation].get(name)
        if limits is not None and isinstance(given, dict):
            yield from _sizes(name, given, limits)


def gone(image: str) -> bool:
    """Whether no new environment can have the version any more."""
    version = airflow_of(image)
    oldest = GONE[generation_of(image)]
    return bool(version) and version < oldest[: len(version)]


def _sizes(
    name: str,
    given: Mapping[str, Any],
    limits: tuple[_Pair, _Pair, _Pair, _Pair | None, tuple[int, int] | None],
) -> Iterator[str]:
    cpus, memories, shares, storages, counts = limits
    cpu, memory, storage = given.get("cpu"), given.get("memoryGb"), given.get("storageGb")
    if cpu is not None and not cpus[0] <= cpu <= cpus[1]:
        yield f"{name}: cpu must be between {cpus[0]:g} and {cpus[1]:g}, got {cpu:g}."
    if memory is not None and not memories[0] <= memory <= memories[1]:
        yield f"{name}: memory_gb must be between {memories[0]:g} and {memories[1]:g}, got {memory:g}."
    elif memory is not None and cpu and not shares[0] * cpu <= memory <= shares[1] * cpu:
        least, most = shares[0] * cpu, shares[1] * cpu
        yield f"{name}: memory_gb must be between {least:g} and {most:g} for {cpu:g} vCPU, got {memory:g}."
    if storage is not None and storages is not None and not storages[0] <= storage <= storages[1]:
        yield f"{name}: storage_gb must be between {storages[0]:g} and {storages[1]:g}, got {storage:g}."
    for field in ("count", "minCount", "maxCount"):
        count = given.get(field)
        if count is not None and counts is not None and not counts[0] <= count <= counts[1]:
            yield f"{name}: {field} must be between {counts[0]} and {counts[1]}, got {count}."


def window_problem(window: Mapping[str, Any], most: int = 24) -> str | None:
    """What is wrong with a weekly window; Data Fusion has its times a level deeper."""
    times_of = window.get("window") or window
    try:
        start, end = (datetime.fromisoformat(str(times_of[name])) for name in ("startTime", "endTime"))
    except (KeyError, ValueError):
        return None
    hours = (end - start).total_seconds() / 3600
    days = re.search(r"BYDAY=([A-Z,]+)", str(window.get("recurrence") or ""))
    times = len(set(days.group(1).split(","))) if days else 7 if "DAILY" in str(window.get("recurrence")) else 1
    if not 4 <= hours <= most:
        return f"A maintenance window must be between 4 and {most} hours long, not {hours:g}."
    if hours * times < 12:
        return f"Maintenance windows must cover at least 12 hours a week, not {hours * times:g}."
    return None
