"""Every bug known of the AEF generator is here a right result, or a diagnostic.

The bugs are those that were reproduced with AEF data-orchestration (commit 977900a): silent wrong results, crashes,
invalid output with exit code 0, and limits; then the traps of the executors' contract (orchestration-framework
c158804). Where the answer is a diagnostic, the mistake is a folder of tests/config/bad with its expected message, and
REFUSED says which; the others are compiled and run on both engines here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataplatform.compile import airflow, workflows
from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan
from dataplatform.compile.reference import Answer, Outcome, job_of, never, trace
from dataplatform.config.check import load_definition
from localcloud.workflows.check import check_source
from tests.compile import light_airflow
from tests.compile.engines import DagEngine, Run, in_workflows
from tests.compile.generated import TARGET
from tests.compile.observed import Executors, differences

BAD = Path(__file__).parents[1] / "config" / "bad"

REFUSED = [
    # Silent wrong results
    ("level ids with a gap: the rest never ran", "level_gap", "there is a gap", "DP307"),
    ("levels out of order: one was skipped", "level_order", "the order is wrong", "DP307"),
    ("a level id used twice", "level_duplicate", "LEVEL_ID 1 is used twice", "DP307"),
    ("a typo in TYPE: the step was dropped", "type_not_supported", "did you mean 'async'?", "DP123"),
    ("an executor nobody knows: an empty body", "executor_unknown", "did you mean 'dataform-tag-executor'?", "DP311"),
    # Crashes
    ("TYPE sync", "sync_keys", "the step names no executor", "DP321"),
    ("TYPE workflows", "workflows_keys", "the step names no pipeline", "DP321"),
    ("NEXT", "next_key", "NEXT is 'J03', and the step that follows is 'J02'", "DP322"),
    ("a LEVEL_ID that is no number", "definition_wrong_types", "LEVEL_ID: expected a whole number, found 'x'", "DP122"),
    ("a thread without steps", "definition_empty_parts", "a thread without steps would run nothing", "DP320"),
    ("an unknown engine", "definition_engine", "did you mean 'cloud_workflows'?", "DP123"),
    ("no COMPOSER_STEP", "executor_missing", "the step names no executor", "DP321"),
    # Invalid output with exit code 0
    ("one JOB_NAME twice", "step_duplicates", "JOB_NAME 'load_orders' is used twice", "DP310"),
    ("one THREAD_ID twice in a level", "thread_duplicate", "THREAD_ID '1' is used twice", "DP308"),
    ("a level without threads", "definition_empty_parts", "a level without threads would run nothing", "DP320"),
    ("a definition without levels", "definition_empty", "a definition without levels would run nothing", "DP320"),
    ("WAIT_TIME_SECONDS ten", "definition_wrong_types", "WAIT_TIME_SECONDS: expected a whole number", "DP122"),
    ("STEP_PROPERTIES that are no JSON", "properties_text", "the text is not a JSON object", "DP313"),
    # Traps
    ("READ_INPUT_FROM was ignored", "keys_not_supported", "READ_INPUT_FROM: this key is not supported", "DP312"),
    ("a file name that no workflow may have", "pipelines_names", "cannot be the name of a pipeline", "DP305"),
    ("a password in a job's parameters", "properties_secret", "a secret in plain text", "DP318"),
    ("a placeholder left in", "properties_placeholder", "the placeholder '<PROJECT_ID>'", "DP317"),
    ("LAST_STEP in the middle", "last_step", "this is not the last step of the pipeline", "DP316"),
    ("two timeouts that differ", "timeouts", "keep one of the two, or make them agree", "DP314"),
]


@pytest.mark.parametrize(("case", "folder", "words", "code"), REFUSED, ids=[case for case, *_ in REFUSED])
def test_a_mistake_is_a_diagnostic_with_its_place(case: str, folder: str, words: str, code: str) -> None:
    """tests/config/test_bad.py holds the program to these files; here, that each bug has its own."""
    lines = [line for line in (BAD / folder / "expected.txt").read_text("utf-8").splitlines() if words in line]
    assert lines, f"{folder} no longer shows: {case}"
    assert re.match(r"[^:]+:\d+:\d+: error: ", lines[0])
    assert lines[0].endswith(f"[{code}]")


Engine = Callable[[Plan, Mapping[str, Outcome]], Run]


@pytest.fixture(params=["Cloud Workflows", "Airflow"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("DATAPLATFORM_EXECUTORS_EMULATOR_HOST", "DATAPLATFORM_TIME_SCALE"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "Cloud Workflows":
        yield in_workflows
        return
    with light_airflow.installed() as operators:
        yield DagEngine(operators)


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """What executors were sent, in order."""
    found: list[Mapping[str, Any]] = []
    answer = Executors.answer

    def record(self: Executors, body: Mapping[str, object], at: float) -> Answer:
        found.append(body)
        return answer(self, body, at)

    monkeypatch.setattr(Executors, "answer", record)
    return found


def step(name: str, **changes: object) -> dict[str, object]:
    base = {
        "JOB_ID": f"J-{name}"[:64],
        "JOB_NAME": name,
        "TYPE": "async",
        "FUNCTION_ID_NAME": "dataform-tag-executor",
        "FUNCTION_STATUS_NAME": "dataform-tag-executor",
        "WAIT_TIME_SECONDS": "30",
    }
    return {**base, **changes}


def compiled(folder: Path, levels: list[Any], name: str = "orders", **changes: object) -> Plan:
    """The plan of a definition, given as levels of threads of steps; a level may be a dict that has its own ids."""
    definition = [
        level
        if isinstance(level, dict)
        else {
            "LEVEL_ID": str(number),
            "THREADS": [{"THREAD_ID": str(n), "STEPS": steps} for n, steps in enumerate(level, start=1)],
        }
        for number, level in enumerate(levels, start=1)
    ]
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"engine": "cloud_workflows", "definition": definition, **changes}), encoding="utf-8")
    found, problems = load_definition(file, root=folder)
    assert found is not None, problems.render()
    return build_plan(found, TARGET)


def refusal(folder: Path, document: object) -> str:
    file = folder / "orders.json"
    file.write_text(json.dumps(document, indent=2), encoding="utf-8")
    found, problems = load_definition(file, root=folder)
    assert found is None
    return problems.render()


def succeeding(plan: Plan, **others: Outcome) -> dict[str, Outcome]:
    return {name.id: job_of(str(n)) for n, name in enumerate(plan.steps())} | others


def played(engine: Engine, plan: Plan, outcomes: Mapping[str, Outcome]) -> Run:
    """The run, which did what the reference says."""
    run = engine(plan, outcomes)
    assert differences(plan, outcomes, trace(plan, outcomes), run.trace, run.messages) == []
    return run


def test_a_job_that_never_ends_is_given_up_after_its_minutes(engine: Engine, tmp_path: Path) -> None:
    plan = compiled(tmp_path, [[[step("a", ASYNC_TIMEOUT_LOOP_IN_MINUTES="12"), step("b")]]])
    run = played(engine, plan, {"a": never("1")})
    assert run.trace.state == "failed"
    assert run.trace.steps["a"].seconds == 720
    assert run.messages["a"].endswith("no success within 720 seconds: job aef_1 was still running")


def test_step_properties_keep_the_bucket_of_job_definitions(engine: Engine, bodies: list[Any], tmp_path: Path) -> None:
    own = {"jobs_definitions_bucket": "mine"}
    steps = [step("a"), step("b", STEP_PROPERTIES='{"k": "v"}'), step("c", STEP_PROPERTIES=json.dumps(own))]
    plan = compiled(tmp_path, [[steps]])
    played(engine, plan, succeeding(plan))
    bucket = {"jobs_definitions_bucket": "acme-data-dev-jobs"}
    starts = [body["step_properties"] for body in bodies if body["call_type"] == "get_id"]
    assert starts == [bucket, {**bucket, "k": "v"}, own]


@pytest.mark.parametrize(
    "text", ["{LEVEL_ID}", "{THREAD_ID} {NEXT_JOB_ID} {JOB_IDENTIFIER}", "${args.x}", "{{ ds }}", "two\nlines\n", "%s"]
)
def test_step_properties_arrive_as_they_are(engine: Engine, bodies: list[Any], text: str, tmp_path: Path) -> None:
    """None is filled in, and an embedded newline is neither lost nor added to."""
    written = json.dumps({"p": text}, indent=1) + "\n"
    plan = compiled(tmp_path, [[[step("a", STEP_PROPERTIES=written)]]])
    played(engine, plan, succeeding(plan))
    assert {body["step_properties"]["p"] for body in bodies} == {text}


def test_a_failed_wait_is_a_failure_not_a_skip(engine: Engine, tmp_path: Path) -> None:
    plan = compiled(tmp_path, [[[step("a", COMPOSER_STEP="dataform-tag-executor")]], [[step("b")]]])
    run = played(engine, plan, {"a": job_of("1", 3, last=Answer(status=500, text="FAILED"))})
    assert (run.trace.steps["a"].state, run.trace.steps["b"].state, run.trace.state) == ("failed", "skipped", "failed")


def test_two_jobs_of_one_second_do_not_share_an_id(engine: Engine, bodies: list[Any], tmp_path: Path) -> None:
    names = dict.fromkeys(("FUNCTION_ID_NAME", "FUNCTION_STATUS_NAME"), "dataproc-serverless-job-executor")
    plan = compiled(tmp_path, [[[step("a", **names)], [step("b", **names)]]])
    run = played(engine, plan, {"a": job_of("first", 2), "b": job_of("second", 2)})
    assert run.begins == {"a": 0, "b": 0}
    asked = {(body["job_name"], body["async_job_id"]) for body in bodies if body["call_type"] == "get_status"}
    assert asked == {("a", "aef_first"), ("b", "aef_second")}


@pytest.mark.parametrize("name", ["FUNCTION_ID_NAME", "COMPOSER_STEP"])
def test_an_unknown_executor_is_refused_under_either_key(name: str, tmp_path: Path) -> None:
    wrong = {key: value for key, value in step("a").items() if not key.startswith("FUNCTION")}
    wrong[name] = "dataproc-serverless"
    levels = [{"LEVEL_ID": "1", "THREADS": [{"THREAD_ID": "1", "STEPS": [wrong]}]}]
    for engine_name in ("cloud_workflows", "composer"):
        said = refusal(tmp_path, {"engine": engine_name, "definition": levels})
        assert f"{name}: unknown executor 'dataproc-serverless'" in said
        assert "DP311" in said


def test_a_missing_engine_is_refused(tmp_path: Path) -> None:
    levels = [{"LEVEL_ID": "1", "THREADS": [{"THREAD_ID": "1", "STEPS": [step("a")]}]}]
    said = refusal(tmp_path, {"definition": levels})
    assert re.search(r"orders\.json:\d+:\d+: error: .*'engine'", said)


def test_numbers_may_be_numbers_and_properties_an_object(engine: Engine, bodies: list[Any], tmp_path: Path) -> None:
    written = step("a", WAIT_TIME_SECONDS=7, TIMEOUT_SECONDS=20, STEP_PROPERTIES={"k": [1, None]})
    plan = compiled(tmp_path, [{"LEVEL_ID": 1, "THREADS": [{"THREAD_ID": 1, "STEPS": [written]}]}])
    run = played(engine, plan, {"a": never("1")})
    assert [call.at for call in run.trace.steps["a"].calls] == [0, 7, 14, 20]
    assert bodies[0]["step_properties"]["k"] == [1, None]


def test_levels_whose_single_threads_have_different_ids_run(engine: Engine, tmp_path: Path) -> None:
    levels = [
        {"LEVEL_ID": "1", "THREADS": [{"THREAD_ID": "1", "STEPS": [step("a")]}]},
        {"LEVEL_ID": "2", "THREADS": [{"THREAD_ID": "7", "STEPS": [step("b")]}]},
        {"LEVEL_ID": "3", "THREADS": [{"THREAD_ID": n, "STEPS": [step(f"c{n}")]} for n in ("7", "1")]},
    ]
    plan = compiled(tmp_path, levels)
    assert check_source(workflows.render(plan)) == []
    run = played(engine, plan, succeeding(plan))
    assert run.trace.state == "success"
    assert run.begins == {"a": 0, "b": 30, "c7": 60, "c1": 60}


NAMES = ["a:b", "#a", 'say "so"', "${sys.now()}", "a-b", "1st", "class", "json", "dag", "None", "X_Wait", "X", "x y"]


def test_a_job_may_have_any_name(engine: Engine, bodies: list[Any], tmp_path: Path) -> None:
    """YAML's special characters, Python's keywords and modules, and what the generator called its own steps."""
    plan = compiled(tmp_path, [[[step(name) for name in NAMES]]])
    assert check_source(workflows.render(plan)) == []
    run = played(engine, plan, succeeding(plan))
    assert run.trace.state == "success"
    assert [body["job_name"] for body in bodies if body["call_type"] == "get_id"] == NAMES


@pytest.mark.parametrize(("levels", "threads", "steps"), [(1, 1, 36), (1, 2, 16), (10, 5, 4)])
def test_pipelines_that_were_too_large_fit(levels: int, threads: int, steps: int, tmp_path: Path) -> None:
    def thread(level: int, number: int, length: int) -> list[object]:
        return [step(f"job_{level}_{number}_{n}", TIMEOUT_SECONDS="1200") for n in range(length)]

    def of(length: int) -> Plan:
        return compiled(tmp_path, [[thread(lv, th, length) for th in range(threads)] for lv in range(levels)])

    large, small = len(workflows.render(of(steps))), len(workflows.render(of(1)))
    assert large < workflows.MAX_SOURCE_BYTES
    assert (large - small) / (levels * threads * (steps - 1)) <= 600


@pytest.mark.parametrize("threads", [11, 12, 15, 20])
def test_more_threads_than_branches_run_at_the_same_time(engine: Engine, threads: int, tmp_path: Path) -> None:
    plan = compiled(tmp_path, [[[step(f"a{n}"), step(f"b{n}")] for n in range(threads)], [[step("z")]]])
    run = played(engine, plan, succeeding(plan))
    assert run.begins == {f"{name}{n}": at for n in range(threads) for name, at in (("a", 0), ("b", 30))} | {"z": 60}


def test_no_step_jumps_into_another_ones_steps_or_continues_outside_of_a_loop(make: Any) -> None:
    """Jumps go to a neighbour only (see test_compile_workflows); the word `continue` is nowhere."""
    plan = make.plan([[[f"a{n}", f"b{n}"] for n in range(11)], [["c", "d"], ["e"]]])

    def jumps(node: object) -> list[object]:
        if isinstance(node, list):
            return [jump for item in node for jump in jumps(item)]
        if not isinstance(node, dict):
            return []
        own = [node["next"]] if "next" in node else []
        return own + [jump for value in node.values() for jump in jumps(value)]

    document = yaml.safe_load(workflows.render(plan))
    assert jumps(document["main"]) == []
    assert not {"continue", "break", "end"} & {str(jump) for jump in jumps(document)}


def test_every_call_of_a_dag_is_made_by_a_task_not_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator's DAGs read one object of a bucket per step at every parse."""
    plan = compiled(tmp_path, [[[step(f"job_{n}", TIMEOUT_SECONDS="600") for n in range(200)]]])
    text = airflow.render(plan)
    with light_airflow.installed():
        for forbidden in ("socket.socket", "builtins.open"):
            monkeypatch.setattr(forbidden, _refuse)
        dag = light_airflow.load(text)
        monkeypatch.undo()
    assert len(dag.tasks) == 200


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("a DAG file must not read anything")


@pytest.mark.parametrize("name", ["load_error_log", "exception", "ERROR"])
def test_a_job_may_be_called_an_error(engine: Engine, name: str, tmp_path: Path) -> None:
    plan = compiled(tmp_path, [[[step(name)]]])
    assert played(engine, plan, {name: job_of(f"x_{name}_1", 2)}).trace.state == "success"


def test_every_call_says_what_it_wants(engine: Engine, bodies: list[Any], tmp_path: Path) -> None:
    """The intermediate answers 500 without a reason where call_type or async_job_id is missing; it quotes dates."""
    plan = compiled(tmp_path, [[[step("a")]]])
    played(engine, plan, {"a": job_of("1", 2)})
    assert [body["call_type"] for body in bodies] == ["get_id", "get_status", "get_status"]
    assert {body.get("async_job_id") for body in bodies[1:]} == {"aef_1"}
    for body in bodies:
        dates = [body["query_variables"][key] for key in ("start_date", "end_date")]
        assert all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", date) for date in dates)
        assert set(body) >= {"workflow_name", "execution_id", "job_name", "function_url_to_call", "workflow_properties"}


def test_an_unavailable_executor_is_asked_again(engine: Engine, tmp_path: Path) -> None:
    plan = compiled(tmp_path, [[[step("a")]]])
    busy, there = Answer(status=503, text="Service Unavailable"), Answer(text="success")
    outcome = Outcome(starts=(busy, busy, Answer(text="aef_1")), statuses=(busy, Answer(text="running"), busy, there))
    run = played(engine, plan, {"a": outcome})
    assert run.trace.state == "success"
    assert run.trace.steps["a"].delays == (2, 4, 2, 2)


@pytest.mark.parametrize("answered", ["starts", "statuses"])
def test_an_error_that_an_executor_answers_with_status_200_fails_the_step(
    engine: Engine, answered: str, tmp_path: Path
) -> None:
    plan = compiled(tmp_path, [[[step("a")]]])
    error = (Answer(text='{"error": "AttributeError", "message": "x"}'),)
    calls = {"starts": (Answer(text="aef_1"),), "statuses": (Answer(text="success"),), answered: error}
    run = played(engine, plan, {"a": Outcome(**calls)})
    assert run.trace.state == "failed"
    assert "AttributeError" in run.messages["a"]


def test_a_failure_is_seen_at_once_and_siblings_still_end(engine: Engine, tmp_path: Path) -> None:
    """A parallel step of Cloud Workflows goes on to the end of all its branches; Airflow does the same."""
    plan = compiled(tmp_path, [[[step("a"), step("b")], [step("c"), step("d")]], [[step("e")]]])
    run = played(engine, plan, succeeding(plan, a=Outcome(starts=(Answer(status=500, text="no"),))))
    assert run.trace.skipped == ("b", "e")
    assert run.trace.steps["d"].state == "success"


def test_thread_ids_repeat_across_levels(engine: Engine, tmp_path: Path) -> None:
    plan = compiled(tmp_path, [[[step("a")], [step("b")]], [[step("c")], [step("d")]]])
    assert played(engine, plan, succeeding(plan)).trace.state == "success"


def test_polls_count_toward_the_steps_an_execution_may_take(tmp_path: Path) -> None:
    from dataplatform.diagnostics import InputError

    with pytest.raises(InputError, match=r"would execute [\d,]+ steps, and Cloud Workflows ends an execution"):
        compiled(tmp_path, [[[step("a", WAIT_TIME_SECONDS="1", TIMEOUT_SECONDS="86400")]]])
