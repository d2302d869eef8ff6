"""The documentation is true: commands are run, YAML is checked, made pages are current, links lead somewhere.

In README.md and docs/, a fenced block marked `console` is run line by line in a copy of the project (`$ ` starts a
command; what follows must be found in its output, in that order; `…` stands for anything; `[exit N]` for an exit status
other than 0). A block marked `yaml stack` must be a valid stack file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataplatform.config.check import load_stack_config
from tools import reference

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block and where it stands."""

    page: Path
    line: int
    info: str
    body: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(info: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(page, line, match["info"].strip(), match["body"]))
    return [block for block in found if block.info == info]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a user has: stack files and definitions."""
    folder = tmp_path_factory.mktemp("project")
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(file, folder)
    shutil.copytree(ROOT / "pipelines", folder / "pipelines")
    return folder


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_commands_do_what_the_page_says(block: Block, project: Path) -> None:
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    for part in re.split(r"^\$ ", block.body, flags=re.MULTILINE)[1:]:
        command, *expected = part.rstrip("\n").split("\n")
        wanted = 0
        if expected and (match := re.fullmatch(r"\[exit (\d+)\]", expected[-1])):
            wanted = int(match[1])
            expected.pop()
        done = subprocess.run(
            ["bash", "-c", command], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        printed = done.stdout + done.stderr
        assert done.returncode == wanted, f"{block}: {command} ended with {done.returncode}:\n{printed}"
        pattern = ".*".join(
            r"(?:^|\n)" + "[^\n]*".join(re.escape(piece) for piece in line.split("…"))
            for line in expected
            if line.strip() != "…"
        )
        assert re.search(pattern, printed, re.DOTALL), f"{block}: {command} printed:\n{printed}"


@pytest.mark.parametrize("block", blocks("yaml stack"), ids=str)
def test_stacks_on_a_page_are_valid(block: Block, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n", "utf-8")
    (tmp_path / "Pulumi.page.yaml").write_text(block.body, "utf-8")
    assert load_stack_config(tmp_path, "page").platform.environment


@pytest.mark.parametrize("name", reference.PAGES)
def test_made_pages_are_current(name: str, accept: bool) -> None:
    page = ROOT / "docs" / name
    if accept:
        page.write_text(reference.PAGES[name](), "utf-8")
    assert page.read_text("utf-8") == reference.PAGES[name](), "run: python -m tools.reference"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for match in _LINK.finditer(_FENCE.sub("", page.read_text("utf-8"))):
        target = match["target"].partition("#")[0]
        if target and not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
