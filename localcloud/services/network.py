"""Networks of Compute Engine: subnets and their ranges, addresses, attachments, NAT, and endpoints of services."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import identity, ranges
from localcloud.services.base import Call
from localcloud.services.more_google import ComputeResource
from localcloud.store import Row

_COMPUTE = "https://www.googleapis.com/compute/v1/"


def link(path: str) -> str:
    """The self link of a relative name."""
    return path if path.startswith("https://") else f"{_COMPUTE}{path}"


class Network(ComputeResource):
    """A VPC network. What an abandoned connection to services left behind goes with it."""

    def admit_delete(self, call: Call, row: Row) -> None:
        """Refuse while anything of any project is in it."""
        for other in store.everything(call.tx):
            if other.key != row.key and not _left_behind(other) and row.id in ranges.texts(other):
                raise _in_use("network", row.id, other.id)

    def withdraw(self, call: Call, row: Row) -> None:
        """The network, and peerings that nobody has in a program any more."""
        for other in store.everything(call.tx):
            if _left_behind(other) and other.id.startswith(f"{row.id}:"):
                store.remove(call.tx, other)
        super().withdraw(call, row)


class Subnetwork(ComputeResource):
    """A subnet: none of its ranges overlaps another one of the network."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Network and ranges."""
        super().admit(call, values, resource_id)
        network = self._path("network", identity.relative(str(values.get("network"))), values)
        _require_free(call, network, values, None)
        if "IPV6" in str(values.get("stackType") or ""):
            held = store.find(call.tx, "gcp:compute/network:Network", network)
            inside = values.get("ipv6AccessType") == "INTERNAL"
            if inside and held is not None and held.outputs.get("enableUlaInternalIpv6") is not True:
                raise ApiError(
                    400,
                    "invalid",
                    "Invalid value for field 'resource.ipv6AccessType': 'INTERNAL'. The network has no internal IPv6"
                    " range (ULA): enable_ula_internal_ipv6 is off.",
                )

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """A range that grows, or a new secondary one."""
        _require_free(call, ranges.network_of(row), values, row)

    def admit_delete(self, call: Call, row: Row) -> None:
        """Refuse while anything of any project is in it: a Shared VPC's subnets are used from other projects."""
        for other in store.everything(call.tx):
            if other.key != row.key and row.id in ranges.texts(other):
                raise _in_use("subnetwork", row.id, other.id)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The gateway is the first address."""
        within = ranges.Range(str(values["ipCidrRange"]))
        return {
            **super().made(call, values, resource_id, old),
            "gatewayAddress": str(within.network_address + 1),
            "purpose": values.get("purpose") or "PRIVATE",
            "stackType": values.get("stackType") or "IPV4_ONLY",
        }


def _require_free(call: Call, network: str, values: dict[str, Any], own: Row | None) -> None:
    found: list[ranges.Range] = []
    for text in ranges.ranges_of(values):
        wanted = ranges.parsed(text, "resource.ipCidrRange")
        if wanted.prefixlen > 29:
            raise ApiError(
                400,
                "invalid",
                f"Invalid value for field 'resource.ipCidrRange': '{text}'. IP CIDR range prefix must not be longer"
                " than 29 bits.",
            )
        others = [t for t in ranges.taken(call, network) if own is None or t.row.key != own.key]
        hit = next((other.what for other in others if other.range.overlaps(wanted)), None)
        if hit is None and any(other.overlaps(wanted) for other in found):
            hit = "another range of the subnetwork"
        if hit is not None:
            raise ApiError(
                400,
                "invalidUsage",
                f"Invalid IPCidrRange: {text} conflicts with {hit} of network '{identity.last(network)}'.",
            )
        found.append(wanted)


class NetworkAttachment(ComputeResource):
    """A network attachment: all its subnets are of one network, in its own region."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The subnets."""
        rows = [self._subnet(call, values, str(subnet)) for subnet in values.get("subnetworks") or []]
        for row in rows:
            if row.outputs["region"] != identity.last(str(values["region"])):
                raise ApiError(
                    400,
                    "invalid",
                    f"Invalid value for field 'resource.subnetworks': '{row.id}'. The subnetwork must be in the region"
                    f" '{values['region']}' of the network attachment.",
                )
        if len({ranges.network_of(row) for row in rows}) > 1:
            raise ApiError(400, "invalid", "The subnetworks of a network attachment must belong to one network.")

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The network is that of its subnets."""
        row = self._subnet(call, values, str(values["subnetworks"][0]))
        return {
            **super().made(call, values, resource_id, old),
            "network": link(ranges.network_of(row)),
            "connectionEndpoints": old.outputs.get("connectionEndpoints", []) if old is not None else [],
            "kind": "compute#networkAttachment",
        }

    def _subnet(self, call: Call, values: dict[str, Any], name: str) -> Row:
        path = self._path("subnetwork", identity.relative(name), values)
        row = store.find(call.tx, ranges.SUBNETWORK, path)
        if row is None:
            raise ApiError(404, "notFound", f"The resource '{path}' was not found")
        return row


class GlobalAddress(ComputeResource):
    """A global address; with the purpose VPC_PEERING, a range of a network that is kept for Google's services."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """A reserved range must be free in its network."""
        super().admit(call, values, resource_id)
        if values.get("purpose") != "VPC_PEERING":
            return
        if not values.get("network") or not values.get("prefixLength"):
            field = "network" if not values.get("network") else "prefixLength"
            raise ApiError(
                400, "required", f"Required field 'resource.{field}' not specified for the purpose VPC_PEERING"
            )
        if values.get("address"):
            text = f"{values['address']}/{int(values['prefixLength'])}"
            wanted = ranges.parsed(text, "resource.address")
            network = self._path("network", identity.relative(str(values["network"])), values)
            hit = next((t.what for t in ranges.taken(call, network) if t.range.overlaps(wanted)), None)
            if hit is not None:
                raise ApiError(
                    400,
                    "invalidUsage",
                    f"Invalid value for field 'resource.address': '{text}'. Requested range conflicts with other"
                    f" resources: {hit}.",
                )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The address, where none was asked for."""
        made = super().made(call, values, resource_id, old)
        if old is not None:
            return {**made, "address": old.outputs["address"]}
        if values.get("address"):
            return made
        if values.get("purpose") != "VPC_PEERING":
            return {**made, "address": _external(resource_id)}
        network = identity.relative(str(made.get("network") or values["network"]))
        found = ranges.free_private(call, network, int(values["prefixLength"]))
        if found is None:
            raise ApiError(400, "invalidUsage", "No free range of that size is left in the network.")
        return {**made, "address": str(found.network_address)}


class Address(ComputeResource):
    """A regional address: one of a subnet, or an external one."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """An internal one must be free in its subnet."""
        super().admit(call, values, resource_id)
        wanted, subnet = values.get("address"), self._subnet(call, values)
        if subnet is None or not wanted:
            return
        within = ranges.Range(str(subnet.outputs["ipCidrRange"]))
        used = [r for r in store.everything(call.tx) if r.token == self.token and r.outputs.get("address") == wanted]
        if ipaddress.IPv4Address(str(wanted)) not in within or any(
            identity.relative(str(row.outputs.get("subnetwork"))) == subnet.id for row in used
        ):
            raise ApiError(
                400,
                "invalid",
                f"Invalid value for field 'resource.address': '{wanted}'. Specified IP address is not in the"
                " subnetwork's range, or is in use already.",
            )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The address, where none was asked for."""
        made = super().made(call, values, resource_id, old)
        inside = values.get("addressType") == "INTERNAL"
        made["purpose"] = values.get("purpose") or ("GCE_ENDPOINT" if inside else "")
        made["networkTier"] = values.get("networkTier") or ("" if inside else "PREMIUM")
        if old is not None:
            return {**made, "address": old.outputs["address"], "users": old.outputs.get("users", [])}
        if values.get("address"):
            return made
        subnet = self._subnet(call, values)
        address = ranges.free_address(call, subnet) if subnet is not None else _external(resource_id)
        if address is None:
            raise ApiError(400, "invalidUsage", "No free address is left in the subnetwork.")
        return {**made, "address": address}

    def _subnet(self, call: Call, values: dict[str, Any]) -> Row | None:
        given = values.get("subnetwork")
        if values.get("addressType") != "INTERNAL" or not given:
            return None
        return store.find(call.tx, ranges.SUBNETWORK, self._path("subnetwork", identity.relative(str(given)), values))


class RouterNat(ComputeResource):
    """Cloud NAT, a part of a router."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The router must be there."""
        project, region, router = values["project"], values["region"], identity.last(str(values["router"]))
        path = f"projects/{project}/regions/{region}/routers/{router}"
        if store.find(call.tx, "gcp:compute/router:Router", path) is None:
            raise ApiError(404, "notFound", f"The resource '{path}' was not found")
        _admit_nat(values)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """What goes together."""
        _admit_nat(values)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """It has no link of its own."""
        return {}


def _admit_nat(values: dict[str, Any]) -> None:
    """Addresses and subnetworks are listed where they are said to be, and ports that move need mappings that do."""
    wrong = ""
    if values.get("natIpAllocateOption") == "MANUAL_ONLY" and not values.get("natIps"):
        wrong = "nat_ips must be given when nat_ip_allocate_option is MANUAL_ONLY"
    elif values.get("natIpAllocateOption") == "AUTO_ONLY" and values.get("natIps"):
        wrong = "nat_ips must not be given when nat_ip_allocate_option is AUTO_ONLY"
    elif values.get("sourceSubnetworkIpRangesToNat") == "LIST_OF_SUBNETWORKS" and not values.get("subnetworks"):
        wrong = "a subnetwork must be given when source_subnetwork_ip_ranges_to_nat is LIST_OF_SUBNETWORKS"
    elif values.get("enableDynamicPortAllocation") is True and values.get("enableEndpointIndependentMapping") is True:
        wrong = "dynamic port allocation and endpoint-independent mapping cannot both be enabled"
    if wrong:
        raise ApiError(400, "invalid", f"Invalid value for field 'resource.nats[0]': {wrong}.")


class Router(ComputeResource):
    """A router goes with its NATs."""

    def withdraw(self, call: Call, row: Row) -> None:
        """Both."""
        parts = row.id.split("/")
        prefix = f"{parts[1]}/{parts[3]}/{parts[5]}/"
        for other in store.everything(call.tx):
            if other.token == "gcp:compute/routerNat:RouterNat" and other.id.startswith(prefix):  # noqa: S105 - a type
                store.remove(call.tx, other)
        super().withdraw(call, row)


class ForwardingRule(ComputeResource):
    """A forwarding rule; one that targets a service attachment is an endpoint of Private Service Connect."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The network, and the instance behind the attachment."""
        super().admit(call, values, resource_id)
        target = identity.relative(str(values.get("target") or ""))
        if "/serviceAttachments/" in target and self._producer(call, target) is None:
            raise ApiError(404, "notFound", f"The resource '{target}' was not found")

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Whether the producer accepts the endpoint."""
        made = super().made(call, values, resource_id, old)
        target = identity.relative(str(values.get("target") or ""))
        if "/serviceAttachments/" not in target:
            return made
        producer = self._producer(call, target)
        allowed = _allowed_consumers(producer.outputs) if producer is not None else set()
        accepted = bool(
            allowed & {str(values["project"]), str(made.get("network", "")).split("/projects/")[-1].split("/")[0]}
        )
        digest = hashlib.sha256(resource_id.encode()).digest()
        return {
            **made,
            "pscConnectionId": str(int.from_bytes(digest[:7], "big")),
            "pscConnectionStatus": "ACCEPTED" if accepted else "PENDING",
        }

    def _producer(self, call: Call, target: str) -> Row | None:
        rows = (row for row in store.everything(call.tx) if row.token == ranges.SQL_INSTANCE)
        return next(
            (r for r in rows if identity.relative(str(r.outputs.get("pscServiceAttachmentLink"))) == target), None
        )


def _allowed_consumers(outputs: dict[str, Any]) -> set[str]:
    configs = ((outputs.get("settings") or {}).get("ipConfiguration") or {}).get("pscConfigs") or []
    return {str(project) for config in configs for project in config.get("allowedConsumerProjects") or []}


def _left_behind(row: Row) -> bool:
    return row.token == ranges.CONNECTION and row.origin == "kept"


def _in_use(kind: str, resource_id: str, user: str) -> ApiError:
    return ApiError(
        400,
        "resourceInUseByAnotherResource",
        f"The {kind} resource '{resource_id}' is already being used by '{user}'",
    )


def _external(resource_id: str) -> str:
    """An external address that belongs to the resource, of a range kept for documentation."""
    return f"203.0.113.{hashlib.sha256(resource_id.encode()).digest()[0]}"
