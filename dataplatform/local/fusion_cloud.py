"""The BigQuery and the CDAP that a definition of kind datafusion is run against on this machine.

Either the embedded cloud as the stack's `up` has left it, or, where rows are given, one that exists for this run only:
with the instance, the pipeline out of the files of exports, and the tables that the definition names.
"""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from dataplatform.compile.plan import FusionRuns, Plan
from dataplatform.diagnostics import InputError
from dataplatform.local.engine_env import cloud_home
from dataplatform.local.errors import RefusedError, ToolError, UsageError

Json = dict[str, Any]
Rows = list[dict[str, Any]]
_APIS = ("bigquery.googleapis.com", "datafusion.googleapis.com")
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class FusionCloud:
    """Both services at one address."""

    url: str
    fusion: FusionRuns

    @property
    def environment(self) -> dict[str, str]:
        """What leads the DAG's tasks here."""
        return {"DATA_FUSION_EMULATOR_HOST": f"{self.url}/datafusion", "BIGQUERY_EMULATOR_HOST": self.url}

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A call: its status, and the answer as JSON or as text."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer local", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - ours alone
        try:
            with _OPENER.open(request, timeout=60) as answer:
                status, said = int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            status, said = error.code, error.read()
        try:
            return status, json.loads(said)
        except ValueError:
            return status, said.decode("utf-8", "replace")

    def apps(self) -> str | None:
        """The path of the instance's pipelines; None where there is no such instance."""
        f = self.fusion
        name = f"projects/{quote(f.project_id)}/locations/{quote(f.cdf_location)}/instances/{quote(f.cdf_instance)}"
        status, found = self.call("GET", f"/datafusion/v1/{name}")
        if status != 200 or not found.get("apiEndpoint"):
            return None
        parts = urlsplit(found["apiEndpoint"])
        return f"/datafusion/{parts.netloc}{parts.path}/v3/namespaces/{quote(f.namespace)}/apps"

    def program(self) -> str:
        """The path of the pipeline's program."""
        return f"{self.apps()}/{quote(self.fusion.cdf_pipeline_name, safe='')}/workflows/DataPipelineWorkflow"

    def runs(self) -> list[Json]:
        """The pipeline's runs, the oldest first; `arguments` has the runtime arguments of each."""
        status, found = self.call("GET", f"{self.program()}/runs?limit=1000")
        if status != 200:
            return []
        made = [{**run, "arguments": json.loads(run["properties"].get("runtimeArgs") or "{}")} for run in found]
        return sorted(made, key=lambda run: (run["starting"], run["runid"]))

    def missing(self) -> str | None:
        """What of the definition the cloud does not have, in words; None where nothing is missing."""
        f = self.fusion
        apps = self.apps()
        if apps is None:
            return f"the Data Fusion instance {f.cdf_instance} ({f.project_id}, {f.cdf_location})"
        if self.call("GET", f"{apps}/{quote(f.cdf_pipeline_name, safe='')}")[0] != 200:
            return f"the pipeline {f.cdf_pipeline_name} in the namespace {f.namespace} of {f.cdf_instance}"
        for table in _tables(f):
            path = f"projects/{quote(f.project_id)}/datasets/{quote(f.bq_dataset_id)}/tables/{quote(table)}"
            if self.call("GET", f"/bigquery/v2/{path}")[0] != 200:
                return f"the table {f.project_id}.{f.bq_dataset_id}.{table}"
        return None


def _tables(fusion: FusionRuns) -> list[str]:
    named = [] if fusion.cdf_pipeline_run_arguments else [fusion.bq_config_table]
    return [*named, *([fusion.bq_output_table] if fusion.bq_output_table else [])]


@contextlib.contextmanager
def stacks_cloud(root: Path, plan: Plan, time_scale: float) -> Iterator[FusionCloud]:
    """The embedded cloud of the stacks.

    Raises:
        RefusedError: when it has not what the definition names.
    """
    fusion = plan.fusion
    assert fusion is not None
    home = cloud_home(root)
    remedy = "bring the stack up with it (dp up STACK --local), or give rows for a cloud of this run's own: --rows FILE"
    if not (home / "world.db").exists():
        raise RefusedError(f"'{plan.name}' needs a BigQuery and a Data Fusion, and no stack is up here; {remedy}")
    from localcloud.workflows.server import serve
    from localcloud.world import World

    with serve(World(home), time_scale=time_scale) as server:
        found = FusionCloud(url=server.url, fusion=fusion)
        missing = found.missing()
        if missing is not None:
            raise RefusedError(f"the embedded cloud has not {missing}, which '{plan.name}' names; {remedy}")
        yield found


@contextlib.contextmanager
def own_cloud(root: Path, plan: Plan, rows: Rows, exports: Path, time_scale: float) -> Iterator[FusionCloud]:
    """A cloud for one run.

    Raises:
        RefusedError: when there is no export of the pipeline, or CDAP refuses it.
    """
    fusion = plan.fusion
    assert fusion is not None
    pipeline = _export(fusion, exports)
    from localcloud.workflows.server import serve
    from localcloud.world import World

    above = root / ".dp" / "runs"
    above.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="cloud-", dir=above))
    try:
        world = World(home)
        _make(world, fusion, rows, str(pipeline["artifact"]["version"]))
        with serve(world, time_scale=time_scale) as server:
            found = FusionCloud(url=server.url, fusion=fusion)
            _fill(found, pipeline, rows)
            yield found
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _export(fusion: FusionRuns, exports: Path) -> Json:
    from dataplatform.datafusion import files
    from dataplatform.datafusion.errors import DataFusionError
    from dataplatform.datafusion.model import Key, Kind

    key = Key(namespace=fusion.namespace, kind=Kind.PIPELINE, name=fusion.cdf_pipeline_name)
    try:
        held = files.load(exports).export
    except InputError:
        raise
    except DataFusionError:
        held = {}
    if key not in held:
        raise RefusedError(
            f"the pipeline {fusion.cdf_pipeline_name} of the namespace {fusion.namespace} is not among the exports in "
            f"{exports}; take it there: dp datafusion pull --namespace {fusion.namespace} "
            f"--names {fusion.cdf_pipeline_name}"
        )
    return dict(held[key])


def _make(world: Any, fusion: FusionRuns, rows: Rows, version: str) -> None:
    from localcloud.single import Maker, NotMadeError

    try:
        maker = Maker(world, fusion.project_id, fusion.cdf_location, _APIS)
        instance = {"name": fusion.cdf_instance, "project": fusion.project_id, "region": fusion.cdf_location}
        instance |= {"type": "ENTERPRISE", "version": version}
        maker.make("gcp:datafusion/instance:Instance", "instance", instance)
        dataset = {"project": fusion.project_id, "datasetId": fusion.bq_dataset_id}
        maker.make("gcp:bigquery/dataset:Dataset", "dataset", {**dataset, "location": fusion.bq_location})
        for table in _tables(fusion):
            columns = _columns(fusion, rows) if table == fusion.bq_config_table else [{"name": "id", "type": "STRING"}]
            made = {**dataset, "tableId": table, "deletionProtection": False, "schema": json.dumps(columns)}
            maker.make("gcp:bigquery/table:Table", f"table-{table}", made)
    except NotMadeError as problem:
        raise RefusedError(f"the embedded cloud refuses what the definition names: {problem}") from problem


def _columns(fusion: FusionRuns, rows: Rows) -> list[Json]:
    flags = {type(row.get(fusion.active_column)) for row in rows} - {type(None)}
    kind = "BOOL" if flags <= {bool} else "INT64" if flags <= {int} else "STRING"
    named = [{"name": column, "type": "STRING"} for column in fusion.argument_columns]
    return [*named, {"name": fusion.active_column, "type": kind}]


def _fill(cloud: FusionCloud, pipeline: Json, rows: Rows) -> None:
    f = cloud.fusion
    apps = cloud.apps()
    assert apps is not None, "it was just made"
    if f.namespace != "default":
        cloud.call("PUT", apps.removesuffix("/apps"), {})
    asked = {"artifact": pipeline["artifact"], "config": pipeline["config"]}
    status, said = cloud.call("PUT", f"{apps}/{quote(f.cdf_pipeline_name, safe='')}", asked)
    if status != 200:
        raise RefusedError(f"the embedded CDAP refuses the pipeline {f.cdf_pipeline_name}: {said}")
    if f.cdf_pipeline_run_arguments or not rows:
        return
    columns = [*f.argument_columns, f.active_column]
    sent = [{"json": {column: row.get(column) for column in columns}} for row in rows]
    table = f"projects/{f.project_id}/datasets/{f.bq_dataset_id}/tables/{f.bq_config_table}"
    status, said = cloud.call("POST", f"/bigquery/v2/{table}/insertAll", {"rows": sent})
    if status != 200 or said.get("insertErrors"):
        raise ToolError(f"the embedded BigQuery refuses the rows: {said}")


def read_rows(file: Path, fusion: FusionRuns) -> Rows:
    """Rows of a configuration out of a file: a JSON list of objects, or CSV with a line of names.

    Raises:
        UsageError: when it is neither, or a row lacks a column.
    """
    columns: Sequence[str] = [*fusion.argument_columns, fusion.active_column]
    example = json.dumps(
        [dict.fromkeys(fusion.argument_columns, "…") | {fusion.active_column: True}], ensure_ascii=False
    )
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{file} cannot be read as text ({problem})") from problem
    rows: Any
    if file.suffix.lower() == ".csv":
        rows = list(csv.DictReader(text.splitlines()))
    else:
        try:
            rows = json.loads(text)
        except ValueError as problem:
            raise UsageError(f"{file} is not JSON ({problem}); rows are written {example}") from problem
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise UsageError(f"{file} is not a list of rows; they are written {example}")
    for number, row in enumerate(rows, 1):
        lacking = [column for column in columns if column not in row]
        if lacking:
            raise UsageError(f"row {number} of {file} has no {lacking[0]}; rows are written {example}")
    return [dict(row) for row in rows]
