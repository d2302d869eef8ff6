"""What a stack uses of the base stack: the data of integration tests, and the secrets of the vault for QA."""

from __future__ import annotations

from components.azure.roles import assign
from infra.azure.composition import Composition
from infra.shared import BaseOutputs


def base(c: Composition) -> None:
    """Read access for those named, and where to find it; nothing where the stack refers to no base."""
    config = c.azure.base
    if config is None:
        return
    outputs = BaseOutputs(config.stack)
    scopes = {
        "test-data": (outputs.entry("azure_filesystem_ids", config.test_data), "Storage Blob Data Reader"),
        "vault": (outputs.text("azure_vault_id"), "Key Vault Secrets User"),
    }
    for who, principal in c.known_principals(config.readers).items():
        for key, (scope, role) in scopes.items():
            assign(
                f"base-{key}-reader-{who.removeprefix('$')}",
                parent=c.group_component,
                scope=scope,
                # The assignment's own name must not wait for the base stack: its logical place is enough.
                scope_name=f"{config.stack}/{key}/{config.test_data}",
                role=role,
                principal_id=principal.object_id,
                principal=principal.name,
                subscription=c.azure.subscription,
            )
    c.outputs |= {
        "base_test_data": outputs.entry("azure_filesystems", config.test_data),
        "base_vault_uri": outputs.text("azure_vault_uri"),
    }
