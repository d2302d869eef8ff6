"""The stack's Data Fusion instance where DAGs make it: what they make, and who may use it then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.gcp.composer import DagPlace
from components.gcp.on_demand import OnDemand, OnDemandArgs
from components.gcp.windows import weekly
from dataplatform.compile.build import target_for
from dataplatform.compile.on_demand import OnDemandPlan
from dataplatform.config.gcp.data_fusion import DataFusion as DataFusionConfig
from infra.gcp.composition import Composition


def wants_on_demand(c: Composition) -> bool:
    """Whether DAGs make the stack's instance."""
    return c.gcp.data_fusion is not None and c.gcp.data_fusion.on_demand is not None


def on_demand(c: Composition, place: DagPlace, dags: pulumi.Resource) -> None:
    """The DAGs that make and delete the instance; nothing where it is the stack's own."""
    if c.gcp.data_fusion is None or c.gcp.data_fusion.on_demand is None or c.data_fusion is None:
        return
    assert c.names.data_fusion is not None
    config, name = c.network.resolved(c.gcp.data_fusion), c.names.data_fusion
    wanted = c.gcp.data_fusion.on_demand
    said = config.iam.get("operator", [])
    grants: dict[str, Sequence[pulumi.Input[str]]] = {}
    if config.rbac:
        # What the component of an instance that stays grants as resources.
        operators = [member for identity, member in c.operators().items() if f"${identity}" not in said]
        members = {role: list(c.members(listed).values()) for role, listed in config.iam.items()}
        members["operator"] = [*members.get("operator", []), *operators]
        grants = {f"roles/datafusion.{role}": listed for role, listed in members.items() if listed}

    def plan(found: Mapping[str, Any]) -> OnDemandPlan:
        return OnDemandPlan(
            name=name,
            project=c.gcp.project,
            region=c.gcp.region,
            body=found["body"],
            grants=found["grants"],
            create_schedule=wanted.create_schedule,
            delete_schedule=wanted.delete_schedule,
            timezone=wanted.timezone,
            timeout_seconds=wanted.timeout_minutes * 60,
            deferrable=target_for(c.args.platform).deferrable,
        )

    made = OnDemand(
        "data-fusion-on-demand",
        OnDemandArgs(
            plan=pulumi.Output.all(body=pulumi.Output.from_input(_body(c, config)), grants=grants).apply(plan),
            name=name,
            bucket=place.bucket,
            prefix=place.prefix,
            project=c.gcp.project,
            member=c.composer.member if c.composer is not None else None,
            runner_id=c.data_fusion.runner_id,
            depends_on=[dags, *c.data_fusion.ready, *c.needs("cloudresourcemanager", "iam", "storage")],
        ),
        c.opts,
    )
    c.outputs["data_fusion_dags"] = list(made.dag_ids)


def _body(c: Composition, config: DataFusionConfig) -> dict[str, Any]:
    """The instance as the service's API wants it: what the component would make of the same configuration."""
    assert c.data_fusion is not None
    body: dict[str, Any] = {
        "type": config.edition.upper(),
        "privateInstance": config.private,
        "cryptoKeyConfig": {"keyReference": c.keys["datafusion"].id},
        "dataprocServiceAccount": c.data_fusion.runner_email,
        "enableRbac": config.rbac,
        "enableStackdriverLogging": config.logging,
        "enableStackdriverMonitoring": config.monitoring,
        "labels": c.labels.as_dict(),
    }
    given: dict[str, Any] = {
        "version": config.version,
        "patchRevision": config.patch_revision,
        "displayName": config.display_name,
        "description": config.description,
        "zone": config.zone,
        "networkConfig": _network(config),
        "maintenancePolicy": _maintenance(config),
        "options": dict(config.options) or None,
        "tags": dict(config.tags) or None,
        "accelerators": [
            {"acceleratorType": kind.upper(), "state": "ENABLED" if enabled else "DISABLED"}
            for kind, enabled in sorted(config.accelerators.items())
        ]
        or None,
    }
    if config.events is not None:
        given["eventPublishConfig"] = {"enabled": config.events.enabled, "topic": c.data_fusion.events_topic}
    return body | {key: value for key, value in given.items() if value is not None}


def _network(config: DataFusionConfig) -> dict[str, Any] | None:
    network = config.network
    if network is None:
        return None
    if network.connection == "vpc_peering":
        found: dict[str, Any] = {"connectionType": "VPC_PEERING", "network": network.network}
        return {**found, "ipAllocation": network.ip_allocation}
    ranges = {"unreachableCidrBlock": network.unreachable_range} if network.unreachable_range else {}
    return {
        "connectionType": "PRIVATE_SERVICE_CONNECT_INTERFACES",
        "privateServiceConnectConfig": {"networkAttachment": network.network_attachment, **ranges},
    }


def _maintenance(config: DataFusionConfig) -> dict[str, Any] | None:
    if config.maintenance is None:
        return None
    found = weekly(config.maintenance.days, config.maintenance.hour, config.maintenance.hours)
    window = {"startTime": found.start, "endTime": found.end}
    return {"maintenanceWindow": {"recurringTimeWindow": {"recurrence": found.recurrence, "window": window}}}
