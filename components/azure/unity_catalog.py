"""The environment's catalog: its storage, the lake as external locations, schemas, volumes and grants.

It replaces mounts: who may read what is said once, for every cluster and warehouse. Grants are additive, one for each
principal, so that what others granted stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks

from dataplatform.config.azure.databricks import CatalogLocation, Grants
from dataplatform.config.azure.databricks import UnityCatalog as UnityCatalogConfig


@dataclass(frozen=True, kw_only=True)
class UnityCatalogArgs:
    """The catalog, and what it reaches the lake with."""

    config: UnityCatalogConfig
    catalog_name: str
    connector_id: pulumi.Input[str]
    workspace_number: pulumi.Input[str]
    filesystems: Mapping[str, pulumi.Input[str]]
    """`abfss://…` of each filesystem, without a slash at the end."""
    protect: bool
    depends_on: Sequence[pulumi.Resource]


class UnityCatalog(pulumi.ComponentResource):
    """One catalog and all in it."""

    catalog: pulumi.Output[str]
    """Its name, known once it exists."""

    def __init__(self, name: str, args: UnityCatalogArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:UnityCatalog", name, {}, opts)
        config = args.config
        first: list[pulumi.Resource] = list(args.depends_on)
        if config.metastore is not None:
            first.append(
                databricks.MetastoreAssignment(
                    f"{name}-metastore",
                    metastore_id=config.metastore,
                    workspace_id=args.workspace_number,
                    opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
                )
            )
        credential = databricks.StorageCredential(
            f"{name}-credential",
            name=args.catalog_name,
            azure_managed_identity=databricks.StorageCredentialAzureManagedIdentityArgs(
                access_connector_id=args.connector_id
            ),
            comment="The workspace's access connector",
            opts=pulumi.ResourceOptions(parent=self, depends_on=first),
        )
        storage = CatalogLocation(filesystem=config.filesystem, path=f"catalogs/{args.catalog_name}")
        own = self._location(f"{name}-storage", f"{args.catalog_name}_storage", storage, credential, args)
        for key, location in sorted(config.locations.items()):
            self._location(f"{name}-location-{key}", f"{args.catalog_name}_{key}", location, credential, args)
        catalog = databricks.Catalog(
            f"{name}-catalog",
            name=args.catalog_name,
            storage_root=own.url,
            isolation_mode="ISOLATED",
            force_destroy=config.force_destroy,
            comment="Tables of this environment",
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, depends_on=[own]),
        )
        self._grants(f"{name}-catalog", config.grants, catalog=catalog.name)
        for key, schema in sorted(config.schemas.items()):
            made = databricks.Schema(
                f"{name}-schema-{key}",
                catalog_name=catalog.name,
                name=key,
                force_destroy=config.force_destroy,
                opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
            )
            for volume in sorted(set(schema.volumes)):
                databricks.Volume(
                    f"{name}-volume-{key}-{volume}",
                    catalog_name=catalog.name,
                    schema_name=made.name,
                    name=volume,
                    volume_type="MANAGED",
                    opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
                )
            self._grants(f"{name}-schema-{key}", schema.grants, schema=made.id)
        self.catalog = catalog.name
        self.register_outputs({"catalog": self.catalog})

    def _location(
        self,
        logical: str,
        name: str,
        location: CatalogLocation,
        credential: databricks.StorageCredential,
        args: UnityCatalogArgs,
    ) -> databricks.ExternalLocation:
        path = location.path.strip("/")
        return databricks.ExternalLocation(
            logical,
            name=name.replace("-", "_"),
            url=pulumi.Output.concat(args.filesystems[location.filesystem], "/", f"{path}/" if path else ""),
            credential_name=credential.name,
            read_only=location.read_only,
            comment=f"{location.filesystem} of the lake",
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _grants(
        self,
        logical: str,
        grants: Grants,
        *,
        catalog: pulumi.Input[str] | None = None,
        schema: pulumi.Input[str] | None = None,
    ) -> None:
        for principal, privileges in sorted(grants.items()):
            databricks.Grant(
                f"{logical}-grant-{re.sub('[^A-Za-z0-9]+', '-', principal)}",
                principal=principal,
                privileges=sorted(set(privileges)),
                catalog=catalog,
                schema=schema,
                opts=pulumi.ResourceOptions(parent=self),
            )
