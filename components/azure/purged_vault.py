"""The name of a key vault that comes free when the vault is destroyed: a resource of our own provider, `dp-azure`.

Not azure-native's: that one deletes a vault and leaves its name taken for days.
"""

from __future__ import annotations

import pulumi


class PurgedVault(pulumi.CustomResource):
    """The promise to purge a vault once it is deleted. The vault must depend on it."""

    def __init__(
        self,
        name: str,
        *,
        subscription: str,
        resource_group: pulumi.Input[str],
        location: str,
        vault_name: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "subscription": subscription,
            "resourceGroup": resource_group,
            "location": location,
            "vaultName": vault_name,
        }
        super().__init__("dp-azure:keyvault:PurgedVault", name, inputs, opts)
