"""Rules of the lake: what of a zone goes with what.

Sources: Google's documentation of Cloud Storage, "Object Lifecycle Management", "Bucket Lock", "Soft delete",
"Autoclass", "Managed folders" and "Pub/Sub notifications".
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dataplatform.config.document import Path
from dataplatform.config.gcp.lake import LifecycleRule, Zone
from dataplatform.config.members import check_members
from dataplatform.config.platform import Gcp, Platform
from dataplatform.config.regions import MULTI_REGIONS, REGIONS, bucket_location_exists
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_MAX_RETENTION = timedelta(days=36525)
_COLDER: Final = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")
_CLASSES: Final = ("nearline", "coldline", "archive")
_CONDITIONS: Final = ("age_days", "noncurrent_days", "newer_versions", "state", "prefixes", "suffixes")
_NOTIFICATIONS: Final = 100


def lake_rules(platform: Platform, gcp: Gcp, findings: Findings) -> None:
    """The rules of every zone."""
    lake = gcp.lake
    if lake is None:
        return
    if lake.location is not None and not bucket_location_exists(lake.location):
        hint = nearest(lake.location, REGIONS | MULTI_REGIONS)
        findings.tell("DP210", ("gcp", "lake", "location"), f"there is no location {shown(lake.location)}", hint)
    at: Path = ("gcp", "lake", "zones")
    if not lake.zones:
        findings.tell("DP215", at, "the lake has no zone", "name one, or leave zones out for the three usual ones")
    for name, zone in lake.zones.items():
        here = (*at, name)
        _retention(platform, zone, here, findings)
        _soft_delete(zone, here, findings)
        _lifecycle(zone, here, findings)
        _access(gcp, zone, here, findings)
        if len(zone.notifications) > _NOTIFICATIONS:
            message = f"a bucket has at most {_NOTIFICATIONS} notifications, not {len(zone.notifications)}"
            findings.tell("DP215", (*here, "notifications"), message, "let one topic have several readers", key=True)
        for key, notification in zone.notifications.items():
            if not notification.events:
                message = "a notification of no event tells nothing"
                events: Path = (*here, "notifications", key, "events")
                findings.tell("DP215", events, message, "name one, such as finalize", needs=((*events, 0),))


def _retention(platform: Platform, zone: Zone, at: Path, findings: Findings) -> None:
    retention = zone.retention
    if retention is None:
        if zone.lock_retention:
            findings.tell(
                "DP215",
                (*at, "lock_retention"),
                "there is no retention to lock",
                "add retention, or take the lock out",
                needs=((*at, "retention"),),
            )
        return
    if not timedelta(seconds=1) <= retention <= _MAX_RETENTION:
        findings.tell("DP125", (*at, "retention"), "retention is out of range", "write PT1S to P36525D (100 years)")
    if zone.versioning:
        findings.tell(
            "DP215",
            (*at, "retention"),
            "a bucket cannot have both a retention period and versioning, which is on by default",
            "write versioning: false, or take retention out",
            needs=((*at, "versioning"),),
        )
    if zone.force_destroy:
        findings.tell(
            "DP215",
            (*at, "force_destroy"),
            "objects under retention cannot be deleted, whatever force_destroy says",
            "keep one of retention and force_destroy",
            needs=((*at, "retention"),),
        )
    if zone.lock_retention and not platform.protect:
        findings.tell(
            "DP215",
            (*at, "lock_retention"),
            "a lock can never be taken back, and the stack says that what it holds may be deleted",
            "write protect: true, or take the lock out",
            needs=(("protect",),),
        )


def _soft_delete(zone: Zone, at: Path, findings: Findings) -> None:
    kept = zone.soft_delete
    if kept is not None and kept != timedelta() and not timedelta(days=7) <= kept <= timedelta(days=90):
        message = "deleted objects can be restored for 7 to 90 days, or not at all"
        findings.tell("DP125", (*at, "soft_delete"), message, "write P7D to P90D, or PT0S")


def _lifecycle(zone: Zone, at: Path, findings: Findings) -> None:
    for name, rule in zone.lifecycle.items():
        _rule(zone, rule, (*at, "lifecycle", name), findings)
    if zone.autoclass is not None and zone.storage_class != "STANDARD":
        findings.tell(
            "DP215",
            (*at, "storage_class"),
            f"autoclass begins with STANDARD, and the zone says {zone.storage_class}",
            "take storage_class or autoclass out",
            needs=((*at, "autoclass"),),
        )
    _order(zone, at, findings)


def _rule(zone: Zone, rule: LifecycleRule, path: Path, findings: Findings) -> None:
    given = [field for field in _CONDITIONS if getattr(rule, field) not in (None, [])]
    if not given:
        findings.tell(
            "DP215",
            path,
            "a rule without a condition would hold for every object at once",
            "add a condition, such as age_days: 30",
            needs=tuple((*path, field) for field in _CONDITIONS),
            key=True,
        )
    elif rule.action == "abort_incomplete_uploads":
        for field in given:
            if field not in ("age_days", "prefixes", "suffixes"):
                findings.tell(
                    "DP215",
                    (*path, field),
                    f"an upload that was never completed has no {field}",
                    "use age_days, prefixes or suffixes",
                    needs=((*path, "action"),),
                )
    if not zone.versioning:
        for field in ("noncurrent_days", "newer_versions"):
            if field in given:
                findings.tell(
                    "DP215",
                    (*path, field),
                    "the zone keeps no older versions",
                    "write versioning: true, or take it out",
                    needs=((*path[:-2], "versioning"),),
                )
    if zone.autoclass is not None and rule.action in _CLASSES:
        findings.tell(
            "DP215",
            (*path, "action"),
            "autoclass chooses the class of every object, so a rule must not",
            "take the rule or autoclass out",
            needs=((*path[:-2], "autoclass"),),
        )


def _order(zone: Zone, at: Path, findings: Findings) -> None:
    """Rules that hold for all objects by their age alone: each class is colder, and nothing follows deletion."""
    plain = [
        (rule.age_days, name, rule)
        for name, rule in zone.lifecycle.items()
        if rule.age_days is not None
        and rule.action != "abort_incomplete_uploads"
        and all(getattr(rule, field) in (None, []) for field in _CONDITIONS[1:])
    ]
    coldness, before, ends = _COLDER.index(zone.storage_class), f"storage_class {zone.storage_class}", ""
    needs: tuple[Path, ...] = ((*at, "storage_class"),)
    for days, name, rule in sorted(plain, key=lambda item: item[:2]):
        path: Path = (*at, "lifecycle", name)
        if ends:
            message = f"after {days} days nothing is left: rule {shown(ends)} has deleted it"
            findings.tell("DP215", path, message, "give it a lower age_days, or take it out", key=True, needs=needs)
        elif rule.action == "delete":
            ends = name
            if zone.retention is not None and timedelta(days=days) < zone.retention:
                findings.tell(
                    "DP215",
                    (*path, "age_days"),
                    f"it deletes after {days} days what retention keeps for longer",
                    "raise age_days to the retention period",
                    needs=((*at, "retention"),),
                )
        elif zone.autoclass is None:
            target = _COLDER.index(rule.action.upper())
            if target <= coldness:
                findings.tell(
                    "DP215",
                    (*path, "action"),
                    f"after {days} days objects are {before} already, which is not warmer than {rule.action}",
                    "let classes grow colder with age: nearline, coldline, archive",
                    needs=needs,
                )
            coldness, before = max(coldness, target), rule.action
        needs = (*needs, (*path, "age_days"), (*path, "action"))


def _access(gcp: Gcp, zone: Zone, at: Path, findings: Findings) -> None:
    places: list[tuple[Path, list[str], list[str]]] = [(at, zone.readers, zone.writers)]
    for name, folder in zone.folders.items():
        here: Path = (*at, "folders", name)
        places.append((here, folder.readers, folder.writers))
        if not folder.readers and not folder.writers:
            message = "a managed folder without readers and writers is a prefix like any other"
            findings.tell("DP215", here, message, "add readers or writers, or take it out", key=True)
    for path, readers, writers in places:
        check_members(gcp, readers, (*path, "readers"), findings, public="would publish what is in it")
        check_members(gcp, writers, (*path, "writers"), findings, public="would let everybody write")
        for index, member in enumerate(readers):
            if member in writers:
                message = f"{shown(member)} is a writer, who reads too"
                findings.tell("DP215", (*path, "readers", index), message, "take it out of readers")
