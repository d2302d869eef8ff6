"""The sizes of a Composer environment's workloads, against what the service allows of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplatform.config.composer_facts import LIMITS, Limits
from dataplatform.config.document import Path
from dataplatform.config.gcp.composer import Composer, Workload

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_FIELDS: Final = {
    "scheduler": ("cpu", "memory_gb", "storage_gb", "count"),
    "web_server": ("cpu", "memory_gb", "storage_gb"),
    "worker": ("cpu", "memory_gb", "storage_gb", "min_count", "max_count"),
    "triggerer": ("cpu", "memory_gb", "count"),
    "dag_processor": ("cpu", "memory_gb", "storage_gb", "count"),
}
_ALL_FIELDS: Final = ("cpu", "memory_gb", "storage_gb", "count", "min_count", "max_count")
_COUNTS: Final = ("count", "min_count", "max_count")


def size_rules(composer: Composer, at: Path, findings: Findings) -> None:
    """Run them all."""
    workloads = composer.workloads
    if workloads is None:
        return
    image: Path = (*at, "image_version")
    at = (*at, "workloads")
    given = {name: getattr(workloads, name) for name in _FIELDS if getattr(workloads, name) is not None}
    if not given:
        findings.tell(
            "DP212",
            at,
            "workloads sizes nothing",
            "size one of " + ", ".join(_FIELDS) + ", or leave it out",
            needs=tuple((*at, name) for name in _FIELDS),
        )
    if composer.generation == 2 and "dag_processor" in given:
        findings.tell(
            "DP212",
            (*at, "dag_processor"),
            "Composer 2 has no DAG processor of its own",
            "take it out (the scheduler parses DAGs), or use Composer 3",
            needs=(image,),
            key=True,
        )
    for name, workload in given.items():
        _fields(name, workload, (*at, name), findings)
        limits = LIMITS[composer.generation].get(name)
        if limits is not None:
            _limits(f"{name} of Composer {composer.generation}", workload, limits, (*at, name), image, findings)


def _fields(name: str, workload: Workload, at: Path, findings: Findings) -> None:
    allowed = _FIELDS[name]
    given = [field for field in _ALL_FIELDS if getattr(workload, field) is not None]
    if not given:
        remedy = "give " + ", ".join(allowed) + ", or leave it out"
        findings.tell("DP212", at, f"{name} sizes nothing", remedy, needs=tuple((*at, f) for f in allowed), key=True)
    for field in given:
        if field not in allowed:
            remedy = f"take it out: it has {', '.join(allowed)}"
            findings.tell("DP212", (*at, field), f"a {name} has no {field}", remedy, key=True)
    low, high = workload.min_count, workload.max_count
    if name == "worker" and low is not None and high is not None and low > high:
        findings.tell(
            "DP125",
            (*at, "min_count"),
            f"min_count {low} is more than max_count {high}",
            "lower min_count or raise max_count",
            needs=((*at, "max_count"),),
        )


def _limits(what: str, workload: Workload, limits: Limits, at: Path, image: Path, findings: Findings) -> None:
    def tell(field: str, message: str, remedy: str, *needs: Path) -> None:
        findings.tell("DP240", (*at, field), f"a {what} {message}", remedy, needs=(image, *needs))

    cpu, memory, storage = workload.cpu, workload.memory_gb, workload.storage_gb
    if cpu is not None:
        low, high = limits.cpu
        even = limits.even_cpu and cpu > 1
        step = 2 if even else limits.cpu_step
        if not low <= cpu <= high:
            tell("cpu", f"has {low:g} to {high:g} vCPUs, not {cpu:g}", f"write a number from {low:g} to {high:g}")
        elif cpu % step:
            steps = "0.5, 1 or an even number of" if limits.even_cpu else f"a multiple of {limits.cpu_step:g}"
            tell("cpu", f"has {steps} vCPUs, not {cpu:g}", f"write {_near(cpu, step, low, high)}")
    if memory is not None:
        low, high = limits.memory_gb
        if not low <= memory <= high:
            tell("memory_gb", f"has {low:g} to {high:g} GB of memory, not {memory:g}", f"write {low:g} to {high:g}")
        elif limits.memory_step and memory % limits.memory_step:
            near = _near(memory, limits.memory_step, low, high)
            tell("memory_gb", f"has memory in steps of {limits.memory_step:g} GB, not {memory:g}", f"write {near}")
        elif cpu is not None and limits.cpu[0] <= cpu <= limits.cpu[1]:
            least, most = (cpu * each for each in limits.memory_per_cpu)
            if not least <= memory <= most:
                message = f"with {cpu:g} vCPUs has {least:g} to {most:g} GB of memory, not {memory:g}"
                tell("memory_gb", message, f"write {least:g} to {most:g}, or change cpu", (*at, "cpu"))
    if storage is not None and limits.storage_gb is not None:
        low, high = limits.storage_gb
        if not low <= storage <= high:
            tell("storage_gb", f"has {low:g} to {high:g} GB of storage, not {storage:g}", f"write {low:g} to {high:g}")
        elif limits.storage_step and storage % limits.storage_step:
            near = _near(storage, limits.storage_step, low, high)
            tell("storage_gb", f"has whole GB of storage, not {storage:g}", f"write {near}")
    for field in _COUNTS if limits.count is not None else ():
        count, bounds = getattr(workload, field), limits.count
        if count is not None and bounds is not None and not bounds[0] <= count <= bounds[1]:
            message = f"comes {max(1, bounds[0])} to {bounds[1]} times, not {count}"
            tell(field, message, f"write {max(1, bounds[0])} to {bounds[1]}")


def _near(value: float, step: float, low: float, high: float) -> str:
    """The values beside it that are allowed."""
    below = max(low, value // step * step)
    above = min(high, below + step)
    return f"{below:g}" if below == above else f"{below:g} or {above:g}"
