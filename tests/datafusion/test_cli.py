"""The commands: text for a person, one document for a machine, exit statuses that are promised."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from dataplatform.cli import main
from tests.datafusion.conftest import Cdap
from tests.datafusion.pipelines import export_of, pipeline, write
from tests.datafusion.test_diff import git


class Cli:
    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
        self.capsys, self.monkeypatch, self.endpoint = capsys, monkeypatch, endpoint

    def text(self, *arguments: str) -> tuple[int, str]:
        self.monkeypatch.setattr("sys.argv", ["dp", "datafusion", *arguments])
        self.monkeypatch.setenv("CDAP_ENDPOINT", self.endpoint)
        status = main()
        shown = self.capsys.readouterr()
        return status, shown.out + shown.err

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        status, text = self.text(*arguments, "--json")
        document = json.loads(text)
        assert document["version"] == 1
        assert document["exit"] == status
        return status, document


@pytest.fixture
def cli(cdap: Cdap, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(capsys, monkeypatch, cdap.endpoint)


def test_push_diff_and_pull(cli: Cli, cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    folder = tmp_path / "files"
    write(folder, export_of(namespace, pipeline("p"), pipeline("q")))
    status, document = cli.json("push", "--folder", str(folder), "--dry-run", "--exit-code")
    assert status == 2
    assert [(s["action"], s["kind"], s["name"]) for s in document["steps"]] == [
        ("create", "namespace", ""),
        ("create", "pipeline", "p"),
        ("create", "pipeline", "q"),
    ]
    status, text = cli.text("push", "--folder", str(folder))
    assert status == 0
    assert f"[1/3] created namespace {namespace}" in text
    assert "3 done" in text
    assert cli.text("push", "--folder", str(folder))[1].endswith("nothing to do\n")

    write(folder, export_of(namespace, pipeline("p", "other"), pipeline("q")))
    status, text = cli.text("diff", "--folder", str(folder), "--namespace", namespace, "--exit-code")
    assert status == 2
    assert "    ~ stage 'Read', property 'name': \"orders\" → \"other\"" in text
    status, document = cli.json("pull", "--folder", str(folder), "--namespace", namespace)
    assert status == 0
    assert [Path(path).name for path in document["changed"]] == ["p.json"]
    assert cli.json("diff", "--folder", str(folder), "--namespace", namespace)[1]["differences"] == []


def test_interactive_pull_takes_what_one_says_yes_to(
    cli: Cli, cdap: Cdap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = cdap.namespace()
    folder = tmp_path / "files"
    write(folder, export_of(namespace, pipeline("p"), pipeline("q")))
    cli.text("push", "--folder", str(folder))
    write(folder, export_of(namespace, pipeline("p", "x"), pipeline("q", "x")))
    answers = iter(["n", "y"])
    monkeypatch.setattr("click.prompt", lambda *a, **k: next(answers))
    status, text = cli.text("pull", "-i", "--folder", str(folder), "--namespace", namespace)
    assert status == 0
    assert "1 changed" in text
    assert cli.text("pull", "-i", "--json")[0] == 64

    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "mine")
    for name in ("p", "q"):
        cdap.client().call("PUT", ("namespaces", namespace, "apps", name), body=pipeline(name, "theirs"))
    write(folder, export_of(namespace, pipeline("p", "x"), pipeline("q", "x"), pipeline("new")))
    asked: list[str] = []
    answers = iter(["n", "y"])

    def prompt(text: str, **options: Any) -> str:
        asked.append(text)
        return next(answers)

    monkeypatch.setattr("click.prompt", prompt)
    status, text = cli.text("pull", "-i", "--since", "main", "--folder", str(folder), "--namespace", namespace)
    assert status == 0, text
    assert len(asked) == 2, "what was made here is none of the instance's changes"
    assert "1 changed" in text
    assert '"theirs"' in (folder / namespace / "pipelines" / "q.json").read_text("utf-8")
    assert '"x"' in (folder / namespace / "pipelines" / "p.json").read_text("utf-8")
    status, text = cli.text("pull", "-i", "--since", "nothing", "--folder", str(folder))
    assert status == 64
    assert "'nothing' is no commit of the repository" in text


def test_what_goes_wrong_has_its_status(cli: Cli, cdap: Cdap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, document = cli.json("push")
    assert status == 1
    assert "there is no folder" in document["error"]
    status, document = cli.json("pull", "--namespace", "nobody")
    assert status == 64
    assert "the instance has no namespace 'nobody'" in document["error"]
    status, document = cli.json("start", "nothing", "--no-wait")
    assert status == 64
    assert "default has no pipeline 'nothing'" in document["error"]
    folder, space = tmp_path / "files", cdap.namespace("sales")
    write(folder, export_of(space, pipeline(f"copy_{space}")))
    cli.text("push", "--folder", str(folder))
    status, document = cli.json("start", f"copy_{space}", "--no-wait")
    assert status == 64
    assert document["error"].endswith(f"'copy_{space}'; {space} has one: --namespace {space}")
    status, document = cli.json("push", "--folder", str(folder / space))
    assert status == 1
    assert "is the folder of one namespace; name the one above it" in document["error"]
    status, document = cli.json("push", "--folder", str(folder / space / "namespace.json"))
    assert status == 1
    assert "is a file; name the folder that holds the folders" in document["error"]
    file = folder / space / "pipelines" / f"copy_{space}.json"
    file.write_text("\ufeff" + file.read_text("utf-8").replace("\n", "\r\n"), "utf-8")
    assert cli.json("push", "--folder", str(folder), "--dry-run")[1]["steps"] == []
    monkeypatch.setenv("CDAP_ENDPOINT", cli.endpoint)
    status, document = cli.json("pull", "--endpoint", f"{cli.endpoint}/elsewhere")
    assert status == 3
    assert "has no CDAP API (404 for /v3/" in document["error"]
    status, text = cli.text("pul")
    assert status == 64
    assert "did you mean 'pull'?" in text
    monkeypatch.setattr("dataplatform.datafusion.client.time.sleep", lambda seconds: None)
    status, document = cli.json("pull", "--endpoint", "http://127.0.0.1:9")
    assert status == 3
    assert "cannot be reached" in document["error"]
    status, document = cli.json("pull", "--instance", "x", "--endpoint", "http://127.0.0.1:9")
    assert status == 64


def test_start_waits_and_tells_the_end(cli: Cli, cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    folder = tmp_path / "files"
    write(folder, export_of(namespace, pipeline("p", "a"), pipeline("idle", "b")))
    cli.text("push", "--folder", str(folder))
    where = ("--namespace", namespace)
    status, document = cli.json("start", "p", *where, "--arg", "day=2026-01-01", "--poll", "0.1")
    assert status == 0
    assert document["status"] == "COMPLETED"
    run = document["run"]
    status, document = cli.json("status", *where)
    assert {p["pipeline"]: [r["status"] for r in p["runs"]] for p in document["pipelines"]} == {
        "idle": [],
        "p": ["COMPLETED"],
    }
    status, document = cli.json("logs", "p", *where)
    assert document["run"] == run
    assert "Pipeline 'p'" in document["log"]
    assert cli.text("logs", "idle", *where)[0] == 1
    status, text = cli.text("stop", "p", *where)
    assert status == 1
    assert f"{namespace}/p is not running" in text
    status, document = cli.json("start", "p", *where, "--no-wait")
    assert status == 0
    # A real CDAP that is told to stop a run before it has begun keeps its namespace as in use for minutes.
    for _ in range(300):
        if cli.json("status", "p", *where)[1]["pipelines"][0]["runs"][0]["status"] not in ("PENDING", "STARTING"):
            break
        time.sleep(0.1)
    status, stopped = cli.json("stop", "p", *where, "--run", document["run"])
    if cdap.server is None:  # the embedded one may have finished by now
        assert status == 0
        assert stopped["stopped"] == [document["run"]]
    assert cli.text("start", "p", *where, "--arg", "novalue")[0] == 64
