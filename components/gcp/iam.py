"""Additive grants: a member is added to a role, nobody else's grant is touched.

Authoritative bindings and policies are deliberately absent: they remove what other people granted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_gcp import organizations, projects, serviceaccount, storage

from dataplatform.compile.access import DEFAULT_COMPUTE, INVOKERS, On, Right


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


def grant_rights(
    name: str,
    *,
    parent: pulumi.Resource,
    project: str,
    member: pulumi.Input[str],
    rights: Sequence[Right],
    depends_on: Sequence[pulumi.Resource],
    made: Mapping[str, pulumi.Resource],
) -> list[pulumi.Resource]:
    """One grant for each right that the pipelines need.

    Args:
        name: What the logical names begin with.
        parent: The component of the identity.
        project: The stack's own.
        member: The identity.
        rights: What it needs.
        depends_on: What every grant waits for.
        made: What the stack makes of that which rights are on, by its path; a grant waits for it.
    """
    found = []
    for right in rights:
        on = right.on
        waits = [*depends_on, *([made[on.path]] if on.path in made else [])]
        opts = pulumi.ResourceOptions(parent=parent, depends_on=waits)
        key = f"{name}-{'executors' if right.role in INVOKERS else 'runner'}-{role_key(right.role)}"
        # A role on the stack's own project has no more in its name; nor has one on the executors' project.
        own = on.kind == "project" and (on.project == project or right.role in INVOKERS)
        where = "" if own else f"-{on.name.partition('@')[0] or on.project}".replace("{number}-", "")
        if on.project != project and on.name:
            where = f"-{on.project}{where}"
        found.append(_grant(key + where, right.role, on, member, opts))
    return found


def _grant(name: str, role: str, on: On, member: pulumi.Input[str], opts: pulumi.ResourceOptions) -> pulumi.Resource:
    # Modules of the provider that few stacks need are imported where they are: each costs the program time.
    match on.kind:
        case "project":
            return projects.IAMMember(name, project=on.project, role=role, member=member, opts=opts)
        case "bucket":
            return storage.BucketIAMMember(name, bucket=on.name, role=role, member=member, opts=opts)
        case "service_account":
            account = _account(on, opts)
            return serviceaccount.IAMMember(name, service_account_id=account, role=role, member=member, opts=opts)
        case "service":
            from pulumi_gcp import cloudrunv2

            return cloudrunv2.ServiceIamMember(
                name, project=on.project, location=on.location, name=on.name, role=role, member=member, opts=opts
            )
        case "job":
            from pulumi_gcp import cloudrunv2

            return cloudrunv2.JobIamMember(
                name, project=on.project, location=on.location, name=on.name, role=role, member=member, opts=opts
            )
        case "function":
            from pulumi_gcp import cloudfunctions

            return cloudfunctions.FunctionIamMember(
                name,
                project=on.project,
                region=on.location,
                cloud_function=on.name,
                role=role,
                member=member,
                opts=opts,
            )
        case "dataset":
            from pulumi_gcp import bigquery

            return bigquery.DatasetIamMember(
                name, project=on.project, dataset_id=on.name, role=role, member=member, opts=opts
            )
        case "instance":
            # The provider files the IAM of Data Fusion instances under securitycenter.
            from pulumi_gcp import securitycenter

            return securitycenter.InstanceIamMember(
                name, project=on.project, region=on.location, name=on.name, role=role, member=member, opts=opts
            )
        case "repository":
            from pulumi_gcp import dataform

            return dataform.RepositoryIamMember(
                name, project=on.project, region=on.location, repository=on.name, role=role, member=member, opts=opts
            )
        case "other":
            raise ValueError(f"{on.name} is no resource of Google Cloud")


def _account(on: On, opts: pulumi.ResourceOptions) -> pulumi.Input[str]:
    """The account's id; that of the default one has its project's number in it."""
    if on.name != DEFAULT_COMPUTE:
        return on.path
    number = organizations.get_project_output(
        project_id=on.project, opts=pulumi.InvokeOutputOptions(parent=opts.parent, depends_on=opts.depends_on)
    ).number
    return number.apply(lambda found: on.path.replace("{number}", str(found)))
