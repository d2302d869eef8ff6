"""The page on rights has the table of the sample stack, and the command prints it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dataplatform.cli import dp
from dataplatform.show.access import markdown, report
from tests.access.stack import COMPOSER, PIPELINES, project, stack_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/access.md"
BEGIN, END = "<!-- rights of dev -->\n", "<!-- end of rights -->\n"


def test_the_table_of_the_sample_stack_is_current(accept: bool) -> None:
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    now, after = rest.split(END)
    table = "\n" + markdown(report(ROOT, "dev")) + "\n"
    if accept:
        PAGE.write_text(before + BEGIN + table + END + after, "utf-8")
        now = table
    assert now == table, "the table is not current: run `pytest tests/access --accept`"


@pytest.mark.parametrize("stack", ["dev", "qa", "prod"])
def test_the_stacks_grant_what_their_pipelines_need(stack: str) -> None:
    found = CliRunner().invoke(dp, ["--root", str(ROOT), "iam", stack, "--check", "--json"], standalone_mode=False)
    document = json.loads(found.output)
    assert (found.return_value, document["exact"], document["exit"]) == (0, True, 0)
    derived = [right for right in document["rights"] if right["state"] == "derived"]
    functions = ("bq-saved-query", "dataflow-flextemplate-job", "dataform-tag", "dataproc-serverless-job")
    own = {f"function:{name}-executor" for name in functions} if stack != "dev" else set()
    assert {right["identity"] for right in derived} == {"composer", "triggers", "workflows"} | own
    assert all(right["because"] and right["sources"] for right in derived)
    assert all(right["why"] for right in document["rights"])


def test_the_command_tells_what_a_check_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataplatform.show import access

    root = project(tmp_path / "project", PIPELINES, stack_file(composer=COMPOSER))
    monkeypatch.setattr(access, "COMPONENT_OWNED", {})
    found = CliRunner().invoke(dp, ["--root", str(root), "iam", "dev", "--check"], standalone_mode=False)
    assert found.return_value == 1
    assert "+  workflows" in found.output
    assert CliRunner().invoke(dp, ["--root", str(root), "iam", "dev"], standalone_mode=False).return_value == 0
    wrong = CliRunner().invoke(dp, ["--root", str(root), "iam", "de"], standalone_mode=False)
    assert wrong.return_value == 64
    assert "no stack 'de'" in wrong.output
