"""Rules for the settings of a Composer environment: generation, network ranges, windows, snapshots, workloads.

Source: the checks of the google provider (google_composer_environment, terraform-provider-google-beta 93c65b2d60), and
Google's pages on maintenance windows and scheduled snapshots.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from dataplatform.config.document import Path
from dataplatform.config.gcp.composer import Composer, ComposerNetwork
from dataplatform.config.options import cron_problem
from dataplatform.config.platform import Gcp
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_HOURS_A_WEEK = 12
_ONLY_3 = ("network_attachment", "internal_range", "functions_routing")
_ONLY_2 = (
    "pods",
    "services",
    "pods_range_name",
    "services_range_name",
    "connection_subnetwork",
    "master",
    "cloud_sql",
    "tenant",
    "public_ranges",
    "public_endpoint",
    "ip_masquerade",
)
_ONLY_PRIVATE = ("connection_subnetwork", "master", "cloud_sql", "tenant", "public_ranges", "public_endpoint")
_ONLY_PEERING = ("cloud_sql", "tenant")
_LENGTHS = {"internal_range": 20, "master": 28}
_LEAST = {"cloud_sql": 24, "tenant": 24}
_CRON_FIELDS = 5


def settings_rules(gcp: Gcp, composer: Composer, at: Path, findings: Findings) -> None:
    """Run them all."""
    _generation(composer, at, findings)
    _network(composer, at, findings)
    _maintenance(composer, at, findings)
    _snapshots(gcp, composer, at, findings)
    _workload_secrets(gcp, composer, at, findings)


def _other(path: Path, what: str, generation: int, at: Path, findings: Findings) -> None:
    remedy = f"take it out, or use Composer {generation}"
    image: Path = (*at, "image_version")
    findings.tell("DP212", path, f"{what} is of Composer {generation} only", remedy, needs=(image,), key=True)


def _generation(composer: Composer, at: Path, findings: Findings) -> None:
    if composer.generation == 2:
        for name in ("private_builds", "web_server_plugins", "workload_secrets", "workload_config_maps"):
            if name in composer.model_fields_set and getattr(composer, name) not in (False, {}, None):
                _other((*at, name), name, 3, at, findings)
    elif composer.control_plane_access:
        _other((*at, "control_plane_access"), "control_plane_access", 2, at, findings)
    if composer.retention is not None and composer.retention.task_logs is not None and composer.generation == 3:
        _other((*at, "retention", "task_logs"), "where task logs are kept", 2, at, findings)


def _network(composer: Composer, above: Path, findings: Findings) -> None:
    network = composer.network
    if network is None:
        return
    at: Path = (*above, "network")
    wrong, generation = (_ONLY_3, 3) if composer.generation == 2 else (_ONLY_2, 2)
    for name in wrong:
        if getattr(network, name):
            _other((*at, name), name, generation, above, findings)
    _whole(composer, network, at, findings)
    if composer.generation == 2:
        _private(composer, network, above, findings)
    for name, length in _LENGTHS.items():
        held = getattr(network, name)
        if held is not None and ipaddress.IPv4Network(held).prefixlen != length:
            findings.tell("DP230", (*at, name), f"{held} is not a /{length}", f"write a range that ends in /{length}")
    for name, length in _LEAST.items():
        held = getattr(network, name)
        if held is not None and ipaddress.IPv4Network(held).prefixlen > length:
            remedy = f"write a range that ends in /{length} or a smaller number"
            findings.tell("DP230", (*at, name), f"{held} is smaller than a /{length}", remedy)
    for one, other in (("pods", "pods_range_name"), ("services", "services_range_name")):
        if getattr(network, one) is not None and getattr(network, other) is not None:
            message = f"{one} and {other} both say which range it is"
            findings.tell("DP212", (*at, one), message, "take one of them out", needs=((*at, other),), key=True)


def _whole(composer: Composer, network: ComposerNetwork, at: Path, findings: Findings) -> None:
    """Network and subnetwork, or in generation 3 an attachment, which knows them."""
    links = {"network": network.network, "subnetwork": network.subnetwork}
    parts: tuple[Path, ...] = tuple((*at, name) for name in (*links, "network_attachment"))
    missing = [name for name, link in links.items() if link is None]
    if network.network_attachment is not None and composer.generation == 3:
        for name, link in links.items():
            if link is not None:
                message = f"a network attachment knows its {name}, and the service takes one or the other"
                findings.tell("DP212", (*at, name), message, "take one of them out", needs=parts, key=True)
    elif missing:
        remedy = f"add {' and '.join(missing)}" + (
            ", or name a network_attachment instead" if composer.generation == 3 else ""
        )
        findings.tell("DP212", at, f"the network has no {' and no '.join(missing)}", remedy, needs=parts, key=True)
    if network.functions_routing == "via_network_attachment" and network.network_attachment is None:
        message = "there is no network attachment that calls of functions could go through"
        findings.tell("DP212", (*at, "functions_routing"), message, "add network_attachment", needs=parts)


def _private(composer: Composer, network: ComposerNetwork, above: Path, findings: Findings) -> None:
    at: Path = (*above, "network")
    for name in _ONLY_PRIVATE:
        if getattr(network, name) and not composer.private:
            message = f"{name} belongs to a private environment"
            needs: tuple[Path, ...] = ((*above, "private"),)
            findings.tell("DP212", (*at, name), message, "write private: true, or take it out", needs=needs, key=True)
    peers = network.connection == "vpc_peering"
    for name in _ONLY_PEERING if not peers else ("connection_subnetwork",):
        if getattr(network, name):
            other = "vpc_peering" if not peers else "private_service_connect"
            remedy = f"take it out, or write connection: {other}"
            message = f"{name} belongs to connection: {other}"
            findings.tell("DP212", (*at, name), message, remedy, needs=((*at, "connection"),), key=True)


def _maintenance(composer: Composer, above: Path, findings: Findings) -> None:
    window = composer.maintenance
    if window is None:
        return
    at: Path = (*above, "maintenance")
    total = len(set(window.days)) * window.hours
    if total < _HOURS_A_WEEK:
        findings.tell(
            "DP125",
            (*at, "hours"),
            f"the window has {total} hours a week, and the service wants {_HOURS_A_WEEK}",
            "make it longer, or add days",
            needs=((*at, "days"),),
        )


def _snapshots(gcp: Gcp, composer: Composer, above: Path, findings: Findings) -> None:
    snapshots = composer.snapshots
    if snapshots is None:
        return
    at: Path = (*above, "snapshots")
    fields = snapshots.schedule.split()
    if len(fields) != _CRON_FIELDS:
        message = f"{shown(snapshots.schedule)} has {len(fields)} fields"
        findings.tell("DP124", (*at, "schedule"), message, "write minute, hour, day, month, weekday, such as 0 4 * * *")
    elif (wrong := cron_problem(snapshots.schedule)) is not None:
        findings.tell("DP124", (*at, "schedule"), *wrong)
    zones = list(gcp.lake.zones) if gcp.lake is not None else []
    if snapshots.location.startswith("$bucket:"):
        zone = snapshots.location.removeprefix("$bucket:").partition("/")[0]
        if zone not in zones:
            hint = nearest(zone, zones) if zones else "add gcp.lake, or write gs://<bucket>/<folder>"
            message = f"the lake has no zone {shown(zone)}"
            findings.tell("DP218", (*at, "location"), message, hint, needs=(("gcp", "lake"),))


def _workload_secrets(gcp: Gcp, composer: Composer, at: Path, findings: Findings) -> None:
    for name, keys in composer.workload_secrets.items():
        for key, secret in keys.items():
            if secret not in gcp.secrets:
                hint = nearest(secret, gcp.secrets) if gcp.secrets else "declare it under gcp.secrets"
                message = f"{shown(secret)} is none of the stack's secrets"
                findings.tell("DP218", (*at, "workload_secrets", name, key), message, hint, needs=(("gcp", "secrets"),))
