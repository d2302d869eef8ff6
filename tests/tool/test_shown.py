"""What a person is shown: names for indexes, one line for a replacement, outputs, pictures on the page."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from dataplatform.cli import dp
from dataplatform.local import flow, outputs, page, page_flows
from dataplatform.local.display import Display
from dataplatform.local.events import Run
from dataplatform.local.fields import fields_of, shown
from dataplatform.local.page_data import PageData
from dataplatform.local.trace import RunTrace, StepTrace

ROOT = Path(__file__).resolve().parents[2]
URN = "urn:pulumi:dev::p::dp-cdap:datafusion:Pipeline::sales/orders"


def fields(old: dict[str, Any], new: dict[str, Any], *paths: str, keys: tuple[str, ...] = ()) -> list[str]:
    told = fields_of(
        {
            "old": {"inputs": old, "outputs": old},
            "new": {"inputs": new},
            "detailedDiff": {path: {} for path in paths},
            "keys": keys,
        }
    )
    return [one.line() for one in told]


def activities(*named: tuple[str, int]) -> dict[str, Any]:
    return {"properties": {"activities": [{"name": name, "policy": {"retry": retry}} for name, retry in named]}}


def test_what_has_a_name_in_a_list_is_told_by_it() -> None:
    old, new = activities(("Copy", 1), ("Clean", 2)), activities(("Copy", 1), ("Clean", 4))
    (line,) = fields(old, new, "properties.activities[1].policy.retry")
    assert line == 'properties.activities["Clean"].policy.retry: 2 → 4'


def test_an_index_stays_where_something_else_stands_there_now() -> None:
    old, new = activities(("Copy", 1)), activities(("Clean", 2))
    (line,) = fields(old, new, "properties.activities[0].policy.retry")
    assert line.startswith("properties.activities[0].policy.retry: ")


def test_keys_in_quotes_stay_so() -> None:
    (line,) = fields({"env": {"A.b": "1"}}, {"env": {"A.b": "2"}}, 'env["A.b"]')
    assert line == 'env["A.b"]: "1" → "2"'


def test_a_whole_number_is_shown_as_one_and_a_digest_short() -> None:
    (line,) = fields({"age": 30}, {"age": 31.0}, "age")
    assert line == "age: 30 → 31"
    assert shown("a" * 64) == f'"{"a" * 12}…"'
    assert shown("a" * 65) == f'"{"a" * 65}"'


def test_a_replacement_for_another_ones_sake_tells_what_else_changes() -> None:
    old = {"endpoint": "https://a", "config": {"stages": [{"name": "Read", "threshold": "1"}]}, "gone": [1]}
    new = {"endpoint": "https://b", "config": {"stages": [{"name": "Read", "threshold": "5"}]}, "gone": [1, 2]}
    assert fields(old, new, keys=("endpoint",)) == [
        'config.stages["Read"].threshold: "1" → "5"',
        'endpoint: "https://a" → "https://b", forces replacement',
        "gone: [1] → [1, 2]",
    ]


def event(op: str, *keys: str) -> dict[str, Any]:
    old, new = ({"custom": True, "inputs": {"endpoint": one}} for one in "ab")
    return {"resOutputsEvent": {"metadata": {"urn": URN, "op": op, "old": old, "new": new, "keys": list(keys)}}}


@pytest.mark.parametrize(
    "events",
    [
        [event("delete-replaced"), event("replace"), event("create-replacement", "endpoint")],
        [event("create-replacement", "endpoint"), event("replace", "endpoint"), event("delete-replaced")],
        [event("replace", "endpoint"), event("create-replacement", "endpoint")],
    ],
    ids=["for another one's sake", "created first", "the bracket first"],
)
def test_a_replacement_is_shown_once_with_its_reason(events: list[dict[str, Any]]) -> None:
    out, run = io.StringIO(), Run()
    display = Display(out, preview=True)
    for one in events:
        operation = run.read(one)
        assert operation is not None
        display.operation(operation)
    bracket = run.operations[URN, "replace"]
    assert (bracket.keys, [one.path for one in bracket.fields]) == (("endpoint",), ["endpoint"])
    assert out.getvalue().count("REPLACE") == 1
    assert "REPLACE  because of endpoint" in out.getvalue()


def test_outputs_are_one_value_a_line() -> None:
    told = list(outputs.lines({"b": {"x": "y" * 50, "z": {"q": "r" * 70}}, "a": "one\ntwo", "n": 3, "e": {}}))
    assert told == [
        "  a = one two",
        "  b:",
        f"    x = {'y' * 50}",
        "    z:",
        f"      q = {'r' * 70}",
        "  e = {}",
        "  n = 3",
    ]


def test_the_list_of_commands_has_no_sentence_cut_short() -> None:
    from click.testing import CliRunner

    for command in ([], ["new"]):
        shown_ = CliRunner().invoke(dp, [*command, "--help"], terminal_width=80).output
        listed = shown_.partition("Commands:")[2]
        assert listed
        assert not [line for line in listed.splitlines() if line.endswith("...")]


def fusion(*links: tuple[str, str], **kinds: str) -> dict[str, Any]:
    stages = [{"name": name, "plugin": {"name": name.title(), "type": kind}} for name, kind in kinds.items()]
    return {
        "name": "p",
        "config": {"stages": stages, "connections": [{"from": a, "to": b} for a, b in links]},
    }


def test_an_export_is_a_graph_with_order_dashed() -> None:
    made = flow.data_fusion(fusion(("a", "b"), ("b", "c"), a="action", b="batchsource", c="batchsink"), "f.json")
    assert made is not None
    assert [arrow.dashed for arrow in made.arrows] == [True, False]
    drawn = flow.draw(made, "tip")
    assert drawn.parts.count("<rect") == 3
    assert drawn.parts.count('stroke-dasharray="5 4"') == 1


def test_a_factorys_pipeline_is_a_graph_with_its_conditions() -> None:
    body = {
        "name": "p",
        "properties": {
            "activities": [
                {"name": "a", "type": "Copy"},
                {
                    "name": "b",
                    "type": "ForEach",
                    "dependsOn": [{"activity": "a", "dependencyConditions": ["Succeeded"]}],
                    "typeProperties": {"activities": [{"name": "x", "type": "Copy"}]},
                },
                {"name": "c", "type": "Fail", "dependsOn": [{"activity": "a", "dependencyConditions": ["Failed"]}]},
            ]
        },
    }
    made = flow.data_factory(body, "f.json")
    assert made is not None
    assert [(a.before, a.after, a.said, a.dashed) for a in made.arrows] == [
        ("a", "b", "", False),
        ("a", "c", "when failed", True),
    ]
    assert made.boxes[1].kind == "ForEach · 1 inside"
    assert '-.->|"when failed"|' in flow.mermaid(made)


@pytest.mark.parametrize("body", [None, [], {}, {"name": "p"}, {"config": {"stages": []}}, {"properties": 1}])
def test_what_is_no_pipeline_is_no_graph(body: Any) -> None:
    assert flow.of_file(body, "f.json") is None


def test_a_circle_and_odd_names_are_drawn_all_the_same() -> None:
    made = flow.data_fusion(
        fusion(("<a>", "b"), ("b", "<a>"), ("b", "b"), **{"<a>": "transform", "b": "transform"}), "f.json"
    )
    assert made is not None
    drawn = flow.draw(made, "tip")
    assert "&lt;a&gt;" in drawn.parts
    assert "<a>" not in drawn.parts


def test_many_boxes_in_a_row_and_abreast_do_not_overlap() -> None:
    kinds = {f"s{n}": "transform" for n in range(60)}
    made = flow.data_fusion(fusion(*[("s0", f"s{n}") for n in range(1, 60)], **kinds), "f.json")
    assert made is not None
    places = flow.draw(made, "tip").parts.split("<rect ")[1:]
    assert len({one.partition(" width")[0] for one in places}) == 60


def test_the_samples_have_pictures() -> None:
    pictures = {one.name: one for one in page_flows.collect(ROOT, "dev", {"demo_pipeline_composer"})}
    assert {"orders_arrived", "orders_to_curated", "cloudsql_to_bigquery", "P_Ingest_Sensors"} <= set(pictures)
    assert "demo_pipeline_composer" not in pictures
    assert "Data Fusion, 3 stages" in pictures["orders_to_curated"].what


def test_a_stack_with_mistakes_has_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n", "utf-8")
    (tmp_path / "Pulumi.dev.yaml").write_text("{{{", "utf-8")
    assert page_flows.collect(tmp_path, "dev", set()) == []


def run_of(number: int, state: Any) -> RunTrace:
    return RunTrace(f"p{number}", "airflow", [StepTrace("s", "e", "1", "1", state="succeeded")], state=state)


def test_of_many_runs_those_that_failed_are_open() -> None:
    runs = [run_of(0, "failed"), *(run_of(n, "succeeded") for n in range(1, 25))]
    text = page.render(PageData("dev", "now", [], [], runs, "up", [], []))
    assert text.count('<details class="run" open>') == 1
    assert text.count('<details class="run">') == 24
    assert "25 last runs: 24 succeeded, 1 failed" in text
    assert 'href="#pipelines"' not in text


def test_graph_takes_an_export_by_name_and_by_file(tmp_path: Path) -> None:
    from dataplatform.local.errors import UsageError
    from dataplatform.show import commands

    by_name = commands.graph(ROOT, "dev", "sales/orders_to_curated").text
    assert by_name.startswith("<svg xmlns")
    assert "Keep complete orders" in by_name
    assert by_name == commands.graph(ROOT, "dev", "orders_to_curated").text
    assert "flowchart LR" in commands.graph(ROOT, "dev", "P_Ingest_Sensors", "mermaid").text
    odd = tmp_path / "odd.json"
    odd.write_text(json.dumps(fusion(a="transform")), "utf-8")
    assert ">a</text>" in commands.graph(ROOT, "dev", str(odd)).text
    with pytest.raises(UsageError, match="is a pipeline of Data Fusion and no definition; dp graph draws it"):
        commands.plan_of(ROOT, "dev", "orders_to_curated")
