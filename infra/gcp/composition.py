"""What the parts of a stack on Google Cloud share while they are composed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import Provider

from components.gcp.composer import Composer as ComposerEnvironment
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from components.gcp.services import ProjectServices
from dataplatform.config.platform import Gcp, Platform
from infra.naming import GcpNames
from infra.pipelines import CompiledPipelines

INVOKER_ROLES = ("roles/cloudfunctions.invoker", "roles/run.invoker")
"""To call a step executor: of the first generation of Cloud Functions, and of the second, which are Cloud Run's."""


@dataclass(frozen=True, kw_only=True)
class GcpArgs:
    """Everything the composition needs, decided before the first resource."""

    platform: Platform
    gcp: Gcp
    stack: str
    names: GcpNames
    pipelines: CompiledPipelines
    secret_values: Mapping[str, pulumi.Output[str]]
    """Secret outputs by the names of `gcp.secrets`."""


@dataclass(kw_only=True)
class Composition:
    """A stack in the making: each part finds here what the parts before it made, and leaves what it made."""

    args: GcpArgs
    provider: Provider
    labels: Labels
    services: ProjectServices
    keys: Mapping[str, EncryptionKey]
    """Keys by the service each is for."""
    outputs: dict[str, pulumi.Input[object]]
    """Of the stack."""
    buckets: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """Buckets of the lake, by zone."""
    identities: dict[str, pulumi.Output[str]] = field(default_factory=dict)
    """IAM members a stack file may refer to as `$<name>`."""
    composer: ComposerEnvironment | None = None

    @property
    def gcp(self) -> Gcp:
        """The stack's part on Google Cloud."""
        return self.args.gcp

    @property
    def names(self) -> GcpNames:
        """The physical names."""
        return self.args.names

    @property
    def protect(self) -> bool:
        """Whether what holds data is protected."""
        return self.args.platform.protect

    @property
    def executors_project(self) -> str:
        """Project of the step executors."""
        return self.gcp.executors.project or self.gcp.project

    @property
    def opts(self) -> pulumi.ResourceOptions:
        """Options of a component: the provider its children use."""
        return pulumi.ResourceOptions(providers={"gcp": self.provider})

    def needs(self, *apis: str) -> Sequence[pulumi.Resource]:
        """What a resource that calls these APIs depends on."""
        return self.services.needs(*apis)
