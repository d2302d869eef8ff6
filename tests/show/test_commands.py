"""The commands: what they print, write and refuse, and their exit statuses."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dataplatform.diagnostics import InputError
from dataplatform.local.errors import Exit, RefusedError, UsageError
from dataplatform.show import commands
from dataplatform.show.cli import COMMANDS
from tests.show import plans
from tests.show.plans import aef, aef_step, dumped

ROOT = Path(__file__).parent.parent.parent
DEMO = "demo_pipeline_cloud_workflows"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a stack whose own executor is registered, and the demo pipelines."""
    (tmp_path / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n  data-platform:platform:\n    environment: dev\n    protect: false\n    gcp:\n"
        "      project: acme-data-dev\n      region: europe-west1\n      workflows: {}\n      composer: {}\n"
        "      executors: {functions: [our-executor]}\n    pipelines: {directory: pipelines}\n"
    )
    (tmp_path / "pipelines").mkdir()
    for path in plans.AEF:
        shutil.copy(path, tmp_path / "pipelines")
    return tmp_path


def run(root: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command of a `dp` that has only these."""

    @click.group()
    @click.pass_context
    def dp(ctx: click.Context) -> None:
        ctx.obj = root

    for command in COMMANDS:
        dp.add_command(command)
    result = CliRunner().invoke(dp, list(arguments), standalone_mode=False)
    assert result.exception is None or isinstance(result.exception, click.ClickException), result.exception
    status = Exit.USAGE if result.exception else int(result.return_value or 0)
    return status, result.stdout, result.stderr


def document(root: Path, *arguments: str) -> dict[str, Any]:
    status, out, _ = run(root, *arguments, "--json")
    found: dict[str, Any] = json.loads(out)
    assert found["exit"] == status
    assert found["version"] == 1
    return found


def test_graph_prints_or_writes(root: Path) -> None:
    status, out, _ = run(root, "graph", DEMO)
    assert status == Exit.OK
    assert ET.fromstring(out).tag.endswith("svg")
    assert run(root, "graph", DEMO, "--format", "mermaid")[1].startswith("flowchart LR\n")
    target = root / "out" / "demo.mmd"
    assert run(root, "graph", DEMO, "--out", str(target)) == (0, f"{target}\n", "")
    assert target.read_text().startswith("flowchart LR\n")
    assert document(root, "graph", DEMO)["graph"] == out


def test_graph_of_a_file_and_of_a_name_are_one(root: Path) -> None:
    file = root / "pipelines" / f"{DEMO}.json"
    assert commands.graph(root, "dev", str(file)) == commands.graph(root, "dev", DEMO)


def test_graph_refuses_what_cannot_be_meant(root: Path) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"out": root / "x.png"},
        {"out": root / "x.svg", "fmt": "mermaid"},
        {"out": root / "Pulumi.yaml" / "x.svg"},
    )
    for arguments in wrong:
        with pytest.raises(UsageError):
            commands.graph(root, "dev", DEMO, **arguments)


def test_explain(root: Path) -> None:
    status, out, _ = run(root, "explain", DEMO)
    assert status == Exit.OK
    assert "Level 2 starts when every thread of level 1 has ended" in out
    found = document(root, "explain", DEMO)
    assert found["text"].rstrip("\n") == out.rstrip("\n") == commands.explain(root, "dev", DEMO).rstrip("\n")
    assert found["plan"]["steps"] == 3


@pytest.mark.parametrize("command", ["graph", "explain"])
def test_unknown_names_are_usage_with_the_nearest(root: Path, command: str) -> None:
    status, out, err = run(root, command, "demo_pipeline_cloud_workflow")
    assert (status, out) == (Exit.USAGE, "")
    assert f"did you mean '{DEMO}'?" in err
    assert "no stack 'dve'; did you mean 'dev'?" in run(root, command, DEMO, "--stack", "dve")[2]
    assert run(root, command, "nowhere.json")[0] == Exit.USAGE
    assert document(root, command, "nowhere.json")["error"] == "no file nowhere.json"


def test_a_wrong_definition_is_input_with_its_place(root: Path) -> None:
    file = root / "bad.json"
    file.write_text(dumped(aef([[aef_step("a", NEXT="b")]])))
    status, _, err = run(root, "explain", str(file))
    assert status == Exit.INPUT
    assert "bad.json:15:" in err
    assert "DP322" in err
    assert document(root, "diff", str(file), DEMO)["diagnostics"][0]["code"] == "DP322"


def test_the_stacks_own_executors_are_known(root: Path) -> None:
    file = root / "own.json"
    file.write_text(dumped(aef([[aef_step("a", FUNCTION_ID_NAME="our-executor")]])))
    assert run(root, "explain", str(file))[0] == Exit.OK
    assert run(root, "import", str(file))[0] == Exit.INPUT
    assert run(root, "import", str(file), "--stack", "dev")[0] == Exit.OK


def test_diff(root: Path) -> None:
    old, new = root / "old.json", root / "new.yaml"
    old.write_text(dumped(aef([[aef_step("a", TIMEOUT_SECONDS="600")]])))
    new.write_text(commands.import_(old).text)
    assert run(root, "diff", str(old), str(new), "--exit-code") == (Exit.OK, "no change in meaning\n", "")
    new.write_text(new.read_text().replace("600", "660"))
    status, out, _ = run(root, "diff", str(old), str(new))
    assert (status, out) == (Exit.OK, "~ step a: timeout 10 min → 11 min\n1 change\n")
    assert run(root, "diff", str(old), str(new), "--exit-code")[0] == Exit.CHANGES
    found = document(root, "diff", str(old), str(new), "--exit-code")
    assert (found["ok"], found["changes"][0]["field"]) == (True, "timeout")


def test_import_there_and_back(root: Path) -> None:
    source = root / "pipelines" / f"{DEMO}.json"
    folder = root / "new"
    folder.mkdir()
    assert run(root, "import", str(source), "--out", str(folder))[0] == Exit.OK
    yaml = folder / f"{DEMO}.yaml"
    status, out, _ = run(root, "import", str(yaml))
    assert status == Exit.OK
    assert json.loads(out) == json.loads(source.read_text())
    assert document(root, "import", str(yaml))["definition"].rstrip("\n") == out.rstrip("\n")


def test_import_says_that_one_of_two_must_go(root: Path) -> None:
    source = root / "pipelines" / f"{DEMO}.json"
    _, out, _ = run(root, "import", str(source), "--out", str(source.parent))
    assert f"now delete {source}" in out


def test_import_does_not_write_over_or_under_a_wrong_name(root: Path) -> None:
    source = root / "pipelines" / f"{DEMO}.json"
    target = root / "there.yaml"
    target.write_text("mine\n")
    with pytest.raises(RefusedError, match="--force"):
        commands.import_(source, target)
    assert target.read_text() == "mine\n"
    commands.import_(source, target, force=True)
    assert target.read_text().startswith("# Converted from")
    for name in ("x.json", "1x.yaml", "x.txt"):
        with pytest.raises(UsageError):
            commands.import_(source, root / name)


def test_import_refuses_what_the_program_does_not_run(root: Path) -> None:
    file = root / "later.json"
    file.write_text(dumped(aef([[aef_step("a", TYPE="workflows")]])))
    with pytest.raises(InputError):
        commands.import_(file)
    with pytest.raises(UsageError):
        commands.import_(root / "nowhere.json")


def test_schema(root: Path) -> None:
    for kind in ("stack", "definition"):
        status, out, _ = run(root, "schema", kind)
        assert status == Exit.OK
        assert json.loads(out)["$schema"].endswith("2020-12/schema")
        assert document(root, "schema", kind)["schema"] == json.loads(out)
    target = root / "schema.json"
    assert run(root, "schema", "stack", "--out", str(target))[0] == Exit.OK
    assert json.loads(target.read_text())["title"]
    status, _, err = run(root, "schema", "stak")
    assert (status, err) == (Exit.USAGE, "error: no schema of 'stak'; did you mean 'stack'?\n")


def test_commands_carry_help_and_json() -> None:
    assert [command.name for command in COMMANDS] == [
        "graph",
        "explain",
        "diff",
        "import",
        "schema",
        "iam",
        "new",
        "wheel",
    ]
    leaves: list[click.Command] = []
    for command in COMMANDS:
        leaves += command.commands.values() if isinstance(command, click.Group) else [command]
    for command in [*COMMANDS, *leaves]:
        assert command.help
    for command in leaves:
        assert "as_json" in {option.name for option in command.params}
