"""Databricks and Microsoft Entra, served by the tables: ids, references, names.

What each service refuses beyond that is not here yet.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules.tables import ResourceTable, table
from localcloud.rules.wire import UNKNOWN
from localcloud.services import synthesis
from localcloud.services.base import Call, State, state_of
from localcloud.store import Row

_NAMED = {
    "Catalog": "{name}",
    "Schema": "{catalogName}.{name}",
    "Volume": "{catalogName}.{schemaName}.{name}",
    "Connection": "{name}",
    "StorageCredential": "{name}",
    "ExternalLocation": "{name}",
    "SecretScope": "{name}",
    "Secret": "{scope}|||{key}",
    "SecretAcl": "{scope}|||{principal}",
    "Notebook": "{path}",
    "WorkspaceFile": "{path}",
    "Directory": "{path}",
    "DbfsFile": "{path}",
    "Library": "{clusterId}/{jar}{whl}{egg}",
}
"""Databricks types whose id is made of their inputs; every other one is numbered by the workspace."""
_ONE = {("SqlEndpoint", "odbcParams"): {"hostname": "{host}", "path": "/sql/1.0/warehouses/{id}", "port": 443}}
"""Outputs that Terraform has as a list of one, and the SDK as that one."""
_PARENTS = {
    "Schema": (("Catalog", "{catalogName}"),),
    "Volume": (("Schema", "{catalogName}.{schemaName}"),),
    "Secret": (("SecretScope", "{scope}"),),
    "SecretAcl": (("SecretScope", "{scope}"),),
    "ExternalLocation": (("StorageCredential", "{credentialName}"),),
    "Library": (("Cluster", "{clusterId}"),),
    "ServicePrincipal": (("Application", "{clientId}"),),
    "ApplicationPassword": (("Application", "{applicationId}"),),
    "ApplicationFederatedIdentityCredential": (("Application", "{applicationId}"),),
    "ServicePrincipalPassword": (("ServicePrincipal", "{servicePrincipalId}"),),
    "GroupMember": (("Group", "{groupObjectId}"),),
}


class BridgedResource:
    """One type of databricks or azuread."""

    client_only: tuple[str, ...] = ()

    def __init__(self, token: str) -> None:
        self.token = token
        self.kind = token.rpartition(":")[2]

    @property
    def table(self) -> ResourceTable:
        """The provider's table of this type."""
        return table(self.token)

    def _resolve(self, call: Call, inputs: dict[str, Any]) -> dict[str, Any]:
        return {**self.table.defaults, **{k: v for k, v in inputs.items() if not k.startswith("__")}}

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """Inputs and defaults; the rest is unknown before a creation."""
        values = self._resolve(call, inputs)
        if old is not None:
            return {**old, **values}
        return {**{name: UNKNOWN for name in self.table.computed if name not in values}, **values}

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Make it under an id of its inputs or a new one."""
        values = self._resolve(call, inputs)
        self._require_parents(call, values)
        serial = call.world.next_value(self.token)
        if self.token.startswith("databricks:") and self.kind in _NAMED:
            resource_id = _fill(_NAMED[self.kind], values)
        elif self.token.startswith("azuread:"):
            resource_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.token}#{serial}"))
            if self.kind in ("Application", "ServicePrincipal", "Group"):
                values["objectId"] = resource_id
                resource_id = f"/{self.kind[0].lower()}{self.kind[1:]}s/{resource_id}"
        else:
            resource_id = str(synthesis.number(self.token, serial))[:16]
        key = self._key(call, resource_id)
        if store.find_key(call.tx, key) is not None:
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"{self.kind} '{resource_id}' already exists")
        now = time.time()
        outputs = {**values, **self._made(values, resource_id, serial, now, call.settings.get("host"))}
        row = Row(resource_id, self.token, None, key, inputs, outputs, call.secrets, "user", now, now)
        store.insert(call.tx, row)
        return state_of(row)

    def _key(self, call: Call, resource_id: str) -> str:
        """What must be unique: the id in its workspace or directory."""
        return f"{self.token}|{call.settings.get('host') or ''}|{resource_id}"

    def _find(self, call: Call, resource_id: str) -> Row | None:
        """That of the workspace that is asked; two workspaces may each have one of the id."""
        own = store.find_key(call.tx, self._key(call, resource_id))
        if own is not None or call.settings.get("host"):
            return own
        return store.find(call.tx, self.token, resource_id)

    def _made(
        self, values: dict[str, Any], resource_id: str, serial: int, now: float, host_of: str | None
    ) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in self.table.computed:
            prop = self.table.properties.get(name)
            if name in values or prop is None or not prop.output_only:
                continue
            if (self.kind, name) in _ONE:
                host = str(host_of or "").removeprefix("https://")
                filled = _ONE[self.kind, name]
                made[name] = {
                    k: v.format(host=host, id=resource_id) if isinstance(v, str) else v for k, v in filled.items()
                }
            elif name == "clientId":
                made[name] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.token}#{serial}#client"))
            elif name in ("value", "tokenValue"):
                made[name] = f"embedded-cloud-{serial}"
            elif name in ("objectId", "workspaceId", "clusterId", "jobId", "fullName"):
                made[name] = resource_id.rpartition("/")[2]
            else:
                made[name] = synthesis.value(prop, resource_id, serial, values, now, now)
        return made

    def _require_parents(self, call: Call, values: dict[str, Any]) -> None:
        package, _, _ = self.token.partition(":")
        for kind, template in _PARENTS.get(self.kind, ()):
            wanted = _fill(template, values)
            rows = [
                r
                for r in store.everything(call.tx)
                if r.token.startswith(f"{package}:") and r.token.endswith(f":{kind}")
            ]
            if not any(wanted in (r.id, r.outputs.get("clientId"), r.outputs.get("objectId")) for r in rows):
                raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{kind} '{wanted}' does not exist.")

    def read(self, call: Call, resource_id: str) -> State | None:
        """By id."""
        row = self._find(call, resource_id)
        return state_of(row) if row is not None else None

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """In place."""
        row = self._find(call, resource_id)
        if row is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{self.kind} '{resource_id}' does not exist.")
        values = self._resolve(call, inputs)
        kept = {name: row.outputs[name] for name in self.table.computed if name in row.outputs and name not in values}
        outputs = {**kept, **values}
        store.replace(call.tx, row, inputs, outputs, call.secrets)
        return State(row.id, inputs, outputs, call.secrets)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Gone already is fine; a catalog or schema with something in it is refused unless forced."""
        row = self._find(call, resource_id)
        if row is None:
            return
        if self.kind in ("Catalog", "Schema") and outputs.get("forceDestroy") is not True:
            inside = [
                r
                for r in store.everything(call.tx)
                if r.token.startswith("databricks:") and r.id.startswith(f"{row.id}.")
            ]
            if inside:
                raise ApiError(400, "INVALID_STATE", f"{self.kind} '{row.id}' is not empty: it has {inside[0].id}.")
        store.remove(call.tx, row)


def _fill(template: str, values: dict[str, Any]) -> str:
    names = [part.partition("}")[0] for part in template.split("{")[1:]]
    for name in names:
        template = template.replace("{" + name + "}", str(values.get(name) or ""))
    return template
