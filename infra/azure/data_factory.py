"""The Data Factory of a stack: what its patches refer to, and what its identity may reach."""

from __future__ import annotations

import pulumi

from components.azure.data_factory import DataFactory, DataFactoryArgs, FactoryRole
from dataplatform.compile.data_factory import Release, compile_factory
from dataplatform.config.data_factory.check import CheckedFactory
from infra.azure.composition import Composition

_LAKE_ROLES = {"read": "Storage Blob Data Reader", "write": "Storage Blob Data Contributor"}


def data_factory(c: Composition) -> None:
    """The factory and its artefacts, after all that they name."""
    config, checked = c.azure.data_factory, c.args.data_factory
    if config is None:
        return
    assert checked is not None
    assert c.names.factory is not None
    release = Release(id=config.release, commit=config.commit or "")
    identities = dict(c.identities.ids) if c.identities is not None else {}
    made = DataFactory(
        "data-factory",
        DataFactoryArgs(
            config=config,
            plan=compile_factory(checked, config, context=references(c), release=release),
            subscription=c.azure.subscription,
            resource_group=c.group,
            location=c.azure.location,
            factory_name=c.names.factory,
            identities={who: identities[who.removeprefix("$")] for who in config.identities},
            roles=_roles(c, checked),
            needs=[c.assets] if c.assets is not None else [],
            workspace_id=c.workspace_id,
            action_group_id=c.monitoring.action_group_id if c.monitoring is not None else None,
            tags=c.tags,
            protect=c.protect,
        ),
        c.opts,
    )
    c.outputs |= {"data_factory": made.name, "data_factory_id": made.factory_id}


def references(c: Composition) -> dict[str, pulumi.Input[str]]:
    """What stands for each reference that `infra.data_factory_files.known_references` knows."""
    azure = c.azure
    found: dict[str, pulumi.Input[str]] = {
        "$azure:environment": c.args.platform.environment,
        "$azure:location": azure.location,
        "$azure:resource_group": c.names.group,
        "$azure:subscription": azure.subscription,
        "$azure:tenant": azure.tenant,
    }
    if c.identities is not None:
        found |= {f"$identity:{name}": identity for name, identity in c.identities.ids.items()}
    if c.lake is not None:
        found |= {"$lake:account": c.lake.account_name, "$lake:id": c.lake.account_id, "$lake:url": c.lake.dfs_endpoint}
    if c.vault is not None:
        found |= {"$key_vault:id": c.vault.vault_id, "$key_vault:url": c.vault.vault_uri}
    if c.databricks is not None:
        found |= {"$databricks:id": c.databricks.workspace.id, "$databricks:url": c.databricks.host}
    if c.assets is not None:
        found |= {f"$cluster:{name}": value for name, value in c.assets.clusters.items()}
        found |= {f"$warehouse:{name}": value for name, value in c.assets.warehouses.items()}
        found |= {f"$notebook:{name}": value for name, value in c.assets.notebooks.items()}
        release = azure.databricks.release if azure.databricks is not None else ""
        libraries = c.args.databricks.libraries
        found |= {f"$library:{name}": f"/Workspace/releases/{release}/libs/{name}" for name in libraries}
    return found


def _roles(c: Composition, checked: CheckedFactory) -> list[FactoryRole]:
    """As narrow as they can be: the lake, each secret that an artefact reads, the workspace where one is used."""
    config = c.azure.data_factory
    assert config is not None
    roles: list[FactoryRole] = []
    if c.lake is not None and config.lake != "none":
        assert c.names.lake is not None
        roles.append(
            FactoryRole(key="lake", scope=c.lake.account_id, scope_name=c.names.lake, role=_LAKE_ROLES[config.lake])
        )
    if c.vault is not None:
        roles += [
            FactoryRole(
                key=f"secret-{name}",
                scope=c.vault.secret_scopes[name],
                scope_name=f"{c.names.vault}/{name}",
                role="Key Vault Secrets User",
            )
            for name in sorted(checked.secrets)
        ]
    ours = any(link.workspace_resource_id == "$databricks:id" for link in config.databricks.values())
    if c.databricks is not None and ours:
        assert c.names.databricks is not None
        roles.append(
            FactoryRole(
                key="databricks",
                scope=c.databricks.workspace.id,
                scope_name=c.names.databricks,
                # Azure Databricks knows no narrower one that may run notebooks by a managed identity.
                role="Contributor",
            )
        )
    return roles
