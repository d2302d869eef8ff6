"""Warnings of mounts: they work, and what is meant is something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dataplatform.config.check import LoadedStack
from dataplatform.diagnostics import Diagnostic, Diagnostics
from infra.stack_file import StackFile


def mount_warnings(loaded: LoadedStack) -> Sequence[Diagnostic]:
    """One for each mount of the stack."""
    azure = loaded.platform.azure
    if azure is None or azure.databricks is None or not azure.databricks.mounts:
        return ()
    found, places = Diagnostics(), StackFile(loaded.file)
    for name in azure.databricks.mounts:
        places.add(
            found,
            "DP255",
            ("azure", "databricks", "mounts", name),
            f"everybody in the workspace reads and writes what is mounted at /mnt/{name}",
            "write it under unity_catalog.locations, where access is granted",
        )
    return [replace(one, severity="warning") for one in found.items]
