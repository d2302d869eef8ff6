"""The dashboard of a stack: an Azure Monitor workbook over what its parts log, one section for each part it has.

A workbook, not a portal dashboard: its content is one JSON text, which a review can read and a release can change, and
its tiles are queries over the Log Analytics workspace, so that nothing has to be listed twice.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pulumi
from pulumi_azure_native import applicationinsights

from components.azure.tags import Tags

Part = Literal["data_factory", "databricks", "lake", "key_vault"]

_NAMESPACE = uuid.UUID("3b0b7a34-5d1c-5c0e-9f43-1a54e0a4c3a1")
_QUERY: Final = 3
"""Type of a workbook's item that shows a query; 1 is a text, 9 are parameters."""


@dataclass(frozen=True)
class Tile:
    """One query of a section."""

    name: str
    title: str
    query: str
    shown: Literal["table", "timechart", "barchart"] = "table"


SECTIONS: Final[dict[Part, tuple[str, tuple[Tile, ...]]]] = {
    "data_factory": (
        "Data Factory",
        (
            Tile(
                "factory-runs",
                "Runs of pipelines",
                "ADFPipelineRun | where Status in ('Succeeded', 'Failed', 'Cancelled')"
                " | summarize Runs = dcount(RunId) by Status, bin(TimeGenerated, {window:grain})",
                "timechart",
            ),
            Tile(
                "factory-failed",
                "Runs that failed",
                "ADFPipelineRun | where Status == 'Failed'"
                " | project TimeGenerated, PipelineName, RunId, FailureType, Annotations"
                " | order by TimeGenerated desc | take 100",
            ),
            Tile(
                "factory-activities",
                "Activities that failed most",
                "ADFActivityRun | where Status == 'Failed'"
                " | summarize Failed = count(), Last = max(TimeGenerated) by PipelineName, ActivityName, ErrorCode"
                " | order by Failed desc | take 50",
            ),
        ),
    ),
    "databricks": (
        "Databricks",
        (
            Tile(
                "databricks-runs",
                "Runs of jobs",
                "DatabricksJobs | where ActionName in ('runSucceeded', 'runFailed')"
                " | summarize Runs = count() by ActionName, bin(TimeGenerated, {window:grain})",
                "timechart",
            ),
            Tile(
                "databricks-failed",
                "Runs that failed",
                "DatabricksJobs | where ActionName == 'runFailed'"
                " | extend Told = parse_json(RequestParams)"
                " | project TimeGenerated, Job = Told.jobId, Run = Told.runId, State = Told.jobTerminalState"
                " | order by TimeGenerated desc | take 100",
            ),
        ),
    ),
    "lake": (
        "Lake",
        (
            Tile(
                "lake-traffic",
                "Reads and writes",
                "StorageBlobLogs | summarize Requests = count() by Category, bin(TimeGenerated, {window:grain})",
                "timechart",
            ),
            Tile(
                "lake-refused",
                "Refused",
                "StorageBlobLogs | where toint(StatusCode) >= 400"
                " | summarize Requests = count(), Last = max(TimeGenerated)"
                " by OperationName, StatusText, AuthenticationType | order by Requests desc | take 50",
            ),
        ),
    ),
    "key_vault": (
        "Key vault",
        (
            Tile(
                "vault-reads",
                "Who read secrets",
                "AzureDiagnostics | where ResourceProvider == 'MICROSOFT.KEYVAULT' and OperationName == 'SecretGet'"
                " | summarize Reads = count(), Last = max(TimeGenerated)"
                " by Identity = identity_claim_oid_g, Result = ResultSignature | order by Reads desc | take 50",
            ),
        ),
    ),
}
"""Part → its heading and what is shown of it. The tables are those its diagnostic setting writes."""


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """What is shown, and of where."""

    parts: Sequence[Part]
    """Of the stack, in the order they are shown in."""
    resource_group: pulumi.Input[str]
    group_name: str
    """The resource group's physical name: the workbook is called like it, and its own name is made of it."""
    subscription: str
    location: str
    workspace_id: pulumi.Input[str]
    workspace_name: str
    """Physical name of the same."""
    tags: Tags


class Dashboard(pulumi.ComponentResource):
    """One workbook."""

    workbook_id: pulumi.Output[str]

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:Dashboard", name, {}, opts)
        # Written out rather than waited for, so that a preview shows what changes in it.
        workspace = (
            f"/subscriptions/{args.subscription}/resourceGroups/{args.group_name}"
            f"/providers/Microsoft.OperationalInsights/workspaces/{args.workspace_name}"
        )
        made = applicationinsights.Workbook(
            f"{name}-workbook",
            resource_group_name=args.resource_group,
            # It must be a GUID, and stays the same so that a lost state finds its own again.
            resource_name_=str(uuid.uuid5(_NAMESPACE, f"{args.subscription}/{args.group_name}".lower())),
            location=args.location,
            kind="shared",
            category="workbook",
            display_name=args.group_name,
            description="Runs, reads and writes, and what was refused",
            source_id=args.workspace_id,
            serialized_data=content(args.parts, workspace),
            version="Notebook/1.0",
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.workbook_id = made.id
        self.register_outputs({"workbook_id": self.workbook_id})


def content(parts: Sequence[Part], workspace_id: str) -> str:
    """The workbook as the portal keeps it; the same parts give the same text."""
    window = {
        "id": str(uuid.uuid5(_NAMESPACE, "window")),
        "version": "KqlParameterItem/1.0",
        "name": "window",
        "label": "Window",
        "type": 4,
        "isRequired": True,
        "value": {"durationMs": 86400000},
        "typeSettings": {
            "selectableValues": [{"durationMs": hours * 3600000} for hours in (1, 4, 24, 72, 168, 720)],
            "allowCustom": True,
        },
    }
    items: list[dict[str, Any]] = [
        {
            "type": 9,
            "name": "window",
            "content": {"version": "KqlParameterItem/1.0", "parameters": [window], "style": "pills"},
        }
    ]
    for part in parts:
        heading, tiles = SECTIONS[part]
        items.append({"type": 1, "name": part, "content": {"json": f"## {heading}"}})
        items += [_item(tile, workspace_id) for tile in tiles]
    notebook = {
        "version": "Notebook/1.0",
        "items": items,
        "fallbackResourceIds": [workspace_id],
        "$schema": "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json",
    }
    return json.dumps(notebook, sort_keys=True, separators=(",", ":"))


def _item(tile: Tile, workspace_id: str) -> dict[str, Any]:
    return {
        "type": _QUERY,
        "name": tile.name,
        "content": {
            "version": "KqlItem/1.0",
            "title": tile.title,
            "query": tile.query,
            "size": 0,
            "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces",
            "crossComponentResources": [workspace_id],
            "timeContextFromParameter": "window",
            "visualization": tile.shown,
        },
    }
