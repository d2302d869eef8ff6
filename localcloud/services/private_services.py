"""Service Networking: the peering of a network with Google's services.

Words of the refusals: terraform-provider-google#18834, terraform-google-forseti#359 and #422.
"""

from __future__ import annotations

from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, identity, ranges
from localcloud.services.base import Call, State
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row


class Connection(GoogleResource):
    """`servicenetworking.Connection`: the peering of a network with Google's services, over ranges reserved in it."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Connect. A connection that is there is changed only where the program says so."""
        network = identity.relative(str(inputs["network"]))
        project = checks.require_project(call, network.split("/")[1] if network.count("/") >= 4 else None)
        checks.require_api(call, project, self.api)
        # Checked here as well as later, so that what is taken over is taken over only by what will be there.
        checks.require_references(call, inputs)
        resource_id = identity.build_id(self.token, inputs)
        there = store.find_key(call.tx, self.key(inputs, resource_id))
        if there is not None:
            if inputs.get("updateOnCreationFail") is not True:
                raise ApiError(
                    400,
                    "failedPrecondition",
                    "Cannot modify allocated ranges in CreateConnection. Please use UpdateConnection.",
                )
            store.remove(call.tx, there)
        made = super().create(call, inputs)
        call.tx.execute("UPDATE resources SET project = ? WHERE key = ?", (project, self.key(inputs, resource_id)))
        return made

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The ranges must be reserved in that network."""
        network = identity.relative(str(values["network"]))
        _require_ranges(call, network, values)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same for other ranges."""
        _require_ranges(call, identity.relative(str(row.outputs["network"])), values)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The peering's name follows from the service's."""
        return {"peering": str(values["service"]).replace(".", "-")}

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Disconnect, or leave it behind: then it stays until the network goes."""
        row = self.find(call, resource_id)
        if row is not None and outputs.get("deletionPolicy") == "ABANDON":
            store.keep(call.tx, row)
            return
        super().delete(call, resource_id, outputs)

    def admit_delete(self, call: Call, row: Row) -> None:
        """Refuse while Cloud SQL has an instance on it, or a name of one that was there: it holds on to the peering."""
        network = identity.relative(str(row.outputs["network"]))
        for other in store.everything(call.tx):
            if other.token == ranges.SQL_INSTANCE and network in ranges.texts(other):
                raise _still_used()
        held = call.tx.execute(
            "SELECT 1 FROM tombstones WHERE token = ? AND reason LIKE ?", (ranges.SQL_INSTANCE, f"%{network}")
        ).fetchone()
        if held is not None:
            raise _still_used()


def _require_ranges(call: Call, network: str, values: dict[str, Any]) -> None:
    there = {
        str(other.row.outputs["name"])
        for other in ranges.taken(call, network)
        if other.row.token == ranges.GLOBAL_ADDRESS
    }
    for name in values.get("reservedPeeringRanges") or []:
        if name not in there:
            raise ApiError(
                400, "failedPrecondition", f"Error code 5, message: allocated IP range '{name}' not found in network"
            )


def _still_used() -> ApiError:
    return ApiError(
        400,
        "failedPrecondition",
        "Error code 9, message: Failed to delete connection; Producer services (e.g. CloudSQL, Cloud Memstore, etc.)"
        " are still using this connection.",
    )
