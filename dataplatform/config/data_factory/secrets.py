"""Secrets of the stack's own vault that artefacts read: each must be declared, or a run fails where nobody looks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.folder import Artefact, FactoryFolder
from dataplatform.config.data_factory.patches import Hit, Place
from dataplatform.config.data_factory.references import objects
from dataplatform.config.document import Node, Path
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

STORE: Final = "$key_vault:url"
"""What the address of a linked service to the stack's vault is patched with."""


def vault_secrets(
    folder: FactoryFolder, hits: Sequence[Hit], declared: Collection[str] | None, place: Place, found: Found
) -> frozenset[str]:
    """Names of the vault's secrets that artefacts read, as the vault declares them; an undeclared one is told.

    Args:
        folder: As it was read.
        hits: What the stack's patches change: a linked service whose address becomes `$key_vault:url` is the vault's.
        declared: Secrets of the vault; None where it is not to be judged.
        place: From a path below `azure.data_factory` to its place in the stack file.
        found: Where mistakes are recorded.
    """
    if declared is None:
        return frozenset()
    stores = {hit.artefact.name.lower() for hit in hits if _is_store(hit)}
    known = {name.lower(): name for name in declared}
    patched = {(hit.artefact.file, hit.path): hit for hit in hits}
    read: set[str] = set()
    for artefact in folder.artefacts:
        for path, node in _readers(artefact):
            store = node.at(("store", "referenceName"))
            name = node.child("secretName")
            if store is None or name is None or str(store.scalar).lower() not in stores:
                continue
            at = (*path, "secretName")
            changed = patched.get((artefact.file, at))
            if changed is None and found.replaced(artefact.node, at):
                continue
            value = changed.patch.value if changed is not None else name.scalar
            if not isinstance(value, str) or value.startswith(("@", "$")):
                continue  # known at run time only, or not a name at all, which is told elsewhere
            if value.lower() in known:
                read.add(known[value.lower()])
                continue
            message = f"the vault of the stack has no secret {shown(value)}"
            remedy = nearest(value[:100], declared) if declared else "declare it under azure.key_vault.secrets"
            if changed is None:
                found.tell("DP545", artefact.node, at, message, remedy)
            else:
                position, source = place(("patches", changed.index, "value"))
                where = f"data_factory.patches[{changed.index}].value"
                found.at("DP545", position, message, remedy, path=where, source=source)
    return frozenset(read)


def _is_store(hit: Hit) -> bool:
    way = ("properties", "typeProperties", "baseUrl")
    return hit.artefact.type == "AzureKeyVault" and hit.path == way and hit.patch.value == STORE


def _readers(artefact: Artefact) -> Iterator[tuple[Path, Node]]:
    for path, node in objects(artefact.node):
        kind = node.child("type")
        if kind is not None and kind.scalar == "AzureKeyVaultSecret":
            yield path, node
