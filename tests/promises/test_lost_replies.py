"""A reply lost after each kind of create, without the engine: what the cloud made is known again by what is declared.

With the engine `test_every_kill.py` loses the replies of dev's types; here it is every type of every stack.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataplatform.local import adoption, cloud
from localcloud.rules.wire import SECRET, SIGNATURE
from localcloud.world import World
from tests.promises.bringup import Created, bring_up
from tests.promises.stacks import STACKS

# pulumi_gcp.storage warns of a misspelt function of its own when it is imported.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(r"ignore:gcp\.\S+ has been deprecated:DeprecationWarning")]

INVISIBLE = {
    "gcp:kms/secretCiphertext:SecretCiphertext": "is no thing of the cloud: an encryption that the state keeps",
}
"""Types that a cloud cannot be asked for, with the reason."""


def masked(value: Any) -> Any:
    """Inputs as a preview prints them: secret values in no form."""
    if isinstance(value, dict):
        hidden = value.get(SIGNATURE) == SECRET
        return cloud.MASKED if hidden else {key: masked(inner) for key, inner in value.items()}
    return [masked(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", STACKS)
def test_what_was_made_unheard_is_known_again(name: str, tmp_path: Path) -> None:
    stack = STACKS[name](tmp_path / "project")
    world: World = stack.fresh(tmp_path / "cloud")
    run = bring_up(stack, world)
    world.close()
    there = cloud.known_objects(tmp_path / "cloud")
    lost: list[Created] = []
    for one in run.created.values():
        found = adoption.identify(one.token, masked(dict(one.inputs)), there, stack.name)
        if found is None:
            lost.append(one)
        else:
            assert found.id == one.id, f"{one.urn} is taken for {found.id}"
    unknown = sorted({f"{one.token} {one.name}" for one in lost if one.token not in INVISIBLE})
    assert not unknown, "after a lost reply these would be made twice, or stand in the way: " + ", ".join(unknown)
