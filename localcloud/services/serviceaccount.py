"""Service accounts and their keys."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules.wire import is_unknown
from localcloud.services import checks, synthesis
from localcloud.services.base import Call, State
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row


class Account(GoogleResource):
    """`serviceaccount.Account`: a principal of its project."""

    client_only: tuple[str, ...] = ("createIgnoreAlreadyExists",)

    def known_at_plan(self, call: Call, values: dict[str, Any]) -> dict[str, Any]:
        """The provider computes the address from account id and project."""
        account, project = values.get("accountId"), values.get("project")
        if not account or not project or is_unknown(account) or is_unknown(project):
            return {}
        email = f"{account}@{project}.iam.gserviceaccount.com"
        return {"email": email, "member": f"serviceAccount:{email}"}

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Name and number."""
        if old is not None:
            return {"name": old.outputs["name"], "uniqueId": old.outputs["uniqueId"]}
        return {"name": resource_id, "uniqueId": str(10**20 + call.world.next_value("uniqueId"))}

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Create; with `createIgnoreAlreadyExists` an existing account is taken over."""
        values = self.resolve(call, inputs)
        email = values.get("email")
        if inputs.get("createIgnoreAlreadyExists") is True and email:
            row = store.find(call.tx, self.token, f"projects/{values.get('project')}/serviceAccounts/{email}")
            if row is not None:
                return State(row.id, inputs, {**row.outputs, **inputs})
        return super().create(call, inputs)

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of the IAM API."""
        return ApiError(
            409,
            "alreadyExists",
            f"Service account {values.get('accountId')} already exists within project"
            f" projects/{values.get('project')}.",
        )

    def settle(self, call: Call, row: Row, old: Row | None) -> None:
        """The account is a principal from now on."""
        store.add_principal(
            call.tx, str(row.outputs["email"]), str(row.project), "account", str(row.outputs["uniqueId"])
        )

    def withdraw(self, call: Call, row: Row) -> None:
        """Its keys go with it. Grants to it stay in the policies, as `deleted:` members do in the cloud."""
        super().withdraw(call, row)
        call.tx.execute("DELETE FROM principals WHERE email = ?", (str(row.outputs["email"]).lower(),))


class Key(GoogleResource):
    """`serviceaccount.Key`: the private key is given out once, here an unusable one."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Make a key of an existing account. At most ten user-managed keys exist per account."""
        account = str(inputs["serviceAccountId"])
        email = account.rpartition("/")[2]
        project = checks.require_project(call, email.partition("@")[2].removesuffix(".iam.gserviceaccount.com"))
        checks.require_api(call, project, self.api)
        parent = f"projects/{project}/serviceAccounts/{email}"
        if store.find(call.tx, "gcp:serviceaccount/account:Account", parent) is None:
            raise ApiError(404, "notFound", f"Service account {parent} does not exist.")
        if len([r for r in store.below(call.tx, parent) if r.token == self.token]) >= 10:
            raise ApiError(429, "rateLimitExceeded", f"Maximum number of keys on account {email} reached.")
        now = time.time()
        serial = call.world.next_value("serviceAccountKey")
        digest = hashlib.sha1(f"{parent}#{serial}".encode(), usedforsecurity=False).hexdigest()
        name = f"{parent}/keys/{digest}"
        document = {
            "type": "service_account",
            "project_id": project,
            "private_key_id": digest,
            "private_key": "embedded cloud: this key opens nothing",
            "client_email": email,
        }
        outputs = {
            **self.resolve(call, inputs),
            "name": name,
            "privateKey": base64.b64encode(json.dumps(document).encode()).decode(),
            "publicKey": base64.b64encode(digest.encode()).decode(),
            "validAfter": synthesis.timestamp(now),
            "validBefore": "9999-12-31T23:59:59Z",
        }
        row = Row(name, self.token, project, f"{self.token}|{name}", inputs, outputs, call.secrets, "user", now, now)
        store.insert(call.tx, row)
        return State(name, inputs, outputs, call.secrets)


class HmacKey(GoogleResource):
    """`storage.HmacKey`: the secret is given out once, here one that opens nothing."""

    client_only: tuple[str, ...] = ("secret",)

    def admitted(self, call: Call, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The service makes the access id."""
        serial = call.world.next_value("hmacKey")
        digest = hashlib.sha256(f"{values.get('serviceAccountEmail')}#{serial}".encode()).digest()
        return super().admitted(call, {**values, "accessId": "GOOG1E" + base64.b32encode(digest).decode()[:50]})

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Id and secret stay; the state changes."""
        if old is not None:
            return {name: old.outputs[name] for name in ("accessId", "secret") if name in old.outputs}
        digest = hashlib.sha256(f"secret of {resource_id}".encode()).digest()
        return {"secret": base64.b64encode(digest).decode()[:40], "state": values.get("state") or "ACTIVE"}

    def admit_delete(self, call: Call, row: Row) -> None:
        """The provider makes it inactive first, which the service wants."""
