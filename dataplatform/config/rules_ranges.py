"""The address ranges of a stack: which there are, that none overlaps another, and that each is large enough.

Sizes and refused ranges are Compute Engine's ("Subnets"), Cloud SQL's ("Learn about using private IP") and Composer's
("Configuring Shared VPC"), on Google's documentation pages.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dataplatform.config.document import Path
from dataplatform.config.platform import Gcp
from dataplatform.config.text import dotted, shown

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_NETWORK: Final[Path] = ("gcp", "network")
_CIDR = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}/[0-9]{1,2}")
_REFUSED: Final = (
    ("0.0.0.0/8", "the local network"),
    ("127.0.0.0/8", "the loopback"),
    ("168.63.129.16/32", "Azure's own services"),
    ("169.254.0.0/16", "link-local addresses"),
    ("199.36.153.4/30", "restricted.googleapis.com"),
    ("199.36.153.8/30", "private.googleapis.com"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
)
_DOCKER: Final = "172.17.0.0/16"
"""Cloud SQL keeps it for itself; an address in it cannot reach an instance."""

SUBNET_PREFIX: Final = 29
"""Compute Engine's smallest subnet, of 8 addresses."""
ATTACHMENT_PREFIX: Final = 28
"""A subnet keeps 4 addresses for itself: what enters it through an attachment needs more than the 4 of a /29."""
PEERING_PREFIX: Final = 24
"""A service takes a /24 of its own, for each region, from the ranges of private services access."""
SMALLEST: Final = {"pods": 21, "services": 27}
"""Secondary ranges of a Composer 2 environment."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """A range and the place it is written at."""

    at: Path
    cidr: str

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The range itself."""
        return ipaddress.IPv4Network(self.cidr)


def ranges_of(gcp: Gcp) -> list[Range]:
    """Every range of the stack that lies in its network or is routed to from it."""
    return list(_ranges(gcp))


def _ranges(gcp: Gcp) -> Iterator[Range]:
    network = gcp.network
    if network is not None:
        for name, subnet in network.subnets.items():
            yield Range(at=(*_NETWORK, "subnets", name, "cidr"), cidr=subnet.cidr)
            for second, cidr in subnet.secondary_ranges.items():
                yield Range(at=(*_NETWORK, "subnets", name, "secondary_ranges", second), cidr=cidr)
        for name, cidr in (network.peering.ranges if network.peering else {}).items():
            yield Range(at=(*_NETWORK, "peering", "ranges", name), cidr=cidr)
        for name, cidr in (network.existing.ranges if network.existing else {}).items():
            yield Range(at=(*_NETWORK, "existing", "ranges", name), cidr=cidr)
    fusion = gcp.data_fusion.network if gcp.data_fusion else None
    if fusion is not None and fusion.connection == "vpc_peering" and fusion.ip_allocation:
        yield Range(at=("gcp", "data_fusion", "network", "ip_allocation"), cidr=fusion.ip_allocation)
    if gcp.composer is not None and gcp.composer.network is not None:
        yield from _written(gcp.composer.network.model_dump(), ("gcp", "composer", "network"))
    if gcp.previous_composer is not None and gcp.previous_composer.network is not None:
        # The range inside of a Composer 3 environment is in its tenant project: two may have the same.
        held = gcp.previous_composer.network.model_dump(exclude={"internal_range"})
        yield from _written(held, ("gcp", "previous_composer", "network"))


def _written(value: Any, at: Path) -> Iterator[Range]:
    """Ranges anywhere inside: those of an environment have many names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _written(inner, (*at, key))
    elif isinstance(value, str) and _CIDR.fullmatch(value):
        yield Range(at=at, cidr=value)


def range_rules(gcp: Gcp, findings: Findings) -> None:
    """Overlaps, ranges that no network can have, and ranges that are too small."""
    distinct_ranges(ranges_of(gcp), findings)
    if gcp.network is not None:
        _sizes(gcp, findings)


def distinct_ranges(ranges: Sequence[Range], findings: Findings) -> None:
    """Ranges of one network: none overlaps another, and each is one that a network can have."""
    for index, found in enumerate(ranges):
        for other in ranges[:index]:
            if found.network.overlaps(other.network):
                findings.tell(
                    "DP214",
                    found.at,
                    f"{found.cidr} overlaps {other.cidr} of {dotted(other.at)}",
                    "give each its own range",
                    needs=(other.at,),
                )
        _possible(found, findings)


def _possible(found: Range, findings: Findings) -> None:
    for refused, what in _REFUSED:
        if found.network.overlaps(ipaddress.IPv4Network(refused)):
            message = f"{found.cidr} overlaps {refused}, which is kept for {what}"
            findings.tell("DP230", found.at, message, "write a private range, such as one of 10.0.0.0/8")


def _sizes(gcp: Gcp, findings: Findings) -> None:
    network = gcp.network
    assert network is not None
    for name, subnet in network.subnets.items():
        at: Path = (*_NETWORK, "subnets", name)
        _at_least(subnet.cidr, SUBNET_PREFIX, "a subnet", (*at, "cidr"), findings)
        for second, cidr in subnet.secondary_ranges.items():
            _at_least(cidr, SUBNET_PREFIX, "a secondary range", (*at, "secondary_ranges", second), findings)
    for name, attachment in network.attachments.items():
        entered = network.subnets.get(attachment.subnet)
        if entered is not None:
            place: Path = (*_NETWORK, "subnets", attachment.subnet, "cidr")
            what = f"the subnet of the attachment {shown(name)}"
            _at_least(entered.cidr, ATTACHMENT_PREFIX, what, place, findings)
    for name, cidr in (network.peering.ranges if network.peering else {}).items():
        path: Path = (*_NETWORK, "peering", "ranges", name)
        _at_least(cidr, PEERING_PREFIX, "a range for Google's services", path, findings)
        if gcp.cloud_sql and ipaddress.IPv4Network(cidr).overlaps(ipaddress.IPv4Network(_DOCKER)):
            message = f"{cidr} overlaps {_DOCKER}, which Cloud SQL keeps for itself"
            findings.tell("DP230", path, message, "choose another range")
    _pods_and_services(gcp, findings)


def _pods_and_services(gcp: Gcp, findings: Findings) -> None:
    """Ranges of a Composer 2 environment, named or written out in its network."""
    composer = gcp.composer
    if composer is None or composer.network is None or composer.generation != 2 or gcp.network is None:
        return
    at: Path = ("gcp", "composer", "network")
    subnet = gcp.network.subnets.get(str(composer.network.subnetwork).removeprefix("$subnet:"))
    for field, value in _texts(composer.network.model_dump(), at):
        for word, prefix in SMALLEST.items():
            if word not in str(field[-1]):
                continue
            cidr = value if _CIDR.fullmatch(value) else subnet.secondary_ranges.get(value) if subnet else None
            if cidr is not None:
                _at_least(cidr, prefix, f"the range of an environment's {word}", field, findings)


def _texts(value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*at, key))
    elif isinstance(value, str):
        yield at, value


def _at_least(cidr: str, prefix: int, what: str, at: Path, findings: Findings) -> None:
    length = ipaddress.IPv4Network(cidr).prefixlen
    if length > prefix:
        addresses = 2 ** (32 - prefix)
        findings.tell(
            "DP230",
            at,
            f"{what} needs {addresses} addresses or more, and {cidr} has {2 ** (32 - length)}",
            f"write a range that ends in /{prefix} or a smaller number",
        )
