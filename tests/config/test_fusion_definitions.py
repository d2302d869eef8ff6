"""Definitions of kind datafusion: the sample's parameters with its defaults, in a stack, in its DAG, its page."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile import airflow
from dataplatform.compile.access import Surroundings, derive
from dataplatform.compile.airflow_fusion import variables_text
from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan
from dataplatform.config.check import check_stacks, load_definition, load_stack
from dataplatform.config.datafusion_definition import FusionParametersFile, FusionRuns
from dataplatform.diagnostics import InputError
from dataplatform.local.errors import RefusedError
from dataplatform.show import commands, diff, new
from dataplatform.show import schema as schemas
from dataplatform.show.explain import as_dict, explain, worst_case
from dataplatform.show.graph import mermaid, svg
from infra.pipelines import compile_pipelines
from tests.compile.conftest import TARGET
from tests.show.jsonschema_check import problems

ROOT = Path(__file__).parents[2]
SAMPLE: dict[str, Any] = {
    "bq_config_max_results": 10,
    "bq_config_table": "configuration",
    "bq_dataset_id": "cdf_output",
    "bq_location": "US",
    "bq_output_table": None,
    "cdf_instance": ...,
    "cdf_location": "us-west1",
    "cdf_pipeline_name": ...,
    "cdf_pipeline_run_arguments": [],
    "cdf_pipeline_timeout_seconds": 3600,
    "dag_retry_interval_minutes": 3,
    "dag_timeout_minutes": None,
    "project_id": "$stack:project",
}
"""The thirteen variables of the sample with its defaults; `...` has none."""
REFERENCES = (("datafusion:core", "dev-core"), ("stack:project", "acme-data-dev"), ("stack:region", "europe-west1"))
STACK = """\
config:
  data-platform:platform:
    environment: dev
    protect: false
    gcp:
      project: acme-data-dev
      region: europe-west1
      lake: {zones: {landing: {}}}
      data_fusion: {edition: developer}
      composer: {image_version: composer-3-airflow-2.11.1, size: small}
      workflows: {}
    pipelines: {directory: pipelines}
"""
MINIMAL: dict[str, Any] = {"kind": "datafusion", "parameters": {"cdf_instance": "core", "cdf_pipeline_name": "load"}}


def definition(**changes: Any) -> dict[str, Any]:
    return {**MINIMAL, **changes, "parameters": {**MINIMAL["parameters"], **changes.get("parameters", {})}}


def planned(folder: Path, data: Any, name: str = "sources") -> Plan:
    file = folder / f"{name}.json"
    file.write_text(json.dumps(data))
    found, wrong = load_definition(file, root=folder)
    assert found is not None, wrong.render()
    return build_plan(found, dataclasses.replace(TARGET, references=REFERENCES))


def fusion(plan: Plan) -> FusionRuns:
    assert plan.fusion is not None
    return plan.fusion


def test_the_parameters_are_the_samples_with_its_defaults() -> None:
    fields = FusionParametersFile.model_fields
    assert {name: ... if field.is_required() else field.default for name, field in fields.items()} == SAMPLE


def test_a_timeout_that_is_left_out_is_enough_for_all_tries_of_all_rows(tmp_path: Path) -> None:
    found = fusion(planned(tmp_path, MINIMAL))
    tries = 4 * (3600 + 900) + 3 * 180
    assert found.tries_seconds == tries
    # Ten rows, five at a time.
    assert found.dag_timeout_minutes * 60 >= 2 * tries + 3600
    assert found.cdf_pipeline_timeout_seconds < found.task_seconds < found.dag_timeout_minutes * 60


def test_the_least_timeout_that_is_asked_for_is_let_through(tmp_path: Path) -> None:
    data = definition(parameters={"dag_timeout_minutes": 310})
    assert fusion(planned(tmp_path, data)).dag_timeout_minutes == 310


def test_references_are_resolved(tmp_path: Path) -> None:
    data = definition(
        parameters={"cdf_instance": "$datafusion:core", "cdf_location": "$stack:region"},
        runs={"arguments": {"path": "gs://$stack:project/${logicalStartTime(yyyy)}", "text": "$$stack:project"}},
    )
    found = fusion(planned(tmp_path, data))
    assert (found.cdf_instance, found.cdf_location, found.project_id) == ("dev-core", "europe-west1", "acme-data-dev")
    assert dict(found.arguments)["text"] == "$stack:project"


def test_what_a_stack_does_not_have_is_told_when_it_is_compiled(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        planned(tmp_path, definition(parameters={"cdf_instance": "$datafusion:cor"}))
    assert "did you mean 'core'?" in refused.value.diagnostics.render()
    file = tmp_path / "sources.json"
    file.write_text(json.dumps(MINIMAL))
    found, _ = load_definition(file, root=tmp_path)
    assert found is not None
    with pytest.raises(InputError) as refused:
        build_plan(dataclasses.replace(found, engines=("workflows",)), TARGET)
    assert {item.code for item in refused.value.diagnostics.items} >= {"DP404"}


HOSTILE = '""" + __import__("os").system("x") + """\\\'\n#{{ ti }}${x}'


def test_nothing_a_person_wrote_is_code(tmp_path: Path) -> None:
    data = definition(
        description=HOSTILE,
        owner="'); import os #",
        tags=['"]'],
        runs={"arguments": {HOSTILE: HOSTILE}, "pool": HOSTILE},
    )
    text = airflow.render(planned(tmp_path, data))
    assert text.isascii()
    module = ast.parse(text)
    imported = {
        alias.name for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }
    assert "os" not in imported
    called = {
        node.func.id for node in ast.walk(module) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called <= {"DAG", "TaskGroup", "EmptyOperator", "ReadConfiguration", "ActiveRows", "datetime", "timedelta"}
    assert HOSTILE in {node.value for node in ast.walk(module) if isinstance(node, ast.Constant)}
    assert text == airflow.render(planned(tmp_path, data))


def test_every_bigquery_task_has_its_location_and_the_runs_a_bound(tmp_path: Path) -> None:
    data = definition(
        parameters={"bq_location": "europe-west3", "bq_output_table": "staff"},
        runs={"concurrency": 7, "pool": "fusion"},
    )
    module = ast.parse(airflow.render(planned(tmp_path, data)))
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    by_name = {node.func.id: node for node in calls if isinstance(node.func, ast.Name)}
    for name in ("TruncateTable", "ReadConfiguration"):
        given = {word.arg: word.value for word in by_name[name].keywords}
        assert ast.literal_eval(given["location"]) == "europe-west3"
    partial = next(node for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr == "partial")
    given = {word.arg: word.value for word in partial.keywords}
    assert ast.literal_eval(given["max_active_tis_per_dagrun"]) == 7
    assert ast.literal_eval(given["pool"]) == "fusion"


def test_variables_are_written_for_airflow_to_import(tmp_path: Path) -> None:
    plan = planned(tmp_path, definition(deliver="variables", variables_prefix="hr_"))
    found = json.loads(variables_text(plan))
    names = set(SAMPLE) - {"cdf_pipeline_run_arguments"}
    assert set(found) == {f"hr_{name}" for name in names}
    assert found["hr_cdf_pipeline_timeout_seconds"] == 3600
    assert found["hr_bq_output_table"] == ""
    assert 'settings_task="start"' in airflow.render(plan)


ABOUT = Surroundings(engines=("airflow",), project="acme-data-dev", region="europe-west1")


def test_the_rights_of_the_dag(tmp_path: Path) -> None:
    def rights(**changes: Any) -> set[tuple[str, str]]:
        found = derive([planned(tmp_path, definition(**changes))], ABOUT)
        return {(one.role, one.on.path) for one in found.rights("composer")}

    project, dataset = "projects/acme-data-dev", "projects/acme-data-dev/datasets/cdf_output"
    always = {("roles/datafusion.viewer", project), ("roles/bigquery.jobUser", project)}
    assert rights() == always | {("roles/bigquery.dataViewer", dataset)}
    writes = rights(parameters={"bq_output_table": "staff"})
    assert writes == always | {("roles/bigquery.dataEditor", dataset)}
    listed = rights(parameters={"cdf_pipeline_run_arguments": [{"a": "b"}]})
    assert listed == {("roles/datafusion.viewer", project)}
    variables = derive([planned(tmp_path, definition(deliver="variables"))], ABOUT)
    assert [one.what for one in variables.untold] == ["the tables and the instance that Airflow variables name"]


def test_it_is_explained_drawn_and_compared(tmp_path: Path) -> None:
    plan = planned(tmp_path, definition(parameters={"bq_output_table": "staff"}, schedule={"cron": "@daily"}))
    text = explain(plan)
    assert "It runs the Data Fusion pipeline load of core" in text
    assert "adopts a run that is still" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100
    assert worst_case(plan) == fusion(plan).dag_timeout_minutes * 60
    assert json.loads(json.dumps(as_dict(plan)))["datafusion"]["bq_output_table"] == "staff"
    for picture in (svg(plan), mermaid(plan)):
        for words in ("truncate_table", "get_configuration", "filter_arguments", "5 at a time"):
            assert words in re.sub(r"</?tspan[^>]*>|#\d+;", "", picture)
    changed = planned(tmp_path, definition(parameters={"bq_output_table": "people"}), "changed")
    said = diff.render(diff.diff(plan, changed))
    assert "staff" in said
    assert "people" in said
    assert diff.diff(plan, plan) == ()


def test_the_editors_schema_knows_the_kind(tmp_path: Path) -> None:
    schema = schemas.schema("definition")
    assert problems(definition(runs={"concurrency": 2}), schema) == []
    for wrong in (
        definition(runs={"concurency": 2}),
        definition(kind="datafuson"),
        definition(parameters={"bq_config_max_results": 5000}),
        {"kind": "datafusion"},
    ):
        assert problems(wrong, schema)
    described = schema["$defs"]["FusionParametersFile"]["properties"]
    assert all(value["description"] for value in described.values())


def test_a_new_one_is_right_as_it_stands(tmp_path: Path) -> None:
    made = new.pipeline(tmp_path, "sources", folder="pipelines", engine="composer", kind="datafusion")
    assert Path("pipelines/sources.yaml") in made.files
    (tmp_path / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    assert check_stacks(tmp_path).items == []


def test_aefs_format_has_no_such_kind(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(json.dumps(definition()))
    with pytest.raises(RefusedError, match="is of kind datafusion"):
        commands.import_(file)


def test_a_stack_compiles_it_for_airflow_alone(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    (tmp_path / "pipelines").mkdir()
    place = {"cdf_location": "$stack:region", "cdf_instance": "$datafusion:core"}
    (tmp_path / "pipelines" / "sources.json").write_text(json.dumps(definition(parameters=place)))
    assert check_stacks(tmp_path).items == []
    compiled = compile_pipelines(load_stack(tmp_path, "dev"))
    assert compiled.dag_ids == (("sources", "sources"),)
    assert compiled.workflow_ids == ()
    assert 'instance_name="dev-core"' in compiled.dags[0].text
    assert "roles/bigquery.jobUser" in {one.role for one in compiled.access.rights("composer")}
    assert "dev-core" in commands.explain(tmp_path, "dev", "sources")


def test_the_pages_definitions_are_right(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "orchestrating_data_fusion.md").read_text("utf-8")
    blocks = re.findall(r"^```yaml datafusion\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    for number, block in enumerate(blocks):
        file = tmp_path / f"block{number}.yaml"
        file.write_text(block)
        found, wrong = load_definition(file, root=tmp_path)
        assert found is not None, wrong.render()
        airflow.render(build_plan(found, dataclasses.replace(TARGET, references=REFERENCES)))
    for name, default in SAMPLE.items():
        (line,) = re.findall(rf"^\| `{name}` \| (.*?) \|", page, re.MULTILINE)
        words = ("none", "computed") if default in (None, []) else (str(default), f"`{default}`")
        assert line in (("required",) if default is ... else words), name
