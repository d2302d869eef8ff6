"""What of a stack decides on the rights of its identities, and what the derivation comes to for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from dataplatform.compile.access import On, Surroundings
from dataplatform.compile.plan import Engine
from dataplatform.config.gcp.executors import Executors
from dataplatform.config.platform import Gcp, Platform


def surroundings(platform: Platform, gcp: Gcp) -> Surroundings:
    """The stack, as the derivation of rights wants to know it."""
    parts: Iterable[tuple[Engine, object]] = (("airflow", gcp.composer), ("workflows", gcp.workflows))
    instance = own_instance(platform, gcp)
    rbac = gcp.data_fusion is not None and gcp.data_fusion.rbac
    return Surroundings(
        engines=tuple(engine for engine, part in parts if part is not None),
        project=gcp.project,
        region=gcp.region,
        generation=gcp.executors.generation,
        grant=granted_on(gcp.executors),
        rbac=frozenset({instance.path}) if instance is not None and rbac else frozenset(),
        deployed=_deployed(gcp),
        # Where Airflow runs the pipelines it keeps their schedules too; see `dataplatform.config.rules_triggers`.
        triggers=gcp.workflows is not None and gcp.composer is None and gcp.airflow_bucket is None,
    )


def _deployed(gcp: Gcp) -> frozenset[str]:
    """Paths of the functions that the stack makes itself and pipelines call."""
    if gcp.executors.deploy is None:
        return frozenset()
    on = On(kind="service", project=gcp.project, location=gcp.region, name=gcp.executors.intermediate)
    return frozenset({on.path})


def granted_on(executors: Executors) -> Literal["project", "function", "none"]:
    """On what the right to call the executors is granted.

    A function must be there to be granted. Those that another repository deploys may come after the stack, so unless
    the stack file says otherwise the right to call them is on their project.
    """
    return executors.grant or "project"


def own_instance(platform: Platform, gcp: Gcp) -> On | None:
    """The stack's Data Fusion instance, as what a role is granted on."""
    if gcp.data_fusion is None:
        return None
    name = f"{platform.environment}-{gcp.data_fusion.name}"
    return On(kind="instance", project=gcp.project, location=gcp.region, name=name)
