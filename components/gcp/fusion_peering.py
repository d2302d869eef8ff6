"""The network's half of the peering with a private Data Fusion instance.

The service makes the instance's half, from a network `<region>-<instance>` of its tenant project. Both must import and
export custom routes, or the instance reaches neither the clusters' network nor what lies behind it, and the networks do
not reach the instance. Source: Google's gcpdiag, rule datafusion/ERR/2022_003; "Create a private instance".
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_gcp import compute, datafusion


def return_peering(
    name: str,
    *,
    parent: pulumi.Resource,
    network: pulumi.Input[str],
    peering_name: str,
    instance: datafusion.Instance,
    depends_on: Sequence[pulumi.Resource] = (),
) -> compute.NetworkPeering:
    """Peer the network with the instance's.

    Args:
        name: Logical name.
        parent: The instance's component.
        network: `projects/…/global/networks/…` that the instance peers with.
        peering_name: Physical name, from infra.naming.
        instance: The instance.
        depends_on: What the peering waits for beside it.
    """
    return compute.NetworkPeering(
        name,
        name=peering_name,
        network=network,
        # A new instance is in a tenant project of its own or under another name: the peering goes with it.
        peer_network=pulumi.Output.concat(
            "projects/", instance.tenant_project_id, "/global/networks/", instance.region, "-", instance.name
        ),
        export_custom_routes=True,
        import_custom_routes=True,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(depends_on)),
    )
