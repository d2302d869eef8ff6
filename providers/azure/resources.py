"""The types of the provider `dp-azure`."""

from __future__ import annotations

from providers.azure import directory, purged_vault, trigger
from providers.base import Resource


def resources() -> dict[str, Resource]:
    """Every type, by its token."""
    return {
        directory.TOKEN: directory.Directory(),
        purged_vault.TOKEN: purged_vault.PurgedVault(),
        trigger.TOKEN: trigger.Trigger(),
    }
