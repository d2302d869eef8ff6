"""Preferences of the instance and of a namespace."""

from tests.cdap.calls import delete, get, put

_ALL = "/v3/preferences"
_NS = "/v3/namespaces/ns1/preferences"

CALLS = (
    get(_ALL),
    put(_ALL, {"g": "1", "both": "instance"}),
    get(_ALL),
    get(_NS),
    get(f"{_NS}?resolved=true"),
    put(_NS, {"b": "2", "a": "1", "both": "namespace"}),
    get(_NS),
    get(f"{_NS}?resolved=true"),
    # Replaced, not merged; every value a string.
    put(_NS, {"n": 1, "f": 1.50, "big": 12345678901, "t": True, "gone": None}),
    get(_NS),
    put(_NS, {"n": {"x": 1}}),
    put(_NS, {"n": [1]}),
    put(_NS, "nope"),
    put(_NS, "{bad"),
    put(_NS, "[]"),
    put(_NS, {"key with space": "é = <x> & 'y'", "": "empty"}),
    get(_NS),
    put(_NS, ""),
    get(_NS),
    get("/v3/namespaces/nope/preferences"),
    put("/v3/namespaces/nope/preferences", {"a": "1"}),
    delete("/v3/namespaces/nope/preferences"),
    get("/v3/namespaces/ns1/apps/none/preferences"),
    put("/v3/namespaces/ns1/apps/none/preferences", {"a": "1"}),
    delete(_NS),
    get(_NS),
    delete(_NS),
    delete(_ALL),
    get(f"{_NS}?resolved=true"),
)
