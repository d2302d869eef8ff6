"""AEF's JSON ↔ our YAML."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.loader import load_document
from dataplatform.config.pipeline import Definition
from dataplatform.show.convert import data_of, to_json, to_yaml
from dataplatform.show.yaml_text import dump
from tests.show import plans
from tests.show.plans import aef, aef_step, dumped, load_text


def there_and_back(folder: Path, text: str) -> tuple[Definition, Definition, Definition, str, str]:
    first = load_text(folder, text)
    yaml = to_yaml(json.loads(text), origin="orders.json")
    second = load_text(folder, yaml, "orders.yaml")
    node, problems = load_document(folder / "orders.yaml")
    assert node is not None
    assert not problems
    back = to_json(node.value())
    return first, second, load_text(folder, back), yaml, back


def same(*definitions: Definition) -> bool:
    return len({repr((d.engines, data_of(d))) for d in definitions}) == 1 and all(
        (d.levels, d.engines) == (definitions[0].levels, definitions[0].engines) for d in definitions
    )


@pytest.mark.parametrize("path", plans.AEF, ids=lambda path: path.stem)
def test_every_file_of_the_corpus_comes_back_as_it_was(tmp_path: Path, path: Path) -> None:
    text = path.read_text("utf-8")
    first, second, third, _, back = there_and_back(tmp_path, text)
    assert same(first, second, third)
    assert json.loads(back) == json.loads(text)
    assert list(json.loads(back)["definition"][0]["THREADS"][0]["STEPS"][0]) == list(
        json.loads(text)["definition"][0]["THREADS"][0]["STEPS"][0]
    )


def test_the_yaml_of_a_small_definition(tmp_path: Path) -> None:
    keys = {
        "WAIT_TIME_SECONDS": "20",
        "CONTINUE_IF_FAIL": "True",
        "STEP_PROPERTIES": json.dumps(
            {"table": "orders", "day": "01", "share": 1.5, "yes": "no", "sql": "SELECT 1\nFROM t\n", "empty": {}}
        ),
        "LAST_STEP": "True",
    }
    assert there_and_back(tmp_path, dumped(aef([[aef_step("load-orders", **keys)]])))[3] == (
        """\
# Converted from "orders.json"
engine: cloud_workflows
definition:
  - LEVEL_ID: 1
    THREADS:
      - THREAD_ID: 1
        STEPS:
          - JOB_ID: J-load-orders
            JOB_NAME: load-orders
            TYPE: async
            FUNCTION_ID_NAME: dataform-tag-executor
            WAIT_TIME_SECONDS: 20
            CONTINUE_IF_FAIL: true
            STEP_PROPERTIES:
              table: orders
              day: "01"
              share: 1.5
              "yes": "no"
              sql: |
                SELECT 1
                FROM t
              empty: {}
            LAST_STEP: true
"""
    )


def test_every_key_survives(tmp_path: Path) -> None:
    keys = {
        "FUNCTION_STATUS_NAME": "bq-saved-query-executor",
        "COMPOSER_STEP": "dataform-tag-executor",
        "WAIT_TIME_SECONDS": "7",
        "TIMEOUT_SECONDS": "600",
        "ASYNC_TIMEOUT_LOOP_IN_MINUTES": "10",
        "CONTINUE_IF_FAIL": "False",
        "STEP_PROPERTIES": '{"a": [1, "2", null, true]}',
        "NEXT": "",
        "LAST_STEP": "False",
    }
    data = aef([[aef_step("a", **keys)]], engine="composer")
    data["definition"][0]["THREADS"][0]["THREAD_ID"] = "007"
    first, second, third, _, back = there_and_back(tmp_path, dumped(data))
    assert same(first, second, third)
    assert json.loads(back) == data


def test_numbers_in_json_become_aefs_strings(tmp_path: Path) -> None:
    data = aef([[aef_step("a", WAIT_TIME_SECONDS=7, CONTINUE_IF_FAIL=True, STEP_PROPERTIES={"x": 1})]])
    data["definition"][0]["LEVEL_ID"] = 1
    first, second, third, _, back = there_and_back(tmp_path, dumped(data))
    assert same(first, second, third)
    step = json.loads(back)["definition"][0]["THREADS"][0]["STEPS"][0]
    assert (step["WAIT_TIME_SECONDS"], step["CONTINUE_IF_FAIL"], step["STEP_PROPERTIES"]) == ("7", "True", '{"x": 1}')


@pytest.mark.parametrize(
    "name", ["end", "null", "no", "1", "0x1F", "1:30", "2020-01-01", "a: b", "# x", "'", '"', "ä", "数据", "- x", "😀"]
)
def test_any_name_survives(tmp_path: Path, name: str) -> None:
    definitions = there_and_back(tmp_path, dumped(aef([[aef_step(name)]])))[:3]
    assert same(*definitions)
    assert definitions[1].steps()[0].job_name == name


TEXTS = ["", " ", "\n", "a\n", "a\n\n", " a\nb", "a\n  b\n", "a \nb", "a\n\nb", "a\tb", "\t", "x" * 3000, "---\na"]
TEXTS += ["...\nb", "a\r\nb", "é\u2028", "\u0085", "\ufeffa\nb", "${a}", "%{x}", "&a", "*a", "!a", "|", ">", "@", "`"]
TEXTS += ["{a}", "[a", "true", "NULL", "~", "1e3", ".5", "+1", "0o7", "y", "a:", "a #b", "?", "-", "=", "<<", "\x1b"]


def test_any_text_survives_in_properties(tmp_path: Path) -> None:
    properties: dict[str, Any] = {f"k{n}": text for n, text in enumerate(TEXTS)} | {
        text: 1 for text in TEXTS if text.isprintable()
    }
    properties["list"] = [[], {}, [[]], ["a\nb", {"x": "a\nb\n"}], -1.5e-7, 1e16, 2**63 - 1]
    definitions = there_and_back(tmp_path, dumped(aef([[aef_step("a", STEP_PROPERTIES=json.dumps(properties))]])))[:3]
    assert same(*definitions)
    assert definitions[1].steps()[0].step_properties == properties


def test_what_yaml_cannot_hold_stays_json_text(tmp_path: Path) -> None:
    deep: Any = "bottom"
    for _ in range(85):
        deep = {"d": deep}
    for properties in ({"k" * 2000: 1}, deep):
        text = json.dumps(properties)
        first, second, third, yaml, _ = there_and_back(tmp_path, dumped(aef([[aef_step("a", STEP_PROPERTIES=text)]])))
        assert same(first, second, third)
        assert 'STEP_PROPERTIES: "{' in yaml


def test_random_definitions(tmp_path: Path) -> None:
    seeded = random.Random(4)

    def value(depth: int) -> Any:
        kind = seeded.randrange(7 if depth < 4 else 5)
        if kind == 5:
            return [value(depth + 1) for _ in range(seeded.randrange(4))]
        if kind == 6:
            return {word(): value(depth + 1) for _ in range(seeded.randrange(4))}
        return [seeded.randrange(-(10**6), 10**6), seeded.random() * 1e9, True, None, seeded.choice(TEXTS)][kind]

    def word() -> str:
        return "".join(seeded.choice("ab1 :-#'\"ä{[,&*!|>%@`~?\\") for _ in range(seeded.randrange(1, 9))) + "k"

    for _ in range(60):
        names = iter(range(1000))

        def step(names: Any = names) -> dict[str, Any]:
            number = next(names)
            some: dict[str, Any] = {"JOB_ID": str(number), "WAIT_TIME_SECONDS": str(seeded.randrange(1, 60))}
            if seeded.random() < 0.7:
                some["STEP_PROPERTIES"] = json.dumps({word(): value(0) for _ in range(4)})
            if seeded.random() < 0.3:
                some["CONTINUE_IF_FAIL"] = seeded.choice(["True", "False"])
            return aef_step(f"{word()}{number}", **some)

        levels = [[[step() for _ in range(seeded.randrange(1, 4))] for _ in range(2)] for _ in range(2)]
        first, second, third, _, _ = there_and_back(tmp_path, dumped(aef(*levels)))
        assert same(first, second, third)


def test_from_a_loaded_definition(tmp_path: Path) -> None:
    for path in plans.AEF:
        definition = plans.load(path)
        assert json.loads(to_json(definition)) == json.loads(path.read_text("utf-8"))
        assert same(definition, load_text(tmp_path, to_yaml(definition), "orders.yaml"))


def test_dump_writes_lists_of_lists() -> None:
    assert (
        dump({"a": [[1, "x"], {"b": ["c\nd"]}]}) == "a:\n  - - 1\n    - x\n  - b:\n      - |-\n        c\n        d\n"
    )
