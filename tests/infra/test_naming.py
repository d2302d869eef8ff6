"""Physical names: what they are, and that a name the service would refuse is a mistake with a place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataplatform.config.check import load_stack
from dataplatform.diagnostics import InputError
from infra import naming
from tests.infra.inventory import ROOT, STACKS, checkout, recorded, stack_text

LIMITS = {
    naming.BUCKET: 63,
    naming.COMPOSER: 63,
    naming.DATA_FUSION: 30,
    naming.KEY_RING: 63,
    naming.SECRET: 255,
    naming.ACCOUNT: 30,
    naming.WORKFLOW: 64,
}


def test_the_names_of_dev() -> None:
    names = naming.gcp_names(load_stack(ROOT, "dev"))
    assert names.buckets == {zone: f"acme-data-dev-dev-{zone}" for zone in ("landing", "curated", "consumption")}
    assert names.key_ring == "data-platform-dev"
    assert names.secrets == {"hawk_key": "dev-hawk_key", "orders_db_password": "dev-orders_db_password"}
    assert (names.data_fusion, names.composer) == ("dev-core", "dev-core")
    assert names.accounts == {
        "composer": "dev-composer",
        "datafusion": "dev-datafusion",
        "triggers": "dev-triggers",
        "workflows": "dev-workflows",
    }


@pytest.mark.parametrize("token", sorted(LIMITS))
def test_the_limit_is_exact_and_told(token: str) -> None:
    limit = LIMITS[token]
    assert naming.problem(token, "a" * limit) is None
    told = naming.problem(token, "a" * (limit + 3))
    assert told is not None
    assert f"3 more than the limit of {limit}" in told


@pytest.mark.parametrize(
    ("token", "name"),
    [
        (naming.BUCKET, "acme_Data"),
        (naming.BUCKET, "goog-acme"),
        (naming.BUCKET, "my-google-data"),
        (naming.BUCKET, "ab"),
        (naming.DATA_FUSION, "core-"),
        (naming.DATA_FUSION, "1core"),
        (naming.COMPOSER, "Core"),
        (naming.ACCOUNT, "short"),
        (naming.ACCOUNT, "dev-Composer"),
        (naming.KEY_RING, "data platform"),
        (naming.SECRET, "hawk.key"),
        (naming.WORKFLOW, "1st"),
        (naming.WORKFLOW, "last-"),
    ],
)
def test_what_the_service_refuses_is_refused(token: str, name: str) -> None:
    assert naming.problem(token, name) is not None


def test_every_name_too_long_is_told_with_its_place(tmp_path: Path) -> None:
    long = "a-very-long-name-of-32-character"
    text = stack_text(
        "dev",
        ("      data_fusion:\n", f"      data_fusion:\n        name: {long}\n"),
        ("          consumption:\n", f"          {long}:\n"),
        ("acme-data-dev", "acme-data-with-a-very-long-id1"),
    )
    root = checkout(tmp_path / "project", stacks={"dev": text})
    with pytest.raises(InputError) as raised:
        naming.gcp_names(load_stack(root, "dev"))
    found = {d.path: d for d in raised.value.diagnostics.items}
    assert set(found) == {"platform.gcp.data_fusion.name", f"platform.gcp.lake.zones.{long}"}
    lines = text.splitlines()
    for diagnostic in found.values():
        assert long in lines[diagnostic.position.line - 1]
        assert diagnostic.position.column > 1
        assert "limit of" in diagnostic.message
        assert diagnostic.code == "DP221"


@pytest.mark.parametrize("stack", STACKS)
def test_check_names_finds_nothing_wrong_with_the_samples(stack: str) -> None:
    assert not naming.check_names(load_stack(ROOT, stack))


@pytest.mark.parametrize("stack", STACKS)
def test_every_name_that_is_registered_fits_its_limit(stack: str) -> None:
    table = json.loads((ROOT / "infra/name_limits.json").read_text(encoding="utf-8"))
    seen = set()
    for resource in recorded(stack):
        if resource.type in table:
            name = str(resource.inputs[table[resource.type]["field"]])
            assert naming.problem(resource.type, name) is None, resource.urn
            seen.add(resource.type)
    assert seen >= set(LIMITS), "what every sample has; other parts have tests of their own"


def test_the_generation_is_part_of_the_key_rings_name() -> None:
    assert naming.key_ring_name("data-platform", "dev", 1) == "data-platform-dev"
    assert naming.key_ring_name("data-platform", "dev", 2) == "data-platform-dev-g2"


@pytest.mark.parametrize(
    ("location", "expected"),
    [(None, "europe-west1"), ("EU", "europe"), ("us", "us"), ("ASIA", "asia"), ("europe-north1", "europe-north1")],
)
def test_the_lakes_key_is_where_its_buckets_are(location: str | None, expected: str) -> None:
    assert naming.key_location("europe-west1", location) == expected
