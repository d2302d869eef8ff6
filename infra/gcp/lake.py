"""The lake of a stack."""

from __future__ import annotations

from components.gcp.lake import Lake, LakeArgs
from components.gcp.lake_access import Access, LakeAccess, LakeAccessArgs, ZoneAccess
from components.gcp.lake_events import LakeEvents, LakeEventsArgs
from dataplatform.config.gcp.lake import Folder, Zone
from infra.gcp.composition import Composition


def lake(c: Composition) -> None:
    """The buckets by zone, and what is told about their objects."""
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
    # A grant on a bucket waits for the lake: its name alone would not make it.
    c.grantable |= {f"b/{bucket}": made for bucket in c.names.buckets.values()}
    c.outputs["buckets"] = dict(made.buckets)
    notifications = {zone: found.notifications for zone, found in config.zones.items() if found.notifications}
    if notifications:
        events = LakeEvents(
            "lake-events",
            LakeEventsArgs(
                project=c.gcp.project,
                region=c.gcp.region,
                notifications=notifications,
                buckets=made.buckets,
                topic_names=c.names.lake_topics,
                agent=c.services.agents["storage"],
                key=c.keys.get("pubsub"),
                labels=c.labels,
                depends_on=c.needs("pubsub", "storage"),
            ),
            c.opts,
        )
        c.outputs["lake_topics"] = dict(events.topics)


def lake_access(c: Composition) -> None:
    """Readers and writers, once the identities are there that may be among them."""
    zones = {
        name: ZoneAccess(
            bucket=c.buckets[name],
            whole=_access(c, zone),
            folders={path: _access(c, folder) for path, folder in zone.folders.items()},
        )
        for name, zone in (c.gcp.lake.zones.items() if c.gcp.lake else ())
        if zone.readers or zone.writers or zone.folders
    }
    if zones:
        LakeAccess("lake-access", LakeAccessArgs(zones=zones, depends_on=c.needs("storage")), c.opts)


def _access(c: Composition, place: Zone | Folder) -> Access:
    return Access(readers=c.members(place.readers), writers=c.members(place.writers))
