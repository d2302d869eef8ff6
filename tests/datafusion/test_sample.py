"""The shipped sample: Cloud SQL → processed columns → Cloud Storage and BigQuery → watermark."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.datafusion import files, normalise, picture, service
from dataplatform.datafusion.macros import Environment, functions_in, missing_values, names_in
from dataplatform.datafusion.model import Json, Key, Kind
from dataplatform.datafusion.service import Selection
from dataplatform.diagnostics import InputError
from localcloud.cdap import catalog
from localcloud.cdap.instance import Settings
from localcloud.cdap.server import Server, serve
from localcloud.world import World
from tests.datafusion.conftest import Cdap
from tests.datafusion.pipelines import PIPELINE_ARTIFACT, export_of, stage, tree, write

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "pipelines" / "data_fusion"
KEY = Key(namespace="sales", kind=Kind.PIPELINE, name="cloudsql_to_bigquery")
DEV = Environment(
    values={"landing_bucket": "acme-dev-landing", "cloudsql_connection": "acme-dev:europe-west1:core"},
    runtime=frozenset({"business_unit", "data_source"}),
)
CHAIN = [
    ("Add processed columns", "Import to BigQuery"),
    ("Add processed columns", "Save to Cloud Storage"),
    ("Import to BigQuery", "Update watermark"),
    ("Read Cloud SQL", "Add processed columns"),
    ("Read watermark", "Read Cloud SQL"),
    ("Save to Cloud Storage", "Update watermark"),
]
STAND_INS = {
    "action": ("FileDelete", {"path": "/none", "continueOnError": "true"}),
    "batchsource": ("KVTable", {"name": "in"}),
    "transform": ("Projection", {}),
    "batchsink": ("KVTable", {"name": "out", "key.field": "key", "value.field": "value"}),
}


@pytest.fixture(scope="module")
def body() -> Json:
    found: Json = files.load(FOLDER).export[KEY]
    return found


@pytest.fixture
def google(world: World) -> Iterator[Server]:
    """An instance with the artifacts that Google's have, of the version of the sample."""
    with serve(world, "core", settings=Settings(version="6.11.1", offer=catalog.DATA_FUSION)) as server:
        yield server


def stages(body: Json) -> dict[str, dict[str, str]]:
    return {s["name"]: s["plugin"]["properties"] for s in body["config"]["stages"]}


def alone(folder: Path) -> Path:
    """The files of the sample, without those of its neighbours."""
    for name in ("namespace.json", "pipelines/cloudsql_to_bigquery.json", "preferences/cloudsql_to_bigquery.json"):
        (folder / "sales" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FOLDER / "sales" / name, folder / "sales" / name)
    return folder


def test_it_is_in_the_form_that_a_pull_writes(body: Json) -> None:
    text = (FOLDER / "sales" / "pipelines" / "cloudsql_to_bigquery.json").read_text("utf-8")
    assert text == normalise.dumps(normalise.pipeline(json.loads(text)))
    assert [(c["from"], c["to"]) for c in body["config"]["connections"]] == CHAIN


def test_pushed_and_pulled_it_is_the_same_byte_by_byte(google: Server, tmp_path: Path) -> None:
    from dataplatform.datafusion.client import Client

    client = Client(google.url)
    files_of_it = alone(tmp_path / "files")
    with pytest.raises(InputError, match="uses the secure key 'orders-db-password', which the namespace sales does"):
        service.prepare(client, files_of_it, DEV, Selection())
    client.call("PUT", ("namespaces", "sales"), body={})
    key = {"data": "only-here", "description": ""}
    client.call("PUT", ("namespaces", "sales", "securekeys", "orders-db-password"), body=key)
    assert service.prepare(client, files_of_it, DEV, Selection()).apply().error() is None
    held = client.get("namespaces", "sales", "preferences")
    assert held == dict(DEV.values)
    service.pull(client, tmp_path / "pulled", DEV, Selection(namespaces=["sales"]))
    pulled = tree(tmp_path / "pulled")
    assert "only-here" not in b"".join(pulled.values()).decode()
    assert json.loads(pulled.pop("sales/secure_keys.json"))["keys"] == [{"name": "orders-db-password"}]
    assert pulled == tree(files_of_it)
    assert service.prepare(client, tmp_path / "pulled", DEV, Selection()).steps == []


def test_every_macro_has_a_giver_and_none_is_given_twice(body: Json) -> None:
    export = files.load(FOLDER).export
    assert not missing_values({KEY: body, **export}, _with(load_date=True), {}, {})
    (told,) = (
        b["preferences"] for k, b in export.items() if k.kind == Kind.PIPELINE_PREFERENCES and k.name == KEY.name
    )
    assert names_in(body) == {*told, *DEV.values, *DEV.runtime, "watermark_from", "watermark_to"}
    assert functions_in(body, "secure") == {"orders-db-password"}
    for name in ("business_unit", "data_source", "landing_bucket"):
        without = Environment(
            values={k: v for k, v in DEV.values.items() if k != name}, runtime=DEV.runtime - {name, "x"}
        )
        (problem,) = [d for d in missing_values({KEY: body, **export}, without, {}, {}).items if KEY.name in d.message]
        assert f"uses the macro ${{{name}}}, which nothing gives a value" in problem.message


def _with(*, load_date: bool) -> Environment:
    more = {"load_date"} if load_date else set()
    return Environment(values={**DEV.values, "curated_bucket": "c"}, runtime=DEV.runtime | more)


def test_it_reads_from_the_last_watermark_to_a_new_one_and_keeps_that_at_the_end(body: Json) -> None:
    """One window for all of it: what is read ends where the next run begins."""
    found = stages(body)
    assert found["Read watermark"]["rowAsArguments"] == "true"
    columns = re.findall(r"AS (watermark_\w+)", found["Read watermark"]["sql"])
    assert columns == ["watermark_from", "watermark_to"]
    query = found["Read Cloud SQL"]["importQuery"]
    assert "t.updated_at > TIMESTAMPTZ '${watermark_from}+00'" in query
    assert "t.updated_at <= TIMESTAMPTZ '${watermark_to}+00'" in query
    assert "TIMESTAMP '${watermark_to}+00' AS watermark" in found["Update watermark"]["sql"]
    assert "watermark_from" not in found["Update watermark"]["sql"]


def test_what_is_written_twice_is_there_once(body: Json) -> None:
    sink = stages(body)["Import to BigQuery"]
    assert sink["operation"] == "upsert"
    fields = [field["name"] for field in json.loads(sink["schema"])["fields"]]
    assert set(sink["relationTableKey"].split(",")) <= set(fields)
    added = [f["name"] for f in json.loads(stages(body)["Add processed columns"]["schema"])["fields"]]
    read = [f["name"] for f in json.loads(stages(body)["Read Cloud SQL"]["schema"])["fields"]]
    assert added == fields == [*read, "business_unit", "data_source", "processed_at"]
    for name in ("business_unit", "data_source", "processed_at"):
        assert f"set-column :{name} " in stages(body)["Add processed columns"]["directives"]
    query = stages(body)["Read Cloud SQL"]["importQuery"].partition("FROM")[0]
    assert re.findall(r" AS (\w+)", query) == read


def test_any_cdap_keeps_it_as_a_draft_and_deploys_its_shape(cdap: Cdap, body: Json, tmp_path: Path) -> None:
    """A CDAP without Google's plugins cannot run it: it refuses the plugins, and takes the rest as it is."""
    namespace = cdap.namespace("sales")
    mine = Key(namespace=namespace, kind=Kind.PIPELINE, name=KEY.name)
    own: Json = {**copy.deepcopy(body), "artifact": dict(PIPELINE_ARTIFACT)}
    environment = Environment(runtime=frozenset(names_in(body)))
    write(tmp_path / "as_it_is", export_of(namespace) | {mine: own})
    with pytest.raises(InputError) as caught:
        service.prepare(cdap.client(), tmp_path / "as_it_is", environment, Selection())
    said = [d.message for d in caught.value.diagnostics.sorted()]
    for name, plugin in (("Read Cloud SQL", "CloudSQLPostgreSQL"), ("Add processed columns", "Wrangler")):
        assert any(f"stage '{name}'" in m and f"needs the plugin {plugin}" in m for m in said), said

    shape: Json = copy.deepcopy(own)
    config = {k: v for k, v in shape["config"].items() if k != "engine"}
    config["stages"] = [
        stage(s["name"], STAND_INS[s["plugin"]["type"]][0], s["plugin"]["type"], **STAND_INS[s["plugin"]["type"]][1])
        for s in shape["config"]["stages"]
    ]
    draft = Key(namespace=namespace, kind=Kind.DRAFT, name=KEY.name, part="11111111-2222-4333-8444-555555555555")
    kept = normalise.draft({"id": draft.part, "name": draft.name, "artifact": own["artifact"], "config": own["config"]})
    shape["config"] = normalise.configuration(config)
    write(tmp_path / "shape", export_of(namespace) | {mine: shape, draft: kept})
    client = cdap.client()
    password = ("namespaces", namespace, "securekeys", "orders-db-password")
    client.call("PUT", password[:2], body={})
    client.call("PUT", password, body={"data": "only-here", "description": ""})
    assert service.prepare(client, tmp_path / "shape", environment, Selection()).apply().error() is None
    service.pull(client, tmp_path / "pulled", environment, Selection(namespaces=[namespace]))
    client.call("DELETE", password)
    pulled = tree(tmp_path / "pulled")
    del pulled[f"{namespace}/secure_keys.json"]
    assert pulled == tree(tmp_path / "shape")
    app: dict[str, Any] = cdap.client().get("namespaces", namespace, "apps", KEY.name)
    assert sorted(p["name"] for p in app["programs"]) == ["DataPipelineWorkflow", "phase-2"]
    assert "'Read Cloud SQL' to sinks 'Import to BigQuery', 'Save to Cloud Storage'" in str(app["programs"])


@pytest.mark.parametrize(
    ("plugin", "properties", "missing"),
    [
        ("BigQueryExecute", {"rowAsArguments": "true", "sql": "SELECT 1 AS first, 2 as `bucket`"}, False),
        ("BigQueryExecute", {"rowAsArguments": "true", "sql": "SELECT 1 AS first"}, True),
        ("BigQueryExecute", {"rowAsArguments": "true", "sql": "SELECT * FROM t"}, False),
        ("BigQueryExecute", {"rowAsArguments": "${x}", "sql": "SELECT 1 AS first"}, False),
        ("BigQueryExecute", {"rowAsArguments": "false", "sql": "SELECT 2 AS bucket"}, True),
        ("BigQueryArgumentSetter", {}, False),
        ("FileDelete", {}, True),
    ],
)
def test_macros_that_a_stage_gives_values_are_not_missing(
    plugin: str, properties: dict[str, str], missing: bool
) -> None:
    key = Key(namespace="team", kind=Kind.PIPELINE, name="p")
    config = {
        "stages": [
            {"name": "First", "plugin": {"name": plugin, "type": "action", "properties": properties}},
            {"name": "Read", "plugin": {"name": "KVTable", "type": "batchsource", "properties": {"name": "${bucket}"}}},
        ]
    }
    found = missing_values({key: {"config": config}}, Environment(), {}, {})
    assert [d.message for d in found.items if "${bucket}" in d.message] == (
        ["pipeline team/p uses the macro ${bucket}, which nothing gives a value"] if missing else []
    )


def test_the_picture_shows_data_and_order_apart(body: Json) -> None:
    text = picture.mermaid(body)
    names = [s["name"] for s in body["config"]["stages"]]
    ids = {name: f"stage{number}" for number, name in enumerate(names, 1)}
    for before, after in CHAIN:
        arrow = "-.->" if "watermark" in before + after else "-->"
        assert f"  {ids[before]} {arrow} {ids[after]}\n" in text
    hostile = copy.deepcopy(body)
    hostile["config"]["stages"][0]["name"] = 'x"]; click <b> & `'
    assert 'x"]' not in picture.mermaid(hostile)
    assert (ROOT / "docs" / "datafusion_sample.md").read_text("utf-8").count(text) == 1
