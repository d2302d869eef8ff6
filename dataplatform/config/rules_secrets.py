"""Rules of Secret Manager: readers, places, rotation, expiry, and the names Airflow looks for.

Sources: Google's documentation of Secret Manager, "Create rotation schedules", "Create secrets with an expiration date"
and "Delay destruction of secret versions".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from dataplatform.config.document import Path
from dataplatform.config.gcp.secrets import Secret
from dataplatform.config.members import check_members
from dataplatform.config.platform import Gcp
from dataplatform.config.regions import REGIONS
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_CENTURY = timedelta(days=36525)
_ANNOTATION_BYTES: Final = 16 * 1024


def secret_rules(gcp: Gcp, findings: Findings) -> None:
    """The rules of every secret."""
    taken: dict[str, str] = {}
    for name, secret in gcp.secrets.items():
        at: Path = ("gcp", "secrets", name)
        if name == "platform":
            findings.tell("DP205", at, "the key data-platform:platform is the stack itself", "choose another name")
        # References of accessors are looked up with the names, where they always were.
        check_members(
            gcp, secret.accessors, (*at, "accessors"), findings, public="would publish the secret", references=False
        )
        _places(secret, at, findings)
        _airflow(gcp, name, secret, taken, at, findings)
        _rotation(secret, at, findings)
        _expiry(secret, at, findings)
        if sum(len(k.encode()) + len(v.encode()) for k, v in secret.annotations.items()) > _ANNOTATION_BYTES:
            message = "the annotations have more than 16 KiB together"
            findings.tell("DP262", (*at, "annotations"), message, "shorten them", key=True)


def fixed_names(gcp: Gcp) -> dict[Path, str]:
    """What has a name without the environment, by where it is said: it can be in a project once only."""
    found: dict[Path, str] = {}
    for key, secret in gcp.secrets.items():
        if secret.airflow_connection is not None:
            found["gcp", "secrets", key, "airflow_connection"] = f"airflow-connections-{secret.airflow_connection}"
        elif secret.airflow_variable is not None:
            found["gcp", "secrets", key, "airflow_variable"] = f"airflow-variables-{secret.airflow_variable}"
    for name, dataset in (gcp.bigquery.datasets if gcp.bigquery is not None else {}).items():
        if dataset.id is not None:
            found["gcp", "bigquery", "datasets", name, "id"] = f"dataset {dataset.id}"
    return found


def _places(secret: Secret, at: Path, findings: Findings) -> None:
    for index, region in enumerate(secret.locations):
        here = (*at, "locations", index)
        if region not in REGIONS:
            findings.tell("DP210", here, f"there is no region {shown(region)}", nearest(region, REGIONS))
        elif region in secret.locations[:index]:
            findings.tell("DP262", here, f"{shown(region)} stands here twice", "take one of them out")


def _airflow(gcp: Gcp, name: str, secret: Secret, taken: dict[str, str], at: Path, findings: Findings) -> None:
    fields = {"airflow_connection": secret.airflow_connection, "airflow_variable": secret.airflow_variable}
    given = [field for field, value in fields.items() if value is not None]
    if len(given) == 2:
        findings.tell(
            "DP262",
            (*at, given[1]),
            "a secret is a connection or a variable, not both",
            "take one of them out",
            key=True,
        )
        return
    for field in given:
        whole = f"{field} {fields[field]}"
        if whole in taken:
            message = f"the secret {shown(taken[whole])} is this {field.replace('_', ' ')} already"
            findings.tell("DP262", (*at, field), message, "give each its own")
        taken[whole] = name
        if gcp.composer is not None and "$composer" not in secret.accessors:
            findings.tell(
                "DP262",
                (*at, field),
                "the stack's Airflow looks for it, and may not read it",
                "add $composer to accessors",
                needs=((*at, "accessors"), ("gcp", "composer")),
                key=True,
            )


def _rotation(secret: Secret, at: Path, findings: Findings) -> None:
    rotation = secret.rotation
    if rotation is None:
        return
    if not timedelta(hours=1) <= rotation.period <= _CENTURY:
        findings.tell(
            "DP125", (*at, "rotation", "period"), "a rotation period is out of range", "write PT1H to P36525D"
        )
    first = _moment(rotation.first, (*at, "rotation", "first"), findings)
    end = _moment(secret.expire_time) if secret.expire_time else None
    if first is not None and end is not None and first >= end:
        findings.tell(
            "DP262",
            (*at, "rotation", "first"),
            "the secret is deleted before it is first to be renewed",
            "let expire_time be later, or take one of them out",
            needs=((*at, "expire_time"),),
        )


def _expiry(secret: Secret, at: Path, findings: Findings) -> None:
    if secret.expire_time is not None:
        _moment(secret.expire_time, (*at, "expire_time"), findings)
    if secret.ttl is not None:
        if secret.expire_time is not None:
            message = "a secret has a lifetime or a time of its end, not both"
            findings.tell("DP262", (*at, "ttl"), message, "keep one of ttl and expire_time", key=True)
        if not timedelta(minutes=1) <= secret.ttl <= _CENTURY:
            findings.tell("DP125", (*at, "ttl"), "a lifetime is out of range", "write PT1M to P36525D")
    delay = secret.version_destroy_delay
    if delay is not None and not timedelta(days=1) <= delay <= timedelta(days=1000):
        message = "a destroyed version waits between 1 and 1000 days"
        findings.tell("DP125", (*at, "version_destroy_delay"), message, "write P1D to P1000D")


def _moment(text: str, at: Path | None = None, findings: Findings | None = None) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        if at is not None and findings is not None:
            findings.tell("DP262", at, f"there is no moment {shown(text)}", "write one such as 2030-01-31T06:00:00Z")
        return None
