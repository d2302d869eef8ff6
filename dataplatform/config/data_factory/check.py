"""A stack's Data Factory, read and judged together: its folder, its patches, and the lint over what they leave."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path as FilePath

from dataplatform.config.azure.data_factory import DataFactory
from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.folder import FactoryFolder, read_factory
from dataplatform.config.data_factory.lint import judge_factory
from dataplatform.config.data_factory.patches import Hit, Place, find_patches, judge_names
from dataplatform.config.document import Path
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

    @property
    def errors(self) -> Diagnostics:
        """What keeps it from being deployed."""
        return self.found.errors


def check_factory(
    root: FilePath,
    config: DataFactory,
    *,
    references: Collection[str] = (),
    place: Place | None = None,
) -> CheckedFactory:
    """Read and judge a stack's Data Factory.

    Args:
        root: The project's root.
        config: The stack's `azure.data_factory`.
        references: What values may refer to: `$databricks:url` and so on.
        place: From a path below `azure.data_factory` to its place in the stack file.
    """
    where = place or (lambda _: (Position("the stack"), ""))
    found = Found()
    folder = read_factory(root / config.directory, found)
    hits = find_patches(folder, config, references, where, found)
    found.patched = _patched(folder, config, hits)
    judge_names(folder, config, references, where, found)
    more = [*config.global_parameters, *(RELEASE_PARAMETERS if config.annotate else ())]
    judge_factory(folder, found, more_globals=more)
    return CheckedFactory(folder=folder, hits=tuple(hits), found=found)


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
