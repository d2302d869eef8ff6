"""Additive grants: a member is added to a role, nobody else's grant is touched.

Authoritative bindings and policies are deliberately absent: they remove what other people granted.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_gcp import projects


def role_key(role: str) -> str:
    """`run-invoker` for `roles/run.invoker`: the part of a logical name that tells grants of one member apart."""
    return role.removeprefix("roles/").replace(".", "-")


def grant_on_project(
    name: str,
    *,
    parent: pulumi.Resource,
    project: str,
    member: pulumi.Input[str],
    roles: Sequence[str],
    depends_on: Sequence[pulumi.Resource],
) -> list[pulumi.Resource]:
    """One grant for each role on the project, for what cannot be granted on anything narrower."""
    return [
        projects.IAMMember(
            f"{name}-{role_key(role)}",
            project=project,
            role=role,
            member=member,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=list(depends_on)),
        )
        for role in roles
    ]
