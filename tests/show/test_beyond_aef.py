"""What is shown of the keys that go beyond AEF's format."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan, Retry
from dataplatform.config.options import Schedule
from dataplatform.show.commands import import_
from dataplatform.show.convert import data_of
from dataplatform.show.diff import diff, render
from dataplatform.show.explain import as_dict, best_case, explain, worst_case
from dataplatform.show.graph import mermaid, svg
from tests.show import plans

FILE = Path(__file__).parent.parent / "compile" / "definitions" / "everything.yaml"
TARGET = dataclasses.replace(plans.TARGET, references=(("bucket:landing", "a-bucket"),))


def everything() -> Plan:
    return build_plan(plans.load(FILE), TARGET)


def test_the_plan_in_words() -> None:
    plan = everything()
    said = " ".join(explain(plan).split())
    for words in (
        "Orders of the day, from landing to the report.",
        "Owner: team-orders. Tags: daily and orders.",
        "A run begins at 30 4 * * MON-FRI (cron, Europe/Berlin); none is caught up.",
        'Parameter region (string), "EU" where none is given: Part of the world whose orders are loaded.',
        "The function dataform-tag-executor is called once when a run has failed.",
        "it is run again at most 2 times, after 1 min and 2 min, each time with the whole timeout",
        "In Airflow it takes a slot of the pool spark.",
        "One call of bq-saved-query-executor; fails when it has not succeeded after 5 min.",
        "Runs the pipeline report_daily; asked about every 30 s",
    ):
        assert words in said, words
    # Three runs of the first job with the pauses between them, one call, two runs of the pipeline with one pause.
    assert worst_case(plan) == (3 * 600 + 180) + 300 + (2 * 3600 + 60)
    assert best_case(plan) == 20 + 0 + 30
    shown = as_dict(plan)
    assert shown["schedule"] == {"cron": "30 4 * * MON-FRI", "timezone": "Europe/Berlin"}
    assert [step["type"] for level in shown["levels"] for step in level["threads"][0]["steps"]] == [
        *("async", "sync", "workflows"),
    ]


def test_the_plan_as_a_picture() -> None:
    for text in (mermaid(everything()), svg(everything())):
        assert "pipeline report" in text
        assert "one call" in text
        assert "2 more" in text


def test_every_key_is_part_of_the_meaning() -> None:
    old = everything()
    (level, *rest) = old.levels
    first, second = level.threads[0].steps
    first = dataclasses.replace(first, job_retry=Retry(max_retries=3, initial_delay=60, max_delay=3600), pool=None)
    second = dataclasses.replace(second, kind="async")
    thread = dataclasses.replace(level.threads[0], steps=(first, second))
    limit, region = old.parameters
    new = dataclasses.replace(
        old,
        levels=(dataclasses.replace(level, threads=(thread,)), *rest),
        schedule=Schedule(cron="0 5 * * *", timezone="Europe/Berlin"),
        parameters=(dataclasses.replace(region, default="US"),),
        owner="others",
        tags=("daily",),
        on_failure=None,
    )
    text = render(diff(old, new))
    for line in (
        "~ pipeline: schedule.cron 30 4 * * MON-FRI → 0 5 * * *",
        "~ pipeline: owner team-orders → others",
        "~ step load_orders: most repetitions of the job 2 → 3",
        "~ step check_orders: type sync → async",
    ):
        assert line in text.splitlines(), text
    assert "parameters.region.default" in text
    assert f"parameters.{limit.name}" in text
    assert render(diff(old, old)) == "no change in meaning\n"


def test_there_and_back(tmp_path: Path) -> None:
    made = import_(FILE, tmp_path / "everything.json")
    assert made.path is not None
    back = import_(made.path, tmp_path / "again.yaml")
    assert back.path is not None
    first, second, third = (plans.load(path) for path in (FILE, made.path, back.path))
    assert first.levels == second.levels == third.levels
    assert first.options == second.options == third.options
    written = data_of(dataclasses.replace(first, positions={}))
    bare = plans.load_text(tmp_path, json.dumps(written))
    assert (bare.levels, bare.options) == (first.levels, first.options)
