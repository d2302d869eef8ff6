"""The identities of a stack."""

from __future__ import annotations

from components.azure.identities import Identities, IdentitiesArgs
from infra.azure.composition import Composition


def identities(c: Composition) -> None:
    """The managed identities that workloads run as."""
    config = c.azure.identities
    if not config:
        return
    made = Identities(
        "azure-identities",
        IdentitiesArgs(
            config=config,
            resource_group=c.group,
            location=c.azure.location,
            names=c.names.identities,
            tags=c.tags,
        ),
        c.opts,
    )
    c.identities = made
    c.principals |= {f"${name}": principal for name, principal in made.principals.items()}
    c.outputs["identities"] = dict(made.ids)
