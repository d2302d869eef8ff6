"""A definition file → `Definition`, or all that is wrong with it.

The rules are stricter than AEF's generator where that one is silently wrong: it skips levels whose LEVEL_IDs have a gap
or are out of order, drops a step whose TYPE is misspelt, jumps to steps that do not exist and ignores timeouts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from pathlib import Path as FilePath

from dataplatform.config import datafusion_definition as fusions
from dataplatform.config.document import Node, Path
from dataplatform.config.executors import EXECUTORS, FUNCTIONS, REGISTRY
from dataplatform.config.jobfiles import find_jobs, read_job_file
from dataplatform.config.loader import digest_of, load_document, shown_path, validate
from dataplatform.config.options import DEFAULT_OWNER, Options, Parameter, Repeat, Schedule, Trigger, parameter_problem
from dataplatform.config.pipeline import (
    DEFAULT_TIMEOUT_SECONDS,
    ENGINES,
    MAX_SECONDS,
    MAX_SYNC_SECONDS,
    WHOLE,
    Definition,
    DefinitionFile,
    JobFile,
    LevelDef,
    LevelFile,
    StepDef,
    StepFile,
    ThreadDef,
    ThreadFile,
)
from dataplatform.config.stepkeys import check_next, check_step
from dataplatform.config.stepproperties import read_properties
from dataplatform.config.text import kind_of, shown
from dataplatform.diagnostics import Diagnostics, Position, nearest

SUFFIXES = (".json", ".yaml", ".yml")
"""Endings of definition files."""

KINDS = (fusions.KIND,)
"""What `kind` may be; a definition of levels, threads and steps has none."""

NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
"""What a pipeline may be called: what both a workflow's id and a DAG's id may be."""

_PARAMETER_FILE = "ParameterKey"


def load_definition(
    path: FilePath,
    *,
    root: FilePath | None = None,
    functions: Collection[str] = (),
    jobs: FilePath | None = None,
) -> tuple[Definition | None, Diagnostics]:
    """Read and check one definition, wherever it lies.

    Args:
        path: The file, JSON or YAML.
        root: The project's root; the definition's `file` is relative to it where it lies below it.
        functions: Executor functions that are known besides the framework's own.
        jobs: The folder of job parameter files; the nearest folder `jobs` above the file if left out.
    """
    diagnostics = Diagnostics()
    name_problem = check_name(path)
    if name_problem:
        diagnostics.add("DP305", Position(shown_path(path)), *name_problem)
    node, found = load_document(path)
    diagnostics.extend(found.items)
    if node is None:
        return None, diagnostics
    if node.kind == "mapping" and "kind" in node.entries:
        return _of_kind(node, path, root, functions, diagnostics), diagnostics
    checker = _Checker(node, frozenset(functions), jobs or find_jobs(path, root))
    checked = checker.check()
    diagnostics.extend(node.document.diagnostics.items)
    if checked is None or diagnostics:
        return None, diagnostics
    levels, options = checked
    engine = node.entries["engine"][1].scalar
    definition = Definition(
        name=path.stem,
        engines=(ENGINES[engine],),
        levels=levels,
        file=_below(path, root),
        sha256=_digest(path, node),
        options=options,
        run=run.scalar if (run := node.child("run")) is not None else None,
        positions={key: node.document.position(value.offset) for key, (_, value) in node.entries.items()},
    )
    return definition, diagnostics


def _of_kind(
    node: Node, path: FilePath, root: FilePath | None, functions: Collection[str], diagnostics: Diagnostics
) -> Definition | None:
    """A definition that says what it is with `kind`, or None where it is wrong, which is told."""
    kind = node.entries["kind"][1]
    if kind.kind != "scalar" or kind.scalar != fusions.KIND:
        if not kind.flawed:
            remedy = f"{nearest(str(kind.value())[:100], KINDS)} Leave kind out for levels, threads and steps"
            node.report("DP123", ("kind",), f"there is no kind of definition {shown(kind.value())}", remedy)
        read = None
    else:
        read = fusions.read_fusion(node, FUNCTIONS | frozenset(functions))
    diagnostics.extend(node.document.diagnostics.items)
    if read is None or diagnostics:
        return None
    position = node.document.position
    places = {".".join(map(str, where)): position(leaf.offset) for where, _, leaf in node.walk()}
    return Definition(
        name=path.stem,
        engines=("airflow",),
        levels=(),
        file=_below(path, root),
        sha256=_digest(path, node),
        options=read[1],
        fusion=read[0],
        positions={**places, **{key: position(value.offset) for key, (_, value) in node.entries.items()}},
    )


def _digest(path: FilePath, node: Node) -> str:
    try:
        return digest_of(path)
    except OSError:
        return hashlib.sha256(node.document.text.encode()).hexdigest()


def check_name(path: FilePath) -> tuple[str, str] | None:
    """What is wrong with a definition's file name, and what would be right."""
    if path.suffix not in SUFFIXES:
        return f"the ending {shown(path.suffix)} is not that of a definition", "name it .json (or .yaml)"
    if NAME.fullmatch(path.stem):
        return None
    remedy = "a file's name is its pipeline's: 1 to 64 letters, digits, '_', '-'; a letter first, no '_' or '-' last"
    return f"{shown(path.stem)} cannot be the name of a pipeline", remedy


def _below(path: FilePath, root: FilePath | None) -> str:
    if root is not None:
        try:
            return path.resolve().relative_to(root.resolve()).as_posix()
        except ValueError:
            pass
    return shown_path(path)


class _Checker:
    """One run over one definition; what is found is recorded in its document."""

    def __init__(self, node: Node, functions: frozenset[str], jobs: FilePath | None) -> None:
        self.node = node
        self.executors = EXECUTORS | functions
        self.functions = FUNCTIONS | functions
        self.jobs = jobs
        self.job_ids: dict[str, Path] = {}
        self.job_names: dict[str, Path] = {}

    def check(self) -> tuple[tuple[LevelDef, ...], Options] | None:
        """The levels and the options, or None where anything is wrong."""
        if not self._is_definition():
            return None
        model, found = validate(DefinitionFile, self.node)
        self._parts()
        if model is not None:
            self._parameters(model)
        if model is None or found or self.node.document.diagnostics:
            return None
        levels = tuple(self._level(level, ("definition", i)) for i, level in enumerate(model.definition))
        return levels, _options(model)

    def _is_definition(self) -> bool:
        node = self.node
        if node.kind == "mapping" and ("definition" in node.entries or "engine" in node.entries):
            return True
        if node.kind == "sequence":
            first = node.items[0] if node.items else None
            if first is not None and _PARAMETER_FILE in first.entries:
                node.report("DP304", (), "these are AEF's platform parameters, not a definition", (
                    "delete the file: the stack's configuration has these values now"
                ))  # fmt: skip
            elif first is not None and "LEVEL_ID" in first.entries:
                node.report("DP304", (), "a list of levels without an engine", (
                    'put it into an object: {"engine": "cloud_workflows", "definition": […]}'
                ))  # fmt: skip
            else:
                node.report("DP304", (), "a list is no definition", 'write {"engine": …, "definition": […]}')
            return False
        if node.kind != "mapping":
            if not node.flawed:
                found = kind_of(node.value())
                node.report("DP304", (), f"{found} is no definition", 'write {"engine": …, "definition": […]}')
            return False
        upper = {key.lower() for key in node.entries}
        if not node.entries or upper & {"definition", "engine", "defintion", "definitions", "engines"}:
            return True
        node.report("DP319", (), "a job parameter file, not a definition: it has neither engine nor definition", (
            "move it to the folder jobs/ of the pipelines folder"
        ))  # fmt: skip
        return False

    # What holds across steps is checked on the tree, so that one wrong step does not hide the others' mistakes.

    def _parts(self) -> None:
        levels = self.node.child("definition")
        if levels is None or levels.kind != "sequence":
            return
        self._not_empty(levels, ("definition",), "a definition without levels would run nothing", "add a level")
        self._level_ids(levels)
        for i, level in enumerate(levels.items):
            threads = level.child("THREADS")
            if threads is None or threads.kind != "sequence":
                continue
            at: Path = ("definition", i, "THREADS")
            self._not_empty(threads, at, "a level without threads would run nothing", "add a thread, or take it out")
            self._thread_ids(threads, at)
            for j, thread in enumerate(threads.items):
                steps = thread.child("STEPS")
                if steps is None or steps.kind != "sequence":
                    continue
                here: Path = (*at, j, "STEPS")
                self._not_empty(steps, here, "a thread without steps would run nothing", "add a step, or take it out")
                below = levels.items[i + 1].child("THREADS") if i + 1 < len(levels.items) else None
                check_next(self.node, here, below if len(threads.items) == 1 else None)
                for k, step in enumerate(steps.items):
                    if step.kind == "mapping":
                        last = i == len(levels.items) - 1 and k == len(steps.items) - 1
                        self._step(step, (*here, k), last=last)

    def _not_empty(self, node: Node, path: Path, message: str, remedy: str) -> None:
        if not node.items and not node.flawed:
            self.node.report("DP320", path, message, remedy, key=True)

    def _level_ids(self, levels: Node) -> None:
        previous: int | None = None
        seen: dict[int, Path] = {}
        for i, level in enumerate(levels.items):
            path: Path = ("definition", i, "LEVEL_ID")
            number = _number(level.child("LEVEL_ID"))
            if number is None:
                previous = None
                continue
            if number in seen:
                place = self.node.position_of(seen[number])
                message = f"LEVEL_ID {number} is used twice"
                remedy = f"number the levels one after the other: the first is at {place.line}:{place.column}"
                self.node.report("DP307", path, message, remedy)
            elif previous is not None and number != previous + 1:
                way = "there is a gap" if number > previous else "the order is wrong"
                self.node.report(
                    "DP307",
                    path,
                    f"LEVEL_ID {number} follows {previous}: {way}",
                    f"write {previous + 1}, or put the levels in order; AEF skips levels here without a word",
                )
            seen.setdefault(number, path)
            previous = number

    def _thread_ids(self, threads: Node, at: Path) -> None:
        seen: dict[str, Path] = {}
        for j, thread in enumerate(threads.items):
            path: Path = (*at, j, "THREAD_ID")
            node = thread.child("THREAD_ID")
            if node is None or node.kind != "scalar" or node.scalar is None:
                continue
            self._unique(seen, str(node.scalar), path, "DP308", "THREAD_ID", "in one level")

    def _unique(self, seen: dict[str, Path], value: str, path: Path, code: str, what: str, where: str) -> None:
        if value not in seen:
            seen[value] = path
            return
        place = self.node.position_of(seen[value])
        self.node.report(
            code,
            path,
            f"{what} {shown(value)} is used twice {where}",
            f"give each its own: the first is at {place.line}:{place.column}",
        )

    def _step(self, step: Node, path: Path, *, last: bool) -> None:
        job_id, job_name = step.child("JOB_ID"), step.child("JOB_NAME")
        if job_id is not None and job_id.kind == "scalar" and job_id.scalar not in (None, ""):
            self._unique(self.job_ids, str(job_id.scalar), (*path, "JOB_ID"), "DP309", "JOB_ID", "in this pipeline")
        if job_name is not None and isinstance(job_name.scalar, str) and job_name.scalar:
            name_path: Path = (*path, "JOB_NAME")
            what = "duplicate step name: JOB_NAME"
            self._unique(self.job_names, job_name.scalar, name_path, "DP310", what, "in this pipeline")
        check_step(self.node, step, path, self.executors)
        self._times(step, path)
        flag = step.child("LAST_STEP")
        if flag is not None and str(flag.scalar).lower() == "true" and not last:
            self.node.report("DP316", (*path, "LAST_STEP"), "this is not the last step of the pipeline", (
                "leave LAST_STEP out: a pipeline ends where its last level ends"
            ))  # fmt: skip
        read_properties(self.node, (*path, "STEP_PROPERTIES"))

    def _times(self, step: Node, path: Path) -> None:
        seconds = _number(step.child("TIMEOUT_SECONDS"), MAX_SECONDS)
        minutes = _number(step.child("ASYNC_TIMEOUT_LOOP_IN_MINUTES"), MAX_SECONDS // 60)
        wait = _number(step.child("WAIT_TIME_SECONDS"), MAX_SECONDS)
        if seconds and minutes and seconds != minutes * 60:
            self.node.report(
                "DP314",
                (*path, "ASYNC_TIMEOUT_LOOP_IN_MINUTES"),
                f"it says {minutes * 60} seconds and TIMEOUT_SECONDS says {seconds}",
                "keep one of the two, or make them agree",
            )
        kind = step.child("TYPE")
        if kind is not None and kind.scalar == "sync":
            if seconds and seconds > MAX_SYNC_SECONDS:
                message = f"a step of TYPE sync cannot wait {seconds} seconds for its one call"
                remedy = f"write at most {MAX_SYNC_SECONDS}, or use TYPE async"
                self.node.report("DP125", (*path, "TIMEOUT_SECONDS"), message, remedy)
            return
        timeout = seconds or (minutes * 60 if minutes else DEFAULT_TIMEOUT_SECONDS)
        if wait and wait > timeout:
            key = "TIMEOUT_SECONDS" if seconds else "ASYNC_TIMEOUT_LOOP_IN_MINUTES" if minutes else "WAIT_TIME_SECONDS"
            what = "timeout" if seconds or minutes else "default timeout"
            self.node.report(
                "DP315",
                (*path, key),
                f"the {what} of {timeout} seconds ends before the first status call after {wait} seconds",
                "raise the timeout above WAIT_TIME_SECONDS, or lower that",
            )

    def _parameters(self, model: DefinitionFile) -> None:
        for name, parameter in model.parameters.items():
            problem = parameter_problem(name, parameter.type, parameter.default)
            if problem:
                of_name, message, remedy = problem
                path: Path = ("parameters", name) if of_name else ("parameters", name, "default")
                self.node.report("DP325", path, message, remedy, key=of_name)
        for name, trigger in model.triggers.items():
            said = [key for key in ("file", "message", "audit") if getattr(trigger, key) is not None]
            if len(said) != 1:
                message = "a run is started by a file, a message or a call, and this names " + (
                    " and ".join(said) if said else "none of them"
                )
                self.node.report("DP331", ("triggers", name), message, "write one of file, message, audit", key=True)
        if model.on_failure is not None and model.on_failure.function not in self.functions:
            name = model.on_failure.function
            remedy = f"{nearest(name, self.functions)} Others are registered in gcp.executors.functions"
            self.node.report("DP311", ("on_failure", "function"), f"unknown function {shown(name)}", remedy)
        if model.engine == "cloud_workflows":
            for path, _, node in self.node.walk():
                if path[-1:] == ("POOL",) and node.scalar is not None:
                    self.node.report("DP314", path, "POOL is Airflow's, and the engine is cloud_workflows", (
                        "take it out: Cloud Workflows runs 20 threads of a level at a time"
                    ))  # fmt: skip

    def _level(self, level: LevelFile, path: Path) -> LevelDef:
        return LevelDef(
            level_id=str(level.level_id),
            threads=tuple(self._thread(thread, (*path, "THREADS", j)) for j, thread in enumerate(level.threads)),
            position=self.node.position_of(path),
        )

    def _thread(self, thread: ThreadFile, path: Path) -> ThreadDef:
        return ThreadDef(
            thread_id=thread.thread_id,
            steps=tuple(self._step_def(step, (*path, "STEPS", k)) for k, step in enumerate(thread.steps)),
            position=self.node.position_of(path),
        )

    def _step_def(self, step: StepFile, path: Path) -> StepDef:
        node = self.node.at(path)
        assert node is not None
        named = (step.workflows_name, step.function_id_name, step.function_name, step.composer_step)
        executor = next(name for name in named if name)
        position = self.node.document.position
        return StepDef(
            job_id=step.job_id,
            job_name=step.job_name,
            type=step.type,
            executor=executor,
            status_executor=step.function_status_name or executor,
            wait_time_seconds=step.wait_time_seconds,
            timeout_seconds=step.timeout_seconds,
            async_timeout_loop_in_minutes=step.async_timeout_loop_in_minutes,
            continue_if_fail=step.continue_if_fail,
            step_properties=read_properties(self.node, (*path, "STEP_PROPERTIES")) or {},
            retries=Repeat(**step.retries.model_dump()) if step.retries else None,
            call_retry=Repeat(**step.call_retry.model_dump()) if step.call_retry else None,
            pool=step.pool,
            run=step.run,
            job_file=self._job_file(step, executor),
            position=position(node.offset),
            positions={key: position(value.offset) for key, (_, value) in node.entries.items()},
        )

    def _job_file(self, step: StepFile, executor: str) -> JobFile | None:
        """The step's job parameter file, for an executor that can do without its function."""
        known = REGISTRY.get(executor)
        if self.jobs is None or step.type != "async" or known is None or not known.operator:
            return None
        return read_job_file(self.jobs, executor, step.job_name)


def _options(model: DefinitionFile) -> Options:
    schedule = model.schedule
    return Options(
        description=model.description or "",
        owner=model.owner or DEFAULT_OWNER,
        tags=tuple(sorted(set(model.tags))),
        schedule=Schedule(cron=schedule.cron, timezone=schedule.timezone) if schedule else None,
        parameters=tuple(
            Parameter(name=name, type=p.type, default=p.default, description=p.description or "")
            for name, p in sorted(model.parameters.items())
        ),
        on_failure=model.on_failure.function if model.on_failure else None,
        triggers=tuple(
            Trigger(
                name=name,
                zone=found.file.zone if found.file else None,
                prefix=(found.file.prefix or "") if found.file else "",
                topic=found.message.topic if found.message else None,
                service=found.audit.service if found.audit else None,
                method=found.audit.method if found.audit else "",
                parameters=tuple(sorted(found.parameters.items())),
                query_variables=tuple(sorted(found.query_variables.items())),
            )
            for name, found in sorted(model.triggers.items())
        ),
    )


def _number(node: Node | None, most: int = 999_999) -> int | None:
    """The whole number of a scalar, or None where it is none or out of range, which the models tell."""
    if node is None or node.kind != "scalar" or node.flawed or isinstance(node.scalar, bool):
        return None
    value = node.scalar
    if isinstance(value, str):
        value = int(value) if WHOLE.fullmatch(value) else None
    return value if isinstance(value, int) and 0 <= value <= most else None
