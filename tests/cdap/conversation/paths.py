"""Paths and methods that are not there."""

from tests.cdap.calls import Call, delete, get, post, put

CALLS = (
    get("/v3/nope"),
    get("/nope"),
    get("/v4/namespaces"),
    Call(method="PATCH", path="/v3/namespaces/ns1", body="{}"),
    delete("/v3/namespaces"),
    delete("/v3/namespaces/ns1"),
    post("/v3/namespaces/ns1", "{}"),
    put("/v3/namespaces/ns1/apps", "{}"),
    get("/v3/namespaces/ns1/"),
    get("/v3/namespaces//apps"),
    get("/v3/namespaces/ns1/profiles", headers={"Authorization": "Bearer x"}),
)
