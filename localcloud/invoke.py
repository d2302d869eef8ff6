"""Functions of the providers (`getProject`, `getClientConfig` …): reads that make nothing, with one exception.

`storage.getProjectServiceAccount` lets the project's Cloud Storage agent come into being, as the API does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, google, identity
from localcloud.services.azure import SUBSCRIPTION, TENANT
from localcloud.services.base import Call
from localcloud.services.registry import service_for

Function = Callable[[Call, dict[str, Any]], dict[str, Any]]

_READS = {
    "gcp:bigquery/getDataset:getDataset": "gcp:bigquery/dataset:Dataset",
    "gcp:composer/getEnvironment:getEnvironment": "gcp:composer/environment:Environment",
    "gcp:compute/getNetwork:getNetwork": "gcp:compute/network:Network",
    "gcp:compute/getSubnetwork:getSubnetwork": "gcp:compute/subnetwork:Subnetwork",
    "gcp:kms/getKMSCryptoKey:getKMSCryptoKey": "gcp:kms/cryptoKey:CryptoKey",
    "gcp:kms/getKMSKeyRing:getKMSKeyRing": "gcp:kms/keyRing:KeyRing",
    "gcp:pubsub/getTopic:getTopic": "gcp:pubsub/topic:Topic",
    "gcp:secretmanager/getSecret:getSecret": "gcp:secretmanager/secret:Secret",
    "gcp:storage/getBucket:getBucket": "gcp:storage/bucket:Bucket",
}
"""Functions that read one resource -> its type."""


def call_function(call: Call, token: str, args: dict[str, Any]) -> dict[str, Any]:
    """The function's result.

    Raises:
        ApiError: there is no such function here, or the cloud refuses.
    """
    if token in _READS:
        return _read(call, _READS[token], args)
    function = _FUNCTIONS.get(token)
    if function is None:
        raise ApiError(400, "notServed", f"The embedded cloud does not serve the function {token}.")
    return function(call, args)


def _read(call: Call, token: str, args: dict[str, Any]) -> dict[str, Any]:
    settings = {"project": call.settings.project, "region": call.settings.region, "location": call.settings.region}
    values = {**settings, **args}
    resource_id = str(args["name"]) if token.endswith(":Bucket") else identity.build_id(token, values)
    project = resource_id.split("/")[1] if resource_id.startswith("projects/") else None
    if project is not None:
        checks.require_api(call, checks.require_project(call, project), google.api_of(token))
    row = store.find(call.tx, token, resource_id)
    state = service_for(token).read(call, resource_id) if row is not None else None
    if row is None or state is None:
        raise ApiError(404, "notFound", f"Resource '{resource_id}' was not found")
    # A function only looks: what the cloud kept, or made itself, stays so.
    call.tx.execute("UPDATE resources SET origin = ? WHERE key = ?", (row.origin, row.key))
    return {**args, **state.outputs, "id": state.id}


def _project(call: Call, args: dict[str, Any]) -> dict[str, Any]:
    project = checks.require_project(call, args.get("projectId") or call.settings.project)
    checks.require_api(call, project, "cloudresourcemanager.googleapis.com")
    return {
        "id": f"projects/{project}",
        "projectId": project,
        "name": project,
        "number": str(store.project_number(call.tx, project)),
        "autoCreateNetwork": True,
        "billingAccount": "",
        "deletionPolicy": "PREVENT",
        "effectiveLabels": {},
        "folderId": "",
        "labels": {},
        "orgId": "",
        "pulumiLabels": {},
        "tags": {},
    }


def _client_config(call: Call, args: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "client-config",
        "accessToken": "embedded-cloud",
        "defaultLabels": {},
        "project": call.settings.project or "",
        "region": call.settings.region or "",
        "zone": call.settings.zone or "",
    }


def _storage_agent(call: Call, args: dict[str, Any]) -> dict[str, Any]:
    project = checks.require_project(call, args.get("project") or call.settings.project)
    checks.require_api(call, project, "storage.googleapis.com")
    email = checks.make_agent(call, project, "storage")
    return _agent(project, email, args)


def _bigquery_agent(call: Call, args: dict[str, Any]) -> dict[str, Any]:
    project = checks.require_project(call, args.get("project") or call.settings.project)
    checks.require_api(call, project, "bigquery.googleapis.com")
    email = checks.make_agent(call, project, "bigquery")
    return {**_agent(project, email, args), "email": email}


def _agent(project: str, email: str, args: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": email,
        "emailAddress": email,
        "member": f"serviceAccount:{email}",
        "project": project,
        "userProject": args.get("userProject"),
    }


def _account(call: Call, args: dict[str, Any]) -> dict[str, Any]:
    given = str(args.get("accountId", "")).rpartition("/")[2]
    project = checks.require_project(call, args.get("project") or call.settings.project)
    checks.require_api(call, project, "iam.googleapis.com")
    email = given if "@" in given else f"{given}@{project}.iam.gserviceaccount.com"
    found = call.tx.execute("SELECT unique_id FROM principals WHERE email = ?", (email.lower(),)).fetchone()
    if found is None:
        raise ApiError(404, "notFound", f"Unknown service account: {email}")
    name = f"projects/{project}/serviceAccounts/{email}"
    return {
        "id": name,
        "name": name,
        "accountId": given,
        "email": email,
        "member": f"serviceAccount:{email}",
        "uniqueId": found[0],
        "displayName": "",
        "disabled": False,
        "project": project,
    }


def _arm_config(call: Call, args: dict[str, Any]) -> dict[str, Any]:
    return {
        "clientId": call.settings.get("clientId") or "00000000-0000-4000-8000-000000000c11",
        "objectId": "00000000-0000-4000-8000-0000000000b1",
        "subscriptionId": call.settings.get("subscriptionId") or SUBSCRIPTION,
        "tenantId": call.settings.get("tenantId") or TENANT,
    }


def _entra_config(call: Call, args: dict[str, Any]) -> dict[str, Any]:
    config = _arm_config(call, args)
    return {"id": "client-config", **{k: config[k] for k in ("clientId", "objectId", "tenantId")}}


_FUNCTIONS: Mapping[str, Function] = {
    "gcp:bigquery/getDefaultServiceAccount:getDefaultServiceAccount": _bigquery_agent,
    "gcp:organizations/getClientConfig:getClientConfig": _client_config,
    "gcp:organizations/getProject:getProject": _project,
    "gcp:serviceaccount/getAccount:getAccount": _account,
    "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": _storage_agent,
    "azure-native:authorization:getClientConfig": _arm_config,
    "azuread:index/getClientConfig:getClientConfig": _entra_config,
}
