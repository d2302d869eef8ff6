"""Reading a stack's `data_factory` for tests, with places as a stack file would give them."""

from __future__ import annotations

from pathlib import Path

from dataplatform.config.azure.data_factory import DataFactory
from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.check import CheckedFactory, check_factory
from dataplatform.config.data_factory.clusters import read_cluster
from dataplatform.config.document import Path as NodePath
from dataplatform.config.loader import load_document, validate
from dataplatform.diagnostics import Diagnostics, Position

HERE = Path(__file__).parent
CORPUS = HERE / "corpus" / "datadevops"
REFERENCES = {
    "$databricks:id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w",
    "$databricks:url": "https://adb-1.2.azuredatabricks.net",
    "$databricks:cluster": "0101-abc",
    "$lake:url": "https://lake.dfs.core.windows.net/",
    "$key_vault:url": "https://vault.vault.azure.net/",
}

SECRETS = ("sqlPassword", "storageKey")
"""Of the stack's vault."""


def config_of(text: str) -> DataFactory:
    """The model of a `data_factory:` in YAML; there must be no mistake in it."""
    node, told = load_document(Path("stack.yaml"), text)
    assert node is not None
    config, more = validate(DataFactory, node, at=("data_factory",))
    assert config is not None, more.render()
    assert not told, told.render()
    return config


def check_folder(folder: Path) -> tuple[CheckedFactory | None, Diagnostics, Diagnostics]:
    """Judge `factory/` with `stack.yaml`, and `clusters/`; what was found, mistakes and warnings."""
    found = Found()
    for path in sorted((folder / "clusters").glob("*.json")):
        read_cluster(path, found)
    stack = folder / "stack.yaml"
    text = stack.read_text("utf-8") if stack.exists() else "data_factory:\n  directory: factory\n"
    node, _ = load_document(stack, text)
    assert node is not None
    config, told = validate(DataFactory, node, at=("data_factory",))
    found.errors.extend(told.items)
    checked = None
    if config is not None and ((folder / "factory").exists() or stack.exists()):

        def place(path: NodePath) -> tuple[Position, str]:
            position = node.position_of(("data_factory", *path))
            return position, node.line_text(position.line)

        checked = check_factory(folder, config, references=REFERENCES, secrets=SECRETS, place=place)
        found.errors.extend(checked.found.errors.items)
        found.warnings.extend(checked.found.warnings.items)
    return checked, found.errors, found.warnings
