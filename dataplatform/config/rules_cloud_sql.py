"""Rules of Cloud SQL instances: what an edition and a machine go with, and that names name what is declared.

Sources: "Cloud SQL editions", "Instance settings" (machines, write-ahead log) and "High availability" of Google's
documentation of Cloud SQL for PostgreSQL, and the provider's own words on `availability_type`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplatform.config.document import Path
from dataplatform.config.gcp.cloud_sql import CloudSql
from dataplatform.config.platform import Gcp
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_CUSTOM = re.compile(r"db-custom-([0-9]+)-([0-9]+)")
_MEMBER = re.compile(r"(?:user|group|serviceAccount):[^\s:@]+@[^\s:@]+|\$[a-z_]+")
_OURS: Final = {"cloudsql.iam_authentication": "iam_authentication"}
_IDENTITIES: Final = ("composer", "data_fusion", "workflows")
_RESERVED: Final = ("postgres", "template0", "template1", "cloudsqladmin")
_RESERVED_USERS: Final = ("cloudsqladmin", "cloudsqlsuperuser", "cloudsqlimportexport", "cloudsqlreplica")


def cloud_sql_rules(gcp: Gcp, findings: Findings) -> None:
    """The rules of every instance."""
    taken = {name: f"the secret {shown(name)}" for name in gcp.secrets}
    for name, instance in gcp.cloud_sql.items():
        at: Path = ("gcp", "cloud_sql", name)
        _machine(instance, at, findings)
        _kept(instance, at, findings)
        _way_in(instance, gcp, at, findings)
        _inside(instance, gcp, at, findings)
        _connections(instance, gcp, at, findings)
        for connection in instance.connections:
            path, secret = (*at, "connections", connection), f"sql-{name}-{connection}"
            if secret in taken:
                message = f"its secret would have the name of {taken[secret]}"
                findings.tell("DP234", path, message, "choose another name", needs=(("gcp", "secrets"),), key=True)
            taken[secret] = f"the connection {shown(connection)} of {shown(name)}"


def _machine(instance: CloudSql, at: Path, findings: Findings) -> None:
    plus, fast = instance.edition == "enterprise_plus", "perf-optimized" in instance.tier
    if plus != fast:
        machine = "db-perf-optimized-N-2" if plus else "db-custom-2-7680"
        findings.tell(
            "DP234",
            (*at, "tier"),
            f"the edition {instance.edition} has no machine {shown(instance.tier)}",
            f"write one such as {machine}, or another edition",
            needs=((*at, "edition"),),
        )
    custom = _CUSTOM.fullmatch(instance.tier)
    if custom:
        cpus, memory = int(custom[1]), int(custom[2])
        if cpus != 1 and (cpus % 2 or not 2 <= cpus <= 96):
            message = f"a machine has 1 vCPU or an even number up to 96, not {cpus}"
            findings.tell("DP234", (*at, "tier"), message, "write db-custom-<vCPU>-<MB>")
        elif memory % 256 or memory < 3840 or not 0.9 * 1024 * cpus <= memory <= 6.5 * 1024 * cpus:
            low, high = max(3840, -(-int(921.6 * cpus) // 256) * 256), int(6.5 * 1024 * cpus) // 256 * 256
            message = f"{cpus} vCPU go with {low} to {high} MB, in steps of 256, not with {memory}"
            findings.tell("DP234", (*at, "tier"), message, f"write such as db-custom-{cpus}-{min(high, 3840 * cpus)}")
    if 0 < instance.disk_limit_gb < instance.disk_gb:
        message = f"the disk may grow to {instance.disk_limit_gb} GB and begins with {instance.disk_gb}"
        findings.tell("DP234", (*at, "disk_limit_gb"), message, "raise it", needs=((*at, "disk_gb"),))


def _kept(instance: CloudSql, at: Path, findings: Findings) -> None:
    backups, below = instance.backups, (*at, "backups")
    if backups.point_in_time_recovery and not backups.enabled:
        findings.tell(
            "DP234",
            (*below, "enabled"),
            "a point in time is recovered from a backup and the log after it",
            "write enabled: true, or point_in_time_recovery: false",
            needs=((*below, "point_in_time_recovery"),),
        )
    if instance.high_availability and not (backups.enabled and backups.point_in_time_recovery):
        findings.tell(
            "DP234",
            (*at, "high_availability"),
            "a standby needs backups with point-in-time recovery",
            "turn both on, or write high_availability: false",
            needs=(below,),
        )
    if instance.edition == "enterprise" and backups.transaction_log_days > 7:
        findings.tell(
            "DP234",
            (*below, "transaction_log_days"),
            f"the edition enterprise keeps the log for 7 days, not for {backups.transaction_log_days}",
            "write 7 or less, or edition: enterprise_plus",
            needs=((*at, "edition"),),
        )
    for flag in instance.flags:
        if flag in _OURS:
            findings.tell("DP234", (*at, "flags", flag), f"{flag} is set by {_OURS[flag]}", "use that", key=True)


def _way_in(instance: CloudSql, gcp: Gcp, at: Path, findings: Findings) -> None:
    network, needs = gcp.network, (("gcp", "network"), (*at, "connection"))
    if network is None:
        message = "an instance is private, and the stack has no network to reach it from"
        findings.tell("DP218", at, message, "add gcp.network", needs=needs, key=True)
        return
    existing = network.existing
    wanted, unwanted = ("subnet", "range") if instance.connection == "private_service_connect" else ("range", "subnet")
    if getattr(instance, unwanted) is not None:
        message = f"{unwanted} does not belong to {instance.connection}"
        findings.tell("DP234", (*at, unwanted), message, "take it out", needs=needs, key=True)
    named: str | None = getattr(instance, wanted)
    if instance.connection == "private_service_connect":
        subnets = existing.subnets if existing else network.subnets
        regions = (
            {name: link.split("/")[3] for name, link in existing.subnets.items()}
            if existing
            else {name: subnet.region or gcp.region for name, subnet in network.subnets.items()}
        )
        if named is None:
            remedy = f"add subnet: {min(subnets)}" if subnets else "add subnet and gcp.network.subnets"
            message = "private_service_connect needs the subnet its endpoint is in"
            findings.tell("DP234", at, message, remedy, needs=(*needs, (*at, "subnet")), key=True)
        elif named not in subnets:
            remedy = nearest(named, subnets)
            findings.tell("DP231", (*at, "subnet"), f"there is no subnet {shown(named)}", remedy, needs=needs)
        elif regions[named] != gcp.region:
            message = f"the subnet {shown(named)} is in {regions[named]}, and the instance in {gcp.region}"
            findings.tell("DP232", (*at, "subnet"), message, f"name one in {gcp.region}", needs=needs)
        return
    ranges = network.peering.ranges if network.peering else {}
    if not (existing.peering if existing else network.peering):
        message = "vpc_peering needs a connection of the network to Google's services"
        remedy = "write existing.peering: true where there is one" if existing else "add gcp.network.peering"
        findings.tell("DP234", (*at, "connection"), message, remedy, needs=needs)
    elif named is not None and existing is None and named not in ranges:
        findings.tell("DP231", (*at, "range"), f"there is no range {shown(named)}", nearest(named, ranges), needs=needs)


def _inside(instance: CloudSql, gcp: Gcp, at: Path, findings: Findings) -> None:
    for name in instance.databases:
        if name in _RESERVED:
            message = f"the database {shown(name)} is there anyway"
            findings.tell("DP234", (*at, "databases", name), message, "take it out", key=True)
    for name, user in instance.users.items():
        path = (*at, "users", name)
        if name in _RESERVED_USERS:
            message = f"the service keeps the user {shown(name)} for itself"
            findings.tell("DP234", path, message, "choose another name", key=True)
        if user.password_from not in gcp.secrets:
            findings.tell(
                "DP235",
                (*path, "password_from"),
                f"{shown(user.password_from)} is not a declared secret",
                nearest(user.password_from, gcp.secrets) if gcp.secrets else "declare it under gcp.secrets",
                needs=(("gcp", "secrets"),),
            )
    if instance.iam_users and not instance.iam_authentication:
        message = "identities log in only where iam_authentication is on"
        needs = ((*at, "iam_authentication"),)
        findings.tell("DP234", (*at, "iam_users"), message, "write iam_authentication: true", needs=needs, key=True)
    for index, member in enumerate(instance.iam_users):
        _member(member, (*at, "iam_users", index), gcp, findings)


def _connections(instance: CloudSql, gcp: Gcp, at: Path, findings: Findings) -> None:
    for name, connection in instance.connections.items():
        path = (*at, "connections", name)
        for kind, value, known in (
            ("database", connection.database, {*instance.databases, "postgres"}),
            ("user", connection.user, instance.users),
        ):
            if value not in known:
                message = f"the instance has no {kind} {shown(value)}"
                remedy = nearest(value, known) if known else f"declare it under {kind}s"
                findings.tell("DP235", (*path, kind), message, remedy, needs=((*at, f"{kind}s"),))
        user = instance.users.get(connection.user)
        secret = gcp.secrets.get(user.password_from) if user else None
        for index, member in enumerate(connection.accessors):
            here = (*path, "accessors", index)
            _member(member, here, gcp, findings)
            if user is not None and secret is not None and member not in secret.accessors:
                findings.tell(
                    "DP235",
                    here,
                    f"{shown(member)} may read the connection, and not the password it names",
                    f"add it to gcp.secrets.{user.password_from}.accessors",
                    needs=(("gcp", "secrets"), (*at, "users")),
                )


def _member(member: str, at: Path, gcp: Gcp, findings: Findings) -> None:
    if not _MEMBER.fullmatch(member):
        remedy = "write user:…, group:…, serviceAccount:… or an identity of the stack such as $composer"
        findings.tell("DP124", at, f"{shown(member)} is not a member", remedy)
    elif member.startswith("$"):
        known = [f"${name}" for name in _IDENTITIES if getattr(gcp, name) is not None]
        if member not in known:
            needs = tuple(("gcp", name) for name in _IDENTITIES)
            message = f"{shown(member)} names no identity of this stack"
            findings.tell("DP235", at, message, nearest(member, known), needs=needs)
