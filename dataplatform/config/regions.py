"""Google Cloud regions and Cloud Storage multi-regions, as data.

Source: Google Cloud documentation, "Regions and zones" (compute/docs/regions-zones) and "Bucket locations"
(storage/docs/locations), as of August 2026. A region that opens later is added here.
"""

from __future__ import annotations

from typing import Final

REGIONS: Final[frozenset[str]] = frozenset(
    {
        "africa-south1",
        "asia-east1",
        "asia-east2",
        "asia-northeast1",
        "asia-northeast2",
        "asia-northeast3",
        "asia-south1",
        "asia-south2",
        "asia-southeast1",
        "asia-southeast2",
        "asia-southeast3",
        "australia-southeast1",
        "australia-southeast2",
        "europe-central2",
        "europe-north1",
        "europe-north2",
        "europe-southwest1",
        "europe-west1",
        "europe-west10",
        "europe-west12",
        "europe-west2",
        "europe-west3",
        "europe-west4",
        "europe-west6",
        "europe-west8",
        "europe-west9",
        "me-central1",
        "me-central2",
        "me-west1",
        "northamerica-northeast1",
        "northamerica-northeast2",
        "northamerica-south1",
        "southamerica-east1",
        "southamerica-west1",
        "us-central1",
        "us-east1",
        "us-east4",
        "us-east5",
        "us-south1",
        "us-west1",
        "us-west2",
        "us-west3",
        "us-west4",
    }
)
"""Regions a project's resources can be in."""

MULTI_REGIONS: Final[frozenset[str]] = frozenset({"ASIA", "EU", "US"})
"""Cloud Storage multi-regions."""


def bucket_location_exists(location: str) -> bool:
    """Whether the lake can be at a location: a region or a multi-region, in upper or lower case."""
    return location.lower() in REGIONS or location.upper() in MULTI_REGIONS
