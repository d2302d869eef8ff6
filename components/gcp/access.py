"""Rights of the pipelines on things that their own stack makes.

Every identity is granted what it needs elsewhere by its own component. A dataset of the stack is made after the
identities that the stack file lets read it, so rights on it come here, when both are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.gcp.iam import grant_rights
from dataplatform.compile.access import Right


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Who needs what."""

    project: str
    """The stack's own."""
    members: Mapping[str, pulumi.Input[str]]
    """Identity → its IAM member."""
    rights: Mapping[str, Sequence[Right]]
    """Identity → what it needs."""
    made: Mapping[str, pulumi.Resource]
    """What the stack makes of that, by its path."""
    depends_on: Sequence[pulumi.Resource]


class Access(pulumi.ComponentResource):
    """Additive grants to the pipelines' identities."""

    grants: Sequence[pulumi.Resource]
    """All of them."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Access", name, {}, opts)
        self.grants = [
            grant
            for identity, rights in sorted(args.rights.items())
            for grant in grant_rights(
                f"{name}-{identity}",
                parent=self,
                project=args.project,
                member=args.members[identity],
                rights=rights,
                depends_on=args.depends_on,
                made=args.made,
            )
        ]
        self.register_outputs({})
