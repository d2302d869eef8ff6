"""Whatever stands in a factory's files, the lint answers with diagnostics and never with a traceback."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile.data_factory import compile_factory
from dataplatform.config.azure.data_factory import DataFactory
from dataplatform.config.data_factory.check import check_factory
from tests.azure.data_factory.support import CORPUS, config_of

pytestmark = pytest.mark.slow

RICH = CORPUS.parent / "rich"
ODD: list[Any] = [
    None, True, 0, -1, 1.5, "", " ", "@", "@{", "@@", "@{}", "@concat(", "@pipeline().parameters", "@activity(item())",
    "<x>", "{{", "\x1b[31m", "ü" * 300, "$x", [], [[]], {}, {"": ""}, {"referenceName": None},
    {"referenceName": [], "type": {}}, {"type": "Expression", "value": {}}, {"type": "SecureString", "value": 1},
    {"activity": {}}, ["x", None, {"name": 1}], {"type": []},
]  # fmt: skip
CONFIG = """data_factory:
  directory: f
  patches:
    - {pipeline: P_Load, activity: Clean b, property: "typeProperties.libraries[whl].whl", value: x}
    - {pipeline: P_Load, activity: Poll, property: a.b.c, value: x, add: true}
    - {linked_service: Ls_Dbx, property: typeProperties.encryptedCredential, remove: true}
    - {trigger: T_Daily, property: "pipelines[pipelineReference.referenceName=P_All]", remove: true}
  databricks: {Ls_Dbx: {existing_cluster_id: c1, domain: "https://d", workspace_resource_id: w1}}
  triggers: {T_Daily: started, T_Window: started}
  global_parameters: {environment: qa}
"""


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in pairs:
        yield from places(part, (*at, key))


def changed(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    result = copy.deepcopy(value)
    holder = result
    for part in at[:-1]:
        holder = holder[part]
    if new is ...:
        del holder[at[-1]]
    else:
        holder[at[-1]] = new
    return result


@pytest.mark.parametrize("seed", range(8))
def test_no_value_anywhere_makes_a_traceback(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    config: DataFactory = config_of(CONFIG)
    files = {path.relative_to(RICH): json.loads(path.read_text("utf-8")) for path in RICH.rglob("*.json")}
    folder = tmp_path / "f"
    for name, source in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(source), "utf-8")
    for _ in range(60):
        name = chance.choice(sorted(files))
        at = chance.choice(list(places(files[name])))
        (folder / name).write_text(json.dumps(changed(files[name], at, chance.choice([*ODD, ...]))), "utf-8")
        checked = check_factory(tmp_path, config)
        rendered = "\n".join(d.headline() for d in checked.found.everything())
        assert "\x1b" not in rendered
        assert all(d.remedy.strip() and d.message.strip() for d in checked.found.everything())
        if not checked.errors:
            plan = compile_factory(checked, config)
            assert json.dumps([found.body for found in plan.objects])
        (folder / name).write_text(json.dumps(files[name]), "utf-8")
