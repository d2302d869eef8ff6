"""IAM grants on resources: members (additive) and bindings (all members of one role).

Policies are kept as single grants, so what others granted stays. A member's `etag` here is the grant's own: in the
cloud it is the whole policy's and changes whenever anyone's grant does, which would only be noise.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules.tables import table
from localcloud.rules.wire import UNKNOWN
from localcloud.services import checks, google, identity, synthesis
from localcloud.services.base import Call, State
from localcloud.store import Row


@dataclass(frozen=True)
class Target:
    """Where a grant is made: the type of the resource, and which inputs make up its id."""

    token: str
    template: str
    """`{project}` is filled from the input or the provider; every other slot is an input."""


_LOCATED = "projects/{project}/locations/"
TARGETS = {
    "gcp:artifactregistry/repositoryIam": Target(
        "gcp:artifactregistry/repository:Repository", _LOCATED + "{location}/repositories/{repository}"
    ),
    "gcp:bigquery/connectionIam": Target(
        "gcp:bigquery/connection:Connection", _LOCATED + "{location}/connections/{connectionId}"
    ),
    "gcp:bigquery/datasetIam": Target("gcp:bigquery/dataset:Dataset", "projects/{project}/datasets/{datasetId}"),
    "gcp:bigquery/iam": Target("gcp:bigquery/table:Table", "projects/{project}/datasets/{datasetId}/tables/{tableId}"),
    "gcp:cloudfunctionsv2/functionIam": Target(
        "gcp:cloudfunctionsv2/function:Function", _LOCATED + "{location}/functions/{cloudFunction}"
    ),
    "gcp:cloudrunv2/jobIam": Target("gcp:cloudrunv2/job:Job", _LOCATED + "{location}/jobs/{name}"),
    "gcp:cloudrunv2/serviceIam": Target("gcp:cloudrunv2/service:Service", _LOCATED + "{location}/services/{name}"),
    "gcp:compute/subnetworkIAM": Target(
        "gcp:compute/subnetwork:Subnetwork", "projects/{project}/regions/{region}/subnetworks/{subnetwork}"
    ),
    "gcp:dataform/repositoryIam": Target(
        "gcp:dataform/repository:Repository", _LOCATED + "{region}/repositories/{repository}"
    ),
    "gcp:kms/cryptoKeyIAM": Target("gcp:kms/cryptoKey:CryptoKey", "{cryptoKeyId}"),
    "gcp:kms/keyRingIAM": Target("gcp:kms/keyRing:KeyRing", "{keyRingId}"),
    "gcp:projects/iAM": Target("", "projects/{project}"),
    "gcp:pubsub/subscriptionIAM": Target(
        "gcp:pubsub/subscription:Subscription", "projects/{project}/subscriptions/{subscription}"
    ),
    "gcp:pubsub/topicIAM": Target("gcp:pubsub/topic:Topic", "projects/{project}/topics/{topic}"),
    "gcp:secretmanager/secretIam": Target("gcp:secretmanager/secret:Secret", "projects/{project}/secrets/{secretId}"),
    "gcp:securitycenter/instanceIam": Target(
        "gcp:datafusion/instance:Instance", _LOCATED + "{region}/instances/{name}"
    ),
    "gcp:serviceaccount/iAM": Target("gcp:serviceaccount/account:Account", "{serviceAccountId}"),
    "gcp:storage/bucketIAM": Target("gcp:storage/bucket:Bucket", "{bucket}"),
    "gcp:storage/managedFolderIam": Target("gcp:storage/managedFolder:ManagedFolder", "{bucket}/{managedFolder}"),
}
_TOKEN = re.compile(r"^(gcp:\w+/\w*?(?:IAM|Iam|iam|iAM))(Member|Binding):\w+$")


def target_of(token: str) -> tuple[Target, bool] | None:
    """Where a type's grants are made, and whether it is a binding; None for other types."""
    match = _TOKEN.match(token)
    if match is None or match.group(1) not in TARGETS:
        return None
    return TARGETS[match.group(1)], match.group(2) == "Binding"


class Grant:
    """`…IAMMember` or `…IAMBinding` of one kind of resource."""

    client_only: tuple[str, ...] = ()

    def __init__(self, token: str, target: Target, binding: bool) -> None:
        self.token = token
        self.target = target
        self.binding = binding

    def _resource(self, call: Call, inputs: dict[str, Any]) -> str:
        """The id of the resource the grant is on. A full name in a short slot wins over the slots around it."""
        template = self.target.template
        slots = re.findall(r"\{(\w+)\}", template)
        values = {slot: str(inputs.get(slot) or getattr(call.settings, slot, None) or "") for slot in slots}
        whole = identity.relative(values[slots[-1]])
        if whole.startswith("projects/") and template != "projects/{project}":
            return whole
        if template.startswith("{bucket}"):
            bucket = values["bucket"].removeprefix("gs://").removeprefix("b/")
            folder = values.get("managedFolder", "").rstrip("/")
            return f"{bucket}/{folder}/" if folder else bucket
        if template == "{serviceAccountId}" and "@" in whole:
            return f"projects/{call.settings.project}/serviceAccounts/{whole}"
        return template.format(**{slot: identity.last(value) for slot, value in values.items()})

    def _condition(self, inputs: dict[str, Any]) -> str:
        condition = inputs.get("condition")
        if not condition:
            return ""
        parts = {k: condition.get(k) or "" for k in ("title", "expression", "description")}
        return json.dumps(parts, sort_keys=True)

    def _id(self, inputs: dict[str, Any], resource: str) -> str:
        name = f"b/{resource}" if self.target.template == "{bucket}" else resource
        if self.target.template == "{bucket}/{managedFolder}":
            name = "b/" + resource.replace("/", "/managedFolders/", 1)
        if self.target.template == "projects/{project}":
            name = resource.removeprefix("projects/")
        title = (inputs.get("condition") or {}).get("title")
        member = "" if self.binding else f"/{inputs['member']}"
        return f"{name}/{inputs['role']}{member}" + (f"/{title}" if title else "")

    def _outputs(self, inputs: dict[str, Any], resource: str, call: Call) -> dict[str, Any]:
        values = {k: v for k, v in inputs.items() if not k.startswith("__")}
        for slot in ("project", "region", "location"):
            parts = resource.split("/")
            if slot in table(self.token).properties and slot not in values:
                collection = {"project": "projects", "region": "locations", "location": "locations"}[slot]
                if collection in parts:
                    values[slot] = parts[parts.index(collection) + 1]
        who = inputs.get("members") if self.binding else inputs.get("member")
        values["etag"] = synthesis.etag(resource, inputs.get("role"), who, self._condition(inputs))
        if self.target.template == "{bucket}":
            values["bucket"] = f"b/{resource}"
        return values

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """Inputs; the rest is unknown."""
        unknown = {name: UNKNOWN for name in table(self.token).computed if name not in inputs}
        given = {k: v for k, v in inputs.items() if not k.startswith("__")}
        return {**unknown, **given} if old is None else {**old, **given, "etag": UNKNOWN}

    def _admit(self, call: Call, inputs: dict[str, Any]) -> tuple[str, str]:
        """The checks; returns the resource and its project."""
        resource = self._resource(call, inputs)
        parts = resource.split("/")
        if self.target.template.startswith("{bucket}"):
            row = store.find(call.tx, "gcp:storage/bucket:Bucket", parts[0])
            project = row.project if row is not None else None
            if row is None or project is None:
                raise ApiError(404, "notFound", "The specified bucket does not exist.")
            _admit_bucket(row, str(inputs["role"]), self._members(inputs), bool(inputs.get("condition")))
        else:
            project = checks.require_project(call, parts[1] if parts[0] == "projects" and len(parts) > 1 else "")
            resource = "/".join(["projects", project, *parts[2:]])
        checks.require_api(call, project, google.api_of(self.target.token or self.token))
        if self.target.token and not self._target_exists(call, resource):
            raise ApiError(404, "notFound", f"Resource '{resource}' was not found")
        checks.require_role(call, str(inputs["role"]))
        for member in self._members(inputs):
            checks.require_member(call, member)
        return resource, project

    def _target_exists(self, call: Call, resource: str) -> bool:
        if store.find(call.tx, self.target.token, resource) is not None:
            return True
        if self.target.token == "gcp:cloudrunv2/service:Service":  # noqa: S105 - a resource type
            # A function of the second generation is a service of Cloud Run of the same name.
            function = resource.replace("/services/", "/functions/")
            return store.find(call.tx, "gcp:cloudfunctionsv2/function:Function", function) is not None
        if self.target.token != "gcp:serviceaccount/account:Account":  # noqa: S105 - a resource type
            return False
        return store.principal_exists(call.tx, identity.last(resource))

    def _members(self, inputs: dict[str, Any]) -> list[str]:
        return [str(m) for m in inputs.get("members", ())] if self.binding else [str(inputs["member"])]

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Grant; a grant that is there already is taken over, as the API does."""
        resource, project = self._admit(call, inputs)
        role, condition, grant_id = str(inputs["role"]), self._condition(inputs), self._id(inputs, resource)
        wanted = self._members(inputs)
        if self.binding:
            for member in store.members(call.tx, resource, role, condition):
                if member not in wanted:
                    store.unbind(call.tx, resource, role, member, condition)
        for member in wanted:
            store.bind(
                call.tx,
                resource,
                role,
                member,
                condition=condition,
                token=self.token,
                binding_id=grant_id,
                project=project,
                inputs=inputs,
            )
        return State(grant_id, inputs, self._outputs(inputs, resource, call))

    def read(self, call: Call, resource_id: str) -> State | None:
        """The grant as it is, also one that something else made, when its id says which."""
        found = call.tx.execute(
            "SELECT * FROM bindings WHERE token = ? AND id = ? ORDER BY member", (self.token, resource_id)
        ).fetchall()
        if not found:
            return self._adopt(call, resource_id)
        inputs: dict[str, Any] = json.loads(found[0]["inputs"])
        if self.binding:
            inputs["members"] = store.members(call.tx, found[0]["resource"], found[0]["role"], found[0]["condition"])
        return State(resource_id, inputs, self._outputs(inputs, found[0]["resource"], call))

    def _adopt(self, call: Call, text: str) -> State | None:
        """`pulumi import` of a grant: `<resource> <role> <member>`, or the id itself."""
        parts = text.split(" ") if " " in text else re.split(r"/(?=(?:roles|projects/[^/]+/roles)/)", text, maxsplit=1)
        if len(parts) == 2 and not self.binding:
            role, slash, member = parts[1].partition("/") if " " in text else self._split_role(parts[1])
            parts = [parts[0], role, member] if slash else parts
        if len(parts) != (2 if self.binding else 3):
            return None
        resource, role = parts[0].removeprefix("b/"), parts[1]
        if self.target.template == "{bucket}/{managedFolder}":
            resource = resource.replace("/managedFolders/", "/", 1)
        if self.target.template == "projects/{project}" and not resource.startswith("projects/"):
            resource = f"projects/{resource}"
        who = store.members(call.tx, resource, role)
        wanted = who if self.binding else [m for m in who if m.lower() == parts[2].lower()]
        if not wanted:
            return None
        inputs: dict[str, Any] = {"role": role, **self._slots(resource)}
        inputs.update({"members": wanted} if self.binding else {"member": wanted[0]})
        grant_id = self._id(inputs, resource)
        call.tx.executemany(
            "UPDATE bindings SET token = ?, id = ?, inputs = ?, origin = 'user'"
            " WHERE resource = ? AND role = ? AND member = ? AND condition = ''",
            [(self.token, grant_id, json.dumps(inputs), resource, role, member) for member in wanted],
        )
        return State(grant_id, inputs, self._outputs(inputs, resource, call))

    def _split_role(self, text: str) -> tuple[str, str, str]:
        parts = text.split("/")
        count = 2 if parts[0] == "roles" else 4
        return "/".join(parts[:count]), "/" if len(parts) > count else "", "/".join(parts[count:])

    def _slots(self, resource: str) -> dict[str, str]:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(self.target.template))
        pattern = pattern.replace("(?P<bucket>.+)", "(?P<bucket>[^/]+)")
        match = re.fullmatch(pattern, resource)
        return match.groupdict() if match else {}

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Only a binding's members change in place."""
        return self.create(call, inputs)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Take the grant back."""
        rows = call.tx.execute(
            "SELECT resource, role, member, condition FROM bindings WHERE token = ? AND id = ?",
            (self.token, resource_id),
        ).fetchall()
        for row in rows:
            store.unbind(call.tx, row["resource"], row["role"], row["member"], row["condition"])


def _admit_bucket(bucket: Row, role: str, members: list[str], conditional: bool) -> None:
    """What Cloud Storage asks of grants on a bucket or in it, by its settings."""
    if role in ("roles/owner", "roles/editor", "roles/viewer"):
        raise ApiError(400, "invalid", f"Role {role} is not supported for this resource.")
    if bucket.outputs.get("publicAccessPrevention") == "enforced" and {"allUsers", "allAuthenticatedUsers"} & {
        *members
    }:
        raise ApiError(
            412,
            "conditionNotMet",
            "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is"
            " enforced.",
        )
    if conditional and bucket.outputs.get("uniformBucketLevelAccess") is not True:
        raise ApiError(
            412,
            "conditionNotMet",
            "An IAM policy with conditions can only be set on a bucket with uniform bucket-level access enabled.",
        )
