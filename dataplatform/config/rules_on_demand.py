"""Rules of instances on demand, and the order in which environments get a new version of Data Fusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import available_timezones

from dataplatform.config.document import Path
from dataplatform.config.options import cron_problem
from dataplatform.config.platform import Gcp, Platform
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_AT: Final[Path] = ("gcp", "data_fusion", "on_demand")
ORDER: Final = ("dev", "test", "qa", "uat", "stg", "staging", "prod")
"""Environments in the order in which they are upgraded; others are nobody's before or after."""


def on_demand_rules(gcp: Gcp, findings: Findings) -> None:
    """What `gcp.data_fusion.on_demand` may say."""
    fusion = gcp.data_fusion
    wanted = fusion.on_demand if fusion is not None else None
    if fusion is None or wanted is None:
        return
    for key in ("create_schedule", "delete_schedule"):
        text = getattr(wanted, key)
        problem = cron_problem(text) if text is not None else None
        if problem is not None:
            findings.tell("DP273", (*_AT, key), *problem)
    if wanted.create_schedule is not None and wanted.create_schedule == wanted.delete_schedule:
        message = "it would be made and deleted at the same time"
        findings.tell("DP273", (*_AT, "delete_schedule"), message, "write a later time")
    if wanted.timezone not in (zones := available_timezones()):
        message = f"there is no time zone {shown(wanted.timezone)}"
        findings.tell("DP273", (*_AT, "timezone"), message, nearest(wanted.timezone, sorted(zones)))
    if gcp.composer is None and gcp.airflow_bucket is None:
        message = "an instance on demand is made by a DAG, and the stack has no Airflow"
        findings.tell("DP273", _AT, message, "add composer, or take on_demand out", key=True)
    if fusion.network is not None and fusion.network.return_peering:
        message = "the network of an instance on demand is another one each time, so the stack cannot peer with it"
        remedy = "take return_peering out, or connect by private_service_connect"
        findings.tell("DP273", (*_AT[:-1], "network", "return_peering"), message, remedy, needs=(_AT,), key=True)
    if fusion.deploy is not None:
        message = "an instance on demand is not there when the stack is brought up, so it brings nothing to it"
        remedy = "take deploy out and push when the instance has been made: dp datafusion push"
        findings.tell("DP273", (*_AT[:-1], "deploy"), message, remedy, needs=(_AT,), key=True)


def upgrade_order(mine: Platform, theirs: Platform) -> tuple[Platform, str, str] | None:
    """Of two stacks the one that would be upgraded too early, what is wrong and what would be right.

    Environments get a new version one after the other, so that what breaks breaks in development: pipelines go from an
    older Data Fusion to a newer one, never back.
    """
    stacks = sorted(
        (stack for stack in (mine, theirs) if stack.environment in ORDER), key=lambda s: ORDER.index(s.environment)
    )
    if len(stacks) < 2 or stacks[0].environment == stacks[1].environment:
        return None
    early, late = (stack.gcp.data_fusion if stack.gcp is not None else None for stack in stacks)
    if early is None or late is None or early.version is None or late.version is None:
        return None
    if _numbers(late.version) <= _numbers(early.version):
        return None
    first, then = (stack.environment for stack in stacks)
    message = (
        f"{then} would have Data Fusion {late.version}, and {first} has {early.version}: upgrades go {first} first"
    )
    return stacks[1], message, f"upgrade {first} first, or write version: {early.version}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
