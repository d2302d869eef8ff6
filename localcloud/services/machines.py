"""Compute Engine instances: the addresses of their interfaces, and what they are once they run."""

from __future__ import annotations

from typing import Any

from localcloud import store
from localcloud.services import identity, ranges, synthesis
from localcloud.services.base import Call
from localcloud.services.more_google import ComputeResource
from localcloud.store import Row


class Instance(ComputeResource):
    """A machine. It has an address in the subnetwork of each interface; nothing runs on it."""

    client_only: tuple[str, ...] = ("allowStoppingForUpdate", "desiredStatus")

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Addresses, number and state."""
        held = (old.outputs.get("networkInterfaces") or []) if old is not None else []
        interfaces = [
            self._interface(call, values, given, held[index] if index < len(held) else {}, index)
            for index, given in enumerate(values.get("networkInterfaces") or ())
        ]
        return {
            **super().made(call, values, resource_id, old),
            "networkInterfaces": interfaces,
            "instanceId": str(synthesis.number(resource_id, old.created if old is not None else 0)),
            "currentStatus": values.get("desiredStatus") or "RUNNING",
            "cpuPlatform": "Intel Broadwell",
        }

    def _interface(
        self, call: Call, values: dict[str, Any], given: dict[str, Any], held: dict[str, Any], index: int
    ) -> dict[str, Any]:
        made = {"name": f"nic{index}", **given}
        region = str(values.get("zone") or "").rpartition("-")[0]
        project = given.get("subnetworkProject") or values.get("project")
        place = {**values, "region": region, "project": project}
        named = str(given.get("subnetwork") or "")
        path = self._path("subnetwork", identity.relative(named), place) if named else ""
        subnet = store.find(call.tx, ranges.SUBNETWORK, path) if path else None
        address = given.get("networkIp") or held.get("networkIp")
        if not address:
            address = ranges.free_address(call, subnet) if subnet is not None else "10.128.0.2"
        made["networkIp"] = address
        if subnet is not None:
            made["network"] = subnet.outputs.get("network")
        if given.get("accessConfigs"):
            outside = "34." + ".".join(str(synthesis.number(address, n) % 250 + 1) for n in range(3))
            made["accessConfigs"] = [{"natIp": outside, "networkTier": "PREMIUM", **c} for c in given["accessConfigs"]]
        return made
