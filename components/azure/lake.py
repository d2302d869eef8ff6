"""The lake: an Azure Data Lake Storage Gen2 account, closed to keys and to the public, and its filesystems.

A filesystem is a blob container of an account with hierarchical namespace, so it needs no call to the data plane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import storage

from components.azure.identities import Principal
from components.azure.monitoring import send_logs
from components.azure.roles import assign
from components.azure.tags import Tags
from dataplatform.config.azure.lake import AzureLake, AzureLifecycleRule


@dataclass(frozen=True, kw_only=True)
class LakeArgs:
    """The account and who may use it."""

    config: AzureLake
    subscription: str
    resource_group: pulumi.Input[str]
    location: str
    account_name: str
    """Physical name, from infra.azure_names."""
    principals: Mapping[str, Principal]
    """By how the stack file calls them: `$<identity>` or an object id."""
    workspace_id: pulumi.Input[str] | None
    """Log Analytics workspace that reads, writes and deletes are logged to."""
    tags: Tags
    protect: bool


class Lake(pulumi.ComponentResource):
    """The lake on Azure."""

    account_name: pulumi.Output[str]
    account_id: pulumi.Output[str]
    dfs_endpoint: pulumi.Output[str]
    """`https://<account>.dfs.core.windows.net/`."""
    filesystem_ids: Mapping[str, pulumi.Output[str]]
    """Resource id of each filesystem: what a role on it is for."""
    containers: Mapping[str, storage.BlobContainer]
    """The filesystems themselves."""
    grants: Sequence[pulumi.Resource]
    """Roles on them: what writes into one waits for these."""
    filesystems: Mapping[str, pulumi.Output[str]]
    """`abfss://<filesystem>@<account>.dfs.core.windows.net` by name; known once the filesystem exists."""

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:Lake", name, {}, opts)
        config = args.config
        account = storage.StorageAccount(
            f"{name}-account",
            resource_group_name=args.resource_group,
            account_name=args.account_name,
            location=args.location,
            kind="StorageV2",
            sku=storage.SkuArgs(name=f"Standard_{config.replication}"),
            is_hns_enabled=True,
            enable_https_traffic_only=True,
            minimum_tls_version="TLS1_2",
            allow_blob_public_access=False,
            allow_shared_key_access=config.shared_keys,
            allow_cross_tenant_replication=False,
            default_to_o_auth_authentication=True,
            public_network_access="Enabled" if config.public_network else "Disabled",
            network_rule_set=storage.NetworkRuleSetArgs(
                default_action=storage.DefaultAction.ALLOW
                if config.public_network and not config.allowed_ips
                else storage.DefaultAction.DENY,
                bypass="AzureServices",
                ip_rules=[storage.IPRuleArgs(i_p_address_or_range=ip) for ip in sorted(config.allowed_ips)],
            ),
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        storage.BlobServiceProperties(
            f"{name}-blobs",
            resource_group_name=args.resource_group,
            account_name=account.name,
            blob_services_name="default",
            delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=config.soft_delete_days),
            container_delete_retention_policy=storage.DeleteRetentionPolicyArgs(
                enabled=True, days=config.soft_delete_days
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        containers = {
            key: storage.BlobContainer(
                f"{name}-{key}",
                resource_group_name=args.resource_group,
                account_name=account.name,
                container_name=key,
                public_access=storage.PublicAccess.NONE,
                opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
            )
            for key in sorted(config.filesystems)
        }
        self._lifecycle(name, args, account)
        self.grants = self._grants(name, args, containers)
        self.containers = containers
        if args.workspace_id is not None:
            send_logs(
                f"{name}-metrics",
                parent=self,
                resource_id=account.id,
                workspace_id=args.workspace_id,
                logs=False,
            )
            send_logs(
                f"{name}-logs",
                parent=self,
                resource_id=pulumi.Output.concat(account.id, "/blobServices/default"),
                workspace_id=args.workspace_id,
            )
        self.account_name = account.name
        self.account_id = account.id
        self.dfs_endpoint = account.primary_endpoints.apply(lambda endpoints: endpoints.dfs)
        self.filesystems = {
            key: pulumi.Output.concat("abfss://", container.name, "@", account.name, ".dfs.core.windows.net")
            for key, container in containers.items()
        }
        self.filesystem_ids = {key: container.id for key, container in containers.items()}
        self.register_outputs({"account_name": self.account_name, "filesystems": dict(self.filesystems)})

    def _lifecycle(self, name: str, args: LakeArgs, account: storage.StorageAccount) -> None:
        rules = [
            _rule(filesystem, key, rule)
            for filesystem, config in sorted(args.config.filesystems.items())
            for key, rule in sorted(config.lifecycle.items())
        ]
        if rules:
            storage.ManagementPolicy(
                f"{name}-lifecycle",
                resource_group_name=args.resource_group,
                account_name=account.name,
                management_policy_name="default",
                policy=storage.ManagementPolicySchemaArgs(rules=rules),
                opts=pulumi.ResourceOptions(parent=self),
            )

    def _grants(
        self, name: str, args: LakeArgs, containers: Mapping[str, storage.BlobContainer]
    ) -> list[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        roles = {"readers": "Storage Blob Data Reader", "writers": "Storage Blob Data Contributor"}
        for key, container in containers.items():
            for who, role in roles.items():
                for principal in sorted(set(getattr(args.config.filesystems[key], who))):
                    one = assign(
                        f"{name}-{key}-{who}-{principal.removeprefix('$')}",
                        parent=self,
                        scope=container.id,
                        scope_name=f"{args.account_name}/{key}",
                        role=role,
                        principal_id=args.principals[principal].object_id,
                        principal=args.principals[principal].name,
                        subscription=args.subscription,
                    )
                    made.append(one)
        return made


def _rule(filesystem: str, name: str, rule: AzureLifecycleRule) -> storage.ManagementPolicyRuleArgs:
    after = storage.DateAfterModificationArgs(days_after_modification_greater_than=rule.age_days)
    return storage.ManagementPolicyRuleArgs(
        name=f"{filesystem}-{name}",
        type="Lifecycle",
        enabled=True,
        definition=storage.ManagementPolicyDefinitionArgs(
            actions=storage.ManagementPolicyActionArgs(
                base_blob=storage.ManagementPolicyBaseBlobArgs(
                    delete=after if rule.action == "delete" else None,
                    tier_to_cool=after if rule.action == "cool" else None,
                    tier_to_cold=after if rule.action == "cold" else None,
                    tier_to_archive=after if rule.action == "archive" else None,
                )
            ),
            filters=storage.ManagementPolicyFilterArgs(
                blob_types=["blockBlob"], prefix_match=[f"{filesystem}/{rule.prefix}" if rule.prefix else filesystem]
            ),
        ),
    )
