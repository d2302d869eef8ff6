"""The dashboard of a stack: what its parts log, in one place."""

from __future__ import annotations

from components.azure.dashboard import Dashboard, DashboardArgs, Part
from infra.azure.composition import Composition


def dashboard(c: Composition) -> None:
    """A section for each part that the stack has; nothing where it has no monitoring, or nothing that logs."""
    config = c.azure.monitoring
    if config is None or not config.dashboard or c.monitoring is None:
        return
    had: dict[Part, bool] = {
        "data_factory": c.azure.data_factory is not None,
        "databricks": c.databricks is not None,
        "lake": c.lake is not None,
        "key_vault": c.vault is not None,
    }
    parts = [part for part, there in had.items() if there]
    if not parts:
        return
    made = Dashboard(
        "azure-dashboard",
        DashboardArgs(
            parts=parts,
            resource_group=c.group,
            group_name=c.names.group,
            subscription=c.azure.subscription,
            location=c.azure.location,
            workspace_id=c.monitoring.workspace_id,
            workspace_name=c.names.logs,
            tags=c.tags,
        ),
        c.opts,
    )
    c.outputs["dashboard"] = made.workbook_id
