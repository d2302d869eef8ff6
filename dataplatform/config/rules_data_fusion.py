"""Rules of a Data Fusion instance: its version, its edition, its network, who may use it.

Sources: Google's documentation of Data Fusion ("Version support policy", "Role-based access control overview",
"Configure maintenance windows", "Create a private instance"); the figures are in `fusion_facts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplatform.config.document import Path
from dataplatform.config.fusion_facts import EDITIONS, MAINTENANCE_SINCE, SUPPORT_ENDED, VERSIONS
from dataplatform.config.gcp.data_fusion import DataFusion, DataFusionNetwork
from dataplatform.config.members import check_members
from dataplatform.config.platform import Gcp
from dataplatform.config.roles import nearest_role, unknown_role
from dataplatform.config.text import shown

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_AT: Final[Path] = ("gcp", "data_fusion")
_NETWORK: Final[Path] = (*_AT, "network")
_HOURS_A_WEEK = 12
_NEWEST: Final = max((minor, patches[-1]) for minor, patches in VERSIONS.items())
_BASIC_ROLES = ("roles/owner", "roles/editor", "roles/viewer")


def data_fusion_rules(gcp: Gcp, findings: Findings) -> None:
    """Run them all."""
    fusion = gcp.data_fusion
    if fusion is None:
        return
    _version(fusion, findings)
    _edition(fusion, findings)
    _maintenance(fusion, findings)
    _access(gcp, fusion, findings)
    _zone(gcp, fusion, findings)
    if fusion.network is None:
        if fusion.private:
            findings.tell(
                "DP211",
                (*_AT, "private"),
                "a private instance needs a network",
                "add network: {connection: vpc_peering, network: …, ip_allocation: …}",
                needs=(_NETWORK,),
            )
        return
    if not fusion.private:
        findings.tell(
            "DP211",
            _NETWORK,
            "an instance that is not private has no network",
            "write private: true, or take network out",
            needs=((*_AT, "private"),),
            key=True,
        )
    _network(fusion.network, findings)


def _version(fusion: DataFusion, findings: Findings) -> None:
    at: Path = (*_AT, "version")
    revision, version = fusion.patch_revision, fusion.version
    if version is None:
        if revision is not None:
            message = "a patch revision is one of a version, and none is named"
            remedy = f"add version: {revision.rpartition('.')[0]}"
            findings.tell("DP243", (*_AT, "patch_revision"), message, remedy, needs=(at,), key=True)
        return
    numbers = tuple(int(part) for part in version.split("."))
    if len(numbers) == 4:
        remedy = f"write version: {version.rpartition('.')[0]} and patch_revision: {version}"
        findings.tell("DP241", at, f"the fourth number of {shown(version)} is a patch revision", remedy)
        return
    if revision is not None and not revision.startswith(f"{version}."):
        message = f"{shown(revision)} is no revision of {shown(version)}"
        findings.tell("DP243", (*_AT, "patch_revision"), message, f"write one of {version}.…", needs=(at,))
    if fusion.keep_version:
        return
    minor, patch = (numbers[0], numbers[1]), numbers[2]
    newest = [f"{a}.{b}.{found[-1]}" for (a, b), found in VERSIONS.items() if (a, b) not in SUPPORT_ENDED]
    remedy = f"write {' or '.join(newest)}, or leave it out for the service's newest"
    ended = SUPPORT_ENDED.get(minor)
    if ended is not None:
        message = f"the support of {minor[0]}.{minor[1]} ended on {ended}, and no new instance can have it"
        stays = f"{remedy}; an instance that is there stays on it with keep_version: true"
        findings.tell("DP241", at, message, stays)
    elif (minor, patch) < _NEWEST and patch not in VERSIONS.get(minor, ()):
        findings.tell("DP241", at, f"there is no version {shown(version)}", remedy)


def _edition(fusion: DataFusion, findings: Findings) -> None:
    for feature in sorted(frozenset().union(*EDITIONS.values())):
        if getattr(fusion, feature) and feature not in EDITIONS[fusion.edition]:
            others = [name for name, found in EDITIONS.items() if feature in found]
            findings.tell(
                "DP243",
                (*_AT, feature),
                f"the {fusion.edition} edition has no {feature}",
                f"take it out, or write edition: {' or '.join(others)} (another edition is another instance)",
                needs=((*_AT, "edition"),),
                key=True,
            )


def _zone(gcp: Gcp, fusion: DataFusion, findings: Findings) -> None:
    if fusion.zone is not None and fusion.zone.rpartition("-")[0] != gcp.region:
        message = f"the zone {shown(fusion.zone)} is not in {gcp.region}"
        remedy = f"name one of the region, such as {gcp.region}-b"
        findings.tell("DP243", (*_AT, "zone"), message, remedy, needs=(("gcp", "region"),))


def _maintenance(fusion: DataFusion, findings: Findings) -> None:
    window = fusion.maintenance
    if window is None:
        return
    at: Path = (*_AT, "maintenance")
    total = len(set(window.days)) * window.hours
    if total < _HOURS_A_WEEK:
        message = f"the window has {total} hours a week, and the service wants {_HOURS_A_WEEK}"
        findings.tell("DP125", (*at, "hours"), message, "make it longer, or add days", needs=((*at, "days"),))
    version = tuple(int(part) for part in fusion.version.split(".")[:2]) if fusion.version else None
    if version is not None and version < MAINTENANCE_SINCE:
        since = ".".join(map(str, MAINTENANCE_SINCE))
        message = f"maintenance windows came with {since}, and the instance is of {fusion.version}"
        findings.tell("DP243", at, message, "take it out, or raise version", needs=((*_AT, "version"),), key=True)


def _access(gcp: Gcp, fusion: DataFusion, findings: Findings) -> None:
    if fusion.iam and not fusion.rbac:
        findings.tell(
            "DP243",
            (*_AT, "iam"),
            "roles on the instance count with role-based access control only",
            "write rbac: true, or take iam out and grant roles on the project",
            needs=((*_AT, "rbac"),),
            key=True,
        )
    for role, members in fusion.iam.items():
        at: Path = (*_AT, "iam", role)
        check_members(gcp, members, at, findings, public="would let everybody use the instance")
        if "$data_fusion" in members:
            message = "the clusters' own identity works for the instance, and does not use it"
            findings.tell("DP243", (*at, members.index("$data_fusion")), message, "take it out")
    for index, role_name in enumerate(fusion.roles):
        at = (*_AT, "roles", index)
        if role_name in _BASIC_ROLES:
            message = f"{role_name} is a basic role: it would let every pipeline do nearly everything in the project"
            findings.tell("DP243", at, message, "name what the pipelines need, such as roles/bigquery.jobUser")
        elif unknown_role(role_name):
            findings.tell("DP243", at, f"there is no role {shown(role_name)}", nearest_role(role_name))
        elif role_name in fusion.roles[:index]:
            findings.tell("DP243", at, f"{shown(role_name)} stands here twice", "take one of them out")


def _network(network: DataFusionNetwork, findings: Findings) -> None:
    def wanted(field: str, example: str) -> None:
        findings.tell(
            "DP211",
            _NETWORK,
            f"{network.connection} needs {field}",
            f"add {field}: {example}",
            needs=((*_NETWORK, field), (*_NETWORK, "connection")),
            key=True,
        )

    def unwanted(field: str, other: str) -> None:
        findings.tell(
            "DP211",
            (*_NETWORK, field),
            f"{field} belongs to {other}",
            f"take it out, or write connection: {other}",
            needs=((*_NETWORK, "connection"),),
        )

    if network.connection == "vpc_peering":
        if network.network is None:
            wanted("network", "projects/<project>/global/networks/<name>")
        if network.ip_allocation is None:
            wanted("ip_allocation", "10.89.48.0/22")
        elif not network.ip_allocation.endswith("/22"):
            findings.tell(
                "DP211",
                (*_NETWORK, "ip_allocation"),
                f"an instance takes a range of 1024 addresses, and {network.ip_allocation} is another size",
                "write a range that ends in /22",
            )
        for field in ("network_attachment", "unreachable_range"):
            if getattr(network, field) is not None:
                unwanted(field, "private_service_connect")
    else:
        if network.network_attachment is None:
            wanted("network_attachment", "projects/<project>/regions/<region>/networkAttachments/<name>")
        if network.ip_allocation is not None:
            unwanted("ip_allocation", "vpc_peering")
        if network.return_peering is not None:
            unwanted("return_peering", "vpc_peering")
        if network.network is not None:
            unwanted("network", "vpc_peering")
