"""Cloud DNS: zones that are not deleted with records in them, and records that are of their zone."""

from __future__ import annotations

import ipaddress
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import identity
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

ZONE = "gcp:dns/managedZone:ManagedZone"


class ManagedZone(GoogleResource):
    """A zone. Its own NS and SOA records come and go with it."""

    client_only: tuple[str, ...] = ("forceDestroy",)

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """A name ends in a dot, and a private zone is for networks."""
        name = str(values.get("dnsName") or "")
        if not name.endswith("."):
            raise ApiError(400, "invalid", f"Invalid value for 'entity.managedZone.dnsName': '{name}'")
        if values.get("privateVisibilityConfig") and values.get("visibility") != "private":
            raise ApiError(
                400, "invalidZonePrivateVisibility", "Only private zones can have a private visibility configuration."
            )

    def admit_delete(self, call: Call, row: Row) -> None:
        """Refuse while a program's records are in it, unless the zone was last applied with `forceDestroy`."""
        if row.outputs.get("forceDestroy") is not True and store.below(call.tx, row.id):
            raise ApiError(
                400,
                "containerNotEmpty",
                f"The resource named '{identity.last(row.id)}' cannot be deleted because it contains one or more"
                " 'resource records'.",
            )


class RecordSet(GoogleResource):
    """A record set: a name of its zone, and a type."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The zone is there, and the name is below its own."""
        zone = store.find(call.tx, ZONE, resource_id.partition("/rrsets/")[0])
        name = str(values.get("name") or "")
        if zone is None:
            raise ApiError(
                404,
                "notFound",
                f"The 'parameters.managedZone' resource named '{identity.last(str(values.get('managedZone')))}' was not"
                " found.",
            )
        within = str(zone.outputs.get("dnsName"))
        if name.lower() != within.lower() and not name.lower().endswith(f".{within.lower()}"):
            at = f"entity.change.additions[{name}][{values.get('type')}]"
            raise ApiError(400, "invalid", f"Invalid value for '{at}'.")
        self._admit_data(values, name)
        self._admit_alias(call, zone, values, name)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The data."""
        self._admit_data(values, str(values.get("name")))

    def _admit_data(self, values: dict[str, Any], name: str) -> None:
        """Addresses are addresses."""
        kind = str(values.get("type"))
        version = {"A": 4, "AAAA": 6}.get(kind)
        for index, text in enumerate(values.get("rrdatas") or ()):
            if version is not None and not _address(str(text), version):
                at = f"entity.change.additions[{name}][{kind}].rrdata[{index}]"
                raise ApiError(400, "invalid", f"Invalid value for '{at}': '{text}'")

    def _admit_alias(self, call: Call, zone: Row, values: dict[str, Any], name: str) -> None:
        """A CNAME stands alone, and not at the zone's own name."""
        others = [r for r in store.below(call.tx, zone.id) if str(r.outputs.get("name")).lower() == name.lower()]
        kinds = {str(row.outputs.get("type")) for row in others}
        apex = name.lower() == str(zone.outputs.get("dnsName")).lower()
        alias = values.get("type") == "CNAME"
        if (alias and (apex or kinds - {"CNAME"})) or (not alias and "CNAME" in kinds):
            raise ApiError(
                400,
                "cnameResourceRecordSetConflict",
                f"The resource record set 'entity.change.additions[{name}][{values.get('type')}]' is invalid because"
                f" the DNS name '{name}' may have either one CNAME resource record set or resource record sets of other"
                " types, but not both.",
            )

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Cloud DNS."""
        name = f"{values.get('name')} ({values.get('type')})"
        return ApiError(
            409, "alreadyExists", f"The resource 'entity.change.additions[0]' named '{name}' already exists"
        )


def _address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False
