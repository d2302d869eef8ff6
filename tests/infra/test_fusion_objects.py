"""What a stack brings to its Data Fusion instance: what is registered of files, and what is told of wrong ones."""

from __future__ import annotations

import copy
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.check import load_stack
from dataplatform.datafusion import normalise
from dataplatform.datafusion.layout import normalised
from dataplatform.datafusion.model import Json, Kind
from dataplatform.local.plan_recorder import RecordedResource, record
from infra.decide import check_stacks
from infra.fusion_objects import read_objects
from tests.datafusion.pipelines import pipeline
from tests.infra.inventory import ROOT, by_name, of_type

STACK = """\
encryptionsalt: v1:kU2/DdcC8M8=:v1:dZrdnY0FI5+7vA66:wZOlmRMCznL1b3Qpp7IkVxspSuh2pg==
config:
  data-platform:platform:
    environment: dev
    protect: true
    gcp:
      project: acme-data-dev
      region: europe-west1
      lake: {zones: {landing: {}}}
      secrets: {db_password: {}}
      workflows: {}
      data_fusion:
        edition: enterprise
        version: 6.11.1
        deploy:
          mapping: mapping.dev.yaml
          values: {bucket: "gs://$bucket:landing/in"}
          runtime: [day]
          secure_keys: {sales: {db: db_password}}
    pipelines: {directory: pipelines}
  data-platform:db_password: {secure: v1:AAAAAAAAAAA=:AAAA}
"""
SAMPLE = ROOT / "pipelines" / "demo_pipeline_cloud_workflows.json"
DEPLOY = STACK[STACK.index("        deploy:") : STACK.index("    pipelines:")]
MAPPING = """\
version: 1
values:
  bucket: overridden
  table: {value: orders_dev, inline: true}
  profile: big
"""


def orders() -> Json:
    body = pipeline("orders")
    body["config"]["stages"][0]["plugin"]["properties"] = {
        "name": "${table}",
        "path": "${bucket}/${day}",
        "password": "${secure(db)}",
    }
    return body


FILES: dict[str, Any] = {
    "sales/namespace.json": {"name": "sales", "description": "Sales"},
    "sales/preferences.json": {"preferences": {"system.profile.name": "USER:big"}},
    "sales/pipelines/orders.json": orders(),
    "sales/pipelines/lines.json": pipeline("lines", schedule=None),
    "sales/preferences/orders.json": {"pipeline": "orders", "preferences": {"a": "${profile}"}},
    "sales/runtime_arguments/orders.json": {"pipeline": "orders", "arguments": {"day": "today"}},
    "sales/schedules/orders@dataPipelineSchedule.json": {
        "pipeline": "orders",
        "name": "dataPipelineSchedule",
        "status": "SCHEDULED",
    },
    "sales/triggers/lines@after orders.json": {
        "pipeline": "lines",
        "name": "after orders",
        "status": "SCHEDULED",
        "program": {"programName": "DataPipelineWorkflow", "programType": "WORKFLOW"},
        "trigger": {
            "type": "PROGRAM_STATUS",
            "programId": {"namespace": "sales", "application": "orders", "program": "DataPipelineWorkflow"},
            "programStatuses": ["COMPLETED"],
        },
    },
    "sales/profiles/big.json": {"name": "big", "provisioner": {"name": "native", "properties": []}},
    "sales/connections/lake.json": {"name": "lake", "plugin": {"name": "GCS", "type": "connector"}},
    "sales/artifacts/driver@1.0.0.json": {"name": "driver", "version": "1.0.0", "properties": {"owner": "us"}},
    "sales/drafts/half@1.json": {"id": "1", "name": "half", "artifact": pipeline("x")["artifact"], "config": {}},
    "system/profiles/huge.json": {"name": "huge", "provisioner": {"name": "native", "properties": []}},
    "mapping.dev.yaml": MAPPING,
}


def project(folder: Path, stack: str = STACK, **changed: Any) -> Path:
    """A project with one stack and an export; None takes a file away."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n", "utf-8")
    (folder / "Pulumi.dev.yaml").write_text(stack, "utf-8")
    for name, body in {**FILES, **changed}.items():
        file = folder / "pipelines" / "data_fusion" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if body is not None:
            file.write_text(body if isinstance(body, str) else json.dumps(body), "utf-8")
    shutil.copy(SAMPLE, folder / "pipelines")
    beside = folder / "pipelines/data_fusion/sales/artifacts/driver@1.0.0.jar"
    with zipfile.ZipFile(beside, "w") as jar:
        jar.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF"), "")
    return folder


def told(root: Path) -> list[str]:
    """What is said of the stack, its files named from the folder on."""
    lines = [item.headline() for item in check_stacks(root, ["dev"]).sorted()]
    return [line.partition("pipelines/data_fusion/")[2] or line for line in lines]


def fusion(resources: list[RecordedResource]) -> dict[str, RecordedResource]:
    """By type and name, the types without their package."""
    found = [r for r in resources if r.type.startswith("dp-cdap:")]
    return {name.removeprefix("dp-cdap:datafusion:"): r for name, r in by_name(found).items()}


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return record(project(tmp_path_factory.mktemp("objects") / "p"), "dev")


def test_every_file_but_the_draft_is_a_resource(resources: list[RecordedResource]) -> None:
    assert set(fusion(resources)) == {
        "Artifact::sales/driver/1.0.0",
        "Connection::sales/lake",
        "Namespace::sales",
        "Pipeline::sales/lines",
        "Pipeline::sales/orders",
        "Preferences::sales",
        "Preferences::sales/orders",
        "Profile::sales/big",
        "Profile::system/huge",
        "RuntimeArguments::sales/orders",
        "Schedule::sales/lines/after orders",
        "Schedule::sales/orders/dataPipelineSchedule",
        "SecureKey::sales/db",
    }


def test_values_of_the_environment_stand_where_they_belong(resources: list[RecordedResource]) -> None:
    found = fusion(resources)
    config: Any = found["Pipeline::sales/orders"].inputs["config"]
    assert config["stages"]["Read"]["plugin"]["properties"] == {
        "name": "orders_dev",
        "path": "${bucket}/${day}",
        "password": "${secure(db)}",
    }
    assert found["Preferences::sales"].inputs["preferences"] == {
        "bucket": "gs://acme-data-dev-dev-landing/in",
        "system.profile.name": "USER:big",
    }
    assert found["Preferences::sales/orders"].inputs["preferences"] == {"a": "big"}


def test_a_schedule_is_whole_and_says_whether_it_runs(resources: list[RecordedResource]) -> None:
    schedule = fusion(resources)["Schedule::sales/orders/dataPipelineSchedule"].inputs
    assert schedule["status"] == "SCHEDULED"
    whole: Any = schedule["schedule"]
    assert whole["trigger"] == {"type": "TIME", "cronExpression": "0 1 */1 * *"}
    assert whole["program"] == {"programName": "DataPipelineWorkflow", "programType": "WORKFLOW"}


def test_each_waits_for_what_it_needs(resources: list[RecordedResource]) -> None:
    found = fusion(resources)
    names = {r.urn: name for name, r in found.items()}

    def waits(name: str) -> set[str]:
        return {names[urn] for urn in found[name].dependencies if urn in names}

    space = "Namespace::sales"
    assert waits("Profile::sales/big") == waits("Artifact::sales/driver/1.0.0") == {space}
    assert waits("SecureKey::sales/db") == {space}
    assert waits("Preferences::sales") == {space, "Profile::sales/big", "Profile::system/huge"}
    assert waits("Connection::sales/lake") == {space, "Artifact::sales/driver/1.0.0", "SecureKey::sales/db"}
    assert waits("Pipeline::sales/orders") == {
        space,
        "Artifact::sales/driver/1.0.0",
        "Connection::sales/lake",
        "Preferences::sales",
        "Profile::sales/big",
        "Profile::system/huge",
        "SecureKey::sales/db",
    }
    assert waits("Preferences::sales/orders") == waits("RuntimeArguments::sales/orders") == {"Pipeline::sales/orders"}
    assert waits("Schedule::sales/lines/after orders") == {"Pipeline::sales/lines", "Pipeline::sales/orders"}
    (instance,) = of_type(resources, "gcp:datafusion/instance:Instance")
    assert all(instance.urn in r.dependencies for r in found.values())


def test_namespaces_and_pipelines_are_protected_as_the_stack_says(resources: list[RecordedResource]) -> None:
    protected = {name.partition("::")[0] for name, r in fusion(resources).items() if r.protect}
    assert protected == {"Namespace", "Pipeline"}


def test_values_of_secure_keys_are_secret_and_jars_are_named_from_the_project(
    resources: list[RecordedResource],
) -> None:
    found = fusion(resources)
    assert found["SecureKey::sales/db"].secrets == ("value",)
    artifact = found["Artifact::sales/driver/1.0.0"].inputs
    assert artifact["jar"] == "pipelines/data_fusion/sales/artifacts/driver@1.0.0.jar"
    assert re.fullmatch("[0-9a-f]{64}", str(artifact["digest"]))


def test_only_the_namespaces_that_are_named_are_brought(tmp_path: Path) -> None:
    other = normalise.namespace({"name": "other"})
    root = project(
        tmp_path / "p",
        STACK.replace("        deploy:\n", "        deploy:\n          namespaces: [sales]\n"),
        **{"other/namespace.json": other},
    )
    found = read_objects(root, load_stack(root, "dev"))
    assert {key.namespace for key in found.export} == {"sales"}
    assert normalised(Kind.NAMESPACE, {"name": "sales", "description": "Sales"}) in found.export.values()


def without(name: str) -> Json:
    body = copy.deepcopy(orders())
    body["config"]["stages"][0]["plugin"]["properties"]["path"] = name
    return body


@pytest.mark.parametrize(
    ("stack", "changed", "expected"),
    [
        (
            ("[day]", "[dya]"),
            {"sales/runtime_arguments/orders.json": None},
            "sales/pipelines/orders.json:1:571: error: pipeline sales/orders uses the macro ${day}",
        ),
        (("{db: db_password}", "{dx: db_password}"), {}, "uses the secure key 'db', which the stack does not give"),
        (
            ("db: db_password}}\n    pip", "db: db_pasword}}\n    pip"),
            {},
            "the stack has no secret 'db_pasword'; did you",
        ),
        (("{sales: {db", "{sale: {db"), {}, "the stack brings no namespace 'sale'; did you mean 'sales'?"),
        (("mapping.dev.yaml", "mapping.dve.yaml"), {}, "the Data Fusion folder has no file mapping.dve.yaml; did you"),
        (("$bucket:landing", "$bucket:landed"), {}, "platform.gcp.data_fusion.deploy.values.bucket: "),
        (
            ("deploy:\n", "deploy:\n          namespaces: [sales, sels]\n"),
            {},
            "the folder has no namespace 'sels'; did",
        ),
        (("edition: enterprise", "edition: basic"), {}, "the basic edition has the namespace default alone"),
        (("    pipelines: {directory: pipelines}\n", ""), {}, "the stack has no pipelines to bring; add pipelines"),
        (
            (),
            {"sales/pipelines/orders.json": without("${month}")},
            "uses the macro ${month}, which nothing gives a value",
        ),
        (
            (),
            {"sales/schedules/x@y.json": {"pipeline": "x", "name": "y"}},
            "belongs to a pipeline that has no file; add",
        ),
        ((), {"sales/artifacts/a@1.json": {"name": "a", "version": "1"}}, "put a@1.jar there [DP606]"),
        (
            (),
            {"sales/schedules/orders@dataPipelineSchedule.json": {"pipeline": "orders", "name": "x", "status": "ON"}},
            "'ON' is no status of a schedule; write SCHEDULED or SUSPENDED [DP608]",
        ),
        ((), {"sales-eu/namespace.json": {"name": "sales-eu"}}, "'sales-eu' is no name of a namespace; use letters"),
        ((), {"mapping.dev.yaml": "version: 2\n"}, "mapping.dev.yaml:1:10: error: "),
        (
            ("version: 6.11.1", "version: 6.10.1"),
            {},
            "is made for CDAP 6.11.0, and the instance has 6.10.1; raise version",
        ),
        ((), {"sales/pipelines/orders.json": "{"}, "sales/pipelines/orders.json:1:"),
    ],
)
def test_mistakes_are_told_before_anything_is_registered(
    tmp_path: Path, stack: tuple[str, str] | tuple[()], changed: dict[str, Any], expected: str
) -> None:
    assert not stack or stack[0] in STACK
    root = project(tmp_path / "p", STACK.replace(*stack) if stack else STACK, **changed)
    lines = told(root)
    assert any(expected in line for line in lines), "\n".join(lines)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    folder = root / "pipelines" / "data_fusion"
    folder.rename(tmp_path / "away")
    (line,) = [line for line in told(root) if "DP608" in line]
    assert "there is no folder" in line


def test_a_stack_that_says_nothing_brings_nothing(tmp_path: Path) -> None:
    root = project(tmp_path / "p", STACK.replace(DEPLOY, ""))
    assert not [line for line in told(root) if "DP6" in line]


def test_the_namespace_default_needs_no_file_and_is_not_made(tmp_path: Path) -> None:
    changed: dict[str, Any] = dict.fromkeys(FILES)
    changed["default/pipelines/lines.json"] = FILES["sales/pipelines/lines.json"]
    deploy = "        deploy: {}\n"
    root = project(
        tmp_path / "p", STACK.replace(DEPLOY, deploy).replace("edition: enterprise", "edition: basic"), **changed
    )
    assert told(root) == []
    assert set(fusion(record(root, "dev"))) == {"Pipeline::default/lines"}
