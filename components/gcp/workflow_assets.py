"""Cloud Workflows: the compiled texts, and the one identity they run as.

Deliberately absent: schedules and triggers; see `components.gcp.triggers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import serviceaccount, workflows

from components.gcp.generated import Generated
from components.gcp.iam import grant_on_project, grant_rights
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from dataplatform.compile.access import Right
from dataplatform.config.gcp.workflows import Workflows as WorkflowsConfig

_HISTORY = {"basic": None, "detailed": "EXECUTION_HISTORY_DETAILED"}
"""Basic is the service's own; a workflow that never had another shows no change."""


@dataclass(frozen=True, kw_only=True)
class WorkflowAssetsArgs:
    """The texts, their names and what they may call."""

    config: WorkflowsConfig
    project: str
    region: str
    account_id: str
    """Of the workflows' service account, from infra.naming."""
    workflows: Sequence[Generated]
    workflow_ids: Mapping[str, str]
    """Physical name of each workflow, by definition."""
    rights: Sequence[Right]
    """What their steps need."""
    made: Mapping[str, pulumi.Resource]
    """What the stack makes of that which rights are on, by its path."""
    key: EncryptionKey
    labels: Labels
    depends_on: Sequence[pulumi.Resource]


class WorkflowAssets(pulumi.ComponentResource):
    """The compiled workflows of a stack."""

    workflow_ids: Mapping[str, pulumi.Output[str]]
    """`projects/…/workflows/…` of each workflow, by definition."""
    member: pulumi.Output[str]
    """IAM member of the identity they run as."""

    def __init__(self, name: str, args: WorkflowAssetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:WorkflowAssets", name, {}, opts)
        account = serviceaccount.Account(
            f"{name}-runner",
            project=args.project,
            account_id=args.account_id,
            display_name="Cloud Workflows: compiled pipelines",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        grants: list[pulumi.Resource] = [
            *grant_on_project(
                f"{name}-runner",
                parent=self,
                project=args.project,
                member=account.member,
                roles=("roles/logging.logWriter",),
                depends_on=args.depends_on,
            ),
            *grant_rights(
                name,
                parent=self,
                project=args.project,
                member=account.member,
                rights=args.rights,
                depends_on=args.depends_on,
                made=args.made,
            ),
        ]
        made: dict[str, workflows.Workflow] = {}
        # The parts of a large pipeline come before the workflow that runs them: none of its runs finds an older part.
        for text in sorted(args.workflows, key=lambda w: ("/" not in w.name, w.name)):
            parts = [part for key, part in made.items() if key.startswith(f"{text.name}/")]
            made[text.name] = workflows.Workflow(
                f"{name}-{text.name}",
                project=args.project,
                region=args.region,
                name=args.workflow_ids[text.name],
                # The digest shows a reviewer which version of the definition this is; it updates in place.
                description=_description(text),
                source_contents=text.text,
                service_account=account.email,
                crypto_key_name=args.key.id,
                call_log_level=args.config.call_log_level,
                execution_history_level=_HISTORY[args.config.execution_history],
                user_env_vars=dict(args.config.env) or None,
                # The provider's default is true, which no destroy gets past. A workflow holds no data: it can be
                # compiled again at any time.
                deletion_protection=False,
                labels=args.labels.as_dict(),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.key.grants, *grants, *parts]),
            )
        self.workflow_ids = {key: workflow.id for key, workflow in sorted(made.items())}
        self.member = account.member
        self.register_outputs({"workflow_ids": dict(self.workflow_ids), "member": self.member})


def _description(text: Generated) -> str:
    told = text.provenance()
    return f"Compiled from {told['definition']} (sha256 {told['definition-sha256']}) by {told['compiler']}"
