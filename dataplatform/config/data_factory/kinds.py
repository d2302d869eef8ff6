"""The kinds of artefact that Data Factory's git layout has, in the order in which the service takes them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of artefact."""

    name: str
    """As messages say it."""
    key: str
    """As a stack's patches say it."""
    folder: str
    """Of the git layout."""
    api: str
    """Below `Microsoft.DataFactory/factories/`."""
    reference: str
    """The `type` of a reference to one; empty where there is none."""
    order: int
    """Of creation; deletion is the reverse."""
    typed: bool = True
    """Whether `properties.type` says what it is."""
    annotated: bool = True
    """Whether `properties.annotations` is a list of texts."""


_ALL: Final = (
    Kind(
        name="managed virtual network", key="managed_virtual_network", folder="managedVirtualNetwork",
        api="managedVirtualNetworks", reference="ManagedVirtualNetworkReference", order=0, typed=False,
        annotated=False,
    ),
    Kind(
        name="managed private endpoint", key="managed_private_endpoint", folder="managedPrivateEndpoint",
        api="managedVirtualNetworks/managedPrivateEndpoints", reference="", order=1, typed=False, annotated=False,
    ),
    Kind(
        name="credential", key="credential", folder="credential", api="credentials",
        reference="CredentialReference", order=2,
    ),
    Kind(
        name="integration runtime", key="integration_runtime", folder="integrationRuntime",
        api="integrationRuntimes", reference="IntegrationRuntimeReference", order=3, annotated=False,
    ),
    Kind(
        name="linked service", key="linked_service", folder="linkedService", api="linkedservices",
        reference="LinkedServiceReference", order=4,
    ),
    Kind(name="dataset", key="dataset", folder="dataset", api="datasets", reference="DatasetReference", order=5),
    Kind(
        name="data flow", key="data_flow", folder="dataflow", api="dataflows", reference="DataFlowReference", order=6,
    ),
    Kind(
        name="pipeline", key="pipeline", folder="pipeline", api="pipelines", reference="PipelineReference", order=7,
        typed=False,
    ),
    Kind(name="trigger", key="trigger", folder="trigger", api="triggers", reference="TriggerReference", order=8),
)  # fmt: skip

BY_KEY: Final = MappingProxyType({kind.key: kind for kind in _ALL})
BY_FOLDER: Final = MappingProxyType({kind.folder.lower(): kind for kind in _ALL})
BY_REFERENCE: Final = MappingProxyType({kind.reference: kind for kind in _ALL if kind.reference})

FACTORY: Final = "factory"
"""Folder of the factory's own file and its global parameters."""

BUILT_IN: Final = MappingProxyType({"integration_runtime": frozenset({"AutoResolveIntegrationRuntime"})})
"""What every factory has without a file."""

OTHER_PRODUCTS: Final = MappingProxyType(
    {
        "notebook": "Synapse",
        "sqlscript": "Synapse",
        "kqlscript": "Synapse",
        "sparkjobdefinition": "Synapse",
        "bigdatapool": "Synapse",
        "sqlpool": "Synapse",
        "kustopool": "Synapse",
        "library": "Synapse",
        "database": "Synapse",
        "linkconnection": "Synapse",
        "managedprivateendpoints": "Synapse",
    }
)
"""Folders of a Synapse workspace's git layout, which is otherwise the same."""

IGNORED: Final = frozenset(
    {"publish_config.json", "arm-template-parameters-definition.json", "package.json", "package-lock.json"}
)
"""Files that Data Factory Studio, and the npm package that builds from it, keep at the root for themselves."""
