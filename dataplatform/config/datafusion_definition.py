"""Definitions of `kind: datafusion`: one run of a Data Fusion pipeline for each active row of a configuration table.

The parameters are the thirteen Airflow variables of the Composer sample that the kind is made after, by their names
and with its defaults (S1's README). Two differ on purpose: `dag_timeout_minutes` is computed where it is left out,
because the sample's 10 minutes end before one of its pipelines may (60), and `bq_output_table` left out means that no
table is emptied.

The `…File` models are what people write; the frozen dataclass is what the rest of the program works with, with its
references until the plan is built. What only a stack can tell is in `rules_fusion`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from dataplatform.config.document import Node
from dataplatform.config.loader import validate
from dataplatform.config.options import (
    DEFAULT_OWNER,
    Description,
    OnFailureFile,
    Options,
    Owner,
    Pool,
    Schedule,
    ScheduleFile,
    Tag,
)
from dataplatform.config.plaintext import plain_secret
from dataplatform.config.stepproperties import PLACEHOLDER
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

KIND = "datafusion"
MAX_ROWS = 1000
"""Airflow maps a task to 1024 at most, unless it is told otherwise."""
MAX_SECONDS = 30 * 86400
STOP_SECONDS = 900
"""What a task may take beyond its run's time: stopping the run, which CDAP gives 300 seconds, and its calls."""
RUN_MARGIN_SECONDS = 3600
"""What a run of the DAG may take beyond the runs of the pipeline: BigQuery, and waiting for workers."""
RESERVED_ARGUMENT = "dataplatform."
"""What runtime arguments of the DAG's own begin with."""

FORMS: Mapping[str, tuple[str, str]] = {
    "project_id": (r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project's id, such as acme-data-dev"),
    "bq_config_table": (r"[\w\- ]{1,1024}", "a table's name without its dataset: letters, digits, '_', '-'"),
    "bq_dataset_id": (r"[A-Za-z0-9_]{1,1024}", "a dataset's id: letters, digits and '_'"),
    "bq_location": (r"[A-Za-z]+(-[a-z]+[0-9]{1,2})?", "EU, US or a region such as europe-west1"),
    "bq_output_table": (r"[\w\- ]{1,1024}", "a table's name without its dataset: letters, digits, '_', '-'"),
    "cdf_instance": (r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "an instance's name: lower case letters, digits, '-'"),
    "cdf_location": (r"[a-z]+-[a-z]+[0-9]{1,2}", "a region, such as europe-west1"),
    "cdf_pipeline_name": (r"[A-Za-z0-9_-]{1,255}", "a pipeline's name: letters, digits, '_' and '-'"),
}
"""Parameter → what it must be like when its references are resolved, as a pattern and in words."""
_OTHER_FORMS: Mapping[str, tuple[str, str]] = {
    "namespace": (r"[A-Za-z0-9_]{1,100}", "a namespace's name: letters, digits and '_'"),
    "variables_prefix": (r"[A-Za-z0-9_.-]{0,100}", "at most 100 letters, digits, '_', '-' and '.'"),
}

_REFERENCE = re.compile(r"(?<!\$)\$[a-z_]+:")


def form_problem(name: str, text: str) -> tuple[str, str] | None:
    """What is wrong with a parameter's text, references resolved, and what would be right."""
    pattern, words = FORMS.get(name) or _OTHER_FORMS[name]
    if re.fullmatch(pattern, text):
        return None
    return f"{shown(text)} cannot be {name}", f"write {words}"


def _form(name: str) -> BeforeValidator:
    def check(value: object) -> object:
        if isinstance(value, str) and not _REFERENCE.search(value):
            problem = form_problem(name, value)
            if problem:
                message, remedy = (text.replace("{", "(").replace("}", ")") for text in problem)
                raise PydanticCustomError("dp_form", message, {"code": "DP124", "remedy": remedy})
        return value

    return BeforeValidator(check)


class _FileModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Column = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$")]
Arguments = dict[Annotated[str, Field(min_length=1, max_length=255)], str]
Positive = Annotated[int, Field(ge=1, le=MAX_SECONDS)]


class FusionParametersFile(_FileModel):
    """The thirteen values of the sample's Airflow variables."""

    project_id: Annotated[str, _form("project_id")] = "$stack:project"
    """Project of the instance and of the tables."""
    bq_config_max_results: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 10
    """How many rows the configuration may have; a table with more fails the run, for none is left out in silence."""
    bq_config_table: Annotated[str, _form("bq_config_table")] = "configuration"
    """Table with a row for each run."""
    bq_dataset_id: Annotated[str, _form("bq_dataset_id")] = "cdf_output"
    """Dataset of both tables."""
    bq_location: Annotated[str, _form("bq_location")] = "US"
    """Where the dataset is; BigQuery finds it nowhere else."""
    bq_output_table: Annotated[str, _form("bq_output_table")] | None = None
    """Table that is emptied before the runs; none where left out."""
    cdf_instance: Annotated[str, _form("cdf_instance")]
    """The Data Fusion instance."""
    cdf_location: Annotated[str, _form("cdf_location")] = "us-west1"
    """Region of the instance."""
    cdf_pipeline_name: Annotated[str, _form("cdf_pipeline_name")]
    """The pipeline that is run."""
    cdf_pipeline_run_arguments: Annotated[list[Arguments], Field(max_length=MAX_ROWS)] = []
    """Runtime arguments of one run each, in place of a configuration table, which is read where this is empty."""
    cdf_pipeline_timeout_seconds: Positive = 3600
    """How long a run of the pipeline may take; then it is stopped."""
    dag_retry_interval_minutes: Annotated[int, Field(ge=0, le=1440)] = 3
    """Pause before a task is tried again."""
    dag_timeout_minutes: Annotated[int, Field(ge=1, le=MAX_SECONDS // 60)] | None = None
    """How long a run of the DAG may take; enough for all tries of all rows where left out."""


class FusionRowsFile(_FileModel):
    """What the columns of the configuration table mean."""

    active_column: Column = "is_active"
    """Says which rows are run: BOOL, or "true" and "false" in any case, or 1 and 0."""
    argument_columns: Annotated[list[Column], Field(min_length=1, max_length=100)] = ["business_unit", "data_source"]
    """Columns that become runtime arguments, by their names."""


class FusionRunsFile(_FileModel):
    """How the pipeline is run."""

    concurrency: Annotated[int, Field(ge=1, le=100)] = 5
    """How many runs of one run of the DAG go on at the same time."""
    pool: Pool | None = None
    """Airflow pool that each run takes a slot of; it bounds the runs of several DAGs together."""
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    """How often a task is tried again; a run that is still going on is adopted."""
    poll_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """Pause before each look at a run."""
    namespace: Annotated[str, _form("namespace")] = "default"
    """The pipeline's namespace."""
    deferrable: bool = False
    """Wait in the triggerer, where a task takes no worker. It needs a pool that counts deferred tasks."""
    arguments: Arguments = {}
    """Runtime arguments of every run; a row's go before them."""


class FusionFile(_FileModel):
    """A definition of `kind: datafusion`."""

    kind: Literal["datafusion"]
    """What the definition describes."""
    parameters: FusionParametersFile
    """What is run on what."""
    rows: FusionRowsFile = FusionRowsFile()
    """What the columns of the configuration table mean."""
    runs: FusionRunsFile = FusionRunsFile()
    """How the pipeline is run."""
    deliver: Literal["definition", "variables"] = "definition"
    """Where a run takes the parameters from: the definition, or Airflow variables of the same names, with the
    definition's values where there is no such variable."""
    variables_prefix: Annotated[str, _form("variables_prefix")] = ""
    """What the names of the Airflow variables begin with, so that two DAGs may have values of their own."""
    description: Description | None = None
    """What the pipeline is for."""
    owner: Owner | None = None
    """Person or team to ask about the pipeline."""
    tags: list[Tag] = []
    """Words to find the pipeline by."""
    schedule: ScheduleFile | None = None
    """When runs begin; on request only where left out."""
    on_failure: OnFailureFile | None = None
    """Who is told of a failed run."""


@dataclass(frozen=True, kw_only=True)
class FusionRuns:
    """A checked definition of the kind."""

    project_id: str
    bq_config_max_results: int
    bq_config_table: str
    bq_dataset_id: str
    bq_location: str
    bq_output_table: str | None
    cdf_instance: str
    cdf_location: str
    cdf_pipeline_name: str
    cdf_pipeline_run_arguments: tuple[tuple[tuple[str, str], ...], ...]
    """Of one run each, sorted; empty where the configuration table is read."""
    cdf_pipeline_timeout_seconds: int
    dag_retry_interval_minutes: int
    dag_timeout_minutes: int
    active_column: str
    argument_columns: tuple[str, ...]
    concurrency: int
    pool: str | None
    retries: int
    poll_seconds: int
    namespace: str
    deferrable: bool
    arguments: tuple[tuple[str, str], ...]
    """Of every run, sorted."""
    variables: bool
    """Whether a run takes the parameters from Airflow variables."""
    variables_prefix: str
    written: frozenset[str] = field(default=frozenset(), compare=False)
    """The parameters that stand in the file."""

    @property
    def task_seconds(self) -> int:
        """The longest that one try of a task takes."""
        return self.cdf_pipeline_timeout_seconds + STOP_SECONDS

    @property
    def tries_seconds(self) -> int:
        """The longest that all tries of one row take."""
        return _tries(self.cdf_pipeline_timeout_seconds, self.retries, self.dag_retry_interval_minutes)

    @property
    def most(self) -> int:
        """How many runs there are at most."""
        return len(self.cdf_pipeline_run_arguments) or self.bq_config_max_results


def _tries(timeout: int, retries: int, interval: int) -> int:
    return (retries + 1) * (timeout + STOP_SECONDS) + retries * interval * 60


def read_fusion(node: Node, functions: Collection[str]) -> tuple[FusionRuns, Options] | None:
    """The definition in a document, or None where anything is wrong, which the document then has the mistakes of.

    Args:
        node: The document.
        functions: Executor functions that are known, for `on_failure`.
    """
    model, found = validate(FusionFile, node)
    before = len(node.document.diagnostics.items)
    _secrets(node)
    if model is None or found:
        return None
    _rules(model, node, functions)
    if len(node.document.diagnostics.items) > before:
        return None
    return _checked(model), _options(model)


def texts(fusion: FusionRuns) -> dict[str, str]:
    """The parameters of a definition that have a form and may hold references, by name."""
    found = {name: getattr(fusion, name) for name in FORMS}
    return {name: text for name, text in found.items() if isinstance(text, str)}


def _secrets(node: Node) -> None:
    """Plain-text secrets and placeholders. A secret would stand in the DAG, and in CDAP's record of the run."""
    for path, key, leaf in node.walk():
        if leaf.flawed:
            continue
        secret = plain_secret(key, leaf.scalar)
        if secret:
            remedy = "keep it as a secure key of the instance, and let the pipeline say ${secure(<key>)}"
            node.report("DP318", path, f"{secret} in plain text", remedy)
        elif isinstance(leaf.scalar, str) and (placeholder := PLACEHOLDER.search(leaf.scalar)):
            message = f"the placeholder {shown(placeholder[0])} has not been filled in"
            node.report("DP317", path, message, "write the value it stands for")


def _rules(model: FusionFile, node: Node, functions: Collection[str]) -> None:
    p, runs = model.parameters, model.runs
    _times(model, node)
    if runs.deferrable and runs.pool is None:
        message = "a deferred task counts for no bound but a pool's, so all rows would run at once"
        remedy = "name a pool in runs.pool, made with --include-deferred, or leave deferrable out"
        node.report("DP341", ("runs", "deferrable"), message, remedy)
    columns = model.rows.argument_columns
    twice = next((i for i, name in enumerate(columns) if name in columns[:i]), None)
    if twice is not None:
        message = f"the column {shown(columns[twice])} stands here twice"
        node.report("DP341", ("rows", "argument_columns", twice), message, "take one of the two out")
    if model.rows.active_column in columns:
        message = f"{shown(model.rows.active_column)} says which rows are active, and would be a runtime argument too"
        node.report("DP341", ("rows", "argument_columns"), message, "take it out of argument_columns")
    given = p.cdf_pipeline_run_arguments
    if given and model.deliver == "variables":
        message = "with deliver: variables the DAG writes the variable of this name and reads it never"
        remedy = "take the list out and use the configuration table, or write deliver: definition"
        node.report("DP341", ("parameters", "cdf_pipeline_run_arguments"), message, remedy, key=True)
    if given and ("rows" in node.entries or node.at(("parameters", "bq_config_table")) is not None):
        message = "the runs are listed here, so no configuration table is read, and the definition describes one"
        remedy = "keep the list, or the table with its columns"
        node.report("DP341", ("parameters", "cdf_pipeline_run_arguments"), message, remedy, key=True)
    seen: dict[str, int] = {}
    for index, item in enumerate(given):
        first = seen.setdefault(json.dumps(item, sort_keys=True), index)
        if first != index:
            path = ("parameters", "cdf_pipeline_run_arguments", index)
            node.report("DP341", path, "a run with the same arguments is listed above", "take one of the two out")
        _argument_names(node, ("parameters", "cdf_pipeline_run_arguments", index), item)
    _argument_names(node, ("runs", "arguments"), runs.arguments)
    if model.variables_prefix and model.deliver == "definition":
        message = "no Airflow variables are read, so their names need no prefix"
        node.report("DP341", ("variables_prefix",), message, "write deliver: variables, or leave the prefix out")
    if model.on_failure is not None and model.on_failure.function not in functions:
        name = model.on_failure.function
        remedy = f"{nearest(name, functions)} Others are registered in gcp.executors.functions"
        node.report("DP311", ("on_failure", "function"), f"unknown function {shown(name)}", remedy)


def _argument_names(node: Node, path: tuple[str | int, ...], names: Collection[str]) -> None:
    for name in names:
        if name.startswith(RESERVED_ARGUMENT):
            message = f"runtime arguments that begin with {RESERVED_ARGUMENT!r} are the DAG's own"
            node.report("DP341", (*path, name), message, "give it another name", key=True)


def _times(model: FusionFile, node: Node) -> None:
    """A look at a run, the run, the task's tries, the DAG: each ends after the one before it."""
    p, runs = model.parameters, model.runs
    timeout = p.cdf_pipeline_timeout_seconds
    if runs.poll_seconds >= timeout:
        message = f"the first look at a run would be after {runs.poll_seconds} seconds, when it has had its {timeout}"
        node.report("DP340", ("runs", "poll_seconds"), message, f"write less than {timeout}")
    if p.dag_timeout_minutes is None:
        return
    needed = math.ceil(_tries(timeout, runs.retries, p.dag_retry_interval_minutes) / 60) + 1
    if p.dag_timeout_minutes < needed:
        message = (
            f"the DAG would end after {p.dag_timeout_minutes} minutes, before the tries of a single row may "
            f"({runs.retries + 1} of {timeout} seconds and {STOP_SECONDS} to stop, with {runs.retries} pauses of "
            f"{p.dag_retry_interval_minutes} minutes)"
        )
        remedy = f"write at least {needed}, or leave it out: it is then computed from the rest"
        node.report("DP340", ("parameters", "dag_timeout_minutes"), message, remedy)


def _checked(model: FusionFile) -> FusionRuns:
    p, runs = model.parameters, model.runs
    given = tuple(tuple(sorted(item.items())) for item in p.cdf_pipeline_run_arguments)
    waves = math.ceil((len(given) or p.bq_config_max_results) / runs.concurrency)
    longest = waves * _tries(p.cdf_pipeline_timeout_seconds, runs.retries, p.dag_retry_interval_minutes)
    computed = math.ceil((longest + RUN_MARGIN_SECONDS) / 60)
    values: dict[str, Any] = {
        **{name: getattr(p, name) for name in type(p).model_fields},
        **{name: getattr(runs, name) for name in type(runs).model_fields},
        "cdf_pipeline_run_arguments": given,
        "dag_timeout_minutes": p.dag_timeout_minutes or computed,
        "active_column": model.rows.active_column,
        "argument_columns": tuple(model.rows.argument_columns),
        "arguments": tuple(sorted(runs.arguments.items())),
        "variables": model.deliver == "variables",
        "variables_prefix": model.variables_prefix,
        "written": frozenset(p.model_fields_set),
    }
    return FusionRuns(**values)


def _options(model: FusionFile) -> Options:
    schedule = model.schedule
    return Options(
        description=model.description or "",
        owner=model.owner or DEFAULT_OWNER,
        tags=tuple(sorted(set(model.tags))),
        schedule=Schedule(cron=schedule.cron, timezone=schedule.timezone) if schedule else None,
        on_failure=model.on_failure.function if model.on_failure else None,
    )
