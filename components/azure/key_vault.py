"""A Key Vault with role-based access control, and the secrets the stack declares.

Deliberately absent: access policies. They and role-based access exclude each other, and inline ones wipe what others
added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import keyvault

from components.azure.identities import Principal
from components.azure.monitoring import send_logs
from components.azure.purged_vault import PurgedVault
from components.azure.roles import assign
from components.azure.tags import Tags
from dataplatform.config.azure.key_vault import KeyVault as KeyVaultConfig


@dataclass(frozen=True, kw_only=True)
class KeyVaultArgs:
    """The vault, its secrets and who may read them."""

    config: KeyVaultConfig
    subscription: str
    tenant: str
    resource_group: pulumi.Input[str]
    location: str
    vault_name: str
    """Physical name, from infra.azure_names."""
    values: Mapping[str, pulumi.Input[str]]
    """Value of each secret, by name."""
    principals: Mapping[str, Principal]
    """By how the stack file calls them: `$<identity>` or an object id."""
    workspace_id: pulumi.Input[str] | None
    """Log Analytics workspace that every read is logged to."""
    tags: Tags
    protect: bool


class KeyVault(pulumi.ComponentResource):
    """One vault."""

    vault_id: pulumi.Output[str]
    vault_uri: pulumi.Output[str]
    secret_ids: Mapping[str, pulumi.Output[str]]
    """URI without version of each secret, by name: what another service is given to read it."""
    secret_scopes: Mapping[str, pulumi.Output[str]]
    """Resource id of each secret, by name: what a role on it is for."""

    def __init__(self, name: str, args: KeyVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:KeyVault", name, {}, opts)
        config = args.config
        # What a thing depends on is destroyed after it: the vault is deleted first, and then purged.
        purged = (
            PurgedVault(
                f"{name}-purged",
                subscription=args.subscription,
                resource_group=args.resource_group,
                location=args.location,
                vault_name=args.vault_name,
                opts=pulumi.ResourceOptions(parent=self),
            )
            if config.purge_on_destroy
            else None
        )
        vault = keyvault.Vault(
            f"{name}-vault",
            resource_group_name=args.resource_group,
            vault_name=args.vault_name,
            location=args.location,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=args.tenant,
                sku=keyvault.SkuArgs(family="A", name=keyvault.SkuName(config.sku)),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=config.soft_delete_days,
                # Azure refuses an explicit false, also for a new vault: off is left out.
                enable_purge_protection=True if config.purge_protection else None,
                create_mode=keyvault.CreateMode.RECOVER if config.recover else None,
                public_network_access="enabled" if config.public_network else "disabled",
                network_acls=keyvault.NetworkRuleSetArgs(
                    default_action="Allow" if config.public_network and not config.allowed_ips else "Deny",
                    bypass="AzureServices",
                    ip_rules=[keyvault.IPRuleArgs(value=ip) for ip in sorted(config.allowed_ips)],
                ),
            ),
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=[purged] if purged is not None else None
            ),
        )
        secrets = {
            key: keyvault.Secret(
                f"{name}-{key}",
                resource_group_name=args.resource_group,
                vault_name=vault.name,
                secret_name=key,
                # The provider does not mark the value: without this it would be in the state in plain text.
                properties=keyvault.SecretPropertiesArgs(
                    value=pulumi.Output.secret(args.values[key]), content_type=secret.content_type
                ),
                tags=args.tags.as_dict(),
                opts=pulumi.ResourceOptions(
                    parent=self, protect=args.protect, additional_secret_outputs=["properties.value"]
                ),
            )
            for key, secret in sorted(config.secrets.items())
        }
        for key, secret in sorted(config.secrets.items()):
            for reader in sorted(set(secret.readers)):
                assign(
                    f"{name}-{key}-reader-{reader.removeprefix('$')}",
                    parent=self,
                    # One secret, not the vault: a reader of one is no reader of all.
                    scope=secrets[key].id,
                    scope_name=f"{args.vault_name}/{key}",
                    role="Key Vault Secrets User",
                    principal_id=args.principals[reader].object_id,
                    principal=args.principals[reader].name,
                    subscription=args.subscription,
                )
        if args.workspace_id is not None:
            send_logs(f"{name}-logs", parent=self, resource_id=vault.id, workspace_id=args.workspace_id)
        self.vault_id = vault.id
        self.vault_uri = pulumi.Output.concat("https://", vault.name, ".vault.azure.net/")
        self.secret_ids = {
            key: pulumi.Output.concat("https://", vault.name, ".vault.azure.net/secrets/", secret.name)
            for key, secret in secrets.items()
        }
        self.secret_scopes = {key: secret.id for key, secret in secrets.items()}
        self.register_outputs({"vault_uri": self.vault_uri, "secret_ids": dict(self.secret_ids)})
