"""Serverless VPC Access connectors: the range or the subnetwork they stand in."""

from __future__ import annotations

import ipaddress
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import identity
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource

_SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"


class Connector(GoogleResource):
    """A connector, of a /28 of its own or in a subnetwork that is one."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """How wide it is."""
        given = values.get("ipCidrRange")
        subnet = values.get("subnet") or {}
        if not given and subnet.get("name"):
            project = subnet.get("projectId") or values["project"]
            name = identity.last(str(subnet["name"]))
            path = f"projects/{project}/regions/{values['region']}/subnetworks/{name}"
            row = store.find(call.tx, _SUBNETWORK, path)
            given = row.outputs.get("ipCidrRange") if row is not None else None
        if given and _width(str(given)) != 28:
            raise ApiError(
                400,
                "INVALID_ARGUMENT",
                f"VPC Access connector failed to get healthy: the range {given} must be a /28.",
            )


def _width(text: str) -> int:
    try:
        return ipaddress.ip_network(text, strict=False).prefixlen
    except ValueError:
        return -1
