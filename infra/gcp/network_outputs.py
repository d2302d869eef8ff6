"""What other parts of a stack get of its network: plain links, and what to wait for.

Names are deterministic, so links are known before anything is made: a preview shows them, and a component takes them
like those a person writes. That the network is there first is said by `made`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import pulumi

from dataplatform.config.gcp.composer import Composer
from dataplatform.config.gcp.data_fusion import DataFusion

Part = TypeVar("Part", Composer, DataFusion)


@dataclass(frozen=True, kw_only=True)
class NetworkOutputs:
    """The network of a stack, made or found; empty where it has none."""

    id: str | None = None
    """`projects/…/global/networks/…`."""
    subnets: Mapping[str, str] = field(default_factory=dict)
    """`projects/…/regions/…/subnetworks/…`, by name."""
    attachments: Mapping[str, str] = field(default_factory=dict)
    """`projects/…/regions/…/networkAttachments/…`, by name."""
    ranges: Mapping[str, str] = field(default_factory=dict)
    """Physical names of the ranges reserved for Google's services, by name."""
    made: tuple[pulumi.Resource, ...] = ()
    """What must be there before anything enters the network, the connection to Google's services included."""

    @property
    def project(self) -> str | None:
        """Project of the network: the host's, where it is a Shared VPC."""
        return self.id.split("/")[1] if self.id else None

    def link(self, reference: str) -> str:
        """What `$network`, `$subnet:<name>` or `$attachment:<name>` stands for; any other text is itself.

        Raises:
            KeyError: it names nothing. The configuration's rules find that first.
        """
        kind, _, name = reference.partition(":")
        if reference == "$network" and self.id is not None:
            return self.id
        if kind == "$subnet":
            return self.subnets[name]
        if kind == "$attachment":
            return self.attachments[name]
        if reference.startswith("$"):
            raise KeyError(reference)
        return reference

    def resolved(self, part: Part) -> Part:
        """The part of a stack with links in place of the references in its `network`."""
        network = part.network
        if network is None:
            return part
        links = {
            name: self.link(value)
            for name in type(network).model_fields
            if isinstance(value := getattr(network, name), str) and value.startswith("$")
        }
        return part.model_copy(update={"network": network.model_copy(update=links)})
