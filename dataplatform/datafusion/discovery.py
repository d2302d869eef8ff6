"""Where an instance of Cloud Data Fusion is: its API endpoint from project, region and name."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from urllib.parse import quote

import urllib3

from dataplatform.datafusion.credentials import source_for
from dataplatform.datafusion.errors import DataFusionError, RefusedError, TokenError, UnreachableError

API = "https://datafusion.googleapis.com"
API_VARIABLE = "DATA_FUSION_API"
"""Another address for datafusion.googleapis.com, such as the embedded cloud's."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """An instance as the service describes it."""

    endpoint: str
    version: str
    edition: str
    """BASIC, ENTERPRISE or DEVELOPER; BASIC has the namespace `default` alone."""


def discover(project: str, region: str, name: str, api: str | None = None) -> Found:
    """Ask the service for an instance.

    `apiEndpoint` is taken, never `serviceEndpoint`: that is the address of the user interface.
    """
    base = (api or os.environ.get(API_VARIABLE) or API).rstrip("/")
    path = "/".join(quote(part, safe="") for part in ("projects", project, "locations", region, "instances", name))
    tokens = source_for(base)
    token = tokens.token() if tokens is not None else None
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    where = f"instance '{name}' of {project} in {region}"
    try:
        answer = urllib3.PoolManager().request(
            "GET", f"{base}/v1/{path}", headers=headers, timeout=urllib3.Timeout(10.0), retries=2, redirect=False
        )
    except urllib3.exceptions.HTTPError as problem:
        raise UnreachableError(f"{base} cannot be reached to find {where}; check your network") from problem
    if answer.status == 401:
        raise TokenError(f"{base} refused the access token; log in again: gcloud auth application-default login")
    if answer.status == 403:
        raise DataFusionError(f"you may not see {where}; it takes roles/datafusion.viewer on the project")
    if answer.status == 404:
        raise RefusedError(f"there is no {where}")
    if answer.status != 200:
        raise DataFusionError(f"{base} answered {answer.status} when asked for {where}")
    try:
        body = json.loads(answer.data)
    except ValueError as problem:
        raise DataFusionError(f"{base} answered with something else than JSON; is that address right?") from problem
    state = body.get("state", "")
    if state not in ("RUNNING", "ACTIVE") or not body.get("apiEndpoint"):
        raise DataFusionError(f"{where} is {state or 'in no state'}, not RUNNING; wait until it is")
    return Found(endpoint=body["apiEndpoint"], version=str(body.get("version", "")), edition=str(body.get("type", "")))
