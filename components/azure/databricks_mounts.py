"""Mounts of DBFS, for a team that cannot do without yet. What is meant is Unity Catalog: see `unity_catalog`.

A mount is everybody's in the workspace and knows one identity, a service principal with a password: the access
connector's managed identity cannot be used for one. The password stays in the key vault; the mount
names its scope and its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks

from dataplatform.config.azure.databricks import LegacyMount


@dataclass(frozen=True, kw_only=True)
class LegacyMountsArgs:
    """What is mounted, and by whom."""

    config: Mapping[str, LegacyMount]
    tenant: str
    account_name: pulumi.Input[str]
    containers: Mapping[str, pulumi.Input[str]]
    """Names of the filesystems, known once they exist."""
    clusters: Mapping[str, pulumi.Input[str]]
    depends_on: Sequence[pulumi.Resource]


class LegacyMounts(pulumi.ComponentResource):
    """The mounts of one workspace."""

    def __init__(self, name: str, args: LegacyMountsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:LegacyMounts", name, {}, opts)
        for key, mount in sorted(args.config.items()):
            databricks.Mount(
                f"{name}-{key}",
                name=key,
                cluster_id=args.clusters[mount.cluster] if mount.cluster is not None else None,
                abfs=databricks.MountAbfsArgs(
                    client_id=mount.client_id,
                    client_secret_scope=mount.scope,
                    client_secret_key=mount.password_from,
                    tenant_id=args.tenant,
                    storage_account_name=args.account_name,
                    container_name=args.containers[mount.filesystem],
                    directory=f"/{mount.directory.strip('/')}" if mount.directory else None,
                    # The filesystem is the stack's: it is there.
                    initialize_file_system=False,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
            )
        self.register_outputs({})
