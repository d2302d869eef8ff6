"""Namespaces: made, changed, refused."""

from tests.cdap.calls import get, put

CALLS = (
    get("/v3/version"),
    get("/v3/namespaces"),
    put("/v3/namespaces/ns1", {"description": "first", "config": {"scheduler.queue.name": "q1"}}),
    # Made again: nothing changes.
    put("/v3/namespaces/ns1", {"description": "again"}),
    get("/v3/namespaces/ns1"),
    put("/v3/namespaces/ns2"),
    get("/v3/namespaces/ns2"),
    put("/v3/namespaces/ns3", "{bad json"),
    put("/v3/namespaces/ns3", "[]"),
    put("/v3/namespaces/ns3", '"text"'),
    get("/v3/namespaces/ns3"),
    put("/v3/namespaces/bad-name", {}),
    put("/v3/namespaces/bad%20name", {}),
    put("/v3/namespaces/UPPER_9", {"unknown": 1, "description": "é 漢字 <b>&'="}),
    get("/v3/namespaces/UPPER_9"),
    put("/v3/namespaces/system", {}),
    put("/v3/namespaces/default", {}),
    get("/v3/namespaces/nope"),
    get("/v3/namespaces/bad-name"),
    get("/v3/namespaces"),
    put("/v3/namespaces/ns1/properties", {"description": "changed"}),
    get("/v3/namespaces/ns1"),
    put("/v3/namespaces/ns1/properties", {"config": {"scheduler.queue.name": "q2", "unknown.key": "x"}, "foo": 1}),
    get("/v3/namespaces/ns1"),
    put("/v3/namespaces/ns1/properties", {"config": {"root.directory": "/elsewhere"}}),
    put("/v3/namespaces/nope/properties", {"description": "x"}),
    put("/v3/namespaces/ns1/properties", "[1"),
    put("/v3/namespaces/ns1/properties", "{}"),
    get("/v3/namespaces/ns1"),
)
