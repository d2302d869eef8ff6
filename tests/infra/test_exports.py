"""What Data Fusion holds lies beside the definitions: it is none of them, and it is checked with the stack."""

from __future__ import annotations

import json
from pathlib import Path

from infra.decide import check_stacks
from tests.infra.inventory import checkout

PIPELINE = {
    "name": "orders",
    "artifact": {"name": "cdap-data-pipeline", "version": "6.11.0", "scope": "SYSTEM"},
    "config": {"stages": [], "connections": []},
}


def put(root: Path, text: str) -> Path:
    file = root / "pipelines/data_fusion/default/pipelines/orders.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return root


def test_an_export_is_no_definition(tmp_path: Path) -> None:
    root = put(checkout(tmp_path / "project"), json.dumps(PIPELINE))
    assert not check_stacks(root, ["dev"])


def test_a_mistake_in_an_export_is_told_with_its_file(tmp_path: Path) -> None:
    root = put(checkout(tmp_path / "project"), '{"name": "orders",')
    found = check_stacks(root, ["dev"]).items
    assert found
    assert all(item.position.file.endswith("orders.json") for item in found)
    assert all(item.code.startswith("DP") for item in found)
