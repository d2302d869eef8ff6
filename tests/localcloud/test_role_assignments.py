"""Role assignments on the embedded cloud: to whom, once, and never changed."""

from __future__ import annotations

import uuid

import pytest

from localcloud.services.azure import SUBSCRIPTION
from localcloud.world import World
from tests.localcloud.client import Client, RefusedError

ROLE = "azure-native:authorization:RoleAssignment"
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
GROUP = "azure-native:resources:ResourceGroup"
ROLES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
READER, CONTRIBUTOR = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"


@pytest.fixture
def azure(world: World) -> Client:
    return Client("azure-native", world, {"location": "westeurope"})


def assignment(azure: Client) -> dict[str, object]:
    group = azure.create(GROUP, {"resourceGroupName": "rg"})
    made = azure.create(IDENTITY, {"resourceGroupName": "rg", "resourceName": "etl"})
    return {
        "scope": group.id,
        "roleAssignmentName": str(uuid.uuid4()),
        "roleDefinitionId": f"{ROLES}/{READER}",
        "principalId": made.outputs["principalId"],
        "principalType": "ServicePrincipal",
    }


def test_a_role_is_assigned_once_whatever_its_name(azure: Client) -> None:
    inputs = assignment(azure)
    azure.create(ROLE, inputs)
    with pytest.raises(RefusedError, match="RoleAssignmentExists"):
        azure.create(ROLE, {**inputs, "roleAssignmentName": str(uuid.uuid4())})
    other = {**inputs, "roleAssignmentName": str(uuid.uuid4()), "roleDefinitionId": f"{ROLES}/{CONTRIBUTOR}"}
    azure.create(ROLE, other)


def test_the_type_of_a_managed_identity_is_told(azure: Client) -> None:
    inputs = assignment(azure)
    with pytest.raises(RefusedError, match="UnmatchedPrincipalType"):
        azure.create(ROLE, {**inputs, "principalType": "User"})
    with pytest.raises(RefusedError, match="different from specified PrinciaplType 'User'"):
        azure.create(ROLE, {key: value for key, value in inputs.items() if key != "principalType"})
    azure.create(ROLE, inputs)


def test_a_principal_that_is_not_there_gets_nothing(azure: Client) -> None:
    inputs = {**assignment(azure), "principalId": str(uuid.uuid5(uuid.NAMESPACE_URL, "nobody"))}
    with pytest.raises(RefusedError, match="PrincipalNotFound"):
        azure.create(ROLE, inputs)


def test_an_assignment_s_role_does_not_change(azure: Client) -> None:
    inputs = assignment(azure)
    made = azure.create(ROLE, inputs)
    with pytest.raises(RefusedError, match="RoleAssignmentUpdateNotPermitted"):
        azure.update(ROLE, made, {**inputs, "roleDefinitionId": f"{ROLES}/{CONTRIBUTOR}"})
