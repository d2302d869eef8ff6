"""Secure keys. The values are no secrets."""

from tests.cdap.calls import delete, get, put

_KEYS = "/v3/namespaces/ns1/securekeys"

CALLS = (
    get(_KEYS),
    put(f"{_KEYS}/k1", {"description": "dk", "data": "first", "properties": {"p": "v"}}),
    get(_KEYS),
    put(f"{_KEYS}/k1", {"description": "dk2", "data": "other é", "properties": {}}),
    put(f"{_KEYS}/k2", {"description": "no data"}),
    put(f"{_KEYS}/k3", {"data": "x"}),
    put(f"{_KEYS}/k4", {"data": ""}),
    put(f"{_KEYS}/BAD_Key", {"data": "x", "description": "y"}),
    put(f"{_KEYS}/bad%20key", {"data": "x", "description": "y"}),
    put(f"{_KEYS}/k5", "{bad"),
    put(f"{_KEYS}/k5", ""),
    get(_KEYS),
    get(f"{_KEYS}/k1"),
    get(f"{_KEYS}/k1/metadata"),
    get(f"{_KEYS}/none"),
    get(f"{_KEYS}/none/metadata"),
    delete(f"{_KEYS}/none"),
    put("/v3/namespaces/nope/securekeys/k1", {"data": "x", "description": "y"}),
    get("/v3/namespaces/nope/securekeys"),
    get("/v3/namespaces/nope/securekeys/k1"),
    delete(f"{_KEYS}/k3"),
    get(_KEYS),
)
