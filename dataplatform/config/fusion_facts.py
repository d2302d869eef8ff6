"""What Data Fusion offers: versions with the end of their support, and what each edition can.

Data with their sources, read on 2026-11-21. A version newer than the newest one here is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

VERSIONS: Final[Mapping[tuple[int, int], tuple[int, ...]]] = MappingProxyType(
    {
        (6, 1): (2, 3, 4),
        (6, 2): (0, 1, 2, 3),
        (6, 3): (0, 1),
        (6, 4): (0, 1),
        (6, 5): (0, 1),
        (6, 6): (0,),
        (6, 7): (0, 1, 2, 3),
        (6, 8): (0, 1, 2, 3),
        (6, 9): (1, 2),
        (6, 10): (0, 1),
        (6, 11): (0, 1),
    }
)
"""Major and minor -> patches ("Available upgrades", Google's documentation of Data Fusion)."""

SUPPORT_ENDED: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (6, 1): "2021-06-30",
        (6, 2): "2022-03-31",
        (6, 3): "2022-07-31",
        (6, 4): "2022-11-30",
        (6, 5): "2023-05-31",
        (6, 6): "2023-10-31",
        (6, 7): "2024-02-29",
        (6, 8): "2024-08-31",
        (6, 9): "2025-03-31",
    }
)
"""Last day of support, 18 months after a minor version's release ("Version support policy").

No new instance can have such a version; one that is there goes on without fixes.
"""

MAINTENANCE_SINCE: Final = (6, 8)
"""First version with maintenance windows ("Configure maintenance windows")."""

EDITIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "basic": frozenset(),
        "developer": frozenset({"zone"}),
        "enterprise": frozenset({"rbac"}),
    }
)
"""Edition -> settings that only some editions have.

`rbac`: "Role-based access control overview", limitations. `zone`: the google provider, google_data_fusion_instance.
"""
