"""What goes with a namespace, and what stays."""

from tests.cdap.calls import delete, get, post, put
from tests.cdap.pipelines import app

_GONE = "/v3/unrecoverable/namespaces"

CALLS = (
    delete(f"{_GONE}/ns2/datasets"),
    delete(f"{_GONE}/ns2"),
    get("/v3/namespaces/ns2"),
    delete(f"{_GONE}/ns2"),
    delete(f"{_GONE}/default"),
    get("/v3/namespaces/default"),
    delete(f"{_GONE}/system"),
    put("/v3/namespaces/ns4", {}),
    put("/v3/namespaces/ns4/profiles/on", {"provisioner": {"name": "native", "properties": []}}),
    put("/v3/namespaces/ns4/preferences", {"a": "1"}),
    put("/v3/namespaces/ns4/securekeys/k1", {"data": "x", "description": "y"}),
    put("/v3/namespaces/ns4/apps/a1", app()),
    # A profile that is enabled stops it, when the rest is already gone.
    delete(f"{_GONE}/ns4"),
    get("/v3/namespaces/ns4"),
    get("/v3/namespaces/ns4/apps"),
    get("/v3/namespaces/ns4/preferences"),
    get("/v3/namespaces/ns4/securekeys"),
    get("/v3/namespaces/ns4/profiles"),
    post("/v3/namespaces/ns4/profiles/on/disable"),
    delete(f"{_GONE}/ns4"),
    get("/v3/namespaces/ns4"),
    get("/v3/namespaces/ns4/apps"),
    put("/v3/namespaces/ns4", {}),
    # The keys are still there.
    get("/v3/namespaces/ns4/securekeys"),
    get("/v3/namespaces/ns4/profiles"),
    delete("/v3/namespaces/ns4/securekeys/k1"),
    # A system artifact that is in use can be deleted, and comes back when the system's are loaded again.
    delete("/v3/namespaces/system/artifacts/core-plugins/versions/2.13.0"),
    get("/v3/namespaces/ns4/artifacts?scope=SYSTEM"),
    put("/v3/namespaces/ns4/apps/a2", app()),
    post("/v3/namespaces/system/artifacts"),
    put("/v3/namespaces/ns4/apps/a2", app()),
    delete("/v3/namespaces/ns4/apps"),
    get("/v3/namespaces/ns4/apps"),
    delete(f"{_GONE}/ns4"),
)
