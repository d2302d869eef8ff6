"""Programs: a run to its end, one that fails, one that is stopped, and much that is refused."""

from tests.cdap.calls import Call, get, post, put
from tests.cdap.pipelines import app, config

_NS = "/v3/namespaces/ns1"
_APP = f"{_NS}/apps/run1"
_FLOW = f"{_APP}/workflows/DataPipelineWorkflow"
_IT = {"appId": "run1", "programType": "Workflow", "programId": "DataPipelineWorkflow"}
_NONE = {"appId": "none", "programType": "Workflow", "programId": "X"}
_NOBODY = "00000000-0000-0000-0000-000000000000"

CALLS = (
    put(_APP, app(config(schedule=...))),
    get(f"{_APP}/workflows/Nope/status"),
    get(f"{_FLOW}/status"),
    get(f"{_FLOW}/runs"),
    post(f"{_FLOW}/stop"),
    get(f"{_FLOW}/runtimeargs"),
    put(f"{_FLOW}/runtimeargs", {"kept": "1", "n": 2, "both": "kept"}),
    get(f"{_FLOW}/runtimeargs"),
    put(f"{_FLOW}/runtimeargs", "{bad"),
    get(f"{_APP}/workflows/X/runtimeargs"),
    get(f"{_NS}/apps/none/workflows/X/runtimeargs"),
    put(f"{_APP}/preferences", {"pref": "p", "both": "preference"}),
    put(f"{_FLOW}/preferences", {"program": "1"}),
    get(f"{_FLOW}/preferences?resolved=true"),
    put(f"{_APP}/workflows/X/preferences", {"a": "1"}),
    get(f"{_APP}/bogus/X/preferences"),
    get(f"{_APP}/bogus/X/status"),
    get(f"{_APP}/workflows/X/runs"),
    get(f"{_NS}/apps/none/workflows/X/runs"),
    post(f"{_FLOW}/bogus"),
    post(f"{_FLOW}/start", "{bad"),
    post(f"{_FLOW}/start", {"system.profile.name": "SYSTEM:nope"}),
    post(f"{_NS}/apps/none/workflows/DataPipelineWorkflow/start"),
    post(f"{_APP}/workflows/Nope/start"),
    # To its end.
    post(f"{_FLOW}/start", {"arg1": "v=1 & é", "n": 7}),
    get(f"{_FLOW}/runs", until=("0.status", "RUNNING"), capture={"run": "0.runid"}),
    get(f"{_FLOW}/status"),
    post(f"{_NS}/status", [_IT, _NONE]),
    get(f"{_FLOW}/runs/$(run)", until=("status", "COMPLETED"), deviations=("cluster",)),
    get(f"{_FLOW}/status"),
    get(f"{_FLOW}/runs", deviations=("cluster",)),
    get(f"{_FLOW}/runs?status=completed", deviations=("cluster",)),
    get(f"{_FLOW}/runs?status=failed"),
    get(f"{_FLOW}/runs?status=bogus"),
    get(f"{_FLOW}/runs?limit=0"),
    get(f"{_FLOW}/runs?start=x"),
    get(f"{_FLOW}/runs/$(run)/logs", deviations=("logs",)),
    get(f"{_FLOW}/runs/{_NOBODY}"),
    get(f"{_FLOW}/runs/{_NOBODY}/logs"),
    get(f"{_FLOW}/runs/bogus"),
    post(f"{_FLOW}/runs/$(run)/stop"),
    post(f"{_FLOW}/runs/bogus/stop"),
    post(f"{_NS}/runcount", [_IT, _NONE]),
    post(f"{_NS}/runs", [_IT, _NONE], deviations=("cluster",)),
    # Stopped before it has begun.
    put(f"{_FLOW}/runtimeargs", {}),
    post(
        f"{_NS}/start", [{**_IT, "runtimeargs": {"x": "y"}}, {**_IT, "programId": "X"}], capture={"second": "0.runId"}
    ),
    post(f"{_NS}/stop", [_IT, {**_IT, "programId": "X"}]),
    get(f"{_FLOW}/runs/$(second)", until=("status", "KILLED"), deviations=("cluster",)),
    get(f"{_FLOW}/status"),
    post(f"{_NS}/stop", [_IT]),
    post(f"{_NS}/start", [_NONE]),
    post(f"{_NS}/start", "{bad"),
    post(f"{_NS}/start", ""),
    post(f"{_NS}/start", [{}]),
    post(f"{_NS}/start", [{**_IT, "programType": "bogus"}]),
    # Under a profile whose clusters nobody makes here.
    post(f"{_FLOW}/start", {"system.profile.name": "USER:dp1"}),
    get(f"{_FLOW}/runs?limit=1", until=("0.status", "FAILED"), deviations=("cluster",)),
    # While a run goes on, its app stays, and so does the namespace.
    post(f"{_FLOW}/start", {}),
    get(f"{_FLOW}/runs?limit=1", until=("0.status", "RUNNING")),
    Call(method="DELETE", path=_APP, deviations=("phases",)),
    Call(method="DELETE", path=f"/v3/unrecoverable{_NS[3:]}"),
    get(f"{_FLOW}/runs?limit=1", until=("0.status", "COMPLETED"), deviations=("cluster",)),
    # A profile that is disabled.
    put(f"{_NS}/profiles/pu", {"label": "L", "description": "D", "provisioner": {"name": "native", "properties": []}}),
    put(f"{_APP}/preferences", {"system.profile.name": "USER:pu"}),
    post(f"{_NS}/profiles/pu/disable"),
    post(f"{_FLOW}/start", {}),
    Call(method="DELETE", path=f"{_NS}/profiles/pu"),
    Call(method="DELETE", path=_APP),
    Call(method="DELETE", path=f"{_NS}/profiles/pu"),
    get(f"{_FLOW}/runs"),
)
