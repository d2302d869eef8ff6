"""A Data Fusion instance on demand: the two DAGs that make it and delete it, and what their identity needs for that.

Deliberately absent: the instance. It is nobody's resource, for what is deleted every evening would be drift.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import projects, serviceaccount, storage

from dataplatform.compile.on_demand import OnDemandPlan, dag_ids, render_create, render_delete


@dataclass(frozen=True, kw_only=True)
class OnDemandArgs:
    """The instance, and where its DAGs go."""

    plan: pulumi.Input[OnDemandPlan]
    """Known when keys and accounts have their names."""
    name: str
    """Of the instance."""
    bucket: pulumi.Input[str]
    prefix: pulumi.Input[str]
    """Of the DAGs, without slashes at its ends."""
    project: str
    member: pulumi.Input[str] | None
    """Identity that the DAGs run as; None where others keep the environment, and grant it."""
    runner_id: pulumi.Input[str]
    """`projects/…/serviceAccounts/…` of the clusters' account, which that identity hands to the instance."""
    depends_on: Sequence[pulumi.Resource]


class OnDemand(pulumi.ComponentResource):
    """The DAGs of one instance."""

    dag_ids: tuple[str, str]
    """Of the DAG that makes it, and of the one that deletes it."""

    def __init__(self, name: str, args: OnDemandArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:DataFusionOnDemand", name, {}, opts)
        grants: list[pulumi.Resource] = []
        if args.member is not None:
            # To make and delete instances and to grant on them; nothing narrower does all three.
            grants.append(
                projects.IAMMember(
                    f"{name}-admin",
                    project=args.project,
                    role="roles/datafusion.admin",
                    member=args.member,
                    opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
                )
            )
            grants.append(
                serviceaccount.IAMMember(
                    f"{name}-uses-runner",
                    service_account_id=args.runner_id,
                    role="roles/iam.serviceAccountUser",
                    member=args.member,
                    opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
                )
            )
        self.dag_ids = dag_ids(args.name)
        for role, render, dag in zip(("create", "delete"), (render_create, render_delete), self.dag_ids, strict=True):
            self._dag(f"{name}-{role}", args, render, dag, grants)
        self.register_outputs({"dag_ids": list(self.dag_ids)})

    def _dag(
        self,
        logical: str,
        args: OnDemandArgs,
        render: Callable[[OnDemandPlan], str],
        dag: str,
        grants: Sequence[pulumi.Resource],
    ) -> None:
        text = pulumi.Output.from_input(args.plan).apply(render)
        digest = text.apply(lambda found: hashlib.sha256(found.encode()).hexdigest())
        storage.BucketObject(
            logical,
            bucket=args.bucket,
            name=pulumi.Output.concat(args.prefix, "/", dag, ".py"),
            content=text,
            content_type="text/x-python",
            contexts=storage.BucketObjectContextsArgs(
                customs=[storage.BucketObjectContextsCustomArgs(key="text-sha256", value=digest)]
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.depends_on, *grants]),
        )
