"""The vault of a stack, and where the values of its secrets come from."""

from __future__ import annotations

import pulumi

from components.azure.key_vault import KeyVault, KeyVaultArgs
from dataplatform.config.azure.key_vault import VaultSecret
from infra.azure.composition import Composition
from infra.azure.network import connect


def key_vault(c: Composition) -> None:
    """The vault and its secrets."""
    config = c.azure.key_vault
    if config is None:
        return
    assert c.names.vault is not None
    made = KeyVault(
        "azure-vault",
        KeyVaultArgs(
            config=config,
            subscription=c.azure.subscription,
            tenant=c.azure.tenant,
            resource_group=c.group,
            location=c.azure.location,
            vault_name=c.names.vault,
            values={name: _value(c, name, secret) for name, secret in config.secrets.items()},
            principals=c.known_principals(who for secret in config.secrets.values() for who in secret.readers),
            workspace_id=c.workspace_id,
            tags=c.tags,
            protect=c.protect,
        ),
        c.opts,
    )
    c.vault = made
    connect(c, "key_vault", made.vault_id)
    c.outputs |= {"vault_id": made.vault_id, "vault_uri": made.vault_uri, "vault_secrets": dict(made.secret_ids)}


def _value(c: Composition, name: str, secret: VaultSecret) -> pulumi.Input[str]:
    match secret.source:
        case "config":
            return c.args.secret_values[name]
        case "lake_account" | "lake_dfs_endpoint":
            assert c.lake is not None, "a secret of the lake in a stack without one"
            return c.lake.account_name if secret.source == "lake_account" else c.lake.dfs_endpoint
        case "vault_uri":
            return f"https://{c.names.vault}.vault.azure.net/"
        case "subscription":
            return c.azure.subscription
        case "tenant":
            return c.azure.tenant
        case "resource_group":
            return c.names.group
