"""What can be wrong between the external locations of a catalog: none may lie in another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplatform.config.text import shown

if TYPE_CHECKING:
    from dataplatform.config.azure.databricks import UnityCatalog
    from dataplatform.config.findings import Findings


def location_rules(prefix: str, catalog: UnityCatalog, findings: Findings) -> None:
    """Databricks refuses an external location above or below another; the catalog's own storage is one too."""
    own = (catalog.filesystem, f"catalogs/{catalog.name or f'{prefix}_'}")
    before: dict[str, tuple[str, str]] = {}
    for name, location in catalog.locations.items():
        place = (location.filesystem, location.path.strip("/"))
        at = ("azure", "databricks", "unity_catalog", "locations", name)
        # The catalog's name ends with the environment where it is made of it.
        exact = catalog.name is not None
        if _overlap(place, own) or (not exact and place[0] == own[0] and place[1].startswith(own[1])):
            findings.tell(
                "DP250",
                at,
                f"{shown(name)} covers the catalog's own storage, catalogs/… of {shown(own[0])}, and no external"
                " location may lie in another",
                "give it a path beside that, such as data, or the catalog another filesystem",
                key=True,
            )
        other = next((known for known, where in before.items() if _overlap(place, where)), None)
        if other is not None:
            findings.tell(
                "DP250",
                at,
                f"{shown(name)} and {shown(other)} lie in one another, which Unity Catalog refuses",
                "give them places beside each other, or take one of them out",
                key=True,
            )
        before[name] = place


def _overlap(one: tuple[str, str], other: tuple[str, str]) -> bool:
    first, second = (f"{place[1]}/" if place[1] else "" for place in (one, other))
    return one[0] == other[0] and (first.startswith(second) or second.startswith(first))
