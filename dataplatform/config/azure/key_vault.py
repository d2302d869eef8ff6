"""Azure Key Vault and the registry of its secrets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from dataplatform.config.model import Model

VaultSecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,126}$")]
"""Name of a secret in a vault: letters, digits and hyphens."""


class VaultSecret(Model):
    """One secret of the vault: declared once, here; what refers to another name is an error."""

    source: Literal[
        "config", "lake_account", "lake_dfs_endpoint", "vault_uri", "subscription", "tenant", "resource_group"
    ] = "config"
    """Where its value comes from. `config`: the stack's secure configuration key of the same name. The others are
    values that no one has to write down, because the stack knows them."""
    content_type: Annotated[str, Field(max_length=255)] = "text/plain"
    readers: list[str] = []
    """Principals that may read it: `$<name>` of `azure.identities`, or an object id."""


class KeyVault(Model):
    """A vault with Azure role-based access control; access policies are not used."""

    sku: Literal["standard", "premium"] = "standard"
    purge_protection: bool
    """Cannot be taken back, and a destroyed vault's name stays taken for `soft_delete_days`: every stack says it."""
    soft_delete_days: Annotated[int, Field(ge=7, le=90)] = 90
    purge_on_destroy: bool = False
    """Purge the vault when the stack is destroyed, so that its name is free at once and its secrets are gone for good.
    Not with purge protection."""
    recover: bool = False
    """The name is that of a deleted vault: bring it back, with what was in it, instead of making a new one."""
    generation: Annotated[int, Field(ge=1, le=999)] = 1
    """Part of the vault's name from 2 on: a new name where that of a deleted vault is still taken."""
    public_network: bool = True
    allowed_ips: list[Annotated[str, Field(min_length=7, max_length=18)]] = []
    secrets: dict[VaultSecretName, VaultSecret] = {}
