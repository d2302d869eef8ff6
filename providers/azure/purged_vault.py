"""`dp-azure:keyvault:PurgedVault`: the name of a key vault comes free again when the vault is destroyed.

A deleted vault keeps its name for days, and azure-native purges none. The vault depends on this resource: so the vault
is deleted first, and then this one, which purges what is left of it. A destroy that ended between the two has left a
deleted vault; it is purged before the next one is made.

Only what was deleted in the stack's own resource group is purged: a vault of that name that somebody else had is left
alone, and Azure then says that its name is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from providers.arm import Arm, ArmError
from providers.base import Diff, Failure, ProviderError, State, Values, diff_values

TOKEN: Final = "dp-azure:keyvault:PurgedVault"  # noqa: S105 - a type token
API: Final = "2024-11-01"
_INPUTS: Final = ("subscription", "resourceGroup", "location", "vaultName")
_PATIENCE: Final = 600.0
"""Seconds that a purge may take; Azure names none, and it is done in less than a minute as a rule."""


class PurgedVault:
    """The resource."""

    def __init__(
        self,
        arm: Arm | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        patience: float = _PATIENCE,
    ) -> None:
        self._given = arm
        self._sleep = sleep
        self._patience = patience

    @property
    def _arm(self) -> Arm:
        if self._given is None:
            self._given = Arm()
        return self._given

    def check(self, news: Values, olds: Values) -> tuple[Values, Sequence[Failure]]:
        """Four texts."""
        del olds
        wrong = [
            Failure(property=name, reason="is missing" if news.get(name) is None else "must be a text")
            for name in _INPUTS
            if news.get(name) is None or isinstance(news[name], (bool, int, float, list, dict)) or news[name] == ""
        ]
        return {name: value for name, value in news.items() if name in _INPUTS}, wrong

    def diff(self, id: str, olds: State, news: Values) -> Diff:  # noqa: A002
        """Another vault is another resource."""
        del id
        return diff_values(olds.inputs, news, replace=_INPUTS)

    def create(self, inputs: Values, *, preview: bool) -> tuple[str, Values]:
        """Purge what a destroy that did not end has left."""
        if preview:
            return "", inputs
        id_ = (
            f"/subscriptions/{inputs['subscription']}/providers/Microsoft.KeyVault/locations/{inputs['location']}"
            f"/deletedVaults/{inputs['vaultName']}"
        )
        self._purge(id_, inputs)
        return id_, inputs

    def read(self, id: str, inputs: Values, outputs: Values) -> State | None:  # noqa: A002
        """What is promised is not in the cloud: it stays as it is."""
        if not inputs:
            raise ProviderError(f"'{id}' cannot be imported: there is nothing of it in Azure")
        return State(id=id, inputs=inputs, outputs=outputs)

    def update(self, id: str, olds: State, news: Values, *, preview: bool) -> Values:  # noqa: A002
        """Every change replaces."""
        del id, olds, preview
        return news

    def delete(self, id: str, outputs: Values) -> None:  # noqa: A002
        """Purge the vault, which is deleted by now."""
        self._purge(id, outputs)

    def _purge(self, id_: str, values: Values) -> None:
        found = self._deleted(id_)
        if found is None:
            return
        properties = found.get("properties") or {}
        group = f"/subscriptions/{values['subscription']}/resourceGroups/{values['resourceGroup']}/"
        if not str(properties.get("vaultId", "")).lower().startswith(group.lower()):
            return
        name = values["vaultName"]
        if properties.get("purgeProtectionEnabled"):
            raise ProviderError(
                f"the deleted vault {name} cannot be purged, because purge protection was on; its name comes free on "
                f"{properties.get('scheduledPurgeDate', 'the date that Azure names')}"
            )
        try:
            self._arm.call("POST", f"{id_}/purge", version=API)
        except ArmError as error:
            if error.status != 404:
                raise
        waited, pause = 0.0, 1.0
        while self._deleted(id_) is not None:
            if waited >= self._patience:
                raise ProviderError(f"the deleted vault {name} is still there {waited:.0f} s after it was purged")
            self._sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 15.0)

    def _deleted(self, id_: str) -> dict[str, Any] | None:
        try:
            return self._arm.call("GET", id_, version=API).body
        except ArmError as error:
            if error.status == 404:
                return None
            raise
