"""Additive role assignments with names that stay the same.

The name of an assignment is a GUID that its maker chooses. It is made here from the scope, the role and the principal
as the stack calls them, so that a lost state finds its own assignments again and two assignments on one scope differ.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import pulumi
from pulumi_azure_native import authorization

ROLES: Final[Mapping[str, str]] = {
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Data Factory Contributor": "673868aa-7521-48a0-acc6-0f60742d39f5",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
}
"""Built-in roles by their names, https://learn.microsoft.com/azure/role-based-access-control/built-in-roles."""

_NAMESPACE = uuid.UUID("6f0e3f2c-5f0a-5f43-9d4e-8a6c5d1f7b10")

PrincipalType = Literal["ServicePrincipal", "Group", "User"]


def assignment_name(scope: str, role: str, principal: str) -> str:
    """The GUID of an assignment: of its scope, role and principal, as physical names."""
    return str(uuid.uuid5(_NAMESPACE, f"{scope.lower()}|{role}|{principal.lower()}"))


def assign(
    name: str,
    *,
    parent: pulumi.Resource,
    scope: pulumi.Input[str],
    scope_name: str,
    role: str,
    principal_id: pulumi.Input[str],
    principal: str,
    subscription: str,
    principal_type: PrincipalType = "ServicePrincipal",
    depends_on: Sequence[pulumi.Resource] = (),
) -> authorization.RoleAssignment:
    """One role for one principal on one scope.

    Args:
        name: Logical name.
        parent: The component it belongs to.
        scope: Id of the resource.
        scope_name: The scope's path in physical names, for the assignment's own name.
        role: Name of a built-in role, a key of ROLES.
        principal_id: Object id.
        principal: The principal's physical name, or its object id, for the assignment's own name.
        subscription: Id of the subscription, which a role definition's id holds.
        principal_type: Told to Azure, which then does not look the principal up: a new one may not be found yet.
        depends_on: What must be there first.
    """
    return authorization.RoleAssignment(
        name,
        role_assignment_name=assignment_name(scope_name, role, principal),
        scope=scope,
        role_definition_id=(
            f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
        ),
        principal_id=principal_id,
        principal_type=principal_type,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(depends_on)),
    )
