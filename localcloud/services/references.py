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


_INDEX: Final = "databricks:index/"
_OF_METASTORE: Final = frozenset({"Catalog", "ExternalLocation", "Schema", "StorageCredential", "Volume"})
"""Types of Unity Catalog, whose names all workspaces of a region share."""


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

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """What of Unity Catalog something else stands on is not deleted, unless it is forced."""
        row = self._find(call, resource_id)
        if row is not None and outputs.get("forceDestroy") is not True:
            locations = _of(call, f"{_INDEX}externalLocation:ExternalLocation")
            if self.kind == "StorageCredential":
                used = [one for one in locations if one.outputs.get("credentialName") == row.outputs.get("name")]
                if used:
                    raise ApiError(
                        400,
                        "INVALID_STATE",
                        f"Storage credential '{row.id}' cannot be deleted: it has 0 directly dependent external"
                        f" table(s) and {len(used)} dependent storage location(s). You may use force option to"
                        " delete it.",
                    )
            if self.kind == "ExternalLocation":
                roots = [
                    one
                    for kind in ("catalog:Catalog", "schema:Schema", "volume:Volume")
                    for one in _of(call, f"{_INDEX}{kind}")
                    if _covers(
                        str(row.outputs.get("url") or ""),
                        str(one.outputs.get("storageRoot") or one.outputs.get("storageLocation") or ""),
                    )
                ]
                if roots:
                    raise ApiError(
                        400,
                        "INVALID_STATE",
                        f"External location '{row.id}' cannot be deleted: {roots[0].id} is stored in it. You may use"
                        " force option to delete it.",
                    )
        super().delete(call, resource_id, outputs)

    def _key(self, call: Call, resource_id: str) -> str:
        """Unity Catalog is of a region's metastore, and all of its workspaces see the same."""
        if self.kind in _OF_METASTORE:
            return f"{self.token}|metastore {_region(call)}|{resource_id}"
        return super()._key(call, resource_id)

    def _beside(self, call: Call, row: store.Row) -> bool:
        """Whether a row is of the same workspace, or the same metastore."""
        return row.key == type(self)(row.token)._key(call, row.id)

    def _require_apart(self, call: Call, url: str) -> None:
        """No external location lies in another one."""
        for row in _of(call, self.token):
            other = str(row.outputs.get("url") or "")
            if self._beside(call, row) and row.outputs.get("name") and (_covers(url, other) or _covers(other, url)):
                raise ApiError(
                    400,
                    "INVALID_PARAMETER_VALUE.LOCATION_OVERLAP",
                    f"Input path url '{url}' overlaps with other external locations within 'CreateExternalLocation'"
                    f" call. Conflicting location: {row.outputs['name']}.",
                )

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
            self._require_apart(call, str(values.get("url") or ""))
        if self.kind in ("Notebook", "WorkspaceFile", "Directory"):
            place = str(values.get("path") or "")
            if not place.startswith("/"):
                raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Path ({place}) doesn't start with '/'")
        if self.kind == "Secret":
            scopes = [row for row in _of(call, f"{_INDEX}secretScope:SecretScope") if self._beside(call, row)]
            if any(row.id == values.get("scope") and row.outputs.get("keyvaultMetadata") for row in scopes):
                raise ApiError(
                    400, "BAD_REQUEST", f"Cannot write secrets to Azure KeyVault-backed scope {values['scope']}"
                )
        if self.kind == "Mount":
            _require_mountable(call, values)
        if self.kind == "Catalog" and values.get("storageRoot"):
            _require_location(call, str(values["storageRoot"]))
        if self.kind == "Job" and call.settings.get("host"):
            for path, text in walk(dict(values)):
                if path[-1:] == ("existingClusterId",) and not _held(call, "Cluster", text):
                    raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Cluster {text} does not exist.")
        if self.kind == "Job":
            known = {str(task.get("taskKey")) for task in values.get("tasks") or []}
            for task in values.get("tasks") or []:
                for need in task.get("dependsOns") or []:
                    if str(need.get("taskKey")) not in known:
                        raise ApiError(
                            400,
                            "INVALID_PARAMETER_VALUE",
                            f"Task '{task.get('taskKey')}' depends on unknown task '{need.get('taskKey')}'.",
                        )
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


def _require_mountable(call: Call, values: Mapping[str, Any]) -> None:
    """The secret's scope and the container of a mount by a service principal must be there."""
    abfs = values.get("abfs") or {}
    scope = str(abfs.get("clientSecretScope") or "")
    if abfs and not _held(call, "SecretScope", scope):
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Scope {scope} does not exist!")
    container, account = abfs.get("containerName"), abfs.get("storageAccountName")
    if container and account:
        _require_container(call, f"abfss://{container}@{account}.dfs.core.windows.net/")


def _covers(url: str, path: str) -> bool:
    """Whether a path is that of an address or lies below it."""
    return bool(url and path) and f"{path.rstrip('/')}/".startswith(f"{url.rstrip('/')}/")


def _region(call: Call) -> str:
    """Where the workspace that is asked lies; empty where it is another's."""
    host = _WORKSPACE_HOST.match(str(call.settings.get("host") or ""))
    for row in _of(call, _WORKSPACE):
        if host is not None and row.outputs.get("workspaceUrl") == host[1]:
            return str(row.outputs.get("location") or "").replace(" ", "").lower()
    return ""


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
