"""The Databricks workspace of a stack, and what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.azure.databricks import Databricks, DatabricksArgs, Injected
from components.azure.roles import assign
from dataplatform.config.azure.databricks import Databricks as DatabricksConfig
from infra.azure.composition import Composition
from infra.azure.network import connect

if TYPE_CHECKING:
    from components.azure.databricks_assets import DatabricksAssets


def databricks(c: Composition) -> None:
    """The workspace, its catalog and its contents, in one go: the provider waits for the workspace."""
    config = c.azure.databricks
    if config is None:
        return
    assert c.names.databricks is not None
    made = Databricks(
        "azure-databricks",
        DatabricksArgs(
            config=config,
            subscription=c.azure.subscription,
            resource_group=c.group,
            group_name=c.names.group,
            location=c.azure.location,
            workspace_name=c.names.databricks,
            connector_name=c.names.connector,
            lake_id=c.lake.account_id if c.lake is not None else None,
            lake_name=c.names.lake or "",
            workspace_id=c.workspace_id,
            injected=_injected(c),
            tags=c.tags,
            protect=c.protect,
        ),
        c.opts,
    )
    c.databricks = made
    reached = connect(c, "databricks", made.workspace.id)
    c.outputs["databricks_host"] = made.host
    # Its SDK takes two seconds to import, so only a stack that has a workspace waits for it.
    from pulumi_databricks import Provider

    from components.azure.databricks_assets import DatabricksAssets, DatabricksAssetsArgs
    from components.azure.databricks_jobs import DatabricksJobs, DatabricksJobsArgs
    from components.azure.unity_catalog import UnityCatalog, UnityCatalogArgs

    provider = Provider(
        "databricks",
        host=made.host,
        azure_workspace_resource_id=made.workspace.id,
        azure_tenant_id=c.azure.tenant,
        # A private workspace answers nobody before its endpoints do.
        opts=pulumi.ResourceOptions(depends_on=[made.workspace, *reached]),
    )
    opts = pulumi.ResourceOptions(providers={"databricks": provider, "azure-native": c.provider})
    if config.unity_catalog is not None:
        assert c.lake is not None, "a catalog in a stack without a lake"
        catalog = UnityCatalog(
            "unity-catalog",
            UnityCatalogArgs(
                config=config.unity_catalog,
                catalog_name=c.names.catalog,
                connector_id=made.connector_id,
                workspace_number=made.number,
                filesystems=c.lake.filesystems,
                protect=c.protect,
                depends_on=[*made.reaches_lake, *c.lake_endpoints],
            ),
            opts,
        )
        c.outputs["catalog"] = catalog.catalog
    files = c.args.databricks
    assets = DatabricksAssets(
        "databricks-assets",
        DatabricksAssetsArgs(
            config=config,
            policies=files.policies,
            clusters=files.clusters,
            notebooks=files.notebooks,
            libraries=files.libraries,
            vault_id=c.vault.vault_id if c.vault is not None else None,
            vault_uri=c.vault.vault_uri if c.vault is not None else None,
            scopes_need=_reads_vault(c, made),
            tags=c.tags.as_dict(),
        ),
        opts,
    )
    c.assets = assets
    c.outputs |= {"clusters": dict(assets.clusters), "warehouses": dict(assets.warehouses)}
    _mounts(c, config, assets, opts)
    if config.jobs:
        jobs = DatabricksJobs(
            "databricks-jobs",
            DatabricksJobsArgs(
                config=config,
                clusters=assets.clusters,
                policies=assets.policies,
                job_clusters=files.job_clusters,
                notebooks=assets.notebooks,
                libraries=assets.libraries,
                tags=c.tags.as_dict(),
            ),
            opts,
        )
        c.outputs["databricks_jobs"] = dict(jobs.jobs)


def _mounts(c: Composition, config: DatabricksConfig, assets: DatabricksAssets, opts: pulumi.ResourceOptions) -> None:
    """The mounts of a stack that asks for them."""
    if not config.mounts:
        return
    from components.azure.databricks_mounts import LegacyMounts, LegacyMountsArgs

    assert c.lake is not None, "a mount in a stack without a lake"
    LegacyMounts(
        "databricks-mounts",
        LegacyMountsArgs(
            config=config.mounts,
            tenant=c.azure.tenant,
            account_name=c.lake.account_name,
            containers={key: container.name for key, container in c.lake.containers.items()},
            clusters=assets.clusters,
            # The scope, the principal's role on the files, and the way to them.
            depends_on=[assets, *c.lake.grants, *c.lake_endpoints],
        ),
        opts,
    )


def _injected(c: Composition) -> Injected | None:
    """Where the clusters are."""
    config = c.azure.databricks
    if config is None or config.network is None or c.network is None:
        return None
    return Injected(
        network_id=c.network.network_id,
        public_subnet=c.network.subnet_names[config.network.public_subnet],
        private_subnet=c.network.subnet_names[config.network.private_subnet],
    )


def _reads_vault(c: Composition, parent: pulumi.Resource) -> list[pulumi.Resource]:
    """A scope is read by the tenant's Databricks service principal, which the vault must let in."""
    config = c.azure.databricks
    if config is None or not config.secret_scopes or config.service_principal is None or c.vault is None:
        return []
    assert c.names.vault is not None
    return [
        assign(
            "azure-databricks-vault",
            parent=parent,
            scope=c.vault.vault_id,
            scope_name=c.names.vault,
            role="Key Vault Secrets User",
            principal_id=config.service_principal,
            principal=config.service_principal,
            subscription=c.azure.subscription,
        )
    ]
