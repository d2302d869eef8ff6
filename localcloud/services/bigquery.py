"""BigQuery: datasets, and tables whose schemas only grow."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules.conditional import schema_in_place
from localcloud.rules.paths import get
from localcloud.services import checks
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

DATASET = "gcp:bigquery/dataset:Dataset"
TABLE = "gcp:bigquery/table:Table"
_TYPE_NAMES = (
    "STRING BYTES INTEGER INT64 FLOAT FLOAT64 NUMERIC DECIMAL BIGNUMERIC BIGDECIMAL BOOLEAN BOOL TIMESTAMP DATE TIME"
    " DATETIME GEOGRAPHY JSON INTERVAL RANGE RECORD STRUCT"
)
_TYPES = frozenset(_TYPE_NAMES.split())
_MODES = frozenset({"NULLABLE", "REQUIRED", "REPEATED"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
_TABLE_NAME = re.compile(r"[\w\- ]{1,1024}")
_WHO = ("userByEmail", "groupByEmail", "domain", "specialGroup", "iamMember", "view", "dataset", "routine")
_KINDS = {"view": "VIEW", "materializedView": "MATERIALIZED_VIEW", "externalDataConfiguration": "EXTERNAL"}
"""Input → the kind of table it makes."""
_READ = re.compile(r"`([a-z][a-z0-9-]{4,28}[a-z0-9])\.([A-Za-z0-9_]+)\.([A-Za-z0-9_-]+)`")


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid", message)


def _require_key(call: Call, key: str, project: str, location: str) -> None:
    email = checks.agent(call, project, "bigquery")
    refusal = _invalid(
        f"Cloud KMS Error: Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource '{key}' (or it may"
        f" not exist). Please grant Cloud KMS CryptoKey Encrypter/Decrypter role to BigQuery service account: {email}"
    )
    checks.require_key(call, key, location=location, email=email, refusal=refusal)


class Dataset(GoogleResource):
    """A dataset goes with its tables only when told to."""

    client_only: tuple[str, ...] = ("deleteContentsOnDestroy",)

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Location and key."""
        self._admit_common(call, values, str(values["project"]))

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation."""
        self._admit_common(call, values, str(row.project))

    def _admit_common(self, call: Call, values: dict[str, Any], project: str) -> None:
        location = str(values.get("location") or "US")
        if not re.fullmatch(r"[A-Za-z]+(-[A-Za-z]+\d{1,2})?", location) or ("-" not in location and len(location) > 4):
            raise _invalid(f"Invalid value for location: {location} is not a valid value")
        for entry in values.get("accesses") or ():
            if not any(entry.get(name) for name in _WHO):
                raise _invalid("Access entry: exactly one of the kinds of whom it is for must be given.")
        hours = values.get("maxTimeTravelHours")
        if hours is not None and (int(str(hours)) % 24 or not 48 <= int(str(hours)) <= 168):
            raise _invalid(f"Max time travel hours must be a multiple of 24 from 48 to 168, and not {hours}.")
        key = (values.get("defaultEncryptionConfiguration") or {}).get("kmsKeyName")
        if key:
            _require_key(call, str(key), project, location)

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of BigQuery."""
        return ApiError(409, "duplicate", f"Already Exists: Dataset {values.get('project')}:{values.get('datasetId')}")

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """When it was made, and what it keeps by itself."""
        now = int(time.time() * 1000)
        return {
            "creationTime": old.outputs["creationTime"] if old is not None else now,
            "lastModifiedTime": now,
            "maxTimeTravelHours": str(values.get("maxTimeTravelHours") or "168"),
            "isCaseInsensitive": bool(values.get("isCaseInsensitive", False)),
            "storageBillingModel": values.get("storageBillingModel", ""),
            "selfLink": f"https://bigquery.googleapis.com/bigquery/v2/{resource_id}",
        }

    def admit_delete(self, call: Call, row: Row) -> None:
        """Refuse while tables are in it."""
        if store.below(call.tx, row.id) and row.outputs.get("deleteContentsOnDestroy") is not True:
            _, project, _, dataset = row.id.split("/")
            raise ApiError(400, "resourceInUse", f"Dataset {project}:{dataset} is still in use")


class Connection(GoogleResource):
    """A connection, with an account of its own that a program grants what it is to read."""

    def settle(self, call: Call, row: Row, old: Row | None) -> None:
        """The account is a principal from now on."""
        for name in ("cloudResource", "cloudSql", "spark"):
            email = (row.outputs.get(name) or {}).get("serviceAccountId")
            if email and row.project is not None:
                checks.add_agent(call, row.project, "bigqueryconnection", str(email), None)


class Table(GoogleResource):
    """A table or a view of a dataset."""

    client_only: tuple[str, ...] = ("deletionProtection", "ignoreAutoGeneratedSchema", "ignoreSchemaChanges")

    def admitted(self, call: Call, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The dataset must be there."""
        project = checks.require_project(call, values.get("project"))
        checks.require_api(call, project, self.api)
        dataset = str(values.get("datasetId", ""))
        if store.find(call.tx, DATASET, f"projects/{project}/datasets/{dataset}") is None:
            raise ApiError(404, "notFound", f"Not found: Dataset {project}:{dataset}")
        if not _TABLE_NAME.fullmatch(str(values.get("tableId", ""))):
            raise _invalid(f'Invalid table ID "{values.get("tableId")}".')
        return super().admitted(call, values)

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of BigQuery."""
        name = f"{values.get('project')}:{values.get('datasetId')}.{values.get('tableId')}"
        return ApiError(409, "duplicate", f"Already Exists: Table {name}")

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Columns, what divides them, key, and what a view reads."""
        project = str(values["project"])
        columns = _columns(values.get("schema"))
        if values.get("tableReplicationInfo") and any(values.get(n) for n in ("schema", "view", "materializedView")):
            raise _invalid(
                "Schema, view, or materialized view cannot be specified when table replication info is present"
            )
        if values.get("view") and any(str(column.get("mode")).upper() == "REQUIRED" for column in columns):
            raise _invalid("Schema cannot contain required fields when creating a view")
        if "externalDataConfiguration" in values or "view" in values or "materializedView" in values:
            # Their columns are found by the service, where the program gives none.
            columns = columns if values.get("schema") else []
        else:
            _divided(values, columns)
        self._admit_key(call, values, project, resource_id)
        self._admit_view(call, values)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """A schema grows; it does not shrink beneath the top, and nothing changes its kind."""
        before, after = _columns(row.outputs.get("schema")), _columns(values.get("schema"))
        _, project, _, dataset, _, table = row.id.split("/")
        if after and before and not schema_in_place(before, after):
            told = _difference(before, after)
            raise _invalid(f"Provided Schema does not match Table {project}:{dataset}.{table}. {told}")
        for path in (("timePartitioning", "type"), ("timePartitioning", "field"), ("rangePartitioning", "field")):
            if get(row.outputs, path) != get(values, path):
                raise _invalid(
                    f"Cannot change partitioning/clustering spec for a partitioned/clustered table: {path[1]}."
                )
        _divided(values, after or before)
        self._admit_key(call, values, project, row.id)
        self._admit_view(call, values)

    def _admit_key(self, call: Call, values: dict[str, Any], project: str, resource_id: str) -> None:
        key = (values.get("encryptionConfiguration") or {}).get("kmsKeyName")
        if key:
            found = store.find(call.tx, DATASET, resource_id.rpartition("/tables/")[0])
            location = str(found.outputs.get("location") if found is not None else "US")
            _require_key(call, str(key), project, location)

    def _admit_view(self, call: Call, values: dict[str, Any]) -> None:
        query = (values.get("view") or values.get("materializedView") or {}).get("query")
        for project, dataset, table in _READ.findall(query) if isinstance(query, str) else ():
            # Of a project outside this world nothing can be known.
            if store.project_number(call.tx, project) is None or dataset == "INFORMATION_SCHEMA":
                continue
            if store.find(call.tx, TABLE, f"projects/{project}/datasets/{dataset}/tables/{table}") is None:
                raise ApiError(404, "notFound", f"Not found: Table {project}:{dataset}.{table}")

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """What BigQuery fills in."""
        now = int(time.time() * 1000)
        found = store.find(call.tx, DATASET, resource_id.rpartition("/tables/")[0])
        dataset = found.outputs if found is not None else {}
        kind = next((shown for name, shown in _KINDS.items() if values.get(name)), "TABLE")
        lives = dataset.get("defaultTableExpirationMs")
        made: dict[str, Any] = {
            "creationTime": old.outputs["creationTime"] if old is not None else now,
            "lastModifiedTime": now,
            "type": kind,
            "location": dataset.get("location", "US"),
            "selfLink": f"https://bigquery.googleapis.com/bigquery/v2/{resource_id}",
            "schema": values.get("schema") or (old.outputs.get("schema") if old is not None else "[]"),
            "numBytes": 0,
            "numLongTermBytes": 0,
            "numRows": 0,
        }
        if "expirationTime" not in values:
            expires = now + int(lives) if lives and kind == "TABLE" and not values.get("timePartitioning") else 0
            made["expirationTime"] = old.outputs.get("expirationTime", expires) if old is not None else expires
        partitioning = values.get("timePartitioning")
        if partitioning:
            kept = dataset.get("defaultPartitionExpirationMs") or 0
            made["timePartitioning"] = {"expirationMs": int(kept), **partitioning}
        encryption = values.get("encryptionConfiguration")
        if encryption:
            version = f"{encryption['kmsKeyName']}/cryptoKeyVersions/1"
            made["encryptionConfiguration"] = {"kmsKeyVersion": version, **encryption}
        if values.get("view"):
            made["view"] = {"useLegacySql": True, **values["view"]}
        return made


def _columns(text: Any) -> list[dict[str, Any]]:
    """The columns of a schema's text, each looked at; empty where there is none."""
    if not isinstance(text, str) or not text:
        return []
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _invalid(f"Invalid JSON in schema: {error}") from None
    if not isinstance(found, list):
        raise _invalid("A schema is a list of fields.")
    _look(found, "")
    return found


def _look(columns: Sequence[Any], above: str) -> None:
    seen: set[str] = set()
    for column in columns:
        if not isinstance(column, dict) or not _NAME.fullmatch(str(column.get("name", ""))):
            name = column.get("name") if isinstance(column, dict) else column
            raise _invalid(
                f'Invalid field name "{name}". Fields must contain only letters, numbers, and underscores, start with a'
                " letter or underscore, and be at most 300 characters long."
            )
        name = f"{above}{column['name']}"
        if name.lower() in seen:
            raise _invalid(f"Duplicate field name in schema: {name}")
        seen.add(name.lower())
        kind = str(column.get("type", "")).upper()
        if kind not in _TYPES:
            raise _invalid(f"Invalid value for type: {column.get('type')} is not a valid value (field {name})")
        if str(column.get("mode") or "NULLABLE").upper() not in _MODES:
            raise _invalid(f"Invalid value for mode: {column.get('mode')} is not a valid value (field {name})")
        inside = column.get("fields") or []
        if (kind in ("RECORD", "STRUCT")) != bool(inside):
            raise _invalid(f"Field {name} is type {kind} but has {'a' if inside else 'no'} schema")
        _look(inside, f"{name}.")


def _divided(values: dict[str, Any], columns: Sequence[dict[str, Any]]) -> None:
    by_name = {str(column["name"]).lower(): str(column["type"]).upper() for column in columns}
    field = get(values, ("timePartitioning", "field"))
    if isinstance(field, str) and field:
        kind = by_name.get(field.lower())
        hourly = get(values, ("timePartitioning", "type")) == "HOUR"
        if kind is None:
            raise _invalid(f"The field specified for partitioning cannot be found in the schema: {field}")
        if kind not in (("TIMESTAMP", "DATETIME") if hourly else ("TIMESTAMP", "DATETIME", "DATE")):
            raise _invalid(f"The field specified for time partitioning can only be of type TIMESTAMP, DATE or DATETIME."
                           f" The type found is: {kind}.")  # fmt: skip
    field = get(values, ("rangePartitioning", "field"))
    if isinstance(field, str) and field and by_name.get(field.lower()) not in ("INTEGER", "INT64"):
        raise _invalid(f"The field specified for range partitioning must be an INTEGER of the schema: {field}")
    for name in values.get("clusterings") or ():
        if str(name).lower() not in by_name:
            raise _invalid(f"The field specified for clustering cannot be found in the schema: {name}")
    if values.get("requirePartitionFilter") and not (values.get("timePartitioning") or values.get("rangePartitioning")):
        raise _invalid("require_partition_filter needs a partitioned table.")


def _difference(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]], above: str = "") -> str:
    """The first thing that BigQuery names."""
    right = {str(column["name"]).lower(): column for column in after}
    left = {str(column["name"]).lower(): column for column in before}
    for key, column in left.items():
        name = f"{above}{column['name']}"
        other = right.get(key)
        if other is None:
            return f"Field {name} is missing in new schema"
        old, new = str(column["type"]).upper(), str(other["type"]).upper()
        if old != new:
            return f"Field {name} has changed type from {old} to {new}"
        old, new = (str(c.get("mode") or "NULLABLE").upper() for c in (column, other))
        if old != new:
            return f"Field {name} has changed mode from {old} to {new}"
        inside = _difference(column.get("fields") or [], other.get("fields") or [], f"{name}.")
        if inside:
            return inside
    added = next((c for k, c in right.items() if k not in left and str(c.get("mode")).upper() == "REQUIRED"), None)
    return f"Cannot add required fields to an existing schema. (field: {above}{added['name']})" if added else ""
