"""The Data Fusion instance of a stack."""

from __future__ import annotations

from components.gcp.data_fusion import DataFusion, DataFusionArgs
from infra.gcp.composition import Composition


def data_fusion(c: Composition) -> None:
    """The instance, and the identity its clusters run as."""
    if c.gcp.data_fusion is None:
        return
    config = c.network.resolved(c.gcp.data_fusion)
    assert c.names.data_fusion is not None
    made = DataFusion(
        "data-fusion",
        DataFusionArgs(
            config=config,
            project=c.gcp.project,
            region=c.gcp.region,
            instance_name=c.names.data_fusion,
            account_id=c.names.accounts["datafusion"],
            agent=c.services.agents["datafusion"],
            key=c.keys["datafusion"],
            buckets=c.buckets,
            operators=c.operators(),
            labels=c.labels,
            protect=c.protect,
            depends_on=c.needs(
                "cloudresourcemanager", "compute", "datafusion", "dataproc", "iam", "storage", also=c.network.made
            ),
        ),
        c.opts,
    )
    c.identities["data_fusion"] = made.runner
    c.outputs |= {"data_fusion_instance": made.instance_name, "data_fusion_endpoint": made.api_endpoint}
