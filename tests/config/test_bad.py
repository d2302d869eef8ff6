"""Every folder of `bad/` is a mistake people make, with the diagnostics they get in `expected.txt`.

A folder with a `Pulumi.*` file is checked as a project, another one as definitions. `pytest --accept` rewrites
`expected.txt`; read the difference before committing it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataplatform.config.check import check_stacks, load_definition
from dataplatform.config.codes import CODES
from dataplatform.diagnostics import Diagnostics

BAD = Path(__file__).parent / "bad"
CASES = sorted(path.name for path in BAD.iterdir() if path.is_dir())


def diagnose(folder: Path) -> Diagnostics:
    if any(path.name.startswith("Pulumi.") for path in folder.iterdir()):
        return check_stacks(Path())
    found = Diagnostics()
    for path in sorted(Path().iterdir()):
        if path.name != "expected.txt":
            definition, diagnostics = load_definition(path)
            assert definition is None or not diagnostics
            found.extend(diagnostics.items)
    return found


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_its_diagnostics(case: str, accept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = BAD / case
    monkeypatch.chdir(folder)
    found = diagnose(folder)
    headlines = [diagnostic.headline() for diagnostic in found.sorted()]
    expected = folder / "expected.txt"
    if accept:
        expected.write_text("".join(f"{line}\n" for line in headlines), encoding="utf-8")
    assert headlines, "a bad input must not pass"
    assert headlines == expected.read_text(encoding="utf-8").splitlines(), "pytest --accept rewrites expected.txt"

    rendered = found.render()
    assert "CANARY" not in rendered, "a secret's value is shown"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", rendered), "a terminal would act on this"
    assert {diagnostic.code for diagnostic in found.items} <= set(CODES)
    for diagnostic in found.items:
        assert diagnostic.remedy.strip()
        assert diagnostic.message.strip()
        assert len(diagnostic.headline()) < 700
        if diagnostic.source:
            lines = re.split(r"\r\n|[\r\n]", (folder / diagnostic.position.file).read_text(encoding="utf-8-sig"))
            assert diagnostic.position.line <= len(lines)
            assert diagnostic.position.column <= len(lines[diagnostic.position.line - 1]) + 1


def test_there_are_many_cases_and_most_codes_are_shown() -> None:
    shown = {
        code
        for case in CASES
        for code in re.findall(
            r"\[(DP\d{3})\]$", (BAD / case / "expected.txt").read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert len(CASES) >= 100
    # Missing and enormous files are in test_hostile.py, names and files that infra judges in its tests.
    elsewhere = {"DP101", "DP104", "DP221", "DP252", "DP255"}
    assert {code for code in CODES if code < "DP400"} - shown - elsewhere == set()
