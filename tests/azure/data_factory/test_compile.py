"""What reaches Azure equals what was exported, apart from what a stack changes by name."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile.data_factory import FactoryPlan, Release, compile_factory
from dataplatform.config.azure.data_factory import DataFactory
from dataplatform.config.data_factory.check import check_factory
from dataplatform.diagnostics import InputError
from tests.azure.data_factory.support import CORPUS, REFERENCES, config_of

RICH = CORPUS.parent / "rich"
STRIP = """data_factory:
  patches:
    - {linked_service: Ls_Dbx, property: typeProperties.encryptedCredential, remove: true}
"""


def compiled(folder: Path, text: str, release: Release | None = None) -> FactoryPlan:
    config = config_of(text).model_copy(update={"directory": folder.name})
    checked = check_factory(folder.parent, config, references=REFERENCES)
    return compile_factory(checked, config, context=REFERENCES, release=release)


def exported(folder: Path) -> dict[str, dict[str, Any]]:
    """Every artefact's own JSON by the path of its file, read by the standard library."""
    return {
        str(path.relative_to(folder)): json.loads(path.read_text("utf-8"))
        for path in folder.rglob("*.json")
        if path.parent.name != "factory" and path.parent != folder
    }


def same(one: Any, other: Any) -> bool:
    """Equality in which true is not 1 and 1 is not 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.mark.parametrize(("folder", "text"), [(CORPUS, "data_factory: {annotate: false}\n"), (RICH, STRIP)])
def test_every_key_of_every_artefact_is_intact(folder: Path, text: str) -> None:
    plan = compiled(folder, text)
    sources = exported(folder)
    found = {str(Path(o.source).relative_to(folder.relative_to(Path.cwd()))): o for o in plan.objects}
    assert set(found) == set(sources)
    for name, source in sources.items():
        wanted = copy.deepcopy(source["properties"])
        if name == "linkedService/Ls_Dbx.json":
            del wanted["typeProperties"]["encryptedCredential"]
        assert same(found[name].body, {"properties": wanted}), name
        assert list(found[name].body["properties"]) == list(wanted), "in the same order"


def test_the_order_is_that_of_dependencies() -> None:
    plan = compiled(RICH, STRIP)
    place = {found.key: index for index, found in enumerate(plan.objects)}
    assert len(place) == len(plan.objects)
    for found in plan.objects:
        for needed in found.depends_on:
            assert place[needed] < place[found.key]
    edges = {found.key: found.depends_on for found in plan.objects}
    assert edges["linked_service:Ls_Sql"] == ("linked_service:Ls_Kv",)
    assert edges["linked_service:Ls_Lake"] == ("credential:Cred_Shop", "integration_runtime:Ir_Managed")
    assert edges["pipeline:P_Load"] == (
        "integration_runtime:Ir_Managed",
        "linked_service:Ls_Dbx",
        "dataset:Ds_Orders",
        "dataset:Ds_Table",
        "data_flow:Df_Clean",
    )
    assert edges["pipeline:P_All"] == ("pipeline:P_Load",)
    assert edges["trigger:T_Window"] == ("pipeline:P_Load", "trigger:T_Other")
    assert edges["managed_private_endpoint:default/lake"] == ("managed_virtual_network:default",)
    types = [found.api_type.removeprefix("Microsoft.DataFactory/factories/") for found in plan.objects]
    assert types[:3] == ["managedVirtualNetworks", "managedVirtualNetworks/managedPrivateEndpoints", "credentials"]
    assert types[-1] == "triggers"


PATCHES = """data_factory:
  patches:
    - {linked_service: ls_lake, property: typeProperties.url, value: $lake:url}
    - {linked_service: Ls_Kv, property: typeProperties.baseUrl, value: $key_vault:url}
    - {linked_service: Ls_Dbx, property: typeProperties.encryptedCredential, remove: true}
    - {pipeline: P_Load, activity: Clean b, property: typeProperties.notebookPath, value: /Workspace/qa/clean}
    - {pipeline: P_Load, activity: Clean b, property: "typeProperties.libraries[whl].whl", value: $$keep}
    - {pipeline: P_Load, activity: Clean b, property: "typeProperties.libraries[pypi.package=requests]", remove: true}
    - {pipeline: P_Load, activity: Poll, property: typeProperties.headers.Accept, value: text/plain, add: true}
    - {pipeline: P_Load, activity: Copy orders, property: typeProperties.source.storeSettings, value: {type: X, i: [1]}}
    - {pipeline: P_Load, property: concurrency, value: 4}
    - trigger: T_Daily
      property: "pipelines[pipelineReference.referenceName=P_All].parameters.x"
      value: null
      add: true
"""


def test_patches_change_what_they_name_and_nothing_else() -> None:
    patched, plain = compiled(RICH, PATCHES), compiled(RICH, STRIP)
    wanted = {found.key: copy.deepcopy(found.body["properties"]) for found in plain.objects}
    wanted["linked_service:Ls_Lake"]["typeProperties"]["url"] = REFERENCES["$lake:url"]
    wanted["linked_service:Ls_Kv"]["typeProperties"]["baseUrl"] = REFERENCES["$key_vault:url"]
    load = wanted["pipeline:P_Load"]
    load["concurrency"] = 4
    each = load["activities"][1]["typeProperties"]["activities"][0]["typeProperties"]
    each["ifTrueActivities"][0]["typeProperties"]["source"]["storeSettings"] = {"type": "X", "i": [1]}
    clean = each["ifFalseActivities"][0]["typeProperties"]["cases"][0]["activities"][0]["typeProperties"]
    clean["notebookPath"] = "/Workspace/qa/clean"
    clean["libraries"] = [{"whl": "$keep"}]
    load["activities"][2]["typeProperties"]["activities"][0]["typeProperties"]["headers"] = {"Accept": "text/plain"}
    wanted["trigger:T_Daily"]["pipelines"][0]["parameters"]["x"] = None
    for found in patched.objects:
        assert same(found.body["properties"], wanted[found.key]), found.key
    before = {found.key: found.sha256 for found in plain.objects}
    changed = {found.key for found in patched.objects if found.sha256 != before[found.key]}
    assert changed == {"linked_service:Ls_Lake", "linked_service:Ls_Kv", "pipeline:P_Load", "trigger:T_Daily"}


def test_a_patch_follows_its_activity_when_activities_are_reordered(tmp_path: Path) -> None:
    """What broke the patches by index of the seed."""
    text = """data_factory:
  annotate: false
  directory: adf
  patches:
    - {pipeline: P_Ingest_MelbParkingData, activity: StandardizeData, property: typeProperties.notebookPath, value: /a}
    - {pipeline: P_Ingest_MelbParkingData, activity: TransformData, property: typeProperties.notebookPath, value: /b}
"""
    paths = {}
    for turned in (False, True):
        folder = tmp_path / str(turned)
        for name, source in exported(CORPUS).items():
            if turned and "activities" in source["properties"]:
                source["properties"]["activities"].reverse()
            file = folder / "adf" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(source), "utf-8")
        config = config_of(text)
        plan = compile_factory(check_factory(folder, config), config)
        activities = plan.find("pipeline", "P_Ingest_MelbParkingData").body["properties"]["activities"]
        paths[turned] = {
            a["name"]: a["typeProperties"]["notebookPath"] for a in activities if a["type"] == "DatabricksNotebook"
        }
    assert paths[False] == paths[True] == {"StandardizeData": "/a", "TransformData": "/b"}


def test_databricks_is_rewritten_to_the_managed_identity() -> None:
    plan = compiled(RICH, "data_factory:\n  databricks: {Ls_Dbx: {}}\n")
    assert plan.find("linked_service", "Ls_Dbx").body["properties"]["typeProperties"] == {
        "newClusterVersion": "17.3.x-scala2.13",
        "newClusterNumOfWorker": "2",
        "newClusterNodeType": "Standard_D4ds_v5",
        "domain": REFERENCES["$databricks:url"],
        "authentication": "MSI",
        "workspaceResourceId": REFERENCES["$databricks:id"],
    }
    plan = compiled(RICH, "data_factory:\n  databricks: {Ls_Dbx: {existing_cluster_id: $databricks:cluster}}\n")
    assert plan.find("linked_service", "Ls_Dbx").body["properties"]["typeProperties"] == {
        "domain": REFERENCES["$databricks:url"],
        "authentication": "MSI",
        "workspaceResourceId": REFERENCES["$databricks:id"],
        "existingClusterId": "0101-abc",
    }
    assert "accessToken" not in json.dumps([found.body for found in plan.objects])


def test_release_and_commit_are_on_every_artefact_and_on_the_factory() -> None:
    release = Release(id="1.4.0", commit="abc123")
    text = STRIP + "  global_parameters: {environment: qa, rate: 0.5, tags: {a: $lake:url}}\n"
    plan, plain = compiled(RICH, text, release), compiled(RICH, STRIP)
    for found, before in zip(plan.objects, plain.objects, strict=True):
        had = before.body["properties"].get("annotations", [])
        if found.kind in ("managed_virtual_network", "managed_private_endpoint", "integration_runtime"):
            assert same(found.body, before.body)
        else:
            assert found.body["properties"]["annotations"] == [*had, "release:1.4.0", "commit:abc123"]
    assert plan.global_parameters == {
        "environment": {"type": "string", "value": "qa"},
        "retention": {"type": "int", "value": 30},
        "rate": {"type": "Float", "value": 0.5},
        "tags": {"type": "Object", "value": {"a": REFERENCES["$lake:url"]}},
        "releaseId": {"type": "String", "value": "1.4.0"},
        "gitCommit": {"type": "String", "value": "abc123"},
    }


def test_triggers_run_only_where_the_stack_says_so() -> None:
    assert compiled(RICH, STRIP).active_triggers == frozenset(), "T_Daily was exported as started"
    plan = compiled(RICH, STRIP + "  triggers: {t_daily: started, T_Window: stopped}\n")
    assert plan.active_triggers == {"T_Daily"}


def test_a_value_known_only_at_deployment_is_handed_through() -> None:
    unknown = object()
    config = config_of(PATCHES).model_copy(update={"directory": RICH.name})
    checked = check_factory(RICH.parent, config, references=REFERENCES)
    plan = compile_factory(checked, config, context={**REFERENCES, "$lake:url": unknown})
    found = plan.find("linked_service", "Ls_Lake")
    assert found.body["properties"]["typeProperties"]["url"] is unknown
    other = compile_factory(checked, config, context={**REFERENCES, "$lake:url": "x"}).find("linked_service", "Ls_Lake")
    assert other.sha256 == found.sha256


def test_a_mistake_compiles_to_nothing(tmp_path: Path) -> None:
    config = DataFactory(directory="none")
    with pytest.raises(InputError, match="DP501"):
        compile_factory(check_factory(tmp_path, config), config)


def test_compiling_twice_gives_the_same() -> None:
    release = Release(id="1", commit="c")
    one, two = (compiled(RICH, STRIP, release) for _ in range(2))
    assert [(f.key, f.sha256, f.body) for f in one.objects] == [(f.key, f.sha256, f.body) for f in two.objects]


def linked(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "properties": {"type": "RestService", "typeProperties": {"url": "https://x", **more}}}


def test_the_order_is_that_of_what_is_deployed(tmp_path: Path) -> None:
    """A patch may lead an artefact to another one, and away from one."""
    folder = tmp_path / "adf"
    store = {"referenceName": "Ls_A", "type": "LinkedServiceReference"}
    for content in (linked("Ls_A"), linked("Ls_B"), linked("Ls_C", store=store)):
        (folder / "linkedService").mkdir(parents=True, exist_ok=True)
        (folder / "linkedService" / f"{content['name']}.json").write_text(json.dumps(content), "utf-8")
    text = "data_factory:\n  directory: adf\n  annotate: false\n  patches:\n"
    away = "    - {linked_service: Ls_C, property: typeProperties.store.referenceName, value: Ls_B}\n"
    config = config_of(text + away)
    edges = {o.key: o.depends_on for o in compile_factory(check_factory(tmp_path, config), config).objects}
    assert edges["linked_service:Ls_C"] == ("linked_service:Ls_B",)
    back = (
        "    - {linked_service: Ls_A, property: typeProperties.store, add: true,"
        " value: {referenceName: Ls_C, type: LinkedServiceReference}}\n"
    )
    config = config_of(text + back)
    with pytest.raises(InputError, match=r"in a circle: .*\[DP509\]"):
        compile_factory(check_factory(tmp_path, config), config)
