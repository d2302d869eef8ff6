"""What a person sees of bad input: one sentence from the command, a status that is promised, nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataplatform.cli import main
from localcloud.cdap.instance import Settings
from localcloud.cdap.server import Server, serve
from localcloud.world import World
from tests.datafusion.pipelines import export_of, pipeline, stage, write

MARK = "hunter2-CANARY"


@dataclass(frozen=True)
class Case:
    """Files, and what a push of them says."""

    files: Callable[[Path], None]
    said: str
    status: int
    edition: str = "ENTERPRISE"
    token: str | None = None
    endpoint: str | None = None


def good(folder: Path) -> None:
    write(folder, export_of("default", pipeline("p")))


def malformed(folder: Path) -> None:
    good(folder)
    (folder / "default/pipelines/p.json").write_text('{"name": "p", "artifact": ')


def plugin(folder: Path) -> None:
    body = pipeline("p")
    body["config"]["stages"][0] = stage("Read", "KVTabel", "batchsource", name="x")
    write(folder, export_of("default", body))


def macro(folder: Path) -> None:
    write(folder, export_of("default", pipeline("p", "${bucket}")))


def two(folder: Path) -> None:
    write(folder, export_of("default", pipeline("p")) | export_of("sales", pipeline("q")))


CASES = {
    "a malformed export": Case(malformed, r"p\.json:1:27: error: .*\[DP10\d\]", 1),
    "an unknown plugin": Case(
        plugin, r"stage 'Read' of pipeline default/p needs the plugin KVTabel .*did you mean 'KVTable'\? \[DP606\]", 1
    ),
    "a macro without a value": Case(macro, r"uses the macro \$\{bucket\}, which nothing gives a value.*\[DP604\]", 1),
    "nobody there": Case(
        good, r"error: the instance at 127\.0\.0\.1:9 cannot be reached \(", 3, endpoint="http://127.0.0.1:9"
    ),
    "an expired token": Case(
        good, r"error: .*refused the access token \(missing, wrong or expired\); log in again", 3, token="fresh"
    ),
    "a second namespace of a BASIC instance": Case(
        two, r"error: create namespace sales: .*an instance of the Basic edition has only 'default'", 5, edition="BASIC"
    ),
}


@pytest.fixture
def server(request: pytest.FixtureRequest, world: World) -> Iterator[Server]:
    case: Case = request.param
    with serve(world, "core", settings=Settings(edition=case.edition), token=case.token) as running:
        yield running


@pytest.mark.parametrize(
    ("server", "case"), [(case, case) for case in CASES.values()], ids=list(CASES), indirect=["server"]
)
def test_one_sentence_each(
    server: Server, case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case.files(tmp_path / "files")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDAP_ENDPOINT", case.endpoint or server.url)
    monkeypatch.setenv("CDAP_ACCESS_TOKEN", MARK)
    monkeypatch.setattr("dataplatform.datafusion.client.time.sleep", lambda seconds: None)
    monkeypatch.setattr("sys.argv", ["dp", "datafusion", "push", "--folder", str(tmp_path / "files")])
    status = main()
    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert status == case.status, text
    told = [line for line in shown.err.splitlines() if re.search(r"\berror: ", line)]
    assert len(told) == 1, text
    assert re.search(case.said, told[0]), text
    assert "Traceback" not in text
    assert MARK not in text
