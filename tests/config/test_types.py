"""Named scalars at their edges."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from dataplatform.config.types import Cidr, Duration, EnvironmentName, GcpProjectId, GcpRegion, Name, iso_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("P1D", 86400), ("PT1H30M", 5400), ("P1DT1S", 86401), ("PT0S", 0), ("PT90S", 90), ("P999999D", 999999 * 86400)],
)
def test_durations(text: str, seconds: int) -> None:
    value = TypeAdapter(Duration).validate_python(text)
    assert value == timedelta(seconds=seconds)
    assert TypeAdapter(Duration).validate_python(iso_duration(value)) == value


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "1D", "P1Y", "P1W", "P-1D", "P1.5D", "p1d", "P1D\n", " P1D", "P9999999D",
     "P" + "9" * 400 + "D", "P\u0663D", "PT5", 5, None, True, [], {}],
)  # fmt: skip
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@pytest.mark.parametrize("text", ["10.0.0.0/22", "0.0.0.0/0", "192.168.1.1/32"])
def test_ranges(text: str) -> None:
    assert TypeAdapter(Cidr).validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1/22", "10.0.0.0", "10.0.0.0/33", "10.0.0/22", "010.0.0.0/22", "10.0.0.0/255.255.252.0", "fd00::/8",
     "10.0.0.0/22\n", " 10.0.0.0/22", "256.0.0.0/8", ""],
)  # fmt: skip
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Cidr).validate_python(text)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (EnvironmentName, ["dev", "pr123", "a"], ["", "Dev", "1dev", "a-b", "a" * 13, "dev\n", "d\u00e9v"]),
        (
            GcpProjectId,
            ["acme-data-dev", "a12345"],
            ["acme", "Acme-data", "acme-data-", "1acme-data", "a" * 31, "acme_data"],
        ),
        (GcpRegion, ["europe-west1", "us-east4"], ["europe-west", "EUROPE-WEST1", "europe-west1-b", "eu"]),
        (Name, ["a", "core", "a-b-1", "a" * 32], ["", "-a", "a-", "A", "a_b", "a" * 33, "a\n"]),
    ],
)
def test_names(kind: Any, right: list[str], wrong: list[str]) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    for text in right:
        assert adapter.validate_python(text) == text
    for text in wrong:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)
