"""Names of Google's APIs inside a network, resolved to addresses that are reached without the internet.

Source of the domains and addresses: "Configure Private Google Access", Google's documentation of VPC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
from pulumi_gcp import dns

from components.gcp.labels import Labels

ADDRESSES: Mapping[str, tuple[str, ...]] = {
    "private": tuple(f"199.36.153.{n}" for n in range(8, 12)),
    "restricted": tuple(f"199.36.153.{n}" for n in range(4, 8)),
}
RANGES: Mapping[str, str] = {"private": "199.36.153.8/30", "restricted": "199.36.153.4/30"}
DOMAINS: Mapping[str, str] = {
    "googleapis": "googleapis.com.",
    "gcr": "gcr.io.",
    "pkg": "pkg.dev.",
    "composer": "composer.cloud.google.com.",
    "composer-web": "composer.googleusercontent.com.",
    "datafusion": "datafusion.cloud.google.com.",
    "datafusion-web": "datafusion.googleusercontent.com.",
    "dataproc": "dataproc.cloud.google.com.",
    "dataproc-web": "dataproc.googleusercontent.com.",
}
"""Zones by name: the APIs, the registries images come from, and the web pages of what the platform runs."""


@dataclass(frozen=True, kw_only=True)
class GoogleApisArgs:
    """The zones of one network."""

    project: str
    network: pulumi.Input[str]
    reach: Literal["private", "restricted"]
    names: Mapping[str, str]
    """Physical name of each zone of `DOMAINS`, from infra.naming."""
    labels: Labels
    depends_on: Sequence[pulumi.Resource]


class GoogleApis(pulumi.ComponentResource):
    """Private DNS zones for the names of Google's APIs."""

    zones: Mapping[str, pulumi.Output[str]]
    """Physical name of each zone, by name."""
    made: Sequence[pulumi.Resource]
    """All of it."""

    def __init__(self, name: str, args: GoogleApisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:GoogleApis", name, {}, opts)
        made: list[pulumi.Resource] = []
        self.zones = {}
        for key, domain in DOMAINS.items():
            zone = dns.ManagedZone(
                f"{name}-{key}",
                project=args.project,
                name=args.names[key],
                dns_name=domain,
                description=f"Google's APIs below {domain} by {args.reach}.googleapis.com",
                visibility="private",
                private_visibility_config=dns.ManagedZonePrivateVisibilityConfigArgs(
                    networks=[dns.ManagedZonePrivateVisibilityConfigNetworkArgs(network_url=args.network)]
                ),
                labels=args.labels.as_dict(),
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
            )
            target = f"{args.reach}.{domain}" if key == "googleapis" else domain
            records = (("addresses", target, "A", ADDRESSES[args.reach]), ("names", f"*.{domain}", "CNAME", (target,)))
            made += [
                zone,
                *(
                    dns.RecordSet(
                        f"{name}-{key}-{role}",
                        project=args.project,
                        managed_zone=zone.name,
                        name=record,
                        type=kind,
                        ttl=300,
                        rrdatas=list(values),
                        opts=pulumi.ResourceOptions(parent=self),
                    )
                    for role, record, kind, values in records
                ),
            ]
            self.zones[key] = zone.name
        self.made = tuple(made)
        self.register_outputs({"zones": dict(self.zones)})
