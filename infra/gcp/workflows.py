"""The compiled workflows of a stack."""

from __future__ import annotations

from components.gcp.workflow_assets import WorkflowAssets, WorkflowAssetsArgs
from infra.gcp.composition import Composition


def workflows(c: Composition) -> None:
    """The texts for Cloud Workflows, and the identity they run as."""
    config = c.gcp.workflows
    if config is None:
        return
    compiled = c.args.pipelines
    made = WorkflowAssets(
        "workflows",
        WorkflowAssetsArgs(
            config=config,
            project=c.gcp.project,
            region=c.gcp.region,
            account_id=c.names.accounts["workflows"],
            workflows=compiled.workflows,
            workflow_ids=dict(compiled.workflow_ids),
            rights=c.rights("workflows"),
            made=c.grantable,
            key=c.keys["workflows"],
            labels=c.labels,
            depends_on=c.needs("cloudresourcemanager", "iam", "workflows", also=c.enabled(c.rights("workflows"))),
        ),
        c.opts,
    )
    c.identities["workflows"] = made.member
    c.workflow_ids = made.workflow_ids
    c.outputs["workflows"] = dict(made.workflow_ids)
