"""Plan of kind datafusion → the text of one Airflow DAG file, valid on Airflow 2.11 and 3.

start → truncate_table → get_configuration → filter_arguments → start_pipelines.run, once for each active row → end.
The rows are known when the run reads them, so the runs are a mapped task. With no active row Airflow skips it and the
run is a success: `end` waits for no failure, not for a success.

The bound on runs at the same time is Airflow's `max_active_tis_per_dagrun`, which knows running tasks only. Of deferred
ones a pool is the bound, which the definition then names.

Like every compiled DAG it imports the runtime and no provider: BigQuery and Data Fusion are asked over plain HTTP.
"""

from __future__ import annotations

import json

from dataplatform.compile.plan import FusionRuns, Plan
from dataplatform.compile.python_text import literal, string

_IMPORTS = """\
from datetime import datetime, timedelta, timezone

try:  # Airflow 3
    from airflow.sdk import {three}
except ImportError:  # Airflow 2
    from airflow.models.dag import DAG
{timetable}    from airflow.utils.task_group import TaskGroup

{runtime}
"""
_SETTINGS = (
    "project_id", "bq_config_max_results", "bq_config_table", "bq_dataset_id", "bq_location", "bq_output_table",
    "cdf_instance", "cdf_location", "cdf_pipeline_name", "cdf_pipeline_timeout_seconds", "dag_retry_interval_minutes",
    "dag_timeout_minutes",
)  # fmt: skip
"""Parameters that a run may take from Airflow variables; the list of runs it writes there."""

Arguments = list[tuple[str, str]]


def variables(fusion: FusionRuns) -> dict[str, str | int]:
    """The Airflow variables of a definition that a run reads, by name without prefix, with the definition's values."""
    values = {name: getattr(fusion, name) for name in _SETTINGS}
    return {name: "" if value is None else value for name, value in values.items()}


def variables_text(plan: Plan) -> str:
    """The variables as a file for `airflow variables import`."""
    assert plan.fusion is not None
    named = {f"{plan.fusion.variables_prefix}{name}": value for name, value in variables(plan.fusion).items()}
    return json.dumps(named, indent=2, ensure_ascii=False) + "\n"


def render(plan: Plan, dag_id: str) -> str:
    """The DAG file: Python in ASCII, the same bytes for the same plan. `dag_id` is the DAG's."""
    fusion = plan.fusion
    assert fusion is not None
    text = "\n".join([_header(plan), _imports(plan, fusion), _opening(plan, fusion, dag_id), *_body(fusion)]) + "\n"
    compile(text, "dag.py", "exec", dont_inherit=True)
    return text


def _header(plan: Plan) -> str:
    return (
        f"# Compiled from {json.dumps(plan.source.file)}\n"
        f"# SHA-256 {json.dumps(plan.source.sha256)}\n"
        "# Changes belong into the definition: this text is overwritten."
    )


def _imports(plan: Plan, fusion: FusionRuns) -> str:
    operators = ["ActiveRows", "DataFusionRun"]
    operators += ["ReadConfiguration"] if not fusion.cdf_pipeline_run_arguments else []
    operators += ["Settings"] if fusion.variables else []
    operators += ["TruncateTable"] if _truncates(fusion) else []
    runtime = [
        f"from dataplatform_runtime.data_fusion_runs import {', '.join(sorted(operators))}",
        *(["from dataplatform_runtime.notify import NotifyFailure"] if plan.on_failure else []),
        "from dataplatform_runtime.operators import EmptyOperator",
    ]
    return _IMPORTS.format(
        three="DAG, CronTriggerTimetable, TaskGroup" if plan.schedule else "DAG, TaskGroup",
        timetable="    from airflow.timetables.trigger import CronTriggerTimetable\n" if plan.schedule else "",
        runtime="\n".join(runtime),
    )


def _truncates(fusion: FusionRuns) -> bool:
    return fusion.variables or fusion.bq_output_table is not None


def _opening(plan: Plan, fusion: FusionRuns, dag_id: str) -> str:
    defaults: Arguments = [
        ("owner", string(plan.owner)),
        ("retries", str(fusion.retries)),
        ("retry_delay", f"timedelta(minutes={fusion.dag_retry_interval_minutes})"),
    ]
    schedule = "None"
    if plan.schedule is not None:
        zone = string(plan.schedule.timezone)
        schedule = f"CronTriggerTimetable({string(plan.schedule.cron)}, timezone={zone})"
    inside = "".join(f"        {string(key)}: {value},\n" for key, value in defaults)
    arguments: Arguments = [
        ("dag_id", string(dag_id)),
        ("description", string(plan.description or f"Pipeline {plan.name}, compiled from its definition")),
        ("doc_md", literal(_doc(plan, fusion), 4)),
        ("schedule", schedule),
        # Nothing is caught up, so any fixed day does; one that moves would change the DAG at every parse.
        ("start_date", "datetime(2024, 1, 1, tzinfo=timezone.utc)"),
        ("catchup", "False"),
        ("max_active_runs", "1"),
        ("max_active_tasks", str(max(fusion.concurrency, 1))),
        ("dagrun_timeout", f"timedelta(minutes={fusion.dag_timeout_minutes})"),
        ("default_args", f"{{\n{inside}    }}"),
        ("tags", literal(list(dict.fromkeys(["data-platform", "data-fusion", *plan.tags])), 4)),
    ]
    if plan.on_failure:
        told = {
            "pipeline": plan.name,
            "function": plan.on_failure,
            "intermediate_url": plan.target.intermediate_url,
        }
        lines = "".join(f"        {key}={string(value)},\n" for key, value in told.items())
        arguments.append(("on_failure_callback", f"NotifyFailure(\n{lines}    )"))
    own = "".join(f"    {key}={value},\n" for key, value in arguments)
    return f"PIPELINE = {string(plan.name)}\n\nwith DAG(\n{own}):"


def _doc(plan: Plan, fusion: FusionRuns) -> str:
    """Markdown for the DAG's page. It must not end in `.md`: Airflow would take it for the name of a file."""
    source = ascii(plan.source.file)[1:-1].replace("`", "'")
    rows = "a run for each set of arguments in the definition"
    if not fusion.cdf_pipeline_run_arguments:
        rows = f"a run for each row of `{fusion.bq_dataset_id}.{fusion.bq_config_table}` whose "
        rows += f"`{fusion.active_column}` is true"
    said = f"{plan.description}\n\n" if plan.description else ""
    return (
        f"{said}Runs the Data Fusion pipeline `{fusion.cdf_pipeline_name}` of `{fusion.cdf_instance}`: {rows}, at most "
        f"{fusion.concurrency} at a time.\n\n"
        f"Compiled from `{source}` (SHA-256 `{plan.source.sha256}`). Change the definition, not this DAG.\n"
    )


def _body(fusion: FusionRuns) -> list[str]:
    settings = [("settings_task", string("start"))] if fusion.variables else []
    place: Arguments = [
        ("project_id", string(fusion.project_id)),
        ("location", string(fusion.bq_location)),
        ("dataset_id", string(fusion.bq_dataset_id)),
    ]
    lines: list[str] = []
    order = ["start"]
    if fusion.variables:
        defaults = literal(variables(fusion), 8, len("defaults="))
        prefix = [("prefix", string(fusion.variables_prefix))] if fusion.variables_prefix else []
        lines += _task("start", "Settings", [("defaults", defaults), *prefix], own=False)
    else:
        lines += _task("start", "EmptyOperator", [], own=False)
    if _truncates(fusion):
        table = ("table_id", string(fusion.bq_output_table or ""))
        lines += _task("truncate_table", "TruncateTable", [*place, table, *settings])
        order.append("truncate_table")
    kept: Arguments
    if fusion.cdf_pipeline_run_arguments:
        given = [dict(item) for item in fusion.cdf_pipeline_run_arguments]
        kept = [("rows_task", "None"), ("arguments", literal(given, 8, len("arguments=")))]
    else:
        columns = [*fusion.argument_columns, fusion.active_column]
        read: Arguments = [
            *place,
            ("table_id", string(fusion.bq_config_table)),
            ("columns", literal(columns, 8, len("columns="))),
            ("max_results", str(fusion.bq_config_max_results)),
            *settings,
        ]
        lines += _task("get_configuration", "ReadConfiguration", read)
        order.append("get_configuration")
        kept = [
            ("rows_task", string("get_configuration")),
            ("columns", literal(list(fusion.argument_columns), 8, len("columns="))),
            ("active_column", string(fusion.active_column)),
        ]
    if fusion.variables:
        kept.append(("variable", string(f"{fusion.variables_prefix}cdf_pipeline_run_arguments")))
    lines += _task("filter_arguments", "ActiveRows", kept)
    order += ["filter_arguments", "run"]
    lines += ['    with TaskGroup(group_id="start_pipelines"):', *_runs(fusion, settings)]
    lines += _task("end", "EmptyOperator", [("trigger_rule", string("none_failed"))], own=False)
    order.append("end")
    return [*lines, f"    {' >> '.join(order)}"]


def _task(name: str, operator: str, arguments: Arguments, *, own: bool = True) -> list[str]:
    """A task at the DAG's top level; of our own operators one says whose it is."""
    all_arguments: Arguments = [("task_id", string(name)), *([("pipeline", "PIPELINE")] if own else []), *arguments]
    flat = f"    {name} = {operator}({', '.join(f'{key}={value}' for key, value in all_arguments)})"
    if len(flat) <= 110 and "\n" not in flat:
        return [flat]
    return [f"    {name} = {operator}(", *(f"        {key}={value}," for key, value in all_arguments), "    )"]


def _runs(fusion: FusionRuns, settings: Arguments) -> list[str]:
    arguments: Arguments = [
        ("task_id", string("run")),
        ("pipeline", "PIPELINE"),
        ("project_id", string(fusion.project_id)),
        ("location", string(fusion.cdf_location)),
        ("instance_name", string(fusion.cdf_instance)),
        ("namespace", string(fusion.namespace)),
        ("pipeline_name", string(fusion.cdf_pipeline_name)),
        ("timeout_seconds", str(fusion.cdf_pipeline_timeout_seconds)),
        ("poll_seconds", str(fusion.poll_seconds)),
        *([("common_arguments", literal(dict(fusion.arguments), 12, 17))] if fusion.arguments else []),
        ("deferrable", str(fusion.deferrable)),
        *settings,
        ("execution_timeout", f"timedelta(seconds={fusion.task_seconds})"),
        ("max_active_tis_per_dagrun", str(fusion.concurrency)),
        *([("pool", string(fusion.pool))] if fusion.pool else []),
        ("map_index_template", string("{{ row }}")),
    ]
    return [
        "        run = DataFusionRun.partial(",
        *(f"            {key}={value}," for key, value in arguments),
        "        ).expand(arguments=filter_arguments.output)",
    ]
