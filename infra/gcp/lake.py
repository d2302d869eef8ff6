"""The lake of a stack."""

from __future__ import annotations

from components.gcp.lake import Lake, LakeArgs
from infra.gcp.composition import Composition


def lake(c: Composition) -> None:
    """The buckets by zone."""
    config = c.gcp.lake
    if config is None:
        return
    made = Lake(
        "lake",
        LakeArgs(
            config=config,
            project=c.gcp.project,
            location=(config.location or c.gcp.region).upper(),
            bucket_names=c.names.buckets,
            key=c.keys["storage"],
            labels=c.labels,
            protect=c.protect,
            depends_on=c.needs("storage"),
        ),
        c.opts,
    )
    c.buckets = made.buckets
    c.outputs["buckets"] = dict(made.buckets)
