"""One golden a stack: everything it registers. `pytest --accept` rewrites them; read the difference in the commit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dataplatform.local.plan_recorder import RecordedResource
from tests.infra.inventory import STACKS, recorded

GOLDEN = Path(__file__).with_name("golden")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_ARCHIVE = re.compile(r"\bexecutors-[0-9a-f]{16}\.zip\b")


def shown(resource: RecordedResource) -> dict[str, Any]:
    """A resource as the golden has it: compiled texts and digests have goldens of their own."""
    text = _ARCHIVE.sub("executors-[sha256].zip", json.dumps(dict(resource.inputs)))
    inputs: dict[str, Any] = json.loads(_DIGEST.sub("[sha256]", text))
    if "sourceContents" in inputs:
        inputs["sourceContents"] = "[text]"
    if isinstance(archive := inputs.get("source"), dict) and "assets" in archive:
        inputs["source"] = sorted(archive["assets"])
    inputs |= dict.fromkeys(resource.secrets, "[secret]")
    entry: Mapping[str, Any] = {
        "type": resource.type,
        "name": resource.name,
        "parent": resource.parent.rpartition("::")[2],
        "protect": resource.protect,
        "aliases": list(resource.aliases),
        "dependencies": [urn.rpartition("::")[2] for urn in resource.dependencies],
        "inputs": dict(sorted(inputs.items())),
    }
    return {key: value for key, value in entry.items() if value or key in ("type", "name", "parent")}


@pytest.mark.parametrize("stack", STACKS)
def test_inventory(stack: str, accept: bool) -> None:
    resources = sorted(recorded(stack), key=lambda r: (r.type, r.name))
    text = json.dumps([shown(r) for r in resources], indent=1, ensure_ascii=False) + "\n"
    golden = GOLDEN / f"{stack}.json"
    if accept:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert golden.exists(), f"no inventory of {stack}: run `pytest tests/infra --accept` and read it"
    assert text == golden.read_text(encoding="utf-8"), (
        "the stack differs: read it, then run `pytest tests/infra --accept`"
    )
