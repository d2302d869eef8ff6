"""Address ranges of the world's networks: who has which, and what is still free."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, identity
from localcloud.services.base import Call
from localcloud.store import Row

Range = ipaddress.IPv4Network

SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
GLOBAL_ADDRESS = "gcp:compute/globalAddress:GlobalAddress"
ADDRESS = "gcp:compute/address:Address"
CONNECTION = "gcp:servicenetworking/connection:Connection"
SQL_INSTANCE = "gcp:sql/databaseInstance:DatabaseInstance"
_PRIVATE = (Range("10.0.0.0/8"), Range("172.16.0.0/12"), Range("192.168.0.0/16"))


@dataclass(frozen=True)
class Taken:
    """A range of a network and what has it."""

    range: Range
    what: str
    """In the words of a refusal."""
    row: Row


def parsed(text: object, field: str) -> Range:
    """A range as the API takes it: IPv4, with no host bits set."""
    try:
        return Range(str(text))
    except ValueError:
        raise ApiError(
            400, "invalid", f"Invalid value for field '{field}': '{text}'. Invalid CIDR range: {text}"
        ) from None


def network_of(row: Row) -> str:
    """The relative name of a resource's network."""
    return identity.relative(str(row.outputs.get("network") or ""))


def texts(row: Row) -> set[str]:
    """Every text of a resource, links as relative names."""
    found = {identity.relative(text) for _, text in checks.walk(row.inputs)}
    return found | {identity.relative(text) for _, text in checks.walk(row.outputs)}


def taken(call: Call, network: str) -> Iterator[Taken]:
    """Every range of the network: its subnets' and those reserved for services in it."""
    for row in store.everything(call.tx):
        if network_of(row) != network:
            continue
        if row.token == SUBNETWORK:
            name, region = row.outputs["name"], row.outputs["region"]
            for text in ranges_of(row.outputs):
                yield Taken(Range(text), f"existing subnetwork '{name}' in region '{region}'", row)
        elif row.token == GLOBAL_ADDRESS and row.outputs.get("purpose") == "VPC_PEERING":
            yield Taken(reserved(row), f"allocated range '{row.outputs['name']}'", row)


def ranges_of(subnet: dict[str, object]) -> list[str]:
    """Primary and secondary ranges of a subnet's values."""
    seconds = subnet.get("secondaryIpRanges")
    found = [subnet.get("ipCidrRange")]
    if isinstance(seconds, list):
        found += [second.get("ipCidrRange") for second in seconds if isinstance(second, dict)]
    return [str(text) for text in found if text]


def reserved(row: Row) -> Range:
    """The range of a reserved global address."""
    return Range(f"{row.outputs['address']}/{int(row.outputs['prefixLength'])}")


def first_free(within: Iterable[Range], prefix: int, used: Iterable[Range]) -> Range | None:
    """The first range of that size inside one of the others that overlaps none in use."""
    busy = sorted(used)
    for outer in within:
        if outer.prefixlen > prefix:
            continue
        step = 2 ** (32 - prefix)
        at, end = int(outer.network_address), int(outer.broadcast_address)
        while at + step - 1 <= end:
            candidate = Range((at, prefix))
            hit = next((other for other in busy if other.overlaps(candidate)), None)
            if hit is None:
                return candidate
            at = max(at + step, -(-(int(hit.broadcast_address) + 1) // step) * step)
    return None


def free_private(call: Call, network: str, prefix: int) -> Range | None:
    """A free private range of that size in the network."""
    return first_free(_PRIVATE, prefix, [other.range for other in taken(call, network)])


def free_address(call: Call, subnet: Row) -> str | None:
    """The first free address of a subnet: without the network's own, the gateway's, and the last two."""
    within = Range(str(subnet.outputs["ipCidrRange"]))
    used = {
        str(row.outputs.get("address"))
        for row in store.everything(call.tx)
        if row.token == ADDRESS and identity.relative(str(row.outputs.get("subnetwork") or "")) == subnet.id
    }
    first, last = int(within.network_address) + 2, int(within.broadcast_address) - 1
    return next((text for n in range(first, last) if (text := str(ipaddress.IPv4Address(n))) not in used), None)
