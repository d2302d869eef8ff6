"""A Data Factory in a stack: what its program registers, and what of it is refused before anything happens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from components.azure.roles import ROLES
from dataplatform.config.platform import Azure
from dataplatform.diagnostics import Diagnostics
from dataplatform.local.plan_recorder import UNKNOWN_MARKER, RecordedResource, record
from infra.data_factory_files import known_references
from infra.decide import check_stacks, decide
from localcloud.rules import check
from localcloud.rules.wire import UNKNOWN
from localcloud.services.data_factory import as_sent
from tests.azure.data_factory.support import CORPUS
from tests.azure.stacks import AZURE, DATABRICKS, SUBSCRIPTION, TENANT, write_files, write_stack
from tests.infra.inventory import ancestors, of_type
from tests.infra.test_component_examples import PAGES, registered

FACTORY = "azure-native:datafactory:Factory"
GENERIC = "azure-native:resources:Resource"
ROLE = "azure-native:authorization:RoleAssignment"
TRIGGER = "dp-azure:datafactory:Trigger"

WHOLE = (
    DATABRICKS
    + """\
      data_factory:
        directory: adf
        release: "2026.11.1"
        commit: 0123abc
        identities: [$etl]
        managed_virtual_network: true
        patches:
          - {linked_service: Ls_AdlsGen2_01, property: typeProperties.url, value: $lake:url}
          - {linked_service: Ls_AdlsGen2_01, property: typeProperties.accountKey.secretName, value: storageAccount}
          - {linked_service: Ls_KeyVault, property: typeProperties.baseUrl, value: $key_vault:url}
          - linked_service: Ls_AzureSQLDW_01
            property: typeProperties.connectionString.secretName
            value: LakeEndpoint
          - pipeline: P_Ingest_MelbParkingData
            activity: StandardizeData
            property: typeProperties.notebookPath
            value: $notebook:etl/02_standardize
          - pipeline: P_Ingest_MelbParkingData
            activity: StandardizeData
            property: typeProperties.libraries[egg]
            value: {whl: "$library:acme_transform-1.4.0-py3-none-any.whl"}
        databricks:
          Ls_adb_01: {existing_cluster_id: $cluster:etl}
        triggers: {T_Sched: started}
        global_parameters: {environment: dev, identity: $identity:etl}
"""
)
SMALL = (
    AZURE
    + """\
      data_factory:
        directory: adf
        alert_on_failed_runs: false
        lake: read
        annotate: false
        encryption:
          vault: https://acme-keys.vault.azure.net/
          key: factory
          identity: $reports
        identities: [$reports, $etl]
        public_network_access: false
        patches:
          - {linked_service: Ls_KeyVault, property: typeProperties.baseUrl, value: https://other.vault.azure.net/}
"""
)
RICH = """\
      data_factory:
        directory: adf
        annotate: false
        patches:
          - {linked_service: Ls_Dbx, property: typeProperties.encryptedCredential, remove: true}
        global_parameters: {releaseId: none}
"""


def project(folder: Path, azure: str = WHOLE) -> Path:
    root = write_stack(write_files(folder), azure=azure)
    shutil.copytree(CORPUS, root / "adf")
    return root


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return record(project(tmp_path_factory.mktemp("factory")), "dev")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    return record(project(tmp_path_factory.mktemp("small"), SMALL), "dev")


def one(resources: list[RecordedResource], token: str) -> RecordedResource:
    (found,) = of_type(resources, token)
    return found


def artefact(resources: list[RecordedResource], name: str) -> Any:
    (found,) = [r for r in of_type(resources, GENERIC, TRIGGER) if name in r.inputs.values()]
    return found.inputs["properties"]


def own(resources: list[RecordedResource]) -> list[RecordedResource]:
    """What belongs to the factory's component."""
    (component,) = of_type(resources, "dp:azure:DataFactory")
    return [r for r in resources if r.parent == component.urn]


def roles(resources: list[RecordedResource]) -> dict[str, str]:
    named = {identifier: name for name, identifier in ROLES.items()}
    found = [r for r in own(resources) if r.type == ROLE]
    return {r.name: named[str(r.inputs["roleDefinitionId"]).rpartition("/")[2]] for r in found}


def test_the_factory_has_its_identity_names_and_marks(resources: list[RecordedResource]) -> None:
    inputs = one(resources, FACTORY).inputs
    assert inputs["factoryName"] == "acmedata-dev-adf"
    assert inputs["identity"] == {
        "type": "SystemAssigned,UserAssigned",
        "userAssignedIdentities": UNKNOWN_MARKER,
    }
    assert inputs["globalParameters"] == {
        "environment": {"type": "String", "value": "dev"},
        "identity": {"type": "String", "value": UNKNOWN_MARKER},
        "releaseId": {"type": "String", "value": "2026.11.1"},
        "gitCommit": {"type": "String", "value": "0123abc"},
    }
    assert artefact(resources, "Ls_KeyVault")["annotations"] == ["release:2026.11.1", "commit:0123abc"]


def test_its_identity_gets_what_its_artefacts_need_and_no_more(resources: list[RecordedResource]) -> None:
    assert roles(resources) == {
        "data-factory-databricks": "Contributor",
        "data-factory-lake": "Storage Blob Data Contributor",
        "data-factory-secret-lakeEndpoint": "Key Vault Secrets User",
        "data-factory-secret-storageAccount": "Key Vault Secrets User",
    }
    factory = one(resources, FACTORY)
    for role in of_type(own(resources), ROLE):
        assert factory.urn in role.dependencies
        assert role.inputs["principalType"] == "ServicePrincipal"


def test_patches_refer_to_what_the_stack_has(resources: list[RecordedResource]) -> None:
    activities = artefact(resources, "P_Ingest_MelbParkingData")["activities"]
    (notebook,) = [a for a in activities if a["name"] == "StandardizeData"]
    assert notebook["typeProperties"]["libraries"][0] == {
        "whl": "/Workspace/releases/2026.11.1/libs/acme_transform-1.4.0-py3-none-any.whl"
    }
    assert notebook["typeProperties"]["notebookPath"].endswith("/releases/2026.11.1/notebooks/etl/02_standardize")
    link = artefact(resources, "Ls_adb_01")["typeProperties"]
    assert link["authentication"] == "MSI"
    assert link["existingClusterId"] == UNKNOWN_MARKER
    assert "accessToken" not in link
    (pipeline,) = [r for r in of_type(resources, GENERIC) if r.inputs["resourceName"] == "P_Ingest_MelbParkingData"]
    waits = ancestors(pipeline, resources)
    notebooks = [r for r in resources if r.type.endswith(":Notebook") or r.type.endswith(":WorkspaceFile")]
    assert notebooks
    assert {r.urn for r in notebooks} <= waits, "a run would not find what it runs"


def test_a_trigger_starts_after_all_that_its_runs_need(resources: list[RecordedResource]) -> None:
    trigger = one(resources, TRIGGER)
    assert trigger.inputs["active"] is True
    assert {r.urn for r in own(resources) if r.type == ROLE} <= ancestors(trigger, resources)


def test_a_managed_network_is_made_and_kept(resources: list[RecordedResource]) -> None:
    (network,) = [r for r in of_type(resources, GENERIC) if r.inputs["resourceType"] == "managedVirtualNetworks"]
    assert network.inputs["resourceName"] == "default"
    assert network.retain_on_delete
    others = [r for r in of_type(resources, GENERIC) if r is not network]
    assert not any(r.retain_on_delete for r in others)


def test_one_failed_run_tells_the_action_group_and_all_are_logged(resources: list[RecordedResource]) -> None:
    alert: Any = one(resources, "azure-native:monitor:MetricAlert").inputs
    (criterion,) = alert["criteria"]["allOf"]
    assert (criterion["metricName"], criterion["operator"], criterion["threshold"]) == (
        "PipelineFailedRuns",
        "GreaterThan",
        0,
    )
    assert alert["location"] == "global"
    settings = {r.name: r.inputs for r in of_type(resources, "azure-native:monitor:DiagnosticSetting")}
    assert settings["data-factory-logs"]["logAnalyticsDestinationType"] == "Dedicated"
    assert "logAnalyticsDestinationType" not in settings["azure-vault-logs"]


def test_what_a_stack_says_otherwise(small: list[RecordedResource]) -> None:
    inputs: Any = one(small, FACTORY).inputs
    assert inputs["publicNetworkAccess"] == "Disabled"
    assert inputs["encryption"]["keyName"] == "factory"
    assert inputs["encryption"]["identity"] == {"userAssignedIdentity": UNKNOWN_MARKER}
    assert "globalParameters" not in inputs or inputs["globalParameters"] == {}
    assert not of_type(small, "azure-native:monitor:MetricAlert")
    # The vault is another one, so no secret of ours is read.
    assert roles(small) == {"data-factory-lake": "Storage Blob Data Reader"}
    assert one(small, TRIGGER).inputs["active"] is False


def test_inputs_are_what_the_provider_takes(resources: list[RecordedResource]) -> None:
    for resource in own(resources):
        if resource.type.startswith("azure-native:"):
            result = check(resource.type, _wire(dict(resource.inputs)))
            assert [(resource.name, f.property, f.reason) for f in result.failures] == []


def _wire(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _wire(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_wire(item) for item in value]
    return UNKNOWN if value == UNKNOWN_MARKER else value


def test_every_key_of_any_artefact_is_handed_to_the_provider(tmp_path: Path) -> None:
    """The SDK translates names of its own arguments; names inside a body are the user's."""
    root = write_stack(tmp_path, azure=AZURE + RICH)
    shutil.copytree(CORPUS.parent / "rich", root / "adf")
    odd = {
        "resource_group_name": "a", "apiVersion": "b", "snake_case": {"parent_resource_path": [{"type_": 1}]},
        "Pascal": {"a.b": 1, "": "empty", "$dollar": "$$", "ü": "ö", "__type": "x", "urn": "urn:x", "id": "1"},
        "numbers": [0, -1, 1.5, 9007199254740992, 1e20], "flags": [True, False], "list": [[], [[]], {}],
    }  # fmt: skip
    activity = {"name": "odd", "type": "Wait", "dependsOn": [], "typeProperties": {"waitTimeInSeconds": 1, **odd}}
    pipeline = {"name": "P_Odd", "properties": {"activities": [activity]}}
    (root / "adf/pipeline/P_Odd.json").write_text(json.dumps(pipeline), "utf-8")
    found = record(root, "dev")
    sources = {
        file.stem: json.loads(file.read_text("utf-8"))["properties"]
        for file in (root / "adf").rglob("*.json")
        if file.parent.name not in ("factory", "adf")
    }
    for source in sources.values():
        source.pop("runtimeState", None)
    del sources["Ls_Dbx"]["typeProperties"]["encryptedCredential"]
    sent = {
        str(r.inputs.get("triggerName") or r.inputs["resourceName"]): r.inputs["properties"]
        for r in of_type(found, GENERIC, TRIGGER)
    }
    assert sent.keys() == sources.keys()
    for name, source in sources.items():
        assert json.dumps(sent[name], sort_keys=True) == json.dumps(as_sent(source), sort_keys=True), name


def test_the_example_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registered(PAGES / "data_factory.md", monkeypatch)
    kinds = {r.type.rpartition(":")[2] for r in found if r.custom and not r.type.startswith("pulumi:")}
    assert kinds == {"Factory", "Resource", "Trigger", "RoleAssignment", "DiagnosticSetting", "MetricAlert"}
    for resource in found:
        if resource.type.startswith("azure-native:"):
            assert not check(resource.type, _wire(dict(resource.inputs))).failures, resource.name


def test_every_reference_that_is_known_has_something_that_stands_for_it(tmp_path: Path) -> None:
    decided = decide(project(tmp_path), "dev")
    azure = decided.loaded.platform.azure
    assert azure is not None
    names = known_references(azure, decided.databricks.notebooks, decided.databricks.libraries)
    assert len(names) > 15
    patches = [
        f"          - {{pipeline: P_Ingest_MelbParkingData, property: p{i}, value: {json.dumps(name)}, add: true}}"
        for i, name in enumerate(sorted(names))
    ]
    head = DATABRICKS + "      data_factory:\n        directory: adf\n        patches:\n"
    found = record(project(tmp_path / "all", head + "\n".join(patches) + "\n"), "dev")
    pipeline = artefact(found, "P_Ingest_MelbParkingData")
    told = {name: pipeline[f"p{i}"] for i, name in enumerate(sorted(names))}
    assert all(told.values())
    assert told["$azure:subscription"] == SUBSCRIPTION
    assert told["$azure:tenant"] == TENANT
    assert told["$azure:resource_group"] == "acmedata-dev"
    bare = Azure.model_validate(
        {"subscription": SUBSCRIPTION, "tenant": TENANT, "location": "westeurope", "prefix": "acme"}
    )
    assert {name.partition(":")[0] for name in known_references(bare)} == {"$azure"}


def problems(folder: Path, *changes: tuple[str, str], azure: str = WHOLE) -> Diagnostics:
    for old, new in changes:
        assert old in azure, old
        azure = azure.replace(old, new, 1)
    return check_stacks(project(folder, azure), ["dev"])


def errors(found: Diagnostics) -> list[str]:
    return [item.headline() for item in found.sorted() if item.severity == "error"]


def test_the_whole_has_warnings_alone(tmp_path: Path) -> None:
    found = problems(tmp_path)
    assert not found
    assert {item.code for item in found.items} == {"DP521", "DP527"}
    assert found.render().endswith(" warnings")


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("value: $lake:url", "value: $lake:uri", "DP542", "did you mean '$lake:url'?"),
        ("$notebook:etl/02_standardize", "$notebook:02_standardize", "DP542", "'$notebook:etl/02_standardize'"),
        ("$cluster:etl", "$cluster:elt", "DP542", "did you mean '$cluster:etl'?"),
        ("value: LakeEndpoint", "value: LakeEndpont", "DP545", "did you mean 'lakeEndpoint'?"),
        ("identities: [$etl]", "identities: [$elt]", "DP218", "did you mean '$etl'?"),
        ("identities: [$etl]", "identities: [$etl, $etl]", "DP250", "stands here twice"),
        ("directory: adf", "directory: afd", "DP501", "does not exist"),
        ("T_Sched: started", "T_Shed: started", "DP543", "did you mean 'T_Sched'?"),
        ("commit: 0123abc", "commit: main", "DP124", "commit"),
        ("      data_factory:\n", "      data_factory:\n        name: adf_acme\n", "DP124", "single hyphens"),
        ("      data_factory:\n", "      data_factory:\n        start: now\n", "DP120", "unknown key 'start'"),
        (
            "        identities: [$etl]\n",
            "        encryption: {vault: https://a-keys.vault.azure.net, key: k, identity: $etl}\n",
            "DP218",
            "none of the factory's identities",
        ),
    ],
)
def test_what_is_refused_before_anything_happens(tmp_path: Path, old: str, new: str, code: str, words: str) -> None:
    told = errors(problems(tmp_path, (old, new)))
    assert any(words in line and f"[{code}]" in line for line in told), told


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    (root / "adf/pipeline").rename(tmp_path / "elsewhere")
    (root / "adf/pipeline").symlink_to(tmp_path / "elsewhere")
    told = errors(check_stacks(root, ["dev"]))
    assert any("adf/pipeline:1:1: error: a link; put the folder itself here [DP502]" in line for line in told), told
    (root / "adf").rename(tmp_path / "adf")
    (root / "adf").symlink_to(tmp_path / "adf")
    told = errors(check_stacks(root, ["dev"]))
    assert any("leads out of the project" in line for line in told), told


def test_a_factory_without_a_lake(tmp_path: Path) -> None:
    head = AZURE.partition("      lake:\n")[0]
    text = head + "      data_factory:\n        directory: adf\n        lake: write\n"
    told = errors(check_stacks(project(tmp_path, text), ["dev"]))
    assert any("has no lake that the factory could use" in line for line in told), told
