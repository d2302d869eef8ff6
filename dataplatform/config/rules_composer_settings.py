"""Rules for the settings of a Composer environment: generation, network ranges, windows, snapshots, workloads.

Source: the checks of the google provider (google_composer_environment, terraform-provider-google-beta 93c65b2d60), and
Google's pages on maintenance windows and scheduled snapshots.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from dataplatform.config.document import Path
from dataplatform.config.gcp.composer import Composer
from dataplatform.config.platform import Gcp
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_AT: Final[Path] = ("gcp", "composer")
_IMAGE: Final[Path] = (*_AT, "image_version")
_HOURS_A_WEEK = 12
_ONLY_3 = ("network_attachment", "internal_range")
_ONLY_2 = ("pods", "services", "pods_range_name", "services_range_name", "master", "tags")
_CRON_FIELDS = 5


def settings_rules(gcp: Gcp, composer: Composer, findings: Findings) -> None:
    """Run them all."""
    _generation(composer, findings)
    _network(composer, findings)
    _maintenance(composer, findings)
    _snapshots(gcp, composer, findings)
    _workload_secrets(gcp, composer, findings)


def _other(path: Path, what: str, generation: int, findings: Findings) -> None:
    remedy = f"take it out, or use Composer {generation}"
    findings.tell("DP212", path, f"{what} is of Composer {generation} only", remedy, needs=(_IMAGE,), key=True)


def _generation(composer: Composer, findings: Findings) -> None:
    if composer.generation == 2:
        for name in ("private_builds", "web_server_plugins", "workload_secrets", "workload_config_maps"):
            if getattr(composer, name):
                _other((*_AT, name), name, 3, findings)
    if composer.retention is not None and composer.retention.task_logs is not None and composer.generation == 3:
        _other((*_AT, "retention", "task_logs"), "where task logs are kept", 2, findings)


def _network(composer: Composer, findings: Findings) -> None:
    network = composer.network
    if network is None:
        return
    at: Path = (*_AT, "network")
    wrong, generation = (_ONLY_3, 3) if composer.generation == 2 else (_ONLY_2, 2)
    for name in wrong:
        if getattr(network, name):
            _other((*at, name), name, generation, findings)
    for name, length in (("internal_range", 20), ("master", 28)):
        held = getattr(network, name)
        if held is not None and ipaddress.IPv4Network(held).prefixlen != length:
            findings.tell("DP230", (*at, name), f"{held} is not a /{length}", f"write a range that ends in /{length}")
    for one, other in (("pods", "pods_range_name"), ("services", "services_range_name")):
        if getattr(network, one) is not None and getattr(network, other) is not None:
            message = f"{one} and {other} both say which range it is"
            findings.tell("DP212", (*at, one), message, "take one of them out", needs=((*at, other),), key=True)


def _maintenance(composer: Composer, findings: Findings) -> None:
    window = composer.maintenance
    if window is None:
        return
    at: Path = (*_AT, "maintenance")
    total = len(set(window.days)) * window.hours
    if total < _HOURS_A_WEEK:
        findings.tell(
            "DP125",
            (*at, "hours"),
            f"the window has {total} hours a week, and the service wants {_HOURS_A_WEEK}",
            "make it longer, or add days",
            needs=((*at, "days"),),
        )


def _snapshots(gcp: Gcp, composer: Composer, findings: Findings) -> None:
    snapshots = composer.snapshots
    if snapshots is None:
        return
    at: Path = (*_AT, "snapshots")
    fields = snapshots.schedule.split()
    if len(fields) != _CRON_FIELDS:
        message = f"{shown(snapshots.schedule)} has {len(fields)} fields"
        findings.tell("DP124", (*at, "schedule"), message, "write minute, hour, day, month, weekday, such as 0 4 * * *")
    zones = list(gcp.lake.zones) if gcp.lake is not None else []
    if snapshots.location.startswith("$bucket:"):
        zone = snapshots.location.removeprefix("$bucket:").partition("/")[0]
        if zone not in zones:
            hint = nearest(zone, zones) if zones else "add gcp.lake, or write gs://<bucket>/<folder>"
            message = f"the lake has no zone {shown(zone)}"
            findings.tell("DP218", (*at, "location"), message, hint, needs=(("gcp", "lake"),))


def _workload_secrets(gcp: Gcp, composer: Composer, findings: Findings) -> None:
    for name, keys in composer.workload_secrets.items():
        for key, secret in keys.items():
            if secret not in gcp.secrets:
                hint = nearest(secret, gcp.secrets) if gcp.secrets else "declare it under gcp.secrets"
                message = f"{shown(secret)} is none of the stack's secrets"
                findings.tell(
                    "DP218", (*_AT, "workload_secrets", name, key), message, hint, needs=(("gcp", "secrets"),)
                )
