"""What the parts of a stack on Azure share while they are composed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi
from pulumi_azure_native import Provider

from components.azure.databricks import Databricks
from components.azure.identities import Identities, Principal
from components.azure.key_vault import KeyVault
from components.azure.lake import Lake
from components.azure.monitoring import Monitoring
from components.azure.tags import Tags
from dataplatform.config.data_factory.check import CheckedFactory
from dataplatform.config.platform import Azure, Platform
from infra.azure_names import AzureNames
from infra.databricks_files import DatabricksFiles

if TYPE_CHECKING:
    from components.azure.databricks_assets import DatabricksAssets


@dataclass(frozen=True, kw_only=True)
class AzureArgs:
    """Everything the composition needs, decided before the first resource."""

    platform: Platform
    azure: Azure
    stack: str
    names: AzureNames
    databricks: DatabricksFiles
    """What the files of the workspace hold."""
    data_factory: CheckedFactory | None = None
    """The exported factory with what the stack changes in it."""
    secret_values: Mapping[str, pulumi.Output[str]]
    """Secret outputs by the names of the vault's secrets that the stack file holds."""


@dataclass(kw_only=True)
class PrivateNetwork:
    """The network that the stack's parts are in, its own or another's."""

    network_id: pulumi.Input[str]
    subnet_ids: Mapping[str, pulumi.Input[str]]
    subnet_names: Mapping[str, pulumi.Input[str]]
    zone_ids: dict[str, pulumi.Input[str]] = field(default_factory=dict)
    """Private DNS zones by name."""
    links: list[pulumi.Resource] = field(default_factory=list)
    """Links of the stack's own zones."""


@dataclass(kw_only=True)
class Composition:
    """A stack in the making: each part finds here what the parts before it made, and leaves what it made."""

    args: AzureArgs
    provider: Provider
    tags: Tags
    group: pulumi.Output[str]
    """Name of the resource group."""
    group_component: pulumi.Resource
    """What belongs to the stack as a whole is filed under it."""
    outputs: dict[str, pulumi.Input[object]]
    """Of the stack."""
    identities: Identities | None = None
    network: PrivateNetwork | None = None
    lake: Lake | None = None
    lake_endpoints: Sequence[pulumi.Resource] = ()
    """What is to be waited for before the lake is reached from the network."""
    monitoring: Monitoring | None = None
    vault: KeyVault | None = None
    databricks: Databricks | None = None
    assets: DatabricksAssets | None = None
    principals: dict[str, Principal] = field(default_factory=dict)
    """Who may be granted a role, by how the stack file calls them: `$<identity>`."""

    @property
    def azure(self) -> Azure:
        """The stack's part on Azure."""
        return self.args.azure

    @property
    def names(self) -> AzureNames:
        """The physical names."""
        return self.args.names

    @property
    def protect(self) -> bool:
        """Whether what holds data is protected."""
        return self.args.platform.protect

    @property
    def opts(self) -> pulumi.ResourceOptions:
        """Options of a component: the provider its children use."""
        return pulumi.ResourceOptions(providers={"azure-native": self.provider})

    @property
    def workspace_id(self) -> pulumi.Output[str] | None:
        """Where logs go; None where the stack has no monitoring."""
        return self.monitoring.workspace_id if self.monitoring is not None else None

    def known_principals(self, named: Iterable[str]) -> dict[str, Principal]:
        """Those named: identities of the stack, and object ids as they are."""
        return {name: self.principals.get(name) or Principal(name=name, object_id=name) for name in sorted(set(named))}
