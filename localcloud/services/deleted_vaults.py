"""Key vaults that were deleted: their names stay taken until they are recovered, purged, or their time is over.

Source: azure-native's and Terraform's notes on Microsoft.KeyVault (docs/localcloud.md names them). What was in a vault
does not come back when it is recovered here: Pulumi has deleted its secrets before.
"""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.store import Row

VAULT = "azure-native:keyvault:Vault"
API_VERSIONS = ("2022-07-01", "2023-02-01", "2023-07-01", "2024-11-01")
_DAY = 86400.0


def bury(tx: sqlite3.Connection, row: Row) -> None:
    """Keep the name of a vault that is deleted."""
    properties = row.inputs.get("properties") or {}
    kept = {
        "id": row.id,
        "location": _place(row.outputs.get("location")),
        "tags": row.outputs.get("tags") or {},
        "purgeProtectionEnabled": bool(properties.get("enablePurgeProtection")),
        "days": properties.get("softDeleteRetentionInDays", 90),
    }
    store.tombstone(tx, row.key, VAULT, json.dumps(kept))


def may_recover(tx: sqlite3.Connection, key: str, resource_id: str, values: dict[str, Any]) -> bool:
    """Whether a creation brings back the deleted vault of its name; it is not deleted any more then."""
    if (values.get("properties") or {}).get("createMode") != "recover":
        return False
    kept = _kept(tx, key)
    if kept is None or kept["id"].lower() != resource_id.lower() or kept["location"] != _place(values.get("location")):
        return False
    tx.execute("DELETE FROM tombstones WHERE key = ?", (key,))
    return True


def shown(tx: sqlite3.Connection, subscription: str, location: str, name: str) -> dict[str, Any]:
    """A deleted vault as Resource Manager shows it.

    Raises:
        ApiError: 404, there is none.
    """
    found = _kept(tx, _key(name))
    if found is None or found["location"] != _place(location) or not _of(subscription, found["id"]):
        text = f"The vault '{name}' does not exist in the location '{location}', or it is not deleted."
        raise ApiError(404, "DeletedVaultNotFound", text)
    at = found["deleted"]
    body = {
        "vaultId": found["id"],
        "location": found["location"],
        "tags": found["tags"],
        "deletionDate": _time(at),
        "scheduledPurgeDate": _time(at + found["days"] * _DAY),
    }
    if found["purgeProtectionEnabled"]:
        body["purgeProtectionEnabled"] = True
    place = f"/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{found['location']}"
    return {
        "id": f"{place}/deletedVaults/{name}",
        "name": name,
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": body,
    }


def purge(tx: sqlite3.Connection, subscription: str, location: str, name: str) -> None:
    """Let the name come free.

    Raises:
        ApiError: 404, there is none; 405, it is protected.
    """
    found = shown(tx, subscription, location, name)["properties"]
    if found.get("purgeProtectionEnabled"):
        raise ApiError(405, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
    tx.execute("DELETE FROM tombstones WHERE key = ?", (_key(name),))
    # The names of its deleted secrets come free with it.
    inside = f"arm|{str(found['vaultId']).lower()}/"
    tx.execute("DELETE FROM tombstones WHERE substr(key, 1, ?) = ?", (len(inside), inside))


def _key(name: str) -> str:
    return f"arm-global|keyvault:Vault|{name.lower()}"


def _kept(tx: sqlite3.Connection, key: str) -> dict[str, Any] | None:
    row = tx.execute("SELECT reason, created FROM tombstones WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    try:
        kept = json.loads(row["reason"])
    except ValueError:
        return None
    return {**kept, "deleted": row["created"]}


def _of(subscription: str, resource_id: str) -> bool:
    return resource_id.lower().startswith(f"/subscriptions/{subscription}/".lower())


def _place(location: object) -> str:
    return str(location or "").replace(" ", "").lower()


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
