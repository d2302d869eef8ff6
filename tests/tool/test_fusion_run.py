"""`dp run --local` of kind datafusion: the DAG in a real Airflow against the embedded BigQuery and CDAP."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dataplatform.cli import main
from localcloud.cdap import scenario
from tests.compile.fusion_cloud import INSTANCE, NAME, cloud, row

ROOT = Path(__file__).parents[2]
STACK = """\
config:
  data-platform:platform:
    environment: dev
    protect: false
    gcp:
      project: acme-data-dev
      region: europe-west1
      lake: {zones: {landing: {}}}
      composer: {}
      data_fusion: {edition: enterprise}
    pipelines: {directory: pipelines}
"""
PIPELINE = "cloudsql_to_bigquery"


def definition(**parameters: Any) -> str:
    return json.dumps(
        {
            "kind": "datafusion",
            "parameters": {
                "cdf_instance": INSTANCE,
                "cdf_location": "$stack:region",
                "cdf_pipeline_name": PIPELINE,
                "bq_location": "EU",
                **parameters,
            },
            "rows": {"active_column": "is_active", "argument_columns": ["business_unit", "data_source"]},
            "runs": {"namespace": "default" if parameters else "sales", "retries": 0},
        }
    )


class Tool:
    """`dp run` in a project of its own."""

    def __init__(
        self, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
    ) -> None:
        self.root, self.capsys, self.monkeypatch = root, capsys, monkeypatch
        (root / "pipelines").mkdir(parents=True)
        (root / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n")
        (root / "Pulumi.dev.yaml").write_text(STACK)
        shutil.copytree(ROOT / "pipelines" / "data_fusion", root / "pipelines" / "data_fusion")
        (root / ".venvs").symlink_to(ROOT / ".venvs")
        self.define()
        monkeypatch.setenv("LOCALCLOUD_HOME", str(home))

    def define(self, **parameters: Any) -> None:
        (self.root / "pipelines" / "sources.json").write_text(definition(**parameters))

    def rows(self, *rows: dict[str, Any], name: str = "rows.json") -> str:
        file = self.root / name
        file.write_text(json.dumps(rows))
        return str(file)

    def run(self, *arguments: str) -> tuple[int, str]:
        self.monkeypatch.setattr("sys.argv", ["dp", "--root", str(self.root), "run", "sources", "--local", *arguments])
        status = main()
        shown = self.capsys.readouterr()
        return status, shown.out + shown.err


@pytest.fixture
def tool(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tool:
    return Tool(tmp_path / "project", capsys, monkeypatch, tmp_path / "nothing")


@pytest.mark.airflow
@pytest.mark.timeout(300)
def test_rows_of_a_file_are_run_in_a_cloud_of_their_own(tool: Tool) -> None:
    rows = tool.rows(row("payroll"), row("ord'ers ü", unit="sales"), row("old", False))
    status, text = tool.run("--rows", rows)
    assert status == 0, text
    assert "+ hr / payroll  COMPLETED" in text
    assert "+ sales / ord'ers ü  COMPLETED" in text
    assert "2 of 2 runs of cloudsql_to_bigquery COMPLETED" in text
    assert "old" not in text
    (record,) = (tool.root / ".dp" / "runs").iterdir()
    steps = {step["id"]: step["state"] for step in json.loads(record.read_text())["steps"]}
    assert steps == dict.fromkeys(
        ["get_configuration", "filter_arguments", "hr / payroll", "sales / ord'ers ü"], "succeeded"
    )
    assert (tool.root / ".dp" / "page.html").is_file()

    status, text = tool.run("--rows", tool.rows({**row("x"), "is_active": "perhaps"}))
    assert status == 3
    assert "is_active is 'perhaps' in a row, which is neither true nor false" in text


@pytest.mark.airflow
@pytest.mark.timeout(300)
def test_the_stacks_own_table_and_instance_are_used_where_they_are(tool: Tool, tmp_path: Path) -> None:
    with cloud(tmp_path / "cloud") as at:
        at.table("configuration", [row("good"), row("bad")])
        tool.monkeypatch.setenv("LOCALCLOUD_HOME", str(tmp_path / "cloud"))
        tool.define(cdf_pipeline_name=NAME, bq_dataset_id="cdf_output", bq_output_table="staff")
        outcome = scenario.Outcome(arguments={"data_source": "bad"}, end="FAILED", message="no column 'id'")
        scenario.add(at.cdap, outcome)
        status, text = tool.run()
        assert status == 3, text
        assert "+ hr / good  COMPLETED" in text
        assert "x hr / bad  FAILED" in text
        assert "ended as FAILED: no column 'id'" in text
        assert "1 of 2 runs" in text
        assert [run["status"] for name in ("good", "bad") for run in at.runs(name)] == ["COMPLETED", "FAILED"]

        tool.define(cdf_pipeline_name="nobodys", bq_dataset_id="cdf_output")
        status, text = tool.run()
        assert status == 1
        assert "the embedded cloud has not the pipeline nobodys in the namespace default of dev-core" in text


def test_what_is_missing_is_said_with_what_to_do(tool: Tool) -> None:
    status, text = tool.run()
    assert status == 1
    assert "no stack is up here; bring the stack up with it (dp up STACK --local), or give rows" in text
    status, text = tool.run("--rows", tool.rows({"business_unit": "x", "is_active": True}))
    assert status == 64
    assert "row 1 of" in text
    assert "has no data_source; rows are written [{" in text
    (tool.root / "broken.json").write_text("{")
    status, text = tool.run("--rows", str(tool.root / "broken.json"))
    assert status == 64
    assert "broken.json is not JSON" in text
    status, text = tool.run("--engine", "workflows")
    assert status == 64
    assert "which Workflows does not run" in text
    shutil.rmtree(tool.root / "pipelines" / "data_fusion")
    status, text = tool.run("--rows", tool.rows(row("x")))
    assert status == 1
    assert "take it there: dp datafusion pull --namespace sales --names cloudsql_to_bigquery" in text
    assert "Traceback" not in text
