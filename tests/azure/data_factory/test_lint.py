"""What is right passes: real exports get no mistake, and warnings only where there is something to say."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.clusters import read_cluster
from dataplatform.config.data_factory.expressions import Call, MalformedError, calls, expressions, twelve_hour
from dataplatform.config.data_factory.lint import lint_factory
from dataplatform.config.data_factory.runtimes import runtime_problem
from tests.azure.data_factory.support import CORPUS


def test_the_seeds_factory_has_warnings_alone() -> None:
    found = lint_factory(CORPUS)
    assert found.errors.items == []
    told = [(d.code, Path(d.position.file).name, d.position.line) for d in found.everything()]
    assert told == [
        ("DP532", "Ls_AdlsGen2_01.json", 7),
        ("DP532", "Ls_KeyVault.json", 7),
        ("DP532", "Ls_adb_01.json", 6),
        ("DP526", "Ls_adb_01.json", 20),
        ("DP527", "P_Ingest_MelbParkingData.json", 46),
        ("DP521", "P_Ingest_MelbParkingData.json", 68),
        ("DP527", "P_Ingest_MelbParkingData.json", 210),
    ]


def test_a_rich_factory_has_nothing_wrong_but_its_encrypted_credential() -> None:
    found = lint_factory(CORPUS.parent / "rich")
    assert {d.code for d in found.errors.items} == {"DP513", "DP522"}, "releaseId is the stack's"
    assert {d.code for d in found.warnings.items} == {"DP532", "DP547"}


def test_the_seeds_cluster_files() -> None:
    folder = CORPUS.parent / "databricks"
    found = Found()
    assert read_cluster(folder / "cluster.config.json", found) is not None
    assert [d.code for d in found.everything()] == ["DP526", "DP527"]
    found = Found()
    read_cluster(folder / "cluster.config.template.json", found)
    assert [d.code for d in found.errors.items] == ["DP520"] * 4


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", []),
        ("@concat('a')", ["concat('a')"]),
        ("@@literal", []),
        ("a @{b()} c @{d('}')}", ["b()", "d('}')"]),
        ("me@@{x}", []),
        ("@{a()}", ["a()"]),
        ("@{a", ["a"]),
    ],
)
def test_expressions_of_a_text(text: str, wanted: list[str]) -> None:
    assert list(expressions(text)) == wanted


def test_calls_of_an_expression() -> None:
    found = calls("concat('it''s', activity('Load it').output?.rows[0]['a b'], -1.5, pipeline()?.TriggerTime, true)")
    assert found == [
        Call(name="activity", texts=("Load it",), then=("output", "rows", None, "a b")),
        Call(name="pipeline", texts=(), then=("TriggerTime",)),
        Call(name="concat", texts=("it's", None, None, None, None), then=()),
    ]


@pytest.mark.parametrize("text", ["", "a(", "a(1", "a)b", "'x", "a('b' 'c')", "a().", "a()[", "1 2", "(" * 5000])
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(MalformedError):
        calls(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("yyyy_MM_dd_hh_mm_ss", "yyyy_MM_dd_HH_mm_ss"),
        ("hh", "HH"),
        ("yyyyMMddhhmm", "yyyyMMddHHmm"),
        ("yyyy/MM/dd/h", "yyyy/MM/dd/H"),
        ("hh:mm tt", None),
        ("HH:mm", None),
        ("o", None),
        ("the whole thing", None),
        ("yyyy-MM-ddThh:mm:ssZ", "yyyy-MM-ddTHH:mm:ssZ"),
    ],
)
def test_twelve_hour_formats(text: str, wanted: str | None) -> None:
    assert twelve_hour(text) == wanted


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("5.5.x-scala2.11", "end of life"),
        ("10.4.x-scala2.12", "2025-03-18"),
        ("13.3.x-cpu-ml-scala2.12", "2026-08-22"),
        ("16.1.x-scala2.12", "no long-term support"),
        ("14.3.x-photon-scala2.12", None),
        ("17.3.x-scala2.13", None),
        ("18.2.x-scala2.13", None),
        ("custom:image", None),
        ("@pipeline().parameters.version", None),
    ],
)
def test_runtimes(version: str, words: str | None) -> None:
    problem = runtime_problem(version)
    assert (problem is None) == (words is None)
    if problem is not None and words is not None:
        assert words in problem[0]


def test_a_large_factory_is_judged_quickly(tmp_path: Path) -> None:
    for name, source in ((p.relative_to(CORPUS), p.read_text("utf-8")) for p in CORPUS.rglob("*.json")):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(source, "utf-8")
    pipeline = json.loads((CORPUS / "pipeline" / "P_Ingest_MelbParkingData.json").read_text("utf-8"))
    for number in range(300):
        pipeline["name"] = f"P{number}"
        (tmp_path / "pipeline" / f"P{number}.json").write_text(json.dumps(pipeline), "utf-8")
    begun = time.perf_counter()
    found = lint_factory(tmp_path)
    assert found.errors.items == []
    assert time.perf_counter() - begun < 20
