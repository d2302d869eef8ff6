"""Definitions that are right: what they mean, and that what people have is accepted as it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.check import load_definition
from dataplatform.config.pipeline import Definition, StepDef
from dataplatform.diagnostics import Position

CORPUS = Path(__file__).parent / "corpus"
DEFINITIONS = sorted(path for path in CORPUS.glob("*.json") if path.stem != "job_run_dataform_tag")


def step(**changes: Any) -> dict[str, Any]:
    plain = {
        "JOB_ID": "J01",
        "JOB_NAME": "load_orders",
        "TYPE": "async",
        "FUNCTION_ID_NAME": "dataform-tag-executor",
        "FUNCTION_STATUS_NAME": "dataform-tag-executor",
    }
    return {key: value for key, value in {**plain, **changes}.items() if value is not ...}


def write(folder: Path, *steps: dict[str, Any], name: str = "orders.json", engine: str = "cloud_workflows") -> Path:
    document = {"engine": engine, "definition": [{"LEVEL_ID": "1", "THREADS": [{"THREAD_ID": "1", "STEPS": steps}]}]}
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def loaded(path: Path) -> Definition:
    definition, diagnostics = load_definition(path)
    assert definition is not None, diagnostics.render()
    assert not diagnostics
    return definition


def only_step(folder: Path, **changes: Any) -> StepDef:
    (found,) = loaded(write(folder, step(**changes))).steps()
    return found


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_corpus_is_accepted_unchanged(path: Path) -> None:
    definition = loaded(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert definition.name == path.stem
    assert definition.engines == (("airflow",) if document["engine"] == "composer" else ("workflows",))
    assert definition.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    written = [s for level in document["definition"] for t in level["THREADS"] for s in t["STEPS"]]
    assert [s.job_name for s in definition.steps()] == [s["JOB_NAME"] for s in written]
    assert [s.executor for s in definition.steps()] == [
        s.get("FUNCTION_ID_NAME") or s["COMPOSER_STEP"] for s in written
    ]
    assert [s.wait_time_seconds for s in definition.steps()] == [int(s.get("WAIT_TIME_SECONDS", 30)) for s in written]
    minutes = [s.get("ASYNC_TIMEOUT_LOOP_IN_MINUTES") for s in written]
    assert [s.timeout for s in definition.steps()] == [int(m) * 60 if m else 3600 for m in minutes]


def test_corpus_demo_is_read_in_full() -> None:
    definition = loaded(CORPUS / "demo_pipeline_cloud_workflows.json")
    assert [level.level_id for level in definition.levels] == ["1", "2"]
    assert [[thread.thread_id for thread in level.threads] for level in definition.levels] == [["1", "2"], ["3"]]
    last = definition.steps()[-1]
    assert last == StepDef(
        job_id="J03",
        job_name="run_dataform_tag",
        executor="dataform-tag-executor",
        status_executor="dataform-tag-executor",
        wait_time_seconds=20,
        async_timeout_loop_in_minutes=12,
    )
    assert last.timeout == 720
    assert last.position.line == 43
    assert last.position_of("JOB_NAME") == Position(last.position.file, 45, 27)
    assert last.position_of("TIMEOUT_SECONDS") == last.position


def test_job_parameter_file_is_not_a_definition() -> None:
    definition, diagnostics = load_definition(CORPUS / "job_run_dataform_tag.json")
    assert definition is None
    assert [d.code for d in diagnostics.items] == ["DP319"]


def test_every_key_at_once(tmp_path: Path) -> None:
    found = only_step(
        tmp_path,
        WAIT_TIME_SECONDS=5,
        TIMEOUT_SECONDS="120",
        ASYNC_TIMEOUT_LOOP_IN_MINUTES=2,
        CONTINUE_IF_FAIL="True",
        LAST_STEP="True",
        STEP_PROPERTIES='{"a": [1, {"b": "ARRAY<STRING>"}], "c": "${x} {LEVEL_ID} \\u00e9"}',
        COMPOSER_STEP="dataform-tag-executor",
        NEXT="",
        READ_INPUT_FROM=None,
    )
    assert found.wait_time_seconds == 5
    assert found.timeout == found.timeout_seconds == 120
    assert found.async_timeout_loop_in_minutes == 2
    assert found.continue_if_fail
    assert found.step_properties == {"a": [1, {"b": "ARRAY<STRING>"}], "c": "${x} {LEVEL_ID} é"}


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    found = only_step(tmp_path, TYPE=..., FUNCTION_STATUS_NAME=...)
    assert (found.type, found.status_executor) == ("async", "dataform-tag-executor")
    assert (found.wait_time_seconds, found.timeout, found.timeout_seconds) == (30, 3600, None)
    assert (found.continue_if_fail, found.step_properties) == (False, {})


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "1",
        "json",
        "class",
        "a-b c",
        "a:b#c\"d'e",
        "${x}",
        "../../etc/passwd",
        "日本語",
        "é" * 200,
        " x ",
        "%s {0} {{ x }}",
    ],
)
def test_any_job_name_is_kept_as_it_is(name: str, tmp_path: Path) -> None:
    assert only_step(tmp_path, JOB_NAME=name).job_name == name


@pytest.mark.parametrize("flag", ["True", "true", "False", "false", True, False])
def test_flags_are_read_by_their_words(flag: object, tmp_path: Path) -> None:
    assert only_step(tmp_path, CONTINUE_IF_FAIL=flag).continue_if_fail is (str(flag).lower() == "true")


def test_properties_may_be_an_object(tmp_path: Path) -> None:
    given = {"text": "a\nb", "number": 1.5, "none": None, "password_secret_name": "x", "token": "$secret:hawk"}
    assert only_step(tmp_path, STEP_PROPERTIES=given).step_properties == given


def test_thread_ids_repeat_across_levels_and_ids_may_be_numbers(tmp_path: Path) -> None:
    levels = [
        {"LEVEL_ID": i, "THREADS": [{"THREAD_ID": 1, "STEPS": [step(JOB_ID=i, JOB_NAME=f"s{i}")]}]} for i in (3, 4, 5)
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"engine": "composer", "definition": levels}), encoding="utf-8")
    definition = loaded(path)
    assert [level.level_id for level in definition.levels] == ["3", "4", "5"]
    assert [s.job_id for s in definition.steps()] == ["3", "4", "5"]


def test_a_stack_registers_executors_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, step(FUNCTION_ID_NAME="our-executor"))
    assert load_definition(path)[0] is None
    definition, diagnostics = load_definition(path, functions=["our-executor"])
    assert definition is not None, diagnostics.render()


def test_yaml_definition_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "orders.yaml"
    path.write_text(
        """\
# the same vocabulary
engine: cloud_workflows
definition:
  - LEVEL_ID: 1
    THREADS:
      - THREAD_ID: 1
        STEPS:
          - JOB_ID: J01
            JOB_NAME: load_orders
            TYPE: async
            FUNCTION_ID_NAME: dataform-tag-executor
            FUNCTION_STATUS_NAME: dataform-tag-executor
            STEP_PROPERTIES: {a: 1, "b": [x, 'y']}
""",
        encoding="utf-8",
    )
    assert loaded(path).steps()[0] == only_step(tmp_path, STEP_PROPERTIES={"a": 1, "b": ["x", "y"]})


def test_byte_order_mark_and_windows_lines_are_accepted(tmp_path: Path) -> None:
    path = write(tmp_path, step())
    text = json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=2).replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    definition = loaded(path)
    assert definition.steps()[0].position.line == 10
    assert definition.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_file_is_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "pipelines" / "team").mkdir(parents=True)
    path = write(tmp_path / "pipelines" / "team", step())
    definition, _ = load_definition(path, root=tmp_path)
    assert definition is not None
    assert definition.file == "pipelines/team/orders.json"


def test_mistake_inside_properties_is_shown_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    inner = json.dumps('{"é\\n": "\U0001f600", "b": nope}')
    document = json.dumps(
        {"engine": "composer", "definition": [{"LEVEL_ID": 1, "THREADS": [{"THREAD_ID": 1, "STEPS": [step()]}]}]}
    )
    path.write_text(document.replace('"TYPE"', f'"STEP_PROPERTIES": {inner}, "TYPE"'), encoding="utf-8")
    _, diagnostics = load_definition(path)
    (found,) = diagnostics.items
    line = path.read_text(encoding="utf-8").split("\n")[0]
    assert line[found.position.column - 1 :].startswith("nope")
