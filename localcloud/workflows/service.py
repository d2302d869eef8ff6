"""The Workflows API v1: definitions, their revisions and long-running operations.

Rules by the discovery document `workflows.v1`. Operations are done when they are returned, as resources that can be
read, listed and deleted. Not served: customer-managed keys (a key's name is kept, nothing is encrypted) and tags.
"""

from __future__ import annotations

import json
import re
import secrets
import time
import uuid
from collections.abc import Iterable
from sqlite3 import Row

from localcloud.errors import ApiError
from localcloud.workflows import limits
from localcloud.workflows.check import check_source
from localcloud.workflows.listing import WORKFLOWS, matching, ordered
from localcloud.workflows.store import (
    Json,
    WorldLike,
    create_tables,
    encode_token,
    invalid,
    not_found,
    page_at,
    project_number,
    timestamp,
)
from localcloud.workflows.store import check_fields as _check_fields

_WORKFLOW_ID = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9_-]{0,62}[a-zA-Z0-9])?")
_PARENT = re.compile(r"projects/[^/]+/locations/[^/]+")
_NAME = re.compile(r"(projects/[^/]+/locations/[^/]+)/workflows/([^/]+)")
_LOG_LEVELS = ("CALL_LOG_LEVEL_UNSPECIFIED", "LOG_ALL_CALLS", "LOG_ERRORS_ONLY", "LOG_NONE")
_HISTORY_LEVELS = (
    "EXECUTION_HISTORY_LEVEL_UNSPECIFIED",
    "EXECUTION_HISTORY_BASIC",
    "EXECUTION_HISTORY_DETAILED",
)
_FIELDS = frozenset(
    {
        "callLogLevel",
        "cryptoKeyName",
        "description",
        "executionHistoryLevel",
        "labels",
        "serviceAccount",
        "sourceContents",
        "tags",
        "userEnvVars",
    }
)
_OUTPUT = frozenset(
    {
        "allKmsKeys",
        "allKmsKeysVersions",
        "createTime",
        "cryptoKeyVersion",
        "name",
        "revisionCreateTime",
        "revisionId",
        "state",
        "stateError",
        "updateTime",
    }
)


def check_labels(labels: object) -> None:
    """Raise ApiError unless labels keep to the API's rules."""
    if not isinstance(labels, dict):
        raise invalid("labels must be a map of strings")
    if len(labels) > limits.LABELS:
        raise invalid(f"{len(labels)} labels exceed the limit of {limits.LABELS}")
    for key, value in labels.items():
        if not isinstance(value, str):
            raise invalid(f"label '{key}' must be a string")
        for what, text in (("key", key), ("value", value)):
            if len(text) > limits.LABEL_CHARACTERS:
                raise invalid(f"label {what} '{text}' exceeds {limits.LABEL_CHARACTERS} characters")
            if not all(c in "_-" or c.isdigit() or (c.isalpha() and not c.isupper()) for c in text):
                raise invalid(
                    f"label {what} '{text}' can only hold lowercase letters, numeric characters, underscores and dashes"
                )
        if not key[:1].isalpha():
            raise invalid(f"label key '{key}' must start with a letter")


def check_choice(body: Json, field: str, choices: Iterable[str]) -> None:
    """Raise ApiError unless a field has one of its enum's values."""
    if field in body and body[field] not in choices:
        raise invalid(f"Invalid value for {field}: {body[field]}")


def check_call_log_level(body: Json) -> None:
    """Raise ApiError for an unknown log or history level."""
    check_choice(body, "callLogLevel", _LOG_LEVELS)
    check_choice(body, "executionHistoryLevel", _HISTORY_LEVELS)


class WorkflowsService:
    """Workflow resources in a world."""

    def __init__(self, world: WorldLike) -> None:
        self.world = world
        create_tables(world)

    # Workflows

    def create(self, parent: str, workflow_id: str, body: Json) -> Json:
        """Create a workflow; its resource. Raises ApiError: 400 INVALID_ARGUMENT, 409 ALREADY_EXISTS, 429."""
        if not _PARENT.fullmatch(parent) or parent.endswith("/-"):
            raise invalid(f"Invalid parent: {parent}")
        if not _WORKFLOW_ID.fullmatch(workflow_id or ""):
            raise invalid(
                f"workflow_id '{workflow_id}' must hold only letters, numbers, underscores and hyphens, start with a "
                f"letter, end with a letter or a number and have 1 to {limits.WORKFLOW_ID_CHARACTERS} characters"
            )
        given = _check_fields(body, _FIELDS, _OUTPUT)
        _check_body(given)
        if not given.get("sourceContents"):
            raise invalid("source code must be provided")
        _check_source(given["sourceContents"])
        name = f"{parent}/workflows/{workflow_id}"
        now = timestamp(time.time())
        with self.world.transaction() as tx:
            if tx.execute("SELECT 1 FROM workflow_definitions WHERE name = ?", (name,)).fetchone():
                raise ApiError(409, "ALREADY_EXISTS", f"Resource '{name}' already exists")
            project = parent.split("/")[1]
            count = tx.execute(
                "SELECT COUNT(*) FROM workflow_definitions WHERE parent LIKE ?", (f"projects/{project}/%",)
            ).fetchone()[0]
            if count >= limits.WORKFLOWS_PER_PROJECT:
                message = f"quota of {limits.WORKFLOWS_PER_PROJECT} workflows per project exceeded"
                raise ApiError(429, "RESOURCE_EXHAUSTED", message)
            workflow = {
                "callLogLevel": "CALL_LOG_LEVEL_UNSPECIFIED",
                **{k: v for k, v in given.items() if k != "tags"},
                "name": name,
                "state": "ACTIVE",
                "createTime": now,
                "updateTime": now,
                "revisionCreateTime": now,
                "revisionId": _revision_id(1),
                "serviceAccount": self._service_account(parent, given.get("serviceAccount")),
            }
            tx.execute("INSERT INTO workflow_definitions VALUES (?, ?, ?, 1)", (name, parent, json.dumps(workflow)))
            self._add_revision(workflow, 1)
        return workflow

    def get(self, name: str, revision_id: str | None = None) -> Json:
        """A workflow, or one of its revisions. Raises ApiError 404."""
        row = self._row(name)
        if not revision_id:
            return _loads(row["body"])
        found = (
            self.world.connect()
            .execute("SELECT body FROM workflow_revisions WHERE name = ? AND revision_id = ?", (name, revision_id))
            .fetchone()
        )
        if found is None:
            raise not_found(f"{name}@{revision_id}")
        return _loads(found["body"])

    def list(
        self,
        parent: str,
        *,
        page_size: object = None,
        page_token: object = None,
        filter: str = "",  # noqa: A002 - the API's own name
        order_by: str = "",
    ) -> Json:
        """A page of workflows, `{"workflows": […], "nextPageToken": …}`; location `-` stands for all."""
        if not _PARENT.fullmatch(parent):
            raise invalid(f"Invalid parent: {parent}")
        size, offset = page_at(page_size, page_token, default=500, most=1000)
        pattern = f"{parent.removesuffix('-')}%" if parent.endswith("/-") else parent
        rows = self.world.connect().execute("SELECT body FROM workflow_definitions WHERE parent LIKE ?", (pattern,))
        chosen = matching([_loads(r["body"]) for r in rows.fetchall()], filter, WORKFLOWS)
        found = ordered(chosen, order_by, WORKFLOWS, "name")
        answer: Json = {"workflows": found[offset : offset + size]}
        if len(found) > offset + size:
            answer["nextPageToken"] = encode_token(str(offset + size))
        return answer

    def patch(self, name: str, body: Json, update_mask: str | None = None) -> Json:
        """Change a workflow; its resource. A new revision where the source or the service account changes."""
        given = _check_fields(body, _FIELDS, _OUTPUT)
        fields = _mask(update_mask)
        _check_body(given)
        with self.world.transaction() as tx:
            row = self._row(name)
            old = _loads(row["body"])
            new = {k: v for k, v in old.items() if k not in fields} | {k: v for k, v in given.items() if k in fields}
            new.setdefault("callLogLevel", "CALL_LOG_LEVEL_UNSPECIFIED")
            if not new.get("sourceContents"):
                raise invalid("source code must be provided")
            new["serviceAccount"] = self._service_account(row["parent"], new.get("serviceAccount"))
            if new["sourceContents"] != old["sourceContents"]:
                _check_source(new["sourceContents"])
            new["updateTime"] = timestamp(time.time())
            number = row["revision"]
            if any(new[k] != old.get(k) for k in ("sourceContents", "serviceAccount")):
                number += 1
                new["revisionId"] = _revision_id(number)
                new["revisionCreateTime"] = new["updateTime"]
                self._add_revision(new, number)
            tx.execute(
                "UPDATE workflow_definitions SET body = ?, revision = ? WHERE name = ?", (json.dumps(new), number, name)
            )
        return new

    def delete(self, name: str) -> None:
        """Delete a workflow, its revisions and its executions; running ones are cancelled. Raises ApiError 404."""
        with self.world.transaction() as tx:
            self._row(name)
            tx.execute("DELETE FROM workflow_definitions WHERE name = ?", (name,))
            tx.execute("DELETE FROM workflow_revisions WHERE name = ?", (name,))
            for table in ("workflow_step_entries", "workflow_logs"):
                tx.execute(
                    f"DELETE FROM {table} WHERE execution IN (SELECT name FROM workflow_executions WHERE workflow = ?)",  # noqa: S608
                    (name,),
                )
            # A running execution notices that its row is gone and ends.
            tx.execute("DELETE FROM workflow_executions WHERE workflow = ?", (name,))

    def list_revisions(self, name: str, *, page_size: object = None, page_token: object = None) -> Json:
        """A page of a workflow's revisions, newest first."""
        self._row(name)
        size, offset = page_at(page_size, page_token, default=20, most=100)
        rows = (
            self.world.connect()
            .execute("SELECT body FROM workflow_revisions WHERE name = ? ORDER BY revision DESC", (name,))
            .fetchall()
        )
        answer: Json = {"workflows": [_loads(r["body"]) for r in rows[offset : offset + size]]}
        if len(rows) > offset + size:
            answer["nextPageToken"] = encode_token(str(offset + size))
        return answer

    def _row(self, name: str) -> Row:
        row: Row | None = (
            self.world.connect().execute("SELECT * FROM workflow_definitions WHERE name = ?", (name,)).fetchone()
        )
        if row is None:
            raise not_found(name)
        return row

    def _add_revision(self, workflow: Json, number: int) -> None:
        self.world.connect().execute(
            "INSERT INTO workflow_revisions VALUES (?, ?, ?, ?)",
            (workflow["name"], number, workflow["revisionId"], json.dumps(workflow)),
        )

    def _service_account(self, parent: str, account: str | None) -> str:
        project = parent.split("/")[1]
        if not account:
            account = f"{project_number(self.world, project)}-compute@developer.gserviceaccount.com"
        if re.fullmatch(r"projects/[^/]+/serviceAccounts/[^/]+", account):
            return account.replace("projects/-/", f"projects/{project}/")
        if "/" in account:
            raise invalid(f"Invalid service account: {account}")
        return f"projects/{project}/serviceAccounts/{account}"

    # Operations

    def operation(self, target: str, verb: str, response: Json | None) -> Json:
        """Record a finished operation on a workflow; its resource."""
        match = _NAME.fullmatch(target)
        if match is None:
            raise invalid(f"Invalid name: {target}")
        parent = match.group(1)
        kind = "google.cloud.workflows.v1.Workflow" if response is not None else "google.protobuf.Empty"
        now = timestamp(time.time())
        operation = {
            "name": f"{parent}/operations/operation-{int(time.time() * 1000)}-{uuid.uuid4().hex[:13]}",
            "metadata": {
                "@type": "type.googleapis.com/google.cloud.workflows.v1.OperationMetadata",
                "createTime": now,
                "endTime": now,
                "target": target,
                "verb": verb,
                "apiVersion": "v1",
            },
            "done": True,
            "response": {"@type": f"type.googleapis.com/{kind}", **(response or {})},
        }
        with self.world.transaction() as tx:
            tx.execute(
                "INSERT INTO workflow_operations(name, parent, body) VALUES (?, ?, ?)",
                (operation["name"], parent, json.dumps(operation)),
            )
        return operation

    def get_operation(self, name: str) -> Json:
        """An operation. Raises ApiError 404."""
        row = self.world.connect().execute("SELECT body FROM workflow_operations WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise not_found(name)
        return _loads(row["body"])

    def list_operations(
        self,
        parent: str,
        *,
        page_size: object = None,
        page_token: object = None,
        filter: str = "",  # noqa: A002
    ) -> Json:
        """A page of a location's operations, newest first."""
        if filter:
            raise invalid(f"filter is not supported by the embedded cloud: {filter}")
        size, offset = page_at(page_size, page_token, default=100, most=1000)
        rows = (
            self.world.connect()
            .execute("SELECT body FROM workflow_operations WHERE parent = ? ORDER BY seq DESC", (parent,))
            .fetchall()
        )
        answer: Json = {"operations": [_loads(r["body"]) for r in rows[offset : offset + size]]}
        if len(rows) > offset + size:
            answer["nextPageToken"] = encode_token(str(offset + size))
        return answer

    def delete_operation(self, name: str) -> None:
        """Forget an operation. Raises ApiError 404."""
        with self.world.transaction() as tx:
            if tx.execute("DELETE FROM workflow_operations WHERE name = ?", (name,)).rowcount == 0:
                raise not_found(name)


def _loads(text: str) -> Json:
    loaded: Json = json.loads(text)
    return loaded


def _revision_id(number: int) -> str:
    return f"{number:06d}-{secrets.token_hex(2)[:3]}"


def _mask(update_mask: str | None) -> frozenset[str]:
    if not update_mask or update_mask.strip() == "*":
        return _FIELDS
    fields = {re.sub(r"_([a-z])", lambda m: m.group(1).upper(), f.strip()) for f in update_mask.split(",")}
    unknown = sorted(fields - _FIELDS)
    if unknown:
        raise invalid(f"Invalid field in updateMask: {unknown[0]}")
    return frozenset(fields)


def _check_source(text: object) -> None:
    if not isinstance(text, str):
        raise invalid("sourceContents must be a string")
    problems = check_source(text)
    if problems:
        raise invalid("\n".join(problems))


def _check_body(body: Json) -> None:
    check_call_log_level(body)
    for field in ("description", "serviceAccount", "sourceContents", "cryptoKeyName"):
        if field in body and not isinstance(body[field], str):
            raise invalid(f"{field} must be a string")
    if len(body.get("description", "")) > limits.DESCRIPTION_CHARACTERS:
        raise invalid(f"description exceeds {limits.DESCRIPTION_CHARACTERS} characters")
    if "labels" in body:
        check_labels(body["labels"])
    if "userEnvVars" in body:
        _check_environment(body["userEnvVars"])


def _check_environment(variables: object) -> None:
    if not isinstance(variables, dict):
        raise invalid("userEnvVars must be a map of strings")
    if len(variables) > limits.ENVIRONMENT_VARIABLES:
        raise invalid(f"{len(variables)} environment variables exceed the limit of {limits.ENVIRONMENT_VARIABLES}")
    for key, value in variables.items():
        if not key or key.startswith(("GOOGLE", "WORKFLOWS")):
            raise invalid(f"environment variable '{key}': keys cannot be empty or start with GOOGLE or WORKFLOWS")
        if not isinstance(value, str):
            raise invalid(f"environment variable '{key}' must be a string")
        if max(len(key.encode()), len(value.encode())) > limits.ENVIRONMENT_VARIABLE_BYTES:
            raise invalid(f"environment variable '{key}' exceeds {limits.ENVIRONMENT_VARIABLE_BYTES} bytes")
