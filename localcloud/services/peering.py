"""Compute Engine: one half of the peering of two networks. It carries something once the other half is there.

The other half of a private Data Fusion instance is made with the instance, from a network `<region>-<instance>` of its
tenant project (gcpdiag, rule datafusion/ERR/2022_003).
"""

from __future__ import annotations

from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, identity
from localcloud.services.base import Call, State
from localcloud.services.more_google import ComputeResource
from localcloud.store import Row

TOKEN = "gcp:compute/networkPeering:NetworkPeering"  # noqa: S105 - a resource token
_INSTANCE = "gcp:datafusion/instance:Instance"
_ACTIVE = "[{}]: Connected."
_WAITING = "[{}]: Waiting for peer network to connect."


class NetworkPeering(ComputeResource):
    """A peering, of the project of its network."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Peer. It is a part of its network, so the network's project and its API are those that are asked."""
        network = identity.relative(str(inputs["network"]))
        project = checks.require_project(call, network.split("/")[1] if network.count("/") >= 4 else None)
        checks.require_api(call, project, self.api)
        made = super().create(call, inputs)
        key = self.key(inputs, made.id)
        call.tx.execute("UPDATE resources SET project = ? WHERE key = ?", (project, key))
        return made

    def check_references(self, call: Call, values: dict[str, Any]) -> None:
        """Its own network must be there; that of another organisation cannot be seen."""
        own, peer = (identity.relative(str(values[name])) for name in ("network", "peerNetwork"))
        if not checks.exists(call, own):
            raise ApiError(404, "notFound", f"The resource '{own}' was not found")
        if own == peer:
            raise ApiError(400, "invalid", "Invalid value for field 'peerNetwork': a network cannot peer with itself.")
        tenant = _tenant_network(call, peer)
        known = store.project_number(call.tx, peer.split("/")[1]) is not None
        if tenant is False or (tenant is None and known and not checks.exists(call, peer)):
            raise ApiError(404, "notFound", f"The resource '{peer}' was not found")

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Two networks peer once."""
        own, peer = (identity.relative(str(values[name])) for name in ("network", "peerNetwork"))
        for other in store.everything(call.tx):
            if other.token == TOKEN and (own, peer) == tuple(
                identity.relative(str(other.outputs[name])) for name in ("network", "peerNetwork")
            ):
                message = f"There is already a peering '{other.outputs['name']}' with the network '{peer}'."
                raise ApiError(409, "alreadyExists", message)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Whether the other half is there."""
        del old
        active = _tenant_network(call, identity.relative(str(values["peerNetwork"]))) is True
        state = "ACTIVE" if active else "INACTIVE"
        return {"state": state, "stateDetails": (_ACTIVE if active else _WAITING).format(values["name"])}


def _tenant_network(call: Call, network: str) -> bool | None:
    """Whether a network is that of a private instance that peers; None where its project is nobody's tenant project."""
    _, project, *_, name = network.split("/")
    found: bool | None = None
    for row in store.everything(call.tx):
        if row.token != _INSTANCE or row.outputs.get("tenantProjectId") != project:
            continue
        config = row.outputs.get("networkConfig") or {}
        peers = row.outputs.get("privateInstance") is True and config.get("connectionType") != (
            "PRIVATE_SERVICE_CONNECT_INTERFACES"
        )
        found = bool(found) or (peers and name == f"{row.outputs['region']}-{row.outputs['name']}")
    return found
