"""Key rings that are there already, with the real engine: whole ones, partly filled ones, those a stack left behind."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pytest

from dataplatform.config.gcp.kms import Kms as KmsConfig
from localcloud import inventory
from tests.engine_support import EngineFailedError, Sandbox

pytestmark = [
    pytest.mark.engine,
    # pulumi_gcp.storage warns of a misspelt function of its own when it is imported.
    pytest.mark.filterwarnings("ignore:gcp.storage.getTransferProjectServieAccount:DeprecationWarning"),
]

CONFIG = {"gcp:project": "acme-dev", "gcp:region": "europe-west1"}
RING = "projects/acme-dev/locations/europe-west1/keyRings/platform"


def keys(config: KmsConfig, *services: str) -> Callable[[], None]:
    """A program with a ring and a key for each service, granted to nobody."""

    def program() -> None:
        import pulumi_gcp as gcp

        from components.gcp.kms import Kms, KmsArgs
        from components.gcp.labels import Labels

        api = gcp.projects.Service("cloudkms", service="cloudkms.googleapis.com", disable_on_destroy=False)
        made = Kms(
            "kms",
            KmsArgs(
                config=config,
                project="acme-dev",
                location="europe-west1",
                key_ring_name="platform",
                users={service: {} for service in services},
                labels=Labels.of({}, environment="dev", stack="dev"),
                protect=False,
                depends_on=[api],
            ),
        )
        pulumi.export("keys", {service: key.id for service, key in made.keys.items()})

    return program


def origins(sandbox: Sandbox) -> dict[str, str]:
    """Rings and keys of the world, by the last part of their ids."""
    found = inventory.entries(sandbox.world())
    return {entry.id.removeprefix(f"{RING}/cryptoKeys/"): entry.origin for entry in found if RING in entry.id}


def test_a_partly_filled_ring_is_adopted_and_filled(sandbox: Sandbox) -> None:
    sandbox.stack(keys(KmsConfig(), "storage"), CONFIG, "first").up()
    whole = KmsConfig(existing=True)
    with pytest.raises(EngineFailedError, match=r"cryptoKeys/composer.*does not exist"):
        sandbox.stack(keys(whole, "composer", "storage"), CONFIG, "wrong").up()
    second = sandbox.stack(keys(KmsConfig(existing=True, new_keys=["composer"]), "composer", "storage"), CONFIG, "two")
    assert second.up()["import"] == 2
    assert set(second.preview()) == {"same"}
    assert set(origins(sandbox)) == {RING, "composer", "storage"}
    # Once it is there it may be listed as there: nothing happens to it but that it is protected from now on.
    again = sandbox.stack(keys(whole, "composer", "storage"), CONFIG, "two")
    assert "create" not in again.up()
    assert "replace" not in again.preview()


def test_a_ring_that_a_destroyed_stack_left_behind_gets_new_keys(sandbox: Sandbox) -> None:
    first = sandbox.stack(keys(KmsConfig(), "storage"), CONFIG)
    first.up()
    first.destroy()
    assert origins(sandbox) == {RING: "kept", "storage": "kept"}
    with pytest.raises(EngineFailedError, match=f"KeyRing {RING} already exists"):
        sandbox.stack(keys(KmsConfig(), "storage"), CONFIG).up()
    config = KmsConfig(existing=True, existing_keys=False, key_generation=2)
    again = sandbox.stack(keys(config, "storage"), CONFIG)
    assert again.up()["import"] == 1
    assert again.outputs() == {"keys": {"storage": f"{RING}/cryptoKeys/storage-g2"}}
    assert set(again.preview()) == {"same"}
    assert origins(sandbox) == {RING: "user", "storage": "kept", "storage-g2": "user"}
