"""`dp new`: what it writes is right as it stands, and the editor knows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from dataplatform.cli import dp
from dataplatform.config.check import check_stacks, load_definition
from tests.show.jsonschema_check import problems


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n")
    return tmp_path


def new(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(dp, ["--root", str(root), "new", *arguments], standalone_mode=False)


def settings(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / ".vscode/settings.json").read_text())
    return found


@pytest.mark.parametrize("engine", ["workflows", "airflow"])
@pytest.mark.parametrize("name", ["orders_daily", "x", "Load-2"])
def test_a_new_pipeline_is_right_and_names_its_schema(root: Path, name: str, engine: str) -> None:
    result = new(root, "pipeline", name, "--engine", engine)
    assert result.return_value == 0, result.output
    file = root / f"pipelines/{name}.yaml"
    definition, found = load_definition(file)
    assert definition is not None
    assert not found
    assert definition.engines == (engine,)
    first, _ = file.read_text().split("\n", 1)
    named = file.parent / first.removeprefix("# yaml-language-server: $schema=")
    schema = json.loads(named.read_text())
    assert problems(yaml.safe_load(file.read_text()), schema) == []


def test_a_new_stack_is_right_and_names_its_schema(root: Path) -> None:
    new(root, "pipeline", "orders")
    result = new(root, "stack", "dev", "--project", "acme-data-dev", "--region", "europe-west1")
    assert result.return_value == 0, result.output
    assert not check_stacks(root)
    text = (root / "Pulumi.dev.yaml").read_text()
    schema = json.loads((root / "schemas/stack.schema.json").read_text())
    assert text.startswith("# yaml-language-server: $schema=schemas/stack.schema.json\n")
    assert problems(yaml.safe_load(text), schema) == []


def test_the_editor_s_settings_keep_what_is_there(root: Path) -> None:
    (root / ".vscode").mkdir()
    theirs = {"editor.tabSize": 2, "yaml.schemas": {"./their.json": "x.yaml"}, "json.schemas": [{"url": "a"}]}
    (root / ".vscode/settings.json").write_text(json.dumps(theirs))
    assert new(root, "editor").return_value == 0
    found = settings(root)
    assert found["editor.tabSize"] == 2
    assert found["yaml.schemas"]["./their.json"] == "x.yaml"
    assert found["yaml.schemas"]["./schemas/stack.schema.json"] == ["/Pulumi.*.yaml"]
    assert {"url": "a"} in found["json.schemas"]
    assert len(found["json.schemas"]) == 2
    again = new(root, "editor")
    assert "nothing to write" in again.output
    assert settings(root) == found


def test_settings_with_comments_are_left_alone_and_it_is_said(root: Path) -> None:
    (root / ".vscode").mkdir()
    text = '{\n  // mine\n  "editor.tabSize": 2\n}\n'
    (root / ".vscode/settings.json").write_text(text)
    result = new(root, "editor")
    assert result.return_value == 0
    assert "add to .vscode/settings.json" in result.output
    assert (root / ".vscode/settings.json").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("pipeline", "../escape"), 64, "cannot be the name of a pipeline"),
        (("pipeline", "größe"), 64, "cannot be the name of a pipeline"),
        (("pipeline", "a/b"), 64, "cannot be the name of a pipeline"),
        (("stack", "Dev", "--project", "acme-data-dev", "--region", "europe-west1"), 64, "'Dev' cannot be"),
        (("stack", "dev", "--project", "x", "--region", "europe-west1"), 64, "'x' cannot be"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    root: Path, arguments: tuple[str, ...], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = new(root, *arguments)
    assert result.return_value == status
    assert said in result.stderr
    assert sorted(path.name for path in root.iterdir()) == ["Pulumi.yaml"]
    assert not (root.parent / "escape.yaml").exists()


def test_nothing_is_written_over(root: Path) -> None:
    new(root, "pipeline", "orders")
    (root / "pipelines/orders.yaml").rename(root / "pipelines/orders.json")
    assert new(root, "pipeline", "orders").return_value == 1
    assert [path.name for path in (root / "pipelines").iterdir()] == ["orders.json"]
