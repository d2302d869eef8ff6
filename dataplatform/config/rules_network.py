"""Rules of the network, and of what refers to it by `$network`, `$subnet:<name>` and `$attachment:<name>`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dataplatform.config.document import Path
from dataplatform.config.gcp.network import ExistingNetwork, FirewallRule, Network
from dataplatform.config.platform import Gcp, Platform
from dataplatform.config.regions import REGIONS
from dataplatform.config.rules_ranges import range_rules
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_AT: Final[Path] = ("gcp", "network")
_OWN: Final = ("subnets", "nat", "firewall", "attachments", "peering", "google_apis")
_PARTS: Final = (
    ("gcp", "data_fusion", "network"),
    ("gcp", "composer", "network"),
    ("gcp", "previous_composer", "network"),
)
_COLLECTIONS: Final = {"networks": "$network", "subnetworks": "$subnet:", "networkAttachments": "$attachment:"}
_PORTS: Final = ("tcp", "udp", "sctp")
_BUILT_IN: Final = (
    "allow-google-out",
    "allow-iap-ssh",
    "allow-internal",
    "allow-internal-out",
    "deny-in",
    "deny-out",
)
"""Rules that `gcp.network.firewall` makes by itself."""


def network_rules(gcp: Gcp, findings: Findings) -> None:
    """The rules of the network and of references to it."""
    range_rules(gcp, findings)
    network = gcp.network
    if network is not None:
        if network.existing is not None:
            _existing(network, network.existing, gcp, findings)
        else:
            _own(network, gcp, findings)
    _references(gcp, findings)


def network_identity(platform: Platform, link: str | None) -> str | None:
    """What tells the network of a link from every other: `$network` is a network of its own in each stack."""
    gcp = platform.gcp
    if link != "$network" or gcp is None or gcp.network is None:
        return link
    if gcp.network.existing is not None:
        return gcp.network.existing.network
    return f"projects/{gcp.project}/global/networks/{platform.environment}-{gcp.network.name}"


def references(network: Network | None) -> dict[str, str]:
    """What other parts may refer to -> its region, empty for the network itself."""
    if network is None:
        return {}
    known = {"$network": ""}
    if network.existing is not None:
        known |= {f"$subnet:{name}": link.split("/")[3] for name, link in network.existing.subnets.items()}
        known |= {f"$attachment:{name}": link.split("/")[3] for name, link in network.existing.attachments.items()}
        return known
    regions = {name: subnet.region or "" for name, subnet in network.subnets.items()}
    known |= {f"$subnet:{name}": region for name, region in regions.items()}
    known |= {f"$attachment:{name}": regions.get(a.subnet, "") for name, a in network.attachments.items()}
    return known


def _existing(network: Network, existing: ExistingNetwork, gcp: Gcp, findings: Findings) -> None:
    for field in _OWN:
        if field in network.model_fields_set:
            findings.tell(
                "DP232",
                (*_AT, field),
                f"{field} belongs to a network of the stack's own, and this one exists already",
                "take it out, or take existing out",
                needs=((*_AT, "existing"),),
                key=True,
            )
    host = existing.network.split("/")[1]
    at: Path = (*_AT, "existing")
    for kind, links in (("subnets", existing.subnets), ("attachments", existing.attachments)):
        for name, link in links.items():
            _, project, _, region, *_ = link.split("/")
            path = (*at, kind, name)
            if region not in REGIONS:
                findings.tell("DP210", path, f"there is no region {shown(region)}", nearest(region, REGIONS))
            # A network attachment may also lie in the stack's own project, beside the Shared VPC.
            allowed = {host, gcp.project} if kind == "attachments" else {host}
            if project not in allowed:
                findings.tell(
                    "DP232",
                    path,
                    f"it is in the project {shown(project)}, and the network is in {shown(host)}",
                    f"name what belongs to the network, in projects/{host}",
                    needs=((*at, "network"),),
                )


def _own(network: Network, gcp: Gcp, findings: Findings) -> None:
    at = _AT
    for name, subnet in network.subnets.items():
        if subnet.region is not None and subnet.region not in REGIONS:
            path = (*at, "subnets", name, "region")
            findings.tell("DP210", path, f"there is no region {shown(subnet.region)}", nearest(subnet.region, REGIONS))
    if not network.subnets:
        message = "a network without a subnet has no place for anything"
        findings.tell(
            "DP232",
            at,
            message,
            "add subnets, or name an existing network",
            needs=((*at, "subnets"), (*at, "existing")),
            key=True,
        )
    for name, attachment in network.attachments.items():
        path = (*at, "attachments", name)
        if attachment.subnet not in network.subnets:
            message = f"there is no subnet {shown(attachment.subnet)}"
            remedy = nearest(attachment.subnet, network.subnets)
            findings.tell("DP231", (*path, "subnet"), message, remedy, needs=((*at, "subnets"),))
        if attachment.accept == "automatic" and attachment.producers:
            findings.tell(
                "DP232",
                (*path, "producers"),
                "an attachment that accepts automatically has no list of producers",
                "write accept: manual, or take producers out",
                needs=((*path, "accept"),),
                key=True,
            )
    for name, rule in network.firewall.rules.items():
        path = (*at, "firewall", "rules", name)
        if name in _BUILT_IN:
            message = f"{shown(name)} is a rule that the firewall makes by itself"
            findings.tell("DP233", path, message, "choose another name", key=True)
        _firewall(rule, path, findings)


def _firewall(rule: FirewallRule, at: Path, findings: Findings) -> None:
    if rule.direction == "ingress" and rule.action == "allow" and "0.0.0.0/0" in rule.ranges:
        index = rule.ranges.index("0.0.0.0/0")
        findings.tell(
            "DP233",
            (*at, "ranges", index),
            "it would let the whole internet in",
            "write the ranges that may come in",
            needs=((*at, "direction"), (*at, "action")),
        )
    if rule.direction == "egress" and rule.source_tags:
        message = "a rule of what goes out has no sources"
        findings.tell("DP233", (*at, "source_tags"), message, "take it out, or write direction: ingress", key=True)
    if not rule.ranges and not rule.source_tags and rule.direction == "ingress" and rule.action == "allow":
        remedy = "add ranges or source_tags"
        needs = ((*at, "ranges"), (*at, "source_tags"), (*at, "direction"), (*at, "action"))
        findings.tell("DP233", at, "it lets in everybody: no source is given", remedy, needs=needs, key=True)
    for protocol, ports in rule.protocols.items():
        if ports and protocol not in _PORTS:
            message = f"{protocol} has no ports"
            findings.tell("DP233", (*at, "protocols", protocol), message, f"write {protocol}: []", key=True)
        for index, port in enumerate(ports if protocol in _PORTS else ()):
            low, _, high = port.partition("-")
            if int(high or low) > 65535 or int(low) > int(high or low):
                message = f"{shown(port)} is not a port or a range of ports"
                findings.tell("DP233", (*at, "protocols", protocol, index), message, "write 5432, or 8000-8999")


def _references(gcp: Gcp, findings: Findings) -> None:
    """What Data Fusion and Composer name of the network."""
    known = references(gcp.network)
    for at, model in zip(_PARTS, (gcp.data_fusion, gcp.composer, gcp.previous_composer), strict=True):
        if model is None or model.network is None:
            continue
        hosts: dict[str, Path] = {}
        for path, value in _texts(model.network.model_dump(), at):
            if value.startswith("$"):
                _reference(value, path, known, gcp, findings)
            elif value.startswith("projects/"):
                _link(value, path, hosts, gcp, findings)
            else:
                _bare(value, path, known, findings)


def _reference(value: str, at: Path, known: dict[str, str], gcp: Gcp, findings: Findings) -> None:
    field = str(at[-1])
    kind = _kind(field)
    fitting = {name: region for name, region in known.items() if name.startswith(kind)}
    if value not in fitting:
        if gcp.network is None:
            findings.tell(
                "DP231",
                at,
                f"{shown(value)} names nothing: the stack has no network",
                "add gcp.network, or write the link of one that exists",
                needs=(_AT,),
            )
        else:
            message = f"{shown(value)} names nothing of the network that a {field} can be"
            remedy = nearest(value, fitting) if fitting else f"add what it names under gcp.network, for {kind}<name>"
            findings.tell("DP231", at, message, remedy, needs=((*_AT, "subnets"), (*_AT, "attachments")))
    elif fitting[value] not in ("", gcp.region):
        message = f"{shown(value)} is in {fitting[value]}, and the stack in {gcp.region}"
        findings.tell("DP232", at, message, f"name one in {gcp.region}", needs=(("gcp", "region"),))


def _bare(value: str, at: Path, known: dict[str, str], findings: Findings) -> None:
    """A bare name is one of the cloud: what the stack file calls a subnet has another name there."""
    kind = _kind(str(at[-1]))
    if kind.endswith(":") and f"{kind}{value}" in known:
        what = "a subnet" if kind == "$subnet:" else "an attachment"
        message = f"{shown(value)} is what the stack calls {what}; in the cloud it has another name"
        findings.tell("DP231", at, message, f"write {kind}{value}", needs=(_AT,))


def _kind(field: str) -> str:
    """How a reference begins that a field of a part's network can be."""
    suffixes = {"subnetwork": "subnetworks", "attachment": "networkAttachments"}
    found = next((links for suffix, links in suffixes.items() if field.endswith(suffix)), "networks")
    return _COLLECTIONS[found]


def _link(value: str, at: Path, hosts: dict[str, Path], gcp: Gcp, findings: Findings) -> None:
    """A plain link must be of the stack's network, where it has one, and all links of one part of one project."""
    parts = value.split("/")
    if len(parts) < 5 or parts[-2] not in _COLLECTIONS:
        return
    host, region = parts[1], parts[3] if parts[2] == "regions" else gcp.region
    if region != gcp.region:
        message = f"it is in {region}, and the stack in {gcp.region}"
        findings.tell("DP232", at, message, f"name one in {gcp.region}", needs=(("gcp", "region"),))
    existing = gcp.network.existing if gcp.network is not None else None
    if existing is not None and host not in (existing.network.split("/")[1], gcp.project):
        wanted = existing.network.split("/")[1]
        message = f"it is in the project {shown(host)}, and the stack's network in {shown(wanted)}"
        kind = _COLLECTIONS[parts[-2]]
        remedy = f"write {kind}{'<name>' if kind.endswith(':') else ''}, or a link in projects/{wanted}"
        findings.tell("DP232", at, message, remedy, needs=((*_AT, "existing", "network"),))
    if parts[-2] != "networkAttachments":
        for other, place in hosts.items():
            if other != host:
                message = f"it is in the project {shown(host)}, and its {place[-1]} in {shown(other)}"
                findings.tell("DP232", at, message, "name a network and its own subnetwork", needs=(place,))
        hosts[host] = at


def _texts(value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*at, key))
    elif isinstance(value, str):
        yield at, value
