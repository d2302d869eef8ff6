"""The network: one of the stack's own, or references into one that others keep (a Shared VPC).

Other parts name what is here by `$network`, `$subnet:<name>` and `$attachment:<name>`; plain links still work.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Cidr, GcpProjectId, GcpRegion, Name

_PROJECT = r"[a-z][a-z0-9-]{4,28}[a-z0-9]"
_PART = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"

NetworkLink = Annotated[str, Field(pattern=rf"^projects/{_PROJECT}/global/networks/{_PART}$")]
"""`projects/<host>/global/networks/<name>`."""
SubnetLink = Annotated[str, Field(pattern=rf"^projects/{_PROJECT}/regions/{_PART}/subnetworks/{_PART}$")]
"""`projects/<host>/regions/<region>/subnetworks/<name>`."""
AttachmentLink = Annotated[str, Field(pattern=rf"^projects/{_PROJECT}/regions/{_PART}/networkAttachments/{_PART}$")]
"""`projects/<host>/regions/<region>/networkAttachments/<name>`."""
NetworkTag = Annotated[str, Field(pattern=rf"^{_PART}$")]
"""A network tag of virtual machines."""
Port = Annotated[str, Field(pattern=r"^[0-9]{1,5}(-[0-9]{1,5})?$")]
"""A port or a range of them, `5432` or `8000-8999`."""


class FlowLogs(Model):
    """Logs of a subnet's connections."""

    enabled: bool = True
    """Whether connections are logged."""
    sampling: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Part of the connections that is logged."""
    interval: Literal[
        "INTERVAL_5_SEC", "INTERVAL_30_SEC", "INTERVAL_1_MIN", "INTERVAL_5_MIN", "INTERVAL_10_MIN", "INTERVAL_15_MIN"
    ] = "INTERVAL_5_MIN"
    """Over how long a log entry counts a connection's packets."""


class Subnet(Model):
    """A subnet of the stack's own network."""

    cidr: Cidr
    """Its primary range, of at least 8 addresses."""
    region: GcpRegion | None = None
    """The stack's region where left out."""
    secondary_ranges: dict[Name, Cidr] = {}
    """By name, as a Composer 2 environment's pods and services name them."""
    private_google_access: bool = True
    """Let machines without an external address call Google's APIs."""
    flow_logs: FlowLogs = FlowLogs()
    """Logs of its connections."""


class Nat(Model):
    """Cloud NAT: machines without an external address reach the internet. One in each region with subnets."""

    log: Literal["ALL", "ERRORS_ONLY", "TRANSLATIONS_ONLY"] | None = "ERRORS_ONLY"
    """Which translations are logged."""
    min_ports_per_vm: Annotated[int, Field(ge=32, le=65536)] | None = None
    """Ports kept for each machine; the service's default where left out."""


class FirewallRule(Model):
    """A rule of the firewall. Ranges are sources of an ingress rule and destinations of an egress rule."""

    direction: Literal["ingress", "egress"] = "ingress"
    """What comes in, or what goes out."""
    action: Literal["allow", "deny"] = "allow"
    """Whether it lets through or refuses."""
    priority: Annotated[int, Field(ge=0, le=65000)] = 1000
    """The lower of two rules that apply wins; the rules that deny the rest stand at 65500 and above."""
    ranges: list[Cidr] = []
    """Sources of an ingress rule, destinations of an egress rule."""
    source_tags: list[NetworkTag] = []
    """Machines with one of these tags are sources too; only of an ingress rule."""
    target_tags: list[NetworkTag] = []
    """Machines the rule is for; all where left out."""
    protocols: Annotated[
        dict[Literal["tcp", "udp", "icmp", "esp", "ah", "sctp", "all"], list[Port]], Field(min_length=1)
    ]
    """Protocol -> its ports; an empty list is all of them."""
    log: bool = True
    """Whether connections it applies to are logged."""


class Firewall(Model):
    """What the firewall lets through. Whatever no rule allows is denied, and logged."""

    allow_internal: bool = True
    """Between the network's own ranges."""
    deny_egress: bool = False
    """Deny what leaves the network too, but for its own ranges and Google's APIs (see `google_apis`)."""
    iap_ssh: bool = False
    """Let Identity-Aware Proxy reach port 22 of machines with the tag `iap-ssh`."""
    rules: dict[Name, FirewallRule] = {}
    """Rules of the stack's own, by name."""


class Attachment(Model):
    """A network attachment of Private Service Connect, through which Data Fusion or Composer 3 enters a subnet."""

    subnet: Name
    """Name of one of the network's subnets, of at least 16 addresses."""
    accept: Literal["automatic", "manual"] = "automatic"
    """`manual` accepts the producers' projects that are listed, and those a service adds to the list itself."""
    producers: list[GcpProjectId] = []
    """Projects of producers that are accepted; only with `manual`."""


class Peering(Model):
    """Ranges reserved for Google's services, and the connection to them (private services access)."""

    ranges: Annotated[dict[Name, Cidr], Field(min_length=1)]
    """The ranges by name, of at least 256 addresses each."""


class ExistingNetwork(Model):
    """A network that others keep: a Shared VPC of a host project, or one of the stack's project."""

    network: NetworkLink
    """The network, as projects/<host>/global/networks/<name>."""
    subnets: dict[Name, SubnetLink] = {}
    """Its subnets the stack uses, as projects/<host>/regions/<region>/subnetworks/<name>."""
    attachments: dict[Name, AttachmentLink] = {}
    """Its network attachments the stack uses, as projects/<host>/regions/<region>/networkAttachments/<name>."""
    peering: bool = False
    """Whether it has a connection to Google's services, as Cloud SQL by peering needs it."""
    ranges: dict[Name, Cidr] = {}
    """Ranges that are in use there, by a name of yours, so that overlaps are found here."""
    grant_agents: bool = False
    """Grant the stack's service agents what they need there: `roles/compute.networkUser` on the subnets, and for
    Composer its role on the host project. Needs a right that the host's owners may prefer to keep to themselves."""


class Network(Model):
    """The network of the stack: `existing`, or made of the other fields."""

    name: Name = "core"
    """Part of the names of the network and of what is in it."""
    existing: ExistingNetwork | None = None
    """A network that others keep; nothing is made then, and the fields below stay empty."""
    subnets: dict[Name, Subnet] = {}
    """Its subnets by name; other parts refer to them as $subnet:<name>."""
    nat: Nat | None = None
    """Cloud NAT; nothing in the network reaches the internet where left out."""
    firewall: Firewall = Firewall()
    """What the firewall lets through."""
    attachments: dict[Name, Attachment] = {}
    """Network attachments by name; other parts refer to them as $attachment:<name>."""
    peering: Peering | None = None
    """Connection to Google's services by peering; Cloud SQL by vpc_peering needs it."""
    google_apis: Literal["public", "private", "restricted"] = "public"
    """How names of Google's APIs resolve inside the network: to their public addresses, to those of
    `private.googleapis.com`, or of `restricted.googleapis.com` (services within VPC Service Controls only)."""
