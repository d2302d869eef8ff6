"""The exported folder of a stack's Data Factory, read and judged before anything is registered.

Pure but for reading files; neither the engine nor a provider is imported.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from dataplatform.compile.data_factory import compile_factory
from dataplatform.config.check import LoadedStack
from dataplatform.config.data_factory.check import CheckedFactory, check_factory
from dataplatform.config.platform import Azure
from dataplatform.diagnostics import InputError, Position
from infra.stack_file import StackFile


def known_references(azure: Azure, notebooks: Collection[str] = (), libraries: Collection[str] = ()) -> frozenset[str]:
    """What values of a stack's patches may refer to: `$lake:url` and so on.

    Args:
        azure: The stack's part on Azure.
        notebooks: Of the workspace's release, by their paths in the folder.
        libraries: Likewise.
    """
    known = {f"$azure:{name}" for name in ("environment", "location", "resource_group", "subscription", "tenant")}
    known |= {f"$identity:{name}" for name in azure.identities}
    if azure.lake is not None:
        known |= {"$lake:account", "$lake:id", "$lake:url"}
    if azure.key_vault is not None:
        known |= {"$key_vault:id", "$key_vault:url"}
    if azure.databricks is not None:
        known |= {"$databricks:id", "$databricks:url"}
        known |= {f"$cluster:{name}" for name in azure.databricks.clusters}
        known |= {f"$warehouse:{name}" for name in azure.databricks.warehouses}
        known |= {f"$notebook:{name}" for name in notebooks} | {f"$library:{name}" for name in libraries}
    return frozenset(known)


def read_factory_files(
    root: Path, loaded: LoadedStack, notebooks: Collection[str] = (), libraries: Collection[str] = ()
) -> CheckedFactory | None:
    """The stack's factory with all that was found in it; None where it has none."""
    azure = loaded.platform.azure
    if azure is None or azure.data_factory is None:
        return None
    places = StackFile(loaded.file)

    def place(path: tuple[str | int, ...]) -> tuple[Position, str]:
        return places.place(("azure", "data_factory", *path))

    known = known_references(azure, notebooks, libraries)
    checked = check_factory(
        root,
        azure.data_factory,
        references=known,
        secrets=list(azure.key_vault.secrets) if azure.key_vault is not None else None,
        place=place,
    )
    if not checked.errors:
        try:
            # What patches make of it together shows only in the plan.
            compile_factory(checked, azure.data_factory, context={name: name for name in known})
        except InputError as error:
            checked.found.errors.extend(error.diagnostics.items)
    return checked
