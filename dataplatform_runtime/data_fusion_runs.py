"""Operators of DAGs that run a Data Fusion pipeline for each active row of a configuration table.

`TruncateTable`, `ReadConfiguration`, `ActiveRows`, then `DataFusionRun` once for each row, mapped. Where the DAG takes
its values from Airflow variables, `Settings` reads them when a run begins and the others ask it; nothing is read while
the DAG is parsed.

A run of a pipeline is stopped when it takes too long and when its task is killed. A task whose worker died leaves its
run to the next try, which finds it by the key in its runtime arguments: the task instance, its row, and how often the
task was cleared, so that a person who clears a task that has succeeded gets a new run.

Deferred, a task is woken by Airflow's own timer for each look at its run: the triggerer needs no code of ours and no
credentials, and the run's time is kept by what wakes. A deferred task that somebody ends by hand has no process that
could stop its run; the run goes on, and clearing the task adopts it.

Nothing is a template: what stands in a row stays what it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from dataplatform_runtime.bigquery_jobs import Jobs, QueryError, table_name
from dataplatform_runtime.cdap_runs import Pipeline, Run, RunFailedError, Runs, UnstoppedError, keys_of
from dataplatform_runtime.compat import (
    BaseOperator,
    failed,
    fatal,
    get_variable,
    leave_params_to_the_dag,
    set_variable,
    sleep_trigger,
    timeout_error,
)
from dataplatform_runtime.google_rest import RestError

__all__ = ["ActiveRows", "DataFusionRun", "ReadConfiguration", "Settings", "TruncateTable"]

RUN_ARGUMENTS = "cdf_pipeline_run_arguments"
MAX_RESULTS = 1000
_FIXED = ("dag_retry_interval_minutes", "dag_timeout_minutes")
"""Settings that are the DAG's own: Airflow knows them before a run begins."""
_LABEL = 200


class Settings(BaseOperator):  # type: ignore[misc]
    """Reads the DAG's values from Airflow variables: XCom `return_value` has all of them by name.

    Args:
        defaults: Name and value where there is no such variable; a value's type is the setting's.
        prefix: What the variables' names begin with.
        kwargs: What every operator takes.
    """

    template_fields = ()
    ui_color = "#f3e8fd"

    def __init__(self, *, defaults: Mapping[str, Any], prefix: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        leave_params_to_the_dag(self)
        self.defaults = dict(defaults)
        self.prefix = prefix

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Read them; all that is wrong with them is told at once."""
        found, wrong = dict(self.defaults), []
        for name, default in self.defaults.items():
            text = get_variable(self.prefix + name)
            if text is None:
                self.log.info("%s%s is not set; the definition says %r", self.prefix, name, default)
                continue
            problem = self._read(name, default, text.strip(), found)
            if problem:
                wrong.append(f"the Airflow variable {self.prefix}{name} {problem}")
        if wrong:
            raise fatal("; ".join(wrong))
        return found

    def _read(self, name: str, default: Any, text: str, found: dict[str, Any]) -> str | None:
        if isinstance(default, int):
            least = 0 if name == "dag_retry_interval_minutes" else 1
            if not (text.isascii() and text.isdecimal()) or not least <= int(text[:12]) <= 10**9:
                return f"is {text[:50]!r}, and must be a whole number of at least {least}"
            found[name] = int(text)
            if name in _FIXED and found[name] != default:
                return f"is {text}, and the DAG was compiled with {default}: a run cannot change it, the definition can"
            if name == "cdf_pipeline_timeout_seconds" and found[name] > default:
                return f"is {text}, and the DAG's own times are made for at most {default}: raise it in the definition"
            if name == "bq_config_max_results" and found[name] > MAX_RESULTS:
                return f"is {text}, and may be at most {MAX_RESULTS}"
            return None
        found[name] = text
        return None if text or name == "bq_output_table" else "is empty"


class _Fusion(BaseOperator):  # type: ignore[misc]
    """What the operators here share: values of their own, or of the task that has read Airflow's variables."""

    template_fields: Sequence[str] = ()
    settings_names: ClassVar[Mapping[str, str]] = {}
    """Attribute -> setting."""

    def __init__(self, *, pipeline: str, settings_task: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        leave_params_to_the_dag(self)
        self.pipeline = pipeline
        self.settings_task = settings_task

    def settle(self, context: Mapping[str, Any]) -> None:
        """Take the values of this run."""
        if self.settings_task is None:
            return
        found = context["ti"].xcom_pull(task_ids=self.settings_task)
        for attribute, name in self.settings_names.items():
            if name in found:
                setattr(self, attribute, found[name])

    def query(self, context: Mapping[str, Any], project: str, location: str, sql: str) -> list[dict[str, Any]]:
        """Run a statement; a try has a job of its own."""
        ti = context["ti"]
        who = [ti.dag_id, ti.run_id, ti.task_id, ti.try_number, _began(context)]
        job = f"dp-{hashlib.sha256(json.dumps(who).encode()).hexdigest()[:40]}"
        self.log.info("BigQuery job %s in %s, %s", job, project, location)
        try:
            return list(Jobs(project, location).run(sql, job, {"pipeline": "data-platform"}))
        except (QueryError, RestError, ValueError) as error:
            raise failed(f"pipeline {self.pipeline}, {ti.task_id}: {error}") from error


class TruncateTable(_Fusion):
    """Empties the table that the runs will fill. With no table there is nothing to do."""

    ui_color = "#e8f0fe"
    settings_names: ClassVar[Mapping[str, str]] = {
        "project_id": "project_id",
        "location": "bq_location",
        "dataset_id": "bq_dataset_id",
        "table_id": "bq_output_table",
    }

    def __init__(self, *, project_id: str, location: str, dataset_id: str, table_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self.location = location
        self.dataset_id = dataset_id
        self.table_id = table_id

    def execute(self, context: Mapping[str, Any]) -> None:
        """TRUNCATE TABLE."""
        self.settle(context)
        if not self.table_id:
            self.log.info("no output table is named, so none is emptied")
            return
        table = _named(self.project_id, self.dataset_id, self.table_id)
        self.query(context, self.project_id, self.location, f"TRUNCATE TABLE {table}")


class ReadConfiguration(_Fusion):
    """Reads the configuration table: all of its rows, or none and an error.

    Args:
        project_id: Project of the table, and of the query.
        location: Of its dataset.
        dataset_id: Its dataset.
        table_id: The table.
        columns: The columns that are read; the last one says which rows are active.
        max_results: How many rows the table may have.
        kwargs: What every operator takes.
    """

    ui_color = "#e8f0fe"
    settings_names: ClassVar[Mapping[str, str]] = {
        "project_id": "project_id",
        "location": "bq_location",
        "dataset_id": "bq_dataset_id",
        "table_id": "bq_config_table",
        "max_results": "bq_config_max_results",
    }

    def __init__(
        self,
        *,
        project_id: str,
        location: str,
        dataset_id: str,
        table_id: str,
        columns: Sequence[str],
        max_results: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self.location = location
        self.dataset_id = dataset_id
        self.table_id = table_id
        self.columns = list(columns)
        self.max_results = max_results

    def execute(self, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        """SELECT its columns."""
        self.settle(context)
        table = _named(self.project_id, self.dataset_id, self.table_id)
        columns = ", ".join(f"`{column}`" for column in self.columns)
        # Names are checked where they are made, and a name in backticks ends at the next one.
        sql = f"SELECT {columns} FROM {table} LIMIT {int(self.max_results) + 1}"  # noqa: S608
        rows = self.query(context, self.project_id, self.location, sql)
        if len(rows) > self.max_results:
            raise fatal(
                f"pipeline {self.pipeline}: {self.table_id} has more than {self.max_results} rows, the most that "
                "bq_config_max_results lets it have: raise that, for rows that are not read would not be run"
            )
        self.log.info("%d rows of configuration", len(rows))
        return rows


class ActiveRows(_Fusion):
    """Keeps the active rows of the configuration: the runtime arguments of one run each, in a stable order.

    Args:
        rows_task: Task that has read the configuration; None where `arguments` are given.
        columns: Columns that become runtime arguments.
        active_column: Column that says which rows are active: BOOL, "true" or "false" in any case, 1 or 0.
        arguments: Runtime arguments of the runs, in place of a configuration table.
        variable: Airflow variable that the arguments are written to, for people to look at; nothing reads it.
        kwargs: What every operator takes.
    """

    ui_color = "#e6f4ea"

    def __init__(
        self,
        *,
        rows_task: str | None,
        columns: Sequence[str] = (),
        active_column: str = "",
        arguments: Sequence[Mapping[str, str]] = (),
        variable: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rows_task = rows_task
        self.columns = list(columns)
        self.active_column = active_column
        self.arguments = [dict(item) for item in arguments]
        self.variable = variable

    def execute(self, context: Mapping[str, Any]) -> list[dict[str, str]]:
        """The arguments; an empty list skips the runs."""
        if self.rows_task is None:
            found = self.arguments
        else:
            try:
                found = active(context["ti"].xcom_pull(task_ids=self.rows_task) or [], self.columns, self.active_column)
            except ValueError as error:
                raise fatal(f"pipeline {self.pipeline}: {error}") from error
        once = list({json.dumps(item, sort_keys=True): item for item in found}.values())
        if len(once) < len(found):
            self.log.warning("%d rows are like others: each is run once", len(found) - len(once))
        if self.variable is not None:
            set_variable(self.variable, json.dumps(once), f"Runs of the newest run of {self.pipeline}; not read")
        self.log.info("%d runs" if once else "%d runs: no row is active, so nothing is run", len(once))
        return once


def active(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], active_column: str) -> list[dict[str, str]]:
    """The runtime arguments of the active rows, sorted.

    Raises:
        ValueError: a row says neither that it is active nor that it is not, or lacks a value.
    """
    found = []
    for row in rows:
        flag = row.get(active_column)
        word = str(flag).strip().lower()
        if flag is not None and word not in ("true", "false", "1", "0", "1.0", "0.0", ""):
            raise ValueError(f"{active_column} is {str(flag)[:50]!r} in a row, which is neither true nor false")
        if word not in ("true", "1", "1.0"):
            continue
        missing = next((column for column in columns if row.get(column) is None), None)
        if missing is not None:
            raise ValueError(f"an active row has no {missing}")
        found.append({column: str(row[column]) for column in columns})
    return sorted(found, key=lambda item: [item[column] for column in columns])


class DataFusionRun(_Fusion):
    """One run of a pipeline: started, or adopted from an earlier try, and COMPLETED. XCom `return_value` is its id.

    Args:
        project_id: Project of the instance.
        location: Region of the instance.
        instance_name: The instance.
        namespace: Of the pipeline.
        pipeline_name: The pipeline, as Data Fusion calls it.
        timeout_seconds: How long a run may take; then it is stopped.
        poll_seconds: Pause before each look at it.
        common_arguments: Runtime arguments of every run; a row's go before them.
        deferrable: Whether the pauses are spent in the triggerer.
        arguments: The row's runtime arguments.
        kwargs: What every operator takes.
    """

    ui_color = "#fce8e6"
    settings_names: ClassVar[Mapping[str, str]] = {
        "project_id": "project_id",
        "location": "cdf_location",
        "instance_name": "cdf_instance",
        "pipeline_name": "cdf_pipeline_name",
        "timeout_seconds": "cdf_pipeline_timeout_seconds",
    }

    def __init__(
        self,
        *,
        project_id: str,
        location: str,
        instance_name: str,
        namespace: str,
        pipeline_name: str,
        timeout_seconds: int,
        poll_seconds: int,
        common_arguments: Mapping[str, str] | None = None,
        deferrable: bool = False,
        arguments: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self.location = location
        self.instance_name = instance_name
        self.namespace = namespace
        self.pipeline_name = pipeline_name
        self.timeout_seconds = timeout_seconds
        self.poll_seconds = poll_seconds
        self.common_arguments = dict(common_arguments or {})
        self.deferrable = deferrable
        self.arguments = dict(arguments or {})
        self._run: Run | None = None

    def execute(self, context: Mapping[str, Any]) -> str:
        """Start or adopt the run, and wait or defer."""
        runs = self._begin(context)
        key, task = self._key(context)
        with self._judged():
            run, adopted = runs.start_or_adopt(key, {**self.common_arguments, **self.arguments}, task=task)
            self._run = run
            self._say(context, runs, run, adopted)
            if not self.deferrable:
                runs.wait(run, self.timeout_seconds, self.poll_seconds)
                self._run = None
                return run.id
            return self._look(runs, run, seen=False)

    def look(self, context: Mapping[str, Any], event: Any = None, **kept: Any) -> str:
        """Woken: look at the run, and defer again while it goes on."""
        runs = self._begin(context)
        with self._judged():
            # What a task has kept is lost where Airflow plays a DAG in one process (`dag.test`): then CDAP knows.
            key, _ = self._key(context)
            run = Run(id=kept["run_id"], status="", began=kept["began"]) if "run_id" in kept else runs.newest(key)
            if run is None:
                raise RunFailedError("the run of this task is not there any more")
            self._run = run
            return self._look(runs, run, seen=bool(kept.get("seen", True)))

    def resume_execution(self, next_method: str, next_kwargs: Any, context: Mapping[str, Any]) -> Any:
        """Also where Airflow ends a task that waited for too long: its run is stopped first."""
        if next_method == "__fail__":
            with contextlib.suppress(Exception):
                runs, (key, task) = self._begin(context), self._key(context)
                found = runs.find(key, task)
                if found is not None:
                    self.log.warning("the task waited for too long; stopping run %s", found.id)
                    runs.stop(found.id)
        resume: Any = super().resume_execution
        return resume(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Stop the run: whoever kills the task wants that."""
        run, self._run = self._run, None
        if run is None:
            return
        self.log.warning("the task is killed; stopping run %s", run.id)
        # Connections of the interrupted call are in no known state: new ones.
        with contextlib.suppress(Exception):
            self._runs().stop(run.id, wait=False)

    def _begin(self, context: Mapping[str, Any]) -> Runs:
        self.settle(context)
        label = " / ".join(self.arguments.values()) or self.pipeline_name
        with contextlib.suppress(TypeError):
            context["row"] = label[:_LABEL]  # type: ignore[index]
        return self._runs()

    def _runs(self) -> Runs:
        return Runs(
            Pipeline(
                project=self.project_id,
                location=self.location,
                instance=self.instance_name,
                namespace=self.namespace,
                name=self.pipeline_name,
            ),
            say=self.log.info,
        )

    def _key(self, context: Mapping[str, Any]) -> tuple[str, str]:
        """What finds the run again, and the part of it that is the same after the task was cleared."""
        ti = context["ti"]
        who = (ti.dag_id, ti.run_id, ti.task_id, int(getattr(ti, "map_index", -1)), self.pipeline_name)
        # Clearing a task raises its last try by its retries; trying again does not.
        cleared = max(int(getattr(ti, "max_tries", 0) or 0) - int(self.retries or 0), 0)
        return keys_of(who, self.arguments, cleared, _began(context))

    def _look(self, runs: Runs, run: Run, *, seen: bool) -> str:
        done, seen = runs.look(run, self.timeout_seconds, seen=seen)
        if done:
            self._run = None
            return run.id
        pause = runs.pause(run, self.timeout_seconds, self.poll_seconds)
        kept = {"run_id": run.id, "began": run.began, "seen": seen}
        # Without a triggerer a task would be deferred for ever: its time in there is bounded too.
        self.defer(
            trigger=sleep_trigger(pause),
            method_name="look",
            kwargs=kept,
            timeout=timedelta(seconds=self.timeout_seconds + pause + 600),
        )
        raise AssertionError("a task that is deferred goes on elsewhere")

    def _say(self, context: Mapping[str, Any], runs: Runs, run: Run, adopted: bool) -> None:
        links = runs.links(run.id)
        words = "adopted run %s of an earlier try" if adopted else "started run %s"
        self.log.info(f"{words} of %s", run.id, self.pipeline_name)
        for what, link in links.items():
            self.log.info("%s: %s", what, link)
        with contextlib.suppress(Exception):
            context["ti"].xcom_push(key="data_fusion_run", value={"run_id": run.id, **links})

    @contextlib.contextmanager
    def _judged(self) -> Any:
        """Errors in words of the task: another try where the run has surely ended or will be found again."""
        late = timeout_error()
        place = f"pipeline {self.pipeline}"
        try:
            yield
        except late as error:
            run, self._run = self._run, None
            if run is not None:
                self._runs().stop(run.id)
            raise failed(f"{place}: the task took longer than it may") from error
        except UnstoppedError as error:
            self._run = None
            raise fatal(f"{place}: {error}; look after it, then clear the task") from error
        except (RunFailedError, RestError) as error:
            self._run = None
            raise failed(f"{place}: {error}") from error


def _began(context: Mapping[str, Any]) -> str:
    """When the DAG's run began, in milliseconds: what tells a run from one of its name that was deleted."""
    start = getattr(context["dag_run"], "start_date", None)
    return str(int(start.timestamp() * 1000)) if start is not None else "0"


def _named(project: str, dataset: str, table: str) -> str:
    try:
        return table_name(project, dataset, table)
    except ValueError as error:
        raise fatal(str(error)) from error
