"""Named scalars: what a string in a stack file or a definition may be.

Each name says what the value is in the field's own terms, so that models read as a specification. Patterns are the
services' (Google's resource name rules as in the google provider and its documentation); none of them asks a cloud.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints

_ISO_DURATION = re.compile(
    r"P(?=.)(?:(?P<days>[0-9]{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>[0-9]{1,6})H)?(?:(?P<minutes>[0-9]{1,6})M)?(?:(?P<seconds>[0-9]{1,6})S)?)?"
)
_CIDR = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}/[0-9]{1,2}")


def _iso_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _ISO_DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected an ISO 8601 duration of days, hours, minutes and seconds, such as PT10M or P90D")
    return timedelta(**{unit: int(number) for unit, number in match.groupdict().items() if number})


def iso_duration(value: timedelta) -> str:
    """The ISO 8601 text of a duration of whole seconds, `P90D` or `PT1H30M`."""
    days, rest = divmod(int(value.total_seconds()), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    time = "".join(f"{n}{u}" for n, u in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
    return f"P{f'{days}D' if days else ''}{f'T{time}' if time else ''}" if days or time else "PT0S"


def _cidr(value: str) -> str:
    try:
        if not _CIDR.fullmatch(value):
            raise ValueError("a range is an address, '/' and the length of its prefix")
        ipaddress.IPv4Network(value, strict=True)
    except ValueError as error:
        raise ValueError(
            f"expected an IPv4 range in CIDR form with no host bits set, such as 10.0.0.0/22 ({error})"
        ) from None
    return value


ApiName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9.-]{1,80}$")]
"""An API of Google Cloud without its domain, `bigquery`; those that there are, are in `dataplatform.config.apis`."""

BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")]
"""Name of a Cloud Storage bucket, without gs://."""

Duration = Annotated[timedelta, BeforeValidator(_iso_duration), PlainSerializer(iso_duration, return_type=str)]
"""ISO 8601 duration in days, hours, minutes, seconds."""

Cidr = Annotated[str, AfterValidator(_cidr)]
"""An IPv4 network, `10.0.0.0/22`."""

EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{0,11}$")]
"""Short name of an environment (`dev`, `qa`, `prod`, `pr123`); it is part of physical names."""

FunctionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,61}[a-z0-9]$")]
"""Name of a Cloud Function, which is a part of its URL."""

GcpProjectId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
"""A Google Cloud project id: 6 to 30 characters, lower case, digits, hyphens."""

GcpRegion = Annotated[str, StringConstraints(pattern=r"^[a-z]+-[a-z]+[0-9]{1,2}$")]
"""A Google Cloud region, `europe-west1`; that it exists is checked against `dataplatform.config.regions`."""

LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,63}$")]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$|^[a-z]$")]
"""A key we build physical names from: lower case letters, digits, single words joined by hyphens."""

SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,254}$")]
"""Name of a Secret Manager secret, and of the stack's secure configuration key that holds its value."""

AzurePrefix = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{1,9}$")]
"""What the names of a company's resources on Azure begin with: 2 to 10 characters, because a storage account has 24."""

AzureLocation = Annotated[str, StringConstraints(pattern=r"^[a-z]+[0-9]?$")]
"""An Azure region by its name, `westeurope`; that it exists is checked against the list in `config.azure.locations`."""

Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A GUID as Azure writes it: lower case, with hyphens."""
