"""Enough of Airflow's names to execute a compiled DAG and the real `dataplatform_runtime` without Airflow.

The stand-ins have what Airflow is strict about, as far as compiled DAGs touch it: arguments an operator does not know,
keys that are no identifiers, ids used twice, cycles; default arguments reach the operators that take them. `play` is a
scheduler with Airflow's trigger rules whose clock only moves from one task's end to the next. Real Airflow runs samples
of the same cases (test_meaning).

Deliberately absent: everything else. Tasks are tried once, nothing is deferred, skipped or mapped.
"""

from __future__ import annotations

import contextlib
import functools
import heapq
import inspect
import logging
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

_KEY = re.compile(r"[\w.-]{1,250}")
_LOG = logging.getLogger("light_airflow")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False
_LOG.disabled = True


class AirflowFailException(Exception):  # noqa: N818 (the name is Airflow's)
    """Fails a task for good."""


class Param:
    """A DAG's parameter."""

    def __init__(self, default: Any = None, *, type: Any = None, description: str = "") -> None:  # noqa: A002
        self.default = default


class CronTriggerTimetable:
    """When a DAG runs."""

    def __init__(self, cron: str, *, timezone: str) -> None:
        self.cron, self.timezone = cron, timezone


class DAG:
    """Collects the tasks of its `with` block."""

    current: ClassVar[DAG | None] = None

    def __init__(
        self,
        *,
        dag_id: str,
        description: str,
        doc_md: str,
        schedule: CronTriggerTimetable | None,
        start_date: datetime,
        catchup: bool,
        max_active_runs: int,
        max_active_tasks: int,
        dagrun_timeout: timedelta,
        default_args: Mapping[str, Any],
        params: Mapping[str, Param],
        tags: Sequence[str],
        on_failure_callback: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        assert _KEY.fullmatch(dag_id), dag_id
        self.dag_id = dag_id
        self.schedule = schedule
        self.catchup = catchup
        self.on_failure_callback = on_failure_callback
        self.max_active_tasks = max_active_tasks
        self.dagrun_timeout = dagrun_timeout
        self.default_args = default_args
        self.params = {name: param.default for name, param in params.items()}
        self.tasks: dict[str, BaseOperator] = {}
        self.groups: list[str] = []
        self.group_ids: set[str] = set()

    def __enter__(self) -> DAG:
        DAG.current = self
        return self

    def __exit__(self, *_: object) -> None:
        DAG.current = None


class TaskGroup:
    """Prefixes the ids of what is made inside."""

    def __init__(self, *, group_id: str) -> None:
        assert _KEY.fullmatch(group_id), group_id
        self.group_id = group_id

    def __enter__(self) -> TaskGroup:
        dag = _dag()
        dag.groups.append(self.group_id)
        whole = ".".join(dag.groups)
        assert whole not in dag.group_ids | set(dag.tasks), f"the id {whole} is used twice"
        dag.group_ids.add(whole)
        return self

    def __exit__(self, *_: object) -> None:
        _dag().groups.pop()


def _dag() -> DAG:
    assert DAG.current is not None, "made outside of a DAG"
    return DAG.current


@functools.cache
def _arguments(operator: type) -> frozenset[str]:
    made = [vars(base)["__init__"] for base in operator.__mro__ if "__init__" in vars(base)]
    return frozenset(name for init in made for name in inspect.signature(init).parameters)


class _Meta(type):
    def __call__(cls, **given: Any) -> Any:
        defaults = {name: value for name, value in _dag().default_args.items() if name in _arguments(cls)}
        return super().__call__(**{**defaults, **given})


class BaseOperator(metaclass=_Meta):
    """A task of the DAG."""

    log = _LOG
    inherits_from_empty_operator = False

    def __init__(
        self,
        *,
        task_id: str,
        owner: str = "airflow",
        retries: int = 0,
        trigger_rule: str = "all_success",
        execution_timeout: timedelta | None = None,
        pool: str | None = None,
    ) -> None:
        dag = _dag()
        assert _KEY.fullmatch(task_id), task_id
        self.task_id = ".".join([*dag.groups, task_id])
        assert _KEY.fullmatch(self.task_id), self.task_id
        assert self.task_id not in {*dag.tasks, *dag.group_ids}, f"the id {self.task_id} is used twice"
        self.pool = pool
        self.retries = retries
        self.trigger_rule = trigger_rule
        self.execution_timeout = execution_timeout
        self.upstream: dict[str, BaseOperator] = {}
        dag.tasks[self.task_id] = self

    def __rshift__(self, other: BaseOperator) -> BaseOperator:
        other.upstream[self.task_id] = self
        return other

    def __rrshift__(self, others: Sequence[BaseOperator]) -> BaseOperator:
        for other in others:
            self.upstream[other.task_id] = other
        return self

    def __hash__(self) -> int:
        return hash(self.task_id)


class Variable:
    """Airflow's variables, kept in memory."""

    values: ClassVar[dict[str, str]] = {}

    @classmethod
    def get(cls, key: str, default: str | None = None) -> str | None:
        """The variable's text."""
        return cls.values.get(key, default)

    @classmethod
    def set(cls, key: str, value: str, description: str = "") -> None:
        """Write it."""
        assert len(key) <= 250
        cls.values[key] = value

    @classmethod
    def delete(cls, key: str) -> None:
        """Delete it."""
        cls.values.pop(key, None)


Variable.__module__ = "airflow.sdk"


@contextlib.contextmanager
def installed() -> Iterator[types.ModuleType]:
    """Put the stand-ins where Airflow's modules would be, and import the runtime on top of them: its `operators`."""
    mine: dict[str, dict[str, Any]] = {
        "airflow": {},
        "airflow.sdk": {
            "CronTriggerTimetable": CronTriggerTimetable,
            "DAG": DAG,
            "Param": Param,
            "TaskGroup": TaskGroup,
            "BaseOperator": BaseOperator,
            "Variable": Variable,
        },
        "airflow.sdk.exceptions": {"AirflowFailException": AirflowFailException},
    }
    ours = ("dataplatform_runtime.compat", "dataplatform_runtime.operators", "dataplatform_runtime.pipelines")
    before = {name: sys.modules.pop(name, None) for name in (*mine, *ours)}
    try:
        for name, content in mine.items():
            module = types.ModuleType(name)
            module.__dict__.update(content, __path__=[])
            sys.modules[name] = module
        import dataplatform_runtime.operators
        import dataplatform_runtime.pipelines

        yield dataplatform_runtime.operators
    finally:
        for name, old in before.items():
            sys.modules.pop(name, None)
            if old is not None:
                sys.modules[name] = old


def load(text: str) -> DAG:
    """Execute a DAG file."""
    space: dict[str, Any] = {}
    found: list[DAG] = []
    entered = DAG.__enter__

    def keep(dag: DAG) -> DAG:
        found.append(dag)
        return entered(dag)

    DAG.__enter__ = keep  # type: ignore[method-assign]
    try:
        exec(compile(text, "dag.py", "exec"), space)
    finally:
        DAG.__enter__ = entered  # type: ignore[method-assign]
    (dag,) = found
    return dag


Execute = Callable[[BaseOperator, int], tuple[bool, int]]
"""(task, second it begins at) → whether it succeeded, and the seconds it took."""


def play(dag: DAG, execute: Execute) -> tuple[str, dict[str, str]]:
    """Run a DAG: the state of the run, and of each task."""
    states: dict[str, str] = {}
    running: list[tuple[int, int, str, bool]] = []
    waiting = dict(dag.tasks)
    now = number = 0
    while waiting or running:
        moved = True
        while moved:
            moved = False
            for name, task in list(waiting.items()):
                verdict = _verdict(task, states)
                if verdict == "wait" or (verdict == "run" and len(running) >= dag.max_active_tasks):
                    continue
                moved = True
                del waiting[name]
                if verdict == "upstream_failed":
                    states[name] = verdict
                elif task.inherits_from_empty_operator:
                    states[name] = "success"
                else:
                    good, seconds = execute(task, now)
                    assert task.execution_timeout is not None
                    assert seconds <= task.execution_timeout.total_seconds(), f"{name} took {seconds} seconds"
                    number += 1
                    heapq.heappush(running, (now + seconds, number, name, good))
        assert running or not waiting, f"nothing can run: {sorted(waiting)}"
        if running:
            now, _, name, good = heapq.heappop(running)
            states[name] = "success" if good else "failed"
    assert now <= dag.dagrun_timeout.total_seconds()
    followed = {upstream for task in dag.tasks.values() for upstream in task.upstream}
    leaves = {states[name] for name in dag.tasks if name not in followed}
    return "success" if leaves <= {"success"} else "failed", states


def _verdict(task: BaseOperator, states: Mapping[str, str]) -> str:
    """What Airflow's trigger rule makes of a task: `run`, `wait` or `upstream_failed`."""
    upstream = [states.get(name) for name in task.upstream]
    if task.trigger_rule == "all_done":
        return "run" if all(upstream) else "wait"
    assert task.trigger_rule == "all_success"
    if any(state in ("failed", "upstream_failed") for state in upstream):
        return "upstream_failed"
    return "run" if all(state == "success" for state in upstream) else "wait"


def ancestors(dag: DAG) -> dict[str, set[str]]:
    """Task id → all tasks that come before it by the DAG's edges."""
    found: dict[str, set[str]] = {}

    def visit(name: str) -> set[str]:
        if name not in found:
            found[name] = set()
            for upstream in dag.tasks[name].upstream:
                found[name] |= {upstream, *visit(upstream)}
        return found[name]

    for name in dag.tasks:
        visit(name)
    assert all(name not in before for name, before in found.items()), "a cycle"
    return found
