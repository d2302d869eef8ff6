"""What stays of a thing that is deleted while others need it, and what is not deleted then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.client import Client
from tests.localcloud.test_google import refused

TOPIC = "gcp:pubsub/topic:Topic"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"
ZONE = "gcp:dns/managedZone:ManagedZone"
RECORD = "gcp:dns/recordSet:RecordSet"
LAKE = "gcp:dataplex/lake:Lake"
LAKE_ZONE = "gcp:dataplex/zone:Zone"


def test_a_deleted_topic_shows_at_its_subscriptions(gcp: Client) -> None:
    gcp.enable("pubsub")
    topic = gcp.create(TOPIC, {"name": "orders"})
    inputs = {"name": "reader", "topic": topic.id}
    made = gcp.create(SUBSCRIPTION, inputs)
    gcp.delete(TOPIC, topic)
    seen = gcp.read(SUBSCRIPTION, made.id, made.inputs)
    assert seen is not None
    assert seen.outputs["topic"] == "_deleted-topic_"
    assert list(gcp.diff(SUBSCRIPTION, seen, inputs).replaces) == ["topic"]


@pytest.mark.parametrize(("more", "kept"), [({}, True), ({"forceDestroy": True}, False)])
def test_a_zone_with_records_stays_unless_told_otherwise(gcp: Client, more: dict[str, Any], kept: bool) -> None:
    gcp.enable("dns")
    zone = gcp.create(ZONE, {"name": "acme", "dnsName": "acme.example.", **more})
    record = {"managedZone": "acme", "name": "www.acme.example.", "type": "A", "ttl": 300, "rrdatas": ["10.0.0.1"]}
    made = gcp.create(RECORD, record)
    if kept:
        assert "contains one or more 'resource records'" in refused(gcp.delete, ZONE, zone)
        gcp.delete(RECORD, made)
    gcp.delete(ZONE, zone)
    assert gcp.read(ZONE, zone.id) is None
    assert gcp.read(RECORD, made.id) is None


def test_a_lake_with_zones_stays(gcp: Client) -> None:
    gcp.enable("dataplex")
    place = {"location": "europe-west1"}
    lake = gcp.create(LAKE, {"name": "lake", **place})
    spec = {"discoverySpec": {"enabled": False}, "resourceSpec": {"locationType": "SINGLE_REGION"}}
    zone = gcp.create(LAKE_ZONE, {"name": "raw", "lake": "lake", "type": "RAW", **spec, **place})
    assert "it has zones" in refused(gcp.delete, LAKE, lake)
    gcp.delete(LAKE_ZONE, zone)
    gcp.delete(LAKE, lake)
    assert gcp.read(LAKE, lake.id) is None
