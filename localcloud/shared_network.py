"""A network that others keep: a Shared VPC in a host project, for stacks that only refer to one.

It is made as the host's owners would have made it, and belongs to no program: `localcloud ls` shows it with `--all`,
and neither `dp` nor a reset of another project touches it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import google
from localcloud.services.base import Call, Settings, State
from localcloud.services.projects import enable
from localcloud.services.registry import service_for
from localcloud.world import World

ORIGIN = "host"
_SUBNET = re.compile(r"([a-z]+-[a-z]+[0-9]{1,2})/([a-z][-a-z0-9]{0,62})=([0-9./]+)")


class BadNetworkError(Exception):
    """Raised for a description of a network that is none; the message says what would be one."""


@dataclass(frozen=True, kw_only=True)
class HostNetwork:
    """A network of a host project."""

    host: str
    name: str
    subnets: Sequence[tuple[str, str, str]]
    """Region, name, range."""
    attachments: Sequence[tuple[str, str]] = ()
    """Name, and the subnet it leads into."""
    peering: str | None = None
    """Range that Google's services take addresses from, and are connected by."""


def described(
    host: str, name: str, subnets: Sequence[str], attachments: Sequence[str], peering: str | None
) -> HostNetwork:
    """The network as the command line has it: `REGION/NAME=RANGE`, `NAME=SUBNET`.

    Raises:
        BadNetworkError: a part is not of that form.
    """
    found = []
    for text in subnets:
        match = _SUBNET.fullmatch(text)
        if match is None:
            raise BadNetworkError(
                f"'{text}' is no subnet: write REGION/NAME=RANGE, as in europe-west1/data=10.8.0.0/22"
            )
        found.append((match[1], match[2], match[3]))
    known = {subnet for _, subnet, _ in found}
    pairs = []
    for text in attachments:
        attachment, _, subnet = text.partition("=")
        if not attachment or subnet not in known:
            raise BadNetworkError(
                f"'{text}' is no attachment: write NAME=SUBNET with one of {', '.join(sorted(known))}"
            )
        pairs.append((attachment, subnet))
    return HostNetwork(host=host, name=name, subnets=found, attachments=pairs, peering=peering)


def make(world: World, network: HostNetwork) -> list[str]:
    """Make what is not there yet of the host project and its network; the links a stack file may name.

    Raises:
        ApiError: the cloud refuses it, because ranges overlap for example. Nothing is made then.
    """
    host, links = network.host, []
    with world.transaction() as tx:
        store.create_project(tx, host, google.DEFAULT_APIS)
        # Grants on the project itself are Resource Manager's.
        for api in ("cloudresourcemanager", "compute", "servicenetworking"):
            service = f"{api}.googleapis.com"
            if not store.api_enabled(tx, host, service):
                enable(_call(world, tx, "", host), host, service)
                tx.execute("UPDATE apis SET origin = ? WHERE project = ? AND service = ?", (ORIGIN, host, service))

        def there(token: str, resource_id: str, inputs: Mapping[str, Any]) -> str:
            if store.find(tx, token, resource_id) is None:
                made: State = service_for(token).create(_call(world, tx, token, host), {"project": host, **inputs})
                tx.execute("UPDATE resources SET origin = ? WHERE token = ? AND id = ?", (ORIGIN, token, made.id))
            return resource_id

        vpc = there(
            "gcp:compute/network:Network",
            f"projects/{host}/global/networks/{network.name}",
            {"name": network.name, "autoCreateSubnetworks": False},
        )
        links.append(vpc)
        regions: dict[str, str] = {}
        for region, name, text in network.subnets:
            regions[name] = region
            inputs = {
                "name": name,
                "region": region,
                "network": vpc,
                "ipCidrRange": text,
                "privateIpGoogleAccess": True,
            }
            resource_id = f"projects/{host}/regions/{region}/subnetworks/{name}"
            links.append(there("gcp:compute/subnetwork:Subnetwork", resource_id, inputs))
        for name, subnet in network.attachments:
            region = regions[subnet]
            entered = f"projects/{host}/regions/{region}/subnetworks/{subnet}"
            inputs = {
                "name": name,
                "region": region,
                "subnetworks": [entered],
                "connectionPreference": "ACCEPT_AUTOMATIC",
            }
            resource_id = f"projects/{host}/regions/{region}/networkAttachments/{name}"
            links.append(there("gcp:compute/networkAttachment:NetworkAttachment", resource_id, inputs))
        if network.peering is not None:
            _connect(host, vpc, network.peering, there)
    return links


def _connect(host: str, vpc: str, peering: str, there: Any) -> None:
    address, _, prefix = peering.partition("/")
    if not prefix.isdigit():
        raise ApiError(400, "invalid", f"'{peering}' is no range; write one such as 10.20.0.0/16")
    inputs = {
        "name": "google-services",
        "network": vpc,
        "purpose": "VPC_PEERING",
        "addressType": "INTERNAL",
        "address": address,
        "prefixLength": int(prefix),
    }
    there("gcp:compute/globalAddress:GlobalAddress", f"projects/{host}/global/addresses/google-services", inputs)
    service = "servicenetworking.googleapis.com"
    inputs = {"network": vpc, "service": service, "reservedPeeringRanges": ["google-services"]}
    there("gcp:servicenetworking/connection:Connection", f"{vpc}:{service}", inputs)


def _call(world: World, tx: sqlite3.Connection, token: str, project: str) -> Call:
    return Call(world, tx, Settings("gcp", {"project": project}), token)
