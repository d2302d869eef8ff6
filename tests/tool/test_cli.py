"""The contract of `dp`: exit statuses, one document for a machine, nothing written on an error, no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataplatform import cli
from dataplatform.local.engine_env import engine_env

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = ROOT / "pipelines" / "demo_pipeline_cloud_workflows.json"

Dp = Callable[..., tuple[int, str, str]]


@pytest.fixture
def dp(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Dp:
    """Run `dp` in this process: (status, standard output, standard error)."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dp", *map(str, arguments)])
        status = cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's data."""
    root = tmp_path / "project"
    root.mkdir()
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(file, root)
    shutil.copytree(ROOT / "pipelines", root / "pipelines")
    return root


def spoil(project: Path) -> None:
    """Two mistakes in two files."""
    stack = project / "Pulumi.dev.yaml"
    stack.write_text(stack.read_text().replace("region: europe-west1", "regoin: europe-west1"))
    definition = project / "pipelines" / DEFINITION.name
    definition.write_text(definition.read_text().replace('"JOB_NAME"', '"JOB_NAEM"', 1))


def test_check_of_a_good_project_is_quiet_about_errors(dp: Dp, project: Path) -> None:
    status, out, err = dp("--root", project, "check")
    assert (status, out, err) == (0, "ok: base, dev, prod, qa\n", "")


def test_check_reports_all_mistakes_on_stderr_and_exits_1(dp: Dp, project: Path) -> None:
    spoil(project)
    status, out, err = dp("--root", project, "check", "dev")
    assert status == 1
    assert out == ""
    assert "regoin" in err
    headlines = [line for line in err.splitlines() if ": error: " in line]
    assert headlines
    for line in headlines:
        place, _, rest = line.partition(": error: ")
        assert place.rsplit(":", 2)[1].isdigit()
        assert rest.endswith("]")
        assert ";" in rest


def test_check_as_json_is_one_document_also_on_failure(dp: Dp, project: Path) -> None:
    spoil(project)
    status, out, err = dp("--root", project, "check", "dev", "--json")
    document = json.loads(out)
    assert status == document["exit"] == 1
    assert err == ""
    assert (document["version"], document["command"], document["ok"]) == (1, "check", False)
    for diagnostic in document["diagnostics"]:
        assert {"code", "file", "line", "column", "message", "remedy"} <= diagnostic.keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chekc"], "did you mean 'check'?"),
        (["check", "dve"], "did you mean 'dev'?"),
        (["check", "--jsno"], "No such option"),
        (["plan"], "Missing argument"),
        (["plan", "pord"], "did you mean 'prod'?"),
        (["run", "demo_pipeline_compsoer", "--local"], "did you mean 'demo_pipeline_composer'?"),
        (["run", "nothing.json", "--local"], "no file nothing.json"),
        (["run", "demo_pipeline_composer"], "--local"),
        (["up", "dev"], "--local"),
        (["compile", "x.json"], "--out"),
        (["run", "demo_pipeline_composer", "--local", "--engine", "airfolw"], "airflow"),
    ],
)
def test_usage_errors_exit_64_and_name_what_was_meant(dp: Dp, project: Path, arguments: list[str], said: str) -> None:
    status, out, err = dp("--root", project, *arguments)
    assert (status, out) == (64, "")
    assert said in err


@pytest.mark.parametrize("arguments", [["check", "dve", "--json"], ["up", "dev", "--json"], ["plan", "--json"]])
def test_usage_errors_as_json_are_documents_too(dp: Dp, project: Path, arguments: list[str]) -> None:
    status, out, _ = dp("--root", project, *arguments)
    document = json.loads(out)
    assert status == document["exit"] == 64
    assert document["command"] == arguments[0]
    assert document["error"]


def test_no_project_is_one_sentence(dp: Dp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = dp("check")
    assert status == 64
    assert err.startswith("error: no Pulumi.yaml here or above")


def test_compile_writes_each_text_where_the_issue_says(dp: Dp, project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files = sorted((project / "pipelines").glob("*.json"))
    status, _, err = dp("--root", project, "compile", *files, "--out", out)
    assert (status, err) == (0, "")
    assert sorted(str(f.relative_to(out)) for f in out.rglob("*") if f.is_file()) == [
        "dags/demo_pipeline_composer.py",
        "workflows/demo_pipeline_cloud_workflows.yaml",
    ]


@pytest.mark.parametrize("engine", ["airflow", "workflows"])
def test_compile_for_a_named_engine_takes_any_definition(dp: Dp, project: Path, tmp_path: Path, engine: str) -> None:
    files = sorted((project / "pipelines").glob("*.json"))
    status, out, _ = dp("--root", project, "compile", *files, "--out", tmp_path / "o", "--engine", engine, "--json")
    assert status == 0
    assert len(json.loads(out)["files"]) == len(files)
    assert {Path(f).suffix for f in json.loads(out)["files"]} == {".py" if engine == "airflow" else ".yaml"}


def test_compile_writes_nothing_when_any_file_is_wrong(dp: Dp, project: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"engine": "composer", "definition": [')
    out = tmp_path / "out"
    status, _, err = dp("--root", project, "compile", DEFINITION, bad, tmp_path / "none.json", "--out", out)
    assert status == 1
    assert "bad.json:" in err
    assert "none.json" in err
    assert not out.exists()


def test_compile_refuses_two_files_of_one_name(dp: Dp, project: Path, tmp_path: Path) -> None:
    twin = tmp_path / DEFINITION.name
    shutil.copy(DEFINITION, twin)
    status, _, err = dp("--root", project, "compile", DEFINITION, twin, "--out", tmp_path / "out")
    assert status == 1
    assert "has the same name" in err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(dp: Dp, project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, _, err = dp("--root", project, "compile", DEFINITION, "--out", tmp_path / "file")
    assert status == 64
    assert "cannot write" in err


def test_plan_as_json_has_the_issues_form() -> None:
    # A process of its own: the provider SDKs warn when they are imported, and here warnings are errors.
    command = [sys.executable, "-m", "dataplatform.cli", "--root", str(ROOT), "plan", "dev", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["stack"] == "dev"
    assert len(document["resources"]) > 20
    for resource in document["resources"]:
        assert set(resource) == {"urn", "type", "name", "parent", "protect", "dependencies", "inputs", "secrets"}


def test_a_fault_of_ours_is_a_sentence_that_names_its_file(
    dp: Dp, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("something with a secret in it")

    monkeypatch.setattr("dataplatform.config.check.check_stacks", fail)
    status, _, err = dp("--root", project, "check")
    assert status == 70
    assert "a fault in dp itself (RuntimeError)" in err
    assert "something with a secret in it" not in err
    kept = list((project / ".dp" / "log").glob("*-fault.txt"))
    assert len(kept) == 1
    assert "something with a secret in it" in kept[0].read_text()


def test_ctrl_c_is_130_and_says_how_to_go_on(dp: Dp, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("infra.decide.load_stack", stop)
    status, _, err = dp("--root", project, "up", "dev", "--local")
    assert status == 130
    assert "dp up dev --local" in err


def test_up_changes_nothing_where_the_check_fails(dp: Dp, project: Path) -> None:
    spoil(project)
    status, _, err = dp("--root", project, "up", "dev", "--local")
    assert status == 1
    assert "regoin" in err
    assert not (project / ".dp" / "state").exists()


def test_an_engine_that_is_not_there_is_one_sentence(dp: Dp, project: Path) -> None:
    status, _, err = dp("--root", project, "preview", "dev", "--local")
    assert status == 3
    assert err == "error: the Pulumi engine has not been obtained for this checkout; run: make setup\n"


def test_env_is_what_a_shell_can_evaluate(dp: Dp, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    awkward = project.rename(project.with_name("a 'quoted' project"))
    status, out, _ = dp("--root", awkward, "env")
    assert status == 0
    echo = 'printf "%s\\n" "$PULUMI_BACKEND_URL" "$PULUMI_CONFIG_PASSPHRASE" "$PATH"'
    done = subprocess.run(["/bin/sh", "-c", f"{out}\n{echo}"], capture_output=True, text=True, check=True)
    backend, passphrase, path = done.stdout.splitlines()
    assert backend == (awkward / ".dp" / "state").as_uri()
    assert passphrase == "embedded-cloud"
    assert path.split(os.pathsep)[:2] == [str(awkward / "localcloud/plugins/bin"), str(awkward / ".dp/engine")]


def test_a_passphrase_of_the_users_own_is_left_alone() -> None:
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        assert "PULUMI_CONFIG_PASSPHRASE" not in engine_env(ROOT, local=True, base={name: "mine", "PATH": "/bin"})
    assert set(engine_env(ROOT, local=False, base={"PATH": "/bin"})) == {"PATH"}


def test_check_of_one_definition_is_quick(project: Path) -> None:
    """At most half a second beyond Python's own start (the best of three, against noise)."""
    (project / "pipelines" / "demo_pipeline_composer.json").unlink()

    def best(command: list[str]) -> float:
        times = []
        for _ in range(4):
            started = time.perf_counter()
            subprocess.run(command, cwd=project, check=True, capture_output=True)
            times.append(time.perf_counter() - started)
        return min(times[1:])

    python = best([sys.executable, "-c", "pass"])
    check = best([sys.executable, "-m", "dataplatform.cli", "check", "dev"])
    assert check - python <= 0.5


def test_a_stacks_own_executors_are_known_to_compile(dp: Dp, project: Path, tmp_path: Path) -> None:
    definition = tmp_path / "own.json"
    definition.write_text(DEFINITION.read_text().replace("dataform-tag-executor", "acme-own-executor"))
    status, _, err = dp("--root", project, "compile", definition, "--out", tmp_path / "out")
    assert status == 1
    assert "acme-own-executor" in err
    stack = project / "Pulumi.dev.yaml"
    stack.write_text(
        stack.read_text().replace(
            "      composer:\n", "      executors: {functions: [acme-own-executor]}\n      composer:\n"
        )
    )
    status, _, err = dp("--root", project, "compile", definition, "--out", tmp_path / "out")
    assert (status, err) == (0, "")
    assert "acme-own-executor" in (tmp_path / "out" / "workflows" / "own.yaml").read_text()


def test_a_compiled_file_of_the_project_is_what_is_deployed(dp: Dp, project: Path, tmp_path: Path) -> None:
    from infra.decide import decide

    deployed = {dag.name: dag.text for dag in decide(project, "dev").pipelines.dags}
    status, _, _ = dp(
        "--root", project, "compile", project / "pipelines" / DEFINITION.name, "--out", tmp_path, "--engine", "airflow"
    )
    assert status == 0
    assert (tmp_path / "dags" / f"{DEFINITION.stem}.py").read_text() == deployed[DEFINITION.stem]
