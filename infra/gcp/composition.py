"""What the parts of a stack on Google Cloud share while they are composed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import Provider

from components.gcp.composer import Composer as ComposerEnvironment
from components.gcp.data_fusion import DataFusion
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from components.gcp.services import ProjectServices
from dataplatform.compile.access import On, Right
from dataplatform.config.airflow_files import AirflowFile
from dataplatform.config.gcp.bigquery import Column
from dataplatform.config.platform import Gcp, Platform
from infra.access import own_instance
from infra.fusion_objects import FusionObjects
from infra.gcp.network_outputs import NetworkOutputs
from infra.naming import GcpNames
from infra.pipelines import CompiledPipelines
from infra.starts import Start

_API_OF = {"dataset": "bigquery", "function": "cloudfunctions", "instance": "datafusion", "repository": "dataform"}
"""The API that a grant on something of a kind calls; Cloud Run's for services and jobs."""


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
    job_files: tuple[tuple[str, str], ...] = ()
    """Job parameter files that the stack's own functions read, by name."""
    starts: tuple[Start, ...] = ()
    """What starts the workflows besides people."""
    schemas: Mapping[tuple[str, str], Sequence[Column]] = field(default_factory=dict)
    """Columns of the BigQuery tables, by dataset and table."""
    airflow_files: Sequence[AirflowFile] = ()
    """Plugins and data files that go to Airflow with the DAGs."""
    fusion_objects: FusionObjects = field(default_factory=FusionObjects)
    """What the stack brings to its Data Fusion instance."""


@dataclass(kw_only=True)
class Composition:
    """A stack in the making: each part finds here what the parts before it made, and leaves what it made."""

    args: GcpArgs
    provider: Provider
    labels: Labels
    services: ProjectServices
    keys: Mapping[str, EncryptionKey]
    """Keys by the service each is for, and as `infra.gcp.keys` says."""
    outputs: dict[str, pulumi.Input[object]]
    """Of the stack."""
    buckets: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """Buckets of the lake, by zone."""
    identities: dict[str, pulumi.Output[str]] = field(default_factory=dict)
    """IAM members a stack file may refer to as `$<name>`."""
    workflow_ids: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """`projects/…/workflows/…` of each workflow, by definition."""
    composer: ComposerEnvironment | None = None
    data_fusion: DataFusion | None = None
    grantable: dict[str, pulumi.Resource] = field(default_factory=dict)
    """What pipelines may need a right on and the stack makes, by its path (`On.path`): a grant on it waits for it."""
    late_grants: Sequence[pulumi.Resource] = ()
    """Grants to identities on what is made after them."""
    network: NetworkOutputs = field(default_factory=NetworkOutputs)
    """What the network part made, or found; empty where the stack has none."""

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

    def rights(self, identity: str) -> tuple[Right, ...]:
        """What an identity's component grants it for the pipelines: all that is not on something made after it."""
        own, late, said = own_instance(self.args.platform, self.gcp), self._late(), self._said(identity)
        rights = self.args.pipelines.access.rights(identity)
        return tuple(right for right in rights if right.on != own and right.on.path not in late and right not in said)

    def late_rights(self, identity: str) -> tuple[Right, ...]:
        """What the pipelines need of an identity on things that the stack makes after the identity."""
        late, said = self._late(), self._said(identity)
        rights = self.args.pipelines.access.rights(identity)
        return tuple(right for right in rights if right.on.path in late and right not in said)

    def _said(self, identity: str) -> frozenset[Right]:
        """What the stack file grants an identity by name: of two grants of one right, the first to go takes it away."""
        config, name = self.gcp.bigquery, f"${identity}"
        if config is None:
            return frozenset()
        found = {Right(role="roles/bigquery.jobUser", on=On(kind="project", project=self.gcp.project))}
        found = found if name in config.job_users else set()
        for key, dataset in config.datasets.items():
            on = On(kind="dataset", project=self.gcp.project, name=self.names.datasets[key])
            for role, members in (("Viewer", dataset.readers), ("Editor", dataset.writers)):
                if name in members:
                    found.add(Right(role=f"roles/bigquery.data{role}", on=on))
        return frozenset(found)

    def _late(self) -> frozenset[str]:
        home = f"projects/{self.gcp.project}"
        return frozenset(f"{home}/datasets/{name}" for name in self.names.datasets.values())

    def operators(self) -> dict[str, pulumi.Input[str]]:
        """The identities whose pipelines need a right on the stack's own Data Fusion instance."""
        own = own_instance(self.args.platform, self.gcp)
        found = self.args.pipelines.access
        return {
            name: member
            for name, member in self.identities.items()
            if any(right.on == own for right in found.rights(name))
        }

    def enabled(self, rights: Iterable[Right]) -> Sequence[pulumi.Resource]:
        """The APIs that the grants of these rights call, as far as the stack enables them."""
        wanted = {
            _API_OF.get(right.on.kind, "run") for right in rights if right.on.kind in (*_API_OF, "service", "job")
        }
        return [self.services.apis[api] for api in sorted(wanted) if api in self.services.apis]

    @property
    def opts(self) -> pulumi.ResourceOptions:
        """Options of a component: the provider its children use."""
        return pulumi.ResourceOptions(providers={"gcp": self.provider})

    def members(self, written: Sequence[str]) -> dict[str, pulumi.Input[str]]:
        """Members as written, and identities of the stack for `$<name>`, each by a name that is stable."""
        return {
            member.removeprefix("$"): self.identities[member[1:]] if member.startswith("$") else member
            for member in written
        }

    def needs(self, *apis: str, also: Sequence[pulumi.Resource] = ()) -> Sequence[pulumi.Resource]:
        """What a resource that calls these APIs depends on, and what else it does."""
        return [*self.services.needs(*apis), *also]
