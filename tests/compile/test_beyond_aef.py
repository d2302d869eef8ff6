"""What definitions may say beyond AEF's format, on both engines: goldens, and what the property tests do not reach."""

from __future__ import annotations

import dataclasses
import json
import re
import types
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile import airflow, workflows
from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan, Target
from dataplatform.compile.reference import Answer, Outcome, job_of
from dataplatform.config.check import load_definition, load_stack
from dataplatform.config.executors import REGISTRY
from dataplatform.config.pipeline import DefinitionFile, StepFile
from dataplatform.config.references import context_for, resolve
from dataplatform.diagnostics import InputError
from dataplatform_runtime import notify
from dataplatform_runtime.protocol import Reply
from infra.naming import gcp_names
from localcloud.workflows import clock
from localcloud.workflows.local import run as run_workflow
from localcloud.workflows.web import Request
from tests.compile import light_airflow, real_airflow, scripted
from tests.compile.conftest import ROOT, TARGET
from tests.config.test_stacks import FULL, project

FILE = Path(__file__).parent / "definitions" / "everything.yaml"
SMALL = dataclasses.replace(TARGET, references=(("bucket:landing", "acme-data-dev-dev-landing"),))


def everything(target: Target = SMALL) -> Plan:
    definition, problems = load_definition(FILE, root=ROOT)
    assert definition is not None, problems.render()
    return dataclasses.replace(build_plan(definition, target), engines=("workflows", "airflow"))


def test_golden_of_every_key(golden: Callable[[str, str], None]) -> None:
    golden("everything.dag.txt", airflow.render(everything()))
    golden("everything.workflow.yaml", workflows.render(everything()))


def test_the_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    (block,) = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "pipelines.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    file = tmp_path / "orders.yaml"
    file.write_text(block, "utf-8")
    definition, problems = load_definition(file)
    assert definition is not None, problems.render()
    assert definition.options.schedule is not None


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "pipelines.md").read_text("utf-8")
    keys = [info.alias or name for model in (StepFile, DefinitionFile) for name, info in model.model_fields.items()]
    assert [key for key in keys if f"`{key}" not in page] == []
    page = (ROOT / "docs" / "executors.md").read_text("utf-8")
    names = [name for executor in REGISTRY.values() for name in executor.keys or ()]
    assert [name for name in names if f"`{name}`" not in page] == []
    assert [name for name in REGISTRY if f"`{name}`" not in page and not name.startswith("orch-framework-")] == []


@pytest.fixture
def operators() -> Iterator[types.ModuleType]:
    with light_airflow.installed() as found:
        yield found


def test_what_airflow_is_told(operators: types.ModuleType) -> None:
    dag = light_airflow.load(airflow.render(everything()))
    assert dag.schedule is not None
    assert (dag.schedule.cron, dag.schedule.timezone, dag.catchup) == ("30 4 * * MON-FRI", "Europe/Berlin", False)
    assert dag.default_args["owner"] == "team-orders"
    assert (dag.params["region"], dag.params["limit"]) == ("EU", 100)
    assert [task.pool for task in dag.tasks.values()] == ["spark", None, None]
    load = dag.tasks["level_1.thread_1.load_orders"]
    assert load.job_retry == {"max_retries": 2, "initial_delay": 60, "max_delay": 3600, "multiplier": 2}  # type: ignore[attr-defined]
    # Three runs of the job with their calls, and the pauses of one and two minutes between them.
    assert load.execution_timeout is not None
    assert load.execution_timeout.total_seconds() == 3 * (600 + 2 * (4 * 30 + 2 + 4 + 8)) + 180 + 60


class Calls:
    """Answers every call of a workflow; `fail` names jobs that end badly."""

    def __init__(self, fail: tuple[str, ...] = ()) -> None:
        self.fail = fail
        self.seen: list[tuple[str, Any]] = []

    def __call__(self, request: Request) -> clock.Answer:
        body: Any = json.loads(request.body) if request.body else {}
        self.seen.append((request.url, body))
        if "/executions" in request.url:
            name = request.url.partition("/v1/")[2] + ("/1" if request.method == "POST" else "")
            state = "ACTIVE" if request.method == "POST" else "SUCCEEDED"
            return clock.Answer(text=json.dumps({"name": name, "state": state}), content_type="application/json")
        if "call_type" not in body or body["call_type"] == "get_id":
            return clock.Answer(text="aef_1")
        return clock.Answer(text="cancelled" if body["job_name"] in self.fail else "success")


def play(calls: Calls, argument: Any = None) -> Any:
    time = clock.VirtualClock(1_750_000_000)
    functions = TARGET.intermediate_url.rsplit("/", 1)[0] + "/"
    routes = {functions: "http://127.0.0.1/f/", "https://workflowexecutions.googleapis.com/": "http://127.0.0.1/w/"}
    return run_workflow(None, workflows.render(everything()), argument, clock=time, responder=calls, routes=routes)


def test_parameters_and_references_reach_the_executor() -> None:
    calls = Calls()
    parameters = {"region": 'A"$parameter:limit', "limit": None}
    execution = play(calls, {"parameters": parameters, "workflow_properties": {"x": 1}})
    assert execution["state"] == "SUCCEEDED", execution
    first, *_ = [body for _, body in calls.seen]
    assert first["step_properties"] == {
        "jobs_definitions_bucket": TARGET.jobs_definitions_bucket,
        "input": "gs://acme-data-dev-dev-landing/orders",
        "filter": {"region": 'A"$parameter:limit', "limit": 100},
    }
    ((url, body),) = [(url, body) for url, body in calls.seen if url.endswith("/executions")]
    assert url == "http://127.0.0.1/w/v1/projects/local/locations/local/workflows/report_daily/executions"
    argument = json.loads(body["argument"])
    assert argument["workflow_properties"] == {"x": 1, "source": "orders"}
    assert argument["query_variables"] == first["query_variables"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"regoin": "EU"}, "the pipeline has no parameter regoin"),
        ({"limit": "100"}, "the parameter limit must be of the type integer"),
        ({"limit": 1.5}, "the parameter limit must be of the type integer"),
        ({"region": True}, "the parameter region must be of the type string"),
    ],
)
def test_a_wrong_parameter_fails_the_run_before_any_call(
    given: dict[str, Any], words: str, operators: types.ModuleType
) -> None:
    calls = Calls()
    execution = play(calls, {"parameters": given})
    assert execution["state"] == "FAILED"
    assert words in execution["error"]["payload"]
    assert calls.seen == []
    types_ = {"region": "string", "limit": "integer"}
    with pytest.raises(light_airflow.AirflowFailException, match=words):
        operators.filled({}, [], types_, {"params": {"region": "EU", "limit": 100, "parameters": given}})


def test_a_failed_run_is_told_once() -> None:
    calls = Calls(fail=("load_orders",))
    execution = play(calls)
    assert execution["state"] == "FAILED"
    (told,) = [body for url, body in calls.seen if url == "http://127.0.0.1/f/dataform-tag-executor"]
    assert (told["pipeline"], told["state"]) == ("everything", "failed")
    assert "the status call answered cancelled" in told["message"]
    # The job was started three times: RETRIES has a count of two.
    assert sum(body.get("call_type") == "get_id" for _, body in calls.seen) == 3
    good = Calls()
    play(good)
    assert not [url for url, _ in good.seen if url.endswith("/dataform-tag-executor")]


def test_airflow_tells_of_a_failed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[tuple[str, Mapping[str, Any]]] = []

    def post(url: str, body: Mapping[str, Any], timeout: float) -> Reply:
        posted.append((url, body))
        return Reply(500, "no")

    monkeypatch.delenv("DATAPLATFORM_EXECUTORS_EMULATOR_HOST", raising=False)
    monkeypatch.setattr(notify, "_http_post", lambda: post)
    told = notify.NotifyFailure(pipeline="p", function="teller", intermediate_url=TARGET.intermediate_url)
    told({"run_id": "r1", "reason": "task_failure"})
    ((url, body),) = posted
    assert url == "https://europe-west1-acme-data-dev.cloudfunctions.net/teller"
    assert body == {
        "pipeline": "p",
        "execution_id": "r1",
        "state": "failed",
        "message": "pipeline p failed: task_failure",
    }


def test_the_dates_of_a_scheduled_run_are_those_of_its_schedule(operators: types.ModuleType) -> None:
    due = datetime(2025, 6, 1, 22, 30, tzinfo=UTC)
    late = datetime(2025, 6, 3, 1, 0, tzinfo=UTC)
    run = types.SimpleNamespace(run_id="r", run_type="scheduled", logical_date=due, start_date=late)
    found = operators._run_spec({"dag_run": run, "params": {}}, "p", "Europe/Berlin")
    assert found.query_variables == {"start_date": "2025-06-01", "end_date": "2025-06-02"}
    run.run_type = "manual"
    found = operators._run_spec({"dag_run": run, "params": {}}, "p", "Europe/Berlin")
    assert found.query_variables == {"start_date": "2025-06-02", "end_date": "2025-06-03"}


def test_references_follow_the_names_of_the_program(tmp_path: Path) -> None:
    loaded = load_stack(project(tmp_path), "dev")
    known, names = context_for(loaded.platform), gcp_names(loaded)
    gcp = loaded.platform.gcp
    assert gcp is not None
    assert {key.split(":")[1]: name for key, name in known.items() if key.startswith("bucket:")} == {
        **names.buckets,
        "jobs": known["bucket:jobs"],
    }
    for key, name in names.secrets.items():
        assert known[f"secret:{key}"] == f"projects/{gcp.project}/secrets/{name}"
    assert known[f"datafusion:{gcp.data_fusion.name if gcp.data_fusion else ''}"] == names.data_fusion
    assert known[f"composer:{gcp.composer.name if gcp.composer else ''}"] == names.composer
    assert "pipelines:" in FULL


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$stack:project", "acme"),
        ("a $stack:project b$stack:project", "a acme bacme"),
        ("$$stack:project", "$stack:project"),
        ("x$$stack:project", "x$stack:project"),
        ("$parameter:p", "$parameter:p"),
        ("$HOME", "$HOME"),
        ("${x:y}", "${x:y}"),
        ("cost: $5", "cost: $5"),
        ("a $other:thing", "a $other:thing"),
    ],
)
def test_what_is_a_reference_and_what_is_text(text: str, value: str) -> None:
    found = resolve({"k": [text]}, {"stack:project": "acme"}, ["p"])
    assert (found.value, found.problems) == ({"k": [value]}, [])
    assert found.parameters == ([(("k", 0), "p")] if text == "$parameter:p" else [])


def test_airflow_cannot_run_a_workflow_from_elsewhere() -> None:
    external = dataclasses.replace(SMALL, external_workflows=("report_daily",))
    with pytest.raises(InputError, match="DP404"):
        everything(external)


@pytest.mark.airflow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("major", "children"),
    [(2, "success"), (2, "failed"), (3, "success")],
    ids=["airflow2", "airflow2_failed", "airflow3"],
)
def test_real_airflow_runs_every_key(major: int, children: str, tmp_path: Path, make: Any) -> None:
    plan = everything()
    # Airflow has no pool `spark` here.
    level, *others = plan.levels
    first, *rest = level.threads[0].steps
    thread = dataclasses.replace(level.threads[0], steps=(dataclasses.replace(first, pool=None), *rest))
    plan = dataclasses.replace(plan, levels=(dataclasses.replace(level, threads=(thread,)), *others))
    child = make.plan([[["j"]]], name="report_daily")
    statuses = (Answer(text="cancelled"), Answer(text="success"))
    outcomes = {
        "load_orders": Outcome(starts=(Answer(text="aef_1"),), statuses=statuses),
        "check_orders": job_of("c"),
    }
    with scripted.serve({plan.name: outcomes, child.name: {"j": job_of("j")}}) as executors:
        files = {"everything.py": airflow.render(plan), "report_daily.py": airflow.render(child)}
        asked = [{"dag_id": "everything", "conf": {"region": "US"}, "children": children}]
        document = real_airflow.run(major, tmp_path / "home", files, asked, executors.url)
        bodies = executors.tables["everything"].bodies
    assert document["import_errors"] == {}
    assert document["warnings"] == []
    run = document["runs"]["everything"]
    assert run["state"] == children, run["log"][-5000:]
    assert {found["dag_id"] for found in run["children"]} == {"report_daily"}
    # The step that runs the other pipeline may do so once more when that has failed.
    assert len({found["run_id"] for found in run["children"]}) == (1 if children == "success" else 2)
    assert [body["job_name"] for body in bodies] == ["load_orders"] * 4 + ["check_orders"]
    properties: Any = bodies[0]["step_properties"]
    assert properties["filter"] == {"region": "US", "limit": 100}
    told = [body["execution_id"] for body in executors.told]
    assert len(told) == (0 if children == "success" else 1), run["log"][-5000:]
