"""The keys of all services."""

from __future__ import annotations

import pulumi

from components.gcp.kms import EncryptionKey, Kms, KmsArgs
from components.gcp.labels import Labels
from components.gcp.services import ProjectServices
from infra.gcp.composition import GcpArgs
from infra.layout import key_rings, key_users


def keys(
    args: GcpArgs, services: ProjectServices, labels: Labels, opts: pulumi.ResourceOptions
) -> dict[str, EncryptionKey]:
    """The keys by the service each is for."""
    gcp = args.gcp
    agents = key_users(gcp)
    found: dict[str, EncryptionKey] = {}
    for ring in key_rings(gcp):
        kms = Kms(
            ring.component,
            KmsArgs(
                config=gcp.kms,
                project=gcp.project,
                location=ring.location,
                key_ring_name=args.names.key_ring,
                users={
                    service: {agent: services.agents[agent] for agent in agents[service]} for service in ring.services
                },
                labels=labels,
                protect=args.platform.protect,
                depends_on=services.needs("cloudkms"),
            ),
            opts,
        )
        found |= kms.keys
    return found
