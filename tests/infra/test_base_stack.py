"""The base stack as it is recorded, and a stack that uses it, where there is nobody to ask."""

from __future__ import annotations

from pathlib import Path

from dataplatform.local.plan_recorder import UNKNOWN_MARKER, record
from tests.infra.inventory import checkout, recorded

ASSIGNMENT = "azure-native:authorization:RoleAssignment"
ROLES = {
    "base-test-data-reader-etl": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "base-vault-reader-etl": "4633458b-17de-408a-b874-0445c86b69e6",
}


def test_a_plan_needs_no_base_stack() -> None:
    """`dp plan` has nobody to ask: what the base stack tells is not known."""
    found = {r.name: r.inputs for r in recorded("qa") if r.type == ASSIGNMENT and r.name in ROLES}
    assert found.keys() == ROLES.keys()
    for name, inputs in found.items():
        assert inputs["scope"] == UNKNOWN_MARKER
        assert str(inputs["roleDefinitionId"]).endswith(ROLES[name])


def test_the_base_holds_what_is_shared_and_nothing_of_an_environment(tmp_path: Path) -> None:
    root = checkout(tmp_path / "project")
    types = {r.type for r in record(root, "base") if r.custom}
    assert {
        "azure-native:resources:ResourceGroup",
        "azure-native:keyvault:Vault",
        "azure-native:storage:StorageAccount",
        "azure-native:storage:BlobContainer",
    } <= types
    assert not [name for name in types if "databricks" in name or "datafactory" in name or name.startswith("gcp:")]
