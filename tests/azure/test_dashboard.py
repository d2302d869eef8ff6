"""The workbook: a section for each part that the stack has, over the tables that the part's logs go to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.azure.dashboard import SECTIONS, content
from dataplatform.local.plan_recorder import RecordedResource, record
from tests.azure.stacks import AZURE, DATABRICKS, write_files, write_stack
from tests.infra.inventory import of_type

WORKBOOK = "azure-native:applicationinsights:Workbook"
WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/logs"
NO_LAKE = AZURE.partition("      lake:\n")[0]


def workbooks(root: Path, azure: str) -> list[RecordedResource]:
    return of_type(record(write_stack(write_files(root), azure=azure), "dev"), WORKBOOK)


def test_a_stack_has_one_which_stays_the_same(tmp_path: Path) -> None:
    (found,) = workbooks(tmp_path / "one", DATABRICKS)
    (again,) = workbooks(tmp_path / "two", DATABRICKS)
    assert found.inputs == again.inputs
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(found.inputs["resourceName"]))
    assert found.inputs["displayName"] == "acmedata-dev"
    logs = "/resourceGroups/acmedata-dev/providers/Microsoft.OperationalInsights/workspaces/acmedata-dev-logs"
    assert logs in str(found.inputs["serializedData"])
    tags: Any = found.inputs["tags"]
    assert tags["managed-by"] == "pulumi"


@pytest.mark.parametrize(
    "azure", [NO_LAKE, AZURE.replace("alert_emails: {", "dashboard: false\n        alert_emails: {")]
)
def test_there_is_none_without_anything_to_show_or_where_none_is_wanted(tmp_path: Path, azure: str) -> None:
    assert workbooks(tmp_path, azure) == []


def test_every_part_has_its_tiles_over_the_workspace() -> None:
    held = json.loads(content(list(SECTIONS), WORKSPACE))
    shown = [item for item in held["items"] if item["type"] == 3]
    names = [item["name"] for item in held["items"]]
    assert len(names) == len(set(names))
    assert {item["name"] for item in shown} == {tile.name for _, tiles in SECTIONS.values() for tile in tiles}
    for item in shown:
        assert item["content"]["crossComponentResources"] == [WORKSPACE]
        assert item["content"]["timeContextFromParameter"] == "window"
    failed = next(item for item in shown if item["name"] == "factory-failed")
    assert "Status == 'Failed'" in failed["content"]["query"]


def test_a_part_that_is_not_there_is_not_shown() -> None:
    held = json.loads(content(["lake"], WORKSPACE))
    assert [item["name"] for item in held["items"]] == ["window", "lake", "lake-traffic", "lake-refused"]
