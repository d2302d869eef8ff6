"""The firewall of a network: what is let through by name, and the rest denied and logged.

Deny rules stand at the lowest priorities that a person can still write below (65534 is Google's own last rule).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

from dataplatform.config.gcp.network import Firewall as FirewallConfig
from dataplatform.config.gcp.network import FirewallRule

IAP_RANGE = "35.235.240.0/20"
"""Where Identity-Aware Proxy connects from ("Using IAP for TCP forwarding")."""
IAP_TAG = "iap-ssh"
_ANYWHERE = "0.0.0.0/0"
_LAST = 65500


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """The rules of one network."""

    config: FirewallConfig
    project: str
    network: pulumi.Input[str]
    names: Mapping[str, str]
    """Physical name of each rule, from infra.naming: those of `rule_names` and of the stack file."""
    internal: Sequence[str]
    """Ranges of the network, and of what is reached from it without leaving Google."""
    google_apis: Sequence[str]
    """Ranges of Google's APIs, for where what leaves is denied."""
    depends_on: Sequence[pulumi.Resource]


def rule_names(config: FirewallConfig) -> tuple[str, ...]:
    """Names of the rules, those of ours first."""
    ours = {
        "allow-internal": config.allow_internal,
        "allow-internal-out": config.allow_internal and config.deny_egress,
        "allow-google-out": config.deny_egress,
        "allow-iap-ssh": config.iap_ssh,
        "deny-in": True,
        "deny-out": config.deny_egress,
    }
    return (*(name for name, there in ours.items() if there), *sorted(config.rules))


class Firewall(pulumi.ComponentResource):
    """The firewall rules of one network."""

    rules: Mapping[str, pulumi.Output[str]]
    """Id of each rule, by name."""
    made: Sequence[pulumi.Resource]
    """All of it."""

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Firewall", name, {}, opts)
        made = {rule: self._rule(f"{name}-{rule}", args, rule) for rule in rule_names(args.config)}
        self.rules = {rule: resource.id for rule, resource in made.items()}
        self.made = tuple(made.values())
        self.register_outputs({"rules": dict(self.rules)})

    def _rule(self, logical: str, args: FirewallArgs, rule: str) -> compute.Firewall:
        config = args.config.rules.get(rule) or _built_in(rule, args)
        # Beyond what a stack file may write, so that every rule of a person's stands before them.
        priority = config.priority if rule in args.config.rules or not rule.startswith("deny-") else _LAST
        ingress, allow = config.direction == "ingress", config.action == "allow"
        ranges = list(config.ranges)
        if not ranges and not config.source_tags:
            ranges = [_ANYWHERE]
        protocols = sorted(config.protocols.items())
        return compute.Firewall(
            logical,
            project=args.project,
            name=args.names[rule],
            network=args.network,
            direction=config.direction.upper(),
            priority=priority,
            source_ranges=ranges or None if ingress else None,
            destination_ranges=None if ingress else ranges,
            source_tags=list(config.source_tags) or None if ingress else None,
            target_tags=list(config.target_tags) or None,
            allows=[compute.FirewallAllowArgs(protocol=p, ports=list(ports) or None) for p, ports in protocols]
            if allow
            else None,
            denies=None
            if allow
            else [compute.FirewallDenyArgs(protocol=p, ports=list(ports) or None) for p, ports in protocols],
            log_config=compute.FirewallLogConfigArgs(metadata="INCLUDE_ALL_METADATA") if config.log else None,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )


def _built_in(rule: str, args: FirewallArgs) -> FirewallRule:
    """A rule of ours."""
    internal, google = sorted(args.internal), sorted(args.google_apis)
    return {
        # Connections inside the network are in the flow logs already.
        "allow-internal": FirewallRule(ranges=internal, protocols={"all": []}, log=False, priority=65000),
        "allow-internal-out": FirewallRule(
            direction="egress", ranges=internal, protocols={"all": []}, log=False, priority=65000
        ),
        "allow-google-out": FirewallRule(
            direction="egress", ranges=google, protocols={"tcp": ["443"]}, log=False, priority=65000
        ),
        "allow-iap-ssh": FirewallRule(ranges=[IAP_RANGE], target_tags=[IAP_TAG], protocols={"tcp": ["22"]}),
        "deny-in": FirewallRule(action="deny", protocols={"all": []}),
        "deny-out": FirewallRule(direction="egress", action="deny", protocols={"all": []}),
    }[rule]
