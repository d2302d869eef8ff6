"""Rules between the fields of a stack, checked before any engine starts.

A rule is a function of the model; what it finds is recorded at the place in the file. The model may lack what the file
has wrong (see `best_effort` in `dataplatform.config.stackfile`): `Findings` drops a finding that rests on such a part.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from dataplatform.config.document import Node, Path
from dataplatform.config.findings import AT, Findings
from dataplatform.config.gcp.lake import Zone
from dataplatform.config.plaintext import REMEDY, plain_secret
from dataplatform.config.platform import Gcp, Platform
from dataplatform.config.regions import MULTI_REGIONS, REGIONS, bucket_location_exists
from dataplatform.config.rules_azure import azure_rules
from dataplatform.config.rules_cloud_sql import cloud_sql_rules
from dataplatform.config.rules_composer import composer_rules
from dataplatform.config.rules_network import network_rules
from dataplatform.config.stepproperties import PLACEHOLDER
from dataplatform.config.text import dotted, shown
from dataplatform.diagnostics import nearest

_MEMBER = re.compile(r"(?:user|group|serviceAccount|domain|principal|principalSet|deleted:\w+):.*[^\s]|\$[a-z_]+")
_MAX_RETENTION = timedelta(days=36525)
_COLDER: Final = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")


def check_platform(platform: Platform, findings: Findings) -> None:
    """Run every rule over a stack."""
    gcp = platform.gcp
    if gcp is None and platform.azure is None:
        findings.tell(
            "DP218",
            (),
            "the stack has no cloud: its up would delete all it had",
            "add gcp, azure or both",
            needs=(("gcp",), ("azure",)),
        )
        return
    if platform.azure is not None:
        azure_rules(platform.azure, findings)
    if gcp is None:
        if platform.pipelines is not None:
            findings.tell(
                "DP216",
                ("pipelines",),
                "the stack has pipelines, and nothing on Google Cloud to run them",
                "add gcp with composer or workflows, or take pipelines out",
                needs=(("gcp",),),
                key=True,
            )
        return
    for rule in (_regions, _kms, _lake, _secrets, _data_fusion):
        rule(gcp, findings)
    composer_rules(gcp, findings)
    network_rules(gcp, findings)
    cloud_sql_rules(gcp, findings)
    _labels(platform, findings)
    if platform.pipelines is not None and gcp.composer is None and gcp.workflows is None:
        findings.tell(
            "DP216",
            ("pipelines",),
            "the stack has pipelines, and neither composer nor workflows to run them",
            "add gcp.composer or gcp.workflows (`workflows: {}` is enough), or take pipelines out",
            needs=(("gcp", "composer"), ("gcp", "workflows")),
            key=True,
        )


def _region(region: str | None, path: Path, findings: Findings) -> None:
    if region is not None and region not in REGIONS:
        findings.tell("DP210", path, f"there is no region {shown(region)}", nearest(region, REGIONS))


def _regions(gcp: Gcp, findings: Findings) -> None:
    _region(gcp.region, ("gcp", "region"), findings)
    _region(gcp.executors.region, ("gcp", "executors", "region"), findings)
    location = gcp.lake.location if gcp.lake else None
    if location is not None and not bucket_location_exists(location):
        hint = nearest(location, REGIONS | MULTI_REGIONS)
        findings.tell("DP210", ("gcp", "lake", "location"), f"there is no location {shown(location)}", hint)


def _kms(gcp: Gcp, findings: Findings) -> None:
    kms = gcp.kms
    if kms.rotation_period < timedelta(days=1):
        findings.tell(
            "DP125", ("gcp", "kms", "rotation_period"), "keys cannot rotate more often than daily", "write P1D or more"
        )
    if not timedelta(days=1) <= kms.destroy_scheduled_duration <= timedelta(days=120):
        findings.tell(
            "DP125",
            ("gcp", "kms", "destroy_scheduled_duration"),
            "a key version waits between 1 and 120 days before it is destroyed",
            "write P1D to P120D",
        )


def _lake(gcp: Gcp, findings: Findings) -> None:
    lake = gcp.lake
    if lake is None:
        return
    at: Path = ("gcp", "lake", "zones")
    if not lake.zones:
        findings.tell("DP215", at, "the lake has no zone", "name one, or leave zones out for the three usual ones")
    for name, zone in lake.zones.items():
        _zone(zone, (*at, name), findings)


def _zone(zone: Zone, at: Path, findings: Findings) -> None:
    retention = zone.retention
    if retention is not None:
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
    by_age = sorted(zone.lifecycle.items(), key=lambda item: (item[1].age_days, item[0]))
    coldness, before, ends = _COLDER.index(zone.storage_class), f"storage_class {zone.storage_class}", ""
    needs: tuple[Path, ...] = ((*at, "storage_class"),)
    for name, rule in by_age:
        path: Path = (*at, "lifecycle", name)
        if ends:
            message = f"after {rule.age_days} days nothing is left: rule {shown(ends)} has deleted it"
            findings.tell("DP215", path, message, "give it a lower age_days, or take it out", key=True, needs=needs)
        elif rule.action == "delete":
            ends = name
            if retention is not None and timedelta(days=rule.age_days) < retention:
                findings.tell(
                    "DP215",
                    (*path, "age_days"),
                    f"it deletes after {rule.age_days} days what retention keeps for longer",
                    "raise age_days to the retention period",
                    needs=((*at, "retention"),),
                )
        else:
            target = _COLDER.index(rule.action.upper())
            if target <= coldness:
                findings.tell(
                    "DP215",
                    (*path, "action"),
                    f"after {rule.age_days} days objects are {before} already, which is not warmer than {rule.action}",
                    "let classes grow colder with age: nearline, coldline, archive",
                    needs=needs,
                )
            coldness, before = max(coldness, target), rule.action
        needs = (*needs, (*path, "age_days"), (*path, "action"))


def _secrets(gcp: Gcp, findings: Findings) -> None:
    for name, secret in gcp.secrets.items():
        path: Path = ("gcp", "secrets", name)
        if name == "platform":
            findings.tell("DP205", path, "the key data-platform:platform is the stack itself", "choose another name")
        for i, accessor in enumerate(secret.accessors):
            here = (*path, "accessors", i)
            if accessor in ("allUsers", "allAuthenticatedUsers"):
                findings.tell("DP124", here, f"{shown(accessor)} would publish the secret", "name who may read it")
            elif not _MEMBER.fullmatch(accessor):
                findings.tell(
                    "DP124",
                    here,
                    f"{shown(accessor)} is not a member",
                    "write user:…, group:…, serviceAccount:… or an identity of the stack such as $composer",
                )


def _data_fusion(gcp: Gcp, findings: Findings) -> None:
    fusion = gcp.data_fusion
    if fusion is None:
        return
    at: Path = ("gcp", "data_fusion")
    network, network_at = fusion.network, (*at, "network")
    if network is None:
        if fusion.private:
            findings.tell(
                "DP211",
                (*at, "private"),
                "a private instance needs a network",
                "add network: {connection: vpc_peering, network: …, ip_allocation: …}",
                needs=(network_at,),
            )
        return
    if not fusion.private:
        findings.tell(
            "DP211",
            network_at,
            "an instance that is not private has no network",
            "write private: true, or take network out",
            needs=((*at, "private"),),
            key=True,
        )

    def wanted(field: str, example: str) -> None:
        findings.tell(
            "DP211",
            network_at,
            f"{network.connection} needs {field}",
            f"add {field}: {example}",
            needs=((*network_at, field), (*network_at, "connection")),
            key=True,
        )

    def unwanted(field: str, other: str) -> None:
        findings.tell(
            "DP211",
            (*network_at, field),
            f"{field} belongs to {other}",
            f"take it out, or write connection: {other}",
            needs=((*network_at, "connection"),),
        )

    if network.connection == "vpc_peering":
        if network.network is None:
            wanted("network", "projects/<project>/global/networks/<name>")
        if network.ip_allocation is None:
            wanted("ip_allocation", "10.89.48.0/22")
        elif not network.ip_allocation.endswith("/22"):
            findings.tell(
                "DP211",
                (*network_at, "ip_allocation"),
                f"an instance takes a range of 1024 addresses, and {network.ip_allocation} is another size",
                "write a range that ends in /22",
            )
        if network.network_attachment is not None:
            unwanted("network_attachment", "private_service_connect")
    else:
        if network.network_attachment is None:
            wanted("network_attachment", "projects/<project>/regions/<region>/networkAttachments/<name>")
        if network.ip_allocation is not None:
            unwanted("ip_allocation", "vpc_peering")
        if network.network is not None:
            unwanted("network", "vpc_peering")


def _labels(platform: Platform, findings: Findings) -> None:
    for key in platform.labels:
        if key.startswith("goog"):
            remedy = "choose a key that does not begin with goog"
            findings.tell("DP124", ("labels", key), f"the label {shown(key)} is reserved", remedy, key=True)


def check_values(platform: Node, tell: Callable[[int, str, str, str, str], None]) -> None:
    """Plain-text secrets and placeholders among the values of a platform, whatever their place."""
    for path, key, leaf in platform.walk():
        if path[:2] == ("gcp", "secrets"):
            continue
        what = plain_secret(key, leaf.scalar)
        if what:
            tell(leaf.offset, "DP219", f"{what} in plain text", REMEDY, dotted((*AT, *path)))
        elif isinstance(leaf.scalar, str) and (placeholder := PLACEHOLDER.fullmatch(leaf.scalar)):
            message = f"the placeholder {shown(placeholder[0])} has not been filled in"
            tell(leaf.offset, "DP317", message, "write the value it stands for", dotted((*AT, *path)))
