"""A vault's name that comes free: the resource's own rules, and with the real engine on the embedded cloud."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.azure.purged_vault import PurgedVault
from localcloud.arm import ArmDoor
from localcloud.arm_server import Server
from localcloud.world import World
from providers.arm import Arm
from providers.azure import purged_vault
from providers.base import ProviderError
from tests.engine_support import ROOT, EngineFailedError, Sandbox
from tests.localcloud.client import Client

SUBSCRIPTION = "00000000-0000-4000-8000-00000000da7a"
INPUTS: dict[str, Any] = {
    "subscription": SUBSCRIPTION,
    "resourceGroup": "acmedata-dev",
    "location": "westeurope",
    "vaultName": "acmedata-dev-kv",
}
NAME = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/acmedata-dev-kv"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path / "cloud")
    yield found
    found.close()


@pytest.fixture
def arm(world: World) -> Iterator[Arm]:
    with Server(ArmDoor(world)) as server:
        yield Arm({"DP_ARM_ENDPOINT": server.url})


@pytest.fixture
def azure(world: World) -> Client:
    client = Client("azure-native", world, {"location": "westeurope", "subscriptionId": SUBSCRIPTION})
    for group in ("acmedata-dev", "other"):
        client.create("azure-native:resources:ResourceGroup", {"resourceGroupName": group})
    return client


def vault(azure: Client, group: str = "acmedata-dev", *, protected: bool = False, recover: bool = False) -> Any:
    properties = {
        "tenantId": "00000000-0000-4000-8000-0000000000aa",
        "sku": {"family": "A", "name": "standard"},
        "softDeleteRetentionInDays": 7,
        **({"enablePurgeProtection": True} if protected else {}),
        **({"createMode": "recover"} if recover else {}),
    }
    return azure.create(
        "azure-native:keyvault:Vault",
        {"vaultName": "acmedata-dev-kv", "resourceGroupName": group, "properties": properties},
    )


def removed(azure: Client, made: Any) -> None:
    azure.delete("azure-native:keyvault:Vault", made)


def test_a_deleted_vault_is_purged_when_the_promise_ends(azure: Client, arm: Arm) -> None:
    resource = purged_vault.PurgedVault(arm, sleep=lambda _: None)
    id_, outputs = resource.create(INPUTS, preview=False)
    assert id_ == NAME
    removed(azure, vault(azure))
    assert arm.call("GET", NAME, version="2024-11-01").body["properties"]["location"] == "westeurope"
    resource.delete(id_, outputs)
    resource.delete(id_, outputs)
    vault(azure)


def test_what_an_interrupted_destroy_left_is_purged_before_the_next_one(azure: Client, arm: Arm) -> None:
    removed(azure, vault(azure))
    purged_vault.PurgedVault(arm).create(INPUTS, preview=True)
    with pytest.raises(Exception, match="already exists in deleted state"):
        vault(azure)
    purged_vault.PurgedVault(arm).create(INPUTS, preview=False)
    vault(azure)


def test_a_vault_of_somebody_else_is_left_alone(azure: Client, arm: Arm) -> None:
    removed(azure, vault(azure, "other"))
    purged_vault.PurgedVault(arm).create(INPUTS, preview=False)
    with pytest.raises(Exception, match="already exists in deleted state"):
        vault(azure)


def test_a_protected_vault_is_not_purged_and_comes_back_when_it_is_asked_for(azure: Client, arm: Arm) -> None:
    removed(azure, vault(azure, protected=True))
    with pytest.raises(ProviderError, match=r"acmedata-dev-kv cannot be purged, because purge protection was on.* 20"):
        purged_vault.PurgedVault(arm).create(INPUTS, preview=False)
    vault(azure, protected=True, recover=True)


def test_what_is_missing_is_told(arm: Arm) -> None:
    checked, wrong = purged_vault.PurgedVault(arm).check({"subscription": "", "vaultName": 7, "odd": "x"}, {})
    assert set(checked) == {"subscription", "vaultName"}
    assert [(one.property, one.reason) for one in wrong] == [
        ("subscription", "must be a text"),
        ("resourceGroup", "is missing"),
        ("location", "is missing"),
        ("vaultName", "must be a text"),
    ]


def program(*, purged: bool) -> Callable[[], None]:
    """A group with a vault."""

    def run() -> None:
        from pulumi_azure_native import keyvault, resources

        group = resources.ResourceGroup("group", resource_group_name="acmedata-dev", location="westeurope")
        before = (
            [
                PurgedVault(
                    "purged",
                    subscription=SUBSCRIPTION,
                    resource_group=group.name,
                    location="westeurope",
                    vault_name="acmedata-dev-kv",
                )
            ]
            if purged
            else []
        )
        keyvault.Vault(
            "vault",
            resource_group_name=group.name,
            vault_name="acmedata-dev-kv",
            location="westeurope",
            properties=keyvault.VaultPropertiesArgs(
                tenant_id="00000000-0000-4000-8000-0000000000aa",
                sku=keyvault.SkuArgs(family="A", name=keyvault.SkuName.STANDARD),
            ),
            opts=pulumi.ResourceOptions(depends_on=before),
        )

    return run


@pytest.mark.engine
def test_a_stack_is_destroyed_and_comes_up_again_under_the_same_names(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(
        "name: sandbox\nruntime: python\nplugins:\n  providers:\n    - name: dp-azure\n"
        f"      path: {ROOT / 'providers' / 'azure'}\n",
        "utf-8",
    )
    command = shlex.join([sys.executable, "-m", "localcloud.arm_server"])
    sandbox = Sandbox(tmp_path, {"DP_ARM_ENDPOINT": f"run:{command}", "PYTHONPATH": str(ROOT)})
    config = {"azure-native:subscriptionId": SUBSCRIPTION, "azure-native:location": "westeurope"}
    stack = sandbox.stack(program(purged=True), config)
    for _ in range(2):
        assert stack.up() == {"create": 4}
        assert stack.preview() == {"same": 4}
        assert stack.destroy() == {"delete": 4}
    without = sandbox.stack(program(purged=False), config)
    without.up()
    without.destroy()
    with pytest.raises(EngineFailedError, match="already exists in deleted state"):
        without.up()
