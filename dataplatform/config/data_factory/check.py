"""A stack's Data Factory, read and judged together: its folder, its patches, and the lint over what they leave."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path as FilePath

from dataplatform.config.azure.data_factory import DataFactory
from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.folder import FactoryFolder, read_factory
from dataplatform.config.data_factory.lint import judge_factory
from dataplatform.config.data_factory.patches import Hit, Place, find_patches, judge_names, judge_values
from dataplatform.config.data_factory.secrets import vault_secrets
from dataplatform.config.document import Path
from dataplatform.config.loader import shown_path
from dataplatform.diagnostics import Diagnostics, Position

REWRITTEN = (
    "accessToken",
    "encryptedCredential",
    "credential",
    "authentication",
    "workspaceResourceId",
    "domain",
)
"""Of a linked service to Databricks, what its rewriting to a managed identity sets or takes out."""
NEW_CLUSTER = "newCluster"
"""What the keys begin with that describe a cluster made for a run."""

RELEASE_PARAMETERS = ("releaseId", "gitCommit")
"""Global parameters that say what was deployed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckedFactory:
    """A factory's folder with what the stack changes in it."""

    folder: FactoryFolder
    hits: tuple[Hit, ...]
    found: Found
    secrets: frozenset[str] = frozenset()
    """Secrets of the stack's own vault that its artefacts read."""

    @property
    def errors(self) -> Diagnostics:
        """What keeps it from being deployed."""
        return self.found.errors


def check_factory(
    root: FilePath,
    config: DataFactory,
    *,
    references: Collection[str] = (),
    secrets: Collection[str] | None = None,
    place: Place | None = None,
) -> CheckedFactory:
    """Read and judge a stack's Data Factory.

    Args:
        root: The project's root.
        config: The stack's `azure.data_factory`.
        references: What values may refer to: `$databricks:url` and so on.
        secrets: Names that the stack's vault has; None where that is not to be judged.
        place: From a path below `azure.data_factory` to its place in the stack file.
    """
    where = place or (lambda _: (Position("the stack"), ""))
    found = Found()
    folder = _read(root, config.directory, found)
    hits = find_patches(folder, config, references, where, found)
    _rewritten_too(config, hits, where, found)
    found.patched = _patched(folder, config, hits)
    judge_names(folder, config, references, where, found)
    judge_values(folder, hits, where, found)
    more = [*config.global_parameters, *(RELEASE_PARAMETERS if config.annotate else ())]
    judge_factory(folder, found, more_globals=more)
    read = vault_secrets(folder, hits, secrets, where, found)
    return CheckedFactory(folder=folder, hits=tuple(hits), found=found, secrets=read)


def _read(root: FilePath, directory: str, found: Found) -> FactoryFolder:
    target = root / directory
    try:
        inside = target.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        found.at("DP501", Position(shown_path(target)), "the Data Factory folder leads out of the project",
                 "put the folder itself below the project's root")  # fmt: skip
        return FactoryFolder(artefacts=())
    return read_factory(target, found)


def _rewritten_too(config: DataFactory, hits: list[Hit], place: Place, found: Found) -> None:
    """Tell of patches that the rewriting of their linked service would undo."""
    links = {name.lower(): link for name, link in config.databricks.items()}
    for hit in hits:
        if hit.artefact.kind.key != "linked_service" or len(hit.path) < 3:
            continue
        link, key = links.get(hit.artefact.name.lower()), str(hit.path[2])
        gone = key in REWRITTEN or (link is not None and link.existing_cluster_id is not None and _of_cluster(key))
        if link is not None and hit.path[1] == "typeProperties" and gone:
            position, source = place(("patches", hit.index, "property"))
            found.at("DP541", position, f"databricks rewrites '{key}' of '{hit.artefact.name}' too",
                     "take the patch out, or the linked service under databricks",
                     path=f"data_factory.patches[{hit.index}].property", source=source)  # fmt: skip


def _of_cluster(key: str) -> bool:
    return key.startswith(NEW_CLUSTER) or key == "existingClusterId"


def _patched(folder: FactoryFolder, config: DataFactory, hits: list[Hit]) -> dict[str, frozenset[Path]]:
    places: dict[str, set[Path]] = {}
    for hit in hits:
        places.setdefault(hit.artefact.file, set()).add(hit.path)
    for name, link in config.databricks.items():
        service = folder.find("linked_service", name)
        holder = service.properties.child("typeProperties") if service is not None else None
        if service is None or holder is None:
            continue
        gone = {key for key in holder.entries if key in REWRITTEN}
        if link.existing_cluster_id is not None:
            gone |= {key for key in holder.entries if key.startswith(NEW_CLUSTER)}
        places.setdefault(service.file, set()).update(("properties", "typeProperties", key) for key in gone)
    return {file: frozenset(paths) for file, paths in places.items()}
