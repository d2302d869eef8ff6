"""Compute profiles."""

from typing import Any

from tests.cdap.calls import delete, get, post, put

_NS = "/v3/namespaces/ns1/profiles"
_NATIVE: dict[str, Any] = {"label": "L", "description": "D", "provisioner": {"name": "native", "properties": []}}
_DATAPROC: dict[str, Any] = {
    "label": "dp",
    "description": "D",
    "provisioner": {
        "name": "gcp-dataproc",
        "properties": [
            {"name": "region", "value": "europe-west3", "isEditable": True},
            {"name": "masterNumNodes", "value": "1", "isEditable": False},
        ],
    },
}

CALLS = (
    get("/v3/provisioners"),
    get("/v3/profiles"),
    get("/v3/profiles/native"),
    get(_NS),
    get(f"{_NS}?includeSystem=true"),
    put(f"{_NS}/pr1", _NATIVE),
    get(f"{_NS}/pr1"),
    put(f"{_NS}/pr1", {**_NATIVE, "label": "L2"}),
    get(f"{_NS}/pr1"),
    put(f"{_NS}/pr2", {**_NATIVE, "provisioner": {"name": "gcp-none", "properties": []}}),
    put(f"{_NS}/pr3", {"description": "no label", "provisioner": {"name": "native", "properties": []}}),
    get(f"{_NS}/pr3"),
    put(f"{_NS}/pr4", {"label": "no prov"}),
    put(f"{_NS}/pr5", "{x"),
    put(f"{_NS}/native", _NATIVE),
    put("/v3/profiles/native", _NATIVE),
    put(f"{_NS}/bad%20name", _NATIVE),
    put(f"{_NS}/dp1", _DATAPROC),
    get(f"{_NS}/dp1"),
    # A profile needs no namespace to be in.
    put("/v3/namespaces/nope/profiles/x", _NATIVE),
    get("/v3/namespaces/nope/profiles"),
    post("/v3/namespaces/nope/profiles/x/disable"),
    delete("/v3/namespaces/nope/profiles/x"),
    get(f"{_NS}/none"),
    get(f"{_NS}/none/status"),
    get(f"{_NS}/pr1/status"),
    delete(f"{_NS}/pr1"),
    post(f"{_NS}/pr1/enable"),
    post(f"{_NS}/pr1/disable"),
    post(f"{_NS}/pr1/disable"),
    get(f"{_NS}/pr1"),
    put(f"{_NS}/pr1", {**_NATIVE, "label": "L3"}),
    get(f"{_NS}/pr1"),
    # Assigned by a preference.
    put("/v3/namespaces/ns1/preferences", {"system.profile.name": "USER:pr1"}),
    post(f"{_NS}/pr1/enable"),
    put("/v3/namespaces/ns1/preferences", {"system.profile.name": "USER:pr1"}),
    put("/v3/namespaces/ns1/preferences", {"system.profile.name": "USER:nope"}),
    put("/v3/namespaces/ns1/preferences", {"system.profile.name": "SYSTEM:nope"}),
    put("/v3/preferences", {"system.profile.name": "USER:pr1"}),
    post(f"{_NS}/pr1/disable"),
    delete(f"{_NS}/pr1"),
    delete("/v3/namespaces/ns1/preferences"),
    delete(f"{_NS}/pr1"),
    delete(f"{_NS}/pr1"),
    post(f"{_NS}/none/disable"),
    put("/v3/profiles/sys1", _NATIVE),
    get("/v3/profiles/sys1"),
    get("/v3/profiles/sys1/status"),
    get("/v3/profiles/native/status"),
    put("/v3/preferences", {"system.profile.name": "SYSTEM:sys1"}),
    post("/v3/profiles/sys1/disable"),
    delete("/v3/profiles/sys1"),
    put("/v3/preferences", {}),
    delete("/v3/profiles/sys1"),
    delete("/v3/profiles/native"),
    post("/v3/profiles/native/disable"),
    get(_NS),
)
