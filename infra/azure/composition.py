"""What the parts of a stack on Azure share while they are composed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import Provider

from components.azure.identities import Identities, Principal
from components.azure.key_vault import KeyVault
from components.azure.lake import Lake
from components.azure.monitoring import Monitoring
from components.azure.tags import Tags
from dataplatform.config.platform import Azure, Platform
from infra.azure_names import AzureNames
from infra.databricks_files import DatabricksFiles


@dataclass(frozen=True, kw_only=True)
class AzureArgs:
    """Everything the composition needs, decided before the first resource."""

    platform: Platform
    azure: Azure
    stack: str
    names: AzureNames
    databricks: DatabricksFiles
    """What the files of the workspace hold."""
    secret_values: Mapping[str, pulumi.Output[str]]
    """Secret outputs by the names of the vault's secrets that the stack file holds."""


@dataclass(kw_only=True)
class Composition:
    """A stack in the making: each part finds here what the parts before it made, and leaves what it made."""

    args: AzureArgs
    provider: Provider
    tags: Tags
    group: pulumi.Output[str]
    """Name of the resource group."""
    outputs: dict[str, pulumi.Input[object]]
    """Of the stack."""
    identities: Identities | None = None
    lake: Lake | None = None
    monitoring: Monitoring | None = None
    vault: KeyVault | None = None
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
