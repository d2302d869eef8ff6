"""Schedules and triggers; what a deployment does to them."""

from typing import Any

from tests.cdap.calls import Call, delete, get, post, put
from tests.cdap.pipelines import app, config

_APP = "/v3/namespaces/ns1/apps/q1"
_OWN = f"{_APP}/schedules/dataPipelineSchedule"
_PROGRAM = {"programName": "DataPipelineWorkflow", "programType": "WORKFLOW"}
_DAILY = {"type": "TIME", "cronExpression": "0 3 * * *"}
_AFTER = {
    "type": "PROGRAM_STATUS",
    "programId": {
        "namespace": "ns1", "application": "p1", "type": "Workflow", "entity": "PROGRAM",
        "program": "DataPipelineWorkflow",
    },
    "programStatuses": ["COMPLETED"],
}  # fmt: skip
_WANTED = (
    "trigger-namespace-id=ns1&trigger-app-name=p1&trigger-program-type=workflows"
    "&trigger-program-name=DataPipelineWorkflow"
)


def _schedule(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": "d",
        "program": _PROGRAM,
        "properties": {"k": "v"},
        "trigger": _DAILY,
        "constraints": [{"type": "CONCURRENCY", "maxConcurrency": 1, "waitUntilMet": False}],
        "timeoutMillis": 1000,
    } | changes


def _bad(body: Any) -> Call:
    return put(f"{_APP}/schedules/s9", body)


CALLS = (
    put(_APP, app()),
    get(f"{_APP}/schedules"),
    get(f"{_APP}/workflows/DataPipelineWorkflow/schedules"),
    get(f"{_OWN}/status"),
    post(f"{_OWN}/resume"),
    get(f"{_OWN}/status"),
    # An identical deployment suspends it,
    put(_APP, app()),
    get(f"{_OWN}/status"),
    post(f"{_OWN}/enable"),
    # unless it is told not to,
    put(_APP, app(**{"app.deploy.update.schedules": False})),
    get(f"{_OWN}/status"),
    # and then it does not take a changed time either.
    put(_APP, app(config(schedule="0 6 * * *"), **{"app.deploy.update.schedules": False})),
    get(f"{_APP}/schedules"),
    post(f"{_APP}/update", {"artifact": app()["artifact"], "config": config(schedule="0 7 * * *")}),
    get(f"{_APP}/schedules"),
    put(f"{_APP}/schedules/s1", _schedule("s1")),
    put(f"{_APP}/schedules/s1", _schedule("s1")),
    get(f"{_APP}/schedules/s1"),
    put(f"{_APP}/schedules/t1", _schedule("t1", trigger=_AFTER)),
    get(f"{_APP}/schedules/t1"),
    put(f"{_APP}/schedules/t2", {"program": _PROGRAM, "trigger": {"type": "OR", "triggers": [_DAILY, _AFTER]}}),
    get(f"{_APP}/schedules/t2"),
    get(f"/v3/namespaces/ns1/schedules/trigger-type/program-status?{_WANTED}", deviations=("order",)),
    get("/v3/namespaces/ns1/schedules/trigger-type/program-status"),
    get(f"{_APP}/schedules"),
    get(f"{_APP}/schedules?trigger-type=program-status"),
    get(f"{_APP}/schedules?trigger-type=bogus"),
    get(f"{_APP}/schedules?schedule-status=SCHEDULED"),
    get(f"{_APP}/schedules?schedule-status=BOGUS"),
    post(
        f"{_APP}/schedules/s1/update", {"description": "changed", "trigger": {**_DAILY, "cronExpression": "0 4 * * *"}}
    ),
    get(f"{_APP}/schedules/s1"),
    post(f"{_APP}/schedules/s1/enable"),
    post(f"{_APP}/schedules/s1/enable"),
    post(f"{_APP}/schedules/s1/update", {"timeoutMillis": 5000}),
    get(f"{_APP}/schedules/s1"),
    post(f"{_APP}/schedules/s1/disable"),
    post(f"{_APP}/schedules/s1/disable"),
    post(f"{_APP}/schedules/s1/bogus"),
    post(f"{_APP}/schedules/none/enable"),
    post(f"{_APP}/schedules/none/update", _schedule("none")),
    get(f"{_APP}/schedules/none"),
    get(f"{_APP}/schedules/none/status"),
    get("/v3/namespaces/ns1/apps/none/schedules"),
    get("/v3/namespaces/ns1/apps/none/schedules/x/status"),
    _bad("{x"),
    _bad("[]"),
    _bad("{}"),
    _bad({"name": "zz"}),
    _bad({"program": _PROGRAM}),
    _bad({"program": {"programName": "DataPipelineWorkflow"}, "trigger": _DAILY}),
    _bad({"program": {"programType": "WORKFLOW"}, "trigger": _DAILY}),
    _bad(_schedule("s9", trigger={"type": "BOGUS"})),
    _bad(_schedule("s9", trigger={"type": "TIME"})),
    _bad(_schedule("s9", trigger={"type": "TIME", "cronExpression": "bogus"})),
    _bad(_schedule("s9", trigger={"type": "TIME", "cronExpression": "61 3 * * *"})),
    _bad(_schedule("s9", program={"programName": "Zip", "programType": "WORKFLOW"})),
    _bad(_schedule("s9", program={"programName": "DataPipelineWorkflow", "programType": "BOGUS"})),
    _bad(_schedule("s9", constraints=[{"type": "BOGUS"}])),
    _bad(_schedule("s9", constraints=[{"type": "CONCURRENCY"}])),
    _bad(_schedule("s9", properties={"system.profile.name": "USER:nope"})),
    delete(f"{_APP}/schedules/s1"),
    delete(f"{_APP}/schedules/s1"),
    # A deployment takes away what it does not name, and its own where it names none.
    put(_APP, app(config(schedule=...))),
    get(f"{_APP}/schedules"),
    # A profile that a schedule uses.
    put("/v3/namespaces/ns1/profiles/ps", {"provisioner": {"name": "native"}}),
    put("/v3/namespaces/ns1/profiles/ps", {"provisioner": {"name": "native", "properties": []}}),
    put(f"{_APP}/schedules/s2", _schedule("s2", properties={"system.profile.name": "USER:ps"})),
    post("/v3/namespaces/ns1/profiles/ps/disable"),
    delete("/v3/namespaces/ns1/profiles/ps"),
    delete(f"{_APP}/schedules/s2"),
    delete("/v3/namespaces/ns1/profiles/ps"),
)
