"""What Azure and Databricks refuse because a thing they are told of is not there (yet): the order of things.

Only what is of this world can be missed. A resource group, a storage account or a person of the directory that no
program made here is somebody else's, and passes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services.azure import TENANT, ArmResource
from localcloud.services.base import Call, State
from localcloud.services.bridged import BridgedResource
from localcloud.services.checks import walk

_WORKSPACE_HOST: Final = re.compile(r"^(?:https://)?(adb-\d+\.\d+\.azuredatabricks\.net)/?$")
_CONTAINER: Final = re.compile(r"^abfss://(?P<container>[^@/]+)@(?P<account>[^./]+)\.dfs\.core\.windows\.net(?:/|$)")
_WORKSPACE: Final = "azure-native:databricks:Workspace"
_REFERRING: Final = frozenset(
    f"azure-native:{name}"
    for name in (
        "monitor:DiagnosticSetting",
        "monitor:MetricAlert",
        "network:PrivateDnsZoneGroup",
        "network:PrivateEndpoint",
        "privatedns:VirtualNetworkLink",
    )
)
"""Types whose inputs name other resources by their ids, all of which the service looks for."""
_SECURABLES: Final[Mapping[str, str]] = {
    "catalog": "Catalog",
    "externalLocation": "ExternalLocation",
    "schema": "Schema",
    "storageCredential": "StorageCredential",
    "volume": "Volume",
}
"""What a grant of Unity Catalog is on: its input, and the type of it."""


class RoleAssignment(ArmResource):
    """A role for a principal of the directory."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """The principal must be there, where it is one that this world would know."""
        principal = str(inputs.get("principalId") or "")
        if _of_this_world(principal) and principal not in _principals(call):
            raise ApiError(
                400,
                "PrincipalNotFound",
                f"Principal {principal.replace('-', '')} does not exist in the directory {TENANT}. Check that you have"
                " the correct principal ID. If you are creating this principal and then immediately assigning a role,"
                " this error might be related to a replication delay. In this case, set the role assignment"
                " principalType property to a value, such as ServicePrincipal, User, or Group.",
            )
        told, is_one = str(inputs.get("principalType") or "User"), _principal_type(call, principal)
        if is_one is not None and told != is_one:
            raise ApiError(
                400,
                "UnmatchedPrincipalType",
                f"The PrincipalId '{principal.replace('-', '')}' has type '{is_one}' , which is different from"
                # The spelling is Azure's.
                f" specified PrinciaplType '{told}'.",
            )
        wanted = _assigned(self._resolve(call, inputs))
        if all(wanted) and any(_assigned(row.outputs) == wanted for row in _of(call, self.token)):
            raise ApiError(409, "RoleAssignmentExists", "The role assignment already exists.")
        return super().create(call, inputs)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Nothing that an assignment says can change."""
        row = self._find(call, resource_id)
        if row is not None and _assigned(row.outputs) != _assigned(self._resolve(call, inputs)):
            raise ApiError(
                400,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        return super().update(call, resource_id, inputs)


class Referring(ArmResource):
    """A type that names other resources."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """What it names must be there."""
        for _, text in walk(dict(inputs)):
            require_arm(call, text)
        return super().create(call, inputs)


class WorkspaceObject(BridgedResource):
    """What is in a Databricks workspace or its Unity Catalog."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """The workspace must be there, and what the object names."""
        host = _WORKSPACE_HOST.match(str(call.settings.get("host") or ""))
        if host is not None and not any(r.outputs.get("workspaceUrl") == host[1] for r in _of(call, _WORKSPACE)):
            raise ApiError(
                404,
                "RESOURCE_DOES_NOT_EXIST",
                f"cannot reach https://{host[1]}: there is no such workspace in the embedded cloud",
            )
        self._require_named(call, self._resolve(call, inputs))
        return super().create(call, inputs)

    def _require_named(self, call: Call, values: Mapping[str, Any]) -> None:
        if values.get("policyId") and not _held(call, "ClusterPolicy", str(values["policyId"])):
            raise ApiError(
                400, "INVALID_PARAMETER_VALUE", f"Can't find a cluster policy with id: {values['policyId']}."
            )
        if self.kind == "Grant":
            for name, kind in _SECURABLES.items():
                if values.get(name) and not _held(call, kind, str(values[name])):
                    raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{kind} '{values[name]}' does not exist.")
        if self.kind == "ExternalLocation":
            _require_container(call, str(values.get("url") or ""))
        if self.kind == "Catalog" and values.get("storageRoot"):
            _require_location(call, str(values["storageRoot"]))
        if self.kind == "Job" and call.settings.get("host"):
            for path, text in walk(dict(values)):
                if path[-1:] == ("existingClusterId",) and not _held(call, "Cluster", text):
                    raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Cluster {text} does not exist.")
        if self.kind == "SecretScope":
            require_arm(call, str((values.get("keyvaultMetadata") or {}).get("resourceId") or ""))


def require_arm(call: Call, text: str) -> None:
    """A text that is the id of a resource in a resource group of this world must be that of one that is there."""
    match = re.match(
        r"^(/subscriptions/[^/]+/resourceGroups/[^/]+)/providers/([^/]+)/(?:[^/]+/[^/]+/)*[^/]+/[^/]+$", text
    )
    if match is None or store.find_key(call.tx, f"arm|{match[1].lower()}") is None:
        return
    found = call.tx.execute("SELECT 1 FROM resources WHERE lower(id) = lower(?)", (text,)).fetchone()
    if found is None and not text.lower().endswith("/default"):
        kind = "/".join([match[2], *text[match.end(2) + 1 :].split("/")[::2]])
        name, group = text.rpartition("/")[2], match[1].rpartition("/")[2]
        raise ApiError(
            404, "ResourceNotFound", f"The Resource '{kind}/{name}' under resource group '{group}' was not found."
        )


def _require_container(call: Call, url: str) -> None:
    """The container of an `abfss` address must be there, where its account is of this world."""
    match = _CONTAINER.match(url)
    accounts = [] if match is None else _named(call, "azure-native:storage:StorageAccount", match["account"])
    if match is not None and accounts:
        path = f"{accounts[0]}/blobServices/default/containers/{match['container']}"
        if not store.find_id(call.tx, path):
            raise ApiError(
                404,
                "RESOURCE_DOES_NOT_EXIST",
                f"Failed to access cloud storage: the container '{match['container']}' of '{match['account']}' does not"
                " exist.",
            )


def _require_location(call: Call, root: str) -> None:
    """A storage root lies in an external location, where its account is of this world."""
    match = _CONTAINER.match(root)
    if match is None or not _named(call, "azure-native:storage:StorageAccount", match["account"]):
        return
    urls = [
        str(row.outputs.get("url") or "") for row in _of(call, "databricks:index/externalLocation:ExternalLocation")
    ]
    if not any(url and root.rstrip("/").startswith(url.rstrip("/")) for url in urls):
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"No external location covers the storage root '{root}'.")


def _of_this_world(principal: str) -> bool:
    """Whether an id is of the kind this world gives out: made of a name (version 5), where a directory draws them."""
    try:
        return uuid.UUID(principal).version == 5
    except ValueError:
        return False


def _principals(call: Call) -> set[str]:
    """The ids of all identities of this world."""
    return {str(one) for one in _principal_ids(call)}


def _principal_ids(call: Call) -> Iterator[Any]:
    for row in store.everything(call.tx):
        if row.token.startswith(("azure-native:", "azuread:")):
            identity = row.outputs.get("identity")
            yield (identity or {}).get("principalId") if isinstance(identity, dict) else None
            # Not of what was told a principal: a role assignment has its own.
            yield None if "principalId" in row.inputs else row.outputs.get("principalId")
            yield row.outputs.get("objectId")
            yield row.id.rpartition("/")[2] if row.token.startswith("azuread:") else None


def _principal_type(call: Call, principal: str) -> str | None:
    """What a principal of this world is; None of another's."""
    if not _of_this_world(principal):
        return None
    groups = _of(call, "azuread:index/group:Group")
    if any(principal in (row.outputs.get("objectId"), row.id.rpartition("/")[2]) for row in groups):
        return "Group"
    return "ServicePrincipal"


def _assigned(values: Mapping[str, Any]) -> tuple[str, str, str]:
    """Who has which role on what: ids compare without case."""
    named = (values.get(name) for name in ("principalId", "roleDefinitionId", "scope"))
    principal, role, scope = (str(one or "").lower().rstrip("/") for one in named)
    return principal, role.rpartition("/")[2], scope


def _of(call: Call, token: str) -> list[store.Row]:
    return [row for row in store.everything(call.tx) if row.token == token]


def _held(call: Call, kind: str, named: str) -> bool:
    """Whether Databricks has the thing, by its id or its name."""
    rows = [r for r in store.everything(call.tx) if r.token.startswith("databricks:") and r.token.endswith(f":{kind}")]
    return any(named in (row.id, str(row.outputs.get("name")), str(row.outputs.get("policyId"))) for row in rows)


def _named(call: Call, token: str, name: str) -> list[str]:
    return [row.id for row in _of(call, token) if row.id.rpartition("/")[2].lower() == name.lower()]


def service(token: str) -> ArmResource | BridgedResource | None:
    """The service of a type that has such rules, else None."""
    if token == "azure-native:authorization:RoleAssignment":  # noqa: S105 - a resource type
        return RoleAssignment(token)
    if token in _REFERRING:
        return Referring(token)
    if token.startswith("databricks:"):
        return WorkspaceObject(token)
    return None
