"""Definitions of kind datafusion beside their stack: references, an Airflow that runs them, and what else it declares.

The instance and the dataset may be others' than the stack's; of those nothing is known here, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataplatform.config.datafusion_definition import FusionRuns, form_problem, texts
from dataplatform.config.domains import domain_of
from dataplatform.config.gcp.bigquery import Dataset, Table
from dataplatform.config.loader import load_document
from dataplatform.config.pipeline import Definition
from dataplatform.config.platform import Gcp, Platform
from dataplatform.config.references import context_for, resolve
from dataplatform.config.text import shown
from dataplatform.diagnostics import Diagnostics, Position, nearest

Wrong = tuple[str, str, str, str]
"""Dotted path, code, message, remedy."""


def resolve_fusion(fusion: FusionRuns, context: Mapping[str, str]) -> tuple[FusionRuns, list[Wrong]]:
    """The definition with what references stand for in their place, and what is wrong with them.

    Args:
        fusion: A checked definition.
        context: `kind:name` and what it stands for, of `references.context_for`.
    """
    wrong: list[Wrong] = []

    def put(path: str, value: Any) -> Any:
        found = resolve(value, context)
        wrong.extend((".".join(filter(None, (path, p.path))), p.code, p.message, p.remedy) for p in found.problems)
        return found.value

    values: dict[str, Any] = {}
    for name, text in texts(fusion).items():
        before = len(wrong)
        values[name] = put(f"parameters.{name}", text)
        form = form_problem(name, values[name]) if len(wrong) == before else None
        if form is not None:
            wrong.append((f"parameters.{name}", "DP124", *form))
    values["arguments"] = tuple(sorted(put("runs.arguments", dict(fusion.arguments)).items()))
    listed = put("parameters.cdf_pipeline_run_arguments", [dict(item) for item in fusion.cdf_pipeline_run_arguments])
    values["cdf_pipeline_run_arguments"] = tuple(tuple(sorted(item.items())) for item in listed)
    return replace(fusion, **values), wrong


def stack_of(platform: Platform) -> tuple[object, ...]:
    """What of a stack decides on these rules: stacks of which it is the same get the same diagnostics."""
    gcp = platform.gcp
    if gcp is None:
        return ()
    declared = gcp.bigquery.model_dump_json() if gcp.bigquery else ""
    instance = gcp.data_fusion.name if gcp.data_fusion else ""
    on = gcp.composer is not None, gcp.airflow_bucket is not None, gcp.workflows is not None
    return declared, instance, on, gcp.project, gcp.region, platform.environment


def check_fusion(platform: Platform, definitions: Sequence[Definition]) -> Diagnostics:
    """What is wrong with definitions of the kind that are each right, in a stack."""
    diagnostics = Diagnostics()
    gcp = platform.gcp
    if gcp is None:
        return diagnostics
    context = context_for(platform)
    kinds = {definition.name: definition for definition in definitions if definition.fusion is not None}
    for definition in definitions:
        tell = _Teller(definition, diagnostics)
        if definition.fusion is not None:
            _airflow(platform, gcp, definition, tell)
            fusion, wrong = resolve_fusion(definition.fusion, context)
            for path, code, message, remedy in wrong:
                tell(code, path, message, remedy)
            if not wrong:
                _instance(platform, gcp, fusion, tell)
                _tables(platform, gcp, fusion, tell)
            continue
        for step in definition.steps():
            if step.type == "workflows" and step.executor in kinds and gcp.workflows is not None:
                message = f"{shown(step.executor)} is of kind datafusion, and Cloud Workflows has no workflow of it"
                remedy = "run it by a schedule of its own, or let Airflow alone run the pipelines of this stack"
                place = step.position_of("workflows_name")
                node, _ = load_document(Path(place.file))
                source = node.line_text(place.line) if node is not None else ""
                diagnostics.add("DP342", place, message, remedy, source=source)
    return diagnostics


class _Teller:
    """Records what is wrong with a definition at a place in it."""

    def __init__(self, definition: Definition, diagnostics: Diagnostics) -> None:
        self.definition, self.diagnostics = definition, diagnostics

    def __call__(self, code: str, path: str, message: str, remedy: str) -> None:
        places = self.definition.positions
        place = places.get(path) or places.get(path.partition(".")[0]) or Position(self.definition.file)
        node, _ = load_document(Path(place.file))
        source = node.line_text(place.line) if node is not None else ""
        self.diagnostics.add(code, place, message, remedy, path=path, source=source)


def _airflow(platform: Platform, gcp: Gcp, definition: Definition, tell: _Teller) -> None:
    domain = domain_of(platform, definition.file)
    domains = platform.pipelines.domains if platform.pipelines is not None else {}
    if gcp.composer is not None or gcp.airflow_bucket is not None:
        return
    if domain is not None and domains[domain].airflow_bucket:
        return
    message = "this is run by Airflow, and the stack has none" + (" but Workflows" if gcp.workflows else "")
    tell("DP342", "kind", message, "add gcp.composer (or gcp.airflow_bucket) to the stack, or take the definition out")


def _instance(platform: Platform, gcp: Gcp, fusion: FusionRuns, tell: _Teller) -> None:
    if gcp.data_fusion is None or fusion.project_id != gcp.project:
        return
    if fusion.cdf_instance == f"{platform.environment}-{gcp.data_fusion.name}" and fusion.cdf_location != gcp.region:
        left_out = "" if "cdf_location" in fusion.written else " where it is left out"
        message = f"cdf_location is {fusion.cdf_location}{left_out}, and {fusion.cdf_instance} is in {gcp.region}"
        tell("DP341", "parameters.cdf_location", message, "write cdf_location: $stack:region")


def _tables(platform: Platform, gcp: Gcp, fusion: FusionRuns, tell: _Teller) -> None:
    if gcp.bigquery is None or fusion.project_id != gcp.project:
        return
    ids = {found.id or f"{platform.environment}_{key}": found for key, found in gcp.bigquery.datasets.items()}
    dataset = ids.get(fusion.bq_dataset_id)
    if dataset is None:
        return
    location = dataset.location or gcp.region
    if fusion.bq_location.lower() != location.lower():
        left_out = "" if "bq_location" in fusion.written else " where it is left out"
        message = (
            f"bq_location is {fusion.bq_location}{left_out}, and the dataset {fusion.bq_dataset_id} is in {location}"
        )
        tell("DP341", "parameters.bq_location", message, f"write bq_location: {location}")
    if fusion.bq_output_table in dataset.views:
        message = f"{shown(fusion.bq_output_table)} is a view, which cannot be emptied"
        tell("DP341", "parameters.bq_output_table", message, "name the table that the pipeline writes")
    if not fusion.cdf_pipeline_run_arguments:
        _columns(dataset, fusion, tell)


def _columns(dataset: Dataset, fusion: FusionRuns, tell: _Teller) -> None:
    table: Table | None = dataset.tables.get(fusion.bq_config_table)
    if table is None or not table.columns:
        return
    known = {column.name.lower(): column for column in table.columns}
    names = [column.name for column in table.columns]
    for path, name in (
        ("rows.active_column", fusion.active_column),
        *((f"rows.argument_columns.{i}", name) for i, name in enumerate(fusion.argument_columns)),
    ):
        if name.lower() not in known:
            message = f"the table {shown(fusion.bq_config_table)} has no column {shown(name)}"
            tell("DP341", path, message, nearest(name, names))
    active = known.get(fusion.active_column.lower())
    if active is not None and active.type not in ("BOOL", "BOOLEAN", "STRING", "INTEGER", "INT64"):
        message = f"{active.name} is a {active.type}, which cannot say whether a row is active"
        tell(
            "DP341",
            "rows.active_column",
            message,
            'name a BOOL, a STRING of "true" and "false", or an INTEGER of 1 and 0',
        )
