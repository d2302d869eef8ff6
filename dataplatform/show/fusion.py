"""A plan of kind datafusion as a picture and in words.

For a picture its tasks stand as steps of two levels: what finds the rows, and one box for all runs.
"""

from __future__ import annotations

import textwrap
from dataclasses import asdict, replace
from typing import Any

from dataplatform.compile.airflow_fusion import variables
from dataplatform.compile.plan import FusionRuns, Level, Plan, Step, Thread
from dataplatform.config.options import DEFAULT_OWNER
from dataplatform.config.text import escaped
from dataplatform.show.words import count, duration, engines, iso, listed, masked

_WIDTH = 100
_BIGQUERY_SECONDS = 3600
"""What the runtime gives a statement."""


def pictured(plan: Plan) -> Plan:
    """The plan with its tasks as levels and steps; one of another kind as it is."""
    fusion = plan.fusion
    if fusion is None:
        return plan
    tables = [name for name in _tables(fusion) if name != "filter_arguments"]
    first = [_step(name, "BigQuery", 10, _BIGQUERY_SECONDS) for name in tables]
    first.append(_step("filter_arguments", "Airflow", 1, 60))
    what = f"{fusion.cdf_pipeline_name}: up to {count(fusion.most, 'run')}, {fusion.concurrency} at a time"
    runs = _step(what, "Data Fusion", fusion.poll_seconds, fusion.cdf_pipeline_timeout_seconds)
    levels = (
        Level(id="configuration", threads=(Thread(id="rows", steps=tuple(first)),)),
        Level(id="start_pipelines", threads=(Thread(id="each active row", steps=(runs,)),)),
    )
    return replace(plan, levels=levels)


def explain(plan: Plan) -> str:
    """The plan as plain text."""
    fusion = plan.fusion
    assert fusion is not None
    place = f"{fusion.cdf_instance} ({fusion.project_id}, {fusion.cdf_location}), namespace {fusion.namespace}"
    lines = [
        f"Pipeline {escaped(plan.name)}, for {engines(plan.engines)}, from {escaped(plan.source.file)}",
        *_wrap(f"It runs the Data Fusion pipeline {fusion.cdf_pipeline_name} of {place}, once for {_rows(fusion)}."),
    ]
    if plan.description:
        lines += _wrap(f"It is for: {escaped(plan.description)}")
    if plan.owner != DEFAULT_OWNER:
        lines += _wrap(f"Its owner is {escaped(plan.owner)}.")
    if plan.tags:
        lines += _wrap(f"Tags: {', '.join(escaped(tag) for tag in plan.tags)}.")
    if plan.schedule:
        lines += _wrap(f"A run begins when {plan.schedule.cron} says, in {plan.schedule.timezone}.")
    lines += ["", *_order(fusion), "", *_run(fusion)]
    if fusion.variables:
        names = listed([f"{fusion.variables_prefix}{name}" for name in variables(fusion)])
        lines += ["", *_wrap(f"When a run begins it reads the Airflow variables {names}. What is not set is as above.")]
    if plan.on_failure:
        lines += ["", *_wrap(f"The function {plan.on_failure} is told of a failed run.")]
    return "\n".join(lines) + "\n"


def as_dict(plan: Plan) -> dict[str, Any]:
    """What the definition says, as JSON data without secrets."""
    assert plan.fusion is not None
    found = asdict(plan.fusion)
    found.pop("written")
    found["arguments"] = masked(dict(plan.fusion.arguments))
    found["cdf_pipeline_run_arguments"] = [masked(dict(item)) for item in plan.fusion.cdf_pipeline_run_arguments]
    found["argument_columns"] = list(plan.fusion.argument_columns)
    return found


def worst_case(fusion: FusionRuns) -> int:
    """Seconds a run of the DAG can last."""
    return fusion.dag_timeout_minutes * 60


def _tables(fusion: FusionRuns) -> list[str]:
    found = ["truncate_table"] if fusion.bq_output_table or fusion.variables else []
    found += [] if fusion.cdf_pipeline_run_arguments else ["get_configuration"]
    return [*found, "filter_arguments"]


def _rows(fusion: FusionRuns) -> str:
    if fusion.cdf_pipeline_run_arguments:
        return f"each of {count(fusion.most, 'set')} of arguments in the definition"
    table = f"{fusion.bq_dataset_id}.{fusion.bq_config_table} ({fusion.bq_location})"
    columns = listed(list(fusion.argument_columns))
    return f"each row of {table} whose {fusion.active_column} is true, with {columns} of the row as runtime arguments"


def _order(fusion: FusionRuns) -> list[str]:
    lines = []
    if fusion.bq_output_table:
        lines += _wrap(f"First the table {fusion.bq_dataset_id}.{fusion.bq_output_table} is emptied.")
    if not fusion.cdf_pipeline_run_arguments:
        lines += _wrap(
            f"Then the configuration is read, of at most {count(fusion.bq_config_max_results, 'row')}: one more fails "
            "the run. With no active row nothing is run, and the run succeeds."
        )
    return lines


def _run(fusion: FusionRuns) -> list[str]:
    waits = "in the triggerer" if fusion.deferrable else "on a worker"
    pool = f" and takes a slot of the pool {escaped(fusion.pool)}" if fusion.pool else ""
    return _wrap(
        f"At most {count(fusion.concurrency, 'run')} go on at the same time. Each waits {waits}{pool}, is looked at "
        f"every {duration(fusion.poll_seconds)} and succeeds when Data Fusion says COMPLETED. After "
        f"{duration(fusion.cdf_pipeline_timeout_seconds)} it is stopped. A task is tried again "
        f"{count(fusion.retries, 'time')}, {duration(fusion.dag_retry_interval_minutes * 60)} after it failed, and "
        "adopts a run that is still going on. The whole ends after "
        f"{duration(worst_case(fusion))} ({iso(worst_case(fusion))}) at the latest."
    )


def _step(name: str, executor: str, poll: int, timeout: int) -> Step:
    return Step(
        id=name,
        job_id=name,
        job_name=name,
        executor=executor,
        status_executor=executor,
        poll_interval=poll,
        timeout=timeout,
    )


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
