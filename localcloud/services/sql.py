"""Cloud SQL: instances, their databases and their users.

Words of the refusals: the service's as quoted in terraform-provider-google#3697 (no connection), #18834 and in Google's
troubleshooting page of Cloud SQL ("Troubleshoot").
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, identity, ranges
from localcloud.services.base import Call, State
from localcloud.services.gcp import GoogleResource
from localcloud.services.ranges import CONNECTION, SQL_INSTANCE
from localcloud.store import Row

USER = "gcp:sql/user:User"
NAME_KEPT_SECONDS = 7 * 86400
"""For a week nobody can use the name of a deleted instance again."""


class DatabaseInstance(GoogleResource):
    """An instance, its way in, its key, and its name, which is kept for a week."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """A name whose week is over comes free."""
        call.tx.execute(
            "DELETE FROM tombstones WHERE token = ? AND created < ?", (self.token, time.time() - NAME_KEPT_SECONDS)
        )
        return super().create(call, inputs)

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Cloud SQL."""
        return ApiError(
            409,
            "instanceAlreadyExists",
            "The Cloud SQL instance already exists. When you delete an instance, you can't reuse the name of the"
            " deleted instance until one week from the deletion date.",
        )

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Way in, edition, backups, key."""
        project, region = str(values["project"]), str(values["region"])
        settings = values.get("settings") or {}
        self._admit_settings(settings)
        self._admit_way_in(call, values, settings.get("ipConfiguration") or {})
        key = values.get("encryptionKeyName")
        if key:
            email = checks.agent(call, project, "sqladmin")
            refusal = ApiError(
                400,
                "invalid",
                f"Invalid request: The service account {email} does not have the permission to use the KMS key {key};"
                f" grant it {checks.ENCRYPTER}.",
            )
            checks.require_key(call, str(key), location=region, email=email, refusal=refusal)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same for what changes."""
        settings = values.get("settings") or {}
        self._admit_settings(settings)
        before = (row.outputs["settings"].get("ipConfiguration") or {}).get("pscConfigs")
        if bool(before) != bool((settings.get("ipConfiguration") or {}).get("pscConfigs")):
            raise ApiError(
                400,
                "invalid",
                "Invalid request: Private Service Connect can be enabled only when creating an instance.",
            )

    def _admit_settings(self, settings: dict[str, Any]) -> None:
        tier, edition = str(settings.get("tier")), settings.get("edition")
        if edition is not None and (edition == "ENTERPRISE_PLUS") != tier.startswith("db-perf-optimized"):
            raise ApiError(
                400,
                "invalid",
                f"Invalid request: Invalid Tier ({tier}) for ({edition}) Edition. Use a predefined Tier like"
                f" {'db-perf-optimized-N-2' if edition == 'ENTERPRISE_PLUS' else 'db-custom-1-3840'} instead.",
            )
        backups = settings.get("backupConfiguration") or {}
        if backups.get("pointInTimeRecoveryEnabled") and not backups.get("enabled"):
            raise ApiError(
                400, "invalid", "Invalid request: Point in time recovery must be disabled when backup is disabled."
            )
        days = backups.get("transactionLogRetentionDays")
        if days is not None and not 1 <= int(days) <= (35 if edition == "ENTERPRISE_PLUS" else 7):
            raise ApiError(
                400, "invalid", f"Invalid request: Invalid transaction log retention of {days} days for the edition."
            )

    def _admit_way_in(self, call: Call, values: dict[str, Any], way: dict[str, Any]) -> None:
        network = way.get("privateNetwork")
        psc = any(config.get("pscEnabled") for config in way.get("pscConfigs") or [])
        if way.get("ipv4Enabled") is False and not network and not psc:
            raise ApiError(
                400,
                "invalid",
                "Invalid request: At least one of Public IP or Private IP or PSC connectivity must be enabled.",
            )
        if not network:
            return
        connection = _connection(call, str(network))
        name = f"{values['project']}:{values['name']}"
        if connection is None:
            raise ApiError(
                400,
                "invalid",
                f"Invalid request: Incorrect Service Networking config for instance: {name}:"
                "SERVICE_NETWORKING_NOT_ENABLED.",
            )
        wanted = way.get("allocatedIpRange")
        if wanted and wanted not in connection.outputs["reservedPeeringRanges"]:
            raise ApiError(
                400,
                "invalid",
                f"Invalid request: Incorrect Service Networking config for instance: {name}: allocated range"
                f" {wanted} is not of the network's connection.",
            )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Addresses, names and certificates."""
        settings = {**(values.get("settings") or {})}
        if old is not None:
            kept = {name: old.outputs[name] for name in _MADE if name in old.outputs}
            version = int(old.outputs["settings"].get("version", 1)) + 1
            return {**kept, "settings": {**settings, "version": version}}
        project, region, name = str(values["project"]), str(values["region"]), str(values["name"])
        serial = call.world.next_value("sql")
        digest = hashlib.sha256(f"{resource_id}#{serial}".encode()).hexdigest()
        way = settings.get("ipConfiguration") or {}
        private = _private_address(call, values, way) if way.get("privateNetwork") else ""
        public = f"203.0.113.{int(digest[:2], 16)}" if way.get("ipv4Enabled", True) is not False else ""
        psc = any(config.get("pscEnabled") for config in way.get("pscConfigs") or [])
        addresses = [(public, "PRIMARY"), (private, "PRIVATE")]
        number = store.project_number(call.tx, project)
        return {
            "settings": {**settings, "version": 1},
            "connectionName": f"{project}:{region}:{name}",
            "selfLink": f"https://sqladmin.googleapis.com/sql/v1beta4/projects/{project}/instances/{name}",
            "instanceType": "CLOUD_SQL_INSTANCE",
            "privateIpAddress": private,
            "publicIpAddress": public,
            "firstIpAddress": next((text for text, _ in addresses if text), ""),
            "ipAddresses": [{"ipAddress": text, "type": kind, "timeToRetire": ""} for text, kind in addresses if text],
            "pscServiceAttachmentLink": (
                f"projects/{digest[:12]}-tp/regions/{region}/serviceAttachments/a-{digest[:12]}-psc-service-attachment"
                f"-{digest[12:28]}"
                if psc
                else ""
            ),
            "dnsName": f"{digest[:12]}.{digest[12:24]}.{region}.sql.goog." if psc else "",
            "serviceAccountEmailAddress": f"p{number}-{digest[:6]}@gcp-sa-cloud-sql.iam.gserviceaccount.com",
            "serverCaCerts": [
                {
                    "cert": "",
                    "commonName": "C=US,O=Google\\, Inc,CN=Google Cloud SQL Server CA",
                    "createTime": "",
                    "expirationTime": "",
                    "sha1Fingerprint": hashlib.sha1(resource_id.encode()).hexdigest(),  # noqa: S324 - a fingerprint
                }
            ],
        }

    def admit_delete(self, call: Call, row: Row) -> None:
        """The service's own switch; it is another one than the provider's."""
        if (row.outputs.get("settings") or {}).get("deletionProtectionEnabled") is True:
            raise ApiError(
                400,
                "invalid",
                "The instance is protected. Please disable the deletion protection and try again. To disable deletion"
                " protection, update the instance settings with deletionProtectionEnabled set to false.",
            )

    def withdraw(self, call: Call, row: Row) -> None:
        """The instance with all in it; its name stays taken for a week, and its network's connection in use."""
        for other in store.everything(call.tx):
            if (
                other.token == USER
                and other.project == row.project
                and other.outputs["instance"] == row.outputs["name"]
            ):
                store.remove(call.tx, other)
        way = (row.outputs.get("settings") or {}).get("ipConfiguration") or {}
        network = identity.relative(str(way.get("privateNetwork") or ""))
        super().withdraw(call, row)
        store.tombstone(call.tx, row.key, self.token, f"deleted less than a week ago {network}".strip())


_MADE = (
    "connectionName",
    "selfLink",
    "instanceType",
    "privateIpAddress",
    "publicIpAddress",
    "firstIpAddress",
    "ipAddresses",
    "pscServiceAttachmentLink",
    "dnsName",
    "serviceAccountEmailAddress",
    "serverCaCerts",
)


def _connection(call: Call, network: str) -> Row | None:
    path = identity.relative(network)
    rows = (row for row in store.everything(call.tx) if row.token == CONNECTION)
    return next((row for row in rows if identity.relative(str(row.outputs["network"])) == path), None)


def _private_address(call: Call, values: dict[str, Any], way: dict[str, Any]) -> str:
    """An address of the /24 that Cloud SQL takes in the region, from the reserved ranges, when it first needs one."""
    network, region = identity.relative(str(way["privateNetwork"])), str(values["region"])
    connection = _connection(call, network)
    assert connection is not None, "admitted before"
    wanted = way.get("allocatedIpRange")
    names = [wanted] if wanted else list(connection.outputs["reservedPeeringRanges"])
    there = {
        str(t.row.outputs["name"]): t.range for t in ranges.taken(call, network) if t.row.token == ranges.GLOBAL_ADDRESS
    }
    outer = [there[name] for name in names if name in there]
    used: dict[str, set[ipaddress.IPv4Address]] = {}
    for row in store.everything(call.tx):
        other = ((row.outputs.get("settings") or {}).get("ipConfiguration") or {}) if row.token == SQL_INSTANCE else {}
        if other and identity.relative(str(other.get("privateNetwork") or "")) == network:
            used.setdefault(str(row.outputs["region"]), set()).add(
                ipaddress.IPv4Address(row.outputs["privateIpAddress"])
            )
    for block in {ranges.Range((int(address) & 0xFFFFFF00, 24)) for address in sorted(used.get(region, ()))}:
        free = next((a for a in list(block.hosts())[1:-1] if a not in used[region]), None)
        if free is not None and any(block.subnet_of(whole) for whole in outer):
            return str(free)
    blocks = [ranges.Range((int(address) & 0xFFFFFF00, 24)) for found in used.values() for address in found]
    fresh = ranges.first_free(outer, 24, blocks)
    if fresh is None:
        raise ApiError(
            400,
            "invalid",
            "Failed to create subnetwork. Couldn't find free blocks in allocated IP ranges. Please allocate new ranges"
            " for this service provider.",
        )
    return str(list(fresh.hosts())[1])


class Database(GoogleResource):
    """A database of an instance."""

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Cloud SQL."""
        name = values.get("name")
        return ApiError(400, "invalid", f"Invalid request: failed to create database {name}: it already exists.")

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Its link, and what PostgreSQL takes where nothing is said."""
        return {
            "selfLink": f"https://sqladmin.googleapis.com/sql/v1beta4/{resource_id}",
            "charset": values.get("charset") or "UTF8",
            "collation": values.get("collation") or "en_US.UTF8",
        }


class User(GoogleResource):
    """A user of an instance."""

    def key(self, values: Any, resource_id: str) -> str:
        """Unique within its project's instance; the id does not name the project."""
        return f"{self.token}|projects/{values.get('project')}/{resource_id}"

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Cloud SQL."""
        return ApiError(400, "invalid", f'Invalid request: role "{values.get("name")}" already exists.')

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The instance must be there, and let identities in where the user is one."""
        project, instance = str(values["project"]), str(values["instance"])
        row = store.find(call.tx, SQL_INSTANCE, f"projects/{project}/instances/{instance}")
        if row is None:
            raise ApiError(404, "instanceDoesNotExist", "The Cloud SQL instance does not exist.")
        kind = str(values.get("type") or "BUILT_IN")
        if not kind.startswith("CLOUD_IAM_"):
            return
        flags = (row.outputs.get("settings") or {}).get("databaseFlags") or []
        if not any(f.get("name") == "cloudsql.iam_authentication" and f.get("value") == "on" for f in flags):
            raise ApiError(
                400,
                "invalid",
                "Invalid request: Cannot add an IAM user: the database flag cloudsql.iam_authentication is not on.",
            )
        name = str(values["name"])
        if kind == "CLOUD_IAM_SERVICE_ACCOUNT":
            if name.endswith(".gserviceaccount.com"):
                raise ApiError(
                    400,
                    "invalid",
                    f"Invalid request: Database username for Cloud IAM service account should be created without"
                    f' ".gserviceaccount.com" suffix: {name}.',
                )
            checks.require_account(call, f"{name}.gserviceaccount.com")

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """PostgreSQL's users have no host."""
        return {"host": values.get("host") or "", "sqlServerUserDetails": []}
