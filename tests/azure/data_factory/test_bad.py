"""Every folder of `bad/` is a mistake people make, with what they are told in `expected.txt`.

`factory/` is an exported factory, `stack.yaml` what a stack says of it, `clusters/` are Databricks cluster files.
`pytest --accept` rewrites `expected.txt`; read the difference before committing it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataplatform.config.codes import CODES
from dataplatform.config.data_factory.caution import WARNINGS
from dataplatform.diagnostics import Diagnostics
from tests.azure.data_factory.support import check_folder

BAD = Path(__file__).parent / "bad"
CASES = sorted(path.name for path in BAD.iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_its_diagnostics(case: str, accept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = BAD / case
    monkeypatch.chdir(folder)
    _, errors, warnings = check_folder(Path())
    found = Diagnostics([*errors.items, *warnings.items])
    headlines = [diagnostic.headline() for diagnostic in found.sorted()]
    expected = folder / "expected.txt"
    if accept:
        expected.write_text("".join(f"{line}\n" for line in headlines), encoding="utf-8")
    assert headlines, "a bad input must not pass"
    assert headlines == expected.read_text(encoding="utf-8").splitlines(), "pytest --accept rewrites expected.txt"

    rendered = found.render()
    assert "CANARY" not in rendered, "a secret's value is shown"
    for diagnostic in found.items:
        assert diagnostic.code in CODES
        assert diagnostic.remedy.strip()
        assert len(diagnostic.headline()) < 700
        assert (diagnostic.severity == "warning") == (diagnostic.code in WARNINGS)
        assert diagnostic.as_dict()["severity"] == ("warning" if diagnostic.code in WARNINGS else "error")
        if diagnostic.source:
            lines = (folder / diagnostic.position.file).read_text("utf-8").split("\n")
            assert diagnostic.position.line <= len(lines)
    assert all(diagnostic.severity == "warning" for diagnostic in warnings.items)
    assert all(diagnostic.severity == "error" for diagnostic in errors.items)


def test_every_code_is_shown() -> None:
    shown = {
        code
        for case in CASES
        for code in re.findall(r"\[(DP\d{3})\]$", (BAD / case / "expected.txt").read_text("utf-8"), re.MULTILINE)
    }
    assert {code for code in CODES if code.startswith("DP5")} - shown == set()
