"""`dp compile` of a pipeline that becomes several workflows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataplatform.diagnostics import InputError
from dataplatform.local.compile_files import compile_files

ROOT = Path(__file__).parents[2]


def definition(folder: Path, name: str, levels: int) -> Path:
    """Threads of five steps with AEF's default waits, five in a level."""

    def step(level: int, thread: int, number: int) -> dict[str, str]:
        name = f"load_{level}_{thread}_{number}"
        return {"JOB_ID": name, "JOB_NAME": name, "FUNCTION_ID_NAME": "dataform-tag-executor"}

    document = {
        "engine": "cloud_workflows",
        "definition": [
            {
                "LEVEL_ID": str(level),
                "THREADS": [
                    {"THREAD_ID": str(thread), "STEPS": [step(level, thread, number) for number in range(5)]}
                    for thread in range(1, 6)
                ],
            }
            for level in range(1, levels + 1)
        ],
    }
    file = folder / f"{name}.json"
    file.write_text(json.dumps(document))
    return file


def test_the_parts_lie_beside_the_workflow_that_runs_them(tmp_path: Path) -> None:
    written = compile_files(ROOT, [definition(tmp_path, "large", 8)], tmp_path / "out", None, "dev")
    assert [file.name for file in written] == ["large.yaml", "large-part-1.yaml", "large-part-2.yaml"]
    assert all(file.read_text().isascii() for file in written)


@pytest.mark.parametrize("first", [True, False])
def test_a_pipeline_called_like_a_part_of_another_is_refused(first: bool, tmp_path: Path) -> None:
    files = [definition(tmp_path, "large", 8), definition(tmp_path, "large-part-1", 1)]
    with pytest.raises(InputError, match=r"a part of .* becomes large-part-1\.yaml.*DP451"):
        compile_files(ROOT, files if first else files[::-1], tmp_path / "out", None, "dev")
    assert not (tmp_path / "out").exists()
