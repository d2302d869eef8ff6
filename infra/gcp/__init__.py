"""A stack on Google Cloud: which components it has and how they are wired.

Straight down, in the order things depend on each other; each part is a function in a module of its own that takes the
composition so far and adds to it.
"""

from __future__ import annotations

import pulumi
from pulumi_gcp import Provider

from components.gcp.labels import Labels
from components.gcp.services import ProjectServices, ProjectServicesArgs
from infra.gcp.access import access
from infra.gcp.bigquery import bigquery
from infra.gcp.cloud_sql import cloud_sql
from infra.gcp.composer import composer
from infra.gcp.composition import Composition, GcpArgs
from infra.gcp.dags import dags
from infra.gcp.data_fusion import data_fusion
from infra.gcp.domains import domains
from infra.gcp.executors import executors
from infra.gcp.keys import ciphertexts, key_access, keys
from infra.gcp.lake import lake, lake_access
from infra.gcp.monitoring import monitoring
from infra.gcp.network import network
from infra.gcp.secrets import secrets
from infra.gcp.triggers import triggers
from infra.gcp.workflows import workflows
from infra.layout import key_users, network_users, required_apis
from infra.starts import Started, started_agents

__all__ = ["GcpArgs", "compose"]

PARTS = (
    network,
    lake,
    executors,
    composer,
    workflows,
    data_fusion,
    secrets,
    cloud_sql,
    bigquery,
    lake_access,
    key_access,
    ciphertexts,
    access,
    dags,
    domains,
    triggers,
    monitoring,
)
"""In the order they depend on each other. A part that the stack does not have adds nothing."""


def compose(args: GcpArgs) -> dict[str, pulumi.Input[object]]:
    """Register the stack's resources; returns its outputs."""
    platform, gcp, started = args.platform, args.gcp, Started.of(args.starts)
    provider = Provider("gcp", project=gcp.project, region=gcp.region)
    labels = Labels.of(platform.labels, environment=platform.environment, stack=args.stack)
    services = ProjectServices(
        "services",
        ProjectServicesArgs(
            project=gcp.project,
            apis=required_apis(gcp, started),
            agents=frozenset(agent for agents in key_users(gcp, started).values() for agent in agents)
            | started_agents(args.starts)
            | frozenset(network_users(gcp)),
        ),
        pulumi.ResourceOptions(providers={"gcp": provider}),
    )
    composition = Composition(
        args=args,
        provider=provider,
        labels=labels,
        services=services,
        keys=keys(args, services, labels, pulumi.ResourceOptions(providers={"gcp": provider})),
        outputs={"environment": platform.environment, "project": gcp.project, "region": gcp.region},
    )
    for part in PARTS:
        part(composition)
    return composition.outputs
