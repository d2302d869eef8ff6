"""Instances as datafusion.googleapis.com shows them, by the discovery documents of its v1 and v1beta1.

Creating, deleting and restarting are operations that take their time by the clock; a creation ends FAILED where the
fault `partial` meets it. Not served: `patch`, DNS peerings, the policies of namespaces.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from localcloud import store
from localcloud.cdap.google import API, TYPE
from localcloud.cdap.http import JSON, Json, Reply, Request
from localcloud.cdap.store import Shelf, create_tables
from localcloud.errors import ApiError
from localcloud.faults import Faults
from localcloud.services import checks
from localcloud.services.base import Call, Settings
from localcloud.services.datafusion import DEFAULT_VERSION
from localcloud.services.registry import service_for
from localcloud.store import Row
from localcloud.workflows.store import decode_token, encode_token, invalid, not_found, page_size, timestamp
from localcloud.world import World

CREATING_SECONDS = 3.0
"""What stands for the 10 to 30 minutes a real creation takes."""
_SHELF = "datafusion.googleapis.com"
_LOCATION = r"(?P<parent>projects/[^/]+/locations/[^/]+)"
_INSTANCE = r"(?P<name>projects/[^/]+/locations/[^/]+/instances/[^/:]+)"
_OPERATION = r"(?P<name>projects/[^/]+/locations/[^/]+/operations/[^/:]+)"
_SHOWN = (
    "accelerators", "apiEndpoint", "cryptoKeyConfig", "dataprocServiceAccount", "description", "displayName",
    "enableRbac", "enableStackdriverLogging", "enableStackdriverMonitoring", "eventPublishConfig", "gcsBucket",
    "maintenancePolicy", "networkConfig", "options", "p4ServiceAccount", "patchRevision", "privateInstance",
    "serviceAccount", "serviceEndpoint", "stateMessage", "tags", "tenantProjectId", "type", "version", "zone",
)  # fmt: skip
_GIVEN = frozenset(_SHOWN) - {
    "apiEndpoint", "gcsBucket", "p4ServiceAccount", "serviceAccount", "serviceEndpoint", "stateMessage",
    "tenantProjectId",
} | {"labels"}  # fmt: skip


class GoogleApi:
    """The instances of a world behind their REST paths."""

    def __init__(self, world: World, time_scale: float = 1.0, clock: Callable[[], float] = time.time) -> None:
        self.world = world
        self.time_scale = time_scale
        self.clock = clock
        create_tables(world)
        self.shelf = Shelf(world, _SHELF)
        self.faults = Faults(world)
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[..., Json]], ...] = tuple(
            (method, re.compile(rf"/(?P<version>v1|v1beta1)/{pattern}"), handler)
            for method, pattern, handler in (
                ("GET", f"{_LOCATION}/instances", self.list_all),
                ("POST", f"{_LOCATION}/instances", self.create),
                ("GET", _INSTANCE, self.get),
                ("DELETE", _INSTANCE, self.delete),
                ("POST", f"{_INSTANCE}:restart", self.restart),
                ("GET", f"{_INSTANCE}:getIamPolicy", self.get_policy),
                ("POST", f"{_INSTANCE}:setIamPolicy", self.set_policy),
                ("POST", f"{_INSTANCE}:testIamPermissions", self.test_permissions),
                ("GET", f"{_LOCATION}/versions", self.versions),
                ("GET", _OPERATION, self.get_operation),
            )
        )

    def answer(self, request: Request) -> Reply:
        """Answer a request, in Google's JSON."""
        try:
            for method, pattern, handler in self._routes:
                match = pattern.fullmatch(request.path)
                if match is not None and method == request.method:
                    return _reply(200, handler(request, **match.groupdict()))
            raise ApiError(404, "NOT_FOUND", f"The requested URL {request.path} was not found on this server.")
        except ApiError as error:
            body = {"error": {"code": error.status, "message": error.message, "status": error.code}}
            return _reply(error.status, body)

    # Instances

    def _row(self, name: str) -> Row:
        row = store.find(self.world.connect(), TYPE, name)
        if row is None:
            raise not_found(name)
        return row

    def _shown(self, row: Row, version: str) -> Json:
        shown: Json = {"name": row.id, "state": self._state(row, version)}
        shown |= {key: row.outputs[key] for key in _SHOWN if row.outputs.get(key) not in (None, "", [], {})}
        labels = row.outputs.get("effectiveLabels") or row.outputs.get("labels")
        if labels:
            shown["labels"] = labels
        shown |= {"createTime": timestamp(row.created), "updateTime": timestamp(row.updated)}
        if shown["state"] == "CREATING":
            # Its addresses are known when it is there.
            shown = {k: v for k, v in shown.items() if k not in ("apiEndpoint", "serviceEndpoint", "gcsBucket")}
        return shown

    def _state(self, row: Row, version: str) -> str:
        known: Json | None = self.shelf.get("instance", "", f"{row.id}@{row.created:.6f}")
        ready = "ACTIVE" if version == "v1" else "RUNNING"
        if known is None:
            return ready
        if self.clock() < known["until"]:
            return str(known["meanwhile"])
        return "FAILED" if known["failed"] else ready

    def get(self, request: Request, version: str, name: str) -> Json:
        """One instance."""
        self._admit(name)
        return self._shown(self._row(name), version)

    def list_all(self, request: Request, version: str, parent: str) -> Json:
        """The instances of a location; `-` stands for all of them."""
        self._admit(parent)
        prefix = f"{parent.removesuffix('-')}" if parent.endswith("/-") else f"{parent}/"
        rows = [r for r in store.everything(self.world.connect()) if r.token == TYPE and r.id.startswith(prefix)]
        size = page_size(request.query.get("pageSize"), default=100, most=1000)
        start = int(decode_token(request.query.get("pageToken")) or 0)
        answer: Json = {"instances": [self._shown(row, version) for row in rows[start : start + size]]}
        if len(rows) > start + size:
            answer["nextPageToken"] = encode_token(str(start + size))
        return answer

    def create(self, request: Request, version: str, parent: str) -> Json:
        """Create one; an operation."""
        self._admit(parent)
        name = request.query.get("instanceId", "")
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?", name):
            raise invalid(f"Invalid instance ID '{name}'")
        body = _body(request)
        strange = sorted(set(body) - _GIVEN - {"name"})
        if strange:
            raise invalid(f'Invalid JSON payload received. Unknown name "{strange[0]}": Cannot find field.')
        _, project, _, region = parent.split("/")
        inputs: Json = {"type": "BASIC", **{k: v for k, v in body.items() if k != "name"}}
        inputs |= {"name": name, "region": region, "project": project}
        instance = f"{parent}/instances/{name}"
        fault = self.faults.due("create", TYPE, instance)
        self.faults.before(fault)
        with self.world.transaction() as tx:
            call = Call(self.world, tx, Settings("gcp", {"addPulumiAttributionLabel": "false"}), TYPE)
            try:
                service_for(TYPE).create(call, inputs)
            except ApiError as error:
                raise _named(error) from None
            failed = fault is not None and fault.action == "partial"
            operation = self._begin(self._row(instance), "create", "CREATING", failed=failed)
        self.faults.after(fault)
        return self._operation(operation, version)

    def delete(self, request: Request, version: str, name: str) -> Json:
        """Delete one; an operation that is done at once."""
        self._admit(name)
        row = self._row(name)
        with self.world.transaction() as tx:
            call = Call(self.world, tx, Settings("gcp", {}), TYPE)
            service_for(TYPE).delete(call, name, row.outputs)
            operation = self._begin(row, "delete", "DELETING", seconds=0)
        return self._operation(operation, version)

    def restart(self, request: Request, version: str, name: str) -> Json:
        """Restart one; an operation."""
        self._admit(name)
        with self.world.transaction():
            operation = self._begin(self._row(name), "restart", "RESTARTING")
        return self._operation(operation, version)

    def versions(self, request: Request, version: str, parent: str) -> Json:
        """What can be asked for."""
        self._admit(parent)
        return {
            "availableVersions": [
                {"versionNumber": DEFAULT_VERSION, "defaultVersion": True, "type": "TYPE_GENERAL_AVAILABILITY"}
            ]
        }

    # Operations

    def _begin(
        self, row: Row, verb: str, meanwhile: str, *, failed: bool = False, seconds: float = CREATING_SECONDS
    ) -> Json:
        now = self.clock()
        until = now + seconds * self.time_scale
        key = f"{row.id}@{row.created:.6f}"
        self.shelf.put("instance", "", key, {"until": until, "meanwhile": meanwhile, "failed": failed})
        location = row.id.partition("/instances/")[0]
        operation: Json = {
            "name": f"{location}/operations/operation-{uuid.uuid4()}",
            "verb": verb,
            "target": row.id,
            "begun": now,
            "until": until,
            "failed": failed,
        }
        self.shelf.put("operation", "", operation["name"], operation)
        return operation

    def get_operation(self, request: Request, version: str, name: str) -> Json:
        """How an operation stands."""
        self._admit(name)
        found: Json | None = self.shelf.get("operation", "", name)
        if found is None:
            raise not_found(name)
        return self._operation(found, version)

    def _operation(self, operation: Json, version: str) -> Json:
        done = self.clock() >= operation["until"]
        metadata: Json = {
            "@type": f"type.googleapis.com/google.cloud.datafusion.{version}.OperationMetadata",
            "createTime": timestamp(operation["begun"]),
            "target": operation["target"],
            "verb": operation["verb"],
            "requestedCancellation": False,
            "apiVersion": version,
        }
        shown: Json = {"name": operation["name"], "metadata": metadata, "done": done}
        if not done:
            return shown
        metadata["endTime"] = timestamp(operation["until"])
        if operation["failed"]:
            return {**shown, "error": {"code": 13, "message": "The instance could not be created (fault on request)"}}
        if operation["verb"] == "delete":
            return {**shown, "response": {"@type": "type.googleapis.com/google.protobuf.Empty"}}
        row = store.find(self.world.connect(), TYPE, operation["target"])
        kind = f"type.googleapis.com/google.cloud.datafusion.{version}.Instance"
        return {**shown, "response": {"@type": kind, **(self._shown(row, version) if row is not None else {})}}

    # Policies

    def get_policy(self, request: Request, version: str, name: str) -> Json:
        """Who holds which role on an instance."""
        self._admit(name)
        return self._policy(self._row(name))

    def _policy(self, row: Row) -> Json:
        found: dict[tuple[str, str], list[str]] = {}
        rows = self.world.connect().execute(
            "SELECT role, member, condition FROM bindings WHERE resource = ? ORDER BY role, member", (row.id,)
        )
        for grant in rows.fetchall():
            found.setdefault((grant["role"], grant["condition"]), []).append(grant["member"])
        bindings = [
            {"role": role, "members": members, **({"condition": json.loads(condition)} if condition else {})}
            for (role, condition), members in found.items()
        ]
        etag = encode_token(hashlib.sha256(json.dumps(bindings).encode()).hexdigest()[:12])
        return {"version": 1, "etag": etag, **({"bindings": bindings} if bindings else {})}

    def set_policy(self, request: Request, version: str, name: str) -> Json:
        """Replace all grants on an instance."""
        self._admit(name)
        row = self._row(name)
        policy = _body(request).get("policy")
        if not isinstance(policy, dict):
            raise invalid("policy must be specified")
        given = policy.get("etag")
        if given and given != self._policy(row)["etag"]:
            raise ApiError(409, "ABORTED", "There were concurrent policy changes. Please retry with the latest etag.")
        with self.world.transaction() as tx:
            tx.execute("DELETE FROM bindings WHERE resource = ?", (name,))
            for binding in policy.get("bindings") or []:
                condition = json.dumps(binding["condition"], sort_keys=True) if binding.get("condition") else ""
                for member in binding.get("members") or []:
                    store.bind(tx, name, str(binding.get("role")), str(member), condition=condition)
        return self._policy(row)

    def test_permissions(self, request: Request, version: str, name: str) -> Json:
        """All that is asked for: nobody is refused in the embedded cloud."""
        self._admit(name)
        self._row(name)
        return {"permissions": list(_body(request).get("permissions") or [])}

    def _admit(self, name: str) -> None:
        """The project is there and has the API."""
        tx = self.world.connect()
        call = Call(self.world, tx, Settings("gcp", {}), TYPE)
        try:
            project = checks.require_project(call, name.split("/")[1])
            checks.require_api(call, project, API)
        except ApiError as error:
            raise _named(error) from None


_CODES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def _named(error: ApiError) -> ApiError:
    """The refusal under the name a REST API of today gives its status."""
    return ApiError(error.status, _CODES.get(error.status, error.code), error.message)


def _body(request: Request) -> Json:
    try:
        body: Any = json.loads(request.body or b"{}")
    except ValueError:
        raise invalid("Invalid JSON payload received.") from None
    if not isinstance(body, dict):
        raise invalid("Invalid JSON payload received. An object is expected.")
    return body


def _reply(status: int, body: Json) -> Reply:
    return Reply(
        status=status, body=json.dumps(body, ensure_ascii=False).encode(), content_type=f"{JSON}; charset=UTF-8"
    )
