"""What is in a workspace: secret scopes, policies, clusters, warehouses, and a release's notebooks and libraries."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_databricks as databricks

from dataplatform.config.azure.databricks import Databricks as DatabricksConfig


@dataclass(frozen=True, kw_only=True)
class DatabricksAssetsArgs:
    """The contents, read from their files already."""

    config: DatabricksConfig
    policies: Mapping[str, str]
    clusters: Mapping[str, Mapping[str, Any]]
    notebooks: Mapping[str, tuple[str, bytes]]
    libraries: Mapping[str, bytes]
    vault_id: pulumi.Input[str] | None
    vault_uri: pulumi.Input[str] | None
    scopes_need: Sequence[pulumi.Resource]
    """Role of Databricks' service principal on the vault."""
    tags: Mapping[str, str]


class DatabricksAssets(pulumi.ComponentResource):
    """The contents of one workspace."""

    clusters: Mapping[str, pulumi.Output[str]]
    """Id of each cluster, by name."""
    warehouses: Mapping[str, pulumi.Output[str]]
    notebooks: Mapping[str, pulumi.Output[str]]
    """Path of each notebook in the workspace, by its path in the folder."""
    libraries: Mapping[str, pulumi.Output[str]]
    """The same of wheels and JARs, with `/Workspace`."""
    policies: Mapping[str, pulumi.Output[str]]
    """Id of each cluster policy, by name."""

    def __init__(self, name: str, args: DatabricksAssetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:DatabricksAssets", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        config = args.config
        for scope in sorted(set(config.secret_scopes)):
            assert args.vault_id is not None, "a secret scope in a stack without a vault"
            assert args.vault_uri is not None, "a secret scope in a stack without a vault"
            databricks.SecretScope(
                f"{name}-scope-{scope}",
                name=scope,
                keyvault_metadata=databricks.SecretScopeKeyvaultMetadataArgs(
                    resource_id=args.vault_id, dns_name=args.vault_uri
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.scopes_need)),
            )
        policies = {
            key: databricks.ClusterPolicy(f"{name}-policy-{key}", name=key, definition=definition, opts=child)
            for key, definition in sorted(args.policies.items())
        }
        made: dict[str, databricks.Cluster] = {}
        for key, settings in sorted(args.clusters.items()):
            policy = config.clusters[key].policy
            # The stack's key is the name: two clusters of one file would otherwise be called the same.
            inputs = {**settings, "cluster_name": key, "custom_tags": {**args.tags, **settings.get("custom_tags", {})}}
            if policy is not None:
                inputs["policy_id"] = policies[policy].id
            made[key] = databricks.Cluster(f"{name}-cluster-{key}", opts=child, **inputs)
        warehouses = {
            key: databricks.SqlEndpoint(
                f"{name}-warehouse-{key}",
                name=key,
                cluster_size=warehouse.size,
                auto_stop_mins=warehouse.auto_stop_minutes,
                max_num_clusters=warehouse.max_clusters,
                enable_serverless_compute=warehouse.serverless,
                warehouse_type="PRO",
                tags=databricks.SqlEndpointTagsArgs(
                    custom_tags=[
                        databricks.SqlEndpointTagsCustomTagArgs(key=tag, value=value)
                        for tag, value in sorted(args.tags.items())
                    ]
                ),
                opts=child,
            )
            for key, warehouse in sorted(config.warehouses.items())
        }
        root = f"/releases/{config.release}"
        notebooks = {
            key: databricks.Notebook(
                f"{name}-notebook-{key}",
                path=f"{root}/notebooks/{key}",
                language=language,
                content_base64=base64.b64encode(text).decode(),
                opts=child,
            )
            for key, (language, text) in sorted(args.notebooks.items())
        }
        libraries = {
            key: databricks.WorkspaceFile(
                f"{name}-library-{key}",
                path=f"{root}/libs/{key}",
                content_base64=base64.b64encode(data).decode(),
                opts=child,
            )
            for key, data in sorted(args.libraries.items())
        }
        self.clusters = {key: cluster.id for key, cluster in made.items()}
        self.warehouses = {key: warehouse.id for key, warehouse in warehouses.items()}
        self.notebooks = {key: notebook.path for key, notebook in notebooks.items()}
        self.libraries = {key: pulumi.Output.concat("/Workspace", file.path) for key, file in libraries.items()}
        self.policies = {key: policy.id for key, policy in policies.items()}
        self.register_outputs({"clusters": dict(self.clusters), "notebooks": dict(self.notebooks)})
