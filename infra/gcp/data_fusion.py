"""The Data Fusion instance of a stack."""

from __future__ import annotations

from components.gcp.data_fusion import DataFusion, DataFusionArgs
from infra.access import own_instance
from infra.gcp.composition import Composition
from infra.gcp.data_fusion_objects import data_fusion_objects


def data_fusion(c: Composition) -> None:
    """The instance, and the identity its clusters run as."""
    if c.gcp.data_fusion is None:
        return
    config = c.network.resolved(c.gcp.data_fusion)
    assert c.names.data_fusion is not None
    # Of two grants of one right, the first to go takes it away.
    said = config.iam.get("operator", [])
    apis = ("pubsub",) if config.events is not None else ()
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
            operators={name: member for name, member in c.operators().items() if f"${name}" not in said},
            members={role: c.members(members) for role, members in config.iam.items()},
            topic_name=c.names.fusion_topic,
            topic_key=c.keys.get("pubsub"),
            peering_name=c.names.fusion_peering,
            labels=c.labels,
            protect=c.protect,
            depends_on=c.needs(
                "cloudresourcemanager",
                "compute",
                "datafusion",
                "dataproc",
                "iam",
                "storage",
                *apis,
                also=c.network.made,
            ),
        ),
        c.opts,
    )
    c.identities["data_fusion"] = made.runner
    # A grant on the instance, for a pipeline of a domain that runs something on it, waits for it.
    if (own := own_instance(c.args.platform, c.gcp)) is not None:
        c.grantable[own.path] = made
    c.outputs["data_fusion_instance"] = made.instance_name
    if config.on_demand is None:
        c.outputs["data_fusion_endpoint"] = made.api_endpoint
    c.data_fusion = made
    if made.events_topic is not None:
        c.outputs["data_fusion_events"] = made.events_topic
    data_fusion_objects(c, made)
